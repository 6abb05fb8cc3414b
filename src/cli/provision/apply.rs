//! `pullthru provision apply`.

use std::io::{IsTerminal, Write};

use clap::{Parser, ValueEnum};

use super::DesiredArgs;
use super::plan::{PlanArgs, Planned, seen};
use crate::aws::account::apply::{Applied, apply};
use crate::aws::account::{Plan, TokenError, Tokens};
use crate::cli::aws::AwsArgs;
use crate::cli::{CliError, Outcome, note, registries};
use crate::report::Paint;
use crate::report::provision as report;

/// Change the account to what the configuration says.
///
/// Shows the plan, asks, and carries it out in the order in which things need each other. What fails does not stop the
/// rest; run it again to go on. At the end ECR tries every rule with a login.
///
/// Tokens are read from where `credentials:` says, else from NAME_TOKEN in the environment, else they are asked for.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  pullthru provision apply                            shows the plan and asks
  GHCR_TOKEN=… pullthru provision apply --yes --expect-account 123456789012
  pullthru provision apply --rotate ghcr              replaces one token
  pullthru provision apply --backfill                 existing repositories get what their template says")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    desired: DesiredArgs,

    #[command(flatten)]
    aws: AwsArgs,

    #[command(flatten)]
    options: PlanArgs,

    /// Do not ask
    #[arg(long, short)]
    yes: bool,

    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    Human,
    Json,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<Outcome, CliError> {
    let (desired, root) = args.desired.read()?;
    let runtime = registries::runtime()?;
    let planned = runtime.block_on(args.options.plan(&args.aws, desired))?;
    let plans: Vec<Plan> = planned.iter().map(|planned| planned.plan.clone()).collect();
    let paint = Paint::for_stdout();
    if args.format == Format::Human {
        report::human(&plans, out, paint)?;
        out.flush()?;
    }
    // Before the question: what cannot be had shall not stop it half way.
    let mut tokens = Tokens::default();
    for planned in &planned {
        let secrets = planned.plan.secrets_to_write(&planned.desired);
        let missing = |secret: &&&crate::aws::resource::Secret| !tokens.0.contains_key(&secret.name);
        let secrets: Vec<_> = secrets.iter().filter(missing).copied().collect();
        let more = Tokens::read(&secrets, &root).map_err(|error| token_missing(&error))?;
        tokens.0.extend(more.0);
    }
    if let Some(first) = plans.first()
        && plans.iter().any(Plan::has_work)
        && !args.yes
    {
        let question = format!("Carry this out in account {}? [y/N] ", first.registry.account);
        if !ask(&question, &["y", "yes"], "pass `--yes`, best with `--expect-account`")? {
            note("nothing was changed");
            return Ok(Outcome::Clean);
        }
    }
    let results = runtime.block_on(carry_out(&planned, &tokens));
    let pairs: Vec<(&Plan, Applied)> = plans.iter().zip(results).collect();
    match args.format {
        Format::Human => report::applied(&pairs, out, paint)?,
        Format::Json => report::AppliedReport::new(&pairs).json(out)?,
    }
    if args.format == Format::Human {
        let done = pairs.iter().all(|(plan, applied)| applied.is_success() && !plan.falls_short());
        let next = match done {
            true => "`pullthru doctor` tries a pull step by step, `pullthru warm` fills the cache",
            false => "`pullthru provision apply` again, when what is named above is corrected",
        };
        crate::report::next(next, out, paint)?;
    }
    let failed = pairs.iter().any(|(_, applied)| applied.done.iter().any(|done| done.result.is_err()));
    let invalid = pairs.iter().any(|(plan, applied)| !applied.is_success() || plan.falls_short());
    let found = if failed {
        Outcome::Failure
    } else if invalid {
        Outcome::Findings
    } else {
        Outcome::Clean
    };
    Ok(plans.iter().map(seen).fold(found, Outcome::max))
}

async fn carry_out(planned: &[Planned], tokens: &Tokens) -> Vec<Applied> {
    let mut results = Vec::new();
    for Planned { desired, session, current, plan } in planned {
        let say = |done: &_| note(&report::done(done, Paint::never()));
        results.push(apply(session, desired, current, plan, tokens, say).await);
    }
    results
}

fn token_missing(error: &TokenError) -> CliError {
    CliError::usage(error.to_string(), error.help())
}

/// Asks on the terminal; `otherwise` says what to do where there is none.
pub(super) fn ask(question: &str, yes: &[&str], otherwise: &str) -> Result<bool, CliError> {
    if !std::io::stdin().is_terminal() {
        return Err(CliError::usage("there is nobody to ask: this is no terminal", otherwise));
    }
    let mut err = std::io::stderr().lock();
    write!(err, "{question}").and_then(|()| err.flush())?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(yes.contains(&answer.trim()))
}
