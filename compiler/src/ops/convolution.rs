//! What the three ops of a convolution share: how its windows lie, which shapes go with each other, and the naive sums.
//!
//! A convolution ties three values: the input x of shape N, C, spatial extents; the weight w of shape O, C / groups, spatial
//! sizes; and the output y of shape N, O, counts of windows. Each of the ops makes one of them from the other two, by the
//! same products in sums over other axes, and so each is the gradient of the others.

use super::windows::Window;
use super::{pad, reshape, windows};
use crate::dtype::DType;
use crate::graph::{
    Attribute, Attributes, Builder, Fill, Infer, Sample, SampleOperand, TypeError, ValueId, for_each_point,
};
use crate::shape::{Extent, Shape, Type};

/// How a convolution looks at its input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Geometry {
    /// The windows along each spatial axis.
    pub windows: Vec<Window>,
    /// How many zeros stand before and after each spatial axis.
    pub padding: Vec<[i64; 2]>,
    /// How many parts the channels fall into that know nothing of each other.
    pub groups: i64,
}

/// The axis where spatial axes begin.
pub(super) const SPATIAL: usize = 2;

impl Geometry {
    /// What the attributes of a node say, one entry per spatial axis; the type rules see to that.
    pub(super) fn of(attributes: &Attributes) -> Geometry {
        let [size, stride, dilation, padding] =
            ["size", "stride", "dilation", "padding"].map(|name| attributes.ints(name));
        let window = |axis: usize| Window { size: size[axis], stride: stride[axis], dilation: dilation[axis] };
        Geometry {
            windows: (0..size.len()).map(window).collect(),
            padding: padding.chunks(2).map(|pair| [pair[0], pair[1]]).collect(),
            groups: attributes.int("groups"),
        }
    }

    /// The attributes of a node with this geometry.
    pub fn attributes(&self) -> Attributes {
        let ints = |value: fn(&Window) -> i64| Attribute::Ints(self.windows.iter().map(value).collect());
        Attributes::none()
            .with("size", ints(|window| window.size))
            .with("stride", ints(|window| window.stride))
            .with("dilation", ints(|window| window.dilation))
            .with("padding", Attribute::Ints(self.padding.as_flattened().to_vec()))
            .with("groups", Attribute::Int(self.groups))
    }

    /// How many spatial axes there are.
    pub fn rank(&self) -> usize {
        self.windows.len()
    }

    /// The geometry that the attributes of a node name, if they fit each other.
    pub(super) fn infer(infer: &Infer<'_>) -> Result<Geometry, TypeError> {
        let [size, stride, dilation, padding] =
            ["size", "stride", "dilation", "padding"].map(|name| infer.attributes.ints(name).len());
        if size == 0 || [stride, dilation, padding / 2, padding.div_ceil(2)] != [size; 4] {
            return infer.error(format!(
                "sizes {size}, strides {stride}, dilations {dilation} and paddings {padding} are not one, one, one and two per axis"
            ));
        }
        let geometry = Geometry::of(infer.attributes);
        match (geometry.groups, geometry.padding.as_flattened().iter().find(|&&padding| padding < 0)) {
            (groups @ ..1, _) => infer.error(format!("groups is {groups}, which is less than 1")),
            (_, Some(padding)) => infer.error(format!("padding is {padding}, which is less than 0")),
            _ => Ok(geometry),
        }
    }

    /// Demands that a value has a batch, channels and spatial axes.
    pub(super) fn ranked(&self, infer: &Infer<'_>, what: &str, ty: &Type) -> Result<(), TypeError> {
        infer.float(ty)?;
        match ty.rank() == SPATIAL + self.rank() {
            true => Ok(()),
            false => infer.error(format!("the {what} {ty} has not {} axes", SPATIAL + self.rank())),
        }
    }

    /// Demands that a weight has the sizes of the windows, and as many rows as the groups share. The rows of each group.
    pub(super) fn weight(&self, infer: &mut Infer<'_>, weight: &Type) -> Result<Extent, TypeError> {
        self.ranked(infer, "weight", weight)?;
        for (axis, window) in self.windows.iter().enumerate() {
            let (found, size) = (&weight.shape.extents()[SPATIAL + axis], Extent::from(window.size));
            infer.same_extent(found, &size, format_args!("a window of {size} and the weight {weight} differ"))?;
        }
        self.share(infer, &weight.shape.extents()[0], "rows of the weight")
    }

    /// Demands that the groups share an extent evenly. The share of each.
    pub(super) fn share(&self, infer: &mut Infer<'_>, extent: &Extent, what: &str) -> Result<Extent, TypeError> {
        let groups = Extent::from(self.groups);
        let share = extent.floor_div(&groups).expect("there is a group");
        let headline = format!("{} groups do not share {extent} {what} evenly", self.groups);
        infer.same_extent(&(share.clone() * groups), extent, headline)?;
        Ok(share)
    }

    /// The spatial extents of the output, given those of the input, which must have room for a window.
    pub(super) fn counts(&self, infer: &mut Infer<'_>, spatial: &[Extent]) -> Result<Vec<Extent>, TypeError> {
        let mut counts = Vec::new();
        for (axis, (window, [before, after])) in self.windows.iter().zip(&self.padding).enumerate() {
            let padded = spatial[axis].clone() + Extent::from(before + after);
            window.check(infer, &padded, SPATIAL + axis)?;
            counts.push(window.count(&padded));
        }
        Ok(counts)
    }

    /// The windows of an input, each spatial axis having become two, with the zeros around it.
    pub(super) fn seen(&self, b: &mut Builder<'_>, x: ValueId) -> ValueId {
        let mut seen = x;
        for (axis, [before, after]) in self.padding.iter().enumerate() {
            seen = pad(b, seen, SPATIAL + axis, Extent::from(*before), Extent::from(*after), 0.0);
        }
        // The last axis first: the numbers of those before it stay.
        for (axis, window) in self.windows.iter().enumerate().rev() {
            seen = windows(b, seen, SPATIAL + axis, *window);
        }
        seen
    }

    /// The value with an axis of groups before the channels, which are at this axis, if there is more than one.
    pub(super) fn grouped(&self, b: &mut Builder<'_>, x: ValueId, axis: usize) -> ValueId {
        if self.groups == 1 {
            return x;
        }
        let mut extents = b.shape(x).extents().to_vec();
        let groups = Extent::from(self.groups);
        extents[axis] = extents[axis].floor_div(&groups).expect("there is a group");
        extents.insert(axis, groups);
        reshape(b, x, &Shape::new(extents))
    }

    /// The value without the axis of groups before the channels.
    pub(super) fn joined(&self, b: &mut Builder<'_>, x: ValueId, axis: usize) -> ValueId {
        if self.groups == 1 {
            return x;
        }
        let mut extents = b.shape(x).extents().to_vec();
        let groups = extents.remove(axis);
        extents[axis] = extents[axis].clone() * groups;
        reshape(b, x, &Shape::new(extents))
    }

    /// The labels of the three values in equations: windows of the input, weight, and output.
    pub(super) fn labels(&self) -> [String; 3] {
        let group = if self.groups == 1 { "" } else { "g" };
        let [counts, sizes] = ["pqr", "uvw"].map(|labels| &labels[..self.rank()]);
        let seen: String = counts.chars().zip(sizes.chars()).flat_map(|(count, size)| [count, size]).collect();
        [format!("n{group}c{seen}"), format!("{group}oc{sizes}"), format!("n{group}o{counts}")]
    }

    /// Runs `visit` for each product: the points of input, weight and output that it ties.
    pub(super) fn for_each_product(
        &self,
        [weight, output]: [&[usize]; 2],
        spatial: &[usize],
        mut visit: impl FnMut(&[usize], &[usize], &[usize]),
    ) {
        let per_group = weight[0] / self.groups as usize;
        let points: Vec<usize> = output.iter().chain(&weight[1..]).copied().collect();
        for_each_point(&points, |point| {
            let (y, within) = point.split_at(output.len());
            let channel = y[1] / per_group * weight[1] + within[0];
            let mut x = vec![y[0], channel];
            for (axis, (window, [before, _])) in self.windows.iter().zip(&self.padding).enumerate() {
                let at = y[SPATIAL + axis] as i64 * window.stride + within[1 + axis] as i64 * window.dilation - before;
                match usize::try_from(at) {
                    Ok(at) if at < spatial[axis] => x.push(at),
                    _ => return,
                }
            }
            visit(&x, &[&y[1..SPATIAL], within].concat(), y);
        });
    }
}

/// A convolution for the laws.
pub(super) struct Case {
    pub geometry: Geometry,
    /// The shapes of input, weight and output.
    pub shapes: [Vec<usize>; 3],
}

impl Case {
    /// A convolution of so many examples from so many channels to so many, along axes of an extent, a size, a stride, a
    /// dilation and two paddings each.
    fn new([batch, channels, rows, groups]: [usize; 4], axes: &[[usize; 6]]) -> Case {
        let window = |&[_, size, stride, dilation, ..]: &[usize; 6]| Window {
            size: size as i64,
            stride: stride as i64,
            dilation: dilation as i64,
        };
        let geometry = Geometry {
            windows: axes.iter().map(window).collect(),
            padding: axes.iter().map(|axis| [axis[4] as i64, axis[5] as i64]).collect(),
            groups: groups as i64,
        };
        let count = |&[extent, size, stride, dilation, before, after]: &[usize; 6]| {
            (extent + before + after - dilation * (size - 1) - 1) / stride + 1
        };
        let along = |first: [usize; 2], value: &dyn Fn(&[usize; 6]) -> usize| -> Vec<usize> {
            first.into_iter().chain(axes.iter().map(value)).collect()
        };
        let shapes = [
            along([batch, channels], &|axis| axis[0]),
            along([rows, channels / groups], &|axis| axis[1]),
            along([batch, rows], &count),
        ];
        Case { geometry, shapes }
    }

    /// The case as a call of an op with these attributes and operands of two of the shapes.
    pub fn sample(&self, attributes: Attributes, operands: [usize; 2]) -> Sample {
        let operand = |which: usize| SampleOperand::numbers(DType::F32, &self.shapes[which], Fill::Between(-1.0, 1.0));
        Sample { attributes, operands: operands.map(operand).to_vec() }
    }
}

/// Convolutions along one, two and three axes: strides, dilations, paddings, groups, and what is left over at the end.
pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new([2, 3, 4, 1], &[[5, 3, 1, 1, 0, 0]]),
        Case::new([2, 2, 3, 1], &[[7, 3, 2, 1, 1, 1]]),
        Case::new([1, 2, 3, 1], &[[9, 3, 2, 2, 3, 0]]),
        Case::new([1, 2, 1, 1], &[[8, 2, 3, 1, 0, 0]]),
        Case::new([1, 2, 2, 1], &[[10, 3, 4, 2, 2, 1]]),
        Case::new([1, 1, 1, 1], &[[1, 1, 1, 1, 0, 0]]),
        Case::new([2, 2, 3, 1], &[[3, 3, 1, 1, 1, 1], [4, 3, 1, 1, 1, 1]]),
        Case::new([1, 2, 3, 1], &[[4, 3, 2, 1, 1, 1], [5, 3, 2, 1, 1, 1]]),
        Case::new([1, 3, 2, 1], &[[4, 1, 2, 1, 0, 0], [3, 1, 2, 1, 0, 0]]),
        Case::new([1, 1, 2, 1], &[[6, 5, 2, 1, 2, 2], [5, 4, 3, 1, 1, 2]]),
        Case::new([1, 2, 1, 1], &[[5, 3, 1, 2, 2, 2], [4, 2, 1, 3, 0, 1]]),
        Case::new([1, 4, 2, 2], &[[3, 3, 1, 1, 1, 1], [4, 3, 1, 1, 1, 1]]),
        Case::new([1, 3, 3, 3], &[[5, 3, 2, 1, 1, 1], [4, 3, 2, 1, 1, 1]]),
        Case::new([1, 2, 4, 2], &[[4, 3, 1, 1, 1, 1], [3, 1, 1, 1, 0, 0]]),
        Case::new([0, 2, 3, 1], &[[5, 3, 1, 1, 1, 1], [5, 3, 2, 1, 1, 1]]),
        Case::new([1, 1, 2, 1], &[[3, 2, 1, 1, 0, 0], [2, 3, 1, 1, 1, 1], [3, 2, 2, 1, 1, 0]]),
    ]
}
