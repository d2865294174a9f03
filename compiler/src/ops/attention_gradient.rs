//! The gradient of attention: what goes back to queries, keys, values and a mask of numbers.
//!
//! It takes the weights again, so that they need not be kept.

use super::attention::{Attention, infer_type, place_in_mask, reference_kept, reference_weights};
use super::attention_blocks::Blocks;
use super::attention_rows::{Form, optional};
use super::{cast, reshape};
use crate::graph::{
    Array, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, SampleOperand, TypeError, ValueId, Vjp,
    for_each_point,
};
use crate::shape::Type;

/// The op.
pub struct AttentionGradient;

/// The gradients of the operands of an attention with these attributes, of those that are floats. `operands` are queries,
/// keys, values, cotangents, and what else attention takes.
pub fn attention_gradient(b: &mut Builder<'_>, attributes: Attributes, operands: &[ValueId]) -> Vec<ValueId> {
    b.apply_all(&AttentionGradient, attributes, operands)
}

/// Where operands of attention stand among those of its gradient, beside queries, keys and values.
const OTHERS: usize = 4;

impl Op for AttentionGradient {
    fn name(&self) -> &'static str {
        "attention_gradient"
    }

    fn doc(&self) -> &'static str {
        "attention_gradient {block, causal, group, p, scale} (q: F<N, H, L, E>, k: F<N, K, S, E>, v: F<N, K, S, V>, g: F<N, H, L, V>, mask: bool or F<N | 1, H | 1, L | 1, S | 1>, key: u32<2>) -> types of q, k, v, and of mask if that is F: with the weights w of attention, d what dropout makes of them, h what it makes of g v^T, and c = w * (h - sum(w * h)): scale * c k, scale * c^T q, d^T g, c, each summed over what is shared; block queries at a time, or as many as fit if that is 0; the gradient is that of this formula"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let &[q, k, v, g, ref others @ ..] = infer.all() else {
            return infer.error(format!("takes {OTHERS} operands at least, not {}", infer.all().len()));
        };
        let result = infer_type(infer, [q, k, v], others)?;
        infer.same_dtype(g, &result)?;
        infer.same_shape(g, &result)?;
        let floats = [q, k, v].into_iter().chain(others.iter().copied().filter(|ty| ty.dtype.is_float()));
        Ok(floats.cloned().collect())
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

    fn waits_for_extents(&self) -> bool {
        true
    }

    fn expand(&self, b: &mut Builder<'_>, call: &Call) -> Vec<ValueId> {
        let form = Form::new(call);
        let inputs = form.inputs(b, call, OTHERS);
        let cotangent = form.grouped(b, call.operands[3]);
        let made = match Blocks::of(call, &form) {
            Some(blocks) => blocks.gradients(b, &form, &inputs, cotangent),
            None => form.gradients(b, &inputs, cotangent),
        };
        let made = [made.queries, made.keys, made.values].into_iter().chain(made.mask);
        let as_wanted = |(gradient, ty): (ValueId, &Type)| {
            let gradient = cast(b, gradient, ty.dtype);
            reshape(b, gradient, &ty.shape)
        };
        made.zip(&call.result_types).map(as_wanted).collect()
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let (q, k, v, g) = (operands[0], operands[1], operands[2], operands[3]);
        let [mask, key] = optional(call, OTHERS).map(|at| at.map(|at| operands[at]));
        let mut results: Vec<Array> =
            call.result_types.iter().map(|ty| Array::filled(ty.dtype, &ty.known_shape(), 0.0)).collect();
        let mut add = |result: usize, at: &[usize], more: f64| {
            let sum = results[result].at(at) + more;
            results[result].set(at, sum);
        };
        let scale = call.attributes.float("scale");
        for_each_point(&[q.shape[0], q.shape[1], q.shape[2]], |query| {
            let &[n, h, l] = query else { unreachable!("a query has a sample, a head and a position") };
            let head = h * k.shape[1] / q.shape[1];
            let weights = reference_weights(call, [q, k], mask, query);
            let back = |s: usize| {
                let product: f64 = (0..v.shape[3]).map(|e| g.at(&[n, h, l, e]) * v.at(&[n, head, s, e])).sum();
                product * reference_kept(call, key, [q, k], query, s)
            };
            let mean: f64 = weights.iter().enumerate().map(|(s, weight)| weight * back(s)).sum();
            for (s, weight) in weights.into_iter().enumerate() {
                let kept = reference_kept(call, key, [q, k], query, s);
                let of_score = weight * (back(s) - mean);
                for e in 0..q.shape[3] {
                    add(0, &[n, h, l, e], scale * of_score * k.at(&[n, head, s, e]));
                    add(1, &[n, head, s, e], scale * of_score * q.at(&[n, h, l, e]));
                }
                (0..v.shape[3]).for_each(|e| add(2, &[n, head, s, e], weight * kept * g.at(&[n, h, l, e])));
                if let Some(mask) = mask.filter(|mask| mask.dtype.is_float()) {
                    add(3, &place_in_mask(mask, [n, h, l, s]), of_score);
                }
            }
        });
        results
    }

    fn samples(&self) -> Vec<Sample> {
        Attention.samples().iter().map(sample).collect()
    }
}

/// The sample of an attention with what comes back to it.
fn sample(of: &Sample) -> Sample {
    let shape = of.operands[0].ty.known_shape();
    let length = of.operands[2].ty.known_shape()[3];
    let dtype = of.operands[0].ty.dtype;
    let mut operands = of.operands.clone();
    let g = SampleOperand::numbers(dtype, &[&shape[..3], &[length]].concat(), Fill::Between(-1.0, 1.0));
    operands.insert(3, g);
    Sample { attributes: of.attributes.clone(), operands }
}
