//! The sum of all windows, each where it lies: the way back from [`windows`](super::windows()).

use super::windows;
use super::windows::{CASES, Case, Window};
use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, SampleOperand, TypeError, ValueId,
    Vjp, for_each_point,
};
use crate::nest::{Body, Index, Nest, Read, Reducer, Scalar, ScalarId};
use crate::scalar::ScalarOp;
use crate::shape::{Extent, Shape, Type};

/// The op.
pub struct Fold;

/// The sum of windows along an axis of this extent, given as two: which window and which of its elements.
pub fn fold(b: &mut Builder<'_>, x: ValueId, axis: usize, window: Window, extent: Extent) -> ValueId {
    b.apply(&Fold, attributes(axis, window, extent), &[x])
}

fn attributes(axis: usize, window: Window, extent: Extent) -> Attributes {
    window.attributes(axis).with("extent", Attribute::Extent(extent))
}

/// Where the windows find what lies at a position of the result: one of them per position of a reduction axis.
struct Source {
    /// How many windows may show the position.
    taps: usize,
    /// Which window, and which of its elements; neither need be one that there is.
    place: [Index; 2],
    /// What must hold for them to be, as comparisons of numbers that are never negative.
    inside: Vec<[Index; 2]>,
    /// What must be 0.
    even: Option<Index>,
}

impl Source {
    /// The source of the position on `axis`, as axis `tap` counts the windows that may show it.
    fn new(window: Window, axis: usize, tap: usize, count: i64, extents: &[usize]) -> Source {
        let (position, tap) = (Index::axis(axis), Index::axis(tap));
        let Window { size, stride, dilation } = window;
        let one = Index::constant(1);
        if dilation == 1 {
            // Only every `stride`-th element of a window may lie at the position.
            let taps = (size as usize).div_ceil(stride as usize);
            let nearest = position.divided(stride, extents);
            let element = position.modulo(stride, extents).plus(&tap.clone().times(stride));
            let inside = vec![
                [tap.clone(), nearest.clone()],
                [nearest.clone().plus(&one), tap.clone().plus(&Index::constant(count))],
                [element.clone().plus(&one), Index::constant(size)],
            ];
            return Source { taps, place: [nearest.plus(&tap.times(-1)), element], inside, even: None };
        }
        // Counted from so many windows ahead, no position is negative.
        let ahead = (dilation * (size - 1) + stride - 1) / stride;
        let start = position.clone().plus(&tap.clone().times(-dilation)).plus(&Index::constant(ahead * stride));
        let reached = tap.clone().times(dilation);
        let inside = vec![
            [reached.clone(), position.clone()],
            [position.plus(&one), reached.plus(&Index::constant(count * stride))],
        ];
        let which = start.divided(stride, extents).plus(&Index::constant(-ahead));
        let even = Some(start.modulo(stride, extents)).filter(|rest| *rest != Index::default());
        Source { taps: size as usize, place: [which, tap], inside, even }
    }

    /// The scalar that says whether there is such an element; `None` if there always is.
    fn guard(&self, body: &mut Body, extents: &[usize]) -> Option<ScalarId> {
        let mut guards = Vec::new();
        for [low, high] in &self.inside {
            let room = high.clone().plus(&low.clone().times(-1));
            if room.range(extents).0 < 0 {
                let [low, high] = [low, high].map(|index| body.push(Scalar::Index(index.clone())));
                guards.push(body.apply(ScalarOp::Le, &[low, high]));
            }
        }
        if let Some(rest) = &self.even {
            let (rest, none) = (body.push(Scalar::Index(rest.clone())), body.constant(DType::U32, 0.0));
            guards.push(body.apply(ScalarOp::Eq, &[rest, none]));
        }
        guards.into_iter().reduce(|all, guard| body.apply(ScalarOp::And, &[all, guard]))
    }
}

impl Op for Fold {
    fn name(&self) -> &'static str {
        "fold"
    }

    fn doc(&self) -> &'static str {
        "fold {axis, size, stride, dilation, extent} (x: T<S>) -> T<R>: the sum of element k of window i over all i * stride + k * dilation that are the position on the axis; R is S with one axis of that extent for the two, windows and elements. The gradient is windows of g"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [x] = infer.operands()?;
        let axis = infer.axis(x, infer.attributes.axis("axis"))?;
        infer.axis(x, axis + 1)?;
        if x.dtype == DType::Bool {
            return infer.error("takes numbers, not bool");
        }
        let (window, extent) = (Window::of(infer.attributes), infer.attributes.extent("extent"));
        let mut extents = x.shape.extents().to_vec();
        window.check(infer, &extent, axis)?;
        let size = extents.remove(axis + 1);
        infer.same_extent(&size, &Extent::from(window.size), format_args!("windows of {} have {size}", window.size))?;
        let count = window.count(&extent);
        let headline = format!("{} windows along an extent that has {count}", extents[axis]);
        infer.same_extent(&extents[axis], &count, headline)?;
        extents[axis] = extent;
        Ok(vec![Type::new(x.dtype, Shape::new(extents))])
    }

    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        let Some(g) = cotangents[0] else { return Vjp::none(call) };
        let window = Window::of(&call.attributes);
        Vjp::Operands(vec![Some(windows(b, g, call.attributes.axis("axis"), window))])
    }

    fn lower(&self, call: &Call) -> Lowering {
        let (axis, window) = (call.attributes.axis("axis"), Window::of(&call.attributes));
        let (dtype, shape, x) = (call.result_types[0].dtype, call.shape(), call.operand_shape(0));
        let tap = shape.len();
        // Only how long the axis of taps is depends on where they are.
        let whole: Vec<usize> = shape.iter().copied().chain([x[axis + 1]]).collect();
        let taps = Source::new(window, axis, tap, x[axis] as i64, &whole).taps;
        let extents: Vec<usize> = shape.iter().copied().chain([taps]).collect();
        let source = Source::new(window, axis, tap, x[axis] as i64, &extents);
        let mut body = Body::default();
        let guard = source.guard(&mut body, &extents);
        let mut index: Vec<Index> = (0..shape.len()).map(Index::axis).collect();
        let [which, element] = source.place;
        index[axis] = which.clamped(x[axis] as i64, &extents);
        index.insert(axis + 1, element.clamped(x[axis + 1] as i64, &extents));
        let value = body.push(Scalar::Read(0));
        if let Some(guard) = guard {
            let zero = body.constant(dtype, 0.0);
            body.apply(ScalarOp::Select, &[guard, value, zero]);
        }
        Lowering::Nest(Nest {
            outputs: shape.len(),
            extents,
            reads: vec![Read { operand: 0, dtype, index }],
            body,
            reducer: Some(Reducer::Sum),
            epilogue: None,
            dtype,
        })
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let (axis, x) = (call.attributes.axis("axis"), operands[0]);
        let [stride, dilation] = ["stride", "dilation"].map(|name| call.attributes.int(name) as usize);
        let mut sum = Array::filled(x.dtype, &call.shape(), 0.0);
        for_each_point(&x.shape, |point| {
            let mut place = point.to_vec();
            let within = place.remove(axis + 1);
            place[axis] = place[axis] * stride + within * dilation;
            sum.set(&place, sum.at(&place) + x.at(point));
        });
        vec![sum]
    }

    fn samples(&self) -> Vec<Sample> {
        let sample = |(shape, axis, [size, stride, dilation], dtype): Case| {
            let (window, extent) = (Window { size, stride, dilation }, Extent::from(shape[axis]));
            let count = window.count(&extent).known().expect("all extents are known") as usize;
            let [before, after] = [&shape[..axis], &shape[axis + 1..]];
            let operand = [before, &[count, size as usize], after].concat();
            Sample {
                attributes: attributes(axis, window, extent),
                operands: vec![SampleOperand::numbers(dtype, &operand, Fill::Between(-2.0, 2.0))],
            }
        };
        CASES.map(sample).to_vec()
    }
}
