//! The largest or smallest elements along an axis, in order.

use super::{
    argmax, broadcast, broadcast_over, cast, constant, constant_like, eq, gather, max, min, move_last, ne, one_hot, or,
    reshape, select,
};
use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, SampleOperand, TypeError, ValueId,
    Vjp,
};
use crate::nest::Reducer;
use crate::shape::{Extent, Shape, Type};

/// The op.
pub struct Topk;

/// The `k` largest (or smallest) elements along an axis in order, and where they stand.
pub fn topk(b: &mut Builder<'_>, x: ValueId, k: usize, axis: usize, largest: bool) -> [ValueId; 2] {
    let results = b.apply_all(&Topk, attributes(k, axis, largest), &[x]);
    [results[0], results[1]]
}

fn attributes(k: usize, axis: usize, largest: bool) -> Attributes {
    Attributes::none()
        .with("k", Attribute::Int(k as i64))
        .with("axis", Attribute::Int(axis as i64))
        .with("largest", Attribute::Bool(largest))
}

/// The search for one element after the other.
struct Search {
    x: ValueId,
    axis: usize,
    largest: bool,
}

impl Search {
    /// The position of the next element: the best of those that were not taken, of equals the first. A NaN is the largest.
    ///
    /// A score says 2 for what is best, 1 for what else is free and 0 for what was taken, so that the first maximum of the
    /// scores is free even where the best element equals what stands for a taken one.
    fn next(&self, b: &mut Builder<'_>, taken: Option<ValueId>) -> ValueId {
        let (x, axes) = (self.x, [self.axis]);
        let reducer = if self.largest { Reducer::Max } else { Reducer::Min };
        let worst = constant_like(b, reducer.identity(b.dtype(x)), x);
        let nan = ne(b, x, x);
        // Behind all numbers come NaNs where the smallest elements are wanted: there they are found as what else is free.
        let ignored = match (taken, self.largest) {
            (Some(taken), true) => Some(taken),
            (Some(taken), false) => Some(or(b, taken, nan)),
            (None, true) => None,
            (None, false) => Some(nan),
        };
        let considered = ignored.map_or(x, |ignored| select(b, ignored, worst, x));
        let best = if self.largest { max(b, considered, &axes) } else { min(b, considered, &axes) };
        let shape = b.shape(x);
        let best = broadcast_over(b, best, &axes, &shape);
        let equal = eq(b, x, best);
        let hit = if self.largest { or(b, equal, nan) } else { equal };
        let scores = self.scores(b, hit, taken);
        argmax(b, scores, self.axis)
    }

    fn scores(&self, b: &mut Builder<'_>, hit: ValueId, taken: Option<ValueId>) -> ValueId {
        let hits = cast(b, hit, DType::U32);
        let (zero, one) = (constant_like(b, 0.0, hits), constant_like(b, 1.0, hits));
        let scores = super::add(b, hits, one);
        taken.map_or(scores, |taken| select(b, taken, zero, scores))
    }

    /// What is taken once the element at that position is, too.
    fn with(&self, b: &mut Builder<'_>, taken: Option<ValueId>, position: ValueId) -> ValueId {
        let extent = b.shape(self.x).extents()[self.axis].clone();
        let this = one_hot(b, position, extent, DType::Bool);
        let this = move_last(b, this, self.axis);
        taken.map_or(this, |taken| or(b, taken, this))
    }
}

/// Values without an axis side by side along that axis of a shape.
fn stacked(b: &mut Builder<'_>, values: &[ValueId], axis: usize, shape: &Shape) -> ValueId {
    let zero = constant(b, 0.0, DType::U32);
    let mut stack = broadcast(b, zero, shape);
    let mut row = vec![Extent::from(1); shape.rank()];
    row[axis] = Extent::from(values.len());
    let row = Shape::new(row);
    for (place, &value) in values.iter().enumerate() {
        let place = constant(b, place as f64, DType::U32);
        let here = one_hot(b, place, Extent::from(values.len()), DType::Bool);
        let here = reshape(b, here, &row);
        let here = broadcast(b, here, shape);
        let value = broadcast_over(b, value, &[axis], shape);
        stack = select(b, here, value, stack);
    }
    stack
}

impl Op for Topk {
    fn name(&self) -> &'static str {
        "topk"
    }

    fn doc(&self) -> &'static str {
        "topk {k, axis, largest} (x: T<S>) -> T<R>, u32<R>: the k largest, or smallest, elements along the axis from the first on, and where they stand; R is S with k on the axis. Of equals the first comes first, and a NaN is above all numbers. The gradient goes where the elements stand"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [x] = infer.operands()?;
        let axis = infer.axis(x, infer.attributes.axis("axis"))?;
        if x.dtype == DType::Bool {
            return infer.error("takes numbers, not bool");
        }
        let (k, extent) = (Extent::from(infer.attributes.int("k")), x.shape.extents()[axis].clone());
        infer.at_most(&k, &extent, format_args!("takes {k} of the {extent} elements on axis {axis}"))?;
        if extent.known() == Some(0) {
            return infer.error(format!("axis {axis} of {x} is empty"));
        }
        let mut extents = x.shape.extents().to_vec();
        extents[axis] = k;
        let shape = Shape::new(extents);
        Ok(vec![Type::new(x.dtype, shape.clone()), Type::new(DType::U32, shape)])
    }

    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        let Some(g) = cotangents[0] else { return Vjp::none(call) };
        let axis = call.attributes.axis("axis");
        let extent = call.operand_types[0].shape.extents()[axis].clone();
        Vjp::Operands(vec![Some(super::scatter_sum(b, g, call.results[1], axis, extent))])
    }

    fn lower(&self, _call: &Call) -> Lowering {
        Lowering::Expand
    }

    fn is_composite(&self) -> bool {
        true
    }

    fn expand(&self, b: &mut Builder<'_>, call: &Call) -> Vec<ValueId> {
        let (x, axis) = (call.operands[0], call.attributes.axis("axis"));
        let search = Search { x, axis, largest: call.attributes.bool("largest") };
        let (mut taken, mut positions) = (None, Vec::new());
        for _ in 0..call.attributes.int("k") {
            let position = search.next(b, taken);
            taken = Some(search.with(b, taken, position));
            positions.push(position);
        }
        let index = stacked(b, &positions, axis, &call.result_types[1].shape);
        vec![gather(b, x, index, axis), index]
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let (x, axis, largest) = (operands[0], call.attributes.axis("axis"), call.attributes.bool("largest"));
        let along = |point: &[usize], i: usize| x.at(&[&point[..axis], &[i], &point[axis + 1..]].concat());
        // NaN is above all numbers, and a stable sort keeps equals in order.
        let compare = |a: f64, b: f64| a.partial_cmp(&b).unwrap_or(a.is_nan().cmp(&b.is_nan()));
        let position = |point: &[usize]| {
            let mut order: Vec<usize> = (0..x.shape[axis]).collect();
            order.sort_by(|&i, &j| {
                let ascending = compare(along(point, i), along(point, j));
                if largest { ascending.reverse() } else { ascending }
            });
            order[point[axis]] as f64
        };
        let positions = Array::build(DType::U32, &call.shape(), position);
        let value = |point: &[usize]| along(point, positions.at(point) as usize);
        vec![Array::build(x.dtype, &call.shape(), value), positions]
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [(&[usize], usize, usize, bool, DType); 11] = [
            (&[5], 0, 3, true, DType::F32),
            (&[5], 0, 3, false, DType::F32),
            (&[33], 0, 4, true, DType::F32),
            (&[3, 7], 1, 2, true, DType::F32),
            (&[7, 3], 0, 3, false, DType::F32),
            (&[2, 5, 3], 1, 5, true, DType::F32),
            (&[1], 0, 1, true, DType::F32),
            (&[0, 3], 1, 2, true, DType::F32),
            (&[3, 5], 1, 0, true, DType::F32),
            // Integers from a small range have equal elements.
            (&[3, 11], 1, 4, true, DType::U32),
            (&[3, 11], 1, 4, false, DType::I32),
        ];
        let sample = |(shape, axis, k, largest, dtype): (&[usize], usize, usize, bool, DType)| Sample {
            attributes: attributes(k, axis, largest),
            operands: vec![SampleOperand::numbers(dtype, shape, Fill::Distinct)],
        };
        cases.map(sample).to_vec()
    }
}
