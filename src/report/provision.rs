//! `pullthru provision`: what would happen to an account, and what happened.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

use super::{Paint, count};
use crate::aws::account::apply::{Applied, Done};
use crate::aws::account::{Action, AwsFailure, Change, Field, Plan};
use crate::report::comment;

/// Everything a plan says; `pullthru/plan/v1`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PlanReport<'a> {
    schema: &'static str,
    /// Is everything known to be as the configuration says? What could not be read is not.
    clean: bool,
    registries: Vec<RegistryPlan<'a>>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct RegistryPlan<'a> {
    account: &'a str,
    region: &'a str,
    changes: Vec<ChangeReport<'a>>,
    /// Repositories that are there and get what their template says.
    backfill: Vec<ChangeReport<'a>>,
    /// What could not be read.
    unseen: Vec<Failure<'a>>,
    /// What is there besides, and is not changed.
    unchanged: &'a [String],
    notes: &'a [String],
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct ChangeReport<'a> {
    action: Action,
    kind: &'static str,
    name: &'a str,
    what: &'a str,
    #[serde(skip_serializing_if = "<[Field]>::is_empty")]
    fields: &'a [Field],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    notes: &'a [String],
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct Failure<'a> {
    /// The action that a policy would allow.
    action: &'static str,
    code: Option<&'a str>,
    message: &'a str,
}

impl<'a> From<&'a AwsFailure> for Failure<'a> {
    fn from(failure: &'a AwsFailure) -> Self {
        Failure { action: failure.action, code: failure.code.as_deref(), message: &failure.message }
    }
}

impl<'a> From<&'a Change> for ChangeReport<'a> {
    fn from(change: &'a Change) -> Self {
        ChangeReport {
            action: change.action,
            kind: change.id.kind.noun(),
            name: &change.id.name,
            what: &change.what,
            fields: &change.fields,
            notes: &change.notes,
        }
    }
}

impl<'a> PlanReport<'a> {
    pub fn new(plans: &'a [Plan]) -> PlanReport<'a> {
        let registries = plans.iter().map(|plan| RegistryPlan {
            account: plan.registry.account.as_str(),
            region: plan.registry.region.as_str(),
            changes: plan.changes.iter().map(ChangeReport::from).collect(),
            backfill: plan.backfill.iter().map(|(_, change)| ChangeReport::from(change)).collect(),
            unseen: plan.unseen.iter().map(Failure::from).collect(),
            unchanged: &plan.unchanged,
            notes: &plan.notes,
        });
        PlanReport {
            schema: "pullthru/plan/v1",
            clean: plans.iter().all(Plan::is_clean),
            registries: registries.collect(),
        }
    }

    pub fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        crate::report::write_json(self, out)
    }
}

/// For people: one line a resource, with the fields that differ below it.
pub fn human(plans: &[Plan], out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    for (number, plan) in plans.iter().enumerate() {
        if number > 0 {
            writeln!(out)?;
        }
        let registry = &plan.registry;
        writeln!(out, "{}", paint.bold(&format!("account {}, {}", registry.account, registry.region)))?;
        let changes: Vec<&Change> =
            plan.changes.iter().chain(plan.backfill.iter().map(|(_, change)| change)).collect();
        let width = changes.iter().map(|change| change.id.to_string().chars().count()).max().unwrap_or(0);
        for change in &changes {
            line(change, width.min(44), out, paint)?;
        }
        for unchanged in &plan.unchanged {
            writeln!(out, "{}", paint.dim(&format!("  {unchanged} (not in the configuration: unchanged)")))?;
        }
        for note in &plan.notes {
            writeln!(out, "  note: {note}")?;
        }
        for failure in &plan.unseen {
            writeln!(out, "{}", paint.red(&format!("  not seen: {failure}")))?;
            writeln!(out, "    {}", failure.help())?;
        }
        writeln!(out, "{}", totals(&changes))?;
    }
    Ok(())
}

fn line(change: &Change, width: usize, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    let text = format!("{} {:width$}  {}", change.action.sign(), change.id.to_string(), change.what);
    let text = text.trim_end();
    let text = match change.action {
        Action::Create => paint.green(text),
        Action::Update => paint.cyan(text),
        Action::Keep => paint.dim(text),
        _ => paint.red(text),
    };
    writeln!(out, "{text}")?;
    for field in &change.fields {
        let (from, to) = (field.from.clone(), field.to.clone());
        if is_document(&from) || is_document(&to) {
            writeln!(out, "    {}:", field.name)?;
            document_diff(&from, &to, out, paint)?;
        } else {
            writeln!(out, "    {}: {} → {}", field.name, short(&from), short(&to))?;
        }
    }
    for note in &change.notes {
        writeln!(out, "    {note}")?;
    }
    Ok(())
}

fn is_document(value: &Value) -> bool {
    value
        .as_object()
        .is_some_and(|members| members.values().any(|member| member.is_array() || member.is_object()))
}

fn short(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::String(text) => text.clone(),
        Value::Array(elements) if elements.is_empty() => "none".to_owned(),
        Value::Array(elements) => elements.iter().map(short).collect::<Vec<_>>().join(", "),
        Value::Object(members) if members.is_empty() => "none".to_owned(),
        Value::Object(members) => {
            let pair = |(key, value): (&String, &Value)| format!("{key}={}", short(value));
            members.iter().map(pair).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

/// The lines of two documents that differ, with their neighbours.
fn document_diff(from: &Value, to: &Value, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    let text = |value: &Value| match value {
        Value::Null => String::new(),
        value => format!("{value:#}\n"),
    };
    let (from, to) = (text(from), text(to));
    let diff = similar::TextDiff::from_lines(&from, &to);
    for group in diff.grouped_ops(2) {
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let line = format!("      {} {}", change.tag(), change.value().trim_end());
            let line = match change.tag() {
                similar::ChangeTag::Delete => paint.red(&line),
                similar::ChangeTag::Insert => paint.green(&line),
                similar::ChangeTag::Equal => line,
            };
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}

fn totals(changes: &[&Change]) -> String {
    let of = |action| changes.iter().filter(|change| change.action == action).count();
    let counted = [
        (of(Action::Create), "to create"),
        (of(Action::Update), "to change"),
        (of(Action::Replace), "to replace"),
        (of(Action::Delete), "to delete"),
        (of(Action::Keep), "as they are"),
        (of(Action::Blocked), "that cannot be"),
        (of(Action::Unseen), "not known"),
    ];
    let parts: Vec<String> = counted
        .iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| format!("{number} {what}"))
        .collect();
    if parts.is_empty() { "nothing is configured".to_owned() } else { parts.join(", ") }
}

/// A table for a pull request.
pub fn markdown(plans: &[Plan], out: &mut dyn Write) -> io::Result<()> {
    comment::fitting("pullthru provision plan", out, |out| page(plans, out))
}

fn page(plans: &[Plan], out: &mut dyn Write) -> io::Result<()> {
    for plan in plans {
        writeln!(out, "### Account {}, {}\n", plan.registry.account, plan.registry.region)?;
        let all: Vec<&Change> =
            plan.changes.iter().chain(plan.backfill.iter().map(|(_, change)| change)).collect();
        writeln!(out, "| | Resource | What |\n|---|---|---|")?;
        for change in all.iter().filter(|change| change.action != Action::Keep) {
            let fields: Vec<String> = change.fields.iter().map(field_text).collect();
            let parts =
                std::iter::once(change.what.clone()).chain(fields).chain(change.notes.iter().cloned());
            let parts: Vec<String> = parts.filter(|part| !part.is_empty()).map(|part| cell(&part)).collect();
            writeln!(
                out,
                "| `{}` | {} | {} |",
                change.action.sign(),
                cell(&change.id.to_string()),
                parts.join("<br>")
            )?;
        }
        writeln!(out, "\n{}", totals(&all))?;
        for note in plan.notes.iter() {
            writeln!(out, "- {note}")?;
        }
        for failure in &plan.unseen {
            writeln!(out, "- not seen: {failure}")?;
        }
        writeln!(out)?;
    }
    Ok(())
}

fn field_text(field: &Field) -> String {
    if is_document(&field.from) || is_document(&field.to) {
        return format!("{} differs", field.name);
    }
    format!("{}: {} → {}", field.name, short(&field.from), short(&field.to))
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

/// One line when a change is done.
pub fn done(done: &Done, paint: Paint) -> String {
    match &done.result {
        Ok(()) => format!("{} {} {}", paint.green("done"), done.action.sign(), done.id),
        Err(not_done) => format!("{} {} {}: {not_done}", paint.red("failed"), done.action.sign(), done.id),
    }
}

/// What came of it.
pub fn applied(results: &[(&Plan, Applied)], out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    for (plan, applied) in results {
        let failed = applied.done.iter().filter(|done| done.result.is_err()).count();
        for validation in &applied.validations {
            let rule = format!("rule {}", validation.prefix);
            match &validation.result {
                Ok(None) => writeln!(out, "{} {rule}: ECR can log in upstream", paint.green("valid"))?,
                Ok(Some(why)) => writeln!(out, "{} {rule}: {why}", paint.red("not valid"))?,
                Err(failure) => writeln!(out, "{} {rule}: {failure}", paint.red("not validated"))?,
            }
        }
        let registry = &plan.registry;
        let made = count(applied.done.len() - failed, "change");
        let failed = if failed > 0 { format!(", {failed} failed") } else { String::new() };
        let not_done = plan.not_done().count();
        let not_done =
            if not_done > 0 { format!(", {not_done} not done (see the plan)") } else { String::new() };
        writeln!(out, "account {}, {}: {made} done{failed}{not_done}", registry.account, registry.region)?;
    }
    Ok(())
}

/// What came of it; `pullthru/applied/v1`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AppliedReport<'a> {
    schema: &'static str,
    success: bool,
    registries: Vec<AppliedRegistry<'a>>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct AppliedRegistry<'a> {
    account: &'a str,
    region: &'a str,
    changes: Vec<DoneReport<'a>>,
    /// What is asked for and cannot be, or not whole; the notes say why.
    not_done: Vec<ChangeReport<'a>>,
    validations: Vec<ValidationReport<'a>>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct DoneReport<'a> {
    action: Action,
    kind: &'static str,
    name: &'a str,
    /// Absent when it is done.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
struct ValidationReport<'a> {
    prefix: &'a str,
    valid: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

impl<'a> AppliedReport<'a> {
    pub fn new(results: &'a [(&'a Plan, Applied)]) -> AppliedReport<'a> {
        let registries = results.iter().map(|(plan, applied)| AppliedRegistry {
            account: plan.registry.account.as_str(),
            region: plan.registry.region.as_str(),
            changes: applied.done.iter().map(done_report).collect(),
            not_done: plan.not_done().map(ChangeReport::from).collect(),
            validations: applied
                .validations
                .iter()
                .map(|validation| ValidationReport {
                    prefix: &validation.prefix,
                    valid: validation.result.as_ref().ok().map(Option::is_none),
                    why: match &validation.result {
                        Ok(why) => why.clone(),
                        Err(failure) => Some(failure.to_string()),
                    },
                })
                .collect(),
        });
        AppliedReport {
            schema: "pullthru/applied/v1",
            success: results.iter().all(|(plan, applied)| applied.is_success() && !plan.falls_short()),
            registries: registries.collect(),
        }
    }

    pub fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        crate::report::write_json(self, out)
    }
}

fn done_report(done: &Done) -> DoneReport<'_> {
    DoneReport {
        action: done.action,
        kind: done.id.kind.noun(),
        name: &done.id.name,
        error: done.result.as_ref().err().map(ToString::to_string),
    }
}
