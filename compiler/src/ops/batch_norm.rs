//! Normalisation to mean 0 and variance 1 over a batch, as it is done in training.

use super::normalize::{self, Normal, others};
use super::{add, reduction};
use crate::graph::{Array, Builder, Call, Infer, Lowering, Op, Sample, TypeError, ValueId, Vjp};
use crate::shape::Type;

/// The op.
pub struct BatchNorm;

fn normal(b: &mut Builder<'_>, call: &Call) -> (Normal, Vec<usize>) {
    let axes = call.attributes.axes("axes");
    let normal = Normal::new(b, call.operands[0], &axes, call.attributes.float("eps"), true);
    (normal, others(&axes, call.operand_types[0].rank()))
}

impl Op for BatchNorm {
    fn name(&self) -> &'static str {
        "batch_norm"
    }

    fn doc(&self) -> &'static str {
        "batch_norm {axes, eps} (x: F<S>, w: F<C>, b: F<C>) -> F<S>, F<C>, F<C>: y * w + b for y = (x - mean) / sqrt(var + eps) along the axes, the mean, and var, the mean of squares, where C is S without the axes and w and b may be left out; the gradient of x is (h - mean(h) - y * mean(h * y)) / sqrt(var + eps) for h = g * w, those of w and b are the sums of g * y and g"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let (axes, x) = normalize::infer(infer, 3, others)?;
        let moments = Type::new(x.dtype, reduction::without(&x.shape, &axes));
        Ok(vec![x.clone(), moments.clone(), moments])
    }

    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        let (normal, affine) = normal(b, call);
        let mut flows = match cotangents[0] {
            Some(g) => normal.cotangents(b, g, &call.operands, &affine),
            None => vec![None; call.operands.len()],
        };
        let of_moments = normal.cotangent_of_moments(b, [cotangents[1], cotangents[2]]);
        flows[0] = match (flows[0], of_moments) {
            (Some(left), Some(right)) => Some(add(b, left, right)),
            (left, right) => left.or(right),
        };
        Vjp::Operands(flows)
    }

    fn lower(&self, _call: &Call) -> Lowering {
        Lowering::Expand
    }

    fn is_composite(&self) -> bool {
        true
    }

    fn expand(&self, b: &mut Builder<'_>, call: &Call) -> Vec<ValueId> {
        let (normal, affine) = normal(b, call);
        let y = normal.affine(b, &call.operands, &affine);
        vec![y, normal.mean.expect("the mean is taken away"), normal.variance]
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let affine = others(&call.attributes.axes("axes"), operands[0].shape.len());
        normalize::reference(call, operands, &affine, true).into()
    }

    fn samples(&self) -> Vec<Sample> {
        normalize::samples(normalize::CASES, 3, others)
    }
}
