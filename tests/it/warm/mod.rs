//! `pullthru warm`, the built binary, against a registry that behaves like ghcr.io and a cache that behaves like ECR.

mod flux;
mod platforms;

use std::time::Duration;

use registry_sim::{Artifact, CacheSettings, Content, Fault, Image, On, RetryAfter};
use serde_json::Value;

use crate::scratch::Run;
use crate::verify::{World, image};

/// `pullthru warm` in a world; the exit code and the report.
fn warm(world: &World, arguments: &[&str]) -> (i32, Value) {
    let storage = ["--storage-host", &world.cache.storage_host()];
    let run = text(world, &[&storage, arguments, &["--format", "json"]].concat());
    let report = serde_json::from_str(&run.out);
    (run.code, report.unwrap_or_else(|error| panic!("{error}: {}{}", run.out, run.err)))
}

fn text(world: &World, arguments: &[&str]) -> Run {
    Run::from(world.command_of("warm", arguments).output().unwrap())
}

/// The outcomes, in the order of the report.
fn outcomes(report: &Value) -> Vec<(&str, &str)> {
    let rows = report["images"].as_array().unwrap();
    rows.iter().map(|row| (row["reference"].as_str().unwrap(), row["outcome"].as_str().unwrap())).collect()
}

/// Paths that the cache was asked for.
fn asked(world: &World, part: &str) -> usize {
    world.cache.log().iter().filter(|request| request.path.contains(part)).count()
}

fn pinned(name: &str, content: &Content) -> String {
    format!("ghcr.io/{name}@{}", content.digest())
}

#[test]
fn a_pinned_image_can_be_pulled_once_its_tag_was() {
    let app = image("app");
    let reference = pinned("o/app:v1", &app);
    let world = World::new(&[("o/app", &app, &["v1"])]).pulling(&[&reference]);
    let path = format!("/v2/ghcr/o/app/manifests/{}", app.digest());
    assert_eq!(world.get(&path), 404, "a node's first pull by digest");
    let (code, report) = warm(&world, &[]);
    assert_eq!((code, outcomes(&report)), (0, vec![(reference.as_str(), "imported")]), "{report:#}");
    assert_eq!(report["images"][0]["digest"], app.digest());
    assert_eq!(world.get(&path), 200);
    let (code, report) = world.verify(&[]);
    assert_eq!((code, report.0["images"][0]["outcome"].as_str()), (0, Some("resolved")), "{report:?}");
}

#[test]
fn a_second_run_pulls_nothing() {
    let (a, b) = (image("a"), image("b"));
    let world = World::new(&[("o/a", &a, &["v1"]), ("o/b", &b, &["v1"])]).pulling(&["ghcr.io/o/a:v1"]);
    assert_eq!(warm(&world, &[]).0, 0);
    // One more image: the run goes on where the first one was.
    let world = world.pulling(&["ghcr.io/o/a:v1", "ghcr.io/o/b:v1"]);
    world.forget();
    let (code, report) = warm(&world, &[]);
    let expected = [("ghcr.io/o/a:v1", "already-warm"), ("ghcr.io/o/b:v1", "imported")];
    assert_eq!((code, outcomes(&report).as_slice()), (0, expected.as_slice()));
    assert_eq!(asked(&world, "/ghcr/o/a/"), 0, "what is there is not pulled");
    let (_, report) = warm(&world, &["--again"]);
    assert_eq!(outcomes(&report), [("ghcr.io/o/a:v1", "imported"), ("ghcr.io/o/b:v1", "imported")]);
}

#[test]
fn a_dry_run_pulls_nothing_and_names_the_tags() {
    let app = image("app");
    let world = World::new(&[("o/app", &app, &["1.0.0", "1.1.0"])]).pulling(&["ghcr.io/o/app:1.0.0"]);
    let run = text(&world, &["--dry-run"]);
    let said = "read 1 file\nwould-import  ghcr.io/o/app:1.0.0  would be pulled by its tag `1.0.0`\n1 image: 1 would-import\n\
         next: `pullthru warm` without `--dry-run` pulls them\n";
    assert_eq!((run.code, run.out.as_str()), (0, said));
    world.assert_nothing_imported();
}

#[test]
fn a_tag_is_looked_for_when_none_is_written_or_it_has_moved() {
    let (old, new) = (image("old"), image("new"));
    let world =
        World::new(&[("o/app", &old, &["1.0.0", "stable-old"]), ("o/app", &new, &["1.1.0", "latest"])]);
    let (alone, moved) = (pinned("o/app", &old), pinned("o/app:latest", &old));
    let world = world.pulling(&[&alone, &moved]);
    let (code, report) = warm(&world, &[]);
    assert_eq!(code, 0, "{report:#}");
    for row in report["images"].as_array().unwrap() {
        let because = row["because"].as_str().unwrap();
        assert!(because.starts_with("pulled by `1.0.0`") || row["outcome"] == "already-warm", "{row}");
    }
    assert!(world.cache.is_cached("ghcr/o/app", old.digest()));
}

#[test]
fn a_digest_without_any_tag_is_reported() {
    let (gone, here) = (image("gone"), image("here"));
    let world = World::new(&[("o/app", &gone, &["v1"]), ("o/app", &here, &["v2"])]);
    world.upstream.untag("o/app", "v1");
    let reference = pinned("o/app", &gone);
    let world = world.pulling(&[&reference]);
    let run = text(&world, &[]);
    assert_eq!(run.code, 1, "{}", run.err);
    assert!(run.out.contains("no tag leads to the pinned digest (1 tag looked at)"), "{}", run.out);
    assert!(run.out.contains("apps/pod.yaml:8"), "{}", run.out);
}

/// The cache looks upstream once in 24 hours: a tag may bring what it led to before.
#[test]
fn what_the_tag_brings_has_to_be_what_is_pinned() {
    let (old, new) = (image("old"), image("new"));
    let world = World::new(&[("o/app", &old, &["v1"])]);
    world.warm("o/app", "v1");
    world.upstream.push("o/app", &new, ["v1"]);
    let reference = pinned("o/app:v1", &new);
    let world = world.pulling(&[&reference]);
    let (code, report) = warm(&world, &[]);
    assert_eq!((code, outcomes(&report)), (1, vec![(reference.as_str(), "wrong-digest")]), "{report:#}");
    assert!(report["images"][0]["because"].as_str().unwrap().contains(old.digest()), "{report:#}");
    world.cache.clock().advance(Duration::from_secs(25 * 3600));
    assert_eq!(warm(&world, &[]).0, 0);
    assert!(world.cache.is_cached("ghcr/o/app", new.digest()));
}

/// The first pull may be sent to the upstream's own storage (aws/containers-roadmap#2304).
#[test]
fn layers_are_asked_for_until_they_come_from_the_cache() {
    let app = Image::new("app").platforms(["linux/amd64"]).layers([2_000]).build();
    let settings = || CacheSettings {
        region: "ca-central-1".to_owned(),
        first_blob_from_upstream: true,
        ..CacheSettings::default()
    };
    let world = World::with(&[("o/app", &app, &["v1"])], settings()).pulling(&["ghcr.io/o/app:v1"]);
    let (code, report) = warm(&world, &["--patience", "0s"]);
    assert_eq!(
        (code, outcomes(&report)),
        (0, vec![("ghcr.io/o/app:v1", "imported-elsewhere")]),
        "{report:#}"
    );
    assert!(report["images"][0]["because"].as_str().unwrap().contains(&world.upstream.storage_host()));
    let world = World::with(&[("o/app", &app, &["v1"])], settings()).pulling(&["ghcr.io/o/app:v1"]);
    let (code, report) = warm(&world, &["--patience", "18446744073709551615h"]);
    assert_eq!((code, outcomes(&report)), (0, vec![("ghcr.io/o/app:v1", "imported")]), "{report:#}");
}

#[test]
fn signatures_come_along_on_request() {
    let app = image("app");
    let world = World::new(&[("o/app", &app, &["v1"])]).pulling(&["ghcr.io/o/app:v1"]);
    let signature = Artifact::signature(app.manifest());
    let tag = Artifact::signature_tag(app.digest());
    world.upstream.push("o/app", &signature, [tag.as_str()]);
    assert_eq!(warm(&world, &[]).0, 0);
    assert!(!world.cache.is_cached("ghcr/o/app", &tag));
    let (code, report) = warm(&world, &["--again", "--referrers"]);
    assert_eq!(code, 0, "{report:#}");
    assert!(report["images"][0]["because"].as_str().unwrap().contains("1 referrer"), "{report:#}");
    assert!(world.cache.is_cached("ghcr/o/app", &tag));
}

#[test]
fn charts_are_warmed_on_request() {
    let (chart, flux) = (Artifact::chart("app", "1.2.3"), Artifact::flux("app", "main@sha1:00"));
    let world = World::new(&[("o/charts/app", &chart, &["1.2.3"]), ("o/manifests/app", &flux, &["stable"])]);
    world.scratch.write("app.yaml", crate::verify::artifacts::RELEASE.as_bytes());
    assert_eq!(outcomes(&warm(&world, &[]).1), []);
    let (code, report) = warm(&world, &["--artifacts"]);
    let expected =
        [("ghcr.io/o/charts/app:1.2.3", "imported"), ("ghcr.io/o/manifests/app:stable", "imported")];
    assert_eq!((code, outcomes(&report).as_slice()), (0, expected.as_slice()), "{report:#}");
}

#[test]
fn refusals_are_distinguished() {
    let app = image("app");
    let there = || World::new(&[("o/app", &app, &["v1"])]).pulling(&["ghcr.io/o/app:v1"]);
    let world = there();
    world.cache.iam().deny("BatchImportUpstreamImage");
    let run = text(&world, &[]);
    assert_eq!(run.code, 1, "{}{}", run.out, run.err);
    assert!(run.out.contains("`ecr:BatchImportUpstreamImage` is not allowed"), "{}", run.out);
    let world = there();
    world.cache.remove_rule("ghcr");
    assert!(text(&world, &[]).out.contains("no rule for this prefix"));
    let world = World::new(&[]).pulling(&["ghcr.io/o/none:v1"]);
    let run = text(&world, &[]);
    assert_eq!(run.code, 1, "{}{}", run.out, run.err);
    assert!(run.out.contains("a wrong secret, or a path that does not exist there"), "{}", run.out);
    let world = there();
    world
        .cache
        .faults()
        .add(On::path("/v2/*/manifests/*"), Fault::TooManyRequests(RetryAfter::Seconds(3600)));
    assert_eq!(text(&world, &[]).code, 3);
}

#[test]
fn without_a_cache_there_is_nothing_to_warm() {
    let world = World::new(&[]).pulling(&["ghcr.io/o/app:v1"]);
    let run = Run::from(world.bare_of("warm", &[]).output().unwrap());
    assert_eq!(run.code, 2);
    assert!(run.err.contains("no cache to warm is configured"), "{}", run.err);
}

/// What ECR has archived is not warm, and pulling it does not help.
#[test]
fn what_is_in_the_archive_is_said_and_not_pulled() {
    let app = image("app");
    let world = World::new(&[("o/app", &app, &["v1"])]).pulling(&["ghcr.io/o/app:v1"]);
    world.warm("o/app", "v1");
    world.cache.set_status("ghcr/o/app", app.digest(), "ARCHIVED");
    for arguments in [&[][..], &["--again"], &["--dry-run"]] {
        let (code, report) = warm(&world, arguments);
        let expected = vec![("ghcr.io/o/app:v1", "archived")];
        assert_eq!((code, outcomes(&report)), (1, expected), "{arguments:?}: {report:#}");
        assert!(report["images"][0]["next"].as_str().unwrap().contains("--target-storage-class STANDARD"));
    }
}

/// Tags of a repository have most of their layers in common: each is downloaded once a run, and each manifest below an index too.
#[test]
fn what_tags_have_in_common_is_pulled_once() {
    let single = |name: &str, size| Image::new(name).layers([size]).build();
    let (base, one, two) = (single("base", 500_000), single("one", 1_000), single("two", 2_000));
    let index = |arm: &Content| Image::index([(&base, Some("linux/amd64")), (arm, Some("linux/arm64"))]);
    let (first, second) = (index(&one), index(&two));
    let content: [(&str, &Content, &[&str]); 3] =
        [("o/app", &first, &["v1", "v1.0"]), ("o/app", &second, &["v2"]), ("o/other", &first, &["v1"])];
    let world = World::new(&content).pulling(&["ghcr.io/o/app:v1", "ghcr.io/o/app:v1.0", "ghcr.io/o/app:v2"]);
    let (code, report) = warm(&world, &[]);
    assert_eq!(code, 0, "{report:#}");
    // What each image has is said of each; the sum counts the base once.
    let because = |number: usize| report["images"][number]["because"].as_str().unwrap();
    assert!((0..3).all(|number| because(number).contains("3 manifests, 4 blobs")), "{report:#}");
    let bytes = report["summary"]["bytes"].as_u64().unwrap();
    assert!((503_000..520_000).contains(&bytes), "{bytes}");
    let log = world.cache.log();
    let got = |part: &str| -> Vec<String> {
        let of_registry =
            log.iter().filter(|request| request.host == world.cache.host() && request.method == "GET");
        let logged_in = of_registry.filter(|request| request.header("authorization").is_some());
        logged_in.map(|request| request.path.clone()).filter(|path| path.contains(part)).collect()
    };
    // A layer that came from the upstream's storage was asked for once more, and never for each tag.
    let layers = got("/blobs/");
    let distinct: std::collections::BTreeSet<&String> = layers.iter().collect();
    assert_eq!((distinct.len(), layers.len()), (6, 2 * 6), "{layers:#?}");
    assert_eq!(got("/manifests/sha256:").len(), 3);
    // Another repository is another place.
    world.scratch.write("apps/other.yaml", crate::verify::pods(&["ghcr.io/o/other:v1"]).as_bytes());
    world.forget();
    assert_eq!(warm(&world, &[]).0, 0);
    assert!(asked(&world, "/ghcr/o/other/blobs/") > 0);
}

/// A lock that has the tag of a digest spares the list of all tags, and is believed only where the upstream agrees.
#[test]
fn the_tag_of_a_pinned_digest_is_taken_from_the_lock() {
    let (app, new) = (image("app"), image("new"));
    let tags: Vec<String> = (0..30).map(|number| format!("1.0.{number}")).collect();
    let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    let world = World::new(&[("o/app", &app, &["stable"]), ("o/app", &new, &tags)])
        .pulling(&["ghcr.io/o/app:stable"]);
    assert_eq!(world.run(&["--at", "upstream", "--lock", "pullthru-digests.lock.json"]).code, 0);
    let alone = pinned("o/app", &app);
    let world = world.pulling(&[&alone]);
    let asked = |arguments: &[&str]| {
        world.forget();
        let (code, report) = warm(&world, &[&["--dry-run"][..], arguments].concat());
        assert_eq!((code, outcomes(&report)), (0, vec![(alone.as_str(), "would-import")]), "{report:#}");
        assert!(report["images"][0]["because"].as_str().unwrap().contains("`stable`"), "{report:#}");
        let log = world.upstream.log();
        let lists = log.iter().filter(|request| request.path.contains("/tags/list")).count();
        (lists > 0, crate::verify::manifests(&log).len())
    };
    assert_eq!(asked(&[]), (false, 1));
    assert!(asked(&["--no-lock"]).0);
    // The tag has moved: all are looked at.
    world.upstream.push("o/app", &new, ["stable"]);
    world.upstream.push("o/app", &app, ["older"]);
    let (code, report) = warm(&world, &["--dry-run"]);
    assert_eq!((code, outcomes(&report)), (0, vec![(alone.as_str(), "would-import")]), "{report:#}");
    assert!(report["images"][0]["because"].as_str().unwrap().contains("`older`"), "{report:#}");
}

/// What no cache will hold is said, with the reason, and is no failure: nothing was to be done.
#[test]
fn what_no_route_leads_to_a_cache_is_said() {
    let app = image("app");
    let world = World::new(&[("o/app", &app, &["v1"])]);
    let list = "ghcr.io/o/app:v1\nquay.io/o/app:v1\nquay.io/o/web:v1\nmcr.microsoft.com/o/app:v1\nregistry.example/o/app:v1\n";
    world.scratch.write("list.txt", list.as_bytes());
    let (code, report) = warm(&world, &["--list", "list.txt"]);
    let expected = vec![
        ("ghcr.io/o/app:v1", "imported"),
        ("mcr.microsoft.com/o/app:v1", "not-cached"),
        ("quay.io/o/app:v1", "not-cached"),
        ("quay.io/o/web:v1", "not-cached"),
        ("registry.example/o/app:v1", "not-cached"),
    ];
    assert_eq!((code, outcomes(&report)), (0, expected), "{report:#}");
    let row = |number: usize| &report["images"][number];
    assert_eq!(row(2)["because"], "no route leads it to a cache");
    assert!(row(2)["next"].as_str().unwrap().contains("`upstreams:`"), "{report:#}");
    assert_eq!(row(4)["because"], "its registry is no upstream that ECR can cache");
    assert!(row(1)["next"].is_null() && row(4)["next"].is_null());
    let run = text(&world, &["--list", "list.txt"]);
    assert!(
        run.out.contains("not-cached  2 images\n  no route leads it to a cache\n  → add its registry"),
        "{}",
        run.out
    );
}
