//! Files that are cut off or have other bits than they were written with: what loads is what fits, and what does not is an
//! error that changes nothing.

use crate::allocator::peak;
use crate::folder::Folder;
use crate::{Net, Types, shipped};
use proptest::prelude::*;
use std::fs;
use std::path::Path;
use tapeless::{Device, Error, Load, Seed, Store};

const FILES: [&str; 7] =
    ["types.pth", "types.safetensors", "views.pth", "checkpoint.pt", "several.pt", "legacy.pth", "protocol4.pt"];

/// How much a file of so many bytes may take in memory: itself, and a value for each byte of its pickle.
fn most(file: usize) -> usize {
    100_000 + 100 * file
}

fn all(store: &Store) -> Vec<Vec<u8>> {
    let bits = |key: &str| store.get(key).expect("it is listed").iter().flat_map(|x| x.to_le_bytes()).collect();
    store.parameters().iter().map(|parameter| bits(&parameter.key)).collect()
}

/// Loads a file strictly and not, and says whether it could be loaded at all.
fn load(store: &mut Store, path: &Path) -> bool {
    let (before, length) = (all(store), fs::metadata(path).expect("it was written").len() as usize);
    let (result, taken) = peak(|| store.load(path));
    assert!(taken < most(length), "{taken} bytes for a file of {length}");
    match result {
        Ok(()) => return true,
        Err(error) => {
            assert!(matches!(error, Error::Checkpoint { .. } | Error::LoadMismatch { .. }), "{error}");
            assert!(!error.to_string().is_empty());
        }
    }
    assert_eq!(all(store), before, "nothing changes");
    store.load_with(path, Load { strict: false, ..Load::default() }).is_ok()
}

#[test]
fn files_that_are_cut_off_are_errors() -> Result<(), Error> {
    let folder = Folder::new("cut");
    let path = folder.file("cut");
    let mut net = Net::new(&Device::cpu(), Seed(1))?;
    let mut types = Types::new(&Device::cpu(), Seed(1))?;
    for name in FILES {
        let whole = fs::read(shipped(name)).expect("it is shipped");
        for end in (0..whole.len()).step_by(13).chain([whole.len() - 1]) {
            fs::write(&path, &whole[..end]).expect("there is room");
            assert!(!load(&mut net, &path) && !load(&mut types, &path), "{name} until {end}");
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn files_with_other_bits_load_or_are_errors(
        name in prop::sample::select(FILES.to_vec()),
        flips in prop::collection::vec((any::<prop::sample::Index>(), 0u8..8), 1..4),
    ) {
        let folder = Folder::new("flipped");
        let path = folder.file("flipped");
        let mut bytes = fs::read(shipped(name)).expect("it is shipped");
        for (at, bit) in flips {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        fs::write(&path, &bytes).expect("there is room");
        load(&mut *Net::new(&Device::cpu(), Seed(1))?, &path);
        load(&mut *Types::new(&Device::cpu(), Seed(1))?, &path);
    }
}
