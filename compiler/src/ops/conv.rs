//! Convolutions as networks have them: products of weights with what windows of the input show.

use super::convolution::{Geometry, SPATIAL, cases};
use super::{contract, conv_transpose, conv_weight};
use crate::graph::{Array, Builder, Call, Infer, Lowering, Op, Sample, TypeError, ValueId, Vjp};
use crate::shape::{Shape, Type};

/// The op.
pub struct Conv;

/// The convolution of an input with a weight.
pub fn conv(b: &mut Builder<'_>, x: ValueId, weight: ValueId, geometry: &Geometry) -> ValueId {
    b.apply(&Conv, geometry.attributes(), &[x, weight])
}

impl Op for Conv {
    fn name(&self) -> &'static str {
        "conv"
    }

    fn doc(&self) -> &'static str {
        "conv {size, stride, dilation, padding, groups} (x: F<N, C, H…>, w: F<O, C / groups, K…>) -> F<N, O, Q…>: y[n, o, q] is the sum of x[n, c, q * stride + k * dilation - padding before] * w[o, c, k] over k and the channels c of the group of o, where x is 0 outside; the gradients are conv_transpose of g with w and conv_weight of x with g"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [x, weight] = infer.operands()?;
        let dtype = infer.same_dtype(x, weight)?;
        let geometry = Geometry::infer(infer)?;
        geometry.ranked(infer, "input", x)?;
        geometry.weight(infer, weight)?;
        let (channels, rows) = (&x.shape.extents()[1], &weight.shape.extents()[..SPATIAL]);
        let share = geometry.share(infer, channels, "channels")?;
        let headline = format!("the input has {share} channels for each group, and the weight {}", rows[1]);
        infer.same_extent(&share, &rows[1], headline)?;
        let counts = geometry.counts(infer, &x.shape.extents()[SPATIAL..])?;
        let extents = [x.shape.extents()[0].clone(), rows[0].clone()].into_iter().chain(counts).collect();
        Ok(vec![Type::new(dtype, Shape::new(extents))])
    }

    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        let Some(g) = cotangents[0] else { return Vjp::none(call) };
        let geometry = Geometry::of(&call.attributes);
        let spatial = Shape::new(call.operand_types[0].shape.extents()[SPATIAL..].to_vec());
        let input = conv_transpose(b, g, call.operands[1], &geometry, &spatial);
        let weight = conv_weight(b, call.operands[0], g, &geometry);
        Vjp::Operands(vec![Some(input), Some(weight)])
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
        let weight = geometry.grouped(b, call.operands[1], 0);
        let [input, rows, output] = geometry.labels();
        let y = contract(b, seen, weight, &format!("{input},{rows}->{output}"));
        vec![geometry.joined(b, y, 1)]
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let [x, weight] = [operands[0], operands[1]];
        let mut y = Array::filled(x.dtype, &call.shape(), 0.0);
        let shapes = [weight.shape.as_slice(), &call.shape()];
        Geometry::of(&call.attributes).for_each_product(shapes, &x.shape[SPATIAL..], |at_x, at_weight, at_y| {
            y.set(at_y, y.at(at_y) + x.at(at_x) * weight.at(at_weight));
        });
        vec![y]
    }

    fn samples(&self) -> Vec<Sample> {
        cases().iter().map(|case| case.sample(case.geometry.attributes(), [0, 1])).collect()
    }
}
