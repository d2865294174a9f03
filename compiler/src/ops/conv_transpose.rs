//! The way back through a convolution: its gradient for the input, and a layer of its own.
//!
//! With a stride, an element of the result meets only every so many elements of the weight: which ones depends on its
//! position modulo the stride. Positions of one remainder together are a convolution of stride 1 with those elements in
//! reverse, a phase; the phases of all axes are put between each other. So nothing is multiplied with zeros, and each phase
//! has no more positions than the result.

use super::convolution::{Geometry, SPATIAL, cases};
use super::slice::strided;
use super::windows::Window;
use super::{broadcast, cat, constant, contract, conv, conv_weight, flip, pad, reshape, slice, unsqueeze, windows};
use crate::graph::{Array, Attribute, Attributes, Builder, Call, Infer, Lowering, Op, Sample, TypeError, ValueId, Vjp};
use crate::shape::{Extent, Shape, Type};

/// The op.
pub struct ConvTranspose;

/// What a convolution of an input with these spatial extents that gave an output of the shape of `y` makes of it for its
/// input.
pub fn conv_transpose(
    b: &mut Builder<'_>,
    y: ValueId,
    weight: ValueId,
    geometry: &Geometry,
    spatial: &Shape,
) -> ValueId {
    b.apply(&ConvTranspose, attributes(geometry, spatial), &[y, weight])
}

fn attributes(geometry: &Geometry, spatial: &Shape) -> Attributes {
    geometry.attributes().with("extents", Attribute::Shape(spatial.clone()))
}

/// The positions along an axis whose place in the padded input has one remainder by the stride.
struct Phase {
    /// The quotient of the first one's place by the stride: the last window that begins at it or before.
    start: i64,
    /// The elements of the weight that they meet: the first, and how far each is from the one before.
    first: i64,
    step: i64,
    /// How many there are.
    taps: i64,
    /// How far apart two windows are that an element meets one after the other.
    dilation: i64,
    /// How many windows the one that meets the first of these elements is behind the one that begins last.
    behind: i64,
}

impl Phase {
    /// The phase that begins at a place in the padded input.
    fn new(window: Window, place: i64) -> Phase {
        let Window { size, stride, dilation } = window;
        let remainder = place % stride;
        let meets = |element: &i64| element * dilation % stride == remainder;
        let step = stride / gcd(stride, dilation);
        let first = (0..size.min(step)).find(meets);
        Phase {
            start: place / stride,
            first: first.unwrap_or(0),
            step,
            taps: first.map_or(0, |first| (size - first - 1) / step + 1),
            dilation: dilation / gcd(stride, dilation),
            behind: first.map_or(0, |first| (first * dilation - remainder) / stride),
        }
    }
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// The way back of one node.
struct Back<'g> {
    geometry: &'g Geometry,
    y: ValueId,
    weight: ValueId,
    spatial: &'g [Extent],
}

impl Back<'_> {
    /// How many positions each phase has along an axis.
    fn positions(&self, axis: usize) -> Extent {
        let stride = self.geometry.windows[axis].stride;
        let rounded = self.spatial[axis].clone() + Extent::from(stride - 1);
        rounded.floor_div(&Extent::from(stride)).expect("the stride is not 0")
    }

    /// The result along the axes whose phases are not chosen yet, of the chosen phases of those before.
    fn assemble(&self, b: &mut Builder<'_>, chosen: &mut Vec<Phase>) -> ValueId {
        let axis = chosen.len();
        let Some(window) = self.geometry.windows.get(axis) else { return self.product(b, chosen) };
        let mut parts = Vec::new();
        for position in 0..window.stride {
            chosen.push(Phase::new(*window, self.geometry.padding[axis][0] + position));
            parts.push(self.assemble(b, chosen));
            chosen.pop();
        }
        self.between(b, &parts, axis)
    }

    /// The phases along an axis between each other.
    fn between(&self, b: &mut Builder<'_>, parts: &[ValueId], axis: usize) -> ValueId {
        let at = SPATIAL + axis;
        let apart: Vec<ValueId> = match parts {
            [whole] => return *whole,
            parts => parts.iter().map(|&part| unsqueeze(b, part, &[at + 1])).collect(),
        };
        let together = cat(b, &apart, at + 1);
        let mut extents = b.shape(together).extents().to_vec();
        let phases = extents.remove(at + 1);
        extents[at] = extents[at].clone() * phases;
        let whole = reshape(b, together, &Shape::new(extents));
        slice(b, whole, at, Extent::from(0), self.spatial[axis].clone())
    }

    /// The result at the positions of one phase of each axis.
    fn product(&self, b: &mut Builder<'_>, phases: &[Phase]) -> ValueId {
        if phases.iter().any(|phase| phase.taps == 0) {
            return self.zeros(b);
        }
        let (mut y, mut weight, mut turned) = (self.y, self.weight, Vec::new());
        for (axis, phase) in phases.iter().enumerate() {
            let at = SPATIAL + axis;
            y = self.around(b, y, axis, phase);
            let end = Extent::from(self.geometry.windows[axis].size);
            weight = strided(b, weight, at, [Extent::from(phase.first), end], phase.step);
            if phase.taps > 1 {
                turned.push(at);
            }
        }
        for (axis, phase) in phases.iter().enumerate().rev() {
            y = windows(b, y, SPATIAL + axis, Window { size: phase.taps, stride: 1, dilation: phase.dilation });
        }
        let y = self.geometry.grouped(b, y, 1);
        let weight = flip(b, weight, &turned);
        let weight = self.geometry.grouped(b, weight, 0);
        // Windows of the output meet the weight as those of an input do, with rows and channels exchanged.
        let [seen, rows, result] = self.geometry.labels();
        let exchanged = |labels: &str| -> String {
            let exchange = |label| match label {
                'c' => 'o',
                'o' => 'c',
                other => other,
            };
            labels.chars().map(exchange).collect()
        };
        let x = contract(b, y, weight, &format!("{},{rows}->{}", exchanged(&seen), exchanged(&result)));
        self.geometry.joined(b, x, 1)
    }

    /// The output with as many zeros around an axis as the windows of a phase reach beyond it, or without what they do not
    /// reach.
    fn around(&self, b: &mut Builder<'_>, y: ValueId, axis: usize, phase: &Phase) -> ValueId {
        let before = (phase.taps - 1) * phase.dilation + phase.behind - phase.start;
        let last = self.positions(axis) + Extent::from(phase.start - phase.behind);
        let after = last - b.shape(y).extents()[SPATIAL + axis].clone();
        pad(b, y, SPATIAL + axis, Extent::from(before), after, 0.0)
    }

    fn zeros(&self, b: &mut Builder<'_>) -> ValueId {
        let channels = b.shape(self.weight).extents()[1].clone() * Extent::from(self.geometry.groups);
        let positions = (0..self.geometry.rank()).map(|axis| self.positions(axis));
        let extents = [b.shape(self.y).extents()[0].clone(), channels].into_iter().chain(positions).collect();
        let dtype = b.dtype(self.y);
        let zero = constant(b, 0.0, dtype);
        broadcast(b, zero, &Shape::new(extents))
    }
}

impl Op for ConvTranspose {
    fn name(&self) -> &'static str {
        "conv_transpose"
    }

    fn doc(&self) -> &'static str {
        "conv_transpose {size, stride, dilation, padding, groups, extents} (y: F<N, O, Q…>, w: F<O, C / groups, K…>) -> F<N, C, H…>: x[n, c, h] is the sum of y[n, o, q] * w[o, c, k] over the rows o of the group of c and all q and k with q * stride + k * dilation - padding before = h, for H = extents: the gradient of conv for its input. The gradients are conv of g with w and conv_weight of g with y"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [y, weight] = infer.operands()?;
        let dtype = infer.same_dtype(y, weight)?;
        let geometry = Geometry::infer(infer)?;
        geometry.ranked(infer, "output", y)?;
        geometry.weight(infer, weight)?;
        let (found, rows) = (&y.shape.extents()[1], &weight.shape.extents()[0]);
        infer.same_extent(found, rows, format_args!("the weight gives {rows} channels, not {found}"))?;
        let spatial = infer.attributes.shape("extents").clone();
        if spatial.rank() != geometry.rank() {
            return infer.error(format!("{} extents for {} axes", spatial.rank(), geometry.rank()));
        }
        let counts = geometry.counts(infer, spatial.extents())?;
        for (axis, (count, found)) in counts.iter().zip(&y.shape.extents()[SPATIAL..]).enumerate() {
            let headline = format!("{found} windows on axis {}, which has {count}", SPATIAL + axis);
            infer.same_extent(found, count, headline)?;
        }
        let channels = weight.shape.extents()[1].clone() * Extent::from(geometry.groups);
        let first = [y.shape.extents()[0].clone(), channels];
        Ok(vec![Type::new(dtype, Shape::new(first.into_iter().chain(spatial.extents().to_vec()).collect()))])
    }

    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        let Some(g) = cotangents[0] else { return Vjp::none(call) };
        let geometry = Geometry::of(&call.attributes);
        let output = conv(b, g, call.operands[1], &geometry);
        let weight = conv_weight(b, g, call.operands[0], &geometry);
        Vjp::Operands(vec![Some(output), Some(weight)])
    }

    fn lower(&self, _call: &Call) -> Lowering {
        Lowering::Expand
    }

    fn is_composite(&self) -> bool {
        true
    }

    fn expand(&self, b: &mut Builder<'_>, call: &Call) -> Vec<ValueId> {
        let (geometry, [y, weight]) = (Geometry::of(&call.attributes), [call.operands[0], call.operands[1]]);
        let spatial = call.attributes.shape("extents").extents();
        let back = Back { geometry: &geometry, y, weight, spatial };
        vec![back.assemble(b, &mut Vec::new())]
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let [y, weight] = [operands[0], operands[1]];
        let mut x = Array::filled(y.dtype, &call.shape(), 0.0);
        let shapes = [weight.shape.as_slice(), &y.shape];
        let spatial = call.shape()[SPATIAL..].to_vec();
        Geometry::of(&call.attributes).for_each_product(shapes, &spatial, |at_x, at_weight, at_y| {
            x.set(at_x, x.at(at_x) + y.at(at_y) * weight.at(at_weight));
        });
        vec![x]
    }

    fn samples(&self) -> Vec<Sample> {
        let sample = |case: &super::convolution::Case| {
            let spatial = Shape::from_known(&case.shapes[0][SPATIAL..]);
            case.sample(attributes(&case.geometry, &spatial), [2, 1])
        };
        cases().iter().map(sample).collect()
    }
}
