//! Folders for the files of tests.

use std::fs;
use std::path::PathBuf;

/// A folder that goes when the test ends.
pub struct Folder(pub PathBuf);

impl Folder {
    /// A folder of that name, which no other test has.
    pub fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("tapeless-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).expect("there is room for a folder");
        Folder(path)
    }

    /// The path of a file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
