//! Statements as instructions.
//!
//! A lanes loop is emitted up to three times: for whole groups of iterations, one group after the other in each thread; for
//! what is left over as far as all threads have an iteration; and for the last iterations, which only some threads have. A
//! loop with one iteration is no loop: its position becomes part of displacements.

use super::EmitError;
use super::address::{Counter, Frame};
use super::barriers::{Behind, barriers};
use super::fragments::Tiles;
use super::operation::immediate;
use super::text::{Class, Reg, Text};
use crate::dtype::DType;
use crate::kernel::{
    Expression, Kernel, LoopId, LoopKind, Register, SHARED_BYTES, Statement, Usage, Var, extents, mark_varying,
};
use crate::nest::Index;
use crate::scalar::ScalarOp;
use std::fmt::Write;
use std::ops::Range;

/// The most statements, counted once per group of iterations, that unrolling may make of a loop body.
const UNROLLED_STATEMENTS: usize = 256;

/// What the memory of a block is called that a launch asks for.
pub(super) const DYNAMIC: &str = "dynamic";

/// From how many threads on a block with fragments may take so many registers that no other fits beside it.
const LARGE: usize = 256;

/// What a variable of the kernel is here.
#[derive(Clone, Debug)]
pub(super) enum Held {
    /// A number, written where it is used.
    Constant(DType, f64),
    /// One value, the same for all iterations of a thread.
    Single(Reg),
    /// One value per iteration that a thread runs together.
    Lanes(Vec<Reg>),
}

/// Which iterations of a lanes loop run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// None: no lanes loop is around.
    Outside,
    /// Some that each thread runs together.
    Lanes {
        /// The loop.
        id: usize,
        /// Which value of registers the first of them sees, counted in the thread.
        first: usize,
        /// How many.
        groups: usize,
    },
}

/// A register: one per iteration of a group that a thread has, and one for the further value or the only one.
pub(super) struct Slots {
    pub(super) lanes: Vec<Reg>,
    pub(super) single: Reg,
}

/// Where an array is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In the memory of the GPU, at an address.
    Global(Reg),
    /// In the memory of the block, so many bytes behind its start.
    Shared(usize),
}

/// Translates one phase of a kernel.
pub(super) struct Emitter<'a> {
    pub(super) kernel: &'a Kernel,
    pub(super) threads: usize,
    pub(super) text: Text,
    /// Where each parameter is.
    pub(super) places: Vec<Place>,
    /// Where the local arrays begin, in shared memory.
    pub(super) local: Reg,
    /// The number of the thread in its block.
    pub(super) thread: Reg,
    block: Reg,
    /// Whether this is the thread that stores what all compute alike.
    pub(super) is_first: Reg,
    /// The variables that are defined so far, and how many frames were open there.
    pub(super) held: Vec<Option<(Held, usize)>>,
    pub(super) registers: Vec<Slots>,
    pub(super) frames: Vec<Frame>,
    pub(super) phase: Phase,
    /// Which variables differ between the iterations that a thread runs together.
    pub(super) varying: Vec<bool>,
    /// The extents of all loops.
    pub(super) extents: Vec<usize>,
    behind: Behind,
    /// Whether values are folded through shared memory.
    pub(super) folds: bool,
    /// What block tiles are in.
    pub(super) tiles: Tiles,
}

impl<'a> Emitter<'a> {
    pub(super) fn new(kernel: &'a Kernel, threads: usize) -> Emitter<'a> {
        let mut text = Text::default();
        let thread = text.set(Class::Word, "mov.u32", format_args!("%tid.x"));
        let block = text.set(Class::Word, "mov.u32", format_args!("%ctaid.x"));
        let is_first = text.set(Class::Predicate, "setp.eq.u32", format_args!("{thread}, 0"));
        let places = places(kernel, &mut text);
        let local = match kernel.local_offsets().1 {
            0 => text.constant(DType::U32, 0.0),
            bytes => {
                let name = if bytes > SHARED_BYTES { DYNAMIC } else { "local" };
                text.set(Class::Word, "mov.u32", format_args!("{name}"))
            }
        };
        let mut slots = Vec::with_capacity(kernel.registers.len());
        for register in &kernel.registers {
            let class = Class::of(register.dtype);
            let lanes = (0..register.groups).map(|_| text.reg(class)).collect();
            slots.push(Slots { lanes, single: text.reg(class) });
        }
        let tiles = Tiles::new(kernel, threads, &mut text);
        Emitter {
            kernel,
            threads,
            text,
            places,
            local,
            thread,
            block,
            is_first,
            held: vec![None; kernel.vars.len()],
            registers: slots,
            frames: vec![Frame::default()],
            phase: Phase::Outside,
            varying: vec![false; kernel.vars.len()],
            extents: extents(kernel),
            behind: barriers(kernel, threads),
            folds: false,
            tiles,
        }
    }

    /// The function of this name.
    pub(super) fn emit(mut self, name: &str) -> Result<String, EmitError> {
        self.statements(&self.kernel.body)?;
        self.text.line(format_args!("ret"));
        let parameters: Vec<String> =
            (0..self.kernel.arguments().count()).map(|number| format!(".param .u64 a{number}")).collect();
        let mut function = format!("\n.visible .entry {name}({})\n", parameters.join(", "));
        let (local, threads) = (self.kernel.local_offsets().1, self.threads);
        let _ = writeln!(function, ".maxntid {threads}, 1, 1");
        if threads >= LARGE && self.copies_whole_tiles() {
            // Blocks hide each other's waiting; threads have half of the registers then, too few for bounds and to compute.
            function += ".minnctapersm 2\n";
        }
        function += "{\n";
        if (1..=SHARED_BYTES).contains(&local) {
            let _ = writeln!(function, "\t.shared .align 64 .b8 local[{local}];");
        }
        if self.folds {
            let _ = writeln!(function, "\t.shared .align 8 .b8 fold[{}];", threads * 8);
        }
        function += &self.text.finish();
        function += "}\n";
        Ok(function)
    }

    pub(super) fn barrier(&mut self) {
        self.text.line(format_args!("bar.sync 0"));
    }

    pub(super) fn statements(&mut self, statements: &[Statement]) -> Result<(), EmitError> {
        statements.iter().try_for_each(|statement| self.statement(statement))?;
        // The next part of a lanes loop defines its variables anew; what it prepares must not see those of this one.
        for statement in statements {
            if let Statement::Let(var, _) = statement {
                self.held[var.0] = None;
            }
        }
        Ok(())
    }

    fn statement(&mut self, statement: &Statement) -> Result<(), EmitError> {
        if self.behind.contains(&std::ptr::from_ref(statement)) {
            self.barrier();
        }
        match statement {
            Statement::Loop { id, extent, kind: LoopKind::Serial, body } => self.run(*id, 0..*extent, body),
            Statement::Loop { id, extent: 1, kind: LoopKind::Parallel, body } => {
                self.iteration(*id, Counter::Fixed(0), body)
            }
            Statement::Loop { id, kind: LoopKind::Parallel, body, .. } => {
                self.iteration(*id, Counter::Running { counter: self.block, offset: 0 }, body)
            }
            Statement::Loop { id, extent, kind: LoopKind::Lanes { groups }, body } => {
                self.lanes_with_copies(*id, *extent, *groups, body)
            }
            Statement::Loop { id, extent, kind: LoopKind::Staged { stages }, body } => {
                self.staged(*id, *extent, *stages, body)
            }
            Statement::Let(var, expression) => {
                let held = self.value(*var, expression)?;
                self.held[var.0] = Some((held, self.frames.len() - 1));
                Ok(())
            }
            Statement::Assign(register, var) => self.assign(*register, *var),
            Statement::Store { parameter, index, value } => self.store(*parameter, index, *value),
            Statement::Accumulate { parameter, index, value } => self.accumulate(*parameter, index, *value),
            Statement::Within { index, below, body } => self.bounded_statements(index, *below, body),
            Statement::Copy(copy) => self.copy(copy),
            Statement::Clear(fragment) => {
                self.clear(*fragment);
                Ok(())
            }
            Statement::Contract { fragment, left, right, depth } => {
                self.contract(*fragment, left, right, *depth);
                Ok(())
            }
            Statement::Unload { fragment, array } => self.unload(*fragment, *array),
        }
    }

    pub(super) fn lanes(
        &mut self,
        id: LoopId,
        extent: usize,
        groups: usize,
        body: &[Statement],
    ) -> Result<(), EmitError> {
        let step = groups * self.threads;
        let whole = extent - extent % step;
        self.phase = Phase::Lanes { id: id.0, first: 0, groups };
        mark_varying(self.kernel, id, body, &mut self.varying);
        match whole / step {
            0 => {}
            1 => self.iteration(id, Counter::Running { counter: self.thread, offset: 0 }, body)?,
            _ => {
                self.prepare(body)?;
                self.turns(id, (self.thread, whole), step, 1, body)?;
            }
        }
        let full = (extent - whole) / self.threads;
        if full > 0 {
            self.phase = Phase::Lanes { id: id.0, first: 0, groups: full };
            self.iteration(id, Counter::Running { counter: self.thread, offset: whole as i64 }, body)?;
        }
        let begun = whole + full * self.threads;
        if begun < extent {
            self.phase = Phase::Lanes { id: id.0, first: full, groups: 1 };
            self.some_threads(id, begun, extent, body)?;
        }
        self.phase = Phase::Outside;
        Ok(())
    }

    /// The iterations from one on up to the extent, one for each of the first threads.
    fn some_threads(&mut self, id: LoopId, first: usize, extent: usize, body: &[Statement]) -> Result<(), EmitError> {
        let (outside, thread) = (self.text.label(), self.thread);
        let none = self.text.set(Class::Predicate, "setp.ge.u32", format_args!("{thread}, {}", extent - first));
        self.text.line(format_args!("@{none} bra {outside}"));
        self.iteration(id, Counter::Running { counter: thread, offset: first as i64 }, body)?;
        self.text.place(outside);
        Ok(())
    }

    /// Runs a body at all positions of a serial loop, several at a time where that pays.
    fn run(&mut self, id: LoopId, at: Range<usize>, body: &[Statement]) -> Result<(), EmitError> {
        let unroll = self.unroll(body, at.len());
        let rest = at.end - at.len() % unroll;
        match (rest - at.start) / unroll {
            0 => {}
            1 => (at.start..rest).try_for_each(|position| self.iteration(id, Counter::Fixed(position as i64), body))?,
            _ => {
                self.prepare(body)?;
                let start = self.text.constant(DType::U32, at.start as f64);
                self.turns(id, (start, rest), 1, unroll, body)?;
            }
        }
        (rest..at.end).try_for_each(|position| self.iteration(id, Counter::Fixed(position as i64), body))
    }

    /// How many iterations to run together: what they load is then on its way at the same time.
    fn unroll(&self, body: &[Statement], iterations: usize) -> usize {
        let groups = if let Phase::Lanes { groups, .. } = self.phase { groups } else { 1 };
        let innermost = !body.iter().any(|statement| matches!(statement, Statement::Loop { .. }));
        let fits = |unroll: &usize| iterations >= *unroll && body.len() * groups * unroll <= UNROLLED_STATEMENTS;
        if innermost { [8, 4, 2].into_iter().find(fits).unwrap_or(1) } else { 1 }
    }

    pub(super) fn iteration(&mut self, id: LoopId, counter: Counter, body: &[Statement]) -> Result<(), EmitError> {
        self.frames.push(Frame::new(id.0, counter));
        self.statements(body)?;
        self.frames.pop();
        Ok(())
    }

    /// A loop whose counter begins at a register and ends before a position.
    fn turns(
        &mut self,
        id: LoopId,
        (start, end): (Reg, usize),
        step: usize,
        unroll: usize,
        body: &[Statement],
    ) -> Result<(), EmitError> {
        let counter = self.text.set(Class::Word, "mov.u32", format_args!("{start}"));
        let head = self.text.label();
        self.text.place(head);
        for copy in 0..unroll {
            self.iteration(id, Counter::Running { counter, offset: (copy * step) as i64 }, body)?;
        }
        self.text.line(format_args!("add.u32 {counter}, {counter}, {}", step * unroll));
        let more = self.text.set(Class::Predicate, "setp.lt.u32", format_args!("{counter}, {end}"));
        self.text.line(format_args!("@{more} bra {head}"));
        Ok(())
    }

    /// How many iterations each thread runs together.
    pub(super) fn groups(&self) -> usize {
        if let Phase::Lanes { groups, .. } = self.phase { groups } else { 1 }
    }

    fn value(&mut self, var: Var, expression: &Expression) -> Result<Held, EmitError> {
        let lanes = self.varying[var.0].then(|| self.groups());
        match (expression, lanes) {
            (Expression::Constant(dtype, value), _) => Ok(Held::Constant(*dtype, *value)),
            (Expression::Index(index), None) => self.index_value(index, 0).map(Held::Single),
            (Expression::Index(index), Some(groups)) => {
                (0..groups).map(|group| self.index_value(index, group)).collect::<Result<_, _>>().map(Held::Lanes)
            }
            (Expression::Load { parameter, index }, None) => self.load(*parameter, index, 0).map(Held::Single),
            (Expression::Load { parameter, index }, Some(groups)) => {
                let load = |group| self.load(*parameter, index, group);
                (0..groups).map(load).collect::<Result<_, _>>().map(Held::Lanes)
            }
            (Expression::Register(register), lanes) => Ok(self.read(*register, lanes)),
            (Expression::Combine(register, reducer), _) => self.combine(*register, *reducer).map(Held::Single),
            (Expression::Apply(op, operands), None) => self.apply(*op, operands, 0).map(Held::Single),
            (Expression::Apply(op, operands), Some(groups)) => {
                let apply = |group| self.apply(*op, operands, group);
                (0..groups).map(apply).collect::<Result<_, _>>().map(Held::Lanes)
            }
        }
    }

    /// A position as a value.
    fn index_value(&mut self, index: &Index, group: usize) -> Result<Reg, EmitError> {
        let number = self.number(index, group)?;
        Ok(self.text.set(Class::Word, "mov.b32", format_args!("{number}")))
    }

    fn apply(&mut self, op: ScalarOp, operands: &[Var], group: usize) -> Result<Reg, EmitError> {
        // The operands of a select have the type of its second one; its condition is a bool always.
        let dtype = self.kernel.vars[operands[operands.len().min(2) - 1].0];
        let single = operands.len() == 1;
        let operand =
            |&var: &Var| if single { self.register(var, group).to_string() } else { self.operand(var, group) };
        let operands: Vec<String> = operands.iter().map(operand).collect();
        self.text.apply(op, dtype, &operands)
    }

    /// What registers hold now; they may hold something else before the value is used.
    fn read(&mut self, register: Register, lanes: Option<usize>) -> Held {
        let copy = |emitter: &mut Self, from: Reg| {
            emitter.text.set(from.class, &format!("mov.{}", from.class.ty()), format_args!("{from}"))
        };
        match (lanes, self.phase) {
            (Some(groups), Phase::Lanes { first, .. }) => {
                let slots = self.registers[register.0].lanes[first..first + groups].to_vec();
                Held::Lanes(slots.into_iter().map(|slot| copy(self, slot)).collect())
            }
            _ => {
                let slot = self.registers[register.0].single;
                Held::Single(copy(self, slot))
            }
        }
    }

    fn assign(&mut self, register: Register, var: Var) -> Result<(), EmitError> {
        let slots = self.registers[register.0].lanes.clone();
        if let (Phase::Lanes { first, groups, .. }, 1..) = (self.phase, slots.len()) {
            (0..groups).for_each(|group| self.set(slots[first + group], var, group));
            return Ok(());
        }
        let single = self.registers[register.0].single;
        slots.into_iter().chain([single]).for_each(|slot| self.set(slot, var, 0));
        Ok(())
    }

    fn set(&mut self, slot: Reg, var: Var, group: usize) {
        let value = self.operand(var, group);
        self.text.line(format_args!("mov.{} {slot}, {value}", slot.class.ty()));
    }

    /// What a variable is for an iteration, as an operand of an instruction.
    pub(super) fn operand(&mut self, var: Var, group: usize) -> String {
        match self.held[var.0] {
            Some((Held::Constant(dtype, value), _)) if dtype != DType::Bool => immediate(dtype, value),
            _ => self.register(var, group).to_string(),
        }
    }

    /// The same in a register.
    pub(super) fn register(&mut self, var: Var, group: usize) -> Reg {
        match &self.held[var.0] {
            Some((Held::Constant(dtype, value), _)) => self.text.constant(*dtype, *value),
            Some((Held::Single(reg), _)) => *reg,
            Some((Held::Lanes(regs), _)) => regs[group],
            None => panic!("v{} is defined before it is used", var.0),
        }
    }
}

/// Where each parameter is: local ones in shared memory, all others at an address that is an argument.
fn places(kernel: &Kernel, text: &mut Text) -> Vec<Place> {
    let (offsets, _) = kernel.local_offsets();
    let mut arguments = 0..;
    let place = |(parameter, offset): (&crate::kernel::Parameter, Option<usize>)| match (parameter.usage, offset) {
        (Usage::Local, Some(offset)) => Place::Shared(offset),
        _ => {
            let number = arguments.next().expect("numbers do not end");
            let generic = text.set(Class::Long, "ld.param.u64", format_args!("[a{number}]"));
            Place::Global(text.set(Class::Long, "cvta.to.global.u64", format_args!("{generic}")))
        }
    };
    kernel.parameters.iter().zip(offsets).map(place).collect()
}
