//! What all elementwise ops share: a result element depends on the operand elements at the same position only.

use crate::dtype::DType;
use crate::graph::{Array, Builder, Call, Fill, Infer, Lowering, Op, Sample, SampleOperand, TypeError, ValueId, Vjp};
use crate::nest::{Body, Index, Nest, Read, Scalar, ScalarId};
use crate::shape::{Shape, Type};

/// Which element types an elementwise op takes and gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signature {
    /// Numbers of one type, giving that type.
    Numbers,
    /// Floats of one type, giving that type.
    Floats,
    /// Numbers of one type, giving bool.
    Comparison,
    /// Bools, giving bool.
    Bools,
    /// A bool, then two of any one type, giving that type.
    Choice,
}

/// The gradient rule of an elementwise op: one cotangent per operand from the cotangent of the result.
pub type Gradient = fn(&mut Builder<'_>, &Call, ValueId) -> Vec<Option<ValueId>>;

/// An elementwise op.
pub struct Elementwise {
    /// The name.
    pub name: &'static str,
    /// The formula.
    pub doc: &'static str,
    /// What each operand of a sample holds; as many entries as operands.
    pub fills: &'static [Fill],
    /// Element types.
    pub signature: Signature,
    /// The meaning in f64 of one element, given the operands' (first numeric) element type.
    pub scalar: fn(DType, &[f64]) -> f64,
    /// The same as scalar operations of a kernel.
    pub body: fn(&mut Body, DType, &[ScalarId]) -> ScalarId,
    /// The gradient rule; `None` when no gradient flows.
    pub gradient: Option<Gradient>,
}

impl Elementwise {
    fn dtype(&self, infer: &Infer<'_>, types: &[&Type]) -> Result<DType, TypeError> {
        let (first, last) = (types[0], types[types.len() - 1]);
        let numbers = if self.signature == Signature::Choice { &types[1..] } else { types };
        for pair in numbers.windows(2) {
            infer.same_dtype(pair[0], pair[1])?;
        }
        match self.signature {
            Signature::Floats => infer.float(first).map(|()| first.dtype),
            Signature::Choice if first.dtype != DType::Bool => infer.error("the condition is no bool"),
            Signature::Choice => Ok(last.dtype),
            Signature::Bools if first.dtype != DType::Bool => infer.error(format!("takes bools, not {}", first.dtype)),
            Signature::Bools => Ok(DType::Bool),
            _ if first.dtype == DType::Bool => infer.error("takes numbers, not bool"),
            Signature::Numbers => Ok(first.dtype),
            Signature::Comparison => Ok(DType::Bool),
        }
    }

    /// The element type that the operation works in.
    fn working_dtype(&self, call: &Call) -> DType {
        call.operand_types[usize::from(self.signature == Signature::Choice)].dtype
    }

    fn sample(&self, shape: &[usize], dtype: DType) -> Sample {
        let operand = |(position, fill): (usize, &Fill)| {
            let condition = self.signature == Signature::Choice && position == 0;
            let dtype = if condition || self.signature == Signature::Bools { DType::Bool } else { dtype };
            let fill = match dtype {
                DType::Bool => Fill::Below(2),
                other if other.is_integer() => Fill::Below(7),
                _ => *fill,
            };
            SampleOperand { ty: Type::new(dtype, Shape::from_known(shape)), fill }
        };
        Sample { attributes: Default::default(), operands: self.fills.iter().enumerate().map(operand).collect() }
    }
}

/// Shapes that every op with free shapes is tried on: scalar, ordinary, odd, size 1, empty.
pub const SHAPES: [&[usize]; 7] = [&[], &[4], &[1], &[3, 5], &[2, 1, 7], &[33], &[3, 0]];

impl Op for Elementwise {
    fn name(&self) -> &'static str {
        self.name
    }

    fn doc(&self) -> &'static str {
        self.doc
    }

    fn infer(&self, infer: &mut Infer<'_>) -> Result<Vec<Type>, TypeError> {
        let types = infer.all();
        if types.len() != self.fills.len() {
            return infer.error(format!("takes {} operands, not {}", self.fills.len(), types.len()));
        }
        let dtype = self.dtype(infer, types)?;
        for other in &types[1..] {
            infer.same_shape(types[0], other)?;
        }
        Ok(vec![Type::new(dtype, types[0].shape.clone())])
    }

    fn vjp(&self, b: &mut Builder<'_>, call: &Call, cotangents: &[Option<ValueId>]) -> Vjp {
        match (self.gradient, cotangents[0]) {
            (Some(gradient), Some(cotangent)) if call.result_types[0].dtype.is_float() => {
                Vjp::Operands(gradient(b, call, cotangent))
            }
            _ => Vjp::none(call),
        }
    }

    fn lower(&self, call: &Call) -> Lowering {
        let extents = call.shape();
        let index: Vec<Index> = (0..extents.len()).map(Index::axis).collect();
        let read = |(operand, ty): (usize, &Type)| Read { operand, dtype: ty.dtype, index: index.clone() };
        let mut body = Body::default();
        let operands: Vec<ScalarId> = (0..call.operands.len()).map(|read| body.push(Scalar::Read(read))).collect();
        (self.body)(&mut body, self.working_dtype(call), &operands);
        Lowering::Nest(Nest {
            outputs: extents.len(),
            extents,
            reads: call.operand_types.iter().enumerate().map(read).collect(),
            body,
            reducer: None,
            epilogue: None,
            dtype: call.result_types[0].dtype,
        })
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let dtype = self.working_dtype(call);
        let element = |i: usize| {
            let scalars: Vec<f64> = operands.iter().map(|array| array.elements[i]).collect();
            (self.scalar)(dtype, &scalars)
        };
        let elements = (0..operands[0].elements.len()).map(element).collect();
        vec![Array::new(call.result_types[0].dtype, &operands[0].shape, elements)]
    }

    fn samples(&self) -> Vec<Sample> {
        let dtypes: &[DType] = match self.signature {
            Signature::Floats | Signature::Bools => &[DType::F32],
            Signature::Numbers => &[DType::F32, DType::I32],
            Signature::Comparison | Signature::Choice => &[DType::F32, DType::U32, DType::I32],
        };
        dtypes.iter().flat_map(|&dtype| SHAPES.iter().map(move |shape| self.sample(shape, dtype))).collect()
    }
}
