//! Elements of arrays as the bytes that kernels see.

use tapeless::{bf16, f16};
use tapeless_compiler::dtype::DType;

/// Numbers as elements of an array.
pub fn encode(dtype: DType, elements: &[f64]) -> Vec<u8> {
    let bytes = |&element: &f64| match dtype {
        DType::F32 => (element as f32).to_ne_bytes().to_vec(),
        DType::F16 => f16::from_f64(element).to_ne_bytes().to_vec(),
        DType::Bf16 => bf16::from_f64(element).to_ne_bytes().to_vec(),
        DType::F64 => element.to_ne_bytes().to_vec(),
        DType::I32 => (element as i32).to_ne_bytes().to_vec(),
        DType::I64 => (element as i64).to_ne_bytes().to_vec(),
        DType::U8 => vec![element as u8],
        DType::U32 | DType::Bool => (element as u32).to_ne_bytes().to_vec(),
    };
    elements.iter().flat_map(bytes).collect()
}

/// The bytes as those of an element.
fn sized<const SIZE: usize>(bytes: &[u8]) -> [u8; SIZE] {
    bytes.try_into().expect("elements have the size of their type")
}

/// Elements of an array as numbers.
pub fn decode(dtype: DType, bytes: &[u8]) -> Vec<f64> {
    let element = |bytes: &[u8]| match dtype {
        DType::F32 => f64::from(f32::from_ne_bytes(sized(bytes))),
        DType::F16 => f16::from_ne_bytes(sized(bytes)).to_f64(),
        DType::Bf16 => bf16::from_ne_bytes(sized(bytes)).to_f64(),
        DType::F64 => f64::from_ne_bytes(sized(bytes)),
        DType::I32 => f64::from(i32::from_ne_bytes(sized(bytes))),
        DType::I64 => i64::from_ne_bytes(sized(bytes)) as f64,
        DType::U8 => f64::from(bytes[0]),
        DType::U32 | DType::Bool => f64::from(u32::from_ne_bytes(sized(bytes))),
    };
    bytes.chunks(dtype.size()).map(element).collect()
}
