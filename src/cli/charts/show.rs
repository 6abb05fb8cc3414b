//! `pullthru charts [RELEASE]`.

use std::io::Write;

use clap::{Parser, ValueEnum};

use crate::cli::charts_args::{ChartsArgs, How};
use crate::cli::evaluated::Evaluated;
use crate::cli::registries::RegistryArgs;
use crate::cli::{CliError, Outcome, RepositoryArgs};
use crate::images::Charts;
use crate::kustomize::Model;
use crate::report::Paint;
use crate::report::charts::{self as report, ChartsReport};
use pullthru_core::releases::{ReleaseId, Sources};

#[derive(Debug, Parser)]
#[group(skip)]
pub(super) struct Args {
    /// One release, as `namespace/name` or by its name: each of its images with its object and field
    #[arg(value_name = "RELEASE")]
    release: Option<String>,

    #[command(flatten)]
    repository: RepositoryArgs,

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
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<Outcome, CliError> {
    let request = args.charts.or(How::Auto);
    let read = args.repository.read_with_context()?;
    let whole = read.whole();
    let model = Model::new(&whole, &read.config);
    let sources = Sources::new(&read.repository);
    let mut evaluated = Evaluated::of(&read, &model, &sources)?;
    evaluated.evaluation.retain(|release| read.is_named(&release.place.path));
    let is_wanted = |id: &ReleaseId, wanted: &String| id.to_string() == *wanted || id.name == *wanted;
    if let Some(wanted) = &args.release {
        // One that a chart renders is known when that was rendered.
        if evaluated.evaluation.releases().iter().any(|release| is_wanted(&release.id, wanted)) {
            evaluated.evaluation.retain(|release| is_wanted(&release.id, wanted));
        }
        if request.how != How::Lock {
            // Objects and fields are in no lock.
            evaluated.lock = None;
        }
    }
    let mut charts: Charts = request.charts(&read, &mut evaluated, &args.repository, &args.registries)?;
    if let Some(wanted) = &args.release {
        charts.releases.retain(|release| is_wanted(&release.id, wanted));
        if charts.releases.is_empty() {
            return Err(CliError::usage(
                format!("there is no release `{wanted}` in what was read"),
                "`pullthru charts` lists all releases",
            ));
        }
    }
    let report = ChartsReport::new(&charts, &read.config);
    match args.format {
        Format::Json => report::json(&report, out)?,
        Format::Human if args.release.is_some() => {
            for row in &report.releases {
                report::detail(row, out, Paint::for_stdout())?;
            }
            let next = "`pullthru charts lock` writes the images into the image lock, which `check` counts";
            crate::report::next(next, out, Paint::for_stdout())?;
        }
        Format::Human => {
            let covered = read.covered(&model, Some(&charts));
            writeln!(out, "read {}", covered.without_releases().words())?;
            report::table(&report, out, Paint::for_stdout())?;
        }
    }
    let unknown = charts.unknown() > 0 && request.how == How::Required;
    let outcome = if unknown { Outcome::Findings } else { Outcome::Clean };
    Ok(if read.inventory.has_failures() { Outcome::Failure } else { outcome })
}
