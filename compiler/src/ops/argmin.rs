//! The position of the minimum along an axis.

use super::along::{position_type, positions};
use super::reduction;
use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, TypeError, ValueId, Vjp,
};
use crate::nest::{Body, Reducer, ScalarId};
use crate::scalar::ScalarOp;
use crate::shape::Type;

/// The op.
pub struct Argmin;

/// The position of the first minimum along an axis, which the result does not have.
pub fn argmin(b: &mut Builder<'_>, x: ValueId, axis: usize) -> ValueId {
    b.apply(&Argmin, Attributes::none().with("axis", Attribute::Int(axis as i64)), &[x])
}

/// Turns the order of a type around, equal elements staying equal: what is smallest then is largest. Integers are taken
/// from the number whose bits are all ones, which never overflows.
fn reversed(body: &mut Body, dtype: DType, x: ScalarId) {
    let ones = match dtype {
        DType::U32 => f64::from(u32::MAX),
        DType::U8 => f64::from(u8::MAX),
        _ => -1.0,
    };
    if dtype.is_float() {
        body.apply(ScalarOp::Neg, &[x]);
    } else {
        let ones = body.constant(dtype, ones);
        body.apply(ScalarOp::Sub, &[ones, x]);
    }
}

impl Op for Argmin {
    fn name(&self) -> &'static str {
        "argmin"
    }

    fn doc(&self) -> &'static str {
        "argmin {axis} (x: T<S>) -> u32<S without axis>: where the first minimum along the axis stands, a NaN counting as one; no gradient"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        Ok(vec![position_type(infer)?])
    }

    fn vjp(&self, _b: &mut Builder<'_>, call: &Call, _cotangents: &[Option<ValueId>]) -> Vjp {
        Vjp::none(call)
    }

    fn lower(&self, call: &Call) -> Lowering {
        let mut nest = reduction::nest(call, &[call.attributes.axis("axis")], Reducer::ArgMax);
        reversed(&mut nest.body, call.operand_types[0].dtype, ScalarId(0));
        Lowering::Nest(nest)
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        vec![positions(call, operands[0], |x, y| x < y)]
    }

    fn samples(&self) -> Vec<Sample> {
        // Integers from a small range have equal minima, floats have not.
        reduction::single_axis_samples(Fill::Between(-2.0, 2.0), &[DType::F32, DType::I32, DType::U32])
    }
}
