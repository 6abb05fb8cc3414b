//! `pullthru scan`.

use std::io::Write;

use clap::{Parser, ValueEnum};
use globset::{GlobBuilder, GlobSetBuilder};

use super::charts_args::{ChartsArgs, How};
use super::registries::RegistryArgs;
use super::{CliError, Outcome, RepositoryArgs};
use crate::kustomize::Model;
use crate::lint::Plans;
use crate::migrate::Strategy;
use crate::report::Paint;
use crate::report::scan::{self as report, Filter, ScanReport, Scanned};
use crate::tree::Shard;

/// List every image reference, its route, and why a reference is skipped.
///
/// Without a registry configured the references are listed all the same.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  pullthru scan                                       images of the repository, by upstream
  pullthru scan --sites --role image apps/            one line a place, below apps/
  pullthru scan --explain                             everything that is skipped, with the reason
  kubectl get pods -A -o yaml | pullthru scan -       what a cluster runs")]
pub(super) struct Args {
    #[command(flatten)]
    repository: RepositoryArgs,

    /// One line per place: file:line:column, object, field, form, reference → cached
    #[arg(long, conflicts_with = "explain")]
    sites: bool,

    /// List every reference that is skipped, and every other occurrence of an upstream host, with the reason
    #[arg(long)]
    explain: bool,

    /// Only the files of one part of several, such as 3/8: for runs that share the work. `pullthru report merge` merges
    /// their reports
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,

    /// Only references of this role
    #[arg(long, value_enum, value_name = "ROLE")]
    role: Vec<RoleFilter>,

    /// Only references to this registry
    #[arg(long, value_name = "HOST")]
    host: Vec<String>,

    /// Only files that match
    #[arg(long = "path", value_name = "GLOB")]
    globs: Vec<String>,

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
    Csv,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RoleFilter {
    /// A node pulls it
    Image,
    /// Kustomize compares it with images
    Matcher,
    /// Tags are looked up there
    TagDiscovery,
    /// A chart or another OCI artifact
    Artifact,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<Outcome, CliError> {
    let filter = filter(args)?;
    let mut read = args.repository.read_part(args.shard)?;
    let request = args.charts.or(How::Lock);
    let with_charts = request.has_answers(&read.repository);
    if with_charts {
        read = args.repository.with_context(read)?;
    }
    let whole = read.whole();
    let model = Model::new(&whole, &read.config);
    let charts = match with_charts {
        true => request.known(&read, &model, &args.repository, &args.registries)?,
        false => None,
    };
    let plans = Plans::new(&model, Strategy::Inline);
    let scanned =
        Scanned { inventory: &read.inventory, model: &model, plans: &plans, charts: charts.as_ref() };
    let report = ScanReport::new(&scanned, |path| read.is_named(path), &filter);
    let covered = read.covered(&model, charts.as_ref());
    let paint = Paint::for_stdout();
    match args.format {
        Format::Human if args.sites => report::sites(&report, out, paint)?,
        Format::Human if args.explain => report::explain(&report, covered, out, paint)?,
        Format::Human => report::images(&report, covered, out, paint)?,
        Format::Json => report::json(&report, out)?,
        Format::Jsonl => report::jsonl(&report, out)?,
        Format::Csv => report::csv(&report, out)?,
    }
    let outcome = if request.fails(charts.as_ref()) { Outcome::Findings } else { Outcome::Clean };
    Ok(if read.inventory.has_failures() { Outcome::Failure } else { outcome })
}

fn filter(args: &Args) -> Result<Filter, CliError> {
    let roles =
        args.role.iter().filter_map(|role| Some(role.to_possible_value()?.get_name().to_owned())).collect();
    let mut paths = None;
    if !args.globs.is_empty() {
        let mut set = GlobSetBuilder::new();
        for glob in &args.globs {
            let invalid = |error: globset::Error| {
                CliError::usage(
                    format!("--path: `{glob}` is no glob: {}", error.kind()),
                    "write `clusters/prod/**` or `*.yaml`",
                )
            };
            set.add(GlobBuilder::new(glob).literal_separator(true).build().map_err(invalid)?);
        }
        paths = set.build().ok();
    }
    Ok(Filter { roles, hosts: args.host.clone(), paths })
}
