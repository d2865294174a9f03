//! Attention: for each query the mean of the values, weighted by how well their keys fit it.

use super::random::both_words;
use super::{
    broadcast, broadcast_over, constant_like, contract, dropout, iota, le, lt, max, reshape, scale, select, softmax,
};
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
/// many heads of queries share a head of keys, and the probability with which weights are left out.
pub fn attention_attributes(scale: f64, causal: bool, group: i64, p: f64) -> Attributes {
    Attributes::none()
        .with("causal", Attribute::Bool(causal))
        .with("group", Attribute::Int(group))
        .with("p", Attribute::Float(p))
        .with("scale", Attribute::Float(scale))
}

/// Which operands behind queries, keys and values there are: a mask, and a key of random numbers.
fn optional<'t>(types: impl Iterator<Item = &'t Type>) -> [Option<usize>; 2] {
    let mut found = [None; 2];
    for (at, ty) in types.enumerate().skip(3) {
        found[usize::from(ty.dtype == DType::U32)] = Some(at);
    }
    found
}

/// The axes of scores and weights: the heads of queries that share a head of keys have an axis of their own.
struct Form {
    group: i64,
    shape: Shape,
}

impl Form {
    fn new(call: &Call) -> Form {
        let [queries, keys] = [0, 1].map(|operand| &call.operand_types[operand]);
        let group = call.attributes.int("group");
        let [samples, _, positions, _] = queries.shape.extents() else { unreachable!("queries have four axes") };
        let [_, heads, seen, _] = keys.shape.extents() else { unreachable!("keys have four axes") };
        let mut extents = vec![samples.clone(), heads.clone(), positions.clone(), seen.clone()];
        if group > 1 {
            extents.insert(2, Extent::from(group));
        }
        Form { group, shape: Shape::new(extents) }
    }

    /// A value whose heads are those of the queries, or one for all, with the axes of the scores.
    fn grouped(&self, b: &mut Builder<'_>, x: ValueId) -> ValueId {
        if self.group == 1 {
            return x;
        }
        let mut extents = b.shape(x).extents().to_vec();
        let one = Extent::from(1);
        let (heads, group) = match extents[1] == one {
            true => (one.clone(), one),
            false => (self.shape.extents()[1].clone(), self.shape.extents()[2].clone()),
        };
        extents.splice(1..2, [heads, group]);
        reshape(b, x, &Shape::new(extents))
    }

    fn scores(&self) -> &'static str {
        if self.group == 1 { "nhle,nhse->nhls" } else { "nhgle,nhse->nhgls" }
    }

    fn results(&self) -> &'static str {
        if self.group == 1 { "nhls,nhsv->nhlv" } else { "nhgls,nhsv->nhglv" }
    }

    /// The axis along which keys lie.
    fn last(&self) -> usize {
        self.shape.rank() - 1
    }
}

/// Nothing where a condition does not hold: such a score has no weight.
fn seen_where(b: &mut Builder<'_>, condition: ValueId, scores: ValueId) -> ValueId {
    let nothing = constant_like(b, f64::NEG_INFINITY, scores);
    select(b, condition, scores, nothing)
}

/// The scores with a mask: of truths, which say what is seen, or of numbers, which are added.
fn with_mask(b: &mut Builder<'_>, form: &Form, scores: ValueId, mask: ValueId) -> ValueId {
    let mask = form.grouped(b, mask);
    let mask = broadcast(b, mask, &form.shape);
    match b.dtype(mask) {
        DType::Bool => seen_where(b, mask, scores),
        _ => super::add(b, scores, mask),
    }
}

/// The scores of keys that stand no later than the query.
fn with_past(b: &mut Builder<'_>, form: &Form, scores: ValueId) -> ValueId {
    let last = form.last();
    let mut places = |axis: usize| {
        let extent = form.shape.extents()[axis].clone();
        let place = iota(b, extent, Extent::from(0), 1, DType::U32);
        let others: Vec<usize> = (0..=last).filter(|&other| other != axis).collect();
        broadcast_over(b, place, &others, &form.shape)
    };
    let (row, column) = (places(last - 1), places(last));
    let past = le(b, column, row);
    seen_where(b, past, scores)
}

/// The softmax along the last axis; 0 where no score is finite.
fn weights(b: &mut Builder<'_>, form: &Form, scores: ValueId) -> ValueId {
    let largest = max(b, scores, &[form.last()]);
    let nothing = constant_like(b, f64::NEG_INFINITY, largest);
    let any = lt(b, nothing, largest);
    let any = broadcast_over(b, any, &[form.last()], &form.shape);
    let zero = constant_like(b, 0.0, scores);
    let scores = select(b, any, scores, zero);
    let weights = softmax(b, scores, form.last());
    select(b, any, weights, zero)
}

impl Op for Attention {
    fn name(&self) -> &'static str {
        "attention"
    }

    fn doc(&self) -> &'static str {
        "attention {causal, group, p, scale} (q: F<N, H, L, E>, k: F<N, K, S, E>, v: F<N, K, S, V>, mask: bool or F<N | 1, H | 1, L | 1, S | 1>, key: u32<2>) -> F<N, H, L, V>: softmax(scale * q k^T + mask) v for each sample and head, where group heads of q share one of k and v, so H = group K, a mask of bool says which keys are seen, causal shows a query no key behind its own position, a query that sees nothing gets 0, and weights are left out with probability p as dropout does; mask and key may be left out; the gradient is that of this formula, with the weights computed again"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let &[q, k, v, ref others @ ..] = infer.all() else {
            return infer.error(format!("takes 3 operands at least, not {}", infer.all().len()));
        };
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
        let group = infer.attributes.int("group");
        if group < 1 {
            return infer.error(format!("a head of keys is for 1 head of queries at least, not {group}"));
        }
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
        if !(0.0..=1.0).contains(&infer.attributes.float("p")) {
            return infer.error(format!("p is a probability, not {:?}", infer.attributes.float("p")));
        }
        let shape = [queries[0].clone(), queries[1].clone(), queries[2].clone(), values[3].clone()];
        Ok(vec![Type::new(q.dtype, Shape::new(shape.to_vec()))])
    }

    fn vjp(&self, _b: &mut Builder<'_>, _call: &Call, _cotangents: &[Option<ValueId>]) -> Vjp {
        Vjp::Recompute
    }

    fn lower(&self, _call: &Call) -> Lowering {
        Lowering::Expand
    }

    fn is_composite(&self) -> bool {
        true
    }

    fn expand(&self, b: &mut Builder<'_>, call: &Call) -> Vec<ValueId> {
        let form = Form::new(call);
        let [mask, key] = optional(call.operand_types.iter());
        let queries = form.grouped(b, call.operands[0]);
        let scores = contract(b, queries, call.operands[1], form.scores());
        let mut scores = scale(b, scores, call.attributes.float("scale"));
        if let Some(mask) = mask {
            scores = with_mask(b, &form, scores, call.operands[mask]);
        }
        if call.attributes.bool("causal") {
            scores = with_past(b, &form, scores);
        }
        // Without a mask every query sees the first key at least.
        let mut weights = if mask.is_some() { weights(b, &form, scores) } else { softmax(b, scores, form.last()) };
        if let Some(key) = key {
            weights = dropout(b, weights, call.operands[key], call.attributes.float("p"));
        }
        let result = contract(b, weights, call.operands[2], form.results());
        vec![reshape(b, result, &call.result_types[0].shape)]
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let (q, k, v) = (operands[0], operands[1], operands[2]);
        let [mask, key] = optional(call.operand_types.iter()).map(|at| at.map(|at| operands[at]));
        let mut result = Array::filled(q.dtype, &call.shape(), 0.0);
        for_each_point(&[q.shape[0], q.shape[1], q.shape[2]], |query| {
            let weights = reference_weights(call, [q, k], mask, key, query);
            for (s, weight) in weights.iter().enumerate() {
                let head = query[1] * k.shape[1] / q.shape[1];
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
            samples.push(sample([2, 4, 3, 5], [2, 3, 6], causal, None, 0.0));
            samples.push(sample([1, 1, 7, 4], [1, 7, 4], causal, None, 0.0));
            samples.push(sample([1, 4, 5, 2], [4, 5, 3], causal, Some((DType::Bool, [1, 1, 5, 5])), 0.0));
            samples.push(sample([2, 2, 3, 1], [2, 4, 1], causal, Some((DType::F32, [2, 1, 1, 4])), 0.0));
        }
        samples.extend([
            sample([2, 6, 2, 3], [3, 4, 2], false, Some((DType::F32, [1, 6, 2, 4])), 0.0),
            sample([2, 3, 4, 3], [3, 4, 2], true, None, 0.25),
            sample([1, 2, 3, 2], [1, 3, 2], false, Some((DType::Bool, [1, 2, 1, 3])), 0.5),
            sample([0, 2, 3, 2], [2, 3, 2], false, None, 0.0),
            sample([2, 2, 0, 2], [2, 3, 2], true, None, 0.0),
        ]);
        samples
    }
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

/// The weight of each key for the query at a sample, head and position.
fn reference_weights(
    call: &Call,
    [q, k]: [&Array; 2],
    mask: Option<&Array>,
    key: Option<&Array>,
    query: &[usize],
) -> Vec<f64> {
    let &[n, h, l] = query else { unreachable!("a query has a sample, a head and a position") };
    let (head, seen) = (h * k.shape[1] / q.shape[1], k.shape[2]);
    let score = |s: usize| {
        let product: f64 = (0..q.shape[3]).map(|e| q.at(&[n, h, l, e]) * k.at(&[n, head, s, e])).sum();
        let place = |mask: &Array| {
            let at = [n, h, l, s];
            let at: Vec<usize> = at.iter().zip(&mask.shape).map(|(&at, &extent)| at.min(extent - 1)).collect();
            mask.at(&at)
        };
        let added = match mask {
            Some(mask) if mask.dtype == DType::Bool => {
                if place(mask) != 0.0 {
                    0.0
                } else {
                    f64::NEG_INFINITY
                }
            }
            Some(mask) => place(mask),
            None => 0.0,
        };
        let past = !call.attributes.bool("causal") || s <= l;
        if past { product * call.attributes.float("scale") + added } else { f64::NEG_INFINITY }
    };
    let scores: Vec<f64> = (0..seen).map(score).collect();
    let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if largest == f64::NEG_INFINITY {
        return vec![0.0; seen];
    }
    let total: f64 = scores.iter().map(|score| (score - largest).exp()).sum();
    let p = call.attributes.float("p");
    let kept = |s: usize| match key {
        Some(key) => {
            let number = ((n * q.shape[1] + h) * q.shape[2] + l) * seen + s;
            let key = Key::from_words([0, 1].map(|half| key.elements[half] as u32));
            if key.uniform(number as u64) < f64::from(p as f32) { 0.0 } else { 1.0 / (1.0 - p) }
        }
        None => 1.0,
    };
    scores.iter().enumerate().map(|(s, score)| (score - largest).exp() / total * kept(s)).collect()
}

/// Queries of this shape, and keys and values of so many heads, how many there are, and how long values are.
fn sample(
    queries: [usize; 4],
    [heads, seen, length]: [usize; 3],
    causal: bool,
    mask: Option<(DType, [usize; 4])>,
    p: f64,
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
    Sample { attributes: attention_attributes(0.5, causal, group as i64, p), operands }
}
