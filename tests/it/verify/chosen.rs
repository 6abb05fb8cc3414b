//! Which registries are asked when nobody says it, and that it is said.

use super::{BOTH, ECR, World, image, report};
use crate::scratch::Run;

fn world() -> World {
    World::new(&[("o/app", &image("app"), &["v1"])]).pulling(&["ghcr.io/o/app:v1"])
}

#[test]
fn the_cache_where_it_is_configured_and_credentials_are_there() {
    let world = world();
    let run = world.run(&[]);
    assert!(run.err.contains(&format!("asking `{ECR}` what it holds")), "{}", run.err);
    assert!(run.out.contains("1 image asked of the cache: 1 cold"), "{}", run.out);
}

#[test]
fn the_upstreams_without_credentials_or_without_a_cache() {
    let world = world();
    let mut command = world.bare(&["--account", "123456789012", "--region", "ca-central-1"]);
    let run = Run::from(command.output().unwrap());
    assert!(run.err.contains("no AWS credentials could be loaded: the upstreams are asked"), "{}", run.err);
    assert_eq!((run.code, world.cache.requests()), (0, 0));
    let run = Run::from(world.bare(&[]).output().unwrap());
    assert!(run.err.contains("no address of a cache is configured: the upstreams are asked"), "{}", run.err);
    assert!(run.out.contains("1 image asked of their upstreams: 1 resolved"), "{}", run.out);
    // Who insists reads what is missing.
    let mut command = world.bare(&[
        "--at",
        "cache",
        "--format",
        "json",
        "--account",
        "123456789012",
        "--region",
        "ca-central-1",
    ]);
    command.env_remove("AWS_REGION");
    let (code, found) = report(command);
    assert_eq!((code, found.only()["outcome"].as_str()), (1, Some("denied")), "{found:#?}");
    super::assert_says(found.only(), "because", "no AWS credentials could be loaded");
}

#[test]
fn a_cache_without_an_address_cannot_be_insisted_on() {
    let world = world();
    let opaque = |arguments: &[&str]| {
        let mut command = world.bare(&[&["--registry-host", "${ECR_REGISTRY}"], arguments].concat());
        Run::from(
            command.env("AWS_ACCESS_KEY_ID", "AKIA").env("AWS_SECRET_ACCESS_KEY", "s").output().unwrap(),
        )
    };
    let run = opaque(&["--at", "cache"]);
    assert_eq!(run.code, 2, "{}{}", run.out, run.err);
    assert!(
        super::flat(&run.err).contains("its registry is not configured, or a placeholder"),
        "{}",
        run.err
    );
    // What is behind the placeholder is known: the upstream's image.
    world.scratch.write("apps/pod.yaml", super::pods(&["${ECR_REGISTRY}/ghcr/o/app:v1"]).as_bytes());
    let run = opaque(&[]);
    assert!(run.out.contains("1 image asked of their upstreams: 1 resolved"), "{}{}", run.out, run.err);
}

#[test]
fn a_cache_that_is_not_ecr_is_asked_only_by_pulling() {
    let world = world();
    let host = ["--registry-host", "mirror.example.com"];
    let served = format!("mirror.example.com={}", world.upstream.host());
    let run = Run::from(world.bare(&host).output().unwrap());
    assert!(run.err.contains("`mirror.example.com` is not ECR"), "{}", run.err);
    assert!(run.out.contains("1 resolved"), "{}", run.out);
    let (code, found) = report(
        world.bare(&[&host[..], &["--at", "cache", "--served-at", &served, "--format", "json"]].concat()),
    );
    assert_eq!((code, found.only()["outcome"].as_str()), (3, Some("not-asked")), "{found:#?}");
}

#[test]
fn an_empty_repository_is_clean() {
    let world = World::new(&[]);
    for arguments in [&[][..], &["--at", "cache"], &["--at", "both", "--lock", "images.lock"]] {
        let run = world.run(arguments);
        assert_eq!(run.code, 0, "{}{}", run.out, run.err);
        assert!(run.out.starts_with("read 0 files\n0 images asked of"), "{}", run.out);
    }
    assert_eq!(world.cache.requests() + world.upstream.requests(), 0);
}

#[test]
fn two_targets_are_two_caches_of_one_upstream() {
    let (old, new) = (image("app 1"), image("app 2"));
    let world = World::new(&[("o/app", &old, &["v1"])]);
    let eu = "210987654321.dkr.ecr.eu-central-1.amazonaws.com";
    world.scratch.write(
        "pullthru.yaml",
        b"registry: { account: \"123456789012\", region: ca-central-1 }\nupstreams:\n  ghcr.io: ghcr\ntargets:\n  \
          - paths: [\"eu/**\"]\n    registry: { account: \"210987654321\", region: eu-central-1 }\n",
    );
    for directory in ["ca", "eu"] {
        world.scratch.write(&format!("{directory}/pod.yaml"), super::pods(&["ghcr.io/o/app:v1"]).as_bytes());
    }
    world.warm("o/app", "v1");
    world.upstream.push("o/app", &new, ["v1"]);
    let served = format!("{eu}={}", world.cache.host());
    let run = |arguments: &[&str]| {
        let mut command = world.bare(&[&["--served-at", &served, "--format", "json"], arguments].concat());
        command.env("AWS_ACCESS_KEY_ID", "AKIA").env("AWS_SECRET_ACCESS_KEY", "s");
        report(command)
    };
    let (code, found) = run(&["--at", "both", "--platform", &BOTH.join(",")]);
    assert_eq!(code, 0, "{found:#?}");
    // The simulation answers for both accounts; each has its own row, and the upstream is asked once.
    let cached: Vec<&str> =
        found.0["images"].as_array().unwrap().iter().map(|row| row["cached"].as_str().unwrap()).collect();
    assert_eq!(cached, [format!("{ECR}/ghcr/o/app:v1"), format!("{eu}/ghcr/o/app:v1")]);
    assert_eq!(found.outcomes(), [("ghcr.io/o/app:v1", "differs"); 2]);
    let by_digest = format!("HEAD /v2/o/app/manifests/{}", new.digest());
    assert_eq!(super::manifests(&world.upstream.log()), ["GET /v2/o/app/manifests/v1", by_digest.as_str()]);
    let accounts: Vec<bool> = [ECR, eu]
        .iter()
        .map(|host| {
            let account = &host[..12];
            let rendered = |request: &registry_sim::Request| {
                String::from_utf8_lossy(&request.body).contains(&format!("\"registryId\":\"{account}\""))
            };
            world.cache.log().iter().any(rendered)
        })
        .collect();
    assert_eq!(accounts, [true, true]);
}
