//! `pullthru provision destroy`.

use std::io::Write;

use clap::{Parser, ValueEnum};

use super::DesiredArgs;
use super::apply::ask;
use super::plan::seen;
use crate::aws::account::apply::Applied;
use crate::aws::account::destroy;
use crate::aws::account::{Current, Plan};
use crate::cli::aws::AwsArgs;
use crate::cli::{CliError, Outcome, note, registries};
use crate::report::provision as report;
use crate::report::{Paint, next};

/// Remove what apply made: what carries the name of the configuration's stack.
///
/// Everything else is kept, and is listed with the reason. Repositories that rules have filled are kept, and are billed.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  pullthru provision destroy                          shows what goes, and asks for the account's number
  pullthru provision destroy --confirm 123456789012   the answer, where nobody can be asked")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    desired: DesiredArgs,

    #[command(flatten)]
    aws: AwsArgs,

    /// Show what would go, and stop
    #[arg(long, conflicts_with = "confirm")]
    dry_run: bool,

    /// The number of the account, instead of a question
    #[arg(long, value_name = "ACCOUNT")]
    confirm: Option<String>,

    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Human,
    Json,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<Outcome, CliError> {
    let desired = args.desired.desired()?;
    let runtime = registries::runtime()?;
    let planned = runtime.block_on(async {
        let mut planned = Vec::new();
        for desired in desired {
            let session = args.aws.session(desired.registry.clone(), None).await?;
            let current = Current::read(&session, &desired, false).await;
            let plan = destroy::plan(&desired, &current);
            planned.push((desired, session, current, plan));
        }
        Ok::<_, CliError>(planned)
    })?;
    let plans: Vec<Plan> = planned.iter().map(|(.., plan)| plan.clone()).collect();
    let paint = Paint::for_stdout();
    if args.format == Format::Human || args.dry_run {
        match args.format {
            Format::Human => report::human(&plans, out, paint)?,
            Format::Json => report::PlanReport::new(&plans).json(out)?,
        }
        out.flush()?;
    }
    if args.dry_run {
        if args.format == Format::Human {
            next("`pullthru provision destroy` without `--dry-run` removes this", out, paint)?;
        }
        return Ok(plans.iter().map(seen).fold(Outcome::Clean, Outcome::max));
    }
    if plans.iter().any(Plan::has_work) && !confirmed(args, &plans)? {
        note("nothing was changed");
        return Ok(Outcome::Clean);
    }
    let results = runtime.block_on(async {
        let mut results = Vec::new();
        for (desired, session, current, plan) in &planned {
            let say = |done: &_| note(&report::done(done, Paint::never()));
            results.push(destroy::destroy(session, desired, current, plan, say).await);
        }
        results
    });
    let pairs: Vec<(&Plan, Applied)> = plans.iter().zip(results).collect();
    match args.format {
        Format::Human => report::applied(&pairs, out, paint)?,
        Format::Json => report::AppliedReport::new(&pairs).json(out)?,
    }
    let failed = pairs.iter().any(|(_, applied)| !applied.is_success());
    if args.format == Format::Human {
        let text = match failed || plans.iter().any(Plan::falls_short) {
            true => "`pullthru provision destroy` again, when what is named above is corrected",
            false => {
                "nothing is left to do: what apply made is gone; `pullthru migrate --reverse` moves the images back"
            }
        };
        next(text, out, paint)?;
    }
    let found = if failed {
        Outcome::Failure
    } else if plans.iter().any(Plan::falls_short) {
        Outcome::Findings
    } else {
        Outcome::Clean
    };
    Ok(plans.iter().map(seen).fold(found, Outcome::max))
}

/// The account's number is the answer: a habit of typing `y` does not give it.
fn confirmed(args: &Args, plans: &[Plan]) -> Result<bool, CliError> {
    let account = plans.first().map(|plan| plan.registry.account.to_string()).unwrap_or_default();
    match &args.confirm {
        Some(given) if *given == account => Ok(true),
        Some(given) => Err(CliError::usage(
            format!("`--confirm {given}` is not the account {account}"),
            "nothing was changed; give the number of the account whose resources are to go",
        )),
        None => {
            let question = format!("Type the number of the account to remove all of this from {account}: ");
            ask(&question, &[account.as_str()], &format!("pass `--confirm {account}`"))
        }
    }
}
