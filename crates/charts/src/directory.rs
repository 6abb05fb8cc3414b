//! A chart's directory in the repository: copied, since what it lacks is added to the copy, and hashed, since its files are
//! its version. Links are followed where they stay inside the repository, as helm follows them, and nowhere else.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use pullthru_core::image::Digest;
use sha2::{Digest as _, Sha256};

use crate::archive::{Budget, FILE_MAX};

/// Why a directory was not copied.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DirectoryError {
    #[error("`{path}` cannot be read: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("`{path}` lies outside the repository, and nothing outside it is read")]
    Outside { path: PathBuf },
    #[error("`{path}` leads round in a circle")]
    Circle { path: PathBuf },
    #[error("`{path}`: {reason}")]
    TooLarge { path: PathBuf, reason: String },
    #[error("a file of the copy cannot be written: {0}")]
    Write(io::Error),
}

/// Copies `from`, which lies in `root`, into `to`.
pub(crate) fn copy(root: &Path, from: &Path, to: &Path) -> Result<(), DirectoryError> {
    let real = |path: &Path| {
        path.canonicalize().map_err(|source| DirectoryError::Read { path: path.to_owned(), source })
    };
    let mut copy = Copy { root: real(root)?, above: Vec::new(), budget: Budget::default() };
    copy.directory(from, to)
}

struct Copy {
    root: PathBuf,
    /// The directories around, without links.
    above: Vec<PathBuf>,
    budget: Budget,
}

impl Copy {
    fn directory(&mut self, from: &Path, to: &Path) -> Result<(), DirectoryError> {
        let failed = |source| DirectoryError::Read { path: from.to_owned(), source };
        let real = from.canonicalize().map_err(failed)?;
        if !real.starts_with(&self.root) {
            return Err(DirectoryError::Outside { path: from.to_owned() });
        }
        if self.above.contains(&real) {
            return Err(DirectoryError::Circle { path: from.to_owned() });
        }
        self.above.push(real);
        fs::create_dir_all(to).map_err(DirectoryError::Write)?;
        for entry in fs::read_dir(from).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let (path, name) = (entry.path(), entry.file_name());
            // No chart reads them, and they may be large.
            if name == ".git" || name == ".terraform" || name == "node_modules" {
                continue;
            }
            let Ok(kind) = fs::metadata(&path) else {
                // A link that leads nowhere: helm refuses it only where `.helmignore` does not name it.
                continue;
            };
            if kind.is_dir() {
                self.directory(&path, &to.join(name))?;
            } else if kind.is_file() {
                self.file(&path, &to.join(name), kind.len())?;
            }
        }
        self.above.pop();
        Ok(())
    }

    fn file(&mut self, from: &Path, to: &Path, len: u64) -> Result<(), DirectoryError> {
        let failed = |source| DirectoryError::Read { path: from.to_owned(), source };
        if !from.canonicalize().map_err(failed)?.starts_with(&self.root) {
            return Err(DirectoryError::Outside { path: from.to_owned() });
        }
        // helm refuses it, or `.helmignore` names it.
        if len > FILE_MAX {
            return Ok(());
        }
        let too_large =
            |error| DirectoryError::TooLarge { path: from.to_owned(), reason: format!("{error}") };
        self.budget.take(len).map_err(too_large)?;
        let bytes = fs::read(from).map_err(failed)?;
        fs::write(to, bytes).map_err(DirectoryError::Write)
    }
}

/// The digest of all files below `directory`, their paths included: the same on every machine.
pub(crate) fn digest(directory: &Path) -> io::Result<String> {
    let mut files = Vec::new();
    list(directory, String::new(), &mut files)?;
    files.sort();
    let mut all = Sha256::new();
    for (name, path) in files {
        let bytes = fs::read(path)?;
        all.update((name.len() as u64).to_be_bytes());
        all.update(name.as_bytes());
        all.update((bytes.len() as u64).to_be_bytes());
        all.update(&bytes);
    }
    Ok(Digest::of_bytes("sha256", &all.finalize()).to_string())
}

/// All files, with their paths below `directory` in the same spelling everywhere.
fn list(directory: &Path, below: String, files: &mut Vec<(String, PathBuf)>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        if entry.file_type()?.is_dir() {
            list(&entry.path(), format!("{name}/"), files)?;
        } else {
            files.push((name, entry.path()));
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn write(root: &Path, name: &str, text: &str) {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn copied(root: &Path, from: &str) -> Result<String, DirectoryError> {
        let to = tempfile::tempdir().unwrap();
        copy(root, &root.join(from), to.path())?;
        Ok(digest(to.path()).unwrap())
    }

    #[test]
    fn the_digest_is_of_names_and_contents() {
        let root = tempfile::tempdir().unwrap();
        for (chart, name, text) in
            [("a", "x/y", "1"), ("b", "x/y", "1"), ("c", "x/z", "1"), ("d", "x/y", "2"), ("e", "x", "y1")]
        {
            write(root.path(), &format!("{chart}/{name}"), text);
        }
        write(root.path(), "b/.git/HEAD", "not a chart's");
        let of = |chart: &str| copied(root.path(), chart).unwrap();
        assert_eq!(of("a"), of("b"));
        let mut all = ["a", "c", "d", "e"].map(of);
        all.sort();
        assert!(all.windows(2).all(|two| two.first() != two.last()));
    }

    #[cfg(unix)]
    #[test]
    fn links_stay_inside_the_repository() {
        let around = tempfile::tempdir().unwrap();
        let root = around.path().join("repository");
        write(&root, "charts/a/templates/a.yaml", "a");
        write(&root, "shared/b.yaml", "b");
        write(around.path(), "secret/c.yaml", "c");
        let link = |from: &str, to: &str| std::os::unix::fs::symlink(from, root.join(to)).unwrap();
        link("../../../shared/b.yaml", "charts/a/templates/b.yaml");
        link("nowhere", "charts/a/broken");
        let before = copied(&root, "charts/a").unwrap();
        write(&root, "shared/b.yaml", "changed");
        assert_ne!(copied(&root, "charts/a").unwrap(), before);

        for (name, to) in [("one", "../../../secret/c.yaml"), ("two", "../../../secret")] {
            write(&root, &format!("charts/{name}/Chart.yaml"), "name: x");
            link(to, &format!("charts/{name}/evil"));
            assert!(matches!(copied(&root, &format!("charts/{name}")), Err(DirectoryError::Outside { .. })));
        }
        assert!(matches!(copied(&root, "../secret"), Err(DirectoryError::Outside { .. })));
        write(&root, "charts/round/Chart.yaml", "name: x");
        link(".", "charts/round/again");
        assert!(matches!(copied(&root, "charts/round"), Err(DirectoryError::Circle { .. })));
    }
}
