//! What ops that look for an extreme element along one axis share: types, the naive search, and the ops that give both the
//! element and where it stands.

use super::{broadcast_over, constant_like, move_last, one_hot, reduction, select};
use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, TypeError, ValueId, Vjp,
};
use crate::shape::Type;

/// The type of a position along the attribute `axis`, which must not be empty.
pub fn position_type(infer: &Infer<'_>) -> Result<Type, TypeError> {
    let [x] = infer.operands()?;
    let axis = infer.axis(x, infer.attributes.axis("axis"))?;
    if x.dtype == DType::Bool {
        return infer.error("takes numbers, not bool");
    }
    if x.shape.extents()[axis].known() == Some(0) {
        return infer.error(format!("axis {axis} of {x} is empty"));
    }
    Ok(Type::new(DType::U32, reduction::without(&x.shape, &[axis])))
}

/// The naive search: where along the attribute `axis` the first element stands that no other comes before; a NaN comes
/// before all numbers.
pub fn positions(call: &Call, x: &Array, before: fn(f64, f64) -> bool) -> Array {
    let axis = call.attributes.axis("axis");
    let position = |point: &[usize]| {
        let along = |i: usize| x.at(&[&point[..axis], &[i], &point[axis..]].concat());
        let mut best = 0;
        for i in 1..x.shape[axis] {
            if before(along(i), along(best)) || (along(i).is_nan() && !along(best).is_nan()) {
                best = i;
            }
        }
        best as f64
    };
    Array::build(
        DType::U32,
        &reduction::without(&call.operand_types[0].shape, &[axis]).known().expect("known"),
        position,
    )
}

/// An op that gives the extreme element along an axis and the position of the first one.
pub struct Along {
    /// The name.
    pub name: &'static str,
    /// The formula.
    pub doc: &'static str,
    /// The extreme element.
    pub element: fn(&mut Builder<'_>, ValueId, &[usize]) -> ValueId,
    /// Where it stands.
    pub position: fn(&mut Builder<'_>, ValueId, usize) -> ValueId,
    /// Whether an element is more extreme than another.
    pub before: fn(f64, f64) -> bool,
}

impl Along {
    /// Applies the op.
    pub fn apply(&'static self, b: &mut Builder<'_>, x: ValueId, axis: usize) -> [ValueId; 2] {
        let results = b.apply_all(self, Attributes::none().with("axis", Attribute::Int(axis as i64)), &[x]);
        [results[0], results[1]]
    }
}

impl Op for Along {
    fn name(&self) -> &'static str {
        self.name
    }

    fn doc(&self) -> &'static str {
        self.doc
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let position = position_type(infer)?;
        let [x] = infer.operands()?;
        Ok(vec![Type::new(x.dtype, position.shape.clone()), position])
    }

    /// All of the cotangent goes to the element that was picked, as PyTorch's max along an axis has it.
    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        let Some(g) = cotangents[0] else { return Vjp::none(call) };
        let (axis, shape) = (call.attributes.axis("axis"), &call.operand_types[0].shape);
        let picked = one_hot(b, call.results[1], shape.extents()[axis].clone(), DType::Bool);
        let picked = move_last(b, picked, axis);
        let spread = broadcast_over(b, g, &[axis], shape);
        let zero = constant_like(b, 0.0, spread);
        Vjp::Operands(vec![Some(select(b, picked, spread, zero))])
    }

    fn lower(&self, _call: &Call) -> Lowering {
        Lowering::Expand
    }

    fn is_composite(&self) -> bool {
        true
    }

    fn expand(&self, b: &mut Builder<'_>, call: &Call) -> Vec<ValueId> {
        let (x, axis) = (call.operands[0], call.attributes.axis("axis"));
        vec![(self.element)(b, x, &[axis]), (self.position)(b, x, axis)]
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let (x, axis) = (operands[0], call.attributes.axis("axis"));
        let positions = positions(call, x, self.before);
        let element = |point: &[usize]| {
            let position = positions.at(point) as usize;
            x.at(&[&point[..axis], &[position], &point[axis..]].concat())
        };
        vec![Array::build(x.dtype, &call.shape(), element), positions]
    }

    fn samples(&self) -> Vec<Sample> {
        reduction::single_axis_samples(Fill::Distinct, &[DType::F32, DType::I32])
    }
}
