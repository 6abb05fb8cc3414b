//! A repository of a test's own, and runs of the built binary in it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

pub(crate) struct Scratch {
    directory: tempfile::TempDir,
}

impl Scratch {
    pub(crate) fn new(files: &[(&str, &[u8])]) -> Scratch {
        let scratch = Scratch { directory: tempfile::tempdir().unwrap() };
        for (path, bytes) in files {
            scratch.write(path, bytes);
        }
        scratch
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub(crate) fn read(&self, path: &str) -> String {
        String::from_utf8_lossy(&fs::read(self.path().join(path)).unwrap()).into_owned()
    }

    /// Every file with its bytes, those of Git left out.
    pub(crate) fn contents(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut found = BTreeMap::new();
        let mut open = vec![self.path().to_owned()];
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                let file_type = fs::symlink_metadata(&path).unwrap().file_type();
                if path.ends_with(".git") {
                } else if file_type.is_dir() {
                    open.push(path);
                } else if file_type.is_file() {
                    found.insert(path.clone(), fs::read(&path).unwrap());
                }
            }
        }
        found
    }

    /// The binary in an environment that says nothing. What changes files may do so where the test has made no Git
    /// repository.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.plain(arguments);
        if changes_files(arguments) && !self.path().join(".git").exists() {
            command.arg("--allow-no-vcs");
        }
        command
    }

    /// The same with these arguments and no others. Whether this machine has a helm, and charts from elsewhere, decides nothing:
    /// what a test renders it says.
    pub(crate) fn plain(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pullthru"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.args(arguments).current_dir(self.path()).env_clear().env("PATH", path).stdin(Stdio::null());
        command.env("PULLTHRU_CHARTS", "lock");
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        let mut all: Vec<&str> = arguments.to_vec();
        all.extend(["--account", "123456789012", "--region", "ca-central-1"]);
        Run::from(self.command(&all).output().unwrap())
    }

    /// Makes a Git repository of it, with everything committed.
    pub(crate) fn commit(&self) {
        crate::golden::commit(self.path());
    }

    pub(crate) fn git(&self, arguments: &[&str]) {
        let status = Command::new("git")
            .args(["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "core.autocrlf=false"])
            .args(arguments)
            .current_dir(self.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(status.success(), "git {arguments:?}");
    }
}

/// Whether a command line changes files of the repository that it runs in.
pub(crate) fn changes_files(arguments: &[&str]) -> bool {
    let has = |option: &str| arguments.contains(&option);
    match arguments.first() {
        Some(&"init") => !has("--dry-run"),
        Some(&"migrate") => has("--write"),
        Some(&"check") => has("--fix") && !has("--diff"),
        Some(&"emit") => has("--out") || has("--move-existing") || has("--markers"),
        _ => false,
    }
}

pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Run {
        Run {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Standard output and standard error of the built binary in a directory, in an environment that says nothing.
pub(crate) fn run_in(directory: &Path, arguments: &[&str]) -> (String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pullthru"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    command.args(arguments).current_dir(directory).env_clear().env("PATH", path).stdin(Stdio::null());
    command.env("PULLTHRU_CHARTS", "lock");
    if changes_files(arguments) && !directory.join(".git").exists() {
        command.arg("--allow-no-vcs");
    }
    let run = Run::from(command.output().unwrap());
    (run.out, run.err)
}
