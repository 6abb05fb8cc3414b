//! Sizes times prices: pure.
//!
//! Month 1 holds what is in use. In every later month each repository gets some new versions, each as large as its largest
//! version in use and sharing nothing with the others: an upper bound, since versions mostly do share layers. Without a
//! lifecycle policy they pile up; with one that keeps K versions, the newest K stay.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::price::{Item, Prices};
use super::repository::{Repository, Stored};
use pullthru_core::route::{AccountId, Region};

/// As AWS's own calculator counts a month.
pub(super) const HOURS: u32 = 730;

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

/// Where copies go.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Destination {
    pub region: Region,
    /// `None`: the registry's own.
    pub account: Option<AccountId>,
    /// What names of repositories begin with; none stands for all.
    pub prefixes: Vec<String>,
}

/// What is to be paid for.
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    pub scanning: Scanning,
    /// Sorted, each Region and account once.
    pub replicate: Vec<Destination>,
    /// What is first transferred passes a NAT gateway, and so do pulls where there are no endpoints.
    pub nat: bool,
    pub endpoints: Option<Endpoints>,
    /// GB that nodes pull in a month.
    pub pulls_gb: u32,
    /// New versions of each repository in a month.
    pub releases: u32,
    /// At least 1.
    pub months: u32,
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
    /// Each repository has its lifecycle policy.
    pub policy: bool,
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

impl Destination {
    /// Everything to one Region.
    pub fn region(region: Region) -> Destination {
        Destination { region, account: None, prefixes: Vec::new() }
    }

    /// Each Region and account once, with the prefixes of all.
    pub fn merged(all: impl IntoIterator<Item = Destination>) -> Vec<Destination> {
        let mut merged: BTreeMap<(Region, Option<AccountId>), Vec<Vec<String>>> = BTreeMap::new();
        for Destination { region, account, prefixes } in all {
            merged.entry((region, account)).or_default().push(prefixes);
        }
        let destination = |((region, account), lists): (_, Vec<Vec<String>>)| {
            let everything = lists.iter().any(Vec::is_empty);
            let mut prefixes = if everything { Vec::new() } else { lists.concat() };
            prefixes.sort();
            prefixes.dedup();
            Destination { region, account, prefixes }
        };
        merged.into_iter().map(destination).collect()
    }

    /// Does a repository go there? Nothing is replicated to where it is.
    fn takes(&self, repository: &Repository) -> bool {
        let own = repository.host();
        let is_here = own.is_some_and(|own| {
            own.region == self.region && self.account.as_ref().is_none_or(|account| *account == own.account)
        });
        let begins = |prefix: &String| repository.name.path.starts_with(prefix.as_str());
        !is_here && !repository.copy && (self.prefixes.is_empty() || self.prefixes.iter().any(begins))
    }

    fn leaves_region(&self, repository: &Repository) -> bool {
        repository.host().is_none_or(|own| own.region != self.region)
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.account {
            Some(account) => write!(f, "{} of {account}", self.region),
            None => self.region.fmt(f),
        }
    }
}

impl Column {
    /// US dollars.
    pub fn usd(&self) -> f64 {
        self.lines.iter().map(|line| line.usd).sum()
    }
}

/// What the repositories will cost.
pub fn estimate(repositories: &[Repository], options: &Options, prices: &Prices) -> Estimate {
    let column = |month, policy| column(repositories, options, prices, month, policy);
    let total = |policy| (1..=options.months).map(|month| column(month, policy).usd()).sum();
    Estimate {
        first: column(1, false),
        without: column(options.months, false),
        with: column(options.months, true),
        total_without: total(false),
        total_with: total(true),
    }
}

fn column(
    repositories: &[Repository],
    options: &Options,
    prices: &Prices,
    month: u32,
    policy: bool,
) -> Column {
    let stored = |repository: &Repository| {
        repository.stored.bytes_in(month, options.releases, policy.then_some(repository.keep))
    };
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
    for to in &options.replicate {
        let copied: Vec<&Repository> =
            repositories.iter().filter(|repository| to.takes(repository)).collect();
        let moving = copied.iter().filter(|repository| to.leaves_region(repository));
        let moving: Vec<&Repository> = moving.copied().collect();
        lines.gb(Item::Storage, &format!("storage in {to}"), sum(&copied, stored));
        lines.gb(Item::ReplicationTransfer, &format!("transfer to {to}"), sum(&moving, moved));
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
    Column { month, policy, bytes, lines: lines.lines }
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

/// Each once a registry, since a secret has to be in the account and the Region of its rule.
fn secrets(repositories: &[Repository]) -> usize {
    let named =
        repositories.iter().filter_map(|repository| Some((&repository.cache, repository.secret.as_ref()?)));
    named.collect::<BTreeSet<_>>().len()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use pullthru_core::image::Name;

    const GB: u64 = 1 << 30;

    fn repository(name: &str, cache: Option<&str>, stored: Stored) -> Repository {
        let upstream = Name::parse(name).unwrap();
        let secret = (upstream.host == "ghcr.io").then(|| "ghcr".to_owned());
        Repository {
            name: upstream.clone(),
            upstream,
            cache: cache.map(str::to_owned),
            stored,
            keep: 10,
            keep_is_assumed: false,
            secret,
            copy: false,
        }
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
        }
    }

    fn to(region: &str) -> Destination {
        Destination::region(region.parse().unwrap())
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
            replicate: ["eu-central-1", "eu-west-1"].map(to).into(),
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

    const HERE: &str = "123456789012.dkr.ecr.ca-central-1.amazonaws.com";
    const THERE: &str = "123456789012.dkr.ecr.eu-central-1.amazonaws.com";

    #[test]
    fn a_secret_is_paid_once_a_registry() {
        let repositories = [
            repository("ghcr.io/o/a", Some(HERE), app()),
            repository("ghcr.io/o/b", Some(HERE), app()),
            repository("ghcr.io/o/a", Some(THERE), app()),
            Repository {
                secret: Some("other".to_owned()),
                ..repository("docker.io/o/a", Some(THERE), app())
            },
            repository("quay.io/o/a", Some(THERE), app()),
        ];
        assert_eq!(secrets(&repositories), 3);
    }

    /// Storage and transfer of one destination, in GB.
    fn copied(repositories: &[Repository], to: Destination) -> (f64, f64) {
        let options = Options { replicate: vec![to], ..options() };
        let found = estimate(repositories, &options, &Prices::default());
        let of = |item, what: &str| {
            let mut lines = found.first.lines.iter();
            lines.find(|line| line.item == item && line.what.starts_with(what)).unwrap().quantity
        };
        (of(Item::Storage, "storage in"), of(Item::ReplicationTransfer, "transfer to"))
    }

    #[test]
    fn what_is_replicated_and_what_not() {
        let copy = Repository { copy: true, ..repository("ghcr.io/o/a", Some(HERE), app()) };
        let repositories = [
            repository("ghcr.io/o/a", Some(HERE), app()),
            repository("ghcr.io/team/b", Some(HERE), app()),
            repository("ghcr.io/o/a", Some(THERE), app()),
            copy,
        ];
        assert_eq!(copied(&repositories, to("eu-west-1")), (12.0, 12.0));
        // Not to where it is.
        assert_eq!(copied(&repositories, to("eu-central-1")), (8.0, 8.0));
        assert_eq!(
            copied(&repositories, Destination { prefixes: vec!["team/".to_owned()], ..to("eu-west-1") }),
            (4.0, 4.0)
        );
        // To another account it is, and within a Region no transfer is paid.
        let account = Some("210987654321".parse().unwrap());
        assert_eq!(copied(&repositories, Destination { account, ..to("ca-central-1") }), (12.0, 4.0));
    }

    #[test]
    fn rules_to_one_place_copy_it_once() {
        let only = |prefix: &str| Destination { prefixes: vec![prefix.to_owned()], ..to("eu-west-1") };
        let merged = Destination::merged([only("b"), to("eu-central-1"), only("a"), only("b")]);
        let both = Destination { prefixes: vec!["a".to_owned(), "b".to_owned()], ..to("eu-west-1") };
        assert_eq!(merged, [to("eu-central-1"), both]);
        assert_eq!(Destination::merged([only("b"), to("eu-west-1")]), [to("eu-west-1")]);
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
        let repositories = ["ghcr.io/o/a", "ghcr.io/o/b"]
            .map(|name| Repository { keep: u32::MAX, ..repository(name, None, wild) });
        let most = Options { releases: u32::MAX, ..options() };
        let found = estimate(&repositories, &most, &Prices::default());
        assert_eq!((found.first.bytes, found.with.bytes), (u64::MAX, u64::MAX));
        assert!(found.without.usd().is_finite());
    }
}
