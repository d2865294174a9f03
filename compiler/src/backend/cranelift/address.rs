//! Where loads and stores go: positions taken apart by loop.
//!
//! A position is a sum over loop counters, a constant, and what has to be computed (quotients, remainders, gathered
//! elements). Each running loop carries one counter in bytes per distinct stride, so that an address is a pointer that does
//! not change in the innermost loop, plus a counter, plus a displacement: one addressing mode. [`prepare`] computes before a
//! loop whatever does not change in it, quotients and remainders of the loops around it among them.

use super::EmitError;
use super::emitter::{Emitter, Held, Phase};
use super::operation::Width;
use crate::dtype::DType;
use crate::kernel::{Expression, LoopId, ParameterId, Statement, Var, varies};
use crate::nest::{Atom, Index};
use cranelift_codegen::ir::{InstBuilder, Value, types};
use rustc_hash::FxHashMap;

/// A loop around the place that is emitted; the function itself is the outermost one.
#[derive(Default)]
pub(super) struct Frame {
    /// The loop and where it is; `None` for the function.
    pub(super) counter: Option<(usize, Counter)>,
    /// Pointers: a parameter plus so many steps.
    pointers: FxHashMap<(usize, Vec<Step>), Value>,
    /// Atoms of indices, for one lane of the group.
    atoms: FxHashMap<(Atom, usize), Value>,
    /// Parts of variables whose lanes are indices, counted from the first of all groups.
    pub(super) parts: FxHashMap<(Var, usize), Value>,
    /// Single values in all lanes.
    pub(super) splats: FxHashMap<Var, Value>,
    /// The number that was in all lanes last: comparing with it and choosing it is then one instruction.
    pub(super) last_constant: Option<(Var, Value)>,
}

impl Frame {
    /// The frame of a loop.
    pub(super) fn new(id: usize, counter: Counter) -> Frame {
        Frame { counter: Some((id, counter)), ..Frame::default() }
    }
}

/// Where a loop is.
pub(super) enum Counter {
    /// In its only iteration.
    Fixed(i64),
    /// Anywhere.
    Running {
        /// The position of the first of the iterations that run together, times each of some strides.
        counters: Vec<(i64, Value)>,
        /// How far this iteration is behind the first.
        offset: i64,
    },
}

/// What an address grows by, in bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Step {
    /// A running loop's counter times a stride.
    Counter(usize, i64),
    /// A number, the same in all lanes, times a factor.
    Number(Atom, i64),
}

/// An access to an array.
pub(super) type Access<'a> = (ParameterId, &'a Index);

impl Emitter<'_, '_> {
    /// The address of an element: a pointer and a displacement in bytes. `lane` counts from the first iteration of the group.
    pub(super) fn address(&mut self, access: Access<'_>, lane: usize) -> Result<(Value, i32), EmitError> {
        let (ParameterId(parameter), index) = access;
        let size = self.kernel.parameters[parameter].dtype.size() as i64;
        let mut displacement = index.offset;
        for term in &index.terms {
            if let Atom::Axis(id) = term.atom {
                displacement += term.coefficient * (self.known_part(id) + self.lane_offset(id, lane));
            }
        }
        let steps = self.steps(index, size);
        let mut pointer = self.pointer(parameter, &steps);
        for term in index.terms.iter().filter(|term| !matches!(term.atom, Atom::Axis(_))) {
            if self.since(&term.atom).is_some() {
                continue;
            }
            let atom = self.atom(&term.atom, lane);
            let bytes = self.scaled(atom, term.coefficient * size);
            pointer = self.builder.ins().iadd(pointer, bytes);
        }
        let displacement = i32::try_from(displacement * size);
        displacement.map(|bytes| (pointer, bytes)).map_err(|_| EmitError::TooLarge(self.kernel.name.clone()))
    }

    /// The value of an index as 64 bits, for one lane of the group.
    pub(super) fn number(&mut self, index: &Index, lane: usize) -> Value {
        let mut sum: Option<Value> = None;
        for term in &index.terms {
            let atom = self.atom(&term.atom, lane);
            let product = self.scaled(atom, term.coefficient);
            sum = Some(match sum {
                Some(sum) => self.builder.ins().iadd(sum, product),
                None => product,
            });
        }
        match (sum, index.offset) {
            (Some(sum), 0) => sum,
            (Some(sum), offset) => self.builder.ins().iadd_imm_s(sum, offset),
            (None, offset) => self.builder.ins().iconst(types::I64, offset),
        }
    }

    /// Whether the index differs between the lanes of the group that runs, by itself or by what it gathers.
    pub(super) fn varies(&self, index: &Index) -> bool {
        matches!(self.phase, Phase::Lanes { id, .. } if varies(index, LoopId(id), &self.varying))
    }

    /// Whether neighbouring lanes access neighbouring elements.
    pub(super) fn contiguous(&self, index: &Index) -> bool {
        let Phase::Lanes { id, .. } = self.phase else { return false };
        let gathered = index.any(&mut |atom| matches!(atom, Atom::Gathered { read, .. } if self.varying[*read]));
        !gathered && index.stride(id) == Some(1)
    }

    /// Computes what accesses in the body of a loop need and what is known before the loop starts.
    pub(super) fn prepare(&mut self, body: &[Statement]) {
        let mut accesses = Vec::new();
        let mut indices = Vec::new();
        collect(body, &mut accesses, &mut indices);
        for (ParameterId(parameter), index) in accesses {
            let size = self.kernel.parameters[parameter].dtype.size() as i64;
            let steps = self.steps(index, size);
            self.pointer(parameter, &steps);
            indices.push(index);
        }
        for atom in indices.iter().flat_map(|index| &index.terms).map(|term| &term.atom) {
            let computed = !matches!(atom, Atom::Axis(_));
            if computed && self.is_known(atom) && !self.varies(&Index::atom(atom.clone())) {
                self.atom(atom, 0);
            }
        }
    }

    /// The strides that a loop needs counters for: in bytes for accesses, 1 where its position itself is computed with.
    pub(super) fn strides(&self, id: usize, body: &[Statement]) -> Vec<i64> {
        let mut accesses = Vec::new();
        let mut indices = Vec::new();
        collect(body, &mut accesses, &mut indices);
        let mut strides = Vec::new();
        for (ParameterId(parameter), index) in accesses {
            let size = self.kernel.parameters[parameter].dtype.size() as i64;
            strides.extend(index.terms.iter().filter(|term| term.atom == Atom::Axis(id)).map(|t| t.coefficient * size));
            if index.terms.iter().any(|term| computes(&term.atom, id)) {
                strides.push(1);
            }
        }
        if indices.iter().any(|index| index.uses(id)) {
            strides.push(1);
        }
        strides.sort_unstable();
        strides.dedup();
        strides
    }

    /// What a position is made of that is known here and the same in all lanes, in bytes: what is known in outer loops first.
    fn steps(&self, index: &Index, size: i64) -> Vec<Step> {
        let mut steps = Vec::new();
        for term in &index.terms {
            let bytes = term.coefficient * size;
            match term.atom {
                Atom::Axis(id) if self.runs(id) => steps.push((self.frame_of(id), Step::Counter(id, bytes))),
                Atom::Axis(_) => {}
                _ => steps.extend(self.since(&term.atom).map(|frame| (frame, Step::Number(term.atom.clone(), bytes)))),
            }
        }
        // Terms are sorted by atom, and a stable sort keeps those of one frame so.
        steps.sort_by_key(|&(frame, _)| frame);
        steps.into_iter().map(|(_, step)| step).collect()
    }

    /// The innermost frame that a quotient, remainder or clamped index takes, if it is known here and the same in all lanes.
    fn since(&self, atom: &Atom) -> Option<usize> {
        let inner = atom.inner().filter(|inner| self.is_known(atom) && !self.varies(inner))?;
        let (mut innermost, mut gathers) = (0, false);
        inner.any(&mut |atom| {
            match atom {
                Atom::Axis(id) => innermost = innermost.max(self.frame_of(*id)),
                Atom::Gathered { .. } => gathers = true,
                Atom::Quotient(..) | Atom::Remainder(..) | Atom::Clamped(..) => {}
            }
            false
        });
        (!gathers).then_some(innermost)
    }

    /// The frame of a loop that is entered.
    fn frame_of(&self, id: usize) -> usize {
        let frame = self.frames.iter().position(|frame| matches!(frame.counter, Some((other, _)) if other == id));
        frame.expect("positions use loops around them")
    }

    /// The pointer to the first element of a parameter plus these steps.
    fn pointer(&mut self, parameter: usize, steps: &[Step]) -> Value {
        let Some((step, outer)) = steps.split_last() else { return self.parameters[parameter] };
        let key = (parameter, steps.to_vec());
        if let Some(pointer) = self.frames.iter().find_map(|frame| frame.pointers.get(&key)) {
            return *pointer;
        }
        let outer = self.pointer(parameter, outer);
        let bytes = match step {
            Step::Counter(id, stride) => self.counter(*id, *stride),
            Step::Number(atom, bytes) => {
                let number = self.atom(atom, 0);
                self.scaled(number, *bytes)
            }
        };
        let pointer = self.builder.ins().iadd(outer, bytes);
        self.frame().pointers.insert(key, pointer);
        pointer
    }

    /// The position of a running loop times a stride.
    fn counter(&self, id: usize, stride: i64) -> Value {
        let found = self.frames.iter().find_map(|frame| match &frame.counter {
            Some((other, Counter::Running { counters, .. })) if *other == id => {
                counters.iter().find(|(other, _)| *other == stride)
            }
            _ => None,
        });
        found.expect("a loop carries a counter for each stride in its body").1
    }

    /// What is known of the position of a loop: all of it, or how far this iteration is behind the first.
    fn known_part(&self, id: usize) -> i64 {
        let part = self.frames.iter().find_map(|frame| match &frame.counter {
            Some((other, Counter::Fixed(position))) if *other == id => Some(*position),
            Some((other, Counter::Running { offset, .. })) if *other == id => Some(*offset),
            _ => None,
        });
        part.expect("positions use loops around them")
    }

    fn runs(&self, id: usize) -> bool {
        let running = |frame: &Frame| matches!(&frame.counter, Some((other, Counter::Running { .. })) if *other == id);
        self.frames.iter().any(running)
    }

    fn lane_offset(&self, id: usize, lane: usize) -> i64 {
        match self.phase {
            Phase::Lanes { id: lanes, .. } if lanes == id => lane as i64,
            _ => 0,
        }
    }

    /// Whether everything in an atom is known here.
    fn is_known(&self, atom: &Atom) -> bool {
        match atom {
            Atom::Axis(id) => self.frames.iter().any(|frame| matches!(&frame.counter, Some((other, _)) if other == id)),
            Atom::Gathered { read, .. } => self.held[*read].is_some(),
            Atom::Quotient(inner, _) | Atom::Remainder(inner, _) | Atom::Clamped(inner, _) => {
                inner.terms.iter().all(|term| self.is_known(&term.atom))
            }
        }
    }

    fn atom(&mut self, atom: &Atom, lane: usize) -> Value {
        let lane = if self.varies(&Index::atom(atom.clone())) { lane } else { 0 };
        let key = (atom.clone(), lane);
        if let Some(value) = self.frames.iter().find_map(|frame| frame.atoms.get(&key)) {
            return *value;
        }
        let value = match atom {
            Atom::Axis(id) => {
                let known = self.known_part(*id) + self.lane_offset(*id, lane);
                match (self.runs(*id), known) {
                    (false, position) => self.builder.ins().iconst(types::I64, position),
                    (true, 0) => self.counter(*id, 1),
                    (true, offset) => {
                        let counter = self.counter(*id, 1);
                        self.builder.ins().iadd_imm_s(counter, offset)
                    }
                }
            }
            Atom::Quotient(inner, by) => self.quotient(inner, *by, lane),
            Atom::Remainder(inner, by) => self.remainder(inner, *by, lane),
            Atom::Clamped(inner, bound) => self.clamped(inner, *bound, lane),
            Atom::Gathered { read, bound } => self.gathered(Var(*read), *bound, lane),
        };
        self.frame().atoms.insert(key, value);
        value
    }

    fn remainder(&mut self, inner: &Index, by: i64, lane: usize) -> Value {
        let number = self.number(inner, lane);
        if by & (by - 1) == 0 {
            return self.builder.ins().band_imm_s(number, by - 1);
        }
        let quotient = self.atom(&Atom::Quotient(Box::new(inner.clone()), by), lane);
        let whole = self.scaled(quotient, by);
        self.builder.ins().isub(number, whole)
    }

    /// Floor division of a number that is not negative: a shift, a multiplication and a shift, or, of numbers from 2^31 on, a
    /// division.
    fn quotient(&mut self, inner: &Index, by: i64, lane: usize) -> Value {
        let number = self.number(inner, lane);
        let high = inner.range(&self.extents).1;
        let shift = 64 - (by - 1).leading_zeros();
        if by & (by - 1) == 0 {
            self.builder.ins().ushr_imm_u(number, i64::from(by.trailing_zeros()))
        } else if high < 1 << 31 && by < 1 << 31 {
            // With m = ceil(2^(31 + shift) / by), the product is below 2^63, and its upper bits are the quotient.
            let multiplier = ((1i128 << (31 + shift)) + i128::from(by) - 1) / i128::from(by);
            let product = self.builder.ins().imul_imm_s(number, multiplier as i64);
            self.builder.ins().ushr_imm_u(product, i64::from(31 + shift))
        } else {
            let divisor = self.builder.ins().iconst(types::I64, by);
            self.builder.ins().udiv(number, divisor)
        }
    }

    /// The number in `0..bound` that is nearest to an index.
    fn clamped(&mut self, inner: &Index, bound: i64, lane: usize) -> Value {
        let mut number = self.number(inner, lane);
        let (low, high) = inner.range(&self.extents);
        if low < 0 {
            let zero = self.builder.ins().iconst(types::I64, 0);
            number = self.builder.ins().smax(number, zero);
        }
        if high >= bound {
            let most = self.builder.ins().iconst(types::I64, bound - 1);
            number = self.builder.ins().smin(number, most);
        }
        number
    }

    /// The element that a variable holds in a lane, clamped to `0..bound`.
    fn gathered(&mut self, var: Var, bound: usize, lane: usize) -> Value {
        let dtype = self.kernel.vars[var.0];
        let element = match &self.held[var.0] {
            Some(Held::Lanes(_)) => self.element_of(var, lane),
            _ => self.single(var).expect("a verified kernel gathers integers"),
        };
        let most = self.builder.ins().iconst(types::I64, (bound as i64 - 1).max(0));
        if matches!(dtype, DType::I32 | DType::I64) {
            let wide = if dtype == DType::I64 { element } else { self.builder.ins().sextend(types::I64, element) };
            let zero = self.builder.ins().iconst(types::I64, 0);
            let positive = self.builder.ins().smax(wide, zero);
            self.builder.ins().smin(positive, most)
        } else {
            let wide = self.builder.ins().uextend(types::I64, element);
            self.builder.ins().umin(wide, most)
        }
    }

    fn scaled(&mut self, x: Value, factor: i64) -> Value {
        match factor {
            1 => x,
            _ if factor > 0 && factor & (factor - 1) == 0 => {
                self.builder.ins().ishl_imm_u(x, i64::from(factor.trailing_zeros()))
            }
            _ => self.builder.ins().imul_imm_s(x, factor),
        }
    }

    pub(super) fn frame(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("the frame of the function stays")
    }

    /// The width of what runs here.
    pub(super) fn width(&self) -> Width {
        match self.phase {
            Phase::Lanes { .. } => Width::Lanes,
            Phase::Outside | Phase::Single => Width::Single,
        }
    }
}

/// Whether an atom divides or clamps what a loop's position is part of.
fn computes(atom: &Atom, id: usize) -> bool {
    atom.inner().is_some_and(|inner| inner.uses(id))
}

/// All accesses of statements, and all indices that are values.
pub(super) fn collect<'a>(statements: &'a [Statement], accesses: &mut Vec<Access<'a>>, indices: &mut Vec<&'a Index>) {
    for statement in statements {
        match statement {
            Statement::Loop { body, .. } => collect(body, accesses, indices),
            Statement::Let(_, Expression::Load { parameter, index })
            | Statement::Store { parameter, index, .. }
            | Statement::Accumulate { parameter, index, .. } => {
                accesses.push((*parameter, index));
            }
            Statement::Let(_, Expression::Index(index)) => indices.push(index),
            _ => {}
        }
    }
}
