//! `pullthru explain`.

use std::io::Write;

use clap::Parser;

use super::{CliError, Outcome};
use crate::config::RuleId;
use crate::lint::rules;
use crate::report::{self, Paint, page};

/// What a rule of `check` means, why it matters, and what to do about it.
///
/// Without a rule: all of them.
#[derive(Debug, Parser)]
pub(super) struct Args {
    /// A rule's id, such as `bypasses-cache`
    rule: Option<String>,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<Outcome, CliError> {
    let paint = Paint::for_stdout();
    let Some(wanted) = &args.rule else {
        page::index(out, paint)?;
        return Ok(Outcome::Clean);
    };
    let Some(id) = RuleId::ALL.into_iter().find(|id| id.id() == wanted) else {
        let ids = RuleId::ALL.iter().map(|id| id.id());
        let help = match pullthru_core::nearest::nearest(wanted, ids.clone()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("there are {}", ids.collect::<Vec<_>>().join(", ")),
        };
        return Err(CliError::usage(format!("there is no rule `{wanted}`"), help));
    };
    page::plain(&rules::rule(id).document(), out, paint)?;
    writeln!(out)?;
    report::next("`pullthru check --statistics` counts what each rule finds", out, paint)?;
    Ok(Outcome::Clean)
}
