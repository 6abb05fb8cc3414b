//! `pullthru provision outputs`.

use std::io::Write;

use clap::{Parser, ValueEnum};

use super::DesiredArgs;
use crate::aws::account::Current;
use crate::aws::outputs::Outputs;
use crate::cli::aws::AwsArgs;
use crate::cli::{CliError, Outcome, registries};

/// Print what other tools need of the registry: its address, prefixes, secrets, repositories, and how to log in.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  pullthru provision outputs
  pullthru provision outputs --format env >> \"$GITHUB_OUTPUT\"
  pullthru provision outputs --offline --format json  without the ARNs of secrets, which only AWS knows")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    desired: DesiredArgs,

    #[command(flatten)]
    aws: AwsArgs,

    /// Do not ask AWS: ARNs of secrets are omitted
    #[arg(long)]
    offline: bool,

    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Human,
    Json,
    /// NAME=value, one a line
    Env,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<Outcome, CliError> {
    let desired = args.desired.desired()?;
    let Some(desired) = desired.first() else { return Ok(Outcome::Clean) };
    let mut outputs = Outputs::new(desired);
    if !args.offline {
        let current = registries::runtime()?.block_on(async {
            let session = args.aws.session(desired.registry.clone(), None).await?;
            Ok::<_, CliError>(Current::read(&session, desired, false).await)
        })?;
        outputs.add_secrets(desired, &current);
    }
    match args.format {
        Format::Human => outputs.human(out)?,
        Format::Json => outputs.json(out)?,
        Format::Env => outputs.env(out)?,
    }
    Ok(Outcome::Clean)
}
