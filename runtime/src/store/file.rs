//! Files of tensors, in the format safetensors: what is read is held against the format before anything is used, and what
//! is written appears whole or not at all.

use crate::error::Error;
use safetensors::tensor::{Dtype, Metadata, TensorView, serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use tapeless_compiler::dtype::DType;

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
    pub(super) tensors: BTreeMap<String, TensorView<'a>>,
    remarks: Vec<(String, String)>,
}

impl<'a> Contents<'a> {
    /// What the bytes of a file hold.
    pub(super) fn parse(path: &Path, bytes: &'a [u8]) -> Result<Contents<'a>, Error> {
        let wrong = |reason: String| Error::Checkpoint { path: path.to_path_buf(), reason };
        let (header, elements) = parts(bytes).ok_or_else(|| wrong("it ends inside of its header".to_string()))?;
        // The crate's own reader adds up offsets that a file makes up, which can overflow: it gets the header only.
        let header: Metadata = serde_json::from_slice(header).map_err(|error| wrong(error.to_string()))?;
        let infos = header.tensors();
        let end = infos.values().map(|info| info.data_offsets.1).max().unwrap_or(0);
        if end != elements.len() {
            return Err(wrong(format!("its tensors take {end} bytes, and it has {}", elements.len())));
        }
        let mut tensors = BTreeMap::new();
        for (key, info) in infos {
            let (start, end) = info.data_offsets;
            let bytes = elements.get(start..end).ok_or_else(|| wrong(format!("`{key}` has no place in it")))?;
            let view =
                TensorView::new(info.dtype, info.shape.clone(), bytes).map_err(|error| wrong(error.to_string()))?;
            tensors.insert(key, view);
        }
        let remarks = header.metadata().iter().flatten().map(|(name, word)| (name.clone(), word.clone())).collect();
        Ok(Contents { tensors, remarks })
    }

    /// The remark of that name.
    pub(super) fn remark(&self, name: &str) -> Option<&str> {
        self.remarks.iter().find(|(other, _)| other == name).map(|(_, word)| word.as_str())
    }
}

/// The header and the elements behind it. The header's length stands in front, in eight bytes.
fn parts(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)
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
    let name = path.file_name().ok_or_else(|| io::Error::other("the path names no file"))?;
    let mut beside = name.to_os_string();
    beside.push(format!(".{}.tmp", std::process::id()));
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
