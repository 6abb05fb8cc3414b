//! What keeps a pull from working, step by step.

use std::collections::BTreeSet;
use std::io::{self, Write};

use serde::Serialize;

use super::finding::cell;
use super::verify::code;
use super::{Paint, count};
use crate::aws::doctor::{Diagnosis, Outcome, Step};
use crate::report::comment;

/// `pullthru/doctor/v1`.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct DoctorReport {
    /// Always `pullthru/doctor/v1`.
    pub schema: &'static str,
    /// Host of the registry.
    pub registry: String,
    /// The image that was asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    pub summary: DoctorSummary,
    /// The first step that failed, in the order in which a pull meets what they are about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    pub steps: Vec<StepRow>,
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct DoctorSummary {
    pub passed: usize,
    pub warnings: usize,
    pub failed: usize,
    pub not_checked: usize,
}

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct StepRow {
    /// Stable; `docs/doctor.md` lists all.
    pub id: &'static str,
    pub title: &'static str,
    /// What of several it is about: a rule's prefix, a role, a VPC.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub about: String,
    /// `passed`, `warning`, `failed` or `not-checked`.
    pub outcome: &'static str,
    /// What is so, or why it could not be looked at.
    pub detail: String,
    /// What to do, the first thing first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub help: Vec<String>,
    /// The action that who runs it is not allowed, where that kept it from being looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub permission: Option<&'static str>,
    /// Where the behaviour is written down; of steps with something to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<&'static str>,
}

impl DoctorReport {
    pub fn new(diagnosis: &Diagnosis, registry: String, image: Option<String>) -> DoctorReport {
        let mut summary = DoctorSummary::default();
        for step in &diagnosis.steps {
            *match step.outcome {
                Outcome::Passed => &mut summary.passed,
                Outcome::Warning => &mut summary.warnings,
                Outcome::Failed => &mut summary.failed,
                Outcome::NotChecked { .. } => &mut summary.not_checked,
            } += 1;
        }
        DoctorReport {
            schema: "pullthru/doctor/v1",
            registry,
            image,
            summary,
            reason: diagnosis.reason().map(|step| step.id.about().id),
            steps: diagnosis.steps.iter().map(row).collect(),
        }
    }

    fn reason(&self) -> Option<&StepRow> {
        self.steps.iter().find(|row| row.outcome == "failed")
    }

    fn subject(&self) -> String {
        match &self.image {
            Some(image) => format!("{image} through {}", self.registry),
            None => self.registry.clone(),
        }
    }
}

fn row(step: &Step) -> StepRow {
    let about = step.id.about();
    StepRow {
        id: about.id,
        title: about.title,
        about: step.about.clone(),
        outcome: step.outcome.id(),
        detail: step.detail.clone(),
        help: step.help.clone(),
        permission: match step.outcome {
            Outcome::NotChecked { permission, .. } => permission,
            _ => None,
        },
        source: about.source.filter(|_| step.outcome != Outcome::Passed),
    }
}

impl StepRow {
    /// `Rule (ghcr)`.
    fn name(&self) -> String {
        if self.about.is_empty() { self.title.to_owned() } else { format!("{} ({})", self.title, self.about) }
    }
}

/// Every step with its sign, then the verdict.
pub fn human(report: &DoctorReport, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    writeln!(out, "{}", paint.bold(&report.subject()))?;
    for row in &report.steps {
        let sign = match row.outcome {
            "passed" => paint.green("✓"),
            "warning" => paint.yellow("!"),
            "failed" => paint.red("✗"),
            _ => paint.cyan("?"),
        };
        writeln!(out, "{sign} {}: {}", row.name(), row.detail)?;
        // What lacks to all of them is said once, below.
        for help in row.help.iter().filter(|_| row.permission.is_none()) {
            writeln!(out, "    {} {help}", paint.dim("→"))?;
        }
        if let Some(source) = row.source.filter(|_| row.outcome == "failed") {
            writeln!(out, "    {}", paint.dim(source))?;
        }
    }
    writeln!(out, "{}", sentence(report))?;
    let lacking: BTreeSet<&str> = report.steps.iter().filter_map(|row| row.permission).collect();
    let lacking_any = !lacking.is_empty();
    if lacking_any {
        let lacking = Vec::from_iter(lacking).join(", ");
        writeln!(out, "{} {lacking}", paint.cyan("to see the rest, allow:"))?;
    }
    let Some(reason) = report.reason() else {
        let again = "`pullthru doctor` again, with the permissions above";
        let done = "nothing is left to do: a pull works";
        return super::next(if lacking_any { again } else { done }, out, paint);
    };
    writeln!(out, "{} {}: {}", paint.red("the reason:"), reason.name(), reason.detail)?;
    match reason.help.first() {
        Some(help) => super::next(help, out, paint),
        None => super::next("`pullthru doctor` again, when this is corrected", out, paint),
    }
}

fn sentence(report: &DoctorReport) -> String {
    let DoctorSummary { passed, warnings, failed, not_checked } = report.summary;
    let mut parts = vec![format!("{passed} passed")];
    let more = [
        (warnings, count(warnings, "warning")),
        (failed, format!("{failed} failed")),
        (not_checked, format!("{not_checked} not checked")),
    ];
    parts.extend(more.into_iter().filter(|(number, _)| *number > 0).map(|(_, text)| text));
    let text = parts.join(", ");
    if failed > 0 {
        return text;
    }
    let open = if not_checked > 0 { "; what was not checked may" } else { "" };
    format!("{text}: nothing that was looked at keeps a pull from working{open}")
}

pub fn json(report: &DoctorReport, out: &mut dyn Write) -> io::Result<()> {
    crate::report::write_json(report, out)
}

/// For an issue or a step's summary: what is to be looked at, and how much passed.
pub fn markdown(report: &DoctorReport, out: &mut dyn Write) -> io::Result<()> {
    comment::fitting("pullthru doctor", out, |out| page(report, out))
}

fn page(report: &DoctorReport, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "`{}`: {}.\n", code(&report.subject()), sentence(report))?;
    let rows: Vec<&StepRow> = report.steps.iter().filter(|row| row.outcome != "passed").collect();
    if rows.is_empty() {
        return Ok(());
    }
    writeln!(out, "| | step | what is so | what to do |\n|---|---|---|---|")?;
    for row in rows {
        let help: Vec<String> = row.help.iter().map(|help| cell(help)).collect();
        writeln!(
            out,
            "| {} | {} | {} | {} |",
            row.outcome,
            cell(&row.name()),
            cell(&row.detail),
            help.join("<br>")
        )?;
    }
    Ok(())
}
