//! What parts are at points: from memory, from registers, or computed again.

use super::Blocks;
use super::held::What;
use crate::kernel::{Expression, ParameterId, Register, Var};
use crate::nest::{Body, Index, Read, Scalar, flatten};
use crate::scalar::ScalarOp;
use crate::schedule::evaluate::Evaluate;
use crate::schedule::scope::Scope;

/// A point of a part in one of the rows that run at once.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Place {
    pub(super) part: usize,
    pub(super) copy: usize,
    /// The index on each axis of its nest.
    pub(super) axes: Vec<Index>,
}

/// The operands of a product that is summed up, or one value.
enum Taken {
    Product(Var, Var),
    Value(Var),
}

impl Blocks<'_> {
    /// The point of a part where the kernel is.
    pub(super) fn place(&self, part: usize, copy: usize) -> Place {
        let laid = &self.group.parts[part];
        let mut axes = vec![Index::default(); laid.nest.extents.len()];
        for (&axis, position) in laid.shared.iter().zip(&self.turns[copy]) {
            axes[axis] = position.clone();
        }
        let left = self.here.iter().flat_map(|(_, left)| left);
        for (&axis, position) in laid.outputs.iter().chain(&laid.reductions).zip(left) {
            axes[axis] = position.clone();
        }
        Place { part, copy, axes }
    }

    /// The value of a part of the stage that runs, at the point where the kernel is; it is held where that was decided.
    pub(super) fn own(&mut self, part: usize, copy: usize) -> Var {
        let value = self.point(self.place(part, copy));
        if let Some(register) = self.held.register(&What::Part(part), copy) {
            self.scope.assign(register, value);
        }
        value
    }

    /// The value of an elementwise part at a point.
    fn point(&mut self, place: Place) -> Var {
        if let Some((_, value)) = self.known.iter().find(|(known, _)| *known == place) {
            return *value;
        }
        let held = self.held.register(&What::Part(place.part), place.copy).filter(|_| self.is_held_here(&place));
        let value = match held {
            Some(register) => self.scope.read(Expression::Register(register)),
            None => self.computed(&place),
        };
        self.known.push((place, value));
        value
    }

    /// Whether an earlier stage has computed a part at this very point.
    fn is_held_here(&self, place: &Place) -> bool {
        let Some((stage, _)) = &self.here else { return false };
        self.group.stage_of(place.part) < *stage && self.is_here(place)
    }

    /// Whether a place is the point where the kernel is.
    fn is_here(&self, place: &Place) -> bool {
        let Some((stage, _)) = &self.here else { return false };
        let same = self.group.parts[place.part].extents() == self.group.stages[*stage].extents;
        same && *place == self.place(place.part, place.copy)
    }

    fn computed(&mut self, place: &Place) -> Var {
        let nest = self.group.parts[place.part].nest;
        let value = self.last(&nest.body, place, None);
        match &nest.epilogue {
            Some(epilogue) => self.last(epilogue, place, Some(value)),
            None => value,
        }
    }

    /// What a reduced value is in the end.
    pub(super) fn reduced(&mut self, part: usize, copy: usize, value: Var) -> Var {
        match &self.group.parts[part].nest.epilogue {
            Some(epilogue) => self.last(epilogue, &self.place(part, copy), Some(value)),
            None => value,
        }
    }

    /// Takes the point where the kernel is into the register of a part that reduces or sums up.
    pub(super) fn take(&mut self, part: usize, copy: usize, register: Register) {
        let taken = self.taken(part, copy);
        let old = self.scope.read(Expression::Register(register));
        let new = self.joined(part, taken, old);
        self.scope.assign(register, new);
    }

    /// The same where the value so far is a variable.
    pub(super) fn taken_onto(&mut self, part: usize, copy: usize, old: Var) -> Var {
        let taken = self.taken(part, copy);
        self.joined(part, taken, old)
    }

    fn taken(&mut self, part: usize, copy: usize) -> Taken {
        let (place, nest) = (self.place(part, copy), self.group.parts[part].nest);
        let sums = self.group.parts[part].reducer().operation() == Some(ScalarOp::Add);
        match nest.body.scalars.split_last() {
            Some((Scalar::Apply(ScalarOp::Mul, factors), rest)) if sums && nest.reduced_dtype().is_float() => {
                let values = self.scalars(rest, &place, None);
                Taken::Product(values[factors[0].0], values[factors[1].0])
            }
            _ => Taken::Value(self.last(&nest.body, &place, None)),
        }
    }

    fn joined(&mut self, part: usize, taken: Taken, old: Var) -> Var {
        let op = self.group.parts[part].reducer().operation();
        let op = op.expect("positions of maxima are kernels of their own");
        match taken {
            Taken::Product(one, other) => self.scope.apply(ScalarOp::Fma, &[one, other, old]),
            Taken::Value(value) => self.scope.apply(op, &[old, value]),
        }
    }

    /// The last scalar of a body at a point.
    fn last(&mut self, body: &Body, place: &Place, reduced: Option<Var>) -> Var {
        *self.scalars(&body.scalars, place, reduced).last().expect("a verified body is not empty")
    }

    fn scalars(&mut self, scalars: &[Scalar], place: &Place, reduced: Option<Var>) -> Vec<Var> {
        let mut values: Vec<Var> = Vec::with_capacity(scalars.len());
        for scalar in scalars {
            let value = self.scalar(scalar, place, &values, reduced);
            values.push(value);
        }
        values
    }

    /// What a read finds of an earlier part.
    fn produced(&mut self, producer: usize, read: &Read, place: &Place) -> Var {
        let laid = &self.group.parts[producer];
        if laid.outputs.is_empty() {
            return self.singles[place.copy][producer].expect("a part comes after what it reads");
        }
        let mut axes = vec![Index::default(); laid.nest.extents.len()];
        for (axis, index) in read.index.iter().enumerate().filter(|(axis, _)| laid.nest.extents[*axis] > 1) {
            axes[axis] = self.position(index, place);
        }
        self.point(Place { part: producer, copy: place.copy, axes })
    }

    /// What a read finds of an operand. In the stage that comes first it is put into the register that holds it.
    fn loaded(&mut self, number: usize, read: &Read, place: &Place) -> Var {
        let index = flatten(&read.index, &self.group.operand_shapes[read.operand]);
        let here = self.here.as_ref().map(|(stage, _)| *stage).filter(|_| self.is_here(place));
        let what = here.and_then(|_| self.group.load(place.part, number));
        let held = what.and_then(|what| Some((self.held.register(&what, place.copy)?, self.held.first(&what)?)));
        let index = self.position(&index, place);
        let load = Expression::Load { parameter: ParameterId(read.operand), index };
        match (held, here) {
            (Some((register, first)), Some(stage)) if first < stage => {
                let known = self.held.current(register);
                known.unwrap_or_else(|| {
                    let value = self.scope.read(Expression::Register(register));
                    self.held.set_current(register, value);
                    value
                })
            }
            (Some((register, _)), Some(_)) => {
                let value = self.scope.define(load, read.dtype.computed());
                if self.held.current(register).is_none() {
                    self.scope.assign(register, value);
                    self.held.set_current(register, value);
                }
                value
            }
            _ => self.scope.define(load, read.dtype.computed()),
        }
    }
}

impl Evaluate for Blocks<'_> {
    type Place = Place;

    fn scope(&mut self) -> &mut Scope {
        &mut self.scope
    }

    fn axes<'p>(&self, place: &'p Place) -> &'p [Index] {
        &place.axes
    }

    fn read(&mut self, number: usize, place: &Place) -> Var {
        let read = &self.group.parts[place.part].nest.reads[number];
        match read.operand.checked_sub(self.group.operand_shapes.len()) {
            Some(producer) => self.produced(producer, read, place),
            None => self.loaded(number, read, place),
        }
    }
}
