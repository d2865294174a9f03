//! Attention: for each query the mean of the values, weighted by how well their keys fit it.

use super::attention_blocks::Blocks;
use super::attention_gradient::attention_gradient;
use super::attention_rows::{Form, optional};
use super::random::both_words;
use super::reshape;
use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, SampleOperand, TypeError, ValueId,
    Vjp, for_each_point, seed_type,
};
use crate::random::Key;
use crate::shape::{Extent, Shape, Type};

/// The op.
pub struct Attention;

/// The attributes of an attention: what scores are multiplied by, whether a query sees no key behind its own position, how
/// many heads of queries share a head of keys, and the probability with which weights are left out. How many queries there
/// are at a time follows from the extents.
pub fn attention_attributes(scale: f64, causal: bool, group: i64, p: f64) -> Attributes {
    Attributes::none()
        .with("block", Attribute::Int(0))
        .with("causal", Attribute::Bool(causal))
        .with("group", Attribute::Int(group))
        .with("p", Attribute::Float(p))
        .with("scale", Attribute::Float(scale))
}

impl Op for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn doc(&self) -> &'static str {
        "attention {block, causal, group, p, scale} (q: F<N, H, L, E>, k: F<N, K, S, E>, v: F<N, K, S, V>, mask: bool or F<N | 1, H | 1, L | 1, S | 1>, key: u32<2>) -> F<N, H, L, V>: softmax(scale * q k^T + mask) v for each sample and head, where group heads of q share one of k and v, so H = group K, a mask of bool says which keys are seen, causal shows a query no key behind its own position, a query that sees nothing gets 0, and weights are left out with probability p as dropout does; mask and key may be left out; block queries at a time, or as many as fit if that is 0; the gradient is attention_gradient"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let &[q, k, v, ref others @ ..] = infer.all() else {
            return infer.error(format!("takes 3 operands at least, not {}", infer.all().len()));
        };
        Ok(vec![infer_type(infer, [q, k, v], others)?])
    }

    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        let Some(g) = cotangents[0] else { return Vjp::none(call) };
        let operands = [&call.operands[..3], &[g], &call.operands[3..]].concat();
        let flows = attention_gradient(b, call.attributes.clone(), &operands);
        let mut flows = flows.into_iter().map(Some);
        let flow = |(at, ty): (usize, &Type)| if at < 3 || ty.dtype.is_float() { flows.next().flatten() } else { None };
        Vjp::Operands(call.operand_types.iter().enumerate().map(flow).collect())
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
        let inputs = form.inputs(b, call, 3);
        let result = match Blocks::of(call, &form) {
            Some(blocks) => blocks.attended(b, &form, &inputs),
            None => form.attended(b, &inputs),
        };
        vec![reshape(b, result, &call.result_types[0].shape)]
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let (q, k, v) = (operands[0], operands[1], operands[2]);
        let [mask, key] = optional(call, 3).map(|at| at.map(|at| operands[at]));
        let mut result = Array::filled(q.dtype, &call.shape(), 0.0);
        for_each_point(&[q.shape[0], q.shape[1], q.shape[2]], |query| {
            let head = query[1] * k.shape[1] / q.shape[1];
            for (s, weight) in reference_weights(call, [q, k], mask, query).into_iter().enumerate() {
                let weight = weight * reference_kept(call, key, [q, k], query, s);
                for e in 0..v.shape[3] {
                    let at = [query[0], query[1], query[2], e];
                    let sum = result.at(&at) + weight * v.at(&[query[0], head, s, e]);
                    result.set(&at, sum);
                }
            }
        });
        vec![result]
    }

    fn samples(&self) -> Vec<Sample> {
        let mut samples = Vec::new();
        for causal in [false, true] {
            samples.push(sample([2, 4, 3, 5], [2, 3, 6], causal, None, 0.0, 0));
            samples.push(sample([1, 1, 7, 4], [1, 7, 4], causal, None, 0.0, 2));
            samples.push(sample([1, 4, 5, 2], [4, 5, 3], causal, Some((DType::Bool, [1, 1, 5, 5])), 0.0, 0));
            samples.push(sample([2, 2, 3, 1], [2, 4, 1], causal, Some((DType::F32, [2, 1, 1, 4])), 0.0, 2));
        }
        samples.extend([
            sample([2, 6, 2, 3], [3, 4, 2], false, Some((DType::F32, [1, 6, 2, 4])), 0.0, 1),
            sample([2, 6, 5, 3], [3, 4, 2], true, Some((DType::F32, [2, 1, 5, 1])), 0.0, 2),
            sample([2, 3, 4, 3], [3, 4, 2], true, None, 0.25, 0),
            sample([2, 4, 9, 3], [2, 4, 2], true, None, 0.25, 4),
            sample([1, 2, 3, 2], [1, 3, 2], false, Some((DType::Bool, [1, 2, 1, 3])), 0.5, 0),
            sample([1, 2, 5, 2], [1, 3, 2], false, Some((DType::Bool, [1, 2, 5, 3])), 0.5, 3),
            sample([0, 2, 3, 2], [2, 3, 2], false, None, 0.0, 0),
            sample([2, 2, 0, 2], [2, 3, 2], true, None, 0.0, 0),
            sample([1, 2, 3, 2], [2, 0, 2], false, None, 0.0, 2),
        ]);
        samples
    }
}

/// The type of the result for queries, keys and values of these types, and a mask and a key of random numbers.
pub fn infer_type(infer: &mut Infer<'_>, [q, k, v]: [&Type; 3], others: &[&Type]) -> Result<Type, TypeError> {
    infer.float(q)?;
    infer.same_dtype(q, k)?;
    infer.same_dtype(q, v)?;
    if [q, k, v].iter().any(|ty| ty.rank() != 4) {
        return infer.error("queries, keys and values have four axes");
    }
    let axes = |ty: &Type| ty.shape.extents().to_vec();
    let (queries, keys, values) = (axes(q), axes(k), axes(v));
    infer.same_extent(&queries[0], &keys[0], "as many samples have keys as have queries")?;
    infer.same_extent(&keys[0], &values[0], "as many samples have values as have keys")?;
    infer.same_extent(&keys[1], &values[1], "there are as many heads of values as of keys")?;
    infer.same_extent(&keys[2], &values[2], "there are as many values as keys")?;
    infer.same_extent(&queries[3], &keys[3], "keys are as long as queries")?;
    let group = check_attributes(infer)?;
    let headline = "there are as many heads of queries as share those of keys";
    infer.same_extent(&queries[1], &(keys[1].clone() * Extent::from(group)), headline)?;
    let scores = [&queries[0], &queries[1], &queries[2], &keys[2]];
    let masks = others.iter().filter(|ty| ty.dtype != DType::U32);
    if others.len() > 2 || masks.clone().count() > 1 || others.len() - masks.clone().count() > 1 {
        return infer.error("takes one mask and one key of random numbers at most");
    }
    for mask in masks {
        check_mask(infer, mask, q, scores)?;
    }
    others.iter().filter(|ty| ty.dtype == DType::U32).try_for_each(|key| both_words(infer, key))?;
    let shape = [queries[0].clone(), queries[1].clone(), queries[2].clone(), values[3].clone()];
    Ok(Type::new(q.dtype, Shape::new(shape.to_vec())))
}

/// How many heads of queries share a head of keys.
fn check_attributes(infer: &Infer<'_>) -> Result<i64, TypeError> {
    let (group, block, p) = (infer.attributes.int("group"), infer.attributes.int("block"), infer.attributes.float("p"));
    if group < 1 {
        return infer.error(format!("a head of keys is for 1 head of queries at least, not {group}"));
    }
    if block < 0 {
        return infer.error(format!("a block has 1 query at least, not {block}"));
    }
    if !(0.0..=1.0).contains(&p) {
        return infer.error(format!("p is a probability, not {p:?}"));
    }
    Ok(group)
}

/// A mask fits scores that it is repeated to.
fn check_mask(infer: &mut Infer<'_>, mask: &Type, queries: &Type, scores: [&Extent; 4]) -> Result<(), TypeError> {
    if mask.dtype != DType::Bool {
        infer.same_dtype(mask, queries)?;
    }
    if mask.rank() != 4 {
        return infer.error(format!("a mask has four axes, not {}", mask.rank()));
    }
    let one = Extent::from(1);
    for (axis, (extent, of_scores)) in mask.shape.extents().iter().zip(scores).enumerate() {
        if *extent != one {
            infer.same_extent(extent, of_scores, format_args!("the mask does not fit on axis {axis}"))?;
        }
    }
    Ok(())
}

/// The weight of each key for the query at a sample, head and position, before any is left out.
pub fn reference_weights(call: &Call, [q, k]: [&Array; 2], mask: Option<&Array>, query: &[usize]) -> Vec<f64> {
    let &[n, h, l] = query else { unreachable!("a query has a sample, a head and a position") };
    let head = h * k.shape[1] / q.shape[1];
    let score = |s: usize| {
        let product: f64 = (0..q.shape[3]).map(|e| q.at(&[n, h, l, e]) * k.at(&[n, head, s, e])).sum();
        let added = match mask {
            Some(mask) if mask.dtype == DType::Bool => {
                if mask.at(&place_in_mask(mask, [n, h, l, s])) != 0.0 {
                    0.0
                } else {
                    f64::NEG_INFINITY
                }
            }
            Some(mask) => mask.at(&place_in_mask(mask, [n, h, l, s])),
            None => 0.0,
        };
        let past = !call.attributes.bool("causal") || s <= l;
        if past { product * call.attributes.float("scale") + added } else { f64::NEG_INFINITY }
    };
    let scores: Vec<f64> = (0..k.shape[2]).map(score).collect();
    let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if largest == f64::NEG_INFINITY {
        return vec![0.0; scores.len()];
    }
    let total: f64 = scores.iter().map(|score| (score - largest).exp()).sum();
    scores.iter().map(|score| (score - largest).exp() / total).collect()
}

/// Where a mask has what belongs to a score.
pub fn place_in_mask(mask: &Array, score: [usize; 4]) -> Vec<usize> {
    score.iter().zip(&mask.shape).map(|(&at, &extent)| at.min(extent - 1)).collect()
}

/// What the weight of a key for a query is multiplied by.
pub fn reference_kept(call: &Call, key: Option<&Array>, [q, k]: [&Array; 2], query: &[usize], s: usize) -> f64 {
    let (Some(key), p) = (key, call.attributes.float("p")) else { return 1.0 };
    let number = ((query[0] * q.shape[1] + query[1]) * q.shape[2] + query[2]) * k.shape[2] + s;
    let key = Key::from_words([0, 1].map(|half| key.elements[half] as u32));
    if key.uniform(number as u64) < f64::from(p as f32) { 0.0 } else { 1.0 / (1.0 - p) }
}

/// Queries of this shape, and keys and values of so many heads, how many there are, and how long values are; so many queries
/// at a time.
fn sample(
    queries: [usize; 4],
    [heads, seen, length]: [usize; 3],
    causal: bool,
    mask: Option<(DType, [usize; 4])>,
    p: f64,
    block: i64,
) -> Sample {
    let [samples, _, _, width] = queries;
    let numbers = |dtype, shape: &[usize]| SampleOperand::numbers(dtype, shape, Fill::Between(-2.0, 2.0));
    let group = queries[1] / heads;
    let mut operands = vec![
        numbers(DType::F32, &queries),
        numbers(DType::F32, &[samples, heads, seen, width]),
        numbers(DType::F32, &[samples, heads, seen, length]),
    ];
    operands.extend(mask.map(|(dtype, shape)| numbers(dtype, &shape)));
    if p > 0.0 {
        operands.push(SampleOperand { ty: seed_type(), fill: Fill::Below(u32::MAX) });
    }
    let attributes = attention_attributes(0.5, causal, group as i64, p).with("block", Attribute::Int(block));
    Sample { attributes, operands }
}
