//! What the cache will cost, in all formats; and the prices that it was reckoned with.

use std::collections::BTreeMap;
use std::io::{self, Write};

use schemars::JsonSchema;
use serde::Serialize;

use super::finding::cell;
use super::verify::{PlaceRow, UnknownRow};
use super::{Paint, count, csv_field};
use crate::cost::{Column, Estimate, Measured, Options, Prices, Repository, Scanning};
use crate::pulls::{Pull, Unknown};

/// `pullthru/cost/v1`: bytes are exact, US dollars rounded to a millionth.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CostReport {
    /// Always `pullthru/cost/v1`.
    pub schema: &'static str,
    /// Always `USD`.
    pub currency: &'static str,
    /// Every image is in it.
    pub complete: bool,
    pub summary: CostSummary,
    pub options: OptionsRow,
    pub prices: PriceTable,
    /// The first month, then the last without and with the lifecycle policy.
    pub months: Vec<MonthRow>,
    /// All months together.
    pub total: TotalRow,
    /// By upstream.
    pub upstreams: Vec<UpstreamRow>,
    /// All of them, the largest first.
    pub repositories: Vec<RepositoryRow>,
    /// Images whose size is not known: they are in no number.
    pub not_sized: Vec<NotSizedRow>,
    /// Images that no cache will hold.
    pub not_cached: Vec<NotCachedRow>,
    /// References that cannot be asked for.
    pub unknown: Vec<UnknownRow>,
    /// What is taken for granted.
    pub assumptions: Vec<String>,
    /// What went wrong with logins without stopping anything.
    pub notes: Vec<String>,
}

#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CostSummary {
    /// Distinct references whose size is known.
    pub images: usize,
    pub repositories: usize,
    /// Stored of what is in use.
    pub bytes: u64,
    pub not_sized: usize,
    /// Layers that their publisher keeps, and that no cache stores.
    pub foreign_layers: usize,
    /// Images that were left when the run was stopped.
    pub unasked: usize,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct OptionsRow {
    /// `basic` or `enhanced`.
    pub scanning: &'static str,
    /// A month, of each image in use.
    pub rescans: u32,
    pub replicate: Vec<String>,
    pub nat: bool,
    /// Availability zones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoints: Option<u32>,
    pub pulls_gb: u32,
    pub releases_per_month: u32,
    pub months: u32,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MonthRow {
    /// `month 12, keep 10`.
    #[serde(skip)]
    title: String,
    pub month: u32,
    /// Each repository has its lifecycle policy.
    pub policy: bool,
    /// Stored in the caches, without replicas.
    pub bytes: u64,
    pub lines: Vec<LineRow>,
    pub usd: f64,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LineRow {
    /// What it is the price of, as in `prices`.
    pub item: &'static str,
    pub what: String,
    pub quantity: f64,
    pub unit: &'static str,
    pub unit_usd: f64,
    pub usd: f64,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TotalRow {
    pub months: u32,
    pub without_policy_usd: f64,
    pub with_policy_usd: f64,
}

#[derive(Clone, Debug, Default, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UpstreamRow {
    pub upstream: String,
    pub repositories: usize,
    /// Versions in use.
    pub versions: u64,
    pub bytes: u64,
    /// Of what is in use, for a month.
    pub storage_usd: f64,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryRow {
    /// At the cache; where none is configured, at the upstream.
    pub repository: String,
    pub upstream: String,
    /// In use.
    pub versions: u64,
    /// Images that a scanner looks at: platforms of versions.
    pub scanned: u64,
    /// Of what is in use, each blob once.
    pub bytes: u64,
    /// Of its largest version.
    pub version_bytes: u64,
    /// Versions that its lifecycle policy keeps.
    pub keep: u32,
    /// In the last month, without and with the lifecycle policy.
    pub bytes_without_policy: u64,
    pub bytes_with_policy: u64,
    /// Of what is in use, for a month.
    pub storage_usd: f64,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotSizedRow {
    pub reference: String,
    pub because: String,
    pub next: &'static str,
    pub places: Vec<PlaceRow>,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotCachedRow {
    pub reference: String,
    pub because: &'static str,
    pub places: Vec<PlaceRow>,
}

/// `pullthru/price-table/v1`.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PriceTable {
    /// Always `pullthru/price-table/v1`.
    pub schema: &'static str,
    /// Always `USD`.
    pub currency: &'static str,
    /// Bytes that are paid for as one GB.
    pub bytes_per_gb: u64,
    pub prices: Vec<PriceRow>,
}

#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PriceRow {
    /// Its key in a file for `--prices`.
    pub item: &'static str,
    pub name: &'static str,
    pub usd: f64,
    pub unit: &'static str,
    /// Where AWS asks it.
    pub region: String,
    /// Who says so.
    pub origin: String,
    /// As of when.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub note: &'static str,
    /// From the file of `--prices`.
    pub own: bool,
}

/// An image that no cache will hold, and why.
#[derive(Clone, Debug)]
pub struct NotCached {
    pub pull: Pull,
    pub why: &'static str,
}

/// All that a report is made of.
#[derive(Debug)]
pub struct Gathered<'a> {
    pub estimate: Estimate,
    pub assumptions: Vec<String>,
    pub repositories: &'a [Repository],
    pub options: &'a Options,
    pub prices: &'a Prices,
    pub measured: &'a [Measured],
    pub not_cached: &'a [NotCached],
    pub unknown: &'a [Unknown],
    pub unasked: usize,
    pub notes: Vec<String>,
}

impl CostReport {
    pub fn new(gathered: Gathered<'_>) -> CostReport {
        let Gathered { estimate, options, prices, .. } = gathered;
        let storage_usd = |bytes: u64| millionth(prices.gb(bytes) * prices.of(crate::cost::Item::Storage));
        let mut rows: Vec<RepositoryRow> = gathered
            .repositories
            .iter()
            .map(|repository| {
                let stored = &repository.stored;
                let last = |keep| stored.bytes_in(options.months, options.releases, keep);
                RepositoryRow {
                    repository: repository.name.to_string(),
                    upstream: repository.upstream.to_string(),
                    versions: stored.versions,
                    scanned: stored.scanned,
                    bytes: stored.bytes,
                    version_bytes: stored.version_bytes,
                    keep: repository.keep,
                    bytes_without_policy: last(None),
                    bytes_with_policy: last(Some(repository.keep)),
                    storage_usd: storage_usd(stored.bytes),
                }
            })
            .collect();
        rows.sort_by(|one, other| {
            other.bytes.cmp(&one.bytes).then_with(|| one.repository.cmp(&other.repository))
        });
        let mut upstreams: BTreeMap<String, UpstreamRow> = BTreeMap::new();
        for repository in gathered.repositories {
            let host = repository.upstream.host.clone();
            let row = upstreams.entry(host.clone()).or_default();
            row.upstream = host;
            row.repositories += 1;
            row.versions = row.versions.saturating_add(repository.stored.versions);
            row.bytes = row.bytes.saturating_add(repository.stored.bytes);
            row.storage_usd = storage_usd(row.bytes);
        }
        let not_sized: Vec<NotSizedRow> = gathered
            .measured
            .iter()
            .filter_map(|measured| {
                let why = measured.found.as_ref().err()?;
                Some(NotSizedRow {
                    reference: measured.pull.reference(),
                    because: why.to_string(),
                    next: why.next(),
                    places: places(&measured.pull),
                })
            })
            .collect();
        let mut assumptions = gathered.assumptions;
        let found = gathered.measured.iter().filter_map(|measured| measured.found.as_ref().ok());
        let foreign_layers = found.map(|(_, contents)| contents.foreign).sum();
        if foreign_layers > 0 {
            assumptions.push(format!(
                "{} of Windows' base images stay where their publisher keeps them, and are not counted",
                count(foreign_layers, "layer")
            ));
        }
        let unknown: Vec<UnknownRow> = gathered.unknown.iter().map(UnknownRow::from).collect();
        let complete =
            not_sized.is_empty() && gathered.unasked == 0 && !unknown.iter().any(|row| row.invalid);
        CostReport {
            schema: "pullthru/cost/v1",
            currency: "USD",
            complete,
            summary: CostSummary {
                images: gathered.measured.len() - not_sized.len(),
                repositories: rows.len(),
                bytes: estimate.first.bytes,
                not_sized: not_sized.len(),
                foreign_layers,
                unasked: gathered.unasked,
            },
            options: OptionsRow::from(options),
            prices: PriceTable::new(prices),
            total: TotalRow {
                months: options.months,
                without_policy_usd: millionth(estimate.total_without),
                with_policy_usd: millionth(estimate.total_with),
            },
            months: [&estimate.first, &estimate.without, &estimate.with]
                .map(|column| MonthRow::new(column, prices, same_keep(gathered.repositories)))
                .into(),
            upstreams: upstreams.into_values().collect(),
            repositories: rows,
            not_sized,
            not_cached: gathered
                .not_cached
                .iter()
                .map(|left| NotCachedRow {
                    reference: left.pull.reference(),
                    because: left.why,
                    places: places(&left.pull),
                })
                .collect(),
            unknown,
            assumptions,
            notes: gathered.notes,
        }
    }
}

fn places(pull: &Pull) -> Vec<PlaceRow> {
    pull.places.iter().map(PlaceRow::from).collect()
}

/// Beyond that it is noise of the reckoning.
fn millionth(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

impl From<&Options> for OptionsRow {
    fn from(options: &Options) -> OptionsRow {
        let (scanning, rescans) = match options.scanning {
            Scanning::Basic => ("basic", 0),
            Scanning::Enhanced { rescans } => ("enhanced", rescans),
        };
        OptionsRow {
            scanning,
            rescans,
            replicate: options.replicate.iter().map(ToString::to_string).collect(),
            nat: options.nat,
            endpoints: options.endpoints.map(|endpoints| endpoints.zones),
            pulls_gb: options.pulls_gb,
            releases_per_month: options.releases,
            months: options.months,
        }
    }
}

impl MonthRow {
    fn new(column: &Column, prices: &Prices, keep: Option<u32>) -> MonthRow {
        let lines = column.lines.iter().map(|line| LineRow {
            item: line.item.id(),
            what: line.what.clone(),
            quantity: millionth(line.quantity),
            unit: line.item.unit(),
            unit_usd: prices.of(line.item),
            usd: millionth(line.usd),
        });
        let month = column.month;
        let title = match (column.policy, keep) {
            (true, Some(keep)) => format!("month {month}, keep {keep}"),
            (true, None) => format!("month {month}, policies"),
            (false, _) => format!("month {month}"),
        };
        MonthRow {
            title,
            month,
            policy: column.policy,
            bytes: column.bytes,
            lines: lines.collect(),
            usd: millionth(column.usd()),
        }
    }
}

/// What all policies keep, where they agree.
fn same_keep(repositories: &[Repository]) -> Option<u32> {
    let keep = repositories.first()?.keep;
    repositories.iter().all(|repository| repository.keep == keep).then_some(keep)
}

impl PriceTable {
    fn new(prices: &Prices) -> PriceTable {
        let rows = prices.table().iter().map(|price| PriceRow {
            item: price.item.id(),
            name: price.item.name(),
            usd: price.usd,
            unit: price.item.unit(),
            region: price.region.clone(),
            origin: price.origin.source.clone(),
            date: price.origin.date.clone(),
            note: price.origin.note,
            own: price.own,
        });
        PriceTable {
            schema: "pullthru/price-table/v1",
            currency: "USD",
            bytes_per_gb: prices.bytes_per_gb,
            prices: rows.collect(),
        }
    }
}

/// Repositories that are shown to people.
const LARGEST: usize = 10;

/// `$0.40`; a trace is told from nothing.
fn usd(value: f64) -> String {
    if value > 0.0 && value < 0.005 { "<$0.01".to_owned() } else { format!("${value:.2}") }
}

/// A price as it is listed: `$0.045`.
fn unit_usd(value: f64) -> String {
    let text = format!("{value:.2}");
    if text.parse() == Ok(value) { format!("${text}") } else { format!("${value}") }
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

pub fn human(report: &CostReport, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    for row in &report.not_sized {
        writeln!(out, "{}  {}", paint.red("not sized"), paint.bold(&row.reference))?;
        writeln!(out, "  {}", row.because)?;
        writeln!(out, "  {} {}", paint.dim("→"), row.next)?;
        for place in &row.places {
            writeln!(out, "    {}", paint.dim(&format!("{}:{}", place.path, place.line)))?;
        }
    }
    let mut rows = vec![vec![String::new(), "price".to_owned()]];
    if let Some(titles) = rows.first_mut() {
        titles.extend(report.months.iter().flat_map(|month| [String::new(), month.title.clone()]));
    }
    rows.extend(bill(report));
    let mut total = vec!["total".to_owned(), String::new()];
    total.extend(report.months.iter().flat_map(|month| [String::new(), usd(month.usd)]));
    rows.push(total);
    table(&rows, 1, out, paint)?;
    let total = &report.total;
    writeln!(
        out,
        "{} together: {} without a lifecycle policy, {} with it\n",
        count(total.months as usize, "month"),
        usd(total.without_policy_usd),
        usd(total.with_policy_usd)
    )?;
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
    if !report.unknown.is_empty() {
        let any = report.unknown.iter().any(|row| row.invalid);
        let title = if any { paint.red("not asked") } else { paint.cyan("not asked") };
        writeln!(out, "{title}  {}", count(report.unknown.len(), "reference"))?;
        for row in &report.unknown {
            let place = format!("{}:{}", row.place.path, row.place.line);
            writeln!(out, "  {place}  {}  {}", row.reference, paint.dim(row.because))?;
        }
    }
    writeln!(out, "{}", paint.bold("taken for granted"))?;
    for text in &report.assumptions {
        writeln!(out, "- {text}")?;
    }
    writeln!(out, "{}", sentence(report))
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

/// Columns in line: the first ones to the left, the others to the right. The first row is a head.
fn table(rows: &[Vec<String>], left: usize, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    for (index, row) in rows.iter().enumerate() {
        let mut line = String::new();
        for (column, (cell, width)) in row.iter().zip(&widths).enumerate() {
            let gap = if column == 0 { "" } else { "  " };
            match column < left {
                true => line.push_str(&format!("{gap}{cell:<width$}")),
                false => line.push_str(&format!("{gap}{cell:>width$}")),
            }
        }
        let line = line.trim_end();
        if index == 0 {
            writeln!(out, "{}", paint.dim(line))?;
        } else {
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}

/// `3 images in 2 repositories, 1.25 GB: $0.53 in month 1, …`.
fn sentence(report: &CostReport) -> String {
    let summary = &report.summary;
    let repositories = match summary.repositories {
        1 => "1 repository".to_owned(),
        number => format!("{number} repositories"),
    };
    let mut text =
        format!("{} in {repositories}, {}:", count(summary.images, "image"), gb(summary.bytes, report));
    let months: Vec<String> =
        report.months.iter().map(|month| format!("{} in {}", usd(month.usd), month.title)).collect();
    text.push_str(&format!(" {}", months.join("; ")));
    let mut missing = Vec::new();
    if summary.not_sized > 0 {
        missing.push(format!("{} not sized", count(summary.not_sized, "image")));
    }
    let invalid = report.unknown.iter().filter(|row| row.invalid).count();
    if invalid > 0 {
        missing.push(format!("{} not to be read as an image", count(invalid, "line")));
    }
    if summary.unasked > 0 {
        missing.push(format!("stopped with {} to go", summary.unasked));
    }
    if !missing.is_empty() {
        text.push_str(&format!("; incomplete: {}", missing.join(", ")));
    }
    let computed = report.unknown.len() - invalid;
    if computed > 0 {
        text.push_str(&format!("; not in it: {} that something else fills in", count(computed, "reference")));
    }
    text
}

pub fn json(report: &CostReport, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report)?;
    writeln!(out)
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
    writeln!(out, "{}.\n", sentence(report))?;
    let months: Vec<String> = report.months.iter().map(|month| month.title.clone()).collect();
    writeln!(out, "| | price | {} |", months.join(" | "))?;
    writeln!(out, "|---|---:|{}", "---:|".repeat(months.len()))?;
    for row in bill(report) {
        let [what, price, numbers @ ..] = row.as_slice() else { continue };
        let cells: Vec<String> = numbers.chunks(2).map(|pair| pair.join(": ")).collect();
        writeln!(out, "| {what} | {price} | {} |", cells.join(" | "))?;
    }
    let totals: Vec<String> = report.months.iter().map(|month| format!("**{}**", usd(month.usd))).collect();
    writeln!(out, "| **total** | | {} |", totals.join(" | "))?;
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
    writeln!(out, "\nTaken for granted:\n")?;
    report.assumptions.iter().try_for_each(|text| writeln!(out, "- {text}"))
}

pub fn prices_human(prices: &Prices, out: &mut dyn Write) -> io::Result<()> {
    let prices = PriceTable::new(prices);
    let mut rows = vec![titles(&["item", "price", "of", "in", "as of", "where"])];
    rows.extend(prices.prices.iter().map(|row| {
        let date = row.date.clone().unwrap_or_default();
        vec![
            row.item.to_owned(),
            format!("{}/{}", unit_usd(row.usd), row.unit),
            row.name.to_owned(),
            row.region.clone(),
            date,
            row.origin.clone(),
        ]
    }));
    table(&rows, 6, out, Paint::for_stdout())?;
    for row in prices.prices.iter().filter(|row| !row.note.is_empty()) {
        writeln!(out, "{}: {}", row.item, row.note)?;
    }
    writeln!(out, "in US dollars; a GB is {} bytes", prices.bytes_per_gb)
}

pub fn prices_json(prices: &Prices, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, &PriceTable::new(prices))?;
    writeln!(out)
}

pub fn prices_csv(prices: &Prices, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "item,usd,unit,region,date,origin,note")?;
    let table = PriceTable::new(prices);
    for PriceRow { item, usd, unit, region, origin, date, note, .. } in &table.prices {
        let (date, origin, note) = (date.as_deref().unwrap_or_default(), csv_field(origin), csv_field(note));
        writeln!(out, "{item},{usd},{unit},{region},{},{origin},{note}", csv_field(date))?;
    }
    Ok(())
}

pub fn prices_markdown(prices: &Prices, out: &mut dyn Write) -> io::Result<()> {
    let table = PriceTable::new(prices);
    writeln!(out, "In US dollars; a GB is {} bytes.\n", table.bytes_per_gb)?;
    writeln!(out, "| item | price | in | as of | where | |\n|---|---:|---|---|---|---|")?;
    for row in &table.prices {
        let date = row.date.as_deref().unwrap_or_default();
        let price = format!("{}/{}", unit_usd(row.usd), row.unit);
        writeln!(
            out,
            "| {} | {price} | {} | {} | {} | {} |",
            row.name,
            row.region,
            cell(date),
            cell(&row.origin),
            row.note
        )?;
    }
    Ok(())
}
