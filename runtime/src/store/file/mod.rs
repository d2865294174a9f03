//! Files of tensors: what is read is held against its format before anything is used, and what is written, in the format
//! safetensors, appears whole or not at all.

mod legacy;
mod pickle;
mod state;
mod torch;

use crate::error::Error;
use pickle::PickleError;
use safetensors::tensor::{Dtype, TensorView, serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use tapeless_compiler::dtype::DType;
use thiserror::Error;

/// A tensor as a file holds it: lower bytes first, bools in one byte.
pub(super) struct FileTensor<'a> {
    /// The key.
    pub(super) key: String,
    /// The element type.
    pub(super) dtype: DType,
    /// The extents.
    pub(super) shape: &'a [usize],
    /// The elements.
    pub(super) bytes: Cow<'a, [u8]>,
}

/// A tensor of a file that was read: a view of the file's bytes.
#[derive(Debug)]
pub(super) struct ReadTensor<'a> {
    /// The element type, which need not be one of the language.
    pub(super) dtype: Dtype,
    /// The extents.
    pub(super) shape: Vec<usize>,
    /// How far neighbours along each axis are apart, in elements. Without it they lie row by row and side by side.
    strides: Option<Vec<usize>>,
    /// The bytes from the first element to the last one, lower ones first.
    bytes: &'a [u8],
}

/// Why a file is refused.
#[derive(Debug, Error)]
enum FileError {
    #[error("it ends inside of its header")]
    Header,
    #[error("its header has {length} bytes, more than the format allows")]
    LongHeader { length: usize },
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error("its tensors take {expected} bytes, and it has {found}")]
    Length { expected: usize, found: usize },
    #[error("`{key}`: {reason}")]
    Tensor { key: String, reason: String },
    #[error("as an archive it is damaged: {0}")]
    Archive(#[from] rawzip::Error),
    #[error("it is damaged: its storage `{member}` has no place in it")]
    Member { member: String },
    #[error("`{member}` is compressed or encrypted, which PyTorch does not do")]
    Compressed { member: String },
    #[error("it is an archive without a `data.pkl`, so PyTorch did not write it")]
    NoPickle,
    #[error("it is of a version of PyTorch's files that is not known")]
    Version,
    #[error("its numbers are written highest byte first")]
    ByteOrder,
    #[error(transparent)]
    Pickle(#[from] PickleError),
    #[error("it holds no dict of tensors")]
    NoDict,
    #[error("it holds several dicts of tensors: say which in `Load {{ part, .. }}`, one of {listed}")]
    Several { listed: String },
    #[error("it holds no dict of tensors `{part}`{}", beside(listed))]
    NoPart { part: String, listed: String },
}

fn beside(listed: &str) -> String {
    if listed.is_empty() { String::new() } else { format!(", only {listed}") }
}

impl<'a> ReadTensor<'a> {
    /// The elements row by row. Only for extents that a tensor in memory has.
    pub(super) fn elements(&self) -> Cow<'a, [u8]> {
        let (size, count) = (self.dtype.bitsize() / 8, self.shape.iter().product::<usize>());
        let Some(strides) = self.strides.as_ref().filter(|_| count > 0) else { return Cow::Borrowed(self.bytes) };
        let mut elements = Vec::with_capacity(count * size);
        let mut index = vec![0; self.shape.len()];
        for _ in 0..count {
            let at: usize = index.iter().zip(strides).map(|(index, stride)| index * stride).sum();
            elements.extend_from_slice(&self.bytes[at * size..][..size]);
            advance(&mut index, &self.shape);
        }
        Cow::Owned(elements)
    }
}

/// Whether elements with these strides lie row by row and side by side.
fn is_dense(shape: &[usize], strides: &[usize]) -> bool {
    let mut dense = 1usize;
    shape.iter().zip(strides).rev().filter(|(extent, _)| **extent != 1).all(|(extent, stride)| {
        let expected = dense;
        dense = dense.saturating_mul(*extent);
        *stride == expected
    })
}

/// The index of the next element, the first one behind the last.
fn advance(index: &mut [usize], shape: &[usize]) {
    for (index, extent) in index.iter_mut().zip(shape).rev() {
        *index += 1;
        if *index < *extent {
            return;
        }
        *index = 0;
    }
}

/// The bytes of a file. Only regular files are read, for the others need not end.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::File { path: path.to_path_buf(), source };
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(failed(io::Error::other("not a file")));
    }
    fs::read(path).map_err(failed)
}

/// A file's tensors and its remarks: words that belong to no tensor.
pub(super) struct Contents<'a> {
    /// The tensors by key.
    pub(super) tensors: BTreeMap<Cow<'a, str>, ReadTensor<'a>>,
    remarks: Vec<(String, String)>,
}

impl<'a> Contents<'a> {
    /// What the bytes of a file hold; of a file of PyTorch's that holds several dicts, the one of that name.
    pub(super) fn parse(path: &Path, bytes: &'a [u8], part: Option<&str>) -> Result<Contents<'a>, Error> {
        let contents = Contents::read(bytes, part);
        contents.map_err(|error| Error::Checkpoint { path: path.to_path_buf(), reason: error.to_string() })
    }

    fn read(bytes: &'a [u8], part: Option<&str>) -> Result<Contents<'a>, FileError> {
        let remarks = Vec::new();
        if torch::is_archive(bytes) {
            return Ok(Contents { tensors: torch::read(bytes, part)?, remarks });
        }
        if legacy::is_legacy(bytes) {
            return Ok(Contents { tensors: legacy::read(bytes, part)?, remarks });
        }
        match part {
            Some(part) => Err(FileError::NoPart { part: part.to_string(), listed: String::new() }),
            None => state::read(bytes),
        }
    }

    /// The remark of that name.
    pub(super) fn remark(&self, name: &str) -> Option<&str> {
        self.remarks.iter().find(|(other, _)| other == name).map(|(_, word)| word.as_str())
    }
}

/// Writes a file beside its place, then puts it there: whoever looks finds the old file or the new one, whole.
pub(super) fn write(path: &Path, tensors: &[FileTensor<'_>], remarks: &[(&str, String)]) -> Result<(), Error> {
    let wrong =
        |error: safetensors::SafeTensorError| Error::Checkpoint { path: path.to_path_buf(), reason: error.to_string() };
    let mut views = Vec::with_capacity(tensors.len());
    for tensor in tensors {
        let view = TensorView::new(file_dtype(tensor.dtype), tensor.shape.to_vec(), &tensor.bytes).map_err(wrong)?;
        views.push((tensor.key.as_str(), view));
    }
    let remarks = remarks.iter().map(|(name, word)| (name.to_string(), word.clone())).collect();
    let bytes = serialize(views, Some(remarks)).map_err(wrong)?;
    replace(path, &bytes).map_err(|source| Error::File { path: path.to_path_buf(), source })
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // No two saves write to one file, not even to the same place at the same time.
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().ok_or_else(|| io::Error::other("the path names no file"))?;
    let mut beside = name.to_os_string();
    beside.push(format!(".{}-{}.tmp", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
    let beside = path.with_file_name(beside);
    let written = write_through(&beside, bytes).and_then(|()| fs::rename(&beside, path));
    if written.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&beside);
    }
    written?;
    // The new name must reach the disk too; where directories cannot be opened, that is the system's matter.
    if let Ok(folder) = File::open(folder(path)) {
        folder.sync_all()?;
    }
    Ok(())
}

fn write_through(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// The folder that a file is in.
pub(super) fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// The name of an element type of files, in words of the language where it has one.
pub(super) fn type_name(dtype: Dtype) -> String {
    match own_dtype(dtype) {
        Some(own) => own.to_string(),
        None => dtype.to_string().to_lowercase(),
    }
}

/// The element type that the format calls so.
pub(super) fn own_dtype(dtype: Dtype) -> Option<DType> {
    DType::ALL.into_iter().find(|&own| file_dtype(own) == dtype)
}

fn file_dtype(dtype: DType) -> Dtype {
    match dtype {
        DType::F32 => Dtype::F32,
        DType::F16 => Dtype::F16,
        DType::Bf16 => Dtype::BF16,
        DType::F64 => Dtype::F64,
        DType::U32 => Dtype::U32,
        DType::I32 => Dtype::I32,
        DType::U8 => Dtype::U8,
        DType::Bool => Dtype::BOOL,
        DType::I64 => Dtype::I64,
    }
}
