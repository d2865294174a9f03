//! Elements picked along an axis.

use super::scatter_sum;
use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, SampleOperand, TypeError, ValueId,
    Vjp,
};
use crate::nest::{Atom, Body, Index, Nest, Read, Scalar};
use crate::shape::{Shape, Type};

/// The op.
pub struct Gather;

/// The elements of `x` at the positions that `index` names along an axis.
pub fn gather(b: &mut Builder<'_>, x: ValueId, index: ValueId, axis: usize) -> ValueId {
    b.apply(&Gather, attributes(axis), &[x, index])
}

fn attributes(axis: usize) -> Attributes {
    Attributes::none().with("axis", Attribute::Int(axis as i64))
}

impl Op for Gather {
    fn name(&self) -> &'static str {
        "gather"
    }

    fn doc(&self) -> &'static str {
        "gather {axis} (x: T<S>, index: u32<R>) -> T<R>: x at the same position but index along the axis; R is S but for the axis. An index past the end reads the last element. The gradient of x is scatter_sum(g, index)"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [x, index] = infer.operands()?;
        let axis = infer.axis(x, infer.attributes.axis("axis"))?;
        if index.dtype != DType::U32 {
            return infer.error(format!("takes u32 indices, not {}", index.dtype));
        }
        if index.rank() != x.rank() {
            return infer.error("ranks differ");
        }
        if x.shape.extents()[axis].known() == Some(0) {
            return infer.error(format!("axis {axis} of {x} is empty"));
        }
        for (other, (left, right)) in x.shape.extents().iter().zip(index.shape.extents()).enumerate() {
            if other != axis {
                infer.same_extent(left, right, format_args!("extents differ on axis {other}"))?;
            }
        }
        Ok(vec![Type::new(x.dtype, index.shape.clone())])
    }

    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        let Some(g) = cotangents[0] else { return Vjp::none(call) };
        let (axis, shape) = (call.attributes.axis("axis"), &call.operand_types[0].shape);
        let total = scatter_sum(b, g, call.operands[1], axis, shape.extents()[axis].clone());
        Vjp::Operands(vec![Some(total), None])
    }

    fn lower(&self, call: &Call) -> Lowering {
        let (extents, axis) = (call.shape(), call.attributes.axis("axis"));
        let straight: Vec<Index> = (0..extents.len()).map(Index::axis).collect();
        let mut through = straight.clone();
        through[axis] = Index::atom(Atom::Gathered { read: 0, bound: call.operand_shape(0)[axis] });
        let mut body = Body::default();
        body.push(Scalar::Read(1));
        let dtype = call.result_types[0].dtype;
        Lowering::Nest(Nest {
            outputs: extents.len(),
            extents,
            reads: vec![
                Read { operand: 1, dtype: DType::U32, index: straight },
                Read { operand: 0, dtype, index: through },
            ],
            body,
            reducer: None,
            epilogue: None,
            dtype,
        })
    }

    fn index_bound(&self, call: &Call) -> Option<(usize, usize)> {
        Some((1, call.operand_shape(0)[call.attributes.axis("axis")]))
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let (x, index, axis) = (operands[0], operands[1], call.attributes.axis("axis"));
        let element = |point: &[usize]| {
            let mut source = point.to_vec();
            source[axis] = (index.at(point) as usize).min(x.shape[axis] - 1);
            x.at(&source)
        };
        vec![Array::build(x.dtype, &index.shape, element)]
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [(&[usize], usize, usize, DType); 8] = [
            (&[5], 0, 3, DType::F32),
            (&[3, 5], 1, 1, DType::F32),
            (&[3, 5], 0, 4, DType::F32),
            (&[2, 7, 3], 1, 1, DType::F32),
            (&[2, 4, 1], 1, 6, DType::U32),
            (&[1], 0, 1, DType::F32),
            (&[3, 5], 1, 0, DType::F32),
            (&[2, 3, 4], 0, 2, DType::F32),
        ];
        let sample = |(shape, axis, positions, dtype): (&[usize], usize, usize, DType)| {
            let mut indices = shape.to_vec();
            indices[axis] = positions;
            let index = Type::new(DType::U32, Shape::from_known(&indices));
            let x = SampleOperand::numbers(dtype, shape, Fill::Between(-2.0, 2.0));
            let index = SampleOperand { ty: index, fill: Fill::Below(shape[axis] as u32) };
            Sample { attributes: attributes(axis), operands: vec![x, index] }
        };
        cases.map(sample).to_vec()
    }
}
