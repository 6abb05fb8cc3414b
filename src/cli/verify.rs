//! `pullthru verify`.

use std::io::Write;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use super::charts_args::{ChartsArgs, How};
use super::digest_lock::LockFile;
use super::list::ListArgs;
use super::messages::is_verbose;
use super::registries::{RegistryArgs, bar, end_requests, note_docker_hub_limit, runtime, say_notes};
use super::signals::StopSignal;
use super::{CliError, Outcome, RepositoryArgs, note};
use crate::images::{Image, Images};
use crate::kustomize::Model;
use crate::registry::{Client, Failure, Step};
use crate::report::covered::Covered;
use crate::report::verify::{self as report, VerifiedRow, VerifyReport};
use crate::report::{Paint, count};
use crate::verify::{self, Asked, At, Lock, Options, Severity, Verified, WantedPlatform};

/// Ask the registries whether every image resolves.
///
/// Each image is asked for once, as the kustomizations leave it, and the answer is shown at every place. Nothing is
/// imported into the cache: AWS is asked what it holds (`ecr:DescribeImages`).
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  pullthru verify                                     the cache where AWS credentials are there, else the upstreams
  pullthru verify --at both --platform linux/arm64    for nodes of one more architecture
  kustomize build apps/prod | pullthru verify -       what one cluster is given
  pullthru verify --lock images.lock                  write what everything resolves to, or say what moved")]
pub(super) struct Args {
    #[command(flatten)]
    repository: RepositoryArgs,

    #[command(flatten)]
    list: ListArgs,

    /// Which registries to ask. Default: the cache when one is configured and AWS credentials are there, else the
    /// upstreams
    #[arg(long, value_enum)]
    at: Option<AtArg>,

    /// A platform that every image must have, such as linux/arm64
    #[arg(long, value_name = "OS/ARCH", value_delimiter = ',')]
    platform: Vec<WantedPlatform>,

    /// Ask the cache by tag, which makes ECR import what it does not have
    #[arg(long)]
    allow_import: bool,

    /// Read the manifest of every platform, for its size
    #[arg(long)]
    sizes: bool,

    /// Write what every image resolves to; when the file is there, say what moved since
    #[arg(long, value_name = "FILE")]
    lock: Option<PathBuf>,

    /// Write the lock file again
    #[arg(long, requires = "lock")]
    update_lock: bool,

    #[command(flatten)]
    charts: ChartsArgs,

    #[command(flatten)]
    registries: RegistryArgs,

    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum AtArg {
    Upstream,
    Cache,
    Both,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Human,
    Json,
    Jsonl,
    Github,
    Markdown,
    Sarif,
}

impl Args {
    /// Does standard output hold commands for GitHub Actions?
    pub(super) fn prints_commands(&self) -> bool {
        matches!(self.format, Format::Github)
    }
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<Outcome, CliError> {
    let Wanted { images, covered, outcome: unread } =
        wanted(&args.repository, &args.list, &args.charts, &args.registries)?;
    let lock_file = args.lock.as_deref().map(LockFile::find).transpose()?;
    let locked = match &lock_file {
        Some(file) if !args.update_lock => file.read()?,
        _ => None,
    };
    let client = args.registries.client(&args.repository)?;
    let runtime = runtime()?;
    let (at, known) = runtime.block_on(at(args, &client, &images.images))?;
    let options = Options {
        at,
        platforms: args.platform.clone(),
        allow_import: args.allow_import,
        sizes: args.sizes || args.lock.is_some(),
    };
    if at != At::Cache && (options.sizes || !options.platforms.is_empty()) {
        note_docker_hub_limit(&images.images);
    }
    let bar = bar(images.images.len(), "verify");
    let list = args.list.name();
    let writes_lock = lock_file.is_some() && locked.is_none();
    let mut seen = Seen::default();
    if let Format::Jsonl = args.format {
        // What cannot be asked is known before anything is.
        images
            .unknown
            .iter()
            .try_for_each(|unknown| report::json_line(&VerifiedRow::unknown(unknown), out))?;
    }
    let stop = StopSignal::default();
    let work =
        verify::run(&client, images.images, &options, known, stop.clone().comes(), |step| match step {
            Step::Done(done, last) => {
                bar.set_position(done as u64);
                bar.set_message(last.pull.reference());
            }
            Step::Next(mut verified) => {
                if let Some(lock) = &locked {
                    lock.compare(&mut verified);
                    seen.unlocked += usize::from(lock.lacks(&verified));
                }
                seen.outcome = seen.outcome.max(outcome(&verified));
                if writes_lock {
                    seen.verified.push(verified.clone());
                }
                let row = VerifiedRow::new(verified, list.as_deref());
                match args.format {
                    Format::Jsonl if seen.broken.is_none() => {
                        seen.broken = report::json_line(&row, out).and_then(|()| out.flush()).err();
                    }
                    Format::Jsonl => {}
                    _ => seen.rows.push(row),
                }
            }
        });
    let unasked = runtime.block_on(work);
    bar.finish_and_clear();
    end_requests(runtime);
    if let Some(error) = seen.broken {
        return Err(error.into());
    }
    if seen.unlocked > 0 {
        let images = count(seen.unlocked, "image");
        note(&format!("{images} not in the lock yet: `--update-lock` adds what is new"));
    }
    let notes = say_notes(&client);
    let report = VerifyReport::new(at, seen.rows, unasked, &images.unknown, notes);
    match args.format {
        Format::Human => report::human(&report, covered, is_verbose(), out, Paint::for_stdout())?,
        Format::Json => report::json(&report, out)?,
        Format::Jsonl => {}
        Format::Github => report::github(&report, out)?,
        Format::Markdown => report::markdown(&report, out)?,
        Format::Sarif => report::sarif(&report, out)?,
    }
    if let Some(file) = lock_file.filter(|_| writes_lock && unasked == 0) {
        file.write(&Lock::of(&seen.verified), seen.verified.len())?;
    }
    let outcome = if unasked > 0 { stop.or_interrupted() } else { seen.outcome };
    Ok(outcome.max(unread))
}

/// What is kept of the images that were asked for.
struct Seen {
    rows: Vec<VerifiedRow>,
    /// For a lock file that is written.
    verified: Vec<Verified>,
    unlocked: usize,
    /// The worst of all.
    outcome: Outcome,
    /// Why a row could not be printed.
    broken: Option<std::io::Error>,
}

impl Default for Seen {
    fn default() -> Seen {
        Seen { rows: Vec::new(), verified: Vec::new(), unlocked: 0, outcome: Outcome::Clean, broken: None }
    }
}

fn outcome(verified: &Verified) -> Outcome {
    match verified.outcome.severity() {
        Severity::Fine | Severity::Note => Outcome::Clean,
        Severity::Bad => Outcome::Findings,
        Severity::Open => Outcome::Failure,
    }
}

/// What is to be asked for.
pub(super) struct Wanted {
    pub(super) images: Images,
    /// `None` for a list.
    pub(super) covered: Option<Covered>,
    /// The worst of what was met on the way: a text that is no image, a file that could not be read, a release that had to be
    /// known.
    pub(super) outcome: Outcome,
}

pub(super) fn wanted(
    repository: &RepositoryArgs,
    list: &ListArgs,
    charts: &ChartsArgs,
    registries: &RegistryArgs,
) -> Result<Wanted, CliError> {
    if let Some(images) = list.read(repository)? {
        let outcome = if images.unknown.is_empty() { Outcome::Clean } else { Outcome::WrongInput };
        return Ok(Wanted { images, covered: None, outcome });
    }
    let read = repository.read_with_context()?;
    let whole = read.whole();
    let model = Model::new(&whole, &read.config);
    let charts = charts.or(How::Auto);
    let known = charts.known(&read, &model, repository, registries)?;
    let images = read.images_with(&model, known.as_ref(), read.config.artifacts());
    let invalid = images.unknown.iter().any(|unknown| unknown.invalid);
    let bad = invalid || charts.fails(known.as_ref());
    let outcome = if bad { Outcome::Findings } else { Outcome::Clean };
    let outcome = if read.inventory.has_failures() { Outcome::Failure } else { outcome };
    Ok(Wanted { images, covered: Some(read.covered(&model, known.as_ref())), outcome })
}

/// Which registries to ask, said where it was not chosen; and what was learned on the way.
async fn at(args: &Args, client: &Client, images: &[Image]) -> Result<(At, Asked), CliError> {
    let cached = images.iter().find_map(|pull| pull.cached.as_ref());
    let chosen = args.at.map(|at| match at {
        AtArg::Upstream => At::Upstream,
        AtArg::Cache => At::Cache,
        AtArg::Both => At::Both,
    });
    match chosen {
        Some(At::Cache | At::Both) if cached.is_none() && !images.is_empty() => {
            return Err(CliError::usage(
                "no image here has an address at a cache: its registry is not configured, or a placeholder",
                "give `--account` and `--region`, or ask the upstreams with `--at upstream`",
            ));
        }
        Some(at) => return Ok((at, Asked::default())),
        None => {}
    }
    let Some(cached) = cached else {
        if !images.is_empty() {
            note("no address of a cache is configured: the upstreams are asked");
        }
        return Ok((At::Upstream, Asked::default()));
    };
    if args.allow_import {
        return Ok((At::Cache, Asked::default()));
    }
    let (known, said) = Asked::of_first(client, images).await;
    match said {
        None => {
            note(&format!(
                "`{}` is not ECR, and cannot be asked what it holds: the upstreams are asked (`--allow-import` asks it)",
                cached.host
            ));
            Ok((At::Upstream, known))
        }
        // Credentials that AWS refuses are there; without any nothing was sent.
        Some(Err(Failure::Unauthorized(detail))) if detail.code.is_none() => {
            note(&format!(
                "{}: the upstreams are asked, and not the cache (`--at cache` insists)",
                detail.message
            ));
            Ok((At::Upstream, known))
        }
        Some(_) => {
            note(&format!("asking `{}` what it holds (`--at upstream` asks the upstreams)", cached.host));
            Ok((At::Cache, known))
        }
    }
}
