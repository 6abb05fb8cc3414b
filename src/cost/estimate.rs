//! Sizes times prices: pure.
//!
//! Month 1 holds what is in use. In every later month each repository gets some new versions, each as large as its largest
//! version in use and sharing nothing with the others: an upper bound, since versions mostly do share layers. Without a
//! lifecycle policy they pile up; with one that keeps K versions, the newest K stay.

use std::collections::BTreeSet;

use super::price::{Item, Prices};
use super::repository::{Repository, Stored};
use crate::route::{Credential, Region, upstream_for};

/// As AWS's own calculator counts a month.
const HOURS: u32 = 730;

/// Interface endpoints that a pull needs: `ecr.api` and `ecr.dkr` (Amazon ECR user guide, "Amazon ECR interface VPC
/// endpoints"). Layers come from S3.
const ENDPOINTS: u32 = 2;

/// How images are scanned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scanning {
    /// By ECR, at no charge.
    Basic,
    /// By Amazon Inspector; each image in use so many times again a month.
    Enhanced { rescans: u32 },
}

/// Interface endpoints of a network without a way to the internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// Availability zones that each of them is in.
    pub zones: u32,
}

/// What is to be paid for.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    pub scanning: Scanning,
    /// Other Regions that everything is replicated to; sorted, each once.
    pub replicate: Vec<Region>,
    /// What is first transferred passes a NAT gateway, and so do pulls where there are no endpoints.
    pub nat: bool,
    pub endpoints: Option<Endpoints>,
    /// GB that nodes pull in a month.
    pub pulls_gb: u32,
    /// New versions of each repository in a month.
    pub releases: u32,
    /// At least 1.
    pub months: u32,
    /// Versions that the lifecycle policy keeps of each repository; at least 1.
    pub keep: u32,
}

/// One line of a bill.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    pub item: Item,
    pub what: String,
    /// In the item's unit.
    pub quantity: f64,
    pub usd: f64,
}

/// The bill of one month. All columns of an estimate have the same lines.
#[derive(Clone, Debug, PartialEq)]
pub struct Column {
    /// The first is 1.
    pub month: u32,
    /// Versions that a lifecycle policy keeps; `None` without one.
    pub keep: Option<u32>,
    /// Stored in the caches, without replicas.
    pub bytes: u64,
    pub lines: Vec<Line>,
}

/// The first month, and the last without and with a lifecycle policy.
#[derive(Clone, Debug, PartialEq)]
pub struct Estimate {
    pub first: Column,
    pub without: Column,
    pub with: Column,
    /// US dollars, all months together.
    pub total_without: f64,
    pub total_with: f64,
}

impl Column {
    /// US dollars.
    pub fn usd(&self) -> f64 {
        self.lines.iter().map(|line| line.usd).sum()
    }
}

/// What the repositories will cost.
pub fn estimate(repositories: &[Repository], options: &Options, prices: &Prices) -> Estimate {
    let column = |month, keep| column(repositories, options, prices, month, keep);
    let total = |keep| (1..=options.months).map(|month| column(month, keep).usd()).sum();
    Estimate {
        first: column(1, None),
        without: column(options.months, None),
        with: column(options.months, Some(options.keep)),
        total_without: total(None),
        total_with: total(Some(options.keep)),
    }
}

fn column(
    repositories: &[Repository],
    options: &Options,
    prices: &Prices,
    month: u32,
    keep: Option<u32>,
) -> Column {
    let stored = |repository: &Repository| repository.stored.bytes_in(month, options.releases, keep);
    let moved = |repository: &Repository| repository.stored.transferred_in(month, options.releases);
    let all: Vec<&Repository> = repositories.iter().collect();
    let bytes = sum(&all, stored);
    let mut lines = Lines { lines: Vec::new(), prices };
    lines.gb(Item::Storage, "storage", bytes);
    lines.gb(Item::Import, "first transfer", sum(&all, moved));
    if options.nat {
        lines.gb(Item::Nat, "first transfer, NAT", sum(&all, moved));
    }
    let scanned = sum(&all, |repository| repository.stored.scanned_in(month, options.releases));
    match options.scanning {
        Scanning::Basic => lines.add(Item::BasicScan, "basic scanning", scanned as f64),
        Scanning::Enhanced { rescans } => {
            let again = sum(&all, |repository| repository.stored.scanned.saturating_mul(rescans.into()));
            lines.add(Item::EnhancedScan, "enhanced scanning", scanned as f64);
            lines.add(Item::EnhancedRescan, "enhanced scanning, again", again as f64);
        }
    }
    lines.add(Item::Secret, "secrets", secrets(repositories) as f64);
    for region in &options.replicate {
        let elsewhere: Vec<&Repository> =
            repositories.iter().filter(|repository| repository.region().as_ref() != Some(region)).collect();
        lines.gb(Item::Storage, &format!("storage in {region}"), sum(&elsewhere, stored));
        lines.gb(Item::ReplicationTransfer, &format!("transfer to {region}"), sum(&elsewhere, moved));
    }
    if let Some(Endpoints { zones }) = options.endpoints {
        let hours = f64::from(ENDPOINTS) * f64::from(zones) * f64::from(HOURS);
        lines.add(Item::EndpointHour, "interface endpoints", hours);
    }
    if options.pulls_gb > 0 {
        let pulled = f64::from(options.pulls_gb);
        match (options.endpoints, options.nat) {
            (Some(_), _) => lines.add(Item::GatewayEndpoint, "pulls, S3 gateway endpoint", pulled),
            (None, true) => lines.add(Item::Nat, "pulls, NAT", pulled),
            (None, false) => {}
        }
    }
    Column { month, keep, bytes, lines: lines.lines }
}

struct Lines<'p> {
    lines: Vec<Line>,
    prices: &'p Prices,
}

impl Lines<'_> {
    fn add(&mut self, item: Item, what: &str, quantity: f64) {
        let usd = quantity * self.prices.of(item);
        self.lines.push(Line { item, what: what.to_owned(), quantity, usd });
    }

    fn gb(&mut self, item: Item, what: &str, bytes: u64) {
        self.add(item, what, self.prices.gb(bytes));
    }
}

fn sum(repositories: &[&Repository], of: impl Fn(&Repository) -> u64) -> u64 {
    repositories.iter().fold(0, |sum, repository| sum.saturating_add(of(repository)))
}

impl Stored {
    /// Bytes that are there in a month.
    pub fn bytes_in(&self, month: u32, releases: u32, keep: Option<u32>) -> u64 {
        let new = new_versions(month, releases);
        let Some(keep) = keep.map(u64::from) else {
            return self.bytes.saturating_add(new.saturating_mul(self.version_bytes));
        };
        // The newest stay; what room they leave holds as many of today's versions, at most all of them.
        let new = new.min(keep);
        let old = self.bytes.min((keep - new).saturating_mul(self.version_bytes));
        new.saturating_mul(self.version_bytes).saturating_add(old)
    }

    fn transferred_in(&self, month: u32, releases: u32) -> u64 {
        if month == 1 { self.bytes } else { self.version_bytes.saturating_mul(releases.into()) }
    }

    fn scanned_in(&self, month: u32, releases: u32) -> u64 {
        if month == 1 { self.scanned } else { self.version_scanned.saturating_mul(releases.into()) }
    }
}

/// Since month 1.
fn new_versions(month: u32, releases: u32) -> u64 {
    u64::from(month.saturating_sub(1)).saturating_mul(releases.into())
}

/// One for each upstream that wants a login and each registry, since a secret has to be in the account and the Region of
/// its rule.
fn secrets(repositories: &[Repository]) -> usize {
    let wants =
        |host: &str| upstream_for(host).is_some_and(|upstream| upstream.credential == Credential::Secret);
    let pairs: BTreeSet<_> = repositories
        .iter()
        .filter(|repository| wants(&repository.upstream.host))
        .map(|repository| (&repository.cache, &repository.upstream.host))
        .collect();
    pairs.len()
}

/// What the estimate takes for granted, a sentence each.
pub fn assumptions(repositories: &[Repository], options: &Options, prices: &Prices) -> Vec<String> {
    let mut said = Vec::new();
    let elsewhere: BTreeSet<String> = repositories
        .iter()
        .filter_map(Repository::region)
        .map(|region| region.to_string())
        .filter(|region| *region != prices.region)
        .collect();
    let elsewhere: Vec<String> = elsewhere.into_iter().collect();
    let mut region = format!("prices are those of {}", prices.region);
    if !elsewhere.is_empty() {
        region.push_str(&format!(
            ", and {} may charge otherwise: `--prices FILE` says what",
            elsewhere.join(", ")
        ));
    }
    said.push(region);
    let gb = prices.bytes_per_gb;
    said.push(match gb {
        1_073_741_824 => format!("a GB is {gb} bytes, as S3 counts them; AWS does not say it of ECR"),
        _ => format!("a GB is {gb} bytes"),
    });
    said.push(
        "every platform and attestation of an index is stored, and each blob once a repository; the manifests themselves, \
         a few kB each, are not counted"
            .to_owned(),
    );
    let (releases, keep) = (options.releases, options.keep);
    said.push(format!(
        "each repository gets {releases} new versions a month, each as large as its largest in use and with no layer in \
         common: an upper bound"
    ));
    said.push(format!(
        "a policy that keeps {keep} keeps {keep} versions, an index with its platforms being one; AWS says that those go \
         with their index, and not whether they count (if they do, fewer versions stay)"
    ));
    let less: Vec<String> = repositories
        .iter()
        .filter(|repository| repository.stored.versions > keep.into())
        .map(|repository| format!("`{}` ({})", repository.name, repository.stored.versions))
        .collect();
    if !less.is_empty() {
        said.push(format!("a policy that keeps {keep} would expire versions in use of {}", less.join(", ")));
    }
    said.push(match options.scanning {
        Scanning::Basic => "basic scanning is free of charge".to_owned(),
        Scanning::Enhanced { rescans } => format!(
            "enhanced scanning looks at each platform's image once, at no attestation, and {rescans} times a month again at \
             what is in use: how often Inspector does is not documented (`--rescans`)"
        ),
    });
    said.push(
        "there is one secret for each upstream that wants a login and each registry; ECR's own reading of it is not counted"
            .to_owned(),
    );
    if !options.replicate.is_empty() {
        said.push(
            "the other Regions have the same lifecycle policy (from a template for replication), and scan nothing".to_owned(),
        );
    }
    if options.nat {
        said.push(
            "all that is transferred first passes the NAT gateway once, as when it is warmed from behind it; what ECR imports \
             by itself does not"
                .to_owned(),
        );
    }
    if options.endpoints.is_some() {
        said.push(format!(
            "ecr.api and ecr.dkr have interface endpoints in one network, for {HOURS} hours a month; layers come through the \
             S3 gateway endpoint, and manifests, a few kB a pull, are not counted"
        ));
    }
    said.push("archive storage, customer managed keys, and traffic to the internet are not in it".to_owned());
    said
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::image::Name;

    const GB: u64 = 1 << 30;

    fn repository(name: &str, cache: Option<&str>, stored: Stored) -> Repository {
        let upstream = Name::parse(name).unwrap();
        Repository { name: upstream.clone(), upstream, cache: cache.map(str::to_owned), stored }
    }

    /// 2 versions of 3 and 2 GB that share 1 GB: 4 GB; 3 platforms and 2 of them.
    fn app() -> Stored {
        Stored { versions: 2, bytes: 4 * GB, version_bytes: 3 * GB, scanned: 5, version_scanned: 3 }
    }

    fn options() -> Options {
        Options {
            scanning: Scanning::Basic,
            replicate: Vec::new(),
            nat: false,
            endpoints: None,
            pulls_gb: 0,
            releases: 4,
            months: 12,
            keep: 10,
        }
    }

    /// `storage 4 0.4`, a line each: quantity and US dollars to a hundredth of a cent.
    fn printed(column: &Column) -> Vec<String> {
        let round = |value: f64| (value * 10_000.0).round() / 10_000.0;
        let line = |line: &Line| format!("{} {} {}", line.what, round(line.quantity), round(line.usd));
        column.lines.iter().map(line).collect()
    }

    #[test]
    fn storage_grows_without_a_policy_and_stays_with_one() {
        let app = app();
        let without = |month| app.bytes_in(month, 4, None) / GB;
        // 4 + 3 × 4 a month.
        assert_eq!([1, 2, 3, 12].map(without), [4, 16, 28, 136]);
        let keep = |keep| move |month| app.bytes_in(month, 4, Some(keep)) / GB;
        // 4 new and 2 old; 8 new and 2 old; 10 new of 12.
        assert_eq!([1, 2, 3, 4, 12].map(keep(10)), [4, 16, 28, 30, 30]);
        // Less than is in use: of 4 GB, one version of 3 stays.
        assert_eq!([1, 2, 12].map(keep(1)), [3, 3, 3]);
        // 9 new beside one old, which has at most 3 of the 4 GB.
        assert_eq!(app.bytes_in(4, 3, Some(10)) / GB, 30);
        assert_eq!(app.bytes_in(12, 0, None) / GB, 4);
    }

    #[test]
    fn a_policy_never_stores_more_and_more_kept_is_never_less() {
        for (month, releases, keep) in
            (1..=14).flat_map(|month| (0..4).flat_map(move |n| (1..=9).map(move |k| (month, n, k))))
        {
            let stored = |month, keep| app().bytes_in(month, releases, keep);
            let with = stored(month, Some(keep));
            assert!(with <= stored(month, None), "{month} {releases} {keep}");
            assert!(with <= stored(month, Some(keep + 1)), "{month} {releases} {keep}");
            assert!(with <= stored(month + 1, Some(keep)), "{month} {releases} {keep}");
            assert!(with <= u64::from(keep) * app().version_bytes, "{month} {releases} {keep}");
        }
    }

    #[test]
    fn every_line_is_quantity_times_price() {
        let repositories = [
            repository("ghcr.io/o/app", None, app()),
            repository(
                "quay.io/o/tool",
                None,
                Stored { versions: 1, bytes: GB, version_bytes: GB, scanned: 1, version_scanned: 1 },
            ),
        ];
        let prices = Prices::default();
        let plain = estimate(&repositories, &options(), &prices);
        assert_eq!(
            printed(&plain.first),
            ["storage 5 0.5", "first transfer 5 0", "basic scanning 6 0", "secrets 1 0.4"]
        );
        // 136 + 1 + 44.
        assert_eq!(
            printed(&plain.without),
            ["storage 181 18.1", "first transfer 16 0", "basic scanning 16 0", "secrets 1 0.4"]
        );
        // 30 + 10.
        assert_eq!(printed(&plain.with).first().unwrap(), "storage 40 4");
        // 5 + 16 × (0 + … + 11) GB-months, and 12 secrets: (60 + 1056) × 0.1 + 4.8.
        assert!((plain.total_without - 116.4).abs() < 1e-9, "{}", plain.total_without);
        // 5, 21, 37, then 30 + 10 (12 releases, of which 10 stay): 63 + 9 × 40.
        assert!((plain.total_with - 47.1).abs() < 1e-9, "{}", plain.total_with);
    }

    #[test]
    fn all_that_can_be_asked_for() {
        let repositories = [repository("ghcr.io/o/app", None, app())];
        let all = Options {
            scanning: Scanning::Enhanced { rescans: 2 },
            replicate: vec!["eu-central-1".parse().unwrap(), "eu-west-1".parse().unwrap()],
            nat: true,
            endpoints: Some(Endpoints { zones: 3 }),
            pulls_gb: 500,
            ..options()
        };
        let found = estimate(&repositories, &all, &Prices::default());
        assert_eq!(
            printed(&found.first),
            [
                "storage 4 0.4",
                "first transfer 4 0",
                "first transfer, NAT 4 0.18",
                "enhanced scanning 5 0.45",
                "enhanced scanning, again 10 0.1",
                "secrets 1 0.4",
                "storage in eu-central-1 4 0.4",
                "transfer to eu-central-1 4 0.08",
                "storage in eu-west-1 4 0.4",
                "transfer to eu-west-1 4 0.08",
                // 2 × 3 × 730.
                "interface endpoints 4380 43.8",
                "pulls, S3 gateway endpoint 500 0",
            ]
        );
        assert!((found.first.usd() - 46.29).abs() < 1e-9);
        let without_endpoints = Options { endpoints: None, ..all };
        let found = estimate(&repositories, &without_endpoints, &Prices::default());
        assert_eq!(printed(&found.first).last().unwrap(), "pulls, NAT 500 22.5");
        let words: Vec<&String> = found.without.lines.iter().map(|line| &line.what).collect();
        assert_eq!(words, found.first.lines.iter().map(|line| &line.what).collect::<Vec<_>>());
    }

    #[test]
    fn a_secret_for_each_registry_and_upstream_that_wants_one() {
        let (here, there) = (
            "123456789012.dkr.ecr.ca-central-1.amazonaws.com",
            "123456789012.dkr.ecr.eu-central-1.amazonaws.com",
        );
        let repositories = [
            repository("ghcr.io/o/a", Some(here), app()),
            repository("ghcr.io/o/b", Some(here), app()),
            repository("ghcr.io/o/a", Some(there), app()),
            repository("docker.io/o/a", Some(there), app()),
            repository("one.azurecr.io/a", Some(there), app()),
            repository("two.azurecr.io/a", Some(there), app()),
            repository("registry.k8s.io/a", Some(there), app()),
            repository("quay.io/o/a", Some(there), app()),
        ];
        assert_eq!(secrets(&repositories), 5);
        // What is in the Region already is not replicated there: 6 of the 8 repositories.
        let replicated = Options { replicate: vec!["eu-central-1".parse().unwrap()], ..options() };
        let found = estimate(&repositories, &replicated, &Prices::default());
        assert!(
            printed(&found.first).contains(&"storage in eu-central-1 8 0.8".to_owned()),
            "{:?}",
            printed(&found.first)
        );
    }

    #[test]
    fn sizes_that_cannot_be_are_no_panic() {
        let wild = Stored {
            versions: u64::MAX,
            bytes: u64::MAX,
            version_bytes: u64::MAX,
            scanned: u64::MAX,
            version_scanned: u64::MAX,
        };
        let repositories = [repository("ghcr.io/o/a", None, wild), repository("ghcr.io/o/b", None, wild)];
        let most = Options { releases: u32::MAX, keep: u32::MAX, ..options() };
        let found = estimate(&repositories, &most, &Prices::default());
        assert_eq!((found.first.bytes, found.with.bytes), (u64::MAX, u64::MAX));
        assert!(found.without.usd().is_finite());
    }
}
