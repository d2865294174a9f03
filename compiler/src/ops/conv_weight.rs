//! The gradient of a convolution for its weight, as an op of its own.

use super::convolution::{Geometry, SPATIAL, cases};
use super::{contract, conv, conv_transpose};
use crate::graph::{Array, Builder, Call, Infer, Lowering, Op, Sample, TypeError, ValueId, Vjp};
use crate::shape::{Extent, Shape, Type};

/// The op.
pub struct ConvWeight;

/// What a convolution of `x` that gave an output of the shape of `y` makes of it for its weight.
pub fn conv_weight(b: &mut Builder<'_>, x: ValueId, y: ValueId, geometry: &Geometry) -> ValueId {
    b.apply(&ConvWeight, geometry.attributes(), &[x, y])
}

impl Op for ConvWeight {
    fn name(&self) -> &'static str {
        "conv_weight"
    }

    fn doc(&self) -> &'static str {
        "conv_weight {size, stride, dilation, padding, groups} (x: F<N, C, H…>, y: F<N, O, Q…>) -> F<O, C / groups, K…>: w[o, c, k] is the sum of x[n, c, q * stride + k * dilation - padding before] * y[n, o, q] over n and q, where x is 0 outside: the gradient of conv for its weight. The gradients are conv_transpose of y with g and conv of x with g"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [x, y] = infer.operands()?;
        let dtype = infer.same_dtype(x, y)?;
        let geometry = Geometry::infer(infer)?;
        geometry.ranked(infer, "input", x)?;
        geometry.ranked(infer, "output", y)?;
        let (batch, examples) = (&x.shape.extents()[0], &y.shape.extents()[0]);
        infer.same_extent(batch, examples, "extents differ on axis 0")?;
        let channels = geometry.share(infer, &x.shape.extents()[1], "channels")?;
        geometry.share(infer, &y.shape.extents()[1], "rows of the weight")?;
        let counts = geometry.counts(infer, &x.shape.extents()[SPATIAL..])?;
        for (axis, (count, found)) in counts.iter().zip(&y.shape.extents()[SPATIAL..]).enumerate() {
            let headline = format!("{found} windows on axis {}, which has {count}", SPATIAL + axis);
            infer.same_extent(found, count, headline)?;
        }
        let sizes = geometry.windows.iter().map(|window| Extent::from(window.size));
        let extents = [y.shape.extents()[1].clone(), channels].into_iter().chain(sizes).collect();
        Ok(vec![Type::new(dtype, Shape::new(extents))])
    }

    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        let Some(g) = cotangents[0] else { return Vjp::none(call) };
        let geometry = Geometry::of(&call.attributes);
        let spatial = Shape::new(call.operand_types[0].shape.extents()[SPATIAL..].to_vec());
        let input = conv_transpose(b, call.operands[1], g, &geometry, &spatial);
        let output = conv(b, call.operands[0], g, &geometry);
        Vjp::Operands(vec![Some(input), Some(output)])
    }

    fn lower(&self, _call: &Call) -> Lowering {
        Lowering::Expand
    }

    fn is_composite(&self) -> bool {
        true
    }

    fn expand(&self, b: &mut Builder<'_>, call: &Call) -> Vec<ValueId> {
        let geometry = Geometry::of(&call.attributes);
        let seen = geometry.seen(b, call.operands[0]);
        let seen = geometry.grouped(b, seen, 1);
        let y = geometry.grouped(b, call.operands[1], 1);
        let [input, rows, output] = geometry.labels();
        let weight = contract(b, y, seen, &format!("{output},{input}->{rows}"));
        vec![geometry.joined(b, weight, 0)]
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let [x, y] = [operands[0], operands[1]];
        let mut weight = Array::filled(x.dtype, &call.shape(), 0.0);
        let shapes = [&call.shape(), y.shape.as_slice()];
        Geometry::of(&call.attributes).for_each_product(shapes, &x.shape[SPATIAL..], |at_x, at_weight, at_y| {
            weight.set(at_weight, weight.at(at_weight) + x.at(at_x) * y.at(at_y));
        });
        vec![weight]
    }

    fn samples(&self) -> Vec<Sample> {
        cases().iter().map(|case| case.sample(case.geometry.attributes(), [0, 2])).collect()
    }
}
