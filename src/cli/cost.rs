//! `pullthru cost`.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};

use super::charts_args::ChartsArgs;
use super::digest_lock::KnownArgs;
use super::list::ListArgs;
use super::messages::is_verbose;
use super::registries::{RegistryArgs, bar, end_requests, note_docker_hub_limit, runtime, say_notes};
use super::signals::StopSignal;
use super::values::number;
use super::verify::Wanted;
use super::{CliError, Outcome, RepositoryArgs, verify};
use crate::config::{Config, ScanType};
use crate::cost::{
    Destination, Endpoints, Measured, Options, Prices, Provisioned, Scanning, Terms, assumptions, copies,
    estimate, measure, repositories,
};
use crate::images::Image;
use crate::registry::{NotCached, Step};
use crate::report::Paint;
use crate::report::cost::{self as report, CostReport, Gathered, NotCachedImage};
use crate::report::prices as prices_report;
use crate::route::{Credential, EcrHost, Region, upstream_for};

/// Estimate the monthly cost of the cache, from the sizes of the images that the repository really uses.
///
/// The manifests of every image are read at its upstream; no layer is, and nothing is imported into the cache.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  pullthru cost                                       what is in use, and what it grows to
  pullthru cost --scanning enhanced --replicate eu-west-1
  pullthru cost --endpoints 3 --pulls-gb 500          for a network without a way to the internet
  pullthru cost --show-prices                         what it reckons with, and where that was read
  kubectl get pods -A -o yaml | pullthru cost -       what a cluster runs")]
pub(super) struct Args {
    #[command(flatten)]
    repository: RepositoryArgs,

    #[command(flatten)]
    list: ListArgs,

    /// New versions of each repository in a month
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(..=10_000))]
    releases_per_month: u32,

    /// Months to look ahead
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = number(1..=120))]
    months: u32,

    /// Versions that the lifecycle policy keeps of each repository. Default: what `provision:` says, or 10
    #[arg(long, value_name = "K", value_parser = number(1..=u32::MAX))]
    keep: Option<u32>,

    /// How images are scanned. Default: what `provision:` says, or basic
    #[arg(long, value_enum)]
    scanning: Option<ScanningArg>,

    /// How often enhanced scanning looks again at each image in use, a month: 0 is scan on push
    #[arg(long, value_name = "N", default_value_t = 0)]
    rescans: u32,

    /// Another Region that everything is replicated to. Default: what `provision:` says
    #[arg(long, value_name = "REGION", value_delimiter = ',')]
    replicate: Vec<Region>,

    /// Nodes reach registries through a NAT gateway
    #[arg(long)]
    nat: bool,

    /// Nodes reach ECR through interface endpoints in so many availability zones
    #[arg(long, value_name = "ZONES", value_parser = number(1..=16))]
    endpoints: Option<u32>,

    /// GB that nodes pull in a month, where `--nat` or `--endpoints` make a price of it
    #[arg(long, value_name = "GB")]
    pulls_gb: Option<u32>,

    /// Prices of your Region or contract, instead of the table's (YAML or JSON)
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,

    /// Print the prices, with where and when they were read, and do nothing else
    #[arg(long)]
    show_prices: bool,

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
enum ScanningArg {
    Basic,
    Enhanced,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Human,
    Json,
    Markdown,
    Csv,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<Outcome, CliError> {
    let prices = read_prices(args.prices.as_deref())?;
    if args.show_prices {
        match args.format {
            Format::Human => prices_report::human(&prices, out)?,
            Format::Json => prices_report::json(&prices, out)?,
            Format::Markdown => prices_report::markdown(&prices, out)?,
            Format::Csv => prices_report::csv(&prices, out)?,
        }
        return Ok(Outcome::Clean);
    }
    if args.pulls_gb.is_some() && !args.nat && args.endpoints.is_none() {
        let message =
            "`--pulls-gb` costs nothing without `--nat` or `--endpoints`: pulls within a Region are free";
        return Err(CliError::usage(message, "say how nodes reach ECR, or leave it out"));
    }
    let (repository, config, _) = args.repository.open()?;
    let provisioned = Provisioned::of(&config);
    let options = options(args, provisioned);
    if args.rescans > 0 && options.scanning == Scanning::Basic {
        let message = "`--rescans` is of enhanced scanning, and basic scanning is chosen";
        return Err(CliError::usage(message, "add `--scanning enhanced`, or leave it out"));
    }
    let Wanted { images, covered, outcome: unread } =
        verify::wanted(&args.repository, &args.list, &args.charts, &args.registries)?;
    let (cached, not_cached) = split(images.images, &config);
    refuse_own_region(&cached, &args.replicate)?;
    let client = args.registries.client(&args.repository)?;
    let runtime = runtime()?;
    let lock = args.known.read(&repository.root)?;
    note_docker_hub_limit(cached.iter().filter(|image| lock.locked(image).is_none()));
    let bar = bar(cached.len(), "cost");
    let mut measured: Vec<Measured> = Vec::new();
    let stop = StopSignal::default();
    let work = measure(&client, cached, lock, stop.clone().comes(), |step| match step {
        Step::Done(done, last) => {
            bar.set_position(done as u64);
            bar.set_message(last.pull.reference());
        }
        Step::Next(result) => measured.push(result),
    });
    let unasked = runtime.block_on(work);
    bar.finish_and_clear();
    end_requests(runtime);
    let notes = say_notes(&client);
    let mut repositories = repositories(&measured, |pull| terms(args, provisioned, pull));
    repositories.extend(copies(&repositories, |cache| provisioned.other_caches(cache)));
    let report = CostReport::new(Gathered {
        estimate: estimate(&repositories, &options, &prices),
        assumptions: assumptions(&repositories, &options, &prices),
        repositories: &repositories,
        options: &options,
        prices: &prices,
        measured: &measured,
        not_cached: &not_cached,
        unknown: &images.unknown,
        unasked,
        notes,
    });
    match args.format {
        Format::Human => report::human(&report, covered, is_verbose(), out, Paint::for_stdout())?,
        Format::Json => report::json(&report, out)?,
        Format::Markdown => report::markdown(&report, out)?,
        Format::Csv => report::csv(&report, out)?,
    }
    let outcome = measured
        .iter()
        .filter_map(|measured| measured.found.as_ref().err())
        .map(|why| if why.is_transient() { Outcome::Failure } else { Outcome::Findings });
    let outcome = outcome.max().unwrap_or(Outcome::Clean);
    let outcome = outcome.max(unread);
    Ok(if unasked > 0 { stop.or_interrupted() } else { outcome })
}

/// Flags, and where they say nothing what `provision:` says.
fn options(args: &Args, provisioned: Provisioned<'_>) -> Options {
    let scanning = args.scanning.unwrap_or(match provisioned.scanning() {
        Some(ScanType::Enhanced) => ScanningArg::Enhanced,
        Some(ScanType::Basic) | None => ScanningArg::Basic,
    });
    Options {
        scanning: match scanning {
            ScanningArg::Basic => Scanning::Basic,
            ScanningArg::Enhanced => Scanning::Enhanced { rescans: args.rescans },
        },
        replicate: match args.replicate.as_slice() {
            [] => provisioned.destinations(),
            regions => Destination::merged(regions.iter().cloned().map(Destination::region)),
        },
        nat: args.nat,
        endpoints: args.endpoints.map(|zones| Endpoints { zones }),
        pulls_gb: args.pulls_gb.unwrap_or(0),
        releases: args.releases_per_month,
        months: args.months,
    }
}

/// Versions that are kept where nobody says how many.
const KEEP: u32 = 10;

/// How the repository of a pull is kept, and what its rule logs in with.
fn terms(args: &Args, provisioned: Provisioned<'_>, pull: &Image) -> Terms {
    let template = provisioned.lifecycle(pull).and_then(|lifecycle| lifecycle.keep);
    let host = pull.upstream.as_ref().map(|name| name.host.clone());
    let wants_login = host
        .as_ref()
        .and_then(|host| upstream_for(host))
        .is_some_and(|upstream| upstream.credential == Credential::Secret);
    Terms {
        keep: args.keep.or(template).unwrap_or(KEEP),
        keep_is_assumed: args.keep.or(template).is_none(),
        secret: provisioned.credential(pull).or(host).filter(|_| wants_login),
    }
}

/// What goes through a cache, or would if there were one, and what does not.
fn split(images: Vec<Image>, config: &Config) -> (Vec<Image>, Vec<NotCachedImage>) {
    let (mut cached, mut not_cached) = (Vec::new(), Vec::new());
    for pull in images {
        match NotCached::of(&pull) {
            None | Some(NotCached::Placeholder) => cached.push(pull),
            Some(NotCached::NoRoute) if !config.has_registry() => cached.push(pull),
            Some(why) => not_cached.push(NotCachedImage { pull, why: why.explain() }),
        }
    }
    (cached, not_cached)
}

/// A registry is not replicated to its own Region.
fn refuse_own_region(images: &[Image], replicate: &[Region]) -> Result<(), CliError> {
    let region = |pull: &Image| pull.cached.as_ref()?.host.parse::<EcrHost>().ok().map(|host| host.region);
    for region_of_all in replicate {
        let mut regions = images.iter().map(region).peekable();
        if regions.peek().is_some() && regions.all(|region| region.as_ref() == Some(region_of_all)) {
            return Err(CliError::usage(
                format!("the cache is in `{region_of_all}` itself, and is not replicated there"),
                "name another Region with `--replicate`",
            ));
        }
    }
    Ok(())
}

fn read_prices(path: Option<&Path>) -> Result<Prices, CliError> {
    let Some(path) = path else { return Ok(Prices::default()) };
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|error| {
        CliError::usage(
            format!("cannot read the prices `{name}`: {}", pullthru_core::reasons::of_io(&error)),
            "name a YAML or JSON file",
        )
    })?;
    Ok(Prices::default().with_file(&name, &text)?)
}
