//! The windows that slide along an axis: what convolutions and pooling look through.

use super::fold;
use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, SampleOperand, TypeError, ValueId,
    Vjp,
};
use crate::nest::Index;
use crate::shape::{Extent, Shape, Type};

/// The op.
pub struct Windows;

/// How windows lie along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// How many elements a window shows.
    pub size: i64,
    /// How far the first elements of neighbouring windows are apart.
    pub stride: i64,
    /// How far neighbouring elements of a window are apart.
    pub dilation: i64,
}

impl Window {
    /// What the attributes of a node say.
    pub(super) fn of(attributes: &Attributes) -> Window {
        Window { size: attributes.int("size"), stride: attributes.int("stride"), dilation: attributes.int("dilation") }
    }

    /// The attributes of a node with these windows.
    pub fn attributes(self, axis: usize) -> Attributes {
        Attributes::none()
            .with("axis", Attribute::Int(axis as i64))
            .with("size", Attribute::Int(self.size))
            .with("stride", Attribute::Int(self.stride))
            .with("dilation", Attribute::Int(self.dilation))
    }

    /// From the first element of a window to behind the last.
    pub fn reach(self) -> i64 {
        self.dilation * (self.size - 1) + 1
    }

    /// How many windows an axis has room for, if it has room for one.
    pub fn count(self, extent: &Extent) -> Extent {
        let starts = extent.clone() - Extent::from(self.reach()) + Extent::from(self.stride);
        starts.floor_div(&Extent::from(self.stride)).expect("the stride is not 0")
    }

    /// Refuses sizes, strides and dilations below 1, and axes that have no room for a window.
    pub(super) fn check(self, infer: &mut Infer<'_>, extent: &Extent, axis: usize) -> Result<(), TypeError> {
        for (name, value) in [("size", self.size), ("stride", self.stride), ("dilation", self.dilation)] {
            if value < 1 {
                return infer.error(format!("{name} is {value}, which is less than 1"));
            }
        }
        let reach = self.reach();
        let headline = format!("a window of {reach} does not fit axis {axis} of extent {extent}");
        infer.at_most(&Extent::from(reach), extent, &headline)
    }
}

/// The windows along an axis: it becomes two, which window and which of its elements.
pub fn windows(b: &mut Builder<'_>, x: ValueId, axis: usize, window: Window) -> ValueId {
    b.apply(&Windows, window.attributes(axis), &[x])
}

impl Op for Windows {
    fn name(&self) -> &'static str {
        "windows"
    }

    fn doc(&self) -> &'static str {
        "windows {axis, size, stride, dilation} (x: T<S>) -> T<R>: element k of window i is the one at i * stride + k * dilation on the axis; R is S with two axes for that one, as many as windows fit and size. The gradient is fold of g"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [x] = infer.operands()?;
        let axis = infer.axis(x, infer.attributes.axis("axis"))?;
        let window = Window::of(infer.attributes);
        let mut extents = x.shape.extents().to_vec();
        window.check(infer, &extents[axis], axis)?;
        extents[axis] = window.count(&extents[axis]);
        extents.insert(axis + 1, Extent::from(window.size));
        Ok(vec![Type::new(x.dtype, Shape::new(extents))])
    }

    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        let Some(g) = cotangents[0] else { return Vjp::none(call) };
        let axis = call.attributes.axis("axis");
        let extent = call.operand_types[0].shape.extents()[axis].clone();
        Vjp::Operands(vec![Some(fold(b, g, axis, Window::of(&call.attributes), extent))])
    }

    fn lower(&self, call: &Call) -> Lowering {
        let (axis, window) = (call.attributes.axis("axis"), Window::of(&call.attributes));
        let element = |at: usize| match at {
            _ if at < axis => Index::axis(at),
            _ if at > axis => Index::axis(at + 1),
            _ => Index::axis(at).times(window.stride).plus(&Index::axis(at + 1).times(window.dilation)),
        };
        Lowering::View((0..call.operand_shape(0).len()).map(element).collect())
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let (axis, x) = (call.attributes.axis("axis"), operands[0]);
        let [stride, dilation] = ["stride", "dilation"].map(|name| call.attributes.int(name) as usize);
        let element = |point: &[usize]| {
            let mut source = point.to_vec();
            let within = source.remove(axis + 1);
            source[axis] = source[axis] * stride + within * dilation;
            x.at(&source)
        };
        vec![Array::build(x.dtype, &call.shape(), element)]
    }

    fn samples(&self) -> Vec<Sample> {
        let sample = |(shape, axis, [size, stride, dilation], dtype): Case| Sample {
            attributes: Window { size, stride, dilation }.attributes(axis),
            operands: vec![SampleOperand::numbers(dtype, shape, Fill::Between(-2.0, 2.0))],
        };
        CASES.map(sample).to_vec()
    }
}

/// A shape, an axis of it, size, stride and dilation of windows along that, and the element type.
pub(super) type Case = (&'static [usize], usize, [i64; 3], DType);

/// Windows next to each other, apart, and overlapping.
pub(super) const CASES: [Case; 15] = [
    (&[7], 0, [3, 1, 1], DType::F32),
    (&[7], 0, [3, 2, 1], DType::F32),
    (&[8], 0, [2, 2, 1], DType::F32),
    (&[9], 0, [2, 2, 1], DType::F32),
    (&[9], 0, [2, 3, 1], DType::F32),
    (&[9], 0, [3, 1, 2], DType::F32),
    (&[9], 0, [3, 2, 3], DType::F32),
    (&[11], 0, [3, 4, 2], DType::F32),
    (&[7], 0, [7, 1, 1], DType::F32),
    (&[1], 0, [1, 1, 1], DType::F32),
    (&[3, 5], 0, [2, 1, 1], DType::F32),
    (&[3, 5], 1, [1, 2, 1], DType::F32),
    (&[2, 6, 3], 1, [3, 2, 1], DType::I32),
    (&[2, 5, 3], 1, [5, 1, 1], DType::F32),
    (&[0, 5], 1, [2, 1, 1], DType::F32),
];
