//! Values that are computed again for the gradient instead of being kept.
//!
//! What is computed is a region. Chen et al., "Training Deep Nets with Sublinear Memory Cost", 2016, arXiv:1604.06174.

use super::{exp, mul, tanh};
use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Graph, Infer, Leaf, Lowering, Op, Origin, Region, Role, Sample,
    SampleOperand, TypeError, ValueId, Vjp, evaluate, inline,
};
use crate::shape::Type;

/// The op.
pub struct Remat;

/// What a region computes of these values. Its own values are computed a second time where gradients need them.
pub fn remat(b: &mut Builder<'_>, body: Region, arguments: &[ValueId]) -> Vec<ValueId> {
    b.apply_all(&Remat, attributes(body), arguments)
}

fn attributes(body: Region) -> Attributes {
    Attributes::none().with("body", Attribute::Region(body))
}

impl Op for Remat {
    fn name(&self) -> &'static str {
        "remat"
    }

    fn doc(&self) -> &'static str {
        "remat {body} (x: types of the arguments of body) -> types of its results: body(x); the gradient is that of body, which is computed again for it"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let body = infer.attributes.region("body");
        if !infer.all().iter().copied().eq(body.argument_types()) {
            let words = |types: Vec<String>| types.join(", ");
            let takes = words(body.argument_types().map(Type::to_string).collect());
            let given = words(infer.all().iter().map(|ty| ty.to_string()).collect());
            return infer.error(format!("the body takes ({takes}), not ({given})"));
        }
        Ok(body.result_types().cloned().collect())
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
        inline(b, call.attributes.region("body"), &call.operands)
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let arguments: Vec<Array> = operands.iter().map(|&array| array.clone()).collect();
        evaluate(call.attributes.region("body").graph(), &arguments)
    }

    fn samples(&self) -> Vec<Sample> {
        super::elementwise::SHAPES.map(sample).to_vec()
    }
}

/// `tanh(x) * y` and `exp(tanh(x) * y)` of this shape.
fn sample(shape: &[usize]) -> Sample {
    let operand = SampleOperand::numbers(DType::F32, shape, Fill::Between(-1.0, 1.0));
    let mut body = Graph::new("remat");
    let [x, y] = ["0", "1"].map(|name| body.leaf(Leaf::User { name: name.to_string() }, operand.ty.clone()));
    let mut b = Builder::new(&mut body, Origin::default());
    let t = tanh(&mut b, x);
    let product = mul(&mut b, t, y);
    let power = exp(&mut b, product);
    body.result(Role::Output(0), product);
    body.result(Role::Output(1), power);
    Sample { attributes: attributes(Region::new(body)), operands: vec![operand.clone(), operand] }
}
