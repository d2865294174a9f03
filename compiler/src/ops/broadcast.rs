//! Broadcasting, as NumPy does it: axes align at the end, and an axis of extent 1 is repeated.

use crate::graph::{Array, Attribute, Attributes, Builder, Call, Infer, Lowering, Op, Sample, TypeError, ValueId, Vjp};
use crate::shape::{Extent, Shape, Type};

/// The op.
pub struct Broadcast;

/// The value repeated to a shape; nothing if it has that shape.
pub fn broadcast(b: &mut Builder<'_>, x: ValueId, shape: &Shape) -> ValueId {
    if b.shape(x) == *shape {
        return x;
    }
    b.apply(&Broadcast, Attributes::none().with("shape", Attribute::Shape(shape.clone())), &[x])
}

impl Op for Broadcast {
    fn name(&self) -> &'static str {
        "broadcast"
    }

    fn doc(&self) -> &'static str {
        "broadcast {shape} (x: T<S>) -> T<shape>: x repeated along new leading axes and axes of extent 1; the gradient is the sum over them"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [x] = infer.operands()?;
        let shape = infer.attributes.shape("shape");
        let Some(leading) = shape.rank().checked_sub(x.rank()) else {
            return infer.error(format!("{x} has more axes than <{shape}>"));
        };
        for (axis, (from, to)) in x.shape.extents().iter().zip(&shape.extents()[leading..]).enumerate() {
            // An open extent never broadcasts, not even when it turns out to be 1.
            if *from != Extent::from(1) {
                infer.same_extent(from, to, &format!("extents differ on axis {}", axis + leading))?;
            }
        }
        Ok(vec![Type::new(x.dtype, shape.clone())])
    }

    fn vjp(&self, _b: &mut Builder<'_>, _call: &Call, _cotangents: &[Option<ValueId>]) -> Vjp {
        todo!("helper ops")
    }

    fn lower(&self, _call: &Call) -> Lowering {
        todo!("helper ops")
    }

    fn reference(&self, _call: &Call, _operands: &[&Array]) -> Vec<Array> {
        todo!("helper ops")
    }

    fn samples(&self) -> Vec<Sample> {
        todo!("helper ops")
    }
}
