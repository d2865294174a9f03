//! The position of the maximum along an axis.

use super::along::{position_type, positions};
use super::reduction;
use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, TypeError, ValueId, Vjp,
};
use crate::nest::Reducer;
use crate::shape::Type;

/// The op.
pub struct Argmax;

/// The position of the first maximum along an axis, which the result does not have.
pub fn argmax(b: &mut Builder<'_>, x: ValueId, axis: usize) -> ValueId {
    b.apply(&Argmax, Attributes::none().with("axis", Attribute::Int(axis as i64)), &[x])
}

impl Op for Argmax {
    fn name(&self) -> &'static str {
        "argmax"
    }

    fn doc(&self) -> &'static str {
        "argmax {axis} (x: T<S>) -> u32<S without axis>: where the first maximum along the axis stands, a NaN counting as one; no gradient"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        Ok(vec![position_type(infer)?])
    }

    fn vjp(&self, _b: &mut Builder<'_>, call: &Call, _cotangents: &[Option<ValueId>]) -> Vjp {
        Vjp::none(call)
    }

    fn lower(&self, call: &Call) -> Lowering {
        Lowering::Nest(reduction::nest(call, &[call.attributes.axis("axis")], Reducer::ArgMax))
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        vec![positions(call, operands[0], |x, y| x > y)]
    }

    fn samples(&self) -> Vec<Sample> {
        // Integers from a small range have equal maxima, floats have not.
        reduction::single_axis_samples(Fill::Between(-2.0, 2.0), &[DType::F32, DType::I32])
    }
}
