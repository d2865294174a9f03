//! What all elementwise ops share: a result element depends on the operand elements at the same position only.

use crate::dtype::DType;
use crate::graph::{Array, Builder, Call, Fill, Infer, Lowering, Op, Sample, SampleOperand, TypeError, ValueId, Vjp};
use crate::nest::{Body, Index, Nest, Read, Scalar, ScalarId};
use crate::shape::Type;

/// Which element types an elementwise op takes and gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signature {
    /// Numbers of one type, giving that type.
    Numbers,
    /// Floats of one type, giving that type.
    Floats,
    /// Floats or i32, giving that type.
    Signed,
    /// Numbers of one type, giving bool.
    Comparison,
    /// Two of any one type, giving bool.
    Equality,
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
            Signature::Bools | Signature::Equality => Ok(DType::Bool),
            _ if first.dtype == DType::Bool => infer.error("takes numbers, not bool"),
            Signature::Signed if !first.dtype.is_float() && first.dtype != DType::I32 => {
                infer.error(format!("takes floats or i32, not {}", first.dtype))
            }
            Signature::Numbers | Signature::Signed => Ok(first.dtype),
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
            SampleOperand::numbers(dtype, shape, *fill)
        };
        Sample { attributes: Default::default(), operands: self.fills.iter().enumerate().map(operand).collect() }
    }
}

/// Shapes that every op with free shapes is tried on: scalar, ordinary, odd, size 1, empty.
pub const SHAPES: [&[usize]; 7] = [&[], &[4], &[1], &[3, 5], &[2, 1, 7], &[33], &[3, 0]];

/// The nest that applies a body to the operand elements at each position.
pub fn nest(call: &Call, body: impl FnOnce(&mut Body, &[ScalarId]) -> ScalarId) -> Nest {
    let extents = call.shape();
    let index: Vec<Index> = (0..extents.len()).map(Index::axis).collect();
    let read = |(operand, ty): (usize, &Type)| Read { operand, dtype: ty.dtype, index: index.clone() };
    let mut scalars = Body::default();
    let operands: Vec<ScalarId> = (0..call.operands.len()).map(|read| scalars.push(Scalar::Read(read))).collect();
    body(&mut scalars, &operands);
    Nest {
        outputs: extents.len(),
        extents,
        reads: call.operand_types.iter().enumerate().map(read).collect(),
        body: scalars,
        reducer: None,
        epilogue: None,
        dtype: call.result_types[0].dtype,
    }
}

/// The array of what `scalar` makes of the operand elements at each position.
pub fn map(call: &Call, operands: &[&Array], scalar: impl Fn(&[f64]) -> f64) -> Array {
    let element = |i: usize| {
        let scalars: Vec<f64> = operands.iter().map(|array| array.elements[i]).collect();
        scalar(&scalars)
    };
    let elements = (0..operands[0].elements.len()).map(element).collect();
    Array::new(call.result_types[0].dtype, &operands[0].shape, elements)
}

/// What an arithmetic operation gives on elements of a type: the real operation on floats, the whole one on integers,
/// where the result wraps at their width.
pub fn wrapping(dtype: DType, a: f64, b: f64, real: fn(f64, f64) -> f64, whole: fn(i64, i64) -> i64) -> f64 {
    let exact = || whole(a as i64, b as i64);
    match dtype {
        DType::U32 => f64::from(exact() as u32),
        DType::I32 => f64::from(exact() as i32),
        DType::U8 => f64::from(exact() as u8),
        DType::I64 => exact() as f64,
        DType::F32 | DType::F64 | DType::F16 | DType::Bf16 | DType::Bool => real(a, b),
    }
}

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
        let dtype = self.working_dtype(call);
        Lowering::Nest(nest(call, |body, operands| (self.body)(body, dtype, operands)))
    }

    fn is_elementwise(&self) -> bool {
        true
    }

    fn reference(&self, call: &Call, operands: &[&Array]) -> Vec<Array> {
        let dtype = self.working_dtype(call);
        vec![map(call, operands, |scalars| (self.scalar)(dtype, scalars))]
    }

    fn samples(&self) -> Vec<Sample> {
        let dtypes: &[DType] = match self.signature {
            Signature::Floats | Signature::Bools => &[DType::F32],
            Signature::Signed => &[DType::F32, DType::I32],
            Signature::Numbers | Signature::Comparison => &[DType::F32, DType::U32, DType::I32],
            Signature::Choice => &[DType::F32, DType::U32, DType::Bool],
            Signature::Equality => &[DType::F32, DType::U32, DType::I32, DType::Bool],
        };
        dtypes.iter().flat_map(|&dtype| SHAPES.iter().map(move |shape| self.sample(shape, dtype))).collect()
    }
}
