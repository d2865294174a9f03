//! The loss of the cosine between two vectors against targets that are 1, for near, or -1, for far.

use super::hinge_embedding::positive_part;
use super::losses::{REDUCTIONS, Reduction};
use super::{add, constant_like, div, eq, mul, reduction, select, sqrt, sub, sum};
use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, SampleOperand, TypeError, ValueId,
    Vjp,
};
use crate::shape::{Shape, Type};

/// What is added to each squared length, as in PyTorch.
const EPSILON: f64 = 1e-12;

/// The op.
pub struct CosineEmbedding;

fn attributes(margin: f64, reduction: &str) -> Attributes {
    Reduction::attribute(reduction).with("margin", Attribute::Float(margin))
}

/// The cosine between the vectors on the last axis.
fn cosine(b: &mut Builder<'_>, x: ValueId, y: ValueId) -> ValueId {
    let axis = b.ty(x).rank() - 1;
    let mut dot = |x: ValueId, y: ValueId| {
        let products = mul(b, x, y);
        sum(b, products, &[axis])
    };
    let (product, squares) = (dot(x, y), [dot(x, x), dot(y, y)]);
    let [left, right] = squares.map(|square| {
        let epsilon = constant_like(b, EPSILON, square);
        let square = add(b, square, epsilon);
        sqrt(b, square)
    });
    let lengths = mul(b, left, right);
    div(b, product, lengths)
}

impl Op for CosineEmbedding {
    fn name(&self) -> &'static str {
        "cosine_embedding"
    }

    fn doc(&self) -> &'static str {
        "cosine_embedding {margin, reduction} (a: F<N, D>, b: F<N, D>, y: F<N> or i32<N>) -> F, or F<N> without reduction; also (F<D>, F<D>, F): with c the cosine between a and b, 1 - c where y is 1, max(0, c - margin) where y is -1, 0 elsewhere; the gradient is that of this formula, and flows where c is margin"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [x, y, target] = infer.operands()?;
        infer.float(x)?;
        infer.same_dtype(x, y)?;
        if !(1..=2).contains(&x.rank()) {
            return infer.error(format!("takes a vector or a batch of them, not {x}"));
        }
        let shape = infer.same_shape(x, y)?;
        if target.dtype != DType::I32 {
            infer.same_dtype(x, target)?;
        }
        let expected = Type::new(target.dtype, reduction::without(&shape, &[x.rank() - 1]));
        if expected.rank() != target.rank() {
            return infer.error(format!("takes targets {expected} for inputs {x}, not {target}"));
        }
        let losses = infer.same_shape(target, &expected)?;
        Ok(vec![Type::new(x.dtype, Reduction::infer(infer, REDUCTIONS)?.shape(losses))])
    }

    fn vjp(&self, _b: &mut Builder<'_>, _call: &Call, _cotangents: &[Option<ValueId>]) -> Vjp {
        Vjp::Expand
    }

    fn lower(&self, _call: &Call) -> Lowering {
        Lowering::Expand
    }

    fn is_composite(&self) -> bool {
        true
    }

    fn expand(&self, b: &mut Builder<'_>, call: &Call) -> Vec<ValueId> {
        let target = call.operands[2];
        let cosine = cosine(b, call.operands[0], call.operands[1]);
        let margin = call.attributes.float("margin");
        let [zero, one, margin] = [0.0, 1.0, margin].map(|number| constant_like(b, number, cosine));
        let (near, excess) = (sub(b, one, cosine), sub(b, cosine, margin));
        let far = positive_part(b, excess);
        let [is_near, is_far] = [1.0, -1.0].map(|side| {
            let side = constant_like(b, side, target);
            eq(b, target, side)
        });
        let (near, far) = (select(b, is_near, near, zero), select(b, is_far, far, zero));
        let losses = add(b, near, far);
        vec![Reduction::of(&call.attributes).apply(b, losses)]
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let (x, y, target) = (operands[0], operands[1], operands[2]);
        let (margin, extent) = (call.attributes.float("margin"), x.shape[x.shape.len() - 1]);
        let losses = Array::build(x.dtype, &target.shape, |point| {
            let dot = |a: &Array, b: &Array| -> f64 {
                let product = |i| a.at(&[point, &[i]].concat()) * b.at(&[point, &[i]].concat());
                (0..extent).map(product).sum()
            };
            let cosine = dot(x, y) / ((dot(x, x) + EPSILON) * (dot(y, y) + EPSILON)).sqrt();
            match target.at(point) {
                1.0 => 1.0 - cosine,
                -1.0 => (cosine - margin).max(0.0),
                _ => 0.0,
            }
        });
        vec![Reduction::of(&call.attributes).reference(losses)]
    }

    fn samples(&self) -> Vec<Sample> {
        let shapes: [&[usize]; 6] = [&[4, 3], &[3, 7], &[1, 5], &[5, 1], &[5], &[0, 3]];
        let sample = |reduction, target: DType, shape: &[usize]| {
            let vectors = SampleOperand::numbers(DType::F32, shape, Fill::Between(0.5, 2.0));
            let losses = Shape::from_known(&shape[..shape.len() - 1]);
            let fill = if target == DType::I32 { Fill::Below(2) } else { Fill::Between(-0.9, 0.9) };
            let target = SampleOperand { ty: Type::new(target, losses), fill };
            Sample { attributes: attributes(0.1, reduction), operands: vec![vectors.clone(), vectors, target] }
        };
        let cases = REDUCTIONS.iter().flat_map(|word| [(*word, DType::F32), (*word, DType::I32)]);
        cases.flat_map(|(word, target)| shapes.map(|shape| sample(word, target, shape))).collect()
    }
}
