//! The formats of the estimate.

use std::io::{self, Write};

use super::{CostReport, LineRow, NotSizedRow};
use crate::report::comment;
use crate::report::covered::{self, Covered};
use crate::report::finding::cell;
use crate::report::group::{self, Member};
use crate::report::prices::unit_usd;
use crate::report::unknown::{self, UnknownRow};
use crate::report::{Paint, count, csv_field, table};

impl NotSizedRow {
    fn member(&self) -> Member<'_> {
        Member { reference: &self.reference, places: &self.places, releases: &[] }
    }
}

/// Repositories that are shown to people.
const LARGEST: usize = 10;

/// `$0.40`; a trace differs from nothing.
fn usd(value: f64) -> String {
    if value > 0.0 && value < 0.005 { "<$0.01".to_owned() } else { format!("${value:.2}") }
}

/// Three digits or so of a quantity.
fn number(value: f64) -> String {
    match value {
        value if value == value.trunc() => format!("{value:.0}"),
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value if value >= 0.995 => format!("{value:.2}"),
        value if value >= 0.0005 => format!("{value:.3}"),
        _ => "<0.001".to_owned(),
    }
}

fn gb(bytes: u64, report: &CostReport) -> String {
    format!("{} GB", number(bytes as f64 / report.prices.bytes_per_gb as f64))
}

/// A line of the table: what, price, and quantity and US dollars of each month.
fn bill(report: &CostReport) -> Vec<Vec<String>> {
    let Some(first) = report.months.first() else { return Vec::new() };
    let mut rows = Vec::new();
    for (index, line) in first.lines.iter().enumerate() {
        let mut row = vec![line.what.clone(), format!("{}/{}", unit_usd(line.unit_usd), line.unit)];
        for line in report.months.iter().filter_map(|month| month.lines.get(index)) {
            row.extend([number(line.quantity), usd(line.usd)]);
        }
        rows.push(row);
    }
    rows
}

/// With `all` every image of a group is named.
pub fn human(
    report: &CostReport,
    covered: Option<Covered>,
    all: bool,
    out: &mut dyn Write,
    paint: Paint,
) -> io::Result<()> {
    if let Some(covered) = covered {
        covered::read(covered, out, paint)?;
    }
    for group in group::alike(report.not_sized.iter(), |row| (&row.alike, row.next)) {
        let Some(row) = group.first() else { continue };
        if group.len() > 1 {
            writeln!(out, "{}  {}", paint.red("not sized"), paint.bold(&count(group.len(), "image")))?;
            let members: Vec<Member<'_>> = group.iter().map(|row| row.member()).collect();
            group::human((&row.alike, Some(row.next)), &members, all, out, paint)?;
            continue;
        }
        writeln!(out, "{}  {}", paint.red("not sized"), paint.bold(&row.reference))?;
        writeln!(out, "  {}", row.because)?;
        writeln!(out, "  {} {}", paint.dim("→"), row.next)?;
        for place in &row.places {
            writeln!(out, "    {}", paint.dim(&format!("{}:{}", place.path, place.line)))?;
        }
    }
    if let Some(total) = &report.total {
        table(&with_total(report), 1, out, paint)?;
        writeln!(
            out,
            "{} together: {} without a lifecycle policy, {} with it\n",
            count(total.months as usize, "month"),
            usd(total.without_policy_usd),
            usd(total.with_policy_usd)
        )?;
    }
    if !report.upstreams.is_empty() {
        let mut rows = vec![titles(&["upstream", "repositories", "versions", "size", "storage, month 1"])];
        rows.extend(report.upstreams.iter().map(|row| {
            let numbers = [row.repositories.to_string(), row.versions.to_string()];
            let [repositories, versions] = numbers;
            vec![row.upstream.clone(), repositories, versions, gb(row.bytes, report), usd(row.storage_usd)]
        }));
        table(&rows, 1, out, paint)?;
        writeln!(out)?;
        table(&largest(report), 1, out, paint)?;
        let more = report.repositories.len().saturating_sub(LARGEST);
        if more > 0 {
            let more = if more == 1 { "1 repository".to_owned() } else { format!("{more} repositories") };
            writeln!(out, "{}", paint.dim(&format!("and {more} that are smaller: `--format json` has all")))?;
        }
        writeln!(out)?;
    }
    for row in &report.not_cached {
        writeln!(out, "{}  {}  {}", paint.cyan("not cached"), row.reference, paint.dim(row.because))?;
    }
    unknown::human(&report.unknown, out, paint)?;
    if report.total.is_some() {
        writeln!(out, "{}", paint.bold("taken for granted"))?;
        for text in &report.assumptions {
            writeln!(out, "- {text}")?;
        }
    }
    writeln!(out, "{}", sentence(report))?;
    let again = "`pullthru cost` again, when what is not sized can be asked";
    let plan = "`pullthru provision plan` shows what would be set up";
    crate::report::next(if report.not_sized.is_empty() { plan } else { again }, out, paint)
}

/// The bill with its head and its sum.
fn with_total(report: &CostReport) -> Vec<Vec<String>> {
    let mut head = vec![String::new(), "price".to_owned()];
    head.extend(report.months.iter().flat_map(|month| [String::new(), month.title.clone()]));
    let mut total = vec!["total".to_owned(), String::new()];
    total.extend(report.months.iter().flat_map(|month| [String::new(), usd(month.usd)]));
    [vec![head], bill(report), vec![total]].concat()
}

fn titles(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn largest(report: &CostReport) -> Vec<Vec<String>> {
    let mut head = titles(&["repository", "versions", "in use"]);
    head.extend(report.months.iter().skip(1).map(|month| month.title.clone()));
    let mut rows = vec![head];
    rows.extend(report.repositories.iter().take(LARGEST).map(|row| {
        vec![
            row.repository.clone(),
            row.versions.to_string(),
            gb(row.bytes, report),
            gb(row.bytes_without_policy, report),
            gb(row.bytes_with_policy, report),
        ]
    }));
    rows
}

/// `3 images in 2 repositories, 1.25 GB: $0.53 in month 1, …`.
fn sentence(report: &CostReport) -> String {
    let summary = &report.summary;
    let repositories = match summary.repositories {
        1 => "1 repository".to_owned(),
        number => format!("{number} repositories"),
    };
    let months: Vec<String> =
        report.months.iter().map(|month| format!("{} in {}", usd(month.usd), month.title)).collect();
    let images = count(summary.images, "image");
    let mut text = match months.as_slice() {
        [] => "no estimate: the size of no image is known".to_owned(),
        months => format!("{images} in {repositories}, {}: {}", gb(summary.bytes, report), months.join("; ")),
    };
    let mut missing = Vec::new();
    if summary.not_sized > 0 {
        missing.push(format!("{} not sized", count(summary.not_sized, "image")));
    }
    let invalid = report.unknown.iter().filter(|row| row.invalid).count();
    if invalid > 0 {
        missing.push(format!("{} not to be read as an image", count(invalid, "line")));
    }
    missing.extend(unknown::not_seen(&report.unknown));
    if summary.unasked > 0 {
        missing.push(format!("stopped with {} to go", summary.unasked));
    }
    if !missing.is_empty() {
        text.push_str(&format!("; incomplete: {}", missing.join(", ")));
    }
    let is_computed = |row: &&UnknownRow| !row.invalid && row.release.is_none();
    let computed = report.unknown.iter().filter(is_computed).count();
    if computed > 0 {
        text.push_str(&format!("; not in it: {} that something else fills in", count(computed, "reference")));
    }
    text
}

pub fn json(report: &CostReport, out: &mut dyn Write) -> io::Result<()> {
    crate::report::write_json(report, out)
}

/// A line of a bill a row.
pub fn csv(report: &CostReport, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "month,policy,item,what,quantity,unit,unit_usd,usd")?;
    for month in &report.months {
        for line in &month.lines {
            let LineRow { item, quantity, unit, unit_usd, usd, .. } = line;
            let what = csv_field(&line.what);
            writeln!(
                out,
                "{},{},{item},{what},{quantity},{unit},{unit_usd},{usd}",
                month.month, month.policy
            )?;
        }
    }
    Ok(())
}

/// For a comment on a pull request, or a step's summary.
pub fn markdown(report: &CostReport, out: &mut dyn Write) -> io::Result<()> {
    comment::fitting("pullthru cost --format json", out, |out| page(report, out))
}

fn page(report: &CostReport, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}.\n", sentence(report))?;
    if report.total.is_some() {
        markdown_bill(report, out)?;
    }
    if !report.repositories.is_empty() {
        writeln!(out)?;
        for (index, row) in largest(report).iter().enumerate() {
            writeln!(out, "| {} |", row.join(" | "))?;
            if index == 0 {
                writeln!(out, "|---|---:|---:|---:|---:|")?;
            }
        }
    }
    if !report.not_sized.is_empty() {
        writeln!(out, "\nNot sized:\n")?;
        for row in &report.not_sized {
            writeln!(out, "- `{}`: {}; {}", cell(&row.reference), cell(&row.because), row.next)?;
        }
    }
    if report.total.is_none() {
        return Ok(());
    }
    writeln!(out, "\nTaken for granted:\n")?;
    report.assumptions.iter().try_for_each(|text| writeln!(out, "- {text}"))
}

fn markdown_bill(report: &CostReport, out: &mut dyn Write) -> io::Result<()> {
    let months: Vec<String> = report.months.iter().map(|month| month.title.clone()).collect();
    writeln!(out, "| | price | {} |", months.join(" | "))?;
    writeln!(out, "|---|---:|{}", "---:|".repeat(months.len()))?;
    for row in bill(report) {
        let [what, price, numbers @ ..] = row.as_slice() else { continue };
        let cells: Vec<String> = numbers.chunks(2).map(|pair| pair.join(": ")).collect();
        writeln!(out, "| {what} | {price} | {} |", cells.join(" | "))?;
    }
    let totals: Vec<String> = report.months.iter().map(|month| format!("**{}**", usd(month.usd))).collect();
    writeln!(out, "| **total** | | {} |", totals.join(" | "))
}
