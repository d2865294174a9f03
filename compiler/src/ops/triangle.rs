//! What the two triangles of matrices share: zeros beyond a diagonal of the last two axes.

use super::{tril, triu};
use crate::dtype::DType;
use crate::graph::{
    Array, Attribute, Attributes, Builder, Call, Fill, Infer, Lowering, Op, Sample, SampleOperand, TypeError, ValueId,
    Vjp,
};
use crate::nest::{Body, Index, Nest, Read, Scalar};
use crate::scalar::ScalarOp;
use crate::shape::{Extent, Type};

/// An op that keeps one triangle.
pub struct Triangle {
    /// The name of the op.
    pub name: &'static str,
    /// Its formula.
    pub doc: &'static str,
    /// Whether what lies above the diagonal is kept, and not what lies below.
    pub upper: bool,
}

/// The attribute that says which diagonal is the last one that is kept: 0 is the main one, positive ones lie above it.
pub fn attributes(diagonal: Extent) -> Attributes {
    Attributes::none().with("diagonal", Attribute::Extent(diagonal))
}

fn diagonal(call: &Call) -> i64 {
    call.attributes.extent("diagonal").known().expect("extents are known once the dims of a graph are bound")
}

impl Op for Triangle {
    fn name(&self) -> &'static str {
        self.name
    }

    fn doc(&self) -> &'static str {
        self.doc
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [x] = infer.operands()?;
        match x.rank() {
            0 | 1 => infer.error(format!("takes matrices, {x} has less than 2 axes")),
            _ => Ok(vec![x.clone()]),
        }
    }

    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        let Some(g) = cotangents[0] else { return Vjp::none(call) };
        let triangle = if self.upper { triu } else { tril };
        Vjp::Operands(vec![Some(triangle(b, g, call.attributes.extent("diagonal")))])
    }

    fn lower(&self, call: &Call) -> Lowering {
        let (extents, dtype, diagonal) = (call.shape(), call.result_types[0].dtype, diagonal(call));
        let [row, column] = [extents.len() - 2, extents.len() - 1];
        let mut body = Body::default();
        // Column - row and the diagonal are compared with both sides moved to where nothing is negative.
        let at = |axis: usize, more: i64| Scalar::Index(Index::axis(axis).plus(&Index::constant(more.max(0))));
        let (row, column) = (body.push(at(row, diagonal)), body.push(at(column, -diagonal)));
        let kept = if self.upper { [row, column] } else { [column, row] };
        let kept = body.apply(ScalarOp::Le, &kept);
        let (element, zero) = (body.push(Scalar::Read(0)), body.constant(dtype, 0.0));
        body.apply(ScalarOp::Select, &[kept, element, zero]);
        let index = (0..extents.len()).map(Index::axis).collect();
        let reads = vec![Read { operand: 0, dtype, index }];
        Lowering::Nest(Nest { outputs: extents.len(), extents, reads, body, reducer: None, epilogue: None, dtype })
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let (x, diagonal) = (operands[0], diagonal(call));
        let element = |point: &[usize]| {
            let above = point[point.len() - 1] as i64 - point[point.len() - 2] as i64;
            let kept = if self.upper { above >= diagonal } else { above <= diagonal };
            if kept { x.at(point) } else { 0.0 }
        };
        vec![Array::build(x.dtype, &x.shape, element)]
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [(&[usize], i64, DType); 10] = [
            (&[5, 5], 0, DType::F32),
            (&[5, 5], 1, DType::F32),
            (&[5, 3], -1, DType::F32),
            (&[3, 7], 2, DType::U32),
            (&[3, 7], -9, DType::F32),
            (&[2, 3, 4], 0, DType::F32),
            (&[4, 4], 0, DType::Bool),
            (&[1, 1], 0, DType::F32),
            (&[0, 3], 1, DType::F32),
            (&[2, 1, 9], 9, DType::I32),
        ];
        let sample = |(shape, diagonal, dtype): (&[usize], i64, DType)| Sample {
            attributes: attributes(Extent::from(diagonal)),
            operands: vec![SampleOperand::numbers(dtype, shape, Fill::Between(-2.0, 2.0))],
        };
        cases.map(sample).to_vec()
    }
}
