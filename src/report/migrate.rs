//! A migration as a diff, a summary and JSON.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;
use similar::TextDiff;

use super::{Paint, count};
use crate::find::Form;
use crate::migrate::{Prepared, Proved, Warning};

/// `pullthru/migration/v1`: what changes, what stays, and what a reviewer should know.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct MigrationReport {
    /// Always `pullthru/migration/v1`.
    pub schema: &'static str,
    /// True when the files were written.
    pub written: bool,
    pub changes: Vec<ChangeRow>,
    /// References that stay as they are written, and that kustomizations rename when they are built.
    pub reached: Vec<ReachedRow>,
    pub left: Vec<LeftRow>,
    pub warnings: Vec<Warning>,
    /// Files that were to change and could not, with the reason.
    pub errors: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ChangeRow {
    pub path: String,
    pub line: usize,
    pub column: usize,
    pub form: Form,
    pub from: String,
    pub to: String,
    pub strategy: &'static str,
    /// Why this strategy, in words.
    pub because: &'static str,
}

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ReachedRow {
    pub path: String,
    pub line: usize,
    pub column: usize,
    pub form: Form,
    pub reference: String,
    /// The kustomizations.
    pub by: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LeftRow {
    pub path: String,
    pub line: usize,
    pub column: usize,
    pub form: Form,
    pub reference: String,
    /// The reason as an id.
    pub stays: &'static str,
    /// The reason in words.
    pub because: String,
}

impl MigrationReport {
    pub fn new(proved: &Proved, written: bool) -> MigrationReport {
        let mut changes: Vec<ChangeRow> = proved
            .plan
            .changes()
            .map(|(file, change)| ChangeRow {
                path: file.path.to_string(),
                line: change.position.line,
                column: change.position.column,
                form: change.site.form,
                from: change.site.reference(),
                to: change.to.clone(),
                strategy: "inline",
                because: change.because.explain(),
            })
            .collect();
        for overlay in &proved.plan.overlays {
            changes.extend(overlay.moved.iter().map(|(from, to)| ChangeRow {
                path: overlay.path.to_string(),
                line: 1,
                column: 1,
                form: Form::KustomizeNewName,
                from: from.clone(),
                to: to.clone(),
                strategy: "overlay",
                because: "this kustomization builds it",
            }));
        }
        let reached = proved.plan.reached.iter().map(|reached| ReachedRow {
            path: reached.path.to_string(),
            line: reached.position.line,
            column: reached.position.column,
            form: reached.site.form,
            reference: reached.site.reference(),
            by: reached.by.iter().map(ToString::to_string).collect(),
        });
        changes
            .sort_by(|a, b| (&a.path, a.line, a.column, &a.from).cmp(&(&b.path, b.line, b.column, &b.from)));
        let left = proved.plan.left.iter().map(|left| LeftRow {
            path: left.path.to_string(),
            line: left.position.line,
            column: left.position.column,
            form: left.site.form,
            reference: left.site.reference(),
            stays: left.why.id(),
            because: left.why.explain(),
        });
        MigrationReport {
            schema: "pullthru/migration/v1",
            written,
            changes,
            reached: reached.collect(),
            left: left.collect(),
            warnings: proved.plan.warnings.clone(),
            errors: proved.errors.iter().map(ToString::to_string).collect(),
        }
    }
}

/// A unified diff that `git apply` takes, byte for byte.
pub fn diff(files: &[Prepared], out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    for file in files {
        let [old, new] = [&file.old, &file.new].map(|text| text.as_deref().unwrap_or_default());
        let name = |side: &str, text: &Option<String>| match text {
            Some(_) => format!("{side}/{}", file.path),
            None => "/dev/null".to_owned(),
        };
        // `git apply` knows a new file, or one that goes, by this line alone.
        match (&file.old, &file.new) {
            (None, _) => writeln!(out, "diff --git a/{0} b/{0}\nnew file mode 100644", file.path)?,
            (_, None) => writeln!(out, "diff --git a/{0} b/{0}\ndeleted file mode 100644", file.path)?,
            _ => {}
        }
        let diff = TextDiff::from_lines(old, new);
        let mut unified = diff.unified_diff();
        unified.header(&name("a", &file.old), &name("b", &file.new));
        let mut text = Vec::new();
        unified.to_writer(&mut text)?;
        for line in text.split_inclusive(|&byte| byte == b'\n') {
            let line = String::from_utf8_lossy(line);
            let painted = match line.as_bytes().first() {
                Some(b'+') => paint.green(&line),
                Some(b'-') => paint.red(&line),
                Some(b'@') => paint.cyan(&line),
                _ => line.into_owned(),
            };
            out.write_all(painted.as_bytes())?;
        }
    }
    Ok(())
}

/// What changed, what stays with which reason, and the warnings.
pub fn summary(report: &MigrationReport, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    let files = report.changes.iter().map(|row| &row.path).collect::<std::collections::BTreeSet<_>>().len();
    let verb = if report.written { "rewritten" } else { "to rewrite" };
    writeln!(
        out,
        "{}",
        paint.bold(&format!(
            "{} {verb} in {}",
            count(report.changes.len(), "reference"),
            count(files, "file")
        ))
    )?;
    let overlays: Vec<&ChangeRow> = report.changes.iter().filter(|row| row.strategy == "overlay").collect();
    if !overlays.is_empty() {
        let mut roots: BTreeMap<&str, usize> = BTreeMap::new();
        for row in overlays {
            *roots.entry(&row.path).or_default() += 1;
        }
        let places: Vec<String> =
            roots.iter().map(|(path, images)| format!("{path}  {}", count(*images, "image"))).collect();
        let heading = count(roots.len(), "kustomization");
        let stay = count(report.reached.len(), "reference");
        let about = format!("they rename what they build; {stay} below them unchanged");
        group(out, paint, &heading, &places, &about)?;
    }
    let mut reasons: BTreeMap<&str, Vec<&LeftRow>> = BTreeMap::new();
    for row in &report.left {
        reasons.entry(row.stays).or_default().push(row);
    }
    for (reason, rows) in reasons {
        let places: Vec<String> =
            rows.iter().map(|row| format!("{}:{}  {}", row.path, row.line, row.reference)).collect();
        let because = rows.first().map(|row| row.because.as_str()).unwrap_or_default();
        group(out, paint, &format!("{} left: {reason}", rows.len()), &places, because)?;
    }
    let mut rules: BTreeMap<&str, Vec<&Warning>> = BTreeMap::new();
    for warning in &report.warnings {
        rules.entry(warning.rule).or_default().push(warning);
    }
    for (rule, warnings) in rules {
        let places: Vec<String> =
            warnings.iter().map(|warning| format!("{}:{}", warning.path, warning.line)).collect();
        let message = warnings.first().map(|warning| warning.message.as_str()).unwrap_or_default();
        group(out, paint, &format!("{}: {rule}", count(warnings.len(), "warning")), &places, message)?;
    }
    Ok(())
}

/// A heading, the first places under it, and what it is about.
fn group(out: &mut dyn Write, paint: Paint, heading: &str, places: &[String], about: &str) -> io::Result<()> {
    writeln!(out, "  {heading}")?;
    writeln!(out, "    {}", paint.dim(about))?;
    for place in places.iter().take(SHOWN) {
        writeln!(out, "    {place}")?;
    }
    if places.len() > SHOWN {
        let more = places.len() - SHOWN;
        writeln!(out, "    {}", paint.dim(&format!("and {more} more (`--format json` has all)")))?;
    }
    Ok(())
}

/// How many places a reason names before it only counts.
const SHOWN: usize = 5;

/// One JSON document, indented.
pub fn json(report: &MigrationReport, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    writeln!(out)
}
