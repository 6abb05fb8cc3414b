//! What the cache will cost: the shape of the result here, its formats in `print`.

mod print;

use std::collections::BTreeMap;

use serde::Serialize;

use super::count;
use super::place::PlaceRow;
use super::prices::PriceTable;
use super::unknown::UnknownRow;
use crate::cost::{Column, Estimate, Measured, Options, Prices, Repository, Scanning, Unmeasured};
use crate::images::{Image, Unknown};

pub use print::{csv, human, json, markdown};

/// `pullthru/cost/v1`: bytes are exact, US dollars rounded to a millionth.
#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
    /// The first month, then the last without and with the lifecycle policy. Empty where the size of no image is known: that
    /// is no estimate.
    pub months: Vec<MonthRow>,
    /// All months together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<TotalRow>,
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

#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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
    /// Images that were not asked about when the run was stopped.
    pub unasked: usize,
}

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct TotalRow {
    pub months: u32,
    pub without_policy_usd: f64,
    pub with_policy_usd: f64,
}

#[derive(Clone, Debug, Default, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
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

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct NotSizedRow {
    pub reference: String,
    pub because: String,
    pub next: &'static str,
    pub places: Vec<PlaceRow>,
    /// What is so of all images that are reported as one.
    #[serde(skip)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    alike: String,
}

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct NotCachedRow {
    pub reference: String,
    pub because: &'static str,
    pub places: Vec<PlaceRow>,
}

/// An image that no cache will hold, and why.
#[derive(Clone, Debug)]
pub struct NotCachedImage {
    pub pull: Image,
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
    pub not_cached: &'a [NotCachedImage],
    pub unknown: &'a [Unknown],
    pub unasked: usize,
    pub notes: Vec<String>,
}

impl CostReport {
    pub fn new(gathered: Gathered<'_>) -> CostReport {
        let repositories = repository_rows(&gathered);
        let not_sized = not_sized_rows(gathered.measured);
        let foreign_layers = foreign_layers(gathered.measured);
        let upstreams = upstream_rows(&gathered);
        let Gathered { estimate, options, prices, mut assumptions, .. } = gathered;
        if foreign_layers > 0 {
            assumptions.push(format!(
                "{} of Windows' base images are pulled from their publisher, and are not counted",
                count(foreign_layers, "layer")
            ));
        }
        let locked = from_lock(gathered.measured);
        if locked > 0 {
            assumptions.push(format!(
                "the sizes of {} are those of the digest lock (`--no-lock` asks for all): what their platforms and versions have \
                 in common counts more than once, and attestations are not in it",
                count(locked, "image")
            ));
        }
        let unknown: Vec<UnknownRow> = gathered.unknown.iter().map(UnknownRow::from).collect();
        let is_missing = |row: &UnknownRow| row.invalid || row.release.is_some();
        let images = gathered.measured.len() - not_sized.len();
        let is_estimate = images > 0 || (not_sized.is_empty() && gathered.unasked == 0);
        let keep = same_keep(gathered.repositories);
        let months = [&estimate.first, &estimate.without, &estimate.with].into_iter().filter(|_| is_estimate);
        let complete = not_sized.is_empty() && gathered.unasked == 0 && !unknown.iter().any(is_missing);
        CostReport {
            schema: "pullthru/cost/v1",
            currency: "USD",
            complete,
            summary: CostSummary {
                images,
                repositories: repositories.len(),
                bytes: estimate.first.bytes,
                not_sized: not_sized.len(),
                foreign_layers,
                unasked: gathered.unasked,
            },
            options: OptionsRow::from(options),
            prices: PriceTable::new(prices),
            total: is_estimate.then(|| TotalRow {
                months: options.months,
                without_policy_usd: millionth(estimate.total_without),
                with_policy_usd: millionth(estimate.total_with),
            }),
            months: months.map(|column| MonthRow::new(column, prices, keep)).collect(),
            upstreams,
            repositories,
            not_sized,
            not_cached: gathered.not_cached.iter().map(NotCachedRow::from).collect(),
            unknown,
            assumptions,
            notes: gathered.notes,
        }
    }
}

impl From<&NotCachedImage> for NotCachedRow {
    fn from(image: &NotCachedImage) -> NotCachedRow {
        let NotCachedImage { pull, why } = image;
        NotCachedRow { reference: pull.reference(), because: why, places: places(pull) }
    }
}

/// The largest first.
fn repository_rows(gathered: &Gathered<'_>) -> Vec<RepositoryRow> {
    let &Gathered { options, prices, .. } = gathered;
    let row = |repository: &Repository| {
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
            storage_usd: storage_usd(stored.bytes, prices),
        }
    };
    let mut rows: Vec<RepositoryRow> = gathered.repositories.iter().map(row).collect();
    rows.sort_by(|one, other| {
        other.bytes.cmp(&one.bytes).then_with(|| one.repository.cmp(&other.repository))
    });
    rows
}

fn upstream_rows(gathered: &Gathered<'_>) -> Vec<UpstreamRow> {
    let mut upstreams: BTreeMap<&str, UpstreamRow> = BTreeMap::new();
    for repository in gathered.repositories {
        let row = upstreams.entry(&repository.upstream.host).or_default();
        row.repositories += 1;
        row.versions = row.versions.saturating_add(repository.stored.versions);
        row.bytes = row.bytes.saturating_add(repository.stored.bytes);
    }
    let with_host = |(host, row): (&str, UpstreamRow)| UpstreamRow {
        upstream: host.to_owned(),
        storage_usd: storage_usd(row.bytes, gathered.prices),
        ..row
    };
    upstreams.into_iter().map(with_host).collect()
}

fn not_sized_rows(measured: &[Measured]) -> Vec<NotSizedRow> {
    let row = |one: &Measured| {
        let why = one.found.as_ref().err()?;
        Some(NotSizedRow {
            reference: one.pull.reference(),
            because: why.to_string(),
            next: why.next(),
            places: places(&one.pull),
            // Where a whole registry fails alike, without the image.
            alike: match why {
                Unmeasured::Failed(failure) => failure.of_registry().to_string(),
                why => why.to_string(),
            },
        })
    };
    measured.iter().filter_map(row).collect()
}

fn foreign_layers(measured: &[Measured]) -> usize {
    let found = measured.iter().filter_map(|one| one.found.as_ref().ok());
    found.map(|(_, contents)| contents.foreign).sum()
}

/// Images whose sizes a digest lock has.
fn from_lock(measured: &[Measured]) -> usize {
    let found = measured.iter().filter_map(|one| one.found.as_ref().ok());
    found.filter(|(_, contents)| !contents.locked.is_empty()).count()
}

/// Of a month.
fn storage_usd(bytes: u64, prices: &Prices) -> f64 {
    millionth(prices.gb(bytes) * prices.of(crate::cost::Item::Storage))
}

fn places(pull: &Image) -> Vec<PlaceRow> {
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
