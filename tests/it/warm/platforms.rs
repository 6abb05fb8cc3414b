//! `warm` of some platforms: what is pulled of an index, and where no image is built for one.

use registry_sim::Image;

use super::{outcomes, text, warm};
use crate::verify::{BOTH, World, image};

/// A pin of one platform is imported with the index that holds it.
#[test]
fn a_pinned_platform_comes_with_its_index() {
    let app = image("app");
    let platform = app.platform("linux/arm64").unwrap().digest().to_owned();
    let reference = format!("ghcr.io/o/app:v1@{platform}");
    let world = World::new(&[("o/app", &app, &["v1"])]).pulling(&[&reference]);
    let (code, report) = warm(&world, &[]);
    assert_eq!((code, outcomes(&report)), (0, vec![(reference.as_str(), "imported")]), "{report:#}");
    assert_eq!(world.get(&format!("/v2/ghcr/o/app/manifests/{platform}")), 200);
}

#[test]
fn only_wanted_platforms_and_layers_are_pulled() {
    let app = Image::new("app").platforms(BOTH).layers([5_000, 3_000]).build();
    let blobs = |world: &World| {
        let log = world.cache.log();
        let asked = log
            .iter()
            .filter(|request| request.host == world.cache.host() && request.path.contains("/blobs/"));
        asked.map(|request| request.path.clone()).collect::<std::collections::BTreeSet<_>>().len()
    };
    for (arguments, manifests, pulled) in
        [(&[][..], 3, 6), (&["--platform", "linux/arm64"], 2, 3), (&["--manifests-only"], 3, 0)]
    {
        let world = World::new(&[("o/app", &app, &["v1"])]).pulling(&["ghcr.io/o/app:v1"]);
        let (code, report) = warm(&world, arguments);
        assert_eq!(code, 0, "{arguments:?}: {report:#}");
        let because = report["images"][0]["because"].as_str().unwrap();
        assert!(because.contains(&format!("{manifests} manifest")), "{arguments:?}: {because}");
        assert_eq!(blobs(&world), pulled, "{arguments:?}");
    }
}

/// Exit code 0 would say that nodes of that platform have it.
#[test]
fn platforms_that_match_nothing_are_an_error() {
    let (both, single) = (image("both"), Image::new("single").build());
    let world = World::new(&[("o/both", &both, &["v1"]), ("o/single", &single, &["v1"])])
        .pulling(&["ghcr.io/o/both:v1", "ghcr.io/o/single:v1"]);
    let (code, report) = warm(&world, &["--platform", "linux/s390x"]);
    let missing =
        vec![("ghcr.io/o/both:v1", "platform-missing"), ("ghcr.io/o/single:v1", "platform-missing")];
    assert_eq!((code, outcomes(&report)), (1, missing), "{report:#}");
    let because = |number: usize| report["images"][number]["because"].as_str().unwrap();
    assert_eq!(because(0), "not for linux/s390x: it has linux/amd64, linux/arm64");
    assert_eq!(because(1), "not for linux/s390x: it has linux/amd64");
    // One of two is enough; v2 runs v1.
    let (code, report) = warm(&world, &["--again", "--platform", "linux/s390x,linux/amd64/v2"]);
    let imported = vec![("ghcr.io/o/both:v1", "imported"), ("ghcr.io/o/single:v1", "imported")];
    assert_eq!((code, outcomes(&report)), (0, imported), "{report:#}");
    let run = text(&world, &["--platform", "linux/amd46"]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("there is no architecture `amd46`"), "{}", run.err);
}

/// Indexes within an index, and entries that name no platform.
#[test]
fn what_is_below_an_index_is_pulled_whole() {
    let (both, single) = (image("both"), Image::new("single").layers([700]).build());
    let app = Image::index([(&Image::index([(&both, None)]), None), (&single, None)]);
    for (arguments, manifests, blobs) in [
        (&[][..], 6, 6),
        (&["--platform", "linux/arm64"], 4, 2),
        // The entry without a platform is one for amd64, and is not needed for it.
        (&["--platform", "linux/amd64"], 4, 2),
    ] {
        let world = World::new(&[("o/app", &app, &["v1"])]).pulling(&["ghcr.io/o/app:v1"]);
        let (code, report) = warm(&world, arguments);
        assert_eq!(code, 0, "{arguments:?}: {report:#}");
        let because = report["images"][0]["because"].as_str().unwrap();
        let expected = format!("{manifests} manifests, {blobs} blobs");
        assert!(because.contains(&expected), "{arguments:?}: {because}");
    }
    let bare = Image::index([(&single, None)]);
    let world = World::new(&[("o/app", &bare, &["v1"])]).pulling(&["ghcr.io/o/app:v1"]);
    let (code, report) = warm(&world, &["--platform", "linux/amd64"]);
    assert_eq!((code, outcomes(&report)), (0, vec![("ghcr.io/o/app:v1", "imported")]), "{report:#}");
    let empty = Image::index([]);
    let world = World::new(&[("o/app", &empty, &["v1"])]).pulling(&["ghcr.io/o/app:v1"]);
    let (code, report) = warm(&world, &[]);
    assert_eq!((code, outcomes(&report)), (1, vec![("ghcr.io/o/app:v1", "platform-missing")]), "{report:#}");
}

/// A digest of one platform has no tag of its own: its index has.
#[test]
fn a_platform_that_is_pinned_without_its_tag_is_found_below_its_index() {
    let (old, new) = (image("old"), image("new"));
    let deep = Image::index([(&old, None)]);
    let world = World::new(&[("o/app", &deep, &["1.0.0", "1.0"]), ("o/app", &new, &["1.1.0", "latest"])]);
    let platform = old.platform("linux/arm64").unwrap().digest().to_owned();
    let (alone, moved) = (format!("ghcr.io/o/app@{platform}"), format!("ghcr.io/o/app:latest@{platform}"));
    let nowhere = format!("ghcr.io/o/app@sha256:{}", "ab".repeat(32));
    let world = world.pulling(&[&alone, &moved, &nowhere]);
    let (code, report) = warm(&world, &[]);
    assert_eq!(code, 1, "{report:#}");
    for (reference, outcome) in [(&alone, "imported"), (&moved, "imported"), (&nowhere, "no-tag")] {
        assert!(outcomes(&report).contains(&(reference.as_str(), outcome)), "{reference}: {report:#}");
    }
    assert_eq!(world.get(&format!("/v2/ghcr/o/app/manifests/{platform}")), 200);
}

/// What `--platform` would find is asked of the upstream, and nothing is imported for it.
#[test]
fn a_dry_run_checks_platforms() {
    let (both, single) = (image("both"), Image::new("single").build());
    let world = World::new(&[("o/both", &both, &["v1"]), ("o/single", &single, &["v1"])])
        .pulling(&["ghcr.io/o/both:v1", "ghcr.io/o/single:v1"]);
    let (code, report) = warm(&world, &["--dry-run", "--platform", "linux/arm64"]);
    let expected = vec![("ghcr.io/o/both:v1", "would-import"), ("ghcr.io/o/single:v1", "platform-missing")];
    assert_eq!((code, outcomes(&report)), (1, expected.clone()), "{report:#}");
    assert_eq!(report["images"][1]["because"], "not for linux/arm64: it has linux/amd64");
    world.assert_nothing_imported();
    // The same by what a lock knows, and nobody is asked.
    let lock = ["--at", "upstream", "--lock", "pullthru-digests.lock.json"];
    assert_eq!(world.run(&lock).code, 0);
    world.forget();
    let (code, report) = warm(&world, &["--dry-run", "--platform", "linux/arm64"]);
    assert_eq!((code, outcomes(&report)), (1, expected), "{report:#}");
    assert_eq!(world.upstream.requests(), 0);
    // `--no-lock` asks again.
    warm(&world, &["--dry-run", "--platform", "linux/arm64", "--no-lock"]);
    assert!(world.upstream.requests() > 0);
    // A pin of one platform comes with its index, whatever the lock says of the pin.
    let platform = both.platform("linux/arm64").unwrap().digest().to_owned();
    let reference = format!("ghcr.io/o/both:v1@{platform}");
    let world = world.pulling(&[&reference]);
    assert_eq!(world.run(&[&lock[..], &["--update-lock"]].concat()).code, 0);
    let (code, report) = warm(&world, &["--dry-run", "--platform", "linux/amd64"]);
    assert_eq!((code, outcomes(&report)), (0, vec![(reference.as_str(), "would-import")]), "{report:#}");
}
