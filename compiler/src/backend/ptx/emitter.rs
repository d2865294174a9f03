//! Statements as instructions.
//!
//! A lanes loop is emitted for whole groups of iterations, one group after the other in each thread, and for what is left
//! over. Its last iterations are those of only some threads: loads, stores and registers of theirs have a condition, or all
//! is skipped. A loop with one iteration is no loop: its position becomes part of displacements.

use super::EmitError;
use super::address::{Counter, Frame};
use super::barriers::{Behind, barriers};
use super::entry::{Entered, Place};
use super::fragments::Tiles;
use super::operation::immediate;
use super::text::{Class, Reg, Text};
use crate::dtype::DType;
use crate::kernel::{Expression, Kernel, LoopId, LoopKind, Register, Statement, Var, extents, mark_varying};
use crate::nest::Index;
use crate::scalar::ScalarOp;
use std::ops::Range;

/// The most statements, counted once per group of iterations, that unrolling may make of a loop body.
const UNROLLED_STATEMENTS: usize = 256;

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
    Lanes(Together),
}

/// Iterations of a lanes loop that a thread runs together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Together {
    /// The loop.
    pub(super) id: usize,
    /// Which value of registers the first of them sees, counted in the thread.
    pub(super) first: usize,
    /// How many.
    pub(super) groups: usize,
    /// How many of them lie side by side.
    pub(super) neighbours: usize,
    /// From which of them on they are only those of threads for which this holds.
    pub(super) some: Option<(usize, Reg)>,
}

/// A register: one per iteration of a group that a thread has, and one for the further value or the only one.
pub(super) struct Slots {
    pub(super) lanes: Vec<Reg>,
    pub(super) single: Reg,
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
    /// Which of those are the same for all that lie side by side.
    pub(super) still: Vec<bool>,
    /// The extents of all loops.
    pub(super) extents: Vec<usize>,
    behind: Behind,
    /// Whether a loop around runs this place again.
    pub(super) repeats: bool,
    /// How many times values were folded through shared memory.
    pub(super) folds: usize,
    /// What block tiles are in.
    pub(super) tiles: Tiles,
}

impl<'a> Emitter<'a> {
    /// Writes a phase behind what is written; its block has this number.
    pub(super) fn new(kernel: &'a Kernel, entry: &Entered<'_>, block: Reg, mut text: Text) -> Emitter<'a> {
        let mut slots = Vec::with_capacity(kernel.registers.len());
        for register in &kernel.registers {
            let class = Class::of(register.dtype);
            let lanes = (0..register.groups).map(|_| text.reg(class)).collect();
            slots.push(Slots { lanes, single: text.reg(class) });
        }
        let tiles = Tiles::new(entry.whole, entry.threads, &mut text);
        Emitter {
            kernel,
            threads: entry.threads,
            text,
            places: entry.places.clone(),
            local: entry.local,
            thread: entry.thread,
            block,
            is_first: entry.is_first,
            held: vec![None; kernel.vars.len()],
            registers: slots,
            frames: vec![Frame::default()],
            phase: Phase::Outside,
            varying: vec![false; kernel.vars.len()],
            still: vec![false; kernel.vars.len()],
            extents: extents(kernel),
            behind: barriers(kernel, entry.whole, entry.threads),
            repeats: false,
            folds: 0,
            tiles,
        }
    }

    /// The statements of the phase; the text with them, and how many places values are folded through.
    pub(super) fn emit(mut self) -> Result<(Text, usize), EmitError> {
        self.statements(&self.kernel.body)?;
        self.text.line(format_args!("ret"));
        Ok((self.text, self.folds))
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
            Statement::Loop { id, extent, kind: LoopKind::Lanes { groups, neighbours }, body } => {
                let together = Together { id: id.0, first: 0, groups: *groups, neighbours: *neighbours, some: None };
                self.lanes_with_copies(together, *extent, body)
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

    pub(super) fn lanes(&mut self, together: Together, extent: usize, body: &[Statement]) -> Result<(), EmitError> {
        let Together { groups, neighbours, .. } = together;
        let (id, step) = (LoopId(together.id), groups * self.threads);
        let whole = extent - extent % step;
        let first = match neighbours {
            1 => self.thread,
            _ => self.text.set(Class::Word, "mul.lo.u32", format_args!("{}, {neighbours}", self.thread)),
        };
        self.phase = Phase::Lanes(together);
        mark_varying(self.kernel, id, body, &mut self.varying);
        match whole / step {
            0 => {}
            1 => self.iteration(id, Counter::Running { counter: first, offset: 0 }, body)?,
            _ => {
                self.prepare(body)?;
                self.turns(id, (first, whole), step, 1, body)?;
            }
        }
        if whole < extent {
            self.left_over(together, (first, whole), extent, body)?;
        }
        self.phase = Phase::Outside;
        Ok(())
    }

    /// The iterations from one on up to the extent: as many as there are for all threads, and one more for the first threads,
    /// together if that makes no loops twice.
    fn left_over(
        &mut self,
        together: Together,
        (first, begun): (Reg, usize),
        extent: usize,
        body: &[Statement],
    ) -> Result<(), EmitError> {
        let Together { id, neighbours, .. } = together;
        let step = self.threads * neighbours;
        let (turns, left) = ((extent - begun) / step * neighbours, (extent - begun) % step / neighbours);
        let at = |begun: usize| Counter::Running { counter: first, offset: begun as i64 };
        if left > 0 && turns > 0 && !body.iter().any(has_conditions_of_its_own) {
            let some = self.text.set(Class::Predicate, "setp.lt.u32", format_args!("{}, {left}", self.thread));
            self.phase = Phase::Lanes(Together { groups: turns + neighbours, some: Some((turns, some)), ..together });
            return self.iteration(LoopId(id), at(begun), body);
        }
        if turns > 0 {
            self.phase = Phase::Lanes(Together { groups: turns, ..together });
            self.iteration(LoopId(id), at(begun), body)?;
        }
        if left > 0 {
            self.phase = Phase::Lanes(Together { first: turns, groups: neighbours, ..together });
            let outside = self.text.label();
            let none = self.text.set(Class::Predicate, "setp.ge.u32", format_args!("{}, {left}", self.thread));
            self.text.line(format_args!("@{none} bra {outside}"));
            self.iteration(LoopId(id), at(begun + turns * self.threads), body)?;
            self.text.place(outside);
        }
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
        let groups = self.groups();
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
        let outer = std::mem::replace(&mut self.repeats, true);
        for copy in 0..unroll {
            self.iteration(id, Counter::Running { counter, offset: (copy * step) as i64 }, body)?;
        }
        self.repeats = outer;
        self.text.line(format_args!("add.u32 {counter}, {counter}, {}", step * unroll));
        let more = self.text.set(Class::Predicate, "setp.lt.u32", format_args!("{counter}, {end}"));
        self.text.line(format_args!("@{more} bra {head}"));
        Ok(())
    }

    /// The iterations that each thread runs together, in a lanes loop.
    pub(super) fn together(&self) -> Option<Together> {
        if let Phase::Lanes(together) = self.phase { Some(together) } else { None }
    }

    /// The condition in front of an instruction for one of the iterations that run together.
    pub(super) fn condition(&self, group: usize) -> String {
        if let Some(within) = self.tiles.within.get(group) {
            return format!("@{within} ");
        }
        match (self.phase, self.together().and_then(|together| together.some)) {
            (Phase::Outside, _) => format!("@{} ", self.is_first),
            (_, Some((from, some))) if group >= from => format!("@{some} "),
            _ => String::new(),
        }
    }

    /// How many iterations each thread runs together.
    pub(super) fn groups(&self) -> usize {
        self.together().map_or(1, |together| together.groups)
    }

    fn value(&mut self, var: Var, expression: &Expression) -> Result<Held, EmitError> {
        let lanes = self.varying[var.0].then(|| self.groups());
        self.still[var.0] = self.is_still(expression);
        match (expression, lanes) {
            (Expression::Constant(dtype, value), _) => Ok(Held::Constant(*dtype, *value)),
            (Expression::Index(index), None) => self.index_value(index, 0).map(Held::Single),
            (Expression::Index(index), Some(_)) => {
                self.lanes_of(var, &mut |emitter, group| emitter.index_value(index, group))
            }
            (Expression::Load { parameter, index }, None) => self.load(*parameter, index, 0).map(Held::Single),
            (Expression::Load { parameter, index }, Some(_)) => self.loads(*parameter, index).map(Held::Lanes),
            (Expression::Register(register), lanes) => Ok(self.read(*register, lanes)),
            (Expression::Combine(register, reducer), _) => self.combine(*register, *reducer).map(Held::Single),
            (Expression::Apply(op, operands), None) => self.apply(*op, operands, 0).map(Held::Single),
            (Expression::Apply(op, operands), Some(_)) => {
                self.lanes_of(var, &mut |emitter, group| emitter.apply(*op, operands, group))
            }
        }
    }

    /// The values of a variable for all iterations that run together; one for those that lie side by side, if it is the same.
    fn lanes_of(
        &mut self,
        var: Var,
        value: &mut dyn FnMut(&mut Self, usize) -> Result<Reg, EmitError>,
    ) -> Result<Held, EmitError> {
        let groups = self.groups();
        let same = self.together().filter(|_| self.still[var.0]).map_or(1, |together| together.neighbours);
        let mut values = Vec::with_capacity(groups);
        for group in (0..groups).step_by(same) {
            values.extend(vec![value(self, group)?; same]);
        }
        Ok(Held::Lanes(values))
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
            (Some(groups), Phase::Lanes(Together { first, .. })) => {
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
        if let (Phase::Lanes(Together { first, groups, .. }), 1..) = (self.phase, slots.len()) {
            (0..groups).for_each(|group| self.set(slots[first + group], var, group));
            return Ok(());
        }
        let single = self.registers[register.0].single;
        for slot in slots.into_iter().chain([single]) {
            let value = self.operand(var, 0);
            self.text.line(format_args!("mov.{} {slot}, {value}", slot.class.ty()));
        }
        Ok(())
    }

    fn set(&mut self, slot: Reg, var: Var, group: usize) {
        let (condition, value) = (self.condition(group), self.operand(var, group));
        self.text.line(format_args!("{condition}mov.{} {slot}, {value}", slot.class.ty()));
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

/// Whether a statement is no line of code that may stand behind one condition: a loop, or what has bounds.
fn has_conditions_of_its_own(statement: &Statement) -> bool {
    matches!(statement, Statement::Loop { .. } | Statement::Within { .. } | Statement::Copy(_))
}
