//! Whole numbers in order.

use super::elementwise::wrapping;
use crate::dtype::DType;
use crate::graph::{Array, Attribute, Attributes, Builder, Call, Infer, Lowering, Op, Sample, TypeError, ValueId, Vjp};
use crate::nest::{Body, Index, Nest, Scalar};
use crate::scalar::ScalarOp;
use crate::shape::{Extent, Shape, Type};

/// The op.
pub struct Iota;

/// So many numbers, from `start` on, each `step` more than the one before.
pub fn iota(b: &mut Builder<'_>, extent: Extent, start: Extent, step: i64, dtype: DType) -> ValueId {
    b.apply(&Iota, attributes(extent, start, step, dtype), &[])
}

fn attributes(extent: Extent, start: Extent, step: i64, dtype: DType) -> Attributes {
    Attributes::none()
        .with("extent", Attribute::Extent(extent))
        .with("start", Attribute::Extent(start))
        .with("step", Attribute::Int(step))
        .with("dtype", Attribute::Type(dtype))
}

fn start(call: &Call) -> f64 {
    call.attributes.extent("start").known().expect("extents are known once the dims of a graph are bound") as f64
}

impl Op for Iota {
    fn name(&self) -> &'static str {
        "iota"
    }

    fn doc(&self) -> &'static str {
        "iota {extent, start, step, dtype} () -> dtype<extent>: start + step * i at position i; no gradient"
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let [] = infer.operands()?;
        let (extent, dtype) = (infer.attributes.extent("extent"), infer.attributes.dtype("dtype"));
        if dtype == DType::Bool {
            return infer.error("makes numbers, not bool");
        }
        infer.at_most(&Extent::from(0), &extent, format_args!("{extent} numbers are less than none"))?;
        Ok(vec![Type::new(dtype, Shape::new(vec![extent]))])
    }

    fn vjp(&self, _b: &mut Builder<'_>, call: &Call, _cotangents: &[Option<ValueId>]) -> Vjp {
        Vjp::none(call)
    }

    fn lower(&self, call: &Call) -> Lowering {
        let (dtype, start, step) = (call.result_types[0].dtype, start(call), call.attributes.int("step") as f64);
        // Of unsigned numbers, a negative step is the one that wraps to it.
        let number = |number: f64| match dtype {
            DType::U32 => number.rem_euclid(4_294_967_296.0),
            DType::U8 => number.rem_euclid(256.0),
            _ => number,
        };
        let mut body = Body::default();
        let position = body.push(Scalar::Index(Index::axis(0)));
        let mut result = if dtype == DType::U32 { position } else { body.apply(ScalarOp::Cast(dtype), &[position]) };
        if step != 1.0 {
            let step = body.constant(dtype, number(step));
            result = body.apply(ScalarOp::Mul, &[result, step]);
        }
        if start != 0.0 {
            let start = body.constant(dtype, number(start));
            body.apply(ScalarOp::Add, &[result, start]);
        }
        let (reducer, epilogue) = (None, None);
        Lowering::Nest(Nest { extents: call.shape(), outputs: 1, reads: Vec::new(), body, reducer, epilogue, dtype })
    }

    fn reference(&self, call: &Call, _operands: &[&Array]) -> Vec<Array> {
        let (dtype, step) = (call.result_types[0].dtype, call.attributes.int("step"));
        let element = |point: &[usize]| {
            wrapping(dtype, start(call), (step * point[0] as i64) as f64, |a, b| a + b, i64::wrapping_add)
        };
        vec![Array::build(dtype, &call.shape(), element)]
    }

    fn samples(&self) -> Vec<Sample> {
        let cases: [(i64, i64, i64, DType); 8] = [
            (5, 0, 1, DType::U32),
            (33, 2, 3, DType::U32),
            (7, 20, -3, DType::U32),
            (7, -4, 1, DType::I32),
            (9, 3, -2, DType::F32),
            (1, 0, 1, DType::F32),
            (0, 0, 1, DType::U32),
            (3, -1, 1, DType::F64),
        ];
        let sample = |(extent, start, step, dtype): (i64, i64, i64, DType)| Sample {
            attributes: attributes(Extent::from(extent), Extent::from(start), step, dtype),
            operands: Vec::new(),
        };
        cases.map(sample).to_vec()
    }
}
