//! The diagonal of two axes.

use super::{broadcast, constant_like, eye, permute, reduction, select, unsqueeze};
use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, SampleOperand, TypeError, ValueId,
    Vjp,
};
use crate::nest::Index;
use crate::shape::{Shape, Type};

/// The op.
pub struct Diagonal;

/// The elements whose positions on two axes of equal extents are equal. Both axes go, the diagonal comes last.
pub fn diagonal(b: &mut Builder<'_>, x: ValueId, axes: [usize; 2]) -> ValueId {
    b.apply(&Diagonal, attributes(&axes), &[x])
}

fn attributes(axes: &[usize]) -> Attributes {
    Attributes::none().with("axes", Attribute::Ints(axes.iter().map(|&axis| axis as i64).collect()))
}

/// The axes of the operand that stay, in order.
fn kept(rank: usize, axes: &[usize]) -> Vec<usize> {
    (0..rank).filter(|axis| !axes.contains(axis)).collect()
}

impl Op for Diagonal {
    fn name(&self) -> &'static str {
        "diagonal"
    }

    fn doc(&self) -> &'static str {
        "diagonal {axes} (x: T<S>) -> T<R>: x where the positions on the two axes are equal; R is S without them and with their extent last. The gradient is g on the diagonal and 0 beside it"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [x] = infer.operands()?;
        let axes = reduction::distinct_axes(infer, x)?;
        let [first, second] = axes.as_slice() else {
            return infer.error(format!("takes two axes, not {}", axes.len()));
        };
        let extents = x.shape.extents();
        infer.same_extent(
            &extents[*first],
            &extents[*second],
            format_args!("axes {first} and {second} of {x} differ"),
        )?;
        let mut result = reduction::without(&x.shape, &axes).extents().to_vec();
        result.push(extents[*first].clone());
        Ok(vec![Type::new(x.dtype, Shape::new(result))])
    }

    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        let Some(g) = cotangents[0] else { return Vjp::none(call) };
        let (axes, x) = (call.attributes.axes("axes"), &call.operand_types[0]);
        let kept = kept(x.rank(), &axes);
        // With the two axes last: g in every row, zeros but where row and column are equal.
        let order: Vec<usize> = kept.iter().chain(&axes).copied().collect();
        let shape = Shape::new(order.iter().map(|&axis| x.shape.extents()[axis].clone()).collect());
        let rows = unsqueeze(b, g, &[kept.len()]);
        let rows = broadcast(b, rows, &shape);
        let matrix = &shape.extents()[kept.len()..];
        let diagonal = eye(b, matrix[0].clone(), matrix[1].clone(), DType::Bool);
        let diagonal = broadcast(b, diagonal, &shape);
        let zeros = constant_like(b, 0.0, rows);
        let placed = select(b, diagonal, rows, zeros);
        let mut places = vec![0; order.len()];
        order.iter().enumerate().for_each(|(place, &axis)| places[axis] = place);
        Vjp::Operands(vec![Some(permute(b, placed, &places))])
    }

    fn lower(&self, call: &Call) -> Lowering {
        let axes = call.attributes.axes("axes");
        let rank = call.operand_types[0].rank();
        let kept = kept(rank, &axes);
        let place = |axis: usize| kept.iter().position(|&other| other == axis).unwrap_or(kept.len());
        Lowering::View((0..rank).map(|axis| Index::axis(place(axis))).collect())
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let (x, axes) = (operands[0], call.attributes.axes("axes"));
        let element = |point: &[usize]| {
            let (&at, mut rest) = point.split_last().expect("the diagonal is an axis");
            let mut source = vec![at; x.shape.len()];
            for (axis, place) in source.iter_mut().enumerate() {
                if !axes.contains(&axis) {
                    (*place, rest) = (rest[0], &rest[1..]);
                }
            }
            x.at(&source)
        };
        vec![Array::build(x.dtype, &call.shape(), element)]
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [(&[usize], [usize; 2], DType); 8] = [
            (&[3, 3], [0, 1], DType::F32),
            (&[5, 5], [1, 0], DType::U32),
            (&[2, 3, 3], [1, 2], DType::F32),
            (&[3, 2, 3], [0, 2], DType::F32),
            (&[3, 2, 3, 4], [2, 0], DType::F32),
            (&[1, 1], [0, 1], DType::Bool),
            (&[0, 0], [0, 1], DType::F32),
            (&[0, 5, 5], [1, 2], DType::F32),
        ];
        let sample = |(shape, axes, dtype): (&[usize], [usize; 2], DType)| Sample {
            attributes: attributes(&axes),
            operands: vec![SampleOperand::numbers(dtype, shape, Fill::Between(-2.0, 2.0))],
        };
        cases.map(sample).to_vec()
    }
}
