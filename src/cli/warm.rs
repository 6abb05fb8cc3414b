//! `pullthru warm`.

use std::io::Write;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use super::charts_args::ChartsArgs;
use super::digest_lock::KnownArgs;
use super::list::ListArgs;
use super::messages::is_verbose;
use super::registries::{RegistryArgs, bar, end_requests, runtime, say_notes};
use super::signals::StopSignal;
use super::values::duration;
use super::verify::Wanted;
use super::{CliError, Outcome, RepositoryArgs, verify};
use crate::images::Image;
use crate::registry::Step;
use crate::report::Paint;
use crate::report::warm::{self as report, WarmReport, WarmedRow};
use crate::tree;
use crate::verify::WantedPlatform;
use crate::warm::{self, Options, Warmed, flux};

/// Pull images through the cache by tag, so that it has them before a node asks.
///
/// ECR imports nothing by digest: a pinned image fails on its first pull unless its tag was pulled before. What the
/// cache has already is not pulled again; a run that was stopped goes on where it was.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  pullthru warm                                       everything that the repository uses
  pullthru warm --platform linux/amd64 apps/prod      for the nodes of one cluster
  pullthru warm --flux                                what Flux's policies would choose next
  echo ghcr.io/o/app:v1 | pullthru warm --list -")]
pub(super) struct Args {
    #[command(flatten)]
    repository: RepositoryArgs,

    #[command(flatten)]
    list: ListArgs,

    /// What the ImagePolicies of the repository would choose out of the upstream's tags, instead of what is in use
    #[arg(long, conflicts_with = "list")]
    flux: bool,

    /// Only images of this platform, such as linux/amd64. Default: all
    #[arg(long, value_name = "OS/ARCH", value_delimiter = ',')]
    platform: Vec<WantedPlatform>,

    /// No layers: indexes and manifests are imported, and the layers by the first node
    #[arg(long)]
    manifests_only: bool,

    /// Signatures, SBOMs and attestations, too
    #[arg(long)]
    referrers: bool,

    /// Pull what the cache has already, too
    #[arg(long)]
    again: bool,

    /// Say what would be pulled, and pull nothing
    #[arg(long)]
    dry_run: bool,

    /// How long to wait until layers come from the cache's own storage
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "60s")]
    patience: Duration,

    /// A host that gives the cache's layers, besides AWS's: of a proxy, or of a test
    #[arg(
        long,
        value_name = "HOST",
        value_delimiter = ',',
        env = "PULLTHRU_STORAGE_HOST",
        help_heading = "Registries"
    )]
    storage_host: Vec<String>,

    #[command(flatten)]
    known: KnownArgs,

    #[command(flatten)]
    charts: ChartsArgs,

    #[command(flatten)]
    registries: RegistryArgs,

    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Human,
    Json,
    Jsonl,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<Outcome, CliError> {
    let (repository, ..) = args.repository.open()?;
    let options = Options {
        lock: args.known.read(&repository.root)?,
        platforms: args.platform.clone(),
        manifests_only: args.manifests_only,
        referrers: args.referrers,
        again: args.again,
        dry_run: args.dry_run,
        patience: args.patience,
        storage: args.storage_host.clone(),
    };
    let client = args.registries.client(&args.repository)?;
    let runtime = runtime()?;
    let mut unknown = Vec::new();
    let (images, covered, left, unread) = if args.flux {
        let (policies, mut left) = policies(args)?;
        let (images, more) = runtime.block_on(flux::images(&client, &policies));
        left.extend(more);
        (images, None, left, Outcome::Clean)
    } else {
        let Wanted { images, covered, outcome: unread } =
            verify::wanted(&args.repository, &args.list, &args.charts, &args.registries)?;
        unknown = images.unknown;
        (images.images, covered, Vec::new(), unread)
    };
    require_cache(&images)?;
    let bar = bar(images.len(), "warm");
    let (mut results, mut broken) = (Vec::new(), None);
    let is_stream = matches!(args.format, Format::Jsonl);
    if is_stream {
        unknown.iter().try_for_each(|unknown| report::json_line(&WarmedRow::unknown(unknown), out))?;
    }
    let stop = StopSignal::default();
    let work = warm::run(&client, images, &options, stop.clone().comes(), |step| match step {
        Step::Done(done, last) => {
            bar.set_position(done as u64);
            bar.set_message(last.pull.reference());
        }
        Step::Next(result) => {
            if is_stream && broken.is_none() {
                broken = report::json_line(&WarmedRow::from(&result), out).and_then(|()| out.flush()).err();
            }
            results.push(result);
        }
    });
    let unasked = runtime.block_on(work);
    bar.finish_and_clear();
    end_requests(runtime);
    if let Some(error) = broken {
        return Err(error.into());
    }
    let notes = say_notes(&client);
    let report = WarmReport::new(&results, unasked, &left, &unknown, notes, args.dry_run);
    match args.format {
        Format::Human => report::human(&report, covered, is_verbose(), out, Paint::for_stdout())?,
        Format::Json => report::json(&report, out)?,
        Format::Jsonl => {}
    }
    let mut outcome = if left.is_empty() { Outcome::Clean } else { Outcome::Findings };
    for result in &results {
        outcome = outcome.max(match &result.warmed {
            warmed if warmed.is_fine() => Outcome::Clean,
            Warmed::Unreachable { .. } => Outcome::Failure,
            _ => Outcome::Findings,
        });
    }
    outcome = outcome.max(unread);
    Ok(if unasked > 0 { stop.or_interrupted() } else { outcome })
}

fn require_cache(images: &[Image]) -> Result<(), CliError> {
    if images.is_empty() || images.iter().any(|pull| pull.cached.is_some()) {
        return Ok(());
    }
    Err(CliError::usage(
        "no cache to warm is configured",
        "give `--account` and `--region`, or write `registry:` into pullthru.yaml",
    ))
}

/// The policies of the repository's files.
fn policies(args: &Args) -> Result<(Vec<flux::Policy>, Vec<flux::Skipped>), CliError> {
    let (repository, config, _) = args.repository.open()?;
    let options = args.repository.walk_options(&config);
    let group = memchr::memmem::Finder::new("image.toolkit.fluxcd.io");
    let walked = tree::walk(&repository, &args.repository.paths, &options, |file| {
        group.find(file.bytes)?;
        Some((file.repo_path(), String::from_utf8(file.bytes.to_vec()).ok()?))
    })?;
    let files: Vec<_> = walked.found.into_iter().map(|(_, file)| file).collect();
    Ok(flux::policies(&files, &config))
}
