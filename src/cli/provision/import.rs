//! `pullthru provision import`.

use std::io::Write;

use clap::Parser;

use super::DesiredArgs;
use super::apply::ask;
use crate::aws::Registry;
use crate::aws::account::adopt::adopt;
use crate::aws::account::plan::Options;
use crate::aws::account::{Current, Plan, import};
use crate::aws::resource::{Id, Kind, Template};
use crate::cli::aws::{AwsArgs, of_aws};
use crate::cli::{CliError, Outcome, note, problem, registries};
use crate::report::Paint;
use crate::report::provision as report;
use crate::route::{AccountId, Region};

/// Print the `registry:`, `upstreams:` and `provision:` sections of what an account has today, or adopt one thing of it.
///
/// Printing changes nothing. `--adopt` gives one rule, template or secret the name of this configuration's stack, after a
/// question: from then on `apply` changes it to what the configuration says, and `destroy` removes it. The plan that is
/// shown then says what would change.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  pullthru provision import --account 123456789012 --region ca-central-1 > pullthru.yaml
  pullthru provision import --adopt rule/ghcr
  pullthru provision import --adopt secret/ecr-pullthroughcache/ghcr")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    desired: DesiredArgs,

    #[command(flatten)]
    aws: AwsArgs,

    /// Make a rule, template or secret this stack's: `rule/PREFIX`, `template/PREFIX` or `secret/NAME`
    #[arg(long, value_name = "KIND/NAME", value_parser = kind_and_name)]
    adopt: Option<Id>,

    /// Do not ask
    #[arg(long, short, requires = "adopt")]
    yes: bool,
}

fn kind_and_name(text: &str) -> Result<Id, String> {
    let kinds = [Kind::Rule, Kind::Template, Kind::Secret];
    let (kind, name) = text.split_once('/').unwrap_or((text, ""));
    match kinds.into_iter().find(|known| known.noun() == kind) {
        Some(kind) if !name.is_empty() => Ok(Id::new(kind, name)),
        _ => Err("write `rule/PREFIX`, `template/PREFIX` or `secret/NAME`".to_owned()),
    }
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<Outcome, CliError> {
    match &args.adopt {
        Some(id) => adopted(args, id, out),
        None => printed(args, out),
    }
}

/// The registry of the flags alone, else that of the configuration.
fn registry(args: &Args) -> Result<Registry, CliError> {
    let repository = &args.desired.repository;
    let flags = repository.account.as_deref().zip(repository.region.as_deref());
    let parsed = flags.and_then(|(account, region)| {
        Some(Registry { account: account.parse::<AccountId>().ok()?, region: region.parse::<Region>().ok()? })
    });
    match parsed {
        Some(registry) => Ok(registry),
        None => {
            let desired = args.desired.desired()?;
            let first = desired.into_iter().next().map(|desired| desired.registry);
            first
                .ok_or_else(|| CliError::usage("no registry is configured", "add `--account` and `--region`"))
        }
    }
}

fn printed(args: &Args, out: &mut dyn Write) -> Result<Outcome, CliError> {
    let registry = registry(args)?;
    let imported = registries::runtime()?.block_on(async {
        let session = args.aws.session(registry, None).await?;
        Ok::<_, CliError>(import(&session).await)
    })?;
    write!(out, "{}", imported.text)?;
    for failure in &imported.unseen {
        problem(&format!("not seen: {failure}"));
    }
    Ok(if imported.unseen.is_empty() { Outcome::Clean } else { Outcome::Failure })
}

fn adopted(args: &Args, id: &Id, out: &mut dyn Write) -> Result<Outcome, CliError> {
    let desired = args.desired.desired()?;
    let Some(desired) = desired.first() else { return Ok(Outcome::Clean) };
    let runtime = registries::runtime()?;
    let session = runtime.block_on(args.aws.session(desired.registry.clone(), None))?;
    let question = format!(
        "Make the {id} of account {} the stack `{}`'s? [y/N] ",
        desired.registry.account, desired.stack
    );
    if !args.yes && !ask(&question, &["y", "yes"], "pass `--yes`, best with `--expect-account`")? {
        note("nothing was changed");
        return Ok(Outcome::Clean);
    }
    let templates: Vec<Template> = desired.all_templates().cloned().collect();
    runtime.block_on(adopt(&session, &desired.stack, id, &templates)).map_err(of_aws)?;
    let current = runtime.block_on(Current::read(&session, desired, false));
    let plan = Plan::new(desired, &current, &Options::default());
    report::human(&[plan], out, Paint::for_stdout())?;
    crate::report::next("`pullthru provision plan` shows what is left to do", out, Paint::for_stdout())?;
    Ok(Outcome::Clean)
}
