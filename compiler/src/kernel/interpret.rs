//! The kernel interpreter: what a kernel means, slow and safe.
//!
//! It runs a verified kernel statement by statement, rounds every f32 result to f32, and every element of half precision
//! where it is stored. The iterations of a parallel loop run backwards, since their order must not matter. So it predicts what a machine with the same number of lanes computes: bit by bit for everything but
//! [`ScalarOp::TRANSCENDENTAL`], which it takes from f64, and for those too once [`super::approximate()`] has replaced them.

use super::{
    Expression, Factor, Fragment, Kernel, LoopKind, PART, ParameterId, Register, Statement, Transfer, Usage, Var, WARP,
    mma_depth, tf32,
};
use crate::dtype::DType;
use crate::nest::{Index, Reducer};
use crate::scalar::ScalarOp;

/// Runs a kernel on a machine with this many lanes, a power of two; a kernel for threads has its own. Elements are held as
/// f64, one array per parameter but for scratch, which no one has to bring.
pub fn interpret(kernel: &Kernel, arguments: &mut [Vec<f64>], lanes: usize) {
    let lanes = kernel.threads.unwrap_or(lanes);
    for (parameter, argument) in kernel.parameters.iter().zip(arguments.iter()) {
        assert_eq!(parameter.elements, argument.len(), "an argument has the elements of its parameter");
    }
    // What is loaded before it is stored is not a number, so that it shows.
    let scratch = kernel.parameters[arguments.len()..].iter();
    let scratch = scratch.map(|parameter| vec![f64::NAN; parameter.elements]).collect();
    let registers = kernel.registers.iter().map(|register| vec![0.0; register.groups * lanes + 1]).collect();
    let mut machine = Machine {
        kernel,
        arguments,
        scratch,
        lanes,
        vars: vec![0.0; kernel.vars.len()],
        registers,
        fragments: kernel.fragments.iter().map(|fragment| vec![0.0; fragment.rows * fragment.columns]).collect(),
        counters: vec![0; kernel.loops],
        lane: None,
    };
    machine.run(&kernel.body);
}

struct Machine<'a> {
    kernel: &'a Kernel,
    arguments: &'a mut [Vec<f64>],
    /// The arrays of the parameters behind those that have arguments.
    scratch: Vec<Vec<f64>>,
    lanes: usize,
    vars: Vec<f64>,
    /// One value for a single register, else `groups * lanes + 1`.
    registers: Vec<Vec<f64>>,
    /// The sums, row by row.
    fragments: Vec<Vec<f64>>,
    counters: Vec<usize>,
    /// Which value of a register with groups the iteration sees; `None` outside of lanes loops.
    lane: Option<usize>,
}

impl Machine<'_> {
    fn run(&mut self, statements: &[Statement]) {
        for statement in statements {
            match statement {
                Statement::Loop { id, extent, kind, body } => {
                    for iteration in 0..*extent {
                        self.counters[id.0] = iteration;
                        match kind {
                            LoopKind::Serial | LoopKind::Staged { .. } => self.run(body),
                            LoopKind::Parallel => {
                                self.counters[id.0] = extent - 1 - iteration;
                                self.forget_local();
                                self.run(body);
                            }
                            LoopKind::Lanes { groups, neighbours } => {
                                self.lane = Some(match self.kernel.threads {
                                    Some(threads) => value_of_thread(iteration, *groups, *neighbours, threads),
                                    None => lane(iteration, *extent, *groups, self.lanes),
                                });
                                self.run(body);
                                self.lane = None;
                            }
                        }
                    }
                }
                Statement::Let(var, expression) => {
                    let value = self.value(expression);
                    self.vars[var.0] = self.kernel.vars[var.0].rounded(value);
                }
                Statement::Assign(register, var) => {
                    let value = self.vars[var.0];
                    match self.lane_of(*register) {
                        Some(lane) => self.registers[register.0][lane] = value,
                        None => self.registers[register.0].fill(value),
                    }
                }
                Statement::Store { parameter, index, value } => {
                    let position = self.position(index);
                    let dtype = self.kernel.parameters[parameter.0].dtype;
                    let value = dtype.rounded(self.vars[value.0]);
                    self.array(*parameter)[position] = value;
                }
                Statement::Accumulate { parameter, index, value } => {
                    let (position, dtype) = (self.position(index), self.kernel.vars[value.0]);
                    let sum = [self.array(*parameter)[position], self.vars[value.0]];
                    self.array(*parameter)[position] = dtype.rounded(apply(ScalarOp::Add, dtype, &sum));
                }
                Statement::Within { index, below, body } => {
                    if self.position(index) < *below {
                        self.run(body);
                    }
                }
                Statement::Copy(copy) => self.copy(copy),
                Statement::Clear(fragment) => self.fragments[fragment.0].fill(0.0),
                Statement::Contract { fragment, left, right, depth } => {
                    self.contract(*fragment, [left, right], *depth);
                }
                Statement::Unload { fragment, array } => {
                    let sums = self.fragments[fragment.0].clone();
                    self.array(*array).copy_from_slice(&sums);
                }
            }
        }
    }

    /// What an iteration of a parallel loop finds in local memory is not a number, so that it shows.
    fn forget_local(&mut self) {
        let scratch = self.kernel.parameters[self.arguments.len()..].iter().zip(&mut self.scratch);
        scratch.filter(|(parameter, _)| parameter.usage == Usage::Local).for_each(|(_, array)| array.fill(f64::NAN));
    }

    fn copy(&mut self, copy: &Transfer) {
        let (source, index) = (self.position(&copy.source), self.position(&copy.index));
        let dtype = self.kernel.parameters[copy.to.0].dtype;
        let there = copy.within.is_none_or(|within| self.vars[within.0] != 0.0);
        for at in 0..copy.count {
            let element = if there { self.array(copy.from)[source + at] } else { 0.0 };
            self.array(copy.to)[index + at] = dtype.rounded(element);
        }
    }

    /// Adds products to a fragment, as many at once as tensor cores take, summed up in f64.
    fn contract(&mut self, fragment: Fragment, factors: [&Factor; 2], depth: usize) {
        let declared = self.kernel.fragments[fragment.0];
        let dtype = self.kernel.parameters[factors[0].array.0].dtype;
        let extents = [declared.rows, declared.columns];
        let matrix = |machine: &mut Self, which: usize| -> Vec<f64> {
            let (factor, extent) = (factors[which], extents[which]);
            let array = machine.array(factor.array);
            let element = |at: usize| array[factor.position(at / depth, at % depth, extent, depth)];
            let rounded = |number: f64| if dtype == DType::F32 { tf32(number) } else { number };
            (0..extent * depth).map(element).map(rounded).collect()
        };
        let (left, right) = (matrix(self, 0), matrix(self, 1));
        let (lefts, rights) = (left.chunks_exact(depth), right.chunks_exact(depth));
        let pairs = lefts.flat_map(|row| rights.clone().map(move |column| (row, column)));
        for (sum, (row, column)) in self.fragments[fragment.0].iter_mut().zip(pairs) {
            for (row, column) in row.chunks(mma_depth(dtype)).zip(column.chunks(mma_depth(dtype))) {
                let products: f64 = row.iter().zip(column).map(|(a, b)| a * b).sum();
                *sum = DType::F32.rounded(*sum + products);
            }
        }
    }

    /// Which value of the register is seen; `None` when all are.
    fn lane_of(&self, register: Register) -> Option<usize> {
        if self.kernel.registers[register.0].groups == 0 { Some(0) } else { self.lane }
    }

    /// The elements of an array.
    fn array(&mut self, ParameterId(parameter): ParameterId) -> &mut [f64] {
        match parameter.checked_sub(self.arguments.len()) {
            None => &mut self.arguments[parameter],
            Some(scratch) => &mut self.scratch[scratch],
        }
    }

    fn value(&mut self, expression: &Expression) -> f64 {
        match expression {
            Expression::Constant(_, value) => *value,
            Expression::Index(index) => self.position(index) as f64,
            Expression::Load { parameter, index } => {
                let position = self.position(index);
                self.array(*parameter)[position]
            }
            Expression::Register(register) => {
                let lane = self.lane_of(*register).expect("a register with groups is read inside of lanes loops");
                self.registers[register.0][lane]
            }
            Expression::Combine(register, reducer) => {
                let (dtype, values) = (self.kernel.registers[register.0].dtype, &self.registers[register.0]);
                match self.kernel.threads {
                    Some(threads) => combine(dtype, *reducer, &by_warp_last(values, threads)),
                    None => combine(dtype, *reducer, values),
                }
            }
            Expression::Apply(op, operands) => {
                let dtype = self.kernel.vars[operands[0].0];
                let operands: Vec<f64> = operands.iter().map(|operand| self.vars[operand.0]).collect();
                apply(*op, dtype, &operands)
            }
        }
    }

    fn position(&self, index: &Index) -> usize {
        let position = index.at(&self.counters, &|var| self.vars[Var(var).0] as i64);
        usize::try_from(position).expect("verified positions are not negative")
    }
}

/// Which value of a register with groups an iteration of a lanes loop sees, in a block of so many threads.
fn value_of_thread(iteration: usize, groups: usize, neighbours: usize, threads: usize) -> usize {
    let thread = iteration / neighbours % threads;
    let turn = iteration / (neighbours * threads) % (groups / neighbours);
    (iteration % neighbours + neighbours * turn) * threads + thread
}

/// The values of a register in the order in which halves are those of each thread, then those of each warp, then the warps.
fn by_warp_last(values: &[f64], threads: usize) -> Vec<f64> {
    let warps = threads / WARP;
    let value = |at: usize| {
        let (group, lane, warp) = (at / threads, at % threads / warps, at % warps);
        values[group * threads + warp * WARP + lane]
    };
    let further = values.len() - 1;
    (0..further).map(value).chain([values[further]]).collect()
}

/// The same on a machine with vectors.
fn lane(iteration: usize, extent: usize, groups: usize, lanes: usize) -> usize {
    let whole = extent - extent % (groups * lanes);
    let filled = extent - extent % lanes;
    let parts = extent - extent % lanes % PART;
    match iteration {
        i if i < whole => i % (groups * lanes),
        i if i < filled => (i - whole) % lanes,
        i if i < parts => (i - filled) % PART,
        _ => groups * lanes,
    }
}

/// All values of a register in one: halves onto each other until one is left, then the further value.
fn combine(dtype: DType, reducer: Reducer, values: &[f64]) -> f64 {
    let op = reducer.operation().expect("registers are combined by sum, maximum or minimum");
    let fold = |a: f64, b: f64| dtype.rounded(apply(op, dtype, &[a, b]));
    let (further, values) = values.split_last().expect("a register has at least one value");
    let mut values = values.to_vec();
    while values.len() > 1 {
        let upper = values.split_off(values.len() / 2);
        values.iter_mut().zip(upper).for_each(|(value, other)| *value = fold(*value, other));
    }
    fold(values[0], *further)
}

/// An operation as a machine does it: in f32 where operands are f32.
fn apply(op: ScalarOp, dtype: DType, operands: &[f64]) -> f64 {
    if dtype != DType::F32 {
        return op.evaluate(dtype, operands);
    }
    let x = |at: usize| operands[at] as f32;
    match op {
        ScalarOp::Add => f64::from(x(0) + x(1)),
        ScalarOp::Sub => f64::from(x(0) - x(1)),
        ScalarOp::Mul => f64::from(x(0) * x(1)),
        ScalarOp::Div => f64::from(x(0) / x(1)),
        ScalarOp::Sqrt => f64::from(x(0).sqrt()),
        ScalarOp::Fma => f64::from(x(0).mul_add(x(1), x(2))),
        other => other.evaluate(dtype, operands),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::steps;

    #[test]
    fn lanes_are_as_documented() {
        // Extent 23 by 2 groups of 4: whole groups to 16, one group of 4 to 20, three single iterations.
        let seen: Vec<usize> = (0..23).map(|iteration| lane(iteration, 23, 2, 4)).collect();
        let expected: Vec<usize> = (0..8).chain(0..8).chain(0..4).chain([8; 3]).collect();
        assert_eq!(seen, expected);
        // Extent 29 by 2 groups of 8: whole groups to 16, one group of 8 to 24, a part to 28, one single iteration.
        let seen: Vec<usize> = (0..29).map(|iteration| lane(iteration, 29, 2, 8)).collect();
        let expected: Vec<usize> = (0..16).chain(0..8).chain(0..4).chain([16]).collect();
        assert_eq!(seen, expected);
        // Extent 31 by 16: a group, three parts, three single iterations; extent 6 has no whole group.
        let seen: Vec<usize> = (0..31).map(|iteration| lane(iteration, 31, 1, 16)).collect();
        let expected: Vec<usize> = (0..16).chain(0..4).chain(0..4).chain(0..4).chain([16; 3]).collect();
        assert_eq!(seen, expected);
        let seen: Vec<usize> = (0..6).map(|iteration| lane(iteration, 6, 1, 8)).collect();
        assert_eq!(seen, [0, 1, 2, 3, 8, 8]);
    }

    /// On whatever machine, each step is the iterations that it says.
    #[test]
    fn steps_are_all_iterations() {
        for lanes in [1, 2, 4, 8, 16] {
            for extent in 0..70 {
                let [vectors, parts, single] = steps(extent, lanes);
                assert_eq!(vectors * lanes + parts * PART + single, extent, "{extent} at {lanes} lanes");
                let alone = (0..extent).filter(|&iteration| lane(iteration, extent, 1, lanes) == lanes).count();
                assert_eq!(alone, single, "{extent} at {lanes} lanes");
            }
        }
        assert_eq!([steps(20, 8), steps(28, 16), steps(23, 4)], [[2, 1, 0], [1, 3, 0], [5, 0, 3]]);
    }

    /// Two turns of 64 threads with four iterations side by side each, then what is left over.
    #[test]
    fn threads_have_neighbours() {
        let seen = |iteration: usize| value_of_thread(iteration, 8, 4, 64);
        assert_eq!([0, 1, 2, 3, 4, 255].map(seen), [0, 64, 128, 192, 1, 3 * 64 + 63]);
        assert_eq!([256, 257, 511, 512].map(seen), [4 * 64, 5 * 64, 7 * 64 + 63, 0]);
        let mut all: Vec<usize> = (0..512).map(seen).collect();
        all.sort_unstable();
        assert_eq!(all, (0..512).collect::<Vec<_>>());
        let alone: Vec<usize> = (0..300).map(|iteration| value_of_thread(iteration, 4, 1, 64)).collect();
        assert_eq!(alone, (0..300).map(|iteration| iteration % 256).collect::<Vec<_>>());
    }

    /// Of 64 threads with two values each: first the two, then those of a warp, then the two warps.
    #[test]
    fn warps_are_folded_last() {
        let values: Vec<f64> = (0..129).map(f64::from).collect();
        let ordered = by_warp_last(&values, 64);
        // The halves are the two groups; half of a half has the first half of the lanes of both warps.
        assert_eq!(ordered[..4], [0.0, 32.0, 1.0, 33.0]);
        assert_eq!((ordered[64], ordered[127], ordered[128]), (64.0, 127.0, 128.0));
        let one_warp: Vec<f64> = (0..65).map(f64::from).collect();
        assert_eq!(by_warp_last(&one_warp, 32), one_warp);
    }

    #[test]
    fn combining_folds_halves_then_the_further_value() {
        let tiny = f64::from(f32::EPSILON) / 2.0;
        // In order, 1 + tiny + tiny is 1; with halves first, tiny + tiny is added to 1.
        assert_eq!(combine(DType::F32, Reducer::Sum, &[1.0, tiny, 0.0, tiny, 0.0]), 1.0 + 2.0 * tiny);
        assert_eq!(combine(DType::F32, Reducer::Sum, &[1.0, 0.0, tiny, 0.0, tiny]), 1.0);
        assert!(combine(DType::F32, Reducer::Max, &[1.0, f64::NAN, 3.0, 0.0, 7.0]).is_nan());
    }
}
