//! A value through which no gradient flows.

use super::elementwise;
use crate::dtype::DType;
use crate::graph::{
    Array, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, SampleOperand, TypeError, ValueId, Vjp,
};
use crate::nest::Index;
use crate::shape::Type;

/// The op.
pub struct Detach;

/// The same value as a constant for whatever differentiates.
pub fn detach(b: &mut Builder<'_>, x: ValueId) -> ValueId {
    b.apply(&Detach, Attributes::none(), &[x])
}

impl Op for Detach {
    fn name(&self) -> &'static str {
        "detach"
    }

    fn doc(&self) -> &'static str {
        "detach (x: T<S>) -> T<S>: x, through which no gradient flows"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [x] = infer.operands()?;
        Ok(vec![x.clone()])
    }

    fn vjp(&self, _b: &mut Builder<'_>, call: &Call, _cotangents: &[Option<ValueId>]) -> Vjp {
        Vjp::none(call)
    }

    fn stops_gradients(&self) -> bool {
        true
    }

    fn lower(&self, call: &Call) -> Lowering {
        Lowering::View((0..call.operand_types[0].rank()).map(Index::axis).collect())
    }

    fn reference(&self, _call: &Call, operands: &[&Array]) -> Vec<Array> {
        vec![operands[0].clone()]
    }

    fn samples(&self) -> Vec<Sample> {
        let sample = |shape: &[usize]| Sample {
            attributes: Attributes::none(),
            operands: vec![SampleOperand::numbers(DType::F32, shape, Fill::Between(-2.0, 2.0))],
        };
        elementwise::SHAPES.map(sample).to_vec()
    }
}
