//! What can be so of an image, each outcome with the exit code that it has and what it says to do.

use std::time::Duration;

use registry_sim::{Content, Image};

use super::{BOTH, ECR, World, assert_says, image};

#[test]
fn an_image_at_the_upstream_resolves_to_digest_type_and_platforms() {
    let app = image("app 1");
    let world = World::new(&[("o/app", &app, &["v1"])]).pulling(&["ghcr.io/o/app:v1"]);
    let (code, report) = world.verify(&["--at", "upstream"]);
    let row = report.only();
    assert_eq!((code, row["outcome"].as_str()), (0, Some("resolved")));
    assert_eq!(row["digest"], app.digest());
    assert_eq!(row["mediaType"], "application/vnd.oci.image.index.v1+json");
    assert_eq!(row["platforms"][1]["platform"], "linux/arm64");
    assert_eq!(row["places"][0]["path"], "apps/pod.yaml");
    assert_eq!(row["places"][0]["line"], 8);
    world.assert_nothing_imported();
}

#[test]
fn a_single_manifest_and_docker_types_resolve_too() {
    let (single, docker) =
        (Image::new("single").build(), Image::new("docker").docker().platforms(BOTH).build());
    let world = World::new(&[("o/single", &single, &["v1"]), ("o/docker", &docker, &["v1"])])
        .pulling(&["ghcr.io/o/single:v1", "ghcr.io/o/docker:v1"]);
    let (code, report) = world.verify(&["--at", "upstream", "--platform", "linux/amd64"]);
    assert_eq!(code, 0, "{report:#?}");
    let row = report.row("ghcr.io/o/single:v1");
    assert_eq!(row["digest"], single.digest());
    assert_eq!(row["platforms"].as_array().unwrap().len(), 1);
    // The configuration of a single image is small; the layer has 1024 bytes.
    assert!(row["platforms"][0]["size"].as_u64().unwrap() > 1024);
    assert_eq!(
        report.row("ghcr.io/o/docker:v1")["mediaType"],
        "application/vnd.docker.distribution.manifest.list.v2+json"
    );
}

#[test]
fn sizes_of_an_index_are_read_on_request_and_attestations_are_no_platform() {
    let app = Image::new("app").platforms(BOTH).layers([5_000_000, 1_000_000]).attested().build();
    let world = World::new(&[("o/app", &app, &["v1"])]).pulling(&["ghcr.io/o/app:v1"]);
    let size = |report: &super::Report| report.only()["platforms"][0]["size"].as_u64();
    let (_, report) = world.verify(&["--at", "upstream"]);
    assert_eq!((report.only()["platforms"].as_array().unwrap().len(), size(&report)), (2, None));
    let (_, report) = world.verify(&["--at", "upstream", "--sizes"]);
    assert!(size(&report).unwrap() > 6_000_000);
}

#[test]
fn an_image_that_is_cached_resolves_without_asking_the_upstream() {
    let app = image("app 1");
    let world = World::new(&[("o/app", &app, &["v1"])]).pulling(&["ghcr.io/o/app:v1"]);
    world.warm("o/app", "v1");
    let (code, report) = world.verify(&[]);
    let row = report.only();
    assert_eq!((code, row["outcome"].as_str()), (0, Some("resolved")));
    assert_eq!((&row["digest"], &row["cacheDigest"]), (&app.digest().into(), &app.digest().into()));
    assert_eq!(row["cached"], format!("{ECR}/ghcr/o/app:v1"));
    assert_eq!(world.upstream.requests(), 0);
}

#[test]
fn a_tag_that_is_not_cached_is_cold_and_no_failure() {
    let world = World::new(&[("o/app", &image("app"), &["v1"])]).pulling(&["ghcr.io/o/app:v1"]);
    let (code, report) = world.verify(&[]);
    let row = report.only();
    assert_eq!((code, row["outcome"].as_str()), (0, Some("cold")));
    assert_says(row, "next", "`pullthru warm apps/pod.yaml`");
    world.assert_nothing_imported();
}

#[test]
fn a_pinned_image_that_is_not_cached_is_found_before_the_merge() {
    let app = image("app");
    let pinned = format!("ghcr.io/o/app:v1@{}", app.digest());
    let bare = format!("ghcr.io/o/app@{}", app.digest());
    let world = World::new(&[("o/app", &app, &["v1"])]).pulling(&[&pinned, &bare]);
    let (code, report) = world.verify(&[]);
    assert_eq!(code, 1);
    for reference in [&pinned, &bare] {
        let row = report.row(reference);
        assert_eq!(row["outcome"], "cold-digest");
        assert_says(row, "next", "`pullthru warm apps/pod.yaml`");
        assert_eq!(row["upstreamDigest"], app.digest());
    }
    world.assert_nothing_imported();
    // What a node would meet: the same pull fails.
    assert_eq!(world.get(&format!("/v2/ghcr/o/app/manifests/{}", app.digest())), 404);
    // Once its tag has been pulled, it is there.
    world.warm("o/app", "v1");
    let (code, report) = world.verify(&[]);
    assert_eq!((code, report.0["summary"]["outcomes"]["resolved"].as_u64()), (0, Some(2)));
}

#[test]
fn a_cold_pin_says_where_its_tag_leads_now() {
    let (old, new) = (image("app 1"), image("app 2"));
    let pinned = format!("ghcr.io/o/app:v1@{}", old.digest());
    let world = World::new(&[("o/app", &old, &[]), ("o/app", &new, &["v1"])]).pulling(&[&pinned]);
    let (code, report) = world.verify(&[]);
    assert_eq!((code, report.only()["outcome"].as_str()), (1, Some("cold-digest")));
    assert_says(report.only(), "next", &format!("its tag leads to {} now", new.digest()));
    world.upstream.untag("o/app", "v1");
    let (code, report) = world.verify(&[]);
    assert_eq!((code, report.only()["outcome"].as_str()), (1, Some("cold-digest")));
    assert_says(report.only(), "next", "its tag is gone");
}

#[test]
fn a_pin_whose_tag_moved_on_is_pulled_and_noted() {
    let (old, new) = (image("app 1"), image("app 2"));
    let pinned = format!("ghcr.io/o/app:v1@{}", old.digest());
    let world = World::new(&[("o/app", &old, &["v1"])]).pulling(&[&pinned]);
    world.warm("o/app", "v1");
    world.upstream.push("o/app", &new, ["v1"]);
    for at in ["upstream", "both"] {
        let (code, report) = world.verify(&["--at", at]);
        let row = report.only();
        assert_eq!((code, row["outcome"].as_str()), (0, Some("pin-moved")), "{at}: {row:#}");
        assert_says(row, "because", new.digest());
        assert_eq!(row["digest"], old.digest());
    }
    // The cache alone knows nothing of it, and has what is pinned.
    assert_eq!(world.verify(&["--at", "cache"]).1.only()["outcome"], "resolved");
    // The tag is gone: nothing leads to the pinned digest.
    world.upstream.untag("o/app", "v1");
    for at in ["upstream", "both"] {
        let (code, report) = world.verify(&["--at", at]);
        assert_eq!((code, report.only()["outcome"].as_str()), (0, Some("pin-moved")), "{at}: {report:#?}");
        assert_says(report.only(), "because", "its tag is not any more");
    }
}

/// Some pin the manifest of one platform beside a tag that leads to the index.
#[test]
fn one_platform_of_what_the_tag_has_is_no_moved_pin() {
    let app = image("app");
    let child = app.platform("linux/amd64").unwrap().digest().to_owned();
    let pinned = format!("ghcr.io/o/app:v1@{child}");
    let world = World::new(&[("o/app", &app, &["v1"])]).pulling(&[&pinned]);
    let (code, report) = world.verify(&["--at", "upstream"]);
    assert_eq!((code, report.only()["outcome"].as_str()), (0, Some("resolved")), "{report:#?}");
    assert_eq!(report.only()["digest"], child);
    let (code, report) = world.verify(&["--at", "both"]);
    assert_eq!((code, report.only()["outcome"].as_str()), (1, Some("cold-digest")));
    assert_says(report.only(), "next", &format!("`echo {ECR}/ghcr/o/app:v1 | pullthru warm --list -`"));
    world.warm("o/app", "v1");
    let (code, report) = world.verify(&["--at", "both"]);
    assert_eq!((code, report.only()["outcome"].as_str()), (0, Some("resolved")));
    // Pinned like that it runs on one architecture, whatever the index has.
    let (code, report) = world.verify(&["--at", "both", "--platform", "linux/arm64"]);
    assert_eq!((code, report.only()["outcome"].as_str()), (1, Some("platform-missing")));
}

#[test]
fn a_stale_tag_differs_and_its_age_is_reported() {
    let (old, new) = (image("app 1"), image("app 2"));
    let world = World::new(&[("o/app", &old, &["v1"])]).pulling(&["ghcr.io/o/app:v1"]);
    world.warm("o/app", "v1");
    world.upstream.push("o/app", &new, ["v1"]);
    let (code, report) = world.verify(&["--at", "both"]);
    let row = report.only();
    assert_eq!((code, row["outcome"].as_str()), (0, Some("differs")));
    assert_eq!((&row["cacheDigest"], &row["upstreamDigest"]), (&old.digest().into(), &new.digest().into()));
    assert_says(row, "because", "imported 0 h ago");
    assert_says(row, "next", "once in 24 h");
    // Nobody asked the cache to look: it still has the old one.
    assert!(world.upstream.imports().is_empty());
}

#[test]
fn what_only_the_cache_still_has_is_noted_where_both_are_asked() {
    let app = image("app");
    let world = World::new(&[("o/app", &app, &["v1"])]).pulling(&["ghcr.io/o/app:v1"]);
    world.warm("o/app", "v1");
    world.upstream.untag("o/app", "v1");
    let (code, report) = world.verify(&["--at", "both"]);
    assert_eq!((code, report.only()["outcome"].as_str()), (0, Some("only-cached")), "{report:#?}");
    assert_eq!(report.only()["digest"], app.digest());
    assert_eq!(world.verify(&[]).1.only()["outcome"], "resolved");
}

#[test]
fn a_missing_image_is_distinguished_from_a_missing_tag() {
    let world =
        World::new(&[("o/app", &image("app"), &["v1"])]).pulling(&["ghcr.io/o/app:v9", "ghcr.io/o/none:v1"]);
    for arguments in [&["--at", "upstream"][..], &["--at", "cache"]] {
        let (code, report) = world.verify(arguments);
        assert_eq!(code, 1);
        let (tag, repository) = (report.row("ghcr.io/o/app:v9"), report.row("ghcr.io/o/none:v1"));
        assert_eq!((&tag["outcome"], &repository["outcome"]), (&"missing".into(), &"missing".into()));
        assert_says(tag, "because", "MANIFEST_UNKNOWN");
        assert_says(tag, "next", "fix the name or the tag");
        // ghcr.io says to nobody whether it is private or does not exist.
        assert_says(repository, "next", "it is private or does not exist");
    }
    world.assert_nothing_imported();
}

#[test]
fn an_image_of_ecr_that_no_rule_is_known_for_is_missing_there() {
    let own = format!("{ECR}/own/app:v1");
    let world = World::new(&[]).pulling(&[&own]);
    let (code, report) = world.verify(&["--at", "cache"]);
    assert_eq!((code, report.only()["outcome"].as_str()), (1, Some("missing-cache")), "{report:#?}");
    // The upstreams cannot be asked for it, and that was chosen.
    let (code, report) = world.verify(&["--at", "upstream"]);
    assert_eq!((code, report.only()["outcome"].as_str()), (0, Some("not-asked")), "{report:#?}");
}

#[test]
fn a_platform_that_is_wanted_and_absent() {
    let (both, arm) = (image("both"), Image::new("arm").platforms(["linux/arm64/v8"]).build());
    let single = Image::new("single").build();
    let world =
        World::new(&[("o/both", &both, &["v1"]), ("o/arm", &arm, &["v1"]), ("o/single", &single, &["v1"])])
            .pulling(&["ghcr.io/o/both:v1", "ghcr.io/o/arm:v1", "ghcr.io/o/single:v1"]);
    let wanted = ["--platform", "linux/amd64,linux/arm64"];
    let check = |arguments: &[&str]| {
        let (code, report) = world.verify(&[arguments, &wanted].concat());
        assert_eq!(code, 1);
        assert_ne!(report.row("ghcr.io/o/both:v1")["outcome"], "platform-missing");
        for (reference, because) in [
            ("ghcr.io/o/arm:v1", "not for linux/amd64: it has linux/arm64/v8"),
            ("ghcr.io/o/single:v1", "not for linux/arm64: it has linux/amd64"),
        ] {
            assert_eq!(report.row(reference)["outcome"], "platform-missing");
            assert_says(report.row(reference), "because", because);
        }
    };
    check(&["--at", "upstream"]);
    check(&["--at", "cache"]);
    // Cached, the platforms are read from the cache, by digest.
    for repository in ["o/both", "o/arm", "o/single"] {
        world.warm(repository, "v1");
    }
    check(&["--at", "cache"]);
    assert!(world.upstream.imports().is_empty());
    let run = world.run(&["--platform", "amd64"]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("`amd64` is no platform: write `linux/amd64`"), "{}", run.err);
}

#[test]
fn importing_is_asked_for_and_then_happens() {
    let app = image("app");
    let pinned = format!("ghcr.io/o/app:v1@{}", app.digest());
    let world = World::new(&[("o/app", &app, &["v1"])]).pulling(&["ghcr.io/o/app:v1", &pinned]);
    let (code, report) = world.verify(&["--allow-import"]);
    assert_eq!((code, report.0["summary"]["outcomes"]["resolved"].as_u64()), (0, Some(2)), "{report:#?}");
    assert!(world.cache.is_cached("ghcr/o/app", app.digest()));
}

#[test]
fn a_pin_whose_tag_moved_is_not_mistaken_for_what_importing_brings() {
    let (old, new) = (image("app 1"), image("app 2"));
    let pinned = format!("ghcr.io/o/app:v1@{}", old.digest());
    let world = World::new(&[("o/app", &old, &[]), ("o/app", &new, &["v1"])]).pulling(&[&pinned]);
    let (code, report) = world.verify(&["--allow-import"]);
    assert_eq!((code, report.only()["outcome"].as_str()), (1, Some("cold-digest")), "{report:#?}");
    assert!(!world.cache.is_cached("ghcr/o/app", old.digest()));
}

#[test]
fn a_day_later_a_pull_and_not_a_verification_refreshes_the_tag() {
    let (old, new) = (image("app 1"), image("app 2"));
    let world = World::new(&[("o/app", &old, &["v1"])]).pulling(&["ghcr.io/o/app:v1"]);
    world.warm("o/app", "v1");
    world.upstream.push("o/app", &new, ["v1"]);
    world.cache.clock().advance(Duration::from_secs(25 * 3600));
    assert_eq!(world.verify(&["--at", "both", "--sizes"]).1.only()["outcome"], "differs");
    world.warm("o/app", "v1");
    assert_eq!(world.verify(&["--at", "both"]).1.only()["outcome"], "resolved");
}

/// `DescribeImages` shows what ECR has archived, and a pull of it is answered with 404 (Amazon ECR user guide, "Archiving an
/// image").
#[test]
fn what_is_in_the_archive_cannot_be_pulled() {
    let (app, other) = (image("app"), image("other"));
    let pinned = format!("ghcr.io/o/app:v1@{}", app.digest());
    for reference in ["ghcr.io/o/app:v1", pinned.as_str()] {
        let world = World::new(&[("o/app", &app, &["v1"]), ("o/other", &other, &["v1"])])
            .pulling(&[reference, "ghcr.io/o/other:v1"]);
        world.warm("o/app", "v1");
        world.warm("o/other", "v1");
        for (status, next) in [
            (
                "ARCHIVED",
                "aws ecr update-image-storage-class --region ca-central-1 --repository-name ghcr/o/app",
            ),
            ("ACTIVATING", "wait until it is restored"),
        ] {
            world.cache.set_status("ghcr/o/app", app.digest(), status);
            assert_eq!(world.get("/v2/ghcr/o/app/manifests/v1"), 404);
            for arguments in [&["--at", "cache"][..], &["--at", "both"], &["--at", "cache", "--allow-import"]]
            {
                let (code, report) = world.verify(arguments);
                let row = report.row(reference);
                let found = (code, row["outcome"].as_str(), row["severity"].as_str());
                assert_eq!(found, (1, Some("archived"), Some("bad")), "{arguments:?} {status}: {row:#}");
                assert_says(row, "next", next);
                assert!(row.get("cacheDigest").is_none(), "{row:#}");
                assert_eq!(report.row("ghcr.io/o/other:v1")["outcome"], "resolved", "{arguments:?}");
            }
        }
        world.cache.set_status("ghcr/o/app", app.digest(), "ACTIVE");
        assert_eq!(world.verify(&["--at", "cache"]).0, 0);
        // A status that is not known does not count as there either.
        world.cache.set_status("ghcr/o/app", app.digest(), "HIBERNATING");
        let (code, report) = world.verify(&["--at", "cache"]);
        assert_eq!((code, report.row(reference)["outcome"].as_str()), (1, Some("denied")), "{report:#?}");
    }
}

/// The digest lock settles `cold-digest` in `check`: an archived image is not in it.
#[test]
fn what_is_in_the_archive_is_not_locked_as_cached() {
    let app = image("app");
    let reference = format!("ghcr.io/o/app:v1@{}", app.digest());
    let world = World::new(&[("o/app", &app, &["v1"])]).pulling(&[&reference]);
    world.warm("o/app", "v1");
    world.cache.set_status("ghcr/o/app", app.digest(), "ARCHIVED");
    assert_eq!(world.run(&["--at", "both", "--lock", "images.lock"]).code, 1);
    let lock = std::fs::read_to_string(world.scratch.path().join("images.lock")).unwrap();
    assert!(!lock.contains("cached"), "{lock}");
}

/// What is below an index in the field: other indexes, entries that name no platform, nothing, hundreds of manifests.
#[test]
fn an_index_is_read_as_containerd_reads_it() {
    let (amd, arm) = (Image::new("amd").build(), Image::new("arm").platforms(["linux/arm64"]).build());
    let arm = arm.platform("linux/arm64").unwrap().clone();
    let both = image("both");
    let nested = Image::index([(&both, None)]);
    let deep = Image::index([(&nested, None), (&amd, Some("linux/386"))]);
    let bare = Image::index([(&amd, None)]);
    let empty = Image::index([]);
    let many: Vec<Content> =
        (0..300).map(|number| Image::new(&format!("m{number}")).layers([]).build()).collect();
    let versions: Vec<String> = (0..299).map(|number| format!("windows/riscv{number}")).collect();
    let entries = many.iter().zip(versions.iter().map(String::as_str).chain(["linux/amd64"]));
    let many = Image::index(entries.map(|(content, platform)| (content, Some(platform))));
    let all = [("nested", &nested), ("deep", &deep), ("bare", &bare), ("empty", &empty), ("many", &many)];
    let names: Vec<String> = all.iter().map(|(name, _)| format!("o/{name}")).collect();
    let content: Vec<(&str, &Content, &[&str])> =
        names.iter().zip(all).map(|(name, (_, content))| (name.as_str(), content, &["v1"][..])).collect();
    let references: Vec<String> = names.iter().map(|name| format!("ghcr.io/{name}:v1")).collect();
    let references: Vec<&str> = references.iter().map(String::as_str).collect();
    let world = World::new(&content).pulling(&references);
    let outcomes = |arguments: &[&str]| {
        let (code, report) = world.verify(&[&["--at", "upstream"], arguments].concat());
        let fine = all
            .iter()
            .filter(|(name, _)| report.row(&format!("ghcr.io/o/{name}:v1"))["outcome"] == "resolved");
        (code, fine.map(|(name, _)| *name).collect::<Vec<_>>(), report)
    };
    let (code, fine, report) = outcomes(&[]);
    assert_eq!((code, fine), (1, vec!["nested", "deep", "bare", "many"]));
    let empty = report.row("ghcr.io/o/empty:v1");
    assert_eq!(empty["outcome"], "platform-missing");
    assert_says(empty, "because", "an index without an image");
    assert_eq!(report.row("ghcr.io/o/many:v1")["platforms"].as_array().unwrap().len(), 300);
    assert_eq!(outcomes(&["--platform", "linux/amd64"]).1, ["nested", "deep", "bare", "many"]);
    assert_eq!(outcomes(&["--platform", "linux/arm64"]).1, ["nested", "deep"]);
    assert_eq!(outcomes(&["--platform", "linux/s390x"]).1, [""; 0]);
    assert_eq!(outcomes(&["--platform", "linux/amd64", "--sizes"]).1, ["nested", "deep", "bare", "many"]);
    // A pin of what stands two indexes deep is still what its tag leads to.
    let deep_pin = format!("ghcr.io/o/deep:v1@{}", both.platform("linux/arm64").unwrap().digest());
    let own_pin = format!("ghcr.io/o/deep:v1@{}", arm.digest());
    world.scratch.write("apps/pod.yaml", super::pods(&[&deep_pin, &own_pin]).as_bytes());
    let (_, report) = world.verify(&["--at", "upstream"]);
    assert_eq!(report.row(&deep_pin)["outcome"], "resolved", "{report:#?}");
    assert_eq!(report.row(&own_pin)["outcome"], "missing");
}

/// A node asks for the digest that a tag leads to. A proxy that kept the tag alone answers the first request and not the second.
#[test]
fn a_tag_whose_manifest_is_not_there_is_missing() {
    let (app, other) = (image("app"), image("other"));
    let world = World::new(&[("o/app", &app, &["v1"]), ("o/other", &other, &["v1"])])
        .pulling(&["ghcr.io/o/app:v1", "ghcr.io/o/other:v1"]);
    let gone = format!("/v2/o/app/manifests/{}", app.digest());
    world.upstream.faults().add(registry_sim::On::path(&gone), registry_sim::Fault::Status(404));
    for arguments in
        [&["--at", "upstream"][..], &["--at", "cache"], &["--at", "upstream", "--platform", "linux/amd64"]]
    {
        let (code, report) = world.verify(arguments);
        let row = report.row("ghcr.io/o/app:v1");
        assert_eq!((code, row["outcome"].as_str()), (1, Some("missing")), "{report:#?}");
        assert_says(row, "because", &format!("its tag `v1` leads to {}, which is not there", app.digest()));
        assert_eq!(
            report.row("ghcr.io/o/other:v1")["severity"].as_str().map(|found| found == "bad"),
            Some(false)
        );
    }
    // At Docker Hub, which is asked by HEAD alone.
    world.scratch.write("images.txt", b"docker.io/o/app:v1\n");
    let served = format!("docker.io={}", world.upstream.host());
    let fixed = ["--at", "upstream", "--list", "images.txt", "--format", "json", "--served-at", &served];
    let (code, report) = super::report(world.bare(&fixed));
    assert_eq!((code, report.only()["outcome"].as_str()), (1, Some("missing")), "{report:#?}");
}
