//! What stops a command before it changes files that nobody could bring back: files outside Git, and files with changes that
//! Git does not have.

use std::collections::BTreeSet;

use clap::Args;

use super::signals::end_between_files;
use super::{CliError, problem};
use crate::report::count;
use crate::tree::{self, RepoPath, Repository, Versions, shell_word};

/// Options of every command that changes files of a repository.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct ProtectArgs {
    /// Change files that have changes which are neither committed nor staged
    #[arg(long, help_heading = "Protection")]
    allow_dirty: bool,

    /// Change files outside Git, where no earlier version can be restored
    #[arg(long, help_heading = "Protection")]
    allow_no_vcs: bool,
}

impl ProtectArgs {
    /// Lets a command change these files, or says why not. From then on signals wait for the file that is being written. Files that do not exist yet may be among them. The submodules that
    /// hold some of them are returned: those files are another repository's, and are to be left.
    ///
    /// # Errors
    /// A wrong usage, with the commands that lead on. Nothing is written then.
    pub(super) fn check<'a>(
        &self,
        repository: &Repository,
        files: impl IntoIterator<Item = &'a RepoPath>,
    ) -> Result<BTreeSet<RepoPath>, CliError> {
        let files: Vec<RepoPath> = files.into_iter().cloned().collect();
        let submodules = self.allowed(repository, &files)?;
        for path in &files {
            let others = tree::other_names(repository, path);
            if others > 0 {
                let names = count(usize::try_from(others).unwrap_or(usize::MAX), "other name");
                problem(&format!(
                    "warning: `{}` is a hard link with {names}, which will keep the old content",
                    path.shown()
                ));
            }
        }
        end_between_files()?;
        Ok(submodules)
    }

    fn allowed(&self, repository: &Repository, files: &[RepoPath]) -> Result<BTreeSet<RepoPath>, CliError> {
        match tree::dirty_files(repository, files) {
            Versions::NoGit if self.allow_no_vcs => Ok(BTreeSet::new()),
            Versions::NoGit => Err(CliError::usage(
                format!(
                    "`{}` is not in a Git repository, and earlier versions could not be restored; nothing was written",
                    repository.root.display()
                ),
                "run `git init` and commit first, or give `--allow-no-vcs`",
            )),
            Versions::NoAnswer { .. } if self.allow_dirty || self.allow_no_vcs => Ok(BTreeSet::new()),
            Versions::NoAnswer { reason } => Err(CliError::usage(
                format!(
                    "Git cannot say whether files in `{}` have uncommitted changes ({reason}); nothing was written",
                    repository.root.display()
                ),
                "make `git status` work there, or give `--allow-dirty`",
            )),
            Versions::Known(_) if self.allow_dirty => Ok(BTreeSet::new()),
            Versions::Known(dirty) => {
                let names: Vec<&RepoPath> = dirty.modified.union(&dirty.untracked).collect();
                if !names.is_empty() {
                    return Err(refusal(repository, &names));
                }
                let submodules: BTreeSet<RepoPath> = dirty.in_submodules.into_values().collect();
                for submodule in &submodules {
                    let word = shell_word(submodule.as_str());
                    problem(&format!(
                        "warning: `{submodule}` is a submodule, and its files were not changed: run pullthru in it \
                         (`--root {word}`), or give `--allow-dirty`"
                    ));
                }
                Ok(submodules)
            }
        }
    }
}

/// Removes what runs that were killed left in these directories: at the start of every command that writes.
pub(super) fn remove_stale_temp_files<'a>(
    repository: &Repository,
    directories: impl IntoIterator<Item = &'a RepoPath>,
) {
    if let Err(error) = tree::remove_stale_temp_files(repository, directories) {
        problem(&format!("warning: temporary files of an earlier run remain: {error}"));
    }
}

/// Files that a message names in full.
const NAMED: usize = 10;

fn refusal(repository: &Repository, names: &[&RepoPath]) -> CliError {
    let listed: Vec<String> = names.iter().take(NAMED).map(|path| format!("`{}`", path.shown())).collect();
    let more = names.len().saturating_sub(NAMED);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    // From anywhere, as the paths are relative to the root.
    let root = shell_word(&repository.root.to_string_lossy());
    let words: Vec<String> = names.iter().take(NAMED).map(|path| shell_word(path.as_str())).collect();
    let add = match names.len() > NAMED {
        true => format!("git -C {root} add --all"),
        false => format!("git -C {root} add {}", words.join(" ")),
    };
    CliError::usage(
        format!("{}{more} would change and has uncommitted changes; nothing was written", listed.join(", ")),
        format!("stage them with `{add}` and run again, commit or stash them, or give `--allow-dirty`"),
    )
}
