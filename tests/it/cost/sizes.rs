//! What is counted: every blob once a repository, every platform, every manifest asked for once.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use registry_sim::{Content, Fault, Manifest, On, Store, Upstream, UpstreamSettings, media};

use super::{GB, Report, World, index, index_of, manifest, manifest_of, single};
use crate::scratch::{Run, Scratch};
use crate::verify::{flat, manifests, pods};

const CACHE: [&str; 4] = ["--account", "123456789012", "--region", "ca-central-1"];
const ECR: &str = "123456789012.dkr.ecr.ca-central-1.amazonaws.com";

#[test]
fn a_layer_is_stored_once_a_repository_and_again_in_another() {
    let v1 = single(manifest("app v1", &[("base", GB), ("app v1", 20)]));
    let v2 = single(manifest("app v2", &[("base", GB), ("app v2", 30)]));
    let other = single(manifest("other", &[("base", GB), ("base", GB)]));
    let world =
        World::new(&[("o/app", &v1, &["v1", "v1.0"]), ("o/app", &v2, &["v2"]), ("o/other", &other, &["v1"])]);
    let world =
        world.pulling(&["ghcr.io/o/app:v1", "ghcr.io/o/app:v1.0", "ghcr.io/o/app:v2", "ghcr.io/o/other:v1"]);
    let (code, report) = world.cost(&CACHE);
    assert_eq!(code, 0, "{report:#?}");
    let (app, other) = (format!("{ECR}/ghcr/o/app"), format!("{ECR}/ghcr/o/other"));
    // Two tags of one digest are one version; a configuration each; a layer that is named twice is one blob.
    assert_eq!(
        report.repositories(),
        [(app.as_str(), 2, 2, GB + 20 + 30 + 2000), (other.as_str(), 1, 1, GB + 1000)]
    );
    assert_eq!(report.0["summary"]["bytes"], 2 * GB + 50 + 3000);
    assert_eq!(report.0["repositories"][0]["versionBytes"], GB + 30 + 1000);
    assert_eq!((&report.0["complete"], &report.0["summary"]["images"]), (&true.into(), &4.into()));
}

#[test]
fn every_platform_of_an_index_counts_and_so_does_its_attestation() {
    let platform = |name| manifest(name, &[("shared", 100), (name, 10)]);
    let statement = manifest_of(
        "about amd64",
        media::OCI_MANIFEST,
        media::OCI_CONFIG,
        media::IN_TOTO,
        &[("statement", 7)],
    );
    let whole = index(&[
        ("linux/amd64", platform("amd64")),
        ("linux/arm64", platform("arm64")),
        ("linux/s390x", platform("s390x")),
        ("unknown/unknown", statement),
    ]);
    let world = World::new(&[("o/app", &whole, &["v1"])]).pulling(&["ghcr.io/o/app:v1"]);
    let (code, report) = world.cost(&["--scanning", "enhanced"]);
    assert_eq!(code, 0, "{report:#?}");
    // Four configurations; three images that a scanner looks at.
    assert_eq!(report.repositories(), [("ghcr.io/o/app", 1, 3, 100 + 30 + 7 + 4000)]);
    assert!(report.lines(0).contains(&"enhanced scanning 3.0 0.27".to_owned()), "{:?}", report.lines(0));
}

#[test]
fn dockers_lists_are_read_and_foreign_layers_are_not_counted() {
    let image = manifest_of(
        "windows",
        media::DOCKER_MANIFEST,
        media::DOCKER_CONFIG,
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        &[("base of windows", 2 * GB), ("more of windows", GB)],
    );
    let own = manifest_of(
        "linux",
        media::DOCKER_MANIFEST,
        media::DOCKER_CONFIG,
        media::DOCKER_LAYER,
        &[("own", 5)],
    );
    let list = index_of(media::DOCKER_LIST, &[("windows/amd64", image), ("linux/amd64", own)]);
    let world = World::new(&[("o/app", &list, &["v1"])]).pulling(&["ghcr.io/o/app:v1"]);
    let (code, report) = world.cost(&[]);
    assert_eq!((code, report.repositories()), (0, vec![("ghcr.io/o/app", 1, 2, 5 + 2000)]));
    assert_eq!(report.0["summary"]["foreignLayers"], 2);
    assert!(report.says("assumptions", "2 layers of Windows' base images"));
}

#[test]
fn what_cannot_be_sized_is_named_and_makes_the_estimate_incomplete() {
    let app = single(manifest("app", &[("app", GB)]));
    let world = World::new(&[("o/app", &app, &["v1"])]);
    let world = world.pulling(&["ghcr.io/o/app:v1", "ghcr.io/o/app:v9", "ghcr.io/O/typo:v1"]);
    let (code, report) = world.cost(&[]);
    assert_eq!((code, &report.0["complete"]), (1, &false.into()));
    let missing = &report.0["notSized"][0];
    assert_eq!(
        (&missing["reference"], &missing["places"][0]["line"]),
        (&"ghcr.io/o/app:v9".into(), &10.into())
    );
    assert!(missing["because"].as_str().unwrap().contains("MANIFEST_UNKNOWN"), "{missing}");
    assert_eq!(report.0["unknown"][0]["reference"], "ghcr.io/O/typo:v1");
    assert_eq!(report.repositories(), [("ghcr.io/o/app", 1, 1, GB + 1000)]);
    let human = world.run(&[]);
    assert_eq!(human.code, 1);
    assert!(human.out.starts_with("read 1 file\nnot sized  ghcr.io/o/app:v9\n"), "{}", human.out);
    let end = "; incomplete: 1 image not sized, 1 line not to be read as an image\n";
    assert!(human.out.contains(end), "{}", human.out);
}

/// A platform that the index lists and the registry does not give is no smaller image.
#[test]
fn an_index_is_sized_whole_or_not_at_all() {
    let (here, gone) = (manifest("here", &[("here", 1)]), manifest("gone", &[("gone", 2)]));
    let whole = index(&[("linux/amd64", here.clone()), ("linux/arm64", gone)]);
    let sparse = Content::of_manifests(whole.manifest().clone(), vec![("linux/amd64".to_owned(), here)]);
    let world = World::new(&[("o/app", &sparse, &["v1"])]).pulling(&["ghcr.io/o/app:v1"]);
    let (code, report) = world.cost(&[]);
    assert_eq!((code, report.repositories()), (1, Vec::new()));
    assert!(report.says("notSized", "ghcr.io/o/app:v1"));
    let because = report.0["notSized"][0]["because"].as_str().unwrap();
    let listed = whole.platform("linux/arm64").unwrap().digest();
    assert!(because.starts_with(&format!("its index lists `{listed}`: ")), "{because}");
}

#[test]
fn an_index_of_indexes_is_followed_and_an_endless_one_is_not() {
    let app = manifest("app", &[("app", 5)]);
    let inner = index(&[("linux/amd64", app.clone())]);
    let outer = index(&[("linux/amd64", inner.manifest().clone()), ("linux/arm64", app.clone())]);
    let children = vec![("inner".to_owned(), inner.manifest().clone()), ("app".to_owned(), app)];
    let nested = Content::of_manifests(outer.manifest().clone(), children);
    let many: Vec<_> = (0..300).map(|n| ("linux/amd64", manifest(&format!("app {n}"), &[]))).collect();
    let many = index(&many);
    let long = long_indexes();
    let world =
        World::new(&[("o/app", &nested, &["v1"]), ("o/many", &many, &["v1"]), ("o/long", &long, &["v1"])]);
    let world = world.pulling(&["ghcr.io/o/app:v1", "ghcr.io/o/many:v1", "ghcr.io/o/long:v1"]);
    let (code, report) = world.cost(&[]);
    let sized = vec![("ghcr.io/o/many", 1, 300, 300 * 1000), ("ghcr.io/o/app", 1, 1, 1005)];
    assert_eq!((code, report.repositories()), (1, sized));
    assert!(report.says("notSized", "its indexes together are longer than 4194304 bytes"), "{report:#?}");
    assert_eq!(manifests(&world.upstream.log()).len(), 3 + 301 + 4);
    // The same limit holds where it is verified.
    let (_, report) = crate::verify::report(world.command_of("verify", &["--format", "json"]));
    assert_eq!(report.row("ghcr.io/o/many:v1")["outcome"], "resolved");
    let long = report.row("ghcr.io/o/long:v1");
    assert_eq!(long["outcome"], "denied");
    assert!(long["because"].as_str().unwrap().contains("longer than 4194304 bytes"), "{long:#}");
}

/// A manifest may say anything of sizes and digests.
#[test]
fn manifests_that_lie() {
    let vast = single(manifest("vast", &[("one", u64::MAX), ("two", u64::MAX)]));
    let text =
        r#"{"schemaVersion":2,"config":{"mediaType":"x/y","digest":"sha256:../x","size":1},"layers":[]}"#;
    let odd = single(registry_sim::Manifest::new(media::OCI_MANIFEST, text));
    let world = World::new(&[("o/vast", &vast, &["v1"]), ("o/odd", &odd, &["v1"])]);
    let world = world.pulling(&["ghcr.io/o/odd:v1", "ghcr.io/o/vast:v1"]);
    let (code, report) = world.cost(&[]);
    assert_eq!(code, 1, "{report:#?}");
    assert_eq!(report.repositories(), [("ghcr.io/o/vast", 1, 1, u64::MAX)]);
    assert_eq!(report.0["summary"]["notSized"], 1);
    let human = world.run(&[]);
    assert_eq!(human.code, 1, "{}", human.err);
}

#[test]
fn a_registry_that_fails_is_not_a_missing_image() {
    let app = single(manifest("app", &[("app", 1)]));
    let world = World::new(&[("o/app", &app, &["v1"])]).pulling(&["ghcr.io/o/app:v1"]);
    world.upstream.faults().add(On::path("/v2/o/app/manifests/*"), Fault::Status(503));
    let (code, report) = world.cost(&["--deadline", "2s"]);
    assert_eq!((code, &report.0["notSized"][0]["next"]), (3, &"run again".into()));
}

#[test]
#[cfg(unix)]
fn a_run_that_is_stopped_says_what_it_has() {
    let app = single(manifest("app", &[("app", GB)]));
    let world = World::new(&[("o/app", &app, &["v1"]), ("o/slow", &app, &["v1"])]);
    let world = world.pulling(&["ghcr.io/o/app:v1", "ghcr.io/o/slow:v1"]);
    // With a token only: whichever image is asked for first learns without one where tokens are given, and both wait for it.
    let slow = On::path("/v2/o/slow/*").logged_in();
    world.upstream.faults().add(slow, Fault::Latency(Duration::from_secs(60)));
    let mut command = world.command(&["--format", "json"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let start = Instant::now();
    while manifests(&world.upstream.log()).len() < 2 {
        assert!(start.elapsed() < Duration::from_secs(120), "the registry was not asked");
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_secs(2));
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let run = Run::from(child.wait_with_output().unwrap());
    assert_eq!(run.code, 130, "{}", run.err);
    let report = Report(serde_json::from_str(&run.out).unwrap());
    assert_eq!(report.repositories(), [("ghcr.io/o/app", 1, 1, GB + 1000)]);
    assert_eq!((&report.0["summary"]["unasked"], &report.0["complete"]), (&1.into(), &false.into()));
}

#[test]
fn each_manifest_is_asked_for_once() {
    let shared = manifest("shared", &[("a", 1)]);
    let one = index(&[("linux/amd64", shared.clone()), ("linux/arm64", manifest("one arm64", &[("b", 2)]))]);
    let two = index(&[("linux/amd64", shared), ("linux/arm64", manifest("two arm64", &[("c", 3)]))]);
    let world = World::new(&[("o/app", &one, &["v1"]), ("o/app", &two, &["v2"])]);
    // Two caches of one upstream, and ten files.
    world.scratch.write(
        "pullthru.yaml",
        b"registry: { account: '123456789012', region: ca-central-1 }
targets: [{ paths: ['eu/**'], registry: { account: '123456789012', region: eu-central-1 } }]
",
    );
    for number in 0..5 {
        for directory in ["apps", "eu"] {
            let pod = pods(&["ghcr.io/o/app:v1", "ghcr.io/o/app:v2"]);
            world.scratch.write(&format!("{directory}/{number}.yaml"), pod.as_bytes());
        }
    }
    let (code, report) = world.cost(&[]);
    assert_eq!(code, 0, "{report:#?}");
    let asked = manifests(&world.upstream.log());
    // Two indexes and three manifests.
    assert_eq!(asked.len(), 5, "{asked:#?}");
    assert!(world.upstream.log().iter().all(|request| !request.path.contains("/blobs/")), "no layer is read");
    // And stored in both.
    let names: Vec<&str> = report.repositories().iter().map(|row| row.0).collect();
    let eu = ECR.replace("ca-central-1", "eu-central-1");
    assert_eq!(names, [format!("{ECR}/ghcr/o/app"), format!("{eu}/ghcr/o/app")]);
    assert!(report.lines(0).contains(&"secrets 2.0 0.8".to_owned()), "{:?}", report.lines(0));
}

#[test]
fn a_pin_counts_as_what_it_is_and_a_pinned_platform_as_its_index() {
    let (amd64, arm64) = (manifest("amd64", &[("a", 10)]), manifest("arm64", &[("b", 20)]));
    let whole = index(&[("linux/amd64", amd64.clone()), ("linux/arm64", arm64)]);
    let newer = single(manifest("newer", &[("c", 400)]));
    let world =
        World::new(&[("o/app", &whole, &["v1"]), ("o/moved", &whole, &[]), ("o/moved", &newer, &["v1"])]);
    let platform = format!("ghcr.io/o/app:v1@{}", amd64.digest());
    let moved = format!("ghcr.io/o/moved:v1@{}", whole.digest());
    let world = world.pulling(&[&platform, &moved]);
    let (code, report) = world.cost(&[]);
    assert_eq!(code, 0, "{report:#?}");
    assert_eq!(report.repositories(), [("ghcr.io/o/app", 1, 2, 2030), ("ghcr.io/o/moved", 1, 2, 2030)]);
}

#[test]
fn an_upstream_that_wants_a_login_is_given_one() {
    let mut store = Store::new();
    store.push("o/app", &single(manifest("app", &[("app", GB)])), ["v1"]);
    store.set_private("o/app", true);
    let settings = UpstreamSettings {
        credentials: vec![("me".to_owned(), "s3cret-token".to_owned())],
        ..UpstreamSettings::default()
    };
    let world = World { upstream: Upstream::start(store, settings).unwrap(), scratch: Scratch::new(&[]) };
    let world = world.pulling(&["ghcr.io/o/app:v1"]);
    let (code, report) = world.cost(&[]);
    assert_eq!((code, report.repositories()), (1, Vec::new()));
    let mut command = world.command(&["--format", "json"]);
    let run = Run::from(command.env("PULLTHRU_AUTH_GHCR_dot_IO", "me:s3cret-token").output().unwrap());
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(!format!("{}{}", run.out, run.err).contains("s3cret"));
    let value: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    assert_eq!(Report(value).repositories(), [("ghcr.io/o/app", 1, 1, GB + 1000)]);
}

#[test]
fn standard_input_and_lists() {
    let app = single(manifest("app", &[("app", GB)]));
    let world = World::new(&[("o/app", &app, &["v1"])]);
    for (arguments, text) in [
        (["-", "--months=1"], pods(&["ghcr.io/o/app:v1"])),
        (["--list", "-"], "ghcr.io/o/app:v1\n".to_owned()),
    ] {
        let mut command = world.command(&arguments);
        command.args(["--format", "json"]);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let run = Run::from(child.wait_with_output().unwrap());
        assert_eq!(run.code, 0, "{}", run.err);
        let report = Report(serde_json::from_str(&run.out).unwrap());
        assert_eq!(report.repositories(), [("ghcr.io/o/app", 1, 1, GB + 1000)]);
    }
}

#[test]
fn what_no_cache_will_hold_is_reported_and_costs_nothing() {
    let app = single(manifest("app", &[("app", GB)]));
    let world = World::new(&[("o/app", &app, &["v1"])]);
    let list = "ghcr.io/o/app:v1\nmcr.microsoft.com/o/app:v1\nquay.io/o/app:v1\n\
                210987654321.dkr.ecr.us-east-1.amazonaws.com/team/app:v1\n";
    world.scratch.write("images.txt", list.as_bytes());
    let (code, report) = world.cost(&[&CACHE[..], &["--list", "images.txt"]].concat());
    assert_eq!(code, 0, "{report:#?}");
    assert_eq!(report.repositories().len(), 1);
    let left = report.0["notCached"].as_array().unwrap();
    let left: Vec<&str> = left.iter().map(|row| row["reference"].as_str().unwrap()).collect();
    assert_eq!(
        left,
        [
            "210987654321.dkr.ecr.us-east-1.amazonaws.com/team/app:v1",
            "mcr.microsoft.com/o/app:v1",
            "quay.io/o/app:v1"
        ]
    );
    // Without a cache everything is counted that could be in one.
    let (_, report) = world.cost(&["--list", "images.txt"]);
    let names: Vec<&str> = report.repositories().iter().map(|row| row.0).collect();
    assert_eq!(names, ["ghcr.io/o/app", "quay.io/o/app"]);
}

/// Docker Hub counts each manifest that is read: what a digest lock knows is not read again.
#[test]
fn sizes_that_a_lock_knows_are_not_asked_for() {
    let platform = |name| manifest(name, &[("shared", 100), (name, 10)]);
    let whole = index(&[("linux/amd64", platform("amd64")), ("linux/arm64", platform("arm64"))]);
    let of_one = |name, size| index(&[("linux/amd64", manifest(name, &[(name, size)]))]);
    let (other, late) = (of_one("other", 500), of_one("late", 700));
    let world =
        World::new(&[("o/app", &whole, &["v1"]), ("o/other", &other, &["v1"]), ("o/late", &late, &["v1"])]);
    let world = world.pulling(&["ghcr.io/o/app:v1", "ghcr.io/o/other:v1"]);
    let arguments = ["--at", "upstream", "--lock", "pullthru-digests.lock.json"];
    let run = Run::from(world.command_of("verify", &arguments).output().unwrap());
    assert_eq!(run.code, 0, "{}", run.err);
    world.upstream.clear_log();
    let (code, report) = world.cost(&[]);
    assert_eq!(code, 0, "{report:#?}");
    assert_eq!(world.upstream.requests(), 0);
    // Each platform with its own copy of the shared layer: an upper bound.
    let known = [("ghcr.io/o/app", 1, 2, 2 * 1110), ("ghcr.io/o/other", 1, 1, 1500)];
    assert_eq!(report.repositories(), known);
    assert!(report.says("assumptions", "the sizes of 2 images are those of the digest lock"), "{report:#?}");
    // What came later is read, and nothing else.
    let world = world.pulling(&["ghcr.io/o/app:v1", "ghcr.io/o/other:v1", "ghcr.io/o/late:v1"]);
    let (_, report) = world.cost(&[]);
    assert_eq!(report.repositories()[1], ("ghcr.io/o/late", 1, 1, 1700));
    let asked = manifests(&world.upstream.log());
    assert!(!asked.is_empty() && asked.iter().all(|request| request.contains("/o/late/")), "{asked:?}");
    let (_, report) = world.cost(&["--no-lock"]);
    assert_eq!(report.repositories()[0], ("ghcr.io/o/app", 1, 2, 100 + 20 + 2000));
    assert!(!report.says("assumptions", "digest lock"), "{report:#?}");
    let run = world.run(&["--lock", "none.json"]);
    assert_eq!(run.code, 2);
    assert!(flat(&run.err).contains("cannot read the digest lock `none.json`"), "{}", run.err);
}

/// A total of the secrets alone would be read as the price of the cache.
#[test]
fn where_no_size_is_known_there_is_no_total() {
    let world = World::new(&[]).pulling(&["ghcr.io/o/app:v1", "ghcr.io/o/web:v1"]);
    world.upstream.set_down(true);
    let (code, report) = world.cost(&CACHE);
    assert_eq!((code, &report.0["complete"]), (3, &false.into()));
    assert_eq!((&report.0["months"], &report.0["total"]), (&serde_json::json!([]), &serde_json::Value::Null));
    for format in ["human", "markdown", "csv"] {
        let run = world.run(&[&CACHE[..], &["--format", format]].concat());
        assert_eq!(run.code, 3, "{}", run.err);
        assert!(!run.out.contains('$') && !run.out.contains("total"), "{format}: {}", run.out);
        let says =
            run.out.contains("no estimate: the size of no image is known; incomplete: 2 images not sized");
        assert!(says || format == "csv", "{format}: {}", run.out);
    }
}

/// AWS's own words on what each blob costs.
#[test]
fn why_a_blob_counts_once_a_repository_is_cited() {
    let app = single(manifest("app", &[("app", GB)]));
    let world = World::new(&[("o/app", &app, &["v1"])]).pulling(&["ghcr.io/o/app:v1"]);
    let words = "each blob once a repository, since AWS says: \"Blob mounting is not supported for images created via pull \
                 through cache\" (https://docs.aws.amazon.com/AmazonECR/latest/userguide/blob-mounting.html)";
    for format in ["human", "markdown"] {
        let run = world.run(&["--format", format]);
        assert!(run.out.contains(words), "{format}: {}", run.out);
    }
}

#[test]
fn wrong_usage() {
    let app = single(manifest("app", &[("app", GB)]));
    let world = World::new(&[("o/app", &app, &["v1"])]).pulling(&["ghcr.io/o/app:v1"]);
    for (arguments, message) in [
        (&["--pulls-gb", "5"][..], "`--pulls-gb` costs nothing without `--nat` or `--endpoints`"),
        (&["--rescans", "5"], "`--rescans` is of enhanced scanning"),
        (&["--months", "0"], "write a whole number from 1 to 120"),
        (&["--keep", "0"], "write a whole number from 1"),
        (&["--replicate", "mars"], "`mars` is not an AWS Region"),
        (&["--prices", "none.yaml"], "cannot read the prices `none.yaml`"),
        (
            &["--replicate", "ca-central-1", "--account", "123456789012", "--region", "ca-central-1"],
            "the cache is in `ca-central-1` itself",
        ),
    ] {
        let run = world.run(arguments);
        assert_eq!(run.code, 2, "{arguments:?}");
        assert!(flat(&run.err).contains(message), "{arguments:?}: {}", run.err);
    }
    assert_eq!(world.upstream.requests(), 0);
}

/// An index of three indexes with 2 MB each.
fn long_indexes() -> Content {
    let inner = |number: usize| {
        let padding = "x".repeat(2_000_000);
        let text = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[],"annotations":{{"{number}":"{padding}"}}}}"#,
            media::OCI_INDEX
        );
        Manifest::new(media::OCI_INDEX, text)
    };
    let inner: Vec<Manifest> = (0..3).map(inner).collect();
    let entries: Vec<_> = inner.iter().map(|inner| ("linux/amd64", inner.clone())).collect();
    let outer = index(&entries);
    Content::of_manifests(
        outer.manifest().clone(),
        inner.into_iter().map(|inner| (String::new(), inner)).collect(),
    )
}
