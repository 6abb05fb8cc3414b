//! A directory of a test's own.

use std::fs;
use std::path::Path;

pub(crate) struct Scratch(tempfile::TempDir);

impl Scratch {
    pub(crate) fn new(files: &[(&str, &[u8])]) -> Scratch {
        let scratch = Scratch(tempfile::tempdir().unwrap());
        for (path, bytes) in files {
            let path = scratch.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        scratch
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path().join(path)).unwrap()
    }
}
