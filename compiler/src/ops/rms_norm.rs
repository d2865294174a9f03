//! Normalisation to mean square 1 along axes of each element of a batch.

use super::normalize::{self, Normal};
use crate::graph::{Array, Builder, Call, Infer, Lowering, Op, Sample, TypeError, ValueId, Vjp};
use crate::shape::Type;

/// The op.
pub struct RmsNorm;

/// The weight has the axes that are normalised.
fn affine(axes: &[usize], _rank: usize) -> Vec<usize> {
    let mut axes = axes.to_vec();
    axes.sort_unstable();
    axes
}

fn normal(b: &mut Builder<'_>, call: &Call) -> (Normal, Vec<usize>) {
    let axes = call.attributes.axes("axes");
    let normal = Normal::new(b, call.operands[0], &axes, call.attributes.float("eps"), false);
    (normal, affine(&axes, call.operand_types[0].rank()))
}

impl Op for RmsNorm {
    fn name(&self) -> &'static str {
        "rms_norm"
    }

    fn doc(&self) -> &'static str {
        "rms_norm {axes, eps} (x: F<S>, w: F<axes>) -> F<S>: y * w for y = x / sqrt(mean(x * x) + eps) along the axes, where w may be left out; the gradient of x is (h - y * mean(h * y)) / sqrt(mean(x * x) + eps) for h = g * w, that of w the sum of g * y"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let (_, x) = normalize::infer(infer, 2, affine)?;
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
        let [y, _, _] = normalize::reference(call, operands, &affine, false);
        vec![y]
    }

    fn samples(&self) -> Vec<Sample> {
        normalize::samples(normalize::CASES, 2, affine)
    }
}
