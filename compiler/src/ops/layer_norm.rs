//! Normalisation to mean 0 and variance 1 along axes of each element of a batch.

use super::normalize::{self, Normal};
use crate::graph::{Array, Builder, Call, Infer, Lowering, Op, Sample, TypeError, ValueId, Vjp};
use crate::shape::Type;

/// The op.
pub struct LayerNorm;

/// Weight and bias have the axes that are normalised.
fn affine(axes: &[usize], _rank: usize) -> Vec<usize> {
    let mut axes = axes.to_vec();
    axes.sort_unstable();
    axes
}

fn normal(b: &mut Builder<'_>, call: &Call) -> (Normal, Vec<usize>) {
    let axes = call.attributes.axes("axes");
    let normal = Normal::new(b, call.operands[0], &axes, call.attributes.float("eps"), true);
    (normal, affine(&axes, call.operand_types[0].rank()))
}

impl Op for LayerNorm {
    fn name(&self) -> &'static str {
        "layer_norm"
    }

    fn doc(&self) -> &'static str {
        "layer_norm {axes, eps} (x: F<S>, w: F<axes>, b: F<axes>) -> F<S>: y * w + b for y = (x - mean) / sqrt(var + eps) along the axes, where var is the mean of squares and w and b may be left out; the gradient of x is (h - mean(h) - y * mean(h * y)) / sqrt(var + eps) for h = g * w, those of w and b are the sums of g * y and g"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let (_, x) = normalize::infer(infer, 3, affine)?;
        Ok(vec![x.clone()])
    }

    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        let Some(g) = cotangents[0] else { return Vjp::none(call) };
        let (normal, affine) = normal(b, call);
        Vjp::Operands(normal.cotangents(b, g, &call.operands, &affine))
    }

    fn lower(&self, _call: &Call) -> Lowering {
        Lowering::Expand
    }

    fn is_composite(&self) -> bool {
        true
    }

    fn expand(&self, b: &mut Builder<'_>, call: &Call) -> Vec<ValueId> {
        let (normal, affine) = normal(b, call);
        vec![normal.affine(b, &call.operands, &affine)]
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let affine = affine(&call.attributes.axes("axes"), operands[0].shape.len());
        let [y, _, _] = normalize::reference(call, operands, &affine, true);
        vec![y]
    }

    fn samples(&self) -> Vec<Sample> {
        normalize::samples(normalize::CASES, 3, affine)
    }
}
