//! `--list`: images from a file or from standard input, one a line, instead of a repository.

use std::path::{Path, PathBuf};

use clap::Args;

use super::repository::read_limited;
use super::{CliError, RepositoryArgs};
use crate::images::Images;
use crate::tree::RepoPath;
use pullthru_core::reasons::of_io;

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Images from a file, one a line, instead of a repository; `-` reads standard input
    #[arg(long, value_name = "FILE", conflicts_with = "paths")]
    list: Option<PathBuf>,

    /// Take a list that names no image
    #[arg(long, requires = "list")]
    allow_empty: bool,
}

impl ListArgs {
    /// As it was given.
    pub(super) fn name(&self) -> Option<String> {
        self.list.as_ref().map(|list| list.display().to_string())
    }

    /// The images of the list, which an earlier command may have failed to write; `None` without one. Nothing fills in what a
    /// line leaves open, so each that names no image is invalid.
    pub(super) fn read(&self, repository: &RepositoryArgs) -> Result<Option<Images>, CliError> {
        let Some(list) = &self.list else { return Ok(None) };
        let (_, config, _) = repository.open()?;
        let shown = list.display().to_string();
        let unreadable = |error: &dyn std::fmt::Display| {
            CliError::usage(
                format!("cannot read the list `{shown}`: {error}"),
                "name a text file with an image a line",
            )
        };
        let (bytes, name) = if list == Path::new("-") {
            (read_limited(std::io::stdin().lock(), "standard input")?, "-".to_owned())
        } else {
            let file = std::fs::File::open(list).map_err(|error| unreadable(&of_io(&error)))?;
            (read_limited(file, &format!("the list `{shown}`"))?, shown.clone())
        };
        let text = String::from_utf8(bytes).map_err(|_| unreadable(&"it is not UTF-8 text"))?;
        let path = RepoPath::new(&name).or_else(|| RepoPath::new("list")).unwrap_or_else(RepoPath::root);
        let mut images = Images::of_list(&text, &path, &config);
        images.unknown.iter_mut().for_each(|unknown| unknown.invalid = true);
        if images.images.is_empty() && images.unknown.is_empty() && !self.allow_empty {
            let message = match name.as_str() {
                "-" => "the list on standard input names no image".to_owned(),
                _ => format!("the list `{shown}` names no image"),
            };
            let help = "look at the command that wrote it; where it may be empty, give `--allow-empty`";
            return Err(CliError::usage(message, help));
        }
        Ok(Some(images))
    }
}
