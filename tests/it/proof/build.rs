//! The real kustomize.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rayon::prelude::*;

pub(crate) struct Kustomize {
    pub(super) binary: PathBuf,
    /// Its image transformer visits image volumes: since 5.6.
    pub(super) volumes: bool,
}

impl Kustomize {
    pub(crate) fn named(name: &str) -> Kustomize {
        let binary = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/bin").join(name);
        assert!(binary.is_file(), "{} is missing: `.ci/peers` installs it", binary.display());
        Kustomize { binary, volumes: true }
    }

    pub(super) fn version(&self) -> String {
        // An old one that was built from source does not know its own.
        let version =
            std::fs::read_to_string(self.binary.with_added_extension("version")).unwrap_or_default();
        format!("kustomize {}", version.trim())
    }

    /// What each directory builds to, or why it does not.
    pub(crate) fn build_all(&self, directories: &[PathBuf]) -> BTreeMap<PathBuf, Result<String, String>> {
        directories.par_iter().map(|directory| (directory.clone(), self.build(directory))).collect()
    }

    pub(super) fn build(&self, directory: &Path) -> Result<String, String> {
        let mut command = Command::new(&self.binary);
        command
            .args(["build", "--load-restrictor", "LoadRestrictionsNone"])
            .arg(directory)
            .stdin(Stdio::null());
        // Layers outside the repository are not fetched, whatever the machine could reach.
        command.env("https_proxy", "http://127.0.0.1:1").env("http_proxy", "http://127.0.0.1:1");
        let output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    }
}

/// Every directory with a kustomization.
pub(crate) fn kustomizations(tree: &Path) -> Vec<PathBuf> {
    let names = ["kustomization.yaml", "kustomization.yml", "Kustomization"];
    let files = super::walk(tree).into_iter().filter(|path| {
        path.file_name().is_some_and(|name| names.iter().any(|known| name == *known)) && path.is_file()
    });
    let mut directories: Vec<PathBuf> = files.map(|path| path.parent().unwrap().to_owned()).collect();
    directories.sort();
    directories.dedup();
    directories
}
