//! `pullthru charts lock`.

use std::collections::BTreeMap;
use std::io::Write;

use clap::{Parser, ValueEnum};

use crate::cli::evaluated::Evaluated;
use crate::cli::protect::remove_stale_temp_files;
use crate::cli::registries::RegistryArgs;
use crate::cli::render_args::RenderArgs;
use crate::cli::repository::ReadRepository;
use crate::cli::{CliError, Outcome, RepositoryArgs};
use crate::kustomize::Model;
use crate::report::{self, Paint, count, quoted};
use crate::tree::{self, RepoPath};
use pullthru_charts::{Failure, RenewedLock};
use pullthru_core::releases::lock::{ImageLock, LOCK_NAME};
use pullthru_core::releases::{ReleaseId, Sources};

/// Render the charts of releases and write their images to the image lock.
///
/// Releases that the lock has as they are now are kept. A release that cannot be rendered keeps its images of before, marked
/// as stale. Commit the lock.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  pullthru charts lock                                what changed since the lock was written
  pullthru charts lock --renew floating               also charts with a version range, which may have a newer version
  pullthru charts lock --chart-dir charts --offline   from a directory of charts alone")]
pub(super) struct Args {
    #[command(flatten)]
    repository: RepositoryArgs,

    /// Which releases are rendered
    #[arg(long, value_enum, value_name = "WHICH", default_value_t = Renew::Stale)]
    renew: Renew,

    #[command(flatten)]
    rendering: RenderArgs,

    #[command(flatten)]
    registries: RegistryArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Renew {
    /// Those that the lock does not have as they are now
    Stale,
    /// Those, and those with a version range
    Floating,
    /// All
    All,
}

impl From<Renew> for pullthru_charts::Renew {
    fn from(renew: Renew) -> pullthru_charts::Renew {
        match renew {
            Renew::Stale => pullthru_charts::Renew::Stale,
            Renew::Floating => pullthru_charts::Renew::Floating,
            Renew::All => pullthru_charts::Renew::All,
        }
    }
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<Outcome, CliError> {
    let read = args.repository.read_with_context()?;
    let whole = read.whole();
    let model = Model::new(&whole, &read.config);
    let sources = Sources::new(&read.repository);
    let mut evaluated = Evaluated::of(&read, &model, &sources)?;
    let RenewedLock { lock, rendered, unknown } = args.rendering.renew_lock(
        &read,
        &mut evaluated,
        args.renew.into(),
        &args.repository,
        &args.registries,
    )?;
    let changed = write(&read, &lock)?;
    not_rendered(&unknown, out)?;
    let images: usize = lock.releases.values().map(|release| release.images.len()).sum();
    writeln!(
        out,
        "{} {LOCK_NAME}: {} with {}; {} rendered, {} not rendered",
        if changed { "wrote" } else { "unchanged:" },
        count(lock.releases.len(), "release"),
        count(images, "image"),
        rendered.len(),
        unknown.len()
    )?;
    let next = match (unknown.is_empty(), changed) {
        (false, _) => "`pullthru charts lock` again, when what is named above is corrected".to_owned(),
        (true, true) => format!("commit {LOCK_NAME}; `pullthru check` counts its images"),
        (true, false) => "`pullthru check` counts the images of the lock".to_owned(),
    };
    report::next(&next, out, Paint::for_stdout())?;
    let outcome = if unknown.is_empty() { Outcome::Clean } else { Outcome::Findings };
    let failed = unknown.values().any(Failure::is_network) || read.inventory.has_failures();
    Ok(if failed { outcome.max(Outcome::Failure) } else { outcome })
}

/// Releases by the reason, which many may have in common.
fn not_rendered(unknown: &BTreeMap<ReleaseId, Failure>, out: &mut dyn Write) -> std::io::Result<()> {
    let mut reasons: BTreeMap<String, Vec<&ReleaseId>> = BTreeMap::new();
    for (id, failure) in unknown {
        reasons.entry(failure.to_string()).or_default().push(id);
    }
    for (reason, releases) in reasons {
        writeln!(out, "not rendered: {}", quoted(&reason))?;
        for id in releases {
            writeln!(out, "  {}", quoted(&id.to_string()))?;
        }
    }
    Ok(())
}

/// Writes the lock where it differs; true when it did.
fn write(read: &ReadRepository, lock: &ImageLock) -> Result<bool, CliError> {
    let Some(path) = RepoPath::new(LOCK_NAME) else { return Ok(false) };
    let text = lock.text();
    let before = std::fs::read_to_string(read.repository.absolute(&path)).ok();
    if before.as_deref() == Some(text.as_str()) || before.is_none() && lock.releases.is_empty() {
        return Ok(false);
    }
    remove_stale_temp_files(&read.repository, [&RepoPath::root()]);
    tree::create(&read.repository, &path, text.as_bytes(), true)
        .map_err(|error| CliError::Output(std::io::Error::other(error.to_string())))?;
    Ok(true)
}
