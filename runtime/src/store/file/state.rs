//! Files of the format safetensors: a header in JSON that says where which tensor lies, and the elements behind it.

use super::{Contents, FileError, ReadTensor};
use safetensors::tensor::{Metadata, TensorInfo};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// How long a header may be at most, as in the format's own reader.
const LONGEST_HEADER: usize = 100_000_000;

/// What the bytes of a file hold.
pub(super) fn read(bytes: &[u8]) -> Result<Contents<'_>, FileError> {
    let (header, elements) = split(bytes)?;
    // The crate's own reader adds up offsets that a file makes up, which can overflow: it gets the header only.
    let header: Metadata = serde_json::from_slice(header)?;
    let infos = header.tensors();
    let end = infos.values().map(|info| info.data_offsets.1).max().unwrap_or(0);
    if end != elements.len() {
        return Err(FileError::Length { expected: end, found: elements.len() });
    }
    let mut tensors = BTreeMap::new();
    for (key, info) in infos {
        let wrong = |reason| FileError::Tensor { key: key.clone(), reason };
        let tensor = tensor(info, elements).map_err(wrong)?;
        tensors.insert(Cow::Owned(key), tensor);
    }
    let remarks = header.metadata().iter().flatten().map(|(name, word)| (name.clone(), word.clone())).collect();
    Ok(Contents { tensors, remarks })
}

/// The header and the elements behind it. The header's length stands in front, in eight bytes.
fn split(bytes: &[u8]) -> Result<(&[u8], &[u8]), FileError> {
    let (length, rest) = bytes.split_first_chunk::<8>().ok_or(FileError::Header)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| FileError::Header)?;
    if length > LONGEST_HEADER && length <= rest.len() {
        return Err(FileError::LongHeader { length });
    }
    rest.split_at_checked(length).ok_or(FileError::Header)
}

fn tensor<'a>(info: &TensorInfo, elements: &'a [u8]) -> Result<ReadTensor<'a>, String> {
    let (start, end) = info.data_offsets;
    let bytes = elements.get(start..end).ok_or("it has no place in the file")?;
    let (dtype, shape) = (info.dtype, info.shape.clone());
    let bits = shape.iter().try_fold(dtype.bitsize(), |bits, extent| bits.checked_mul(*extent));
    if bits != bytes.len().checked_mul(8) {
        return Err(format!("{dtype} of shape {shape:?} does not take {} bytes", bytes.len()));
    }
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        // Nothing is read where there are no elements, whatever the other extents are.
        strides[axis - 1] = shape[axis].saturating_mul(strides[axis]);
    }
    Ok(ReadTensor { dtype, shape, strides, bytes })
}
