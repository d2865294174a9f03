//! What attention and its gradient are made of: the weights of keys for rows of queries, for all of them or for a block.
//!
//! Arrays of half precision hold what comes in and goes out, and what products take; scores and what is made of them are f32.

use super::dropout::dropped;
use super::random_rows::random_rows;
use super::{
    add, broadcast, broadcast_over, cast, constant_like, contract, iota, le, lt, max, mul, reshape, scale, select,
    softmax, sub, sum,
};
use crate::dtype::DType;
use crate::graph::{Builder, Call, ValueId};
use crate::shape::{Extent, Shape};

/// Which operands of a call, from one position on, are a mask and a key of random numbers.
pub fn optional(call: &Call, first: usize) -> [Option<usize>; 2] {
    let mut found = [None; 2];
    for (at, ty) in call.operand_types.iter().enumerate().skip(first) {
        found[usize::from(ty.dtype == DType::U32)] = Some(at);
    }
    found
}

/// The scores of some rows of queries. Heads of queries that share a head of keys have an axis of their own.
#[derive(Clone)]
pub struct Form {
    causal: bool,
    group: i64,
    p: f64,
    scale: f64,
    dtype: DType,
    /// The axes of the scores of all queries.
    all: Shape,
    /// The same of these rows.
    scores: Shape,
}

/// What the scores are made of, with the axes of the form.
#[derive(Clone)]
pub struct Inputs {
    /// The queries of the rows.
    pub queries: ValueId,
    /// All keys.
    pub keys: ValueId,
    /// All values.
    pub values: ValueId,
    /// Where the rows stand among all.
    pub rows: ValueId,
    /// What is seen or added.
    pub mask: Option<Mask>,
    /// What weights are left out by.
    pub key: Option<ValueId>,
}

/// A mask, which may differ from row to row.
#[derive(Clone, Copy)]
pub struct Mask {
    /// The mask.
    pub value: ValueId,
    /// Whether it has an axis of rows.
    pub by_row: bool,
}

/// Gradients; but for the queries' they are of f32 where arrays are of half precision.
pub struct Gradients {
    /// Of the queries of the rows.
    pub queries: ValueId,
    /// Of all keys.
    pub keys: ValueId,
    /// Of all values.
    pub values: ValueId,
    /// Of the mask, if it is one of numbers.
    pub mask: Option<ValueId>,
}

impl Form {
    /// The form of all rows of a call that begins with queries and keys.
    pub fn new(call: &Call) -> Form {
        let [queries, keys] = [0, 1].map(|operand| &call.operand_types[operand]);
        let group = call.attributes.int("group");
        let [samples, _, rows, _] = queries.shape.extents() else { unreachable!("queries have four axes") };
        let [_, heads, seen, _] = keys.shape.extents() else { unreachable!("keys have four axes") };
        let mut extents = vec![samples.clone(), heads.clone(), rows.clone(), seen.clone()];
        if group > 1 {
            extents.insert(2, Extent::from(group));
        }
        let all = Shape::new(extents);
        let (causal, p, scale) =
            (call.attributes.bool("causal"), call.attributes.float("p"), call.attributes.float("scale"));
        Form { causal, group, p, scale, dtype: queries.dtype, scores: all.clone(), all }
    }

    /// The form of so many of the rows.
    pub fn with_rows(&self, rows: Extent) -> Form {
        let mut extents = self.all.extents().to_vec();
        extents[self.rows_axis()] = rows;
        Form { scores: Shape::new(extents), ..self.clone() }
    }

    /// The axes of the scores of all queries.
    pub fn all(&self) -> &Shape {
        &self.all
    }

    /// The axis of rows, which all that has rows has there.
    pub fn rows_axis(&self) -> usize {
        self.all.rank() - 2
    }

    fn keys_axis(&self) -> usize {
        self.all.rank() - 1
    }

    /// What all rows of a call are made of; its optional operands stand from `first` on.
    pub fn inputs(&self, b: &mut Builder<'_>, call: &Call, first: usize) -> Inputs {
        let [mask, key] = optional(call, first).map(|at| at.map(|at| call.operands[at]));
        let mask = mask.map(|mask| {
            let value = self.grouped(b, mask);
            Mask { value, by_row: b.shape(value).extents()[self.rows_axis()] != Extent::from(1) }
        });
        let rows = self.all.extents()[self.rows_axis()].clone();
        Inputs {
            queries: self.grouped(b, call.operands[0]),
            keys: call.operands[1],
            values: call.operands[2],
            rows: iota(b, rows, Extent::from(0), 1, DType::U32),
            mask,
            key,
        }
    }

    /// A value whose heads are those of the queries, or one for all, with the axes of the scores.
    pub fn grouped(&self, b: &mut Builder<'_>, x: ValueId) -> ValueId {
        if self.group == 1 {
            return x;
        }
        let mut extents = b.shape(x).extents().to_vec();
        let one = Extent::from(1);
        let (heads, group) = match extents[1] == one {
            true => (one.clone(), one),
            false => (self.all.extents()[1].clone(), self.all.extents()[2].clone()),
        };
        extents.splice(1..2, [heads, group]);
        reshape(b, x, &Shape::new(extents))
    }

    /// A contraction whose labels have a `g` for heads that share keys.
    fn contract(&self, b: &mut Builder<'_>, left: ValueId, right: ValueId, equation: &str) -> ValueId {
        let labels = |label: &char| self.group > 1 || *label != 'g';
        contract(b, left, right, &equation.chars().filter(labels).collect::<String>())
    }

    /// An array with one axis, for each score.
    fn along(&self, b: &mut Builder<'_>, x: ValueId, axis: usize) -> ValueId {
        let others: Vec<usize> = (0..self.all.rank()).filter(|&other| other != axis).collect();
        broadcast_over(b, x, &others, &self.scores)
    }

    fn scores(&self, b: &mut Builder<'_>, inputs: &Inputs) -> ValueId {
        let scores = self.contract(b, inputs.queries, inputs.keys, "nhgle,nhse->nhgls");
        let scores = cast(b, scores, self.dtype.computed());
        let mut scores = scale(b, scores, self.scale);
        if let Some(mask) = inputs.mask {
            scores = self.with_mask(b, scores, mask.value);
        }
        if self.causal {
            let keys = self.all.extents()[self.keys_axis()].clone();
            let columns = iota(b, keys, Extent::from(0), 1, DType::U32);
            let columns = self.along(b, columns, self.keys_axis());
            let rows = self.along(b, inputs.rows, self.rows_axis());
            let past = le(b, columns, rows);
            scores = seen_where(b, past, scores);
        }
        scores
    }

    /// The scores with a mask: of truths, which say what is seen, or of numbers, which are added.
    fn with_mask(&self, b: &mut Builder<'_>, scores: ValueId, mask: ValueId) -> ValueId {
        let is_truth = b.dtype(mask) == DType::Bool;
        let mask = if is_truth { mask } else { cast(b, mask, self.dtype.computed()) };
        let mask = broadcast(b, mask, &self.scores);
        if is_truth { seen_where(b, mask, scores) } else { add(b, scores, mask) }
    }

    /// What is left of weights, or of their gradients.
    fn kept(&self, b: &mut Builder<'_>, inputs: &Inputs, weights: ValueId) -> ValueId {
        let Some(key) = inputs.key else { return weights };
        let numbers = random_rows(b, key, inputs.rows, &self.all, self.rows_axis());
        dropped(b, weights, numbers, self.p)
    }

    /// The softmax of the scores along the keys; 0 where no score is finite, which takes a mask.
    fn weights(&self, b: &mut Builder<'_>, inputs: &Inputs) -> ValueId {
        let (scores, keys) = (self.scores(b, inputs), self.keys_axis());
        if inputs.mask.is_none() {
            return softmax(b, scores, keys);
        }
        let largest = max(b, scores, &[keys]);
        let nothing = constant_like(b, f64::NEG_INFINITY, largest);
        let any = lt(b, nothing, largest);
        let any = broadcast_over(b, any, &[keys], &self.scores);
        let zero = constant_like(b, 0.0, scores);
        let scores = select(b, any, scores, zero);
        let weights = softmax(b, scores, keys);
        select(b, any, weights, zero)
    }

    /// The results of these rows.
    pub fn attended(&self, b: &mut Builder<'_>, inputs: &Inputs) -> ValueId {
        let weights = self.weights(b, inputs);
        let kept = self.kept(b, inputs, weights);
        let kept = cast(b, kept, self.dtype);
        self.contract(b, kept, inputs.values, "nhgls,nhsv->nhglv")
    }

    /// What goes back from these rows, to which these cotangents of their results come.
    pub fn gradients(&self, b: &mut Builder<'_>, inputs: &Inputs, cotangent: ValueId) -> Gradients {
        let weights = self.weights(b, inputs);
        let kept = self.kept(b, inputs, weights);
        let kept = cast(b, kept, self.dtype);
        let values = self.contract(b, kept, cotangent, "nhgls,nhglv->nhsv");
        let of_weights = self.contract(b, cotangent, inputs.values, "nhglv,nhsv->nhgls");
        let of_weights = cast(b, of_weights, self.dtype.computed());
        let of_weights = self.kept(b, inputs, of_weights);
        let product = mul(b, of_weights, weights);
        let mean = sum(b, product, &[self.keys_axis()]);
        let mean = broadcast_over(b, mean, &[self.keys_axis()], &self.scores);
        let more = sub(b, of_weights, mean);
        let of_scores = mul(b, weights, more);
        let narrow = cast(b, of_scores, self.dtype);
        let queries = self.contract(b, narrow, inputs.keys, "nhgls,nhse->nhgle");
        let keys = self.contract(b, narrow, inputs.queries, "nhgls,nhgle->nhse");
        let [keys, values] = [keys, values].map(|x| cast(b, x, self.dtype.computed()));
        let mask = inputs.mask.filter(|mask| b.dtype(mask.value) != DType::Bool);
        Gradients {
            queries: scale(b, queries, self.scale),
            keys: scale(b, keys, self.scale),
            values,
            mask: mask.map(|mask| repeated_back(b, of_scores, mask.value)),
        }
    }
}

/// Nothing where a condition does not hold: such a score has no weight.
fn seen_where(b: &mut Builder<'_>, condition: ValueId, scores: ValueId) -> ValueId {
    let nothing = constant_like(b, f64::NEG_INFINITY, scores);
    select(b, condition, scores, nothing)
}

/// The sum over the axes along which a value is repeated, which has as many axes.
fn repeated_back(b: &mut Builder<'_>, gradient: ValueId, x: ValueId) -> ValueId {
    let (from, to, one) = (b.shape(x), b.shape(gradient), Extent::from(1));
    let repeated = |&axis: &usize| from.extents()[axis] == one && to.extents()[axis] != one;
    let axes: Vec<usize> = (0..from.rank()).filter(repeated).collect();
    let total = sum(b, gradient, &axes);
    reshape(b, total, &from)
}
