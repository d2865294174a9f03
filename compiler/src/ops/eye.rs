//! The matrix with ones on its diagonal.

use crate::dtype::DType;
use crate::graph::{Array, Attribute, Attributes, Builder, Call, Infer, Lowering, Op, Sample, TypeError, ValueId, Vjp};
use crate::nest::{Body, Index, Nest, Scalar};
use crate::scalar::ScalarOp;
use crate::shape::{Extent, Shape, Type};

/// The op.
pub struct Eye;

/// The matrix of this shape with ones where row and column are equal and zeros elsewhere.
pub fn eye(b: &mut Builder<'_>, rows: Extent, columns: Extent, dtype: DType) -> ValueId {
    b.apply(&Eye, attributes(Shape::new(vec![rows, columns]), dtype), &[])
}

fn attributes(shape: Shape, dtype: DType) -> Attributes {
    Attributes::none().with("shape", Attribute::Shape(shape)).with("dtype", Attribute::Type(dtype))
}

impl Op for Eye {
    fn name(&self) -> &'static str {
        "eye"
    }

    fn doc(&self) -> &'static str {
        "eye {shape, dtype} () -> dtype<shape>: 1 where row and column are equal, else 0; no gradient"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [] = infer.operands()?;
        let shape = infer.attributes.shape("shape");
        match shape.rank() {
            2 => Ok(vec![Type::new(infer.attributes.dtype("dtype"), shape.clone())]),
            rank => infer.error(format!("makes matrices, not {rank} axes")),
        }
    }

    fn vjp(&self, _b: &mut Builder<'_>, call: &Call, _cotangents: &[Option<ValueId>]) -> Vjp {
        Vjp::none(call)
    }

    fn lower(&self, call: &Call) -> Lowering {
        let dtype = call.result_types[0].dtype;
        let mut body = Body::default();
        let place = [0, 1].map(|axis| body.push(Scalar::Index(Index::axis(axis))));
        let equal = body.apply(ScalarOp::Eq, &place);
        let (one, zero) = (body.constant(dtype, 1.0), body.constant(dtype, 0.0));
        body.apply(ScalarOp::Select, &[equal, one, zero]);
        let (reducer, epilogue) = (None, None);
        Lowering::Nest(Nest { extents: call.shape(), outputs: 2, reads: Vec::new(), body, reducer, epilogue, dtype })
    }

    fn reference(&self, call: &Call, _operands: &[&Array]) -> Vec<Array> {
        let shape = call.shape();
        let mut result = Array::filled(call.result_types[0].dtype, &shape, 0.0);
        (0..shape[0].min(shape[1])).for_each(|i| result.set(&[i, i], 1.0));
        vec![result]
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [([usize; 2], DType); 6] = [
            ([3, 3], DType::F32),
            ([2, 5], DType::U32),
            ([5, 2], DType::F32),
            ([1, 1], DType::F32),
            ([0, 3], DType::F32),
            ([4, 4], DType::Bool),
        ];
        let sample = |(shape, dtype): ([usize; 2], DType)| Sample {
            attributes: attributes(Shape::from_known(&shape), dtype),
            operands: Vec::new(),
        };
        cases.map(sample).to_vec()
    }
}
