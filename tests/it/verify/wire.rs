//! What is sent: each image once, each token once, and nothing that imports.

use std::collections::BTreeMap;

use super::{World, image, manifests, operations, pods};

fn tags() -> Vec<String> {
    (1..=20).map(|number| format!("v{number}")).collect()
}

/// 20 tags of two repositories, and each of them in ten files.
fn world() -> World {
    let tags = tags();
    let tags: Vec<&str> = tags.iter().map(String::as_str).collect();
    let world = World::new(&[("o/one", &image("one"), &tags), ("o/two", &image("two"), &tags)]);
    let images: Vec<String> =
        tags.iter().flat_map(|tag| ["one", "two"].map(|name| format!("ghcr.io/o/{name}:{tag}"))).collect();
    let images: Vec<&str> = images.iter().map(String::as_str).collect();
    for number in 0..10 {
        world.scratch.write(&format!("apps/{number}.yaml"), pods(&images).as_bytes());
    }
    world
}

#[test]
fn an_image_that_stands_in_ten_files_is_asked_for_once_and_shown_at_every_place() {
    let world = world();
    let (code, report) = world.verify(&["--at", "upstream"]);
    assert_eq!((code, report.outcomes().len()), (0, 40));
    assert_eq!(report.row("ghcr.io/o/one:v7")["places"].as_array().unwrap().len(), 10);
    let asked = manifests(&world.upstream.log());
    // All tags of a repository lead to one digest here, which is asked for once.
    let heads = asked.iter().filter(|asked| asked.starts_with("HEAD ") && asked.contains("/sha256:")).count();
    assert_eq!((asked.len(), heads), (40 + 2, 2), "{asked:#?}");
    let tokens = world.upstream.tokens_issued();
    let expected: BTreeMap<String, u64> =
        ["one", "two"].map(|name| (format!("repository:o/{name}:pull"), 1)).into();
    assert_eq!(tokens, expected);
    // The first request learned where tokens are had, and was repeated with one.
    assert_eq!(world.upstream.requests(), 40 + 2 + 1 + 2);
    assert_eq!(world.cache.requests(), 0);
}

#[test]
fn the_cache_is_asked_with_one_call_an_image_and_imports_nothing() {
    let world = world();
    let (code, report) = world.verify(&[]);
    assert_eq!((code, report.outcomes().len()), (0, 40));
    let log = world.cache.log();
    // The first one's answer also said that there are credentials.
    assert_eq!((operations(&log, "DescribeImages"), log.len()), (40, 40));
    world.assert_nothing_imported();
}

#[test]
fn with_everything_asked_nothing_is_imported_either() {
    let world = world();
    let digest = image("one").digest().to_owned();
    world.scratch.write("apps/pin.yaml", pods(&[&format!("ghcr.io/o/one:v1@{digest}")]).as_bytes());
    let (code, _) = world.verify(&[
        "--at",
        "both",
        "--platform",
        "linux/amd64",
        "--sizes",
        "--artifacts",
        "--lock",
        "images.lock",
    ]);
    assert_eq!(code, 1, "the pinned one is cold");
    world.assert_nothing_imported();
    assert!(manifests(&world.cache.log()).is_empty(), "the registry itself was asked for nothing");
    // What is cached is read by its digest, which imports nothing either.
    world.warm("o/one", "v1");
    world.verify(&["--at", "both", "--sizes"]);
    for asked in manifests(&world.cache.log()) {
        assert!(asked.contains("/manifests/sha256:"), "{asked}");
    }
    assert!(world.upstream.imports().is_empty());
    assert_eq!(operations(&world.cache.log(), "GetAuthorizationToken"), 1);
}

#[test]
fn rows_come_in_the_order_of_their_references_whoever_answers_first() {
    let world = world();
    let first = world.run(&["--at", "upstream", "--format", "json"]).out;
    world.upstream.faults().add(
        registry_sim::On::path("/v2/o/one/*").times(15),
        registry_sim::Fault::Latency(std::time::Duration::from_millis(80)),
    );
    assert_eq!(world.run(&["--at", "upstream", "--format", "json"]).out, first);
    assert_eq!(world.run(&["--at", "upstream", "--format", "json", "--concurrency", "1"]).out, first);
}

#[test]
fn no_more_requests_are_under_way_than_is_allowed() {
    let world = world();
    world.upstream.faults().add(
        registry_sim::On::path("/v2/*"),
        registry_sim::Fault::Latency(std::time::Duration::from_millis(20)),
    );
    let start = std::time::Instant::now();
    assert_eq!(world.run(&["--at", "upstream", "--concurrency", "1"]).code, 0);
    assert!(start.elapsed().as_millis() >= 40 * 20, "{:?}", start.elapsed());
}

/// Docker Hub counts each GET of a manifest and no HEAD: nothing but a platform, a size or a pin is worth one.
#[test]
fn docker_hub_is_asked_by_head_unless_more_is_wanted() {
    let (old, app) = (image("old"), image("app"));
    let world = World::new(&[
        ("library/app", &app, &["v1", "v2"]),
        ("o/old", &old, &["v1"]),
        ("o/old", &app, &["v2"]),
    ]);
    let pin = app.digest();
    let platform = old.platform("linux/arm64").unwrap().digest();
    let gets = |list: &str, arguments: &[&str], outcome: &str| {
        world.forget();
        world.scratch.write("images.txt", list.as_bytes());
        let served = format!("docker.io={}", world.upstream.host());
        let fixed = ["--at", "upstream", "--list", "images.txt", "--format", "json", "--served-at", &served];
        let (_, report) = super::report(world.bare(&[&fixed, arguments].concat()));
        assert!(report.outcomes().iter().all(|(_, found)| *found == outcome), "{list}: {report:#?}");
        let asked = manifests(&world.upstream.log());
        let gets = asked.iter().filter(|asked| asked.starts_with("GET ")).count();
        (asked.len(), gets)
    };
    // Two tags of one digest.
    assert_eq!(gets("app:v1\napp:v2\n", &[], "resolved"), (3, 0));
    assert_eq!(gets(&format!("app:v1@{pin}"), &[], "resolved"), (2, 0), "the tag has the pinned digest");
    assert_eq!(gets(&format!("app@{pin}"), &[], "resolved"), (1, 0));
    // Whether the index holds it is not said by its head.
    assert_eq!(gets(&format!("o/old:v1@{platform}"), &[], "resolved"), (3, 1));
    assert_eq!(gets(&format!("o/old:v2@{}", old.digest()), &[], "pin-moved"), (3, 1));
    assert_eq!(gets("app:v1", &["--platform", "linux/arm64"], "resolved"), (2, 1));
    assert_eq!(gets("app:v1", &["--platform", "linux/s390x"], "platform-missing").1, 1);
    assert_eq!(gets("app:v1", &["--sizes"], "resolved"), (4, 3));
    // What is not there is asked for once more, for the reason.
    assert_eq!(gets("app:v9", &[], "missing"), (2, 1));
}

/// How much of Docker Hub's limit a run costs is said before it begins, and not where it is little or nothing.
#[test]
fn a_run_near_the_limit_of_docker_hub_says_so() {
    let world = World::new(&[]);
    world.upstream.set_down(true);
    let said = |name: &str, images: usize, arguments: &[&str]| {
        let list: String = (0..images).map(|number| format!("docker.io/o/app:{number}\n")).collect();
        world.scratch.write("images.txt", list.as_bytes());
        let fixed = ["--list", "images.txt", "--deadline", "1s", "--served-at", "docker.io=127.0.0.1:9"];
        let run =
            crate::scratch::Run::from(world.bare_of(name, &[&fixed, arguments].concat()).output().unwrap());
        run.err.contains(&format!("the manifests of {images} images at Docker Hub"))
    };
    assert!(said("verify", 90, &["--at", "upstream", "--sizes"]));
    assert!(said("verify", 90, &["--at", "upstream", "--platform", "linux/amd64"]));
    assert!(said("cost", 90, &[]));
    assert!(!said("verify", 90, &["--at", "upstream"]), "HEAD alone costs nothing");
    assert!(!said("verify", 20, &["--at", "upstream", "--sizes"]));
    assert!(!said("cost", 20, &[]));
}
