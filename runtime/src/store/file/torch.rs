//! Files that `torch.save` writes: an archive whose `data.pkl` says which tensors there are and where in the storages, which
//! are other members of the archive, their elements lie. What enters are the bytes of a file, what leaves are the tensors of
//! the state dict in it, as views of those bytes: a file takes no memory but its own.

use super::pickle::{Entry, Global, Pickle, Span, Value, limit, shortened};
use super::{FileError, ReadTensor, is_dense};
use rawzip::{CompressionMethod, ZipArchive, ZipFileHeaderRecord, ZipSliceArchive};
use safetensors::tensor::Dtype;
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What a dict around the state dict calls it.
const NAMES: [&str; 3] = ["state_dict", "model_state_dict", "model"];

/// How many names a message lists.
const LISTED: usize = 5;

/// The tensors by key.
pub(super) type Tensors<'a> = BTreeMap<Cow<'a, str>, ReadTensor<'a>>;

/// Whether the bytes are those of an archive. No header of safetensors begins so: the byte behind its length is a brace.
pub(super) fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04") && bytes.get(8) != Some(&b'{')
}

/// The tensors of the state dict in an archive, of the part of that name if one is given.
pub(super) fn read<'a>(bytes: &'a [u8], part: Option<&str>) -> Result<Tensors<'a>, FileError> {
    let archive = Archive::open(bytes)?;
    let (pickle, _) = Pickle::parse(archive.pickle, bytes.len())?;
    tensors(&pickle, &archive.storages, part, limit(bytes.len()))
}

/// The members of an archive that matter.
struct Archive<'a> {
    pickle: &'a [u8],
    storages: BTreeMap<Vec<u8>, &'a [u8]>,
}

impl<'a> Archive<'a> {
    fn open(bytes: &'a [u8]) -> Result<Archive<'a>, FileError> {
        let zip = ZipArchive::from_slice(bytes)?;
        let root = root(&zip)?;
        let (mut pickle, mut storages, mut entries) = (None, BTreeMap::new(), zip.entries());
        while let Some(entry) = entries.next_entry()? {
            let Some(name) = entry.file_path().as_bytes().strip_prefix(root.as_slice()) else { continue };
            match (name, name.strip_prefix(b"data/")) {
                (b"data.pkl", _) => pickle = Some(contents(bytes, &zip, &entry)?),
                (b"byteorder", _) if contents(bytes, &zip, &entry)? != b"little" => return Err(FileError::ByteOrder),
                (_, Some(key)) if !key.is_empty() => {
                    storages.insert(key.to_vec(), contents(bytes, &zip, &entry)?);
                }
                _ => {}
            }
        }
        Ok(Archive { pickle: pickle.ok_or(FileError::NoPickle)?, storages })
    }
}

/// The folder of the archive that everything is in, with its slash.
fn root(zip: &ZipSliceArchive<&[u8]>) -> Result<Vec<u8>, FileError> {
    let mut entries = zip.entries();
    while let Some(entry) = entries.next_entry()? {
        let root = entry.file_path().as_bytes().strip_suffix(b"data.pkl");
        if let Some(root) = root.filter(|root| root.is_empty() || root.ends_with(b"/")) {
            return Ok(root.to_vec());
        }
    }
    Err(FileError::NoPickle)
}

/// The bytes of a member, which lie in the file as they are.
fn contents<'a>(
    bytes: &'a [u8],
    zip: &ZipSliceArchive<&[u8]>,
    entry: &ZipFileHeaderRecord<'_>,
) -> Result<&'a [u8], FileError> {
    let member = || shortened(&String::from_utf8_lossy(entry.file_path().as_bytes()));
    if entry.compression_method() != CompressionMethod::STORE || entry.flags().is_encrypted() {
        return Err(FileError::Compressed { member: member() });
    }
    let (start, end) = zip.get_entry(entry.wayfinder())?.compressed_data_range();
    bytes.get(start as usize..end as usize).ok_or_else(|| FileError::Member { member: member() })
}

/// The tensors of the state dict that a pickle builds.
pub(super) fn tensors<'a>(
    pickle: &Pickle<'a>,
    storages: &BTreeMap<Vec<u8>, &'a [u8]>,
    part: Option<&str>,
    limit: usize,
) -> Result<Tensors<'a>, FileError> {
    let dict = state_dict(pickle, part)?;
    let mut found = Tensors::new();
    let mut axes = 0;
    for (_, key, arguments) in named_tensors(pickle).filter(|(entry, ..)| entry.of == dict) {
        let wrong = |reason: &str| FileError::Tensor { key: shortened(key), reason: reason.to_string() };
        let tensor = tensor(pickle, storages, arguments).map_err(|reason| wrong(&reason))?;
        axes += tensor.shape.len();
        // One tuple of extents may serve many tensors.
        if axes > limit {
            return Err(wrong("the extents of all tensors are too many for the file's length"));
        }
        found.insert(Cow::Borrowed(key), tensor);
    }
    Ok(found)
}

/// Every entry of a dict whose key is a text and whose value is a tensor.
fn named_tensors<'p, 'a>(pickle: &'p Pickle<'a>) -> impl Iterator<Item = (&'p Entry<'a>, &'a str, Span)> {
    pickle.entries.iter().filter_map(|entry| match (entry.key, entry.value) {
        (Value::Text(key), Value::Tensor(arguments)) => Some((entry, key, arguments)),
        _ => None,
    })
}

/// The dict that holds the tensors: the outermost one if it does, or the one in it of that name or a usual one, or the only
/// one in it that holds tensors.
fn state_dict(pickle: &Pickle<'_>, part: Option<&str>) -> Result<u32, FileError> {
    let Value::Dict(root) = pickle.root else { return Err(FileError::NoDict) };
    let mut holding: Vec<u32> = named_tensors(pickle).map(|(entry, ..)| entry.of).collect();
    holding.sort_unstable();
    holding.dedup();
    let mut inner = BTreeMap::new();
    for entry in pickle.entries.iter().filter(|entry| entry.of == root) {
        if let (Value::Text(name), Value::Dict(dict)) = (entry.key, entry.value)
            && holding.binary_search(&dict).is_ok()
        {
            inner.insert(name, dict);
        }
    }
    let listed =
        || inner.keys().take(LISTED).map(|name| format!("`{}`", shortened(name))).collect::<Vec<_>>().join(", ");
    if let Some(part) = part {
        return inner.get(part).copied().ok_or_else(|| FileError::NoPart { part: part.to_string(), listed: listed() });
    }
    if holding.binary_search(&root).is_ok() {
        return Ok(root);
    }
    if let Some(dict) = NAMES.iter().find_map(|name| inner.get(name)) {
        return Ok(*dict);
    }
    match inner.len() {
        0 => Ok(root),
        1 => Ok(*inner.values().next().expect("there is one")),
        _ => Err(FileError::Several { listed: listed() }),
    }
}

/// A tensor out of what `_rebuild_tensor_v2` would be called with: storage, offset, extents, strides and more.
fn tensor<'a>(
    pickle: &Pickle<'a>,
    storages: &BTreeMap<Vec<u8>, &'a [u8]>,
    arguments: Span,
) -> Result<ReadTensor<'a>, String> {
    let [Value::Storage(storage), Value::Int(offset), Value::Tuple(shape), Value::Tuple(strides), ..] =
        *pickle.members(arguments)
    else {
        return Err("it is not made of a storage, an offset, extents and strides".to_string());
    };
    let (dtype, elements) = elements(pickle, storages, storage)?;
    let (shape, strides) = (extents(pickle.members(shape))?, extents(pickle.members(strides))?);
    if shape.len() != strides.len() {
        return Err(format!("it has {} extents and {} strides", shape.len(), strides.len()));
    }
    let size = dtype.bitsize() / 8;
    let outside = || format!("its elements do not lie in its storage of {} bytes", elements.len());
    if shape.contains(&0) {
        return Ok(ReadTensor { dtype, shape, strides: None, bytes: &[] });
    }
    let offset = usize::try_from(offset).map_err(|_| outside())?;
    let last = shape
        .iter()
        .zip(&strides)
        .try_fold(offset, |last, (extent, stride)| last.checked_add((extent - 1).checked_mul(*stride)?));
    let start = offset.checked_mul(size).ok_or_else(outside)?;
    let end = last.and_then(|last| last.checked_add(1)?.checked_mul(size)).ok_or_else(outside)?;
    let bytes = elements.get(start..end).ok_or_else(outside)?;
    let strides = (!is_dense(&shape, &strides)).then_some(strides);
    Ok(ReadTensor { dtype, shape, strides, bytes })
}

/// A storage as a pickle names it.
pub(super) struct Storage<'a> {
    /// The element type.
    pub(super) dtype: Dtype,
    /// The key.
    pub(super) key: &'a str,
    /// How many elements it says it has.
    count: i64,
}

impl<'a> Storage<'a> {
    /// A storage out of what `persistent_load` would be called with: a word, its type, its key, a device, how many elements,
    /// and in older files which part of another one it is, which here is all of itself.
    pub(super) fn named(pickle: &Pickle<'a>, span: Span) -> Option<Storage<'a>> {
        let [Value::Text("storage"), Value::Global(Global::Storage(dtype)), Value::Text(key), _, Value::Int(count), ..] =
            *pickle.members(span)
        else {
            return None;
        };
        matches!(pickle.members(span)[5..], [] | [Value::Other]).then_some(Storage { dtype, key, count })
    }
}

/// The type and the bytes of a storage.
fn elements<'a>(
    pickle: &Pickle<'a>,
    storages: &BTreeMap<Vec<u8>, &'a [u8]>,
    storage: Span,
) -> Result<(Dtype, &'a [u8]), String> {
    let named = Storage::named(pickle, storage).ok_or("its storage is not named as PyTorch does it")?;
    let Storage { dtype, key, count } = named;
    let bytes = storages.get(key.as_bytes()).ok_or_else(|| format!("its storage `{}` is missing", shortened(key)))?;
    let claimed = usize::try_from(count).ok().and_then(|count| count.checked_mul(dtype.bitsize() / 8));
    let elements = claimed.and_then(|claimed| bytes.get(..claimed)).ok_or_else(|| {
        format!("its storage `{}` has {} bytes, not {count} elements of {dtype}", shortened(key), bytes.len())
    })?;
    Ok((dtype, elements))
}

/// Extents or strides, none of which is negative.
fn extents(members: &[Value<'_>]) -> Result<Vec<usize>, String> {
    let extent = |member: &Value<'_>| match member {
        Value::Int(number) => usize::try_from(*number).ok(),
        _ => None,
    };
    members.iter().map(|member| extent(member).ok_or("one of its extents or strides is no count".to_string())).collect()
}
