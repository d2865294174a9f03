//! What of a row stays in registers from one stage to another one.
//!
//! A group enters with how many registers each stage takes for a value of each of its points; which values are held leaves:
//! elements of operands that several stages load at the same point, and what is dear to compute again.

use super::Group;
use crate::dtype::DType;
use crate::kernel::{Register, Var};
use crate::nest::{Atom, Index, Scalar, flatten};
use crate::schedule::choose::operation_cost;
use crate::schedule::parts::stages::at_same_point;
use crate::schedule::scope::Scope;

/// What a part costs at least, in cycles, that is rather held than computed again.
const DEAR: f64 = 4.0;

/// How many registers of a thread hold values.
const REGISTERS: usize = 64;

/// A value of each point of a row.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum What {
    /// Of a part.
    Part(usize),
    /// An element of an operand, whose position is one over the shared axes and those of the stage behind them.
    Load(usize, Index),
}

/// Values that registers hold.
#[derive(Default)]
pub(super) struct Held {
    values: Vec<Value>,
}

struct Value {
    what: What,
    /// The stage that computes or loads it.
    first: usize,
    /// One per row that runs at once, and what it holds in the loop that is open, where that is known.
    registers: Vec<(Register, Option<Var>)>,
}

impl Held {
    /// Decides for a group of which `rows` run at once, whose stages take so many registers for a value.
    pub(super) fn choose(group: &Group<'_>, rows: usize, groups: &[Option<usize>], scope: &mut Scope) -> Held {
        let mut needs: Vec<Vec<What>> = vec![Vec::new(); group.stages.len()];
        for (stage, needs) in needs.iter_mut().enumerate().filter(|(stage, _)| groups[*stage].is_some()) {
            group.stages[stage].parts.iter().for_each(|&part| group.needs(part, stage, needs));
        }
        let mut left = REGISTERS;
        let mut held = Held::default();
        for (stage, needed) in needs.iter().enumerate() {
            for what in needed {
                let first = match what {
                    What::Part(part) => group.stage_of(*part),
                    What::Load(..) => {
                        let before = |other: &usize| {
                            let same = group.stages[*other].extents == group.stages[stage].extents;
                            same && needs[*other].contains(what)
                        };
                        (0..stage).find(before).unwrap_or(stage)
                    }
                };
                let taken = groups[stage].unwrap_or(0) * rows;
                if first == stage || taken > left || held.values.iter().any(|value| value.what == *what) {
                    continue;
                }
                left -= taken;
                let dtype = group.dtype(what);
                let registers = (0..rows).map(|_| (scope.register(dtype, taken / rows), None)).collect();
                held.values.push(Value { what: what.clone(), first, registers });
            }
        }
        held
    }

    fn value(&self, what: &What) -> Option<&Value> {
        self.values.iter().find(|value| value.what == *what)
    }

    /// The register that holds a value of a row.
    pub(super) fn register(&self, what: &What, row: usize) -> Option<Register> {
        self.value(what).map(|value| value.registers[row].0)
    }

    /// The stage that loads a value first.
    pub(super) fn first(&self, what: &What) -> Option<usize> {
        self.value(what).map(|value| value.first)
    }

    /// All registers.
    pub(super) fn registers(&self) -> Vec<Register> {
        self.values.iter().flat_map(|value| &value.registers).map(|(register, _)| *register).collect()
    }

    /// What a register holds, where it was read or set in the loop that is open.
    pub(super) fn current(&self, register: Register) -> Option<Var> {
        let mut registers = self.values.iter().flat_map(|value| &value.registers);
        registers.find(|(other, _)| *other == register).and_then(|(_, var)| *var)
    }

    pub(super) fn set_current(&mut self, register: Register, var: Var) {
        let mut registers = self.values.iter_mut().flat_map(|value| &mut value.registers);
        if let Some(found) = registers.find(|(other, _)| *other == register) {
            found.1 = Some(var);
        }
    }

    /// Another loop begins.
    pub(super) fn forget(&mut self) {
        self.values.iter_mut().flat_map(|value| &mut value.registers).for_each(|(_, var)| *var = None);
    }
}

impl Group<'_> {
    /// What a part needs in a stage that may be held, at the point where it is.
    fn needs(&self, part: usize, stage: usize, needs: &mut Vec<What>) {
        let laid = &self.parts[part];
        for (number, read) in laid.nest.reads.iter().enumerate() {
            let what = match read.operand.checked_sub(self.operand_shapes.len()) {
                None => self.load(part, number),
                Some(producer) => {
                    let other = &self.parts[producer];
                    let here = !other.outputs.is_empty()
                        && other.extents() == laid.extents()
                        && at_same_point(laid, other, &read.index)
                        && self.stage_of(producer) < stage;
                    match here {
                        true if self.is_dear(producer) => Some(What::Part(producer)),
                        true => {
                            self.needs(producer, stage, needs);
                            None
                        }
                        false => None,
                    }
                }
            };
            needs.extend(what.filter(|what| !needs.contains(what)));
        }
    }

    fn is_dear(&self, part: usize) -> bool {
        let costs = self.parts[part].nest.body.scalars.iter().map(|scalar| match scalar {
            Scalar::Apply(op, _) => operation_cost(*op),
            _ => 0.0,
        });
        costs.sum::<f64>() > DEAR
    }

    /// The element of an operand that a part loads at its point, if there is one for each point of a row.
    pub(super) fn load(&self, part: usize, number: usize) -> Option<What> {
        let laid = &self.parts[part];
        let read = &laid.nest.reads[number];
        let own = || laid.outputs.iter().chain(&laid.reductions);
        let mut axes = vec![Index::default(); laid.nest.extents.len()];
        let mut extents = Vec::new();
        for &axis in laid.shared.iter().chain(own()) {
            axes[axis] = Index::axis(extents.len());
            extents.push(laid.nest.extents[axis]);
        }
        let index = flatten(&read.index, &self.operand_shapes[read.operand]);
        let gathers = index.any(&mut |atom| matches!(atom, Atom::Gathered { .. }));
        let moves = own().any(|&axis| index.uses(axis));
        (moves && !gathers).then(|| What::Load(read.operand, index.substitute(&axes, &extents, 0)))
    }

    fn dtype(&self, what: &What) -> DType {
        let reads = || self.parts.iter().flat_map(|part| &part.nest.reads);
        match what {
            What::Part(part) => self.parts[*part].nest.dtype,
            What::Load(operand, _) => {
                reads().find(|read| read.operand == *operand).expect("it is read somewhere").dtype
            }
        }
    }
}
