//! `pullthru charts [RELEASE]`.

use std::io::Write;

use clap::{Parser, ValueEnum};

use crate::cli::charts_args::{ChartsArgs, Evaluated, How};
use crate::cli::registries::RegistryArgs;
use crate::cli::{CliError, Outcome, RepositoryArgs};
use crate::images::Charts;
use crate::kustomize::Model;
use crate::report::Paint;
use crate::report::charts::{self as report, ChartsReport};

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
    let how = args.charts.or(How::Auto).how;
    let read = args.repository.read_with_context()?;
    let whole = read.whole();
    let model = Model::new(&whole, &read.config);
    let mut evaluated = Evaluated::of(&read, &model)?;
    evaluated.releases.retain(|release| read.is_named(&release.place.path));
    if let Some(wanted) = &args.release {
        let is_wanted =
            |id: &pullthru_core::releases::ReleaseId| id.to_string() == *wanted || id.name == *wanted;
        evaluated.releases.retain(|release| is_wanted(&release.id));
        if evaluated.releases.is_empty() {
            return Err(CliError::usage(
                format!("there is no release `{wanted}` in what was read"),
                "`pullthru charts` lists all releases",
            ));
        }
        if how != How::Lock {
            // Objects and fields are in no lock.
            evaluated.lock = None;
        }
    }
    let charts: Charts =
        args.charts.rendering.charts(how, &read, &model, &evaluated, &args.repository, &args.registries)?;
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
    let unknown = charts.unknown() > 0 && how == How::Required;
    let outcome = if unknown { Outcome::Findings } else { Outcome::Clean };
    Ok(if read.inventory.has_failures() { Outcome::Failure } else { outcome })
}
