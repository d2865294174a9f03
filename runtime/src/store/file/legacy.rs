//! Files that `torch.save` wrote before PyTorch 1.6, as some weights that are still in use were: five pickles (a magic
//! number, a version, what the machine was like, the value, the keys of the storages), and behind them the storages in the
//! order of those keys, each behind its number of elements.

use super::FileError;
use super::pickle::{Pickle, Value, limit, shortened};
use super::torch::{Storage, Tensors, tensors};
use std::collections::BTreeMap;

/// The pickle of the magic number, without its end.
const MAGIC: [u8; 14] = [0x80, 2, 0x8a, 10, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19];

/// The version that all of these files have.
const VERSION: i64 = 1001;

/// Whether a file begins like these. As the length of a header it would be out of all proportion.
pub(super) fn is_legacy(bytes: &[u8]) -> bool {
    bytes.starts_with(&MAGIC)
}

/// The tensors of the state dict in a file, of the part of that name if one is given.
pub(super) fn read<'a>(bytes: &'a [u8], part: Option<&str>) -> Result<Tensors<'a>, FileError> {
    let parse = |rest| Pickle::parse(rest, bytes.len());
    let (_, rest) = parse(bytes)?;
    let (version, rest) = parse(rest)?;
    if version.root != Value::Int(VERSION) {
        return Err(FileError::Version);
    }
    let (machine, rest) = parse(rest)?;
    let is_big = |key: Value<'_>, value| key == Value::Text("little_endian") && value != Value::Bool(true);
    if machine.entries.iter().any(|entry| is_big(entry.key, entry.value)) {
        return Err(FileError::ByteOrder);
    }
    let (pickle, rest) = parse(rest)?;
    let (keys, rest) = parse(rest)?;
    let storages = storages(&pickle, &keys, rest)?;
    tensors(&pickle, &storages, part, limit(bytes.len()))
}

/// The storages by key. How large their elements are is said where the value names them.
fn storages<'a>(
    pickle: &Pickle<'a>,
    keys: &Pickle<'a>,
    mut rest: &'a [u8],
) -> Result<BTreeMap<Vec<u8>, &'a [u8]>, FileError> {
    let mut sizes = BTreeMap::new();
    for storage in pickle.storages().filter_map(|span| Storage::named(pickle, span)) {
        sizes.insert(storage.key, storage.dtype.bitsize() / 8);
    }
    let mut storages = BTreeMap::new();
    for entry in keys.entries.iter().filter(|entry| keys.root == Value::List(entry.of)) {
        let Value::Text(key) = entry.value else { continue };
        let wrong = || FileError::Member { member: shortened(key) };
        let size = *sizes.get(key).ok_or_else(wrong)?;
        let (count, elements) = rest.split_first_chunk::<8>().ok_or_else(wrong)?;
        let bytes = usize::try_from(u64::from_le_bytes(*count)).ok().and_then(|count| count.checked_mul(size));
        let (bytes, behind) = bytes.and_then(|bytes| elements.split_at_checked(bytes)).ok_or_else(wrong)?;
        storages.insert(key.as_bytes().to_vec(), bytes);
        rest = behind;
    }
    Ok(storages)
}
