//! The squared error.

use super::losses::{REDUCTIONS, Reduction};
use super::{pow, sub};
use crate::dtype::DType;
use crate::graph::{Array, Builder, Call, Fill, Infer, Lowering, Op, Sample, SampleOperand, TypeError, ValueId, Vjp};
use crate::shape::Type;

/// The op.
pub struct Mse;

/// The squared error of `x` against `y`; `reduction` is mean, sum or none.
pub fn mse(b: &mut Builder<'_>, x: ValueId, y: ValueId, reduction: &str) -> ValueId {
    b.apply(&Mse, Reduction::attribute(reduction), &[x, y])
}

impl Op for Mse {
    fn name(&self) -> &'static str {
        "mse"
    }

    fn doc(&self) -> &'static str {
        "mse {reduction} (x: F<S>, y: F<S>) -> F, or F<S> without reduction: the mean or sum of pow(x - y, 2); the gradient is that of this formula"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [x, y] = infer.operands()?;
        let dtype = infer.same_dtype(x, y)?;
        infer.float(x)?;
        let losses = infer.same_shape(x, y)?;
        Ok(vec![Type::new(dtype, Reduction::infer(infer, REDUCTIONS)?.shape(losses))])
    }

    fn vjp(&self, _b: &mut Builder<'_>, _call: &Call, _cotangents: &[Option<ValueId>]) -> Vjp {
        Vjp::Expand
    }

    fn lower(&self, _call: &Call) -> Lowering {
        Lowering::Expand
    }

    fn is_composite(&self) -> bool {
        true
    }

    fn expand(&self, b: &mut Builder<'_>, call: &Call) -> Vec<ValueId> {
        let difference = sub(b, call.operands[0], call.operands[1]);
        let losses = pow(b, difference, 2.0);
        vec![Reduction::of(&call.attributes).apply(b, losses)]
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let squares = operands[0].elements.iter().zip(&operands[1].elements).map(|(x, y)| (x - y) * (x - y));
        let losses = Array::new(operands[0].dtype, &operands[0].shape, squares.collect());
        vec![Reduction::of(&call.attributes).reference(losses)]
    }

    fn samples(&self) -> Vec<Sample> {
        let sample = |reduction, shape: &[usize]| Sample {
            attributes: Reduction::attribute(reduction),
            operands: vec![SampleOperand::numbers(DType::F32, shape, Fill::Between(-2.0, 2.0)); 2],
        };
        let shapes = super::elementwise::SHAPES;
        REDUCTIONS.iter().flat_map(|reduction| shapes.map(|shape| sample(reduction, shape))).collect()
    }
}
