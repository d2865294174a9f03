//! Files of the format safetensors: a header in JSON that says where which tensor lies, and the elements behind it, without
//! gaps. The header is read piece by piece, so that it takes no more memory than it is long, by a small factor.

use super::{Contents, FileError, ReadTensor};
use safetensors::tensor::Dtype;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// How long a header may be at most, as in the format's own reader.
const LONGEST_HEADER: usize = 100_000_000;

/// How many axes a tensor may have at most, which is what PyTorch's may.
const MOST_AXES: usize = 64;

/// What names of our remarks begin with. Those of others are not kept.
const OURS: &str = "tapeless.";

/// How many remarks are kept at most; there are two.
const MOST_REMARKS: usize = 8;

/// What the bytes of a file hold.
pub(super) fn read(bytes: &[u8]) -> Result<Contents<'_>, FileError> {
    let (header, elements) = split(bytes)?;
    let Header { mut infos, remarks } = serde_json::from_slice(header)?;
    infos.sort_by_key(|(_, info)| info.data_offsets);
    let (mut tensors, mut expected) = (BTreeMap::new(), 0);
    for (key, info) in infos {
        let (start, end) = info.data_offsets;
        let placed = if start == expected { elements.get(start..end) } else { None };
        expected = end;
        let tensor = placed.ok_or("it has no place of its own in the file".to_string());
        let tensor = tensor.and_then(|bytes| tensor_of(info, bytes));
        let tensor = tensor.map_err(|reason| FileError::Tensor { key: key.to_string(), reason })?;
        if tensors.contains_key(&key) {
            return Err(FileError::Tensor { key: key.into_owned(), reason: "it stands there twice".to_string() });
        }
        tensors.insert(key, tensor);
    }
    match expected == elements.len() {
        true => Ok(Contents { tensors, remarks }),
        false => Err(FileError::Length { expected, found: elements.len() }),
    }
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

fn tensor_of(info: Info, bytes: &[u8]) -> Result<ReadTensor<'_>, String> {
    let Info { dtype, shape: Extents(shape), .. } = info;
    let bits = shape.iter().try_fold(dtype.bitsize(), |bits, extent| bits.checked_mul(*extent));
    match bits == bytes.len().checked_mul(8) {
        true => Ok(ReadTensor { dtype, shape, strides: None, bytes }),
        false => Err(format!("{dtype} of shape {shape:?} does not take {} bytes", bytes.len())),
    }
}

/// The header: what it says of each tensor, by key, and our remarks.
struct Header<'a> {
    infos: Vec<(Cow<'a, str>, Info)>,
    remarks: Vec<(String, String)>,
}

/// What the header says of a tensor.
#[derive(Deserialize)]
struct Info {
    dtype: Dtype,
    shape: Extents,
    data_offsets: (usize, usize),
}

struct Extents(Vec<usize>);

/// A text that lies in the header as it is, if nothing in it is escaped.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Deserialize<'a> for Header<'a> {
    fn deserialize<D: Deserializer<'a>>(header: D) -> Result<Header<'a>, D::Error> {
        header.deserialize_map(HeaderVisitor)
    }
}

struct HeaderVisitor;

impl<'a> Visitor<'a> for HeaderVisitor {
    type Value = Header<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a header of safetensors")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<Header<'a>, M::Error> {
        let mut header = Header { infos: Vec::new(), remarks: Vec::new() };
        while let Some(Text(key)) = map.next_key()? {
            match key.as_ref() {
                "__metadata__" => header.remarks = map.next_value::<Remarks>()?.0,
                _ => header.infos.push((key, map.next_value()?)),
            }
        }
        Ok(header)
    }
}

/// Our remarks.
struct Remarks(Vec<(String, String)>);

impl<'a> Deserialize<'a> for Remarks {
    fn deserialize<D: Deserializer<'a>>(remarks: D) -> Result<Remarks, D::Error> {
        remarks.deserialize_map(RemarksVisitor)
    }
}

struct RemarksVisitor;

impl<'a> Visitor<'a> for RemarksVisitor {
    type Value = Remarks;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "texts by name")
    }

    fn visit_map<M: MapAccess<'a>>(self, mut map: M) -> Result<Remarks, M::Error> {
        let mut remarks = Vec::new();
        while let Some((Text(name), Text(word))) = map.next_entry()? {
            if name.starts_with(OURS) && remarks.len() < MOST_REMARKS {
                remarks.push((name.into_owned(), word.into_owned()));
            }
        }
        Ok(Remarks(remarks))
    }
}

impl<'a> Deserialize<'a> for Extents {
    fn deserialize<D: Deserializer<'a>>(extents: D) -> Result<Extents, D::Error> {
        extents.deserialize_seq(ExtentsVisitor)
    }
}

struct ExtentsVisitor;

impl<'a> Visitor<'a> for ExtentsVisitor {
    type Value = Extents;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {MOST_AXES} extents")
    }

    fn visit_seq<S: SeqAccess<'a>>(self, mut extents: S) -> Result<Extents, S::Error> {
        let mut shape = Vec::new();
        while let Some(extent) = extents.next_element()? {
            if shape.len() == MOST_AXES {
                return Err(S::Error::invalid_length(MOST_AXES + 1, &self));
            }
            shape.push(extent);
        }
        Ok(Extents(shape))
    }
}
