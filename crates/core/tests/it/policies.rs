//! Policies inferred from tags, judged by what Flux chooses with them.

use std::collections::BTreeMap;

use proptest::prelude::*;
use pullthru_core::config::FluxRange;
use pullthru_core::emit::policy::{Follows, Order, Policy, infer};
use regex::Regex;

use crate::flux_rules::choose;

fn policy(tags: &[&str]) -> Policy {
    ranged(tags, FluxRange::Any)
}

fn ranged(tags: &[&str], range: FluxRange) -> Policy {
    let tags: BTreeMap<String, usize> = tags.iter().map(|&tag| (tag.to_owned(), 1)).collect();
    infer(&tags, range).unwrap()
}

/// What every registry holds beside the releases.
const NOISE: &[&str] = &[
    "latest",
    "main",
    "edge",
    "nightly",
    "1a2b3c4",
    "sha-1a2b3c4",
    "0123456789abcdef0123456789abcdef01234567",
    "sha256-6b2b75c33f4c0872df35fd6736da7fec77b5ecb41ead438df2c4643f155f2020.sig",
    "sha256-6b2b75c33f4c0872df35fd6736da7fec77b5ecb41ead438df2c4643f155f2020.att",
    "sha256-6b2b75c33f4c0872df35fd6736da7fec77b5ecb41ead438df2c4643f155f2020",
    "pr-17",
    "cache",
];

struct Case {
    kind: &'static str,
    used: &'static str,
    /// Published before, and of other kinds.
    beside: &'static [&'static str],
    next: &'static str,
}

const CASES: &[Case] = &[
    Case {
        kind: "semver",
        used: "1.4.2",
        beside: &["1.4.1", "1.0.0", "1.4", "1", "1.5.0-rc.1", "1.5.0-alpine"],
        next: "1.4.3",
    },
    Case {
        kind: "v prefix",
        used: "v1.0.0",
        beside: &["v0.9.0", "v1.0", "v1", "v1.1.0-beta.1"],
        next: "v1.10.0",
    },
    Case { kind: "two digits", used: "1.9.0", beside: &["1.8.12"], next: "1.10.0" },
    Case {
        kind: "pre-release",
        used: "1.2.3-rc.9",
        beside: &["1.2.3-rc.8", "1.2.2", "1.3.0-alpine", "1.3.0-alpha.1"],
        next: "1.2.3-rc.10",
    },
    Case {
        kind: "release after pre-release",
        used: "v2.0.0-beta.2",
        beside: &["v2.0.0-beta.1", "v1.9.9"],
        next: "v2.0.0",
    },
    Case {
        kind: "two-part",
        used: "17.2",
        beside: &["16.6", "17", "17.1", "17.2-bookworm", "17.10-alpine"],
        next: "17.10",
    },
    Case { kind: "two-part with v", used: "v0.14", beside: &["v0.9", "v0.13", "v1"], next: "v0.15" },
    Case { kind: "four-part", used: "1.2.3.9", beside: &["1.2.3.8", "1.2.2.40", "1.2.3"], next: "1.2.3.10" },
    Case { kind: "one number", used: "17", beside: &["9", "16", "17-alpine"], next: "18" },
    Case { kind: "build number", used: "1042", beside: &["999", "1041"], next: "1043" },
    Case { kind: "v and one number", used: "v4", beside: &["v3", "v4.1", "v4.1.0"], next: "v10" },
    Case {
        kind: "branch and build",
        used: "main-99",
        beside: &["main-98", "dev-100", "main-1a2b3c4"],
        next: "main-100",
    },
    Case {
        kind: "calver as semver",
        used: "2024.9.1",
        beside: &["2024.8.3", "2023.12.9", "2024.9"],
        next: "2024.10.0",
    },
    Case {
        kind: "calver with zeros",
        used: "2024.09.30",
        beside: &["2024.09.02", "2023.12.31"],
        next: "2024.10.01",
    },
    Case {
        kind: "calver of two parts with zeros",
        used: "24.04",
        beside: &["22.04", "23.10", "24"],
        next: "24.10",
    },
    Case {
        kind: "date with dashes",
        used: "2025-09-30",
        beside: &["2025-09-01", "2024-12-31"],
        next: "2025-10-01",
    },
    Case {
        kind: "date with a counter",
        used: "2025.01.15-9",
        beside: &["2025.01.14-12", "2025.01.15-8"],
        next: "2025.01.15-10",
    },
    Case { kind: "plain date", used: "20250930", beside: &["20250929", "20241231"], next: "20251001" },
    Case {
        kind: "date and counter",
        used: "20250930.9",
        beside: &["20250930.8", "20250929.40"],
        next: "20250930.10",
    },
    Case { kind: "seconds", used: "1700000000", beside: &["1600000000"], next: "1700000001" },
    Case {
        kind: "date and time",
        used: "20240115T103000Z",
        beside: &["20240115T093000Z"],
        next: "20240115T103001Z",
    },
    Case {
        kind: "minio",
        used: "RELEASE.2024-10-13T13-34-11Z",
        beside: &["RELEASE.2024-10-02T17-50-41Z", "RELEASE.2024-10-29T16-01-48Z-cpuv1"],
        next: "RELEASE.2024-10-29T16-01-48Z",
    },
    Case {
        kind: "branch, commit, seconds",
        used: "main-a1b2c3d-1700000000",
        beside: &["main-ffffff1-1699999999", "dev-a1b2c3d-1800000000", "main-a1b2c3d"],
        next: "main-0000001-1700000100",
    },
    Case {
        kind: "a commit without letters",
        used: "main-1234567-1700000000",
        beside: &["main-a1b2c3d-1699999999"],
        next: "main-a1b2c3d-1700000100",
    },
    Case {
        kind: "branch, date, commit",
        used: "main-20250930101500-a1b2c3d",
        beside: &["main-20250929101500-ffffff1"],
        next: "main-20251001000000-0000001",
    },
    Case {
        kind: "variant",
        used: "1.2.3-alpine",
        beside: &["1.2.2-alpine", "1.2.4", "1.2.4-debian", "1.3.0-alpine3.20"],
        next: "1.2.4-alpine",
    },
    Case {
        kind: "variant with a version",
        used: "7.4.1-alpine3.20",
        beside: &["7.4.0-alpine3.20", "7.4.2-alpine3.21"],
        next: "7.4.10-alpine3.20",
    },
    Case {
        kind: "two-part variant",
        used: "1.29-alpine",
        beside: &["1.28-alpine", "1.30", "1.29.1-alpine"],
        next: "1.30-alpine",
    },
    Case {
        kind: "one number and a variant",
        used: "22-bookworm",
        beside: &["20-bookworm", "23-alpine", "22.1-bookworm"],
        next: "24-bookworm",
    },
    Case {
        kind: "bitnami",
        used: "1.2.3-debian-12-r9",
        beside: &["1.2.3-debian-12-r8", "1.2.3-debian-11-r80", "1.2.2-debian-12-r99", "1.2.3"],
        next: "1.2.3-debian-12-r10",
    },
    Case {
        kind: "bitnami, next version",
        used: "1.2.3-debian-12-r9",
        beside: &["1.2.3-debian-12-r8"],
        next: "1.2.4-debian-12-r0",
    },
    Case {
        kind: "linuxserver",
        used: "4.0.9-ls250",
        beside: &["4.0.9-ls249", "4.0.8-ls300"],
        next: "4.0.10-ls1",
    },
    Case { kind: "revision", used: "1.2.3-9", beside: &["1.2.3-8", "1.2.3"], next: "1.2.3-10" },
    Case {
        kind: "version and date",
        used: "1.2.3-20250930",
        beside: &["1.2.3-20250929"],
        next: "1.2.3-20251001",
    },
    Case {
        kind: "version and commit",
        used: "v1.2.3-a1b2c3d",
        beside: &["v1.2.2-ffffff1", "v1.2.4"],
        next: "v1.2.4-0000001",
    },
    Case {
        kind: "git describe",
        used: "v1.2.3-9-ga1b2c3d",
        beside: &["v1.2.3-8-gffffff1", "v1.2.3"],
        next: "v1.2.3-10-g0000001",
    },
    Case {
        kind: "prefix",
        used: "release-1.2.9",
        beside: &["release-1.2.8", "1.9.0", "hotfix-1.3.0"],
        next: "release-1.2.10",
    },
    Case {
        kind: "prefix with a dot",
        used: "release.1.2.9",
        beside: &["release.1.2.8"],
        next: "release.1.2.10",
    },
    Case { kind: "python's pre-release", used: "1.2.3rc9", beside: &["1.2.3rc8"], next: "1.2.3rc10" },
    Case {
        kind: "underscores",
        used: "1.2.9_linux",
        beside: &["1.2.8_linux", "1.3.0_windows"],
        next: "1.2.10_linux",
    },
];

fn list(case: &Case) -> Vec<String> {
    let all = NOISE.iter().chain(case.beside).copied().chain([case.used]);
    all.map(str::to_owned).collect()
}

#[test]
fn each_kind_of_tag_is_followed() {
    for case in CASES {
        let policy = policy(&[case.used]);
        assert_eq!(policy.follows, Follows::Tags, "{}: {policy:?}", case.kind);
        let mut tags = list(case);
        let chosen = choose(&policy, &tags);
        assert_eq!(chosen.as_deref(), Ok(case.used), "{}: the tag in use, by {policy:?}", case.kind);
        tags.push(case.next.to_owned());
        let chosen = choose(&policy, &tags);
        assert_eq!(chosen.as_deref(), Ok(case.next), "{}: the next release, by {policy:?}", case.kind);
    }
}

#[test]
fn ranges_are_written_as_people_write_them() {
    let range = |tags: &[&str], range| match ranged(tags, range).order {
        Order::Semver { range } => range,
        order => panic!("{order:?}"),
    };
    assert_eq!(range(&["v1.0.0"], FluxRange::Any), ">=1.0.0");
    assert_eq!(range(&["v1.0.0"], FluxRange::Major), ">=1.0.0 <2.0.0");
    assert_eq!(range(&["v1.4.2"], FluxRange::Minor), ">=1.4.2 <1.5.0");
    assert_eq!(range(&["1.0.0-rc.1"], FluxRange::Major), ">=1.0.0-0 <2.0.0-0");
    assert_eq!(range(&["v1.0.0", "v1.4.0"], FluxRange::Major), ">=1.0.0 <2.0.0", "from the lowest in use");
    assert_eq!(range(&["2024.9.1"], FluxRange::Major), ">=2024.9.1", "a year is no major version");
    assert_eq!(range(&["17.2"], FluxRange::Major), ">=17.2.0 <18.0.0");
    assert_eq!(range(&["1.2.3-debian-12-r4"], FluxRange::Minor), ">=1.2.3-0 <1.3.0-0");
}

#[test]
fn plain_versions_need_no_filter() {
    assert_eq!(policy(&["v1.0.0"]).filter, None);
    assert_eq!(policy(&["1.0.0"]).filter, None);
}

#[test]
fn a_range_keeps_its_promise() {
    let tags: Vec<String> = ["1.4.2", "1.4.9", "1.5.0", "2.0.0"].map(str::to_owned).to_vec();
    let chosen = |range| choose(&ranged(&["1.4.2"], range), &tags).unwrap();
    assert_eq!(chosen(FluxRange::Any), "2.0.0");
    assert_eq!(chosen(FluxRange::Major), "1.5.0");
    assert_eq!(chosen(FluxRange::Minor), "1.4.9");
}

#[test]
fn names_that_move_are_followed_by_digest_and_commits_not_at_all() {
    for tag in ["latest", "main", "stable", "edge", "dummy", "alpine", "jdk17"] {
        let policy = policy(&[tag]);
        assert_eq!(policy.follows, Follows::Digest, "{tag}");
        let tags: Vec<String> = NOISE.iter().copied().chain([tag, "1.0.0"]).map(str::to_owned).collect();
        assert_eq!(choose(&policy, &tags).as_deref(), Ok(tag));
    }
    for tag in ["a1b2c3d", "sha-a1b2c3d", "main-a1b2c3d", "0123456789abcdef0123456789abcdef01234567"] {
        let policy = policy(&[tag]);
        assert_eq!(policy.follows, Follows::Nothing, "{tag}");
        let tags: Vec<String> =
            NOISE.iter().copied().chain([tag, "main-ffffff1"]).map(str::to_owned).collect();
        assert_eq!(choose(&policy, &tags).as_deref(), Ok(tag));
    }
}

#[test]
fn a_release_in_use_wins_over_what_stands_in_for_one() {
    let policy = policy(&["dummy", "latest", "v1.0.0", "v1.1.0", "v1.2.0-rc.1"]);
    assert_eq!(policy.order, Order::Semver { range: ">=1.0.0".to_owned() });
    assert_eq!(policy.others, ["v1.2.0-rc.1", "dummy", "latest"]);
}

#[test]
fn no_filter_lets_a_signature_through() {
    for case in CASES {
        if let Some(filter) = policy(&[case.used]).filter {
            let pattern = Regex::new(&filter.pattern).unwrap();
            for tag in NOISE.iter().filter(|tag| tag.starts_with("sha256-")) {
                assert!(!pattern.is_match(tag), "{}: {} takes {tag}", case.kind, filter.pattern);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_policy_accepts_the_tag_in_use(
        tag in prop_oneof![
            "[A-Za-z0-9_][A-Za-z0-9_.-]{0,30}",
            "(v|release-|r|)[0-9]{1,4}([.][0-9]{1,3}){0,4}(-[a-z0-9.]{1,10}){0,3}",
            "(main-|)([0-9a-f]{7,9}|[0-9]{1,20}|20[0-9]{2}[.-][01][0-9][.-][0-3][0-9])([-_.][0-9a-zTZ]{1,10}){0,3}",
            "[0-9][0-9.]{0,40}",
        ],
        range in prop_oneof![Just(FluxRange::Any), Just(FluxRange::Major), Just(FluxRange::Minor)],
    ) {
        prop_assume!(pullthru_core::image::Reference::parse(&format!("a/b:{tag}")).is_ok());
        let policy = ranged(&[&tag], range);
        prop_assert_eq!(choose(&policy, std::slice::from_ref(&tag)), Ok(tag.clone()), "{:?}", policy);
        if let Some(filter) = &policy.filter {
            let substituted = filter.pattern.contains("${");
            prop_assert!(!substituted);
            prop_assert!(filter.pattern.starts_with('^') && filter.pattern.ends_with('$'));
        }
    }
}
