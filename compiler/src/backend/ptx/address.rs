//! Where loads and stores go: positions taken apart by loop.
//!
//! A position is a sum over loop counters, a constant, and what has to be computed (quotients, remainders, gathered
//! elements). The pointer of an access grows from the outside in: each term is added where it is known, and the constant is
//! a displacement. What does not change in a loop is added before it, by [`Emitter::prepare`]. Positions are integers of 32
//! bits, addresses in the memory of the GPU of 64, in that of a block of 32.

use super::EmitError;
use super::emitter::{Emitter, Held, Together};
use super::entry::Place;
use super::text::{Class, Reg};
use crate::dtype::DType;
use crate::kernel::{Expression, LoopId, ParameterId, Statement, Var, varies};
use crate::nest::{Atom, Index};
use std::collections::HashMap;

/// A loop around the place that is emitted; the function itself is the outermost one.
#[derive(Default)]
pub(super) struct Frame {
    /// The loop and where it is; `None` for the function.
    counter: Option<(usize, Counter)>,
    /// Pointers: a parameter plus terms.
    pointers: HashMap<(usize, Vec<Part>), Reg>,
    /// Numbers that atoms are, by the iteration of the group.
    atoms: HashMap<(Atom, usize), Reg>,
}

impl Frame {
    /// The frame of a loop.
    pub(super) fn new(id: usize, counter: Counter) -> Frame {
        Frame { counter: Some((id, counter)), ..Frame::default() }
    }
}

/// Where a loop is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Counter {
    /// At a position.
    Fixed(i64),
    /// So far behind a counter.
    Running {
        /// The counter.
        counter: Reg,
        /// How far.
        offset: i64,
    },
}

/// A summand of an address that is not constant: an atom, the iteration that it is for, and how many bytes it counts.
type Part = (Atom, usize, i64);

/// An access to an array.
type Access<'a> = (ParameterId, &'a Index);

impl Emitter<'_> {
    /// The address of an element, for an iteration of the group that a thread runs together.
    pub(super) fn address(&mut self, access: Access<'_>, group: usize) -> Result<String, EmitError> {
        let (parameter, index) = access;
        let size = self.size(parameter);
        let index = &self.laid(parameter, index);
        let (parts, constant) = self.parts(index, size, group);
        let mut pointer = self.pointer(parameter.0, &parts)?;
        let mut displacement = constant * size;
        match self.places[parameter.0] {
            Place::Shared(offset) => {
                displacement += offset as i64;
                pointer = self.staged_address(parameter, pointer);
            }
            Place::Global(_) if i32::try_from(displacement).is_err() => {
                pointer = self.text.set(Class::Long, "add.s64", format_args!("{pointer}, {displacement}"));
                displacement = 0;
            }
            Place::Global(_) => {}
        }
        Ok(if displacement == 0 { pointer.to_string() } else { format!("{pointer}+{displacement}") })
    }

    /// The value of an index, as an operand of an instruction.
    pub(super) fn number(&mut self, index: &Index, group: usize) -> Result<String, EmitError> {
        self.fits(index)?;
        let (parts, constant) = self.parts(index, 1, group);
        let mut sum = if parts.is_empty() || constant != 0 { Some(constant.to_string()) } else { None };
        for part in &parts {
            let atom = self.atom(&part.0, part.1)?;
            sum = Some(match (sum, part.2) {
                (None, 1) => atom.to_string(),
                (None, factor) => {
                    self.text.set(Class::Word, "mul.lo.s32", format_args!("{atom}, {factor}")).to_string()
                }
                (Some(sum), 1) => self.text.set(Class::Word, "add.s32", format_args!("{atom}, {sum}")).to_string(),
                (Some(sum), factor) => {
                    self.text.set(Class::Word, "mad.lo.s32", format_args!("{atom}, {factor}, {sum}")).to_string()
                }
            });
        }
        Ok(sum.expect("without parts there is a constant"))
    }

    /// Whether the index differs between the iterations of the lanes loop that runs, by itself or by what it gathers.
    pub(super) fn varies(&self, index: &Index) -> bool {
        self.together().is_some_and(|together| varies(index, LoopId(together.id), &self.varying))
    }

    /// Computes what accesses in the body of a loop need and what is known before the loop starts.
    pub(super) fn prepare(&mut self, body: &[Statement]) -> Result<(), EmitError> {
        let (mut accesses, mut indices) = (Vec::new(), Vec::new());
        collect(body, &mut accesses, &mut indices);
        for (parameter, index) in accesses {
            let known = self.known(&self.laid(parameter, index));
            let groups = if known.terms.is_empty() { 0 } else { self.groups() };
            for group in (0..groups).step_by(self.beside(parameter, index).count()) {
                let (parts, _) = self.parts(&known, self.size(parameter), group);
                self.pointer(parameter.0, &parts)?;
            }
        }
        for index in indices {
            let known = self.known(index);
            for group in 0..self.groups() {
                let (parts, _) = self.parts(&known, 1, group);
                parts.iter().try_for_each(|part| self.atom(&part.0, part.1).map(|_| ()))?;
            }
        }
        Ok(())
    }

    /// What of a position is known here.
    fn known(&self, index: &Index) -> Index {
        let mut known = index.clone();
        known.terms.retain(|term| self.depth(&term.atom).is_some());
        known
    }

    /// The parts of a position that change, in the order in which they get known, and its constant part.
    fn parts(&self, index: &Index, size: i64, group: usize) -> (Vec<Part>, i64) {
        let mut constant = index.offset;
        let mut parts: Vec<(usize, Part)> = Vec::new();
        for term in &index.terms {
            let bytes = term.coefficient * size;
            let varies = self.varies(&Index::atom(term.atom.clone()));
            let mut part = (term.atom.clone(), if varies { group } else { 0 }, bytes);
            if let Atom::Axis(id) = term.atom {
                constant += term.coefficient * (self.known_part(id) + self.group_offset(id, group));
                part.1 = 0;
                if !self.runs(id) {
                    continue;
                }
            }
            parts.push((self.depth(&term.atom).unwrap_or(usize::MAX), part));
        }
        parts.sort_by_key(|(depth, _)| *depth);
        (parts.into_iter().map(|(_, part)| part).collect(), constant)
    }

    /// The pointer to the first element of a parameter plus these parts.
    fn pointer(&mut self, parameter: usize, parts: &[Part]) -> Result<Reg, EmitError> {
        let Some((part, outer)) = parts.split_last() else {
            return Ok(match self.places[parameter] {
                Place::Global(address) => address,
                Place::Shared(_) => self.local,
            });
        };
        let key = (parameter, parts.to_vec());
        if let Some(pointer) = self.frames.iter().find_map(|frame| frame.pointers.get(&key)) {
            return Ok(*pointer);
        }
        let outer = self.pointer(parameter, outer)?;
        let (atom, bytes) = (self.atom(&part.0, part.1)?, part.2);
        let pointer = match (self.places[parameter], i32::try_from(bytes)) {
            (Place::Shared(_), _) => self.text.set(Class::Word, "mad.lo.s32", format_args!("{atom}, {bytes}, {outer}")),
            (Place::Global(_), Ok(_)) => {
                self.text.set(Class::Long, "mad.wide.s32", format_args!("{atom}, {bytes}, {outer}"))
            }
            (Place::Global(_), Err(_)) => {
                let wide = self.text.set(Class::Long, "cvt.s64.s32", format_args!("{atom}"));
                self.text.set(Class::Long, "mad.lo.s64", format_args!("{wide}, {bytes}, {outer}"))
            }
        };
        self.frame().pointers.insert(key, pointer);
        Ok(pointer)
    }

    /// The number that an atom is; of a loop that runs, its counter.
    fn atom(&mut self, atom: &Atom, group: usize) -> Result<Reg, EmitError> {
        if let Atom::Axis(id) = atom {
            return Ok(self.counter(*id).expect("what does not run is constant"));
        }
        let key = (atom.clone(), group);
        if let Some(value) = self.frames.iter().find_map(|frame| frame.atoms.get(&key)) {
            return Ok(*value);
        }
        let value = match atom {
            Atom::Axis(_) => unreachable!("counters are found above"),
            Atom::Quotient(inner, by) => {
                let number = self.number(inner, group)?;
                self.text.set(Class::Word, "div.u32", format_args!("{number}, {}", self.divisor(*by)?))
            }
            Atom::Remainder(inner, by) => self.remainder(inner, *by, group)?,
            Atom::Clamped(inner, bound) => {
                let number = self.number(inner, group)?;
                self.within(number, inner.range(&self.extents), (bound - 1).max(0))
            }
            Atom::Gathered { read, bound } => self.gathered(Var(*read), *bound, group)?,
        };
        self.frame().atoms.insert(key, value);
        Ok(value)
    }

    /// The nearest number in `0..=most` to one that is in a range.
    fn within(&mut self, number: String, (low, high): (i64, i64), most: i64) -> Reg {
        let text = &mut self.text;
        match (low < 0, high > most) {
            (true, true) => text.clamped(DType::I32, &number, [0, most]),
            (true, false) => text.set(Class::Word, "max.s32", format_args!("{number}, 0")),
            (false, true) => text.set(Class::Word, "min.s32", format_args!("{number}, {most}")),
            (false, false) => text.set(Class::Word, "mov.b32", format_args!("{number}")),
        }
    }

    fn remainder(&mut self, inner: &Index, by: i64, group: usize) -> Result<Reg, EmitError> {
        let divisor = self.divisor(by)?;
        let number = self.number(inner, group)?;
        if divisor.is_power_of_two() {
            return Ok(self.text.set(Class::Word, "and.b32", format_args!("{number}, {}", divisor - 1)));
        }
        let quotient = self.atom(&Atom::Quotient(Box::new(inner.clone()), by), group)?;
        Ok(self.text.set(Class::Word, "mad.lo.s32", format_args!("{quotient}, {}, {number}", -by)))
    }

    /// The element that a variable holds, clamped to `0..bound`.
    fn gathered(&mut self, var: Var, bound: usize, group: usize) -> Result<Reg, EmitError> {
        let most = (bound as i64 - 1).max(0);
        i32::try_from(most).map_err(|_| self.too_large())?;
        let element = self.register(var, group);
        Ok(match self.kernel.vars[var.0] {
            DType::I32 => self.text.clamped(DType::I32, &element.to_string(), [0, most]),
            DType::I64 => {
                let within = self.text.clamped(DType::I64, &element.to_string(), [0, most]);
                self.text.set(Class::Word, "cvt.u32.u64", format_args!("{within}"))
            }
            _ => self.text.set(Class::Word, "min.u32", format_args!("{element}, {most}")),
        })
    }

    /// How many frames are open where an atom is known; `None` if it is not known yet.
    fn depth(&self, atom: &Atom) -> Option<usize> {
        match atom {
            Atom::Axis(id) => {
                self.frames.iter().position(|frame| matches!(&frame.counter, Some((other, _)) if other == id))
            }
            Atom::Gathered { read, .. } => self.held[*read].as_ref().map(|(held, depth)| match held {
                Held::Constant(..) => 0,
                Held::Single(_) | Held::Lanes(_) => *depth,
            }),
            Atom::Quotient(inner, _) | Atom::Remainder(inner, _) | Atom::Clamped(inner, _) => {
                let depths = inner.terms.iter().map(|term| self.depth(&term.atom));
                depths.collect::<Option<Vec<_>>>().map(|depths| depths.into_iter().max().unwrap_or(0))
            }
        }
    }

    fn place_of(&self, id: usize) -> Option<Counter> {
        let counters = self.frames.iter().filter_map(|frame| frame.counter);
        counters.into_iter().find(|(other, _)| *other == id).map(|(_, counter)| counter)
    }

    fn counter(&self, id: usize) -> Option<Reg> {
        match self.place_of(id) {
            Some(Counter::Running { counter, .. }) => Some(counter),
            _ => None,
        }
    }

    /// What is known of the position of a loop: all of it, or how far this iteration is behind the counter.
    fn known_part(&self, id: usize) -> i64 {
        match self.place_of(id) {
            Some(Counter::Fixed(position)) => position,
            Some(Counter::Running { offset, .. }) => offset,
            None => panic!("positions use loops around them"),
        }
    }

    fn runs(&self, id: usize) -> bool {
        self.counter(id).is_some()
    }

    fn group_offset(&self, id: usize, group: usize) -> i64 {
        match self.together() {
            Some(Together { id: lanes, neighbours, .. }) if lanes == id => {
                (group % neighbours + group / neighbours * neighbours * self.threads) as i64
            }
            _ => 0,
        }
    }

    /// Whether a position, and so all that is computed on the way modulo 2^32, fits 32 bits.
    fn fits(&self, index: &Index) -> Result<(), EmitError> {
        let (low, high) = index.range(&self.extents);
        match i32::try_from(low).is_ok() && i32::try_from(high).is_ok() {
            true => Ok(()),
            false => Err(self.too_large()),
        }
    }

    fn divisor(&self, by: i64) -> Result<u32, EmitError> {
        u32::try_from(by).map_err(|_| self.too_large())
    }

    fn too_large(&self) -> EmitError {
        EmitError::TooLarge(self.kernel.name.clone())
    }

    fn size(&self, parameter: ParameterId) -> i64 {
        self.kernel.parameters[parameter.0].dtype.size() as i64
    }

    fn frame(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("the frame of the function stays")
    }
}

/// All accesses of statements, and all indices that are values.
fn collect<'a>(statements: &'a [Statement], accesses: &mut Vec<Access<'a>>, indices: &mut Vec<&'a Index>) {
    for statement in statements {
        match statement {
            Statement::Loop { body, .. } => collect(body, accesses, indices),
            Statement::Within { index, body, .. } => {
                indices.push(index);
                collect(body, accesses, indices);
            }
            Statement::Copy(copy) => accesses.extend([(copy.from, &copy.source), (copy.to, &copy.index)]),
            Statement::Let(_, Expression::Load { parameter, index })
            | Statement::Store { parameter, index, .. }
            | Statement::Accumulate { parameter, index, .. } => accesses.push((*parameter, index)),
            Statement::Let(_, Expression::Index(index)) => indices.push(index),
            _ => {}
        }
    }
}
