//! A value that counts as another one than what it is made of.

use super::elementwise;
use crate::dtype::DType;
use crate::graph::{
    Array, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, SampleOperand, TypeError, ValueId, Vjp,
};
use crate::nest::Index;
use crate::shape::Type;

/// The op.
pub struct Barrier;

/// The same value, which no rule takes for the same: what is made of it is not found to be equal to what is made of `x`.
pub fn barrier(b: &mut Builder<'_>, x: ValueId) -> ValueId {
    b.apply(&Barrier, Attributes::none(), &[x])
}

impl Op for Barrier {
    fn name(&self) -> &'static str {
        "barrier"
    }

    fn doc(&self) -> &'static str {
        "barrier (x: T<S>) -> T<S>: x, kept apart so that what is made of it is computed again; the gradient is g"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [x] = infer.operands()?;
        Ok(vec![x.clone()])
    }

    fn vjp(&self, _b: &mut Builder<'_>, _call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        Vjp::Operands(vec![cotangents[0]])
    }

    fn lower(&self, call: &Call) -> Lowering {
        Lowering::View((0..call.operand_types[0].rank()).map(Index::axis).collect())
    }

    fn reference(&self, _call: &Call, operands: &[&Array]) -> Vec<Array> {
        vec![operands[0].clone()]
    }

    fn samples(&self) -> Vec<Sample> {
        let sample = |dtype: DType, shape: &[usize]| Sample {
            attributes: Attributes::none(),
            operands: vec![SampleOperand::numbers(dtype, shape, Fill::Between(-2.0, 2.0))],
        };
        let shapes = elementwise::SHAPES;
        [DType::F32, DType::Bool].iter().flat_map(|&dtype| shapes.map(|shape| sample(dtype, shape))).collect()
    }
}
