//! What the processor does at most: how many floating-point operations and how many bytes in a second.
//!
//! Both are measured by kernels of their own, made and run like those of a step, when someone first asks: the arithmetic once
//! for each number of threads, the traffic also for each size of the memory that it goes through, since a cache gives more
//! than what lies behind it. The best of several runs counts.

use super::{Code, Cpu, Local};
use crate::device::Roof;
use crate::error::Error;
use crate::memory::Memory;
use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Instant;
use tapeless_compiler::backend::cranelift::emit;
use tapeless_compiler::dtype::DType;
use tapeless_compiler::kernel::{
    Cost, Expression, Kernel, LoopId, LoopKind, Parameter, ParameterId, Register, RegisterDecl, Statement, Usage, Var,
    cost,
};
use tapeless_compiler::nest::Index;
use tapeless_compiler::scalar::ScalarOp;

/// How many sums, of a vector each, are on their way at once: enough that none is waited for, few enough that they stay in
/// registers beside what is added to them.
const SUMS: usize = 10;

/// How often each sum is added to in a piece: some hundred thousand cycles, which a thread hardly notices to begin and end.
const ADDITIONS: usize = 1 << 14;

/// How many pieces each thread finds.
const PIECES: usize = 4;

/// The smallest and the largest memory that traffic is measured in. Handing a smaller one to threads takes as long as to go
/// through it; the largest is well beyond the caches of a thread.
const SIZES: [usize; 2] = [1 << 18, 1 << 27];

/// How many bytes a measurement of traffic goes through at least.
const MEASURED: usize = 1 << 24;

/// What has been measured.
#[derive(Default)]
pub(super) struct Peaks {
    /// By number of threads.
    flops: BTreeMap<usize, f64>,
    /// By number of threads and size of the memory.
    bandwidth: BTreeMap<(usize, usize), f64>,
}

impl Cpu {
    /// What so many threads do at most, with memory of so many bytes.
    pub(super) fn roof(&self, threads: usize, bytes: usize) -> Result<Roof, Error> {
        let size = bytes.checked_next_power_of_two().unwrap_or(usize::MAX).clamp(SIZES[0], SIZES[1]);
        // Held while it is measured: two measurements at once would disturb each other.
        let mut peaks = self.peaks.lock().unwrap_or_else(PoisonError::into_inner);
        let flops = match peaks.flops.get(&threads) {
            Some(&known) => known,
            None => self.flops(threads)?,
        };
        peaks.flops.insert(threads, flops);
        let bandwidth = match peaks.bandwidth.get(&(threads, size)) {
            Some(&known) => known,
            None => self.bandwidth(threads, size)?,
        };
        peaks.bandwidth.insert((threads, size), bandwidth);
        Ok(Roof { flops, bandwidth })
    }

    fn flops(&self, threads: usize) -> Result<f64, Error> {
        let kernel = arithmetic(threads * PIECES, self.target.lanes);
        let memory = Memory::zeroed(4 * kernel.parameters[1].elements.max(kernel.parameters[0].elements))?;
        let Cost { flops, .. } = cost(&kernel);
        Ok(flops as f64 / self.fastest(&kernel, &memory, [0; 2], threads, 1, 100)?)
    }

    fn bandwidth(&self, threads: usize, size: usize) -> Result<f64, Error> {
        let kernel = traffic(threads * PIECES, size / 2 / 4);
        let mut memory = Memory::zeroed(size)?;
        // Memory that nobody has written may be one page of zeros.
        memory.slice_mut::<u8>(0, size).fill(0);
        let moved = cost(&kernel).bytes() as f64;
        let launches = MEASURED.div_ceil(size);
        Ok(moved / self.fastest(&kernel, &memory, [0, size / 2, size / 2], threads, launches, 5)?)
    }

    /// How many seconds a launch takes, the fastest of so many measurements after one that does not count. The arguments
    /// begin at offsets of the memory.
    fn fastest<const N: usize>(
        &self,
        kernel: &Kernel,
        memory: &Memory,
        offsets: [usize; N],
        threads: usize,
        launches: usize,
        measurements: usize,
    ) -> Result<f64, Error> {
        let isa = self.isa()?;
        let failed = |error| Error::Machine { reason: format!("{error}") };
        let code = emit(kernel, &**isa, self.target.lanes).map_err(failed)?;
        let code = Code::load(&[code], &**isa)?;
        for (parameter, offset) in kernel.parameters.iter().zip(offsets) {
            let end = offset + parameter.elements * parameter.dtype.size();
            assert!(end <= memory.bytes(), "an array of a measurement is in its memory");
        }
        let arguments = offsets.map(|offset| memory.pointer(offset));
        let mut local = Local::new(0, threads)?;
        let session = self.session(threads);
        let mut measure = || {
            let start = Instant::now();
            for _ in 0..launches {
                // SAFETY: there is one argument per parameter, in the memory of the measurement, which nothing else accesses
                // and which the check above has found large enough. The kernels take no local memory.
                unsafe { code.run(0, &arguments, &mut local, &session) };
            }
            start.elapsed().as_secs_f64() / launches as f64
        };
        measure();
        Ok((0..measurements).map(|_| measure()).fold(f64::INFINITY, f64::min).max(f64::MIN_POSITIVE))
    }
}

/// A kernel while it is written.
struct Writer {
    kernel: Kernel,
}

impl Writer {
    fn new(name: &str, parameters: &[(usize, Usage)]) -> Writer {
        let array = |&(elements, usage): &(usize, Usage)| Parameter { dtype: DType::F32, elements, usage };
        let parameters = parameters.iter().map(array).collect();
        let name = name.to_string();
        let (vars, registers, fragments, body) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let kernel = Kernel { name, parameters, vars, registers, fragments, loops: 0, threads: None, body };
        Writer { kernel }
    }

    fn define(&mut self, body: &mut Vec<Statement>, expression: Expression) -> Var {
        self.kernel.vars.push(DType::F32);
        let var = Var(self.kernel.vars.len() - 1);
        body.push(Statement::Let(var, expression));
        var
    }

    /// The kernel that runs a body in groups of lanes, in each of so many pieces.
    fn finish(mut self, pieces: usize, extent: usize, groups: usize, body: Vec<Statement>) -> Kernel {
        let lanes = Statement::Loop { id: LANES, extent, kind: LoopKind::lanes(groups), body };
        self.kernel.body =
            vec![Statement::Loop { id: PIECE, extent: pieces, kind: LoopKind::Parallel, body: vec![lanes] }];
        self.kernel
    }
}

const PIECE: LoopId = LoopId(0);
const LANES: LoopId = LoopId(1);
const ADDITION: LoopId = LoopId(2);

/// Where the lanes of a piece are in an array of which each piece has so many elements.
fn place(extent: usize) -> Index {
    Index::axis(PIECE.0).times(extent as i64).plus(&Index::axis(LANES.0))
}

/// Sums in registers: `s = x * x + s`, for several sums in turn.
fn arithmetic(pieces: usize, lanes: usize) -> Kernel {
    let mut writer = Writer::new("arithmetic", &[(lanes, Usage::Read), (pieces * lanes, Usage::Written)]);
    writer.kernel.loops = 3;
    writer.kernel.registers = vec![RegisterDecl { dtype: DType::F32, groups: 1 }; SUMS];
    let mut body = Vec::new();
    let x = writer.define(&mut body, Expression::Load { parameter: ParameterId(0), index: Index::axis(LANES.0) });
    body.extend((0..SUMS).map(|sum| Statement::Assign(Register(sum), x)));
    let mut inner = Vec::new();
    for sum in (0..SUMS).map(Register) {
        let before = writer.define(&mut inner, Expression::Register(sum));
        let after = writer.define(&mut inner, Expression::Apply(ScalarOp::Fma, vec![x, x, before]));
        inner.push(Statement::Assign(sum, after));
    }
    body.push(Statement::Loop { id: ADDITION, extent: ADDITIONS, kind: LoopKind::Serial, body: inner });
    let mut total = x;
    for sum in (0..SUMS).map(Register) {
        let value = writer.define(&mut body, Expression::Register(sum));
        total = writer.define(&mut body, Expression::Apply(ScalarOp::Add, vec![total, value]));
    }
    body.push(Statement::Store { parameter: ParameterId(1), index: place(lanes), value: total });
    writer.finish(pieces, lanes, 1, body)
}

/// Adds one array of at most so many elements to another: two are read, one is written, which is one of the two.
fn traffic(pieces: usize, elements: usize) -> Kernel {
    let extent = elements / pieces;
    let array = |usage| (pieces * extent, usage);
    let mut writer = Writer::new("traffic", &[array(Usage::Read), array(Usage::Read), array(Usage::Written)]);
    writer.kernel.loops = 2;
    let mut body = Vec::new();
    let load = |parameter| Expression::Load { parameter: ParameterId(parameter), index: place(extent) };
    let x = writer.define(&mut body, load(0));
    let y = writer.define(&mut body, load(1));
    let sum = writer.define(&mut body, Expression::Apply(ScalarOp::Add, vec![x, y]));
    body.push(Statement::Store { parameter: ParameterId(2), index: place(extent), value: sum });
    writer.finish(pieces, extent, 4, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn measurements_count_what_they_do() {
        let (pieces, lanes) = (3 * PIECES, 8);
        let sums = cost(&arithmetic(pieces, lanes));
        assert_eq!(sums.flops, (pieces * lanes * SUMS * (2 * ADDITIONS + 1)) as u64);
        let moved = cost(&traffic(pieces, 1 << 16));
        let extent = (1 << 16) / pieces * pieces;
        assert_eq!(moved, Cost { flops: extent as u64, read: 8 * extent as u64, written: 4 * extent as u64 });
    }

    #[test]
    fn sums_of_a_measurement_stay_in_registers() {
        let cpu = Cpu::new(usize::MAX);
        let isa = cpu.isa().expect("tests run on a machine that Cranelift knows");
        let code = emit(&arithmetic(PIECES, cpu.target.lanes), &**isa, cpu.target.lanes).expect("it has code");
        assert_eq!((code.spills, code.lanes, code.refusal), (0, cpu.target.lanes, None));
    }

    #[test]
    fn peaks_are_measured_once() {
        let cpu = Cpu::new(usize::MAX);
        let roof = cpu.roof(1, 1000).expect("the machine has memory");
        // No machine does less than a tenth of an operation or moves less than a byte in a nanosecond, none a million.
        assert!((1e8..1e15).contains(&roof.flops) && (1e8..1e15).contains(&roof.bandwidth), "{roof:?}");
        assert_eq!(cpu.roof(1, SIZES[0]).expect("it is known"), roof);
        let far = cpu.roof(1, 3 << 20).expect("the machine has memory");
        assert_eq!(far.flops, roof.flops);
        assert_eq!(cpu.peaks.lock().expect("nobody else has it").bandwidth.len(), 2);
    }
}
