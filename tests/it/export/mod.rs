//! `pullthru provision export`: what it writes, what it leaves alone, and (ignored: `.ci/peers aws-export` installs them)
//! what the tools it writes for say of that.

mod cloudformation;
mod files;
mod golden;
mod iam;
mod imports;
mod judges;
mod objects;
mod seed;
mod terraform;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::golden::copy_of;
use crate::scratch::Run;

/// Configurations under `testdata/export`: an empty section; everything filled in; odd names and texts; two Regions.
/// `given`, for Crossplane, is a fifth: its login is named by ARN.
const FIXTURES: [&str; 4] = ["empty", "full", "odd", "regions"];

/// A token that is in the environment of every export.
const TOKEN: &str = "ghp_NobodyMayEverReadThis0123456789";

/// A repository of `testdata/export`, in a place of its own.
struct Fixture {
    place: tempfile::TempDir,
}

impl Fixture {
    fn new(name: &str) -> Fixture {
        Fixture { place: copy_of(&format!("testdata/export/{name}/repo")) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// `pullthru provision export …` in the repository.
    fn export(&self, arguments: &[&str]) -> Run {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pullthru"));
        command.args(["provision", "export"]).args(arguments).current_dir(self.place.path()).env_clear();
        for name in ["GHCR_TOKEN", "DOCKERHUB_TOKEN", "GITLAB_TOKEN", "EXPORT_TOKEN", "TF_VAR_ghcr_token"] {
            command.env(name, TOKEN);
        }
        if arguments.contains(&"--out") {
            // The fixture is not in Git.
            command.arg("--allow-no-vcs");
        }
        command.stdin(Stdio::null());
        Run::from(command.output().unwrap())
    }

    /// The same, which has to work; what it printed.
    fn exported(&self, arguments: &[&str]) -> String {
        let run = self.export(arguments);
        assert_eq!(run.code, 0, "{arguments:?}: {}{}", run.out, run.err);
        run.out
    }
}

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
