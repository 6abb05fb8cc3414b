//! `pullthru provision import`.

use std::io::Write;

use clap::Parser;

use crate::aws::Registry;
use crate::aws::account::import;
use crate::cli::aws::AwsArgs;
use crate::cli::{Outcome, Stop, note, registries};
use crate::route::{AccountId, Region};

/// Print the `registry:`, `upstreams:` and `provision:` sections of what an account has today.
///
/// Nothing is changed. Put them into pullthru.yaml: `provision plan` has nothing to do then.
#[derive(Debug, Parser)]
#[command(after_help = "Example:
  pullthru provision import --account 123456789012 --region ca-central-1 > pullthru.yaml")]
pub(in crate::cli) struct Args {
    /// AWS account of the registry: 12 digits
    #[arg(long, value_name = "ID", env = "PULLTHRU_ACCOUNT")]
    account: AccountId,

    /// AWS Region of the registry
    #[arg(long, value_name = "REGION", env = "PULLTHRU_REGION")]
    region: Region,

    #[command(flatten)]
    aws: AwsArgs,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<Outcome, Stop> {
    let registry = Registry { account: args.account.clone(), region: args.region.clone() };
    let imported = registries::runtime()?.block_on(async {
        let session = args.aws.session(registry, None).await?;
        Ok::<_, Stop>(import(&session).await)
    })?;
    write!(out, "{}", imported.text)?;
    for failure in &imported.unseen {
        note(&format!("not seen: {failure}"));
    }
    Ok(if imported.unseen.is_empty() { Outcome::Clean } else { Outcome::Failure })
}
