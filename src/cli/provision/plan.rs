//! `pullthru provision plan`.

use std::collections::BTreeSet;
use std::io::Write;

use clap::{Parser, ValueEnum};

use super::DesiredArgs;
use crate::aws::Desired;
use crate::aws::account::plan::Options;
use crate::aws::account::{Current, FailureKind, Plan, Session, backfill};
use crate::cli::aws::AwsArgs;
use crate::cli::{CliError, Outcome, registries};
use crate::report::Paint;
use crate::report::provision as report;

/// Show what would change in the account. Nothing is changed.
///
/// Signs: + is made, ~ is changed, ± is deleted and made again, - is deleted, = is kept, ! differs and cannot be changed,
/// ? could not be read.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  pullthru provision plan --account 123456789012 --region ca-central-1
  pullthru provision plan --exit-code                 1 when the account is not as the configuration says
  pullthru provision plan --format markdown           for a comment on a pull request")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    desired: DesiredArgs,

    #[command(flatten)]
    aws: AwsArgs,

    #[command(flatten)]
    options: PlanArgs,

    /// Exit with 1 when there is something to change, or something that could not be read
    #[arg(long)]
    exit_code: bool,

    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Human,
    Json,
    Markdown,
}

/// What `plan` and `apply` compare besides.
#[derive(Debug, clap::Args)]
pub(super) struct PlanArgs {
    /// Replace the token of this credential
    #[arg(long, value_name = "CREDENTIAL")]
    rotate: Vec<String>,

    /// Delete rules and templates that the configuration does not have
    #[arg(long)]
    prune: bool,

    /// Give repositories that are there already what their template says
    #[arg(long)]
    backfill: bool,
}

/// One Region's way from the configuration to a plan.
pub(super) struct Planned {
    pub(super) desired: Desired,
    pub(super) session: Session,
    pub(super) current: Current,
    pub(super) plan: Plan,
}

impl PlanArgs {
    /// Reads the account in every Region and compares.
    pub(super) async fn plan(&self, aws: &AwsArgs, desired: Vec<Desired>) -> Result<Vec<Planned>, CliError> {
        self.known_credentials(&desired)?;
        let options =
            Options { rotate: self.rotate.iter().cloned().collect::<BTreeSet<_>>(), prune: self.prune };
        let mut all = Vec::new();
        for desired in desired {
            let session = aws.session(desired.registry.clone(), None).await?;
            let current = Current::read(&session, &desired, self.backfill).await;
            let mut plan = Plan::new(&desired, &current, &options);
            if self.backfill {
                backfill::plan(&session, &desired, &current, &mut plan).await;
            }
            all.push(Planned { desired, session, current, plan });
        }
        Ok(all)
    }

    fn known_credentials(&self, desired: &[Desired]) -> Result<(), CliError> {
        let known: BTreeSet<&str> =
            desired.iter().flat_map(|d| &d.secrets).map(|secret| secret.credential.as_str()).collect();
        match self.rotate.iter().find(|name| !known.contains(name.as_str())) {
            None => Ok(()),
            Some(unknown) => {
                let names: Vec<&str> = known.into_iter().collect();
                let help = match names.is_empty() {
                    true => "no secret is made here".to_owned(),
                    false => format!("there are {}", names.join(", ")),
                };
                Err(CliError::usage(format!("there is no credential `{unknown}` to rotate"), help))
            }
        }
    }
}

/// How a run ends that could not see everything: denied reads are findings, everything else is a failure.
pub(super) fn seen(plan: &Plan) -> Outcome {
    let failed =
        |kind| matches!(kind, FailureKind::Network | FailureKind::Credentials | FailureKind::Throttled);
    match plan.unseen.iter().any(|failure| failed(failure.kind)) {
        true => Outcome::Failure,
        false => Outcome::Clean,
    }
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<Outcome, CliError> {
    let desired = args.desired.desired()?;
    let planned = registries::runtime()?.block_on(args.options.plan(&args.aws, desired))?;
    let plans: Vec<Plan> = planned.into_iter().map(|planned| planned.plan).collect();
    match args.format {
        Format::Human => {
            report::human(&plans, out, Paint::for_stdout())?;
            let next = match (plans.iter().any(Plan::has_work), plans.iter().all(Plan::is_clean)) {
                (true, _) => "`pullthru provision apply` carries this out",
                (false, true) => "nothing is left to do: the account is as the configuration says",
                (false, false) => "`pullthru provision plan` again, when what is named above is corrected",
            };
            crate::report::next(next, out, Paint::for_stdout())?;
        }
        Format::Json => report::PlanReport::new(&plans).json(out)?,
        Format::Markdown => report::markdown(&plans, out)?,
    }
    let changes = args.exit_code && !plans.iter().all(Plan::is_clean);
    let found = if changes { Outcome::Findings } else { Outcome::Clean };
    Ok(plans.iter().map(seen).fold(found, Outcome::max))
}
