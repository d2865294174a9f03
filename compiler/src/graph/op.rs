//! What an operation of graphs is: the trait that each file of [`crate::ops`] implements once.

use super::{Array, Attributes, Builder, Infer, TypeError, ValueId};
use crate::nest::{Index, Nest};
use crate::shape::Type;
use std::fmt;

/// An operation of graphs.
///
/// An op has two independent meanings: [`Op::reference`], naive and in f64, and what [`Op::lower`] or [`Op::expand`] makes
/// of it. Tests hold one against the other for every op in the list.
pub trait Op: Sync {
    /// The name in printed graphs and messages.
    fn name(&self) -> &'static str;

    /// What it computes, as a formula with shapes.
    fn doc(&self) -> &'static str;

    /// The types of the results.
    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError>;

    /// The vector-Jacobian product as graph nodes. `cotangents` has one entry per result, `None` where no gradient comes.
    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp;

    /// How it reaches a kernel. Called when every extent is known; `call` has the types.
    fn lower(&self, call: &Call) -> Lowering;

    /// Whether [`Op::lower`] is [`Lowering::Expand`], whatever the extents. Composite ops override this together with
    /// [`Op::expand`]: they are expanded while the extents are still open, unless they wait for them.
    fn is_composite(&self) -> bool {
        false
    }

    /// Whether a composite op expands to something else as soon as all extents are known: then it is left as it is while one
    /// is open.
    fn waits_for_extents(&self) -> bool {
        false
    }

    /// Whether the op takes operands of one shape and each element of its only result depends on nothing but the operand
    /// elements at the same position and the attributes.
    fn is_elementwise(&self) -> bool {
        false
    }

    /// Whether the results count as constants, although they depend on the operands.
    fn stops_gradients(&self) -> bool {
        false
    }

    /// The same values made of other ops, for composite ops.
    fn expand(&self, _b: &mut Builder<'_>, _call: &Call) -> Vec<ValueId> {
        unreachable!("{} lowers to a nest or a view", self.name())
    }

    /// The operand whose elements are used as an index, and what they must all be below. `call` has known extents.
    fn index_bound(&self, _call: &Call) -> Option<(usize, usize)> {
        None
    }

    /// The naive meaning in f64. `call` has known extents.
    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array>;

    /// Calls for the laws that every op obeys: ordinary, odd, size-1 and empty shapes.
    fn samples(&self) -> Vec<Sample>;
}

impl fmt::Debug for dyn Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A node as its op sees it: attributes, operands and results with their types.
#[derive(Clone, Debug)]
pub struct Call {
    /// The attributes.
    pub attributes: Attributes,
    /// The operands.
    pub operands: Vec<ValueId>,
    /// Their types.
    pub operand_types: Vec<Type>,
    /// The results.
    pub results: Vec<ValueId>,
    /// Their types.
    pub result_types: Vec<Type>,
}

impl Call {
    /// The extents of an operand. Valid once all are known.
    pub fn operand_shape(&self, operand: usize) -> Vec<usize> {
        self.operand_types[operand].known_shape()
    }

    /// The extents of the first result. Valid once all are known.
    pub fn shape(&self) -> Vec<usize> {
        self.result_types[0].known_shape()
    }
}

/// A gradient rule.
#[derive(Clone, Debug)]
pub enum Vjp {
    /// One cotangent per operand, of the operand's type; `None` where no gradient flows.
    Operands(Vec<Option<ValueId>>),
    /// The op is differentiated as what [`Op::expand`] makes of it.
    Expand,
    /// The same, but what it expands to is computed again for the gradient, from the operands.
    Recompute,
    /// The op is a scan, whose gradient is a scan the other way.
    Scan,
}

impl Vjp {
    /// The rule of an op through which no gradient flows.
    pub fn none(call: &Call) -> Vjp {
        Vjp::Operands(vec![None; call.operands.len()])
    }
}

/// How an op reaches a kernel.
#[derive(Clone, Debug)]
pub enum Lowering {
    /// The single result is computed by a nest; read `operand` numbers are positions in the call's operands.
    Nest(Nest),
    /// The single result is the first operand seen through other indices: one index per axis of the operand, over the axes
    /// of the result. Costs nothing by itself.
    View(Vec<Index>),
    /// The op is made of other ops, by [`Op::expand`].
    Expand,
    /// The op runs its region once per turn.
    Scan,
}

/// A call for the laws: types with known extents, and what the operands hold.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The attributes.
    pub attributes: Attributes,
    /// Operand types and fills.
    pub operands: Vec<SampleOperand>,
}

/// One operand of a [`Sample`].
#[derive(Clone, Debug)]
pub struct SampleOperand {
    /// The type; its extents are known.
    pub ty: Type,
    /// What it holds.
    pub fill: Fill,
}

/// What an operand of a [`Sample`] holds. Fills are pseudo-random and reproducible.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fill {
    /// Numbers between the two.
    Between(f64, f64),
    /// Numbers no two of which are closer than a thousandth, in random order, around 0: for ops with kinks where operands
    /// meet. Also keeps a distance to 0.
    Distinct,
    /// Whole numbers from 0, below this.
    Below(u32),
}
