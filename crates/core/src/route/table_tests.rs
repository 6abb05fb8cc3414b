//! Tests of the mapping; a file of its own for its length.

#![allow(clippy::unwrap_used)]

use super::*;

const ECR: &str = "123456789012.dkr.ecr.ca-central-1.amazonaws.com";
const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn route((host, prefix, upstream_prefix): (&str, &str, &str)) -> Route {
    Route {
        host: host.to_owned(),
        prefix: prefix.parse().unwrap(),
        upstream_prefix: upstream_prefix.parse().unwrap(),
    }
}

/// Rows of host, prefix, upstream prefix.
fn routes(cache: &str, rows: &[(&str, &str, &str)]) -> Result<Routes, RoutesError> {
    Routes::new(cache.parse().unwrap(), rows.iter().copied().map(route).collect())
}

fn usual(cache: &str) -> Routes {
    routes(
        cache,
        &[
            ("ghcr.io", "ghcr", "ROOT"),
            ("docker.io", "docker-hub", "ROOT"),
            ("public.ecr.aws", "ecr-public", "ROOT"),
            ("quay.io", "my-app", "upstream-app"),
            ("quay.io", "deep", "upstream-app/deep"),
        ],
    )
    .unwrap()
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn reference(text: &str) -> Reference {
    Reference::parse(text).unwrap()
}

#[test]
fn maps_references_and_back() {
    for (from, path, back) in [
        ("ghcr.io/amerintlxperts/my-app:v1.0.0", "ghcr/amerintlxperts/my-app:v1.0.0", None),
        ("ghcr.io/a/charts/b/c:1", "ghcr/a/charts/b/c:1", None),
        ("ghcr.io/busybox", "ghcr/busybox", None),
        ("GHCR.io:443/a/b", "ghcr/a/b", Some("ghcr.io/a/b")),
        ("nginx", "docker-hub/library/nginx", Some("docker.io/library/nginx")),
        ("docker.io/nginx:1", "docker-hub/library/nginx:1", Some("docker.io/library/nginx:1")),
        ("docker.io/library/nginx", "docker-hub/library/nginx", None),
        ("grafana/grafana:11", "docker-hub/grafana/grafana:11", Some("docker.io/grafana/grafana:11")),
        ("public.ecr.aws/docker/library/alpine", "ecr-public/docker/library/alpine", None),
        ("quay.io/upstream-app/x:1", "my-app/x:1", None),
        ("quay.io/upstream-app/deep", "my-app/deep", None),
        ("quay.io/upstream-app/deep/x", "deep/x", None),
    ] {
        for cache in [ECR, "${ECR_REGISTRY}", "${ECR:-local}", "harbor.example.com:5000/proxy"] {
            for suffix in [String::new(), format!("@{DIGEST}")] {
                let routes = usual(cache);
                let mapped = routes.map_reference(&reference(&format!("{from}{suffix}"))).unwrap();
                assert_eq!(mapped, format!("{cache}/{path}{suffix}"));
                let unmapped = routes.unmap_reference(&mapped);
                assert_eq!(unmapped, Some(format!("{}{suffix}", back.unwrap_or(from))), "{mapped}");
            }
        }
    }
}

#[test]
fn refuses_names_without_a_place() {
    let routes = usual(ECR);
    let refused = |text: &str| routes.map(&name(text)).unwrap_err();
    assert_eq!(refused("gcr.io/a/b"), Refusal::NoRoute { host: "gcr.io".to_owned() });
    for path in ["other/x", "upstream-app", "upstream-app2/x"] {
        let error = Refusal::OutsideUpstreamPrefix { host: "quay.io".to_owned(), path: path.to_owned() };
        assert_eq!(refused(&format!("quay.io/{path}")), error);
    }
    let fits = "a".repeat(REPOSITORY_MAX - "ghcr/".len());
    assert!(routes.map(&name(&format!("ghcr.io/{fits}"))).is_ok());
    assert_eq!(refused(&format!("ghcr.io/{fits}a")), Refusal::TooLong { len: REPOSITORY_MAX + 1 });
    let upper = Name { host: "ghcr.io".to_owned(), path: "A/b".to_owned() };
    assert_eq!(routes.map(&upper).unwrap_err(), Refusal::Grammar { path: "A/b".to_owned() });
    // A cached name is not mapped once more.
    assert_eq!(refused(&format!("{ECR}/ghcr/a/b")), Refusal::NoRoute { host: ECR.to_owned() });
}

#[test]
fn unmaps_only_what_map_can_make() {
    let routes = usual(ECR);
    for text in [
        "ghcr.io/a/b".to_owned(),
        "ghcr".to_owned(),
        format!("{ECR}/own/app"),
        format!("{ECR}/ghcr"),
        format!("{ECR}/ghcr2/a"),
        format!("210987654321.{}/ghcr/a/b", "dkr.ecr.ca-central-1.amazonaws.com"),
    ] {
        assert_eq!(routes.unmap(&name(&text)), None, "{text}");
        assert_eq!(routes.unmap_reference(&text), None, "{text}");
        assert!(!routes.is_cached(&name(&text)), "{text}");
    }
    assert!(routes.is_cached(&name(&format!("{ECR}/ghcr/a"))));
    // ECR answers 403 for official images without `library/`.
    let official = name(&format!("{ECR}/docker-hub/nginx"));
    assert!(routes.is_cached(&official));
    assert_eq!(routes.unmap(&official), None);
    for text in ["", "/", ":", "@", "ghcr/a", "${ECR_REGISTRY}"] {
        assert_eq!(routes.unmap_reference(text), None, "{text}");
    }
    for suffix in [":", ":${TAG}", "@sha256:0", "/", "//c"] {
        assert_eq!(routes.unmap_reference(&format!("{ECR}/ghcr/a/b{suffix}")), None, "{suffix}");
    }
}

#[test]
fn the_cache_is_known_in_any_spelling() {
    let routes = usual(ECR);
    for host in [ECR.to_uppercase(), format!("{ECR}:443")] {
        let text = format!("{host}/ghcr/a/b:1");
        assert_eq!(routes.unmap_reference(&text).as_deref(), Some("ghcr.io/a/b:1"), "{text}");
        assert!(routes.is_cached(&reference(&text).name()), "{text}");
    }
    let proxy = usual("Harbor.example.com/proxy");
    assert_eq!(proxy.unmap(&name("harbor.example.com/proxy/ghcr/a")), Some(name("ghcr.io/a")));
}

#[test]
fn root_is_for_what_no_other_prefix_claims() {
    let routes = routes(ECR, &[("ghcr.io", "ROOT", "ROOT"), ("quay.io", "quay", "ROOT")]).unwrap();
    let cached = routes.map(&name("ghcr.io/a/b")).unwrap();
    assert_eq!(cached.to_string(), format!("{ECR}/a/b"));
    assert_eq!(routes.unmap(&cached), Some(name("ghcr.io/a/b")));
    assert_eq!(routes.unmap(&name(&format!("{ECR}/quay/a"))), Some(name("quay.io/a")));
    let shadowed = Refusal::Shadowed { path: "quay/a".to_owned(), prefix: "quay".parse().unwrap() };
    assert_eq!(routes.map(&name("ghcr.io/quay/a")).unwrap_err(), shadowed);
    assert_eq!(routes.registry_for("ghcr.io"), None);
    assert_eq!(routes.registry_for("quay.io"), Some(format!("{ECR}/quay")));
}

#[test]
fn registry_in_place_of_a_host() {
    let routes = usual(ECR);
    assert_eq!(routes.registry_for("ghcr.io"), Some(format!("{ECR}/ghcr")));
    assert_eq!(routes.registry_for("GHCR.IO"), Some(format!("{ECR}/ghcr")));
    for host in ["docker.io", "index.docker.io", "", "quay.io", "gcr.io"] {
        assert_eq!(routes.registry_for(host), None, "{host}");
    }
    let root = self::routes(ECR, &[("ghcr.io", "ROOT", "ROOT")]).unwrap();
    assert_eq!(root.registry_for("ghcr.io"), Some(ECR.to_owned()));
}

#[test]
fn folds_the_hosts_of_routes() {
    let routes =
        routes(ECR, &[("registry-1.docker.io", "hub", "ROOT"), ("GHCR.io:443", "ghcr", "ROOT")]).unwrap();
    let hosts: Vec<_> = routes.iter().map(|route| route.host.as_str()).collect();
    assert_eq!(hosts, ["docker.io", "ghcr.io"]);
    assert_eq!(routes.cache().to_string(), ECR);
}

#[test]
fn refuses_routes_without_an_inverse() {
    for (rows, text) in [
        (
            &[("ghcr.io", "cache", "ROOT"), ("quay.io", "cache", "ROOT")][..],
            "the prefix `cache` is used for `ghcr.io` and for `quay.io`: each route needs its own",
        ),
        (
            &[("ghcr.io", "ROOT", "ROOT"), ("quay.io", "ROOT", "ROOT")],
            "the prefix `ROOT` is used for `ghcr.io` and for `quay.io`: each route needs its own",
        ),
        (
            &[("ghcr.io", "cache/ghcr", "ROOT"), ("quay.io", "cache", "ROOT")],
            "the prefix `cache/ghcr` lies below the prefix `cache`, and ECR does not say which of \
             them answers",
        ),
        (
            &[("docker.io", "hub", "team"), ("index.docker.io", "hub2", "team")],
            "`docker.io` with the upstream prefix `team` is cached twice, under `hub` and `hub2`: remove one",
        ),
        (
            &[("ghcr.io", "ROOT", "team")],
            "the route for `ghcr.io` has the upstream prefix `team` but no prefix: ECR takes the first only \
             with the second",
        ),
        (&[("ghcr", "ghcr", "ROOT")], "`ghcr` is not a registry host: write one such as `ghcr.io`"),
        (&[("", "ghcr", "ROOT")], "`` is not a registry host: write one such as `ghcr.io`"),
    ] {
        assert_eq!(routes(ECR, rows).unwrap_err().to_string(), text);
    }
    assert!(routes(ECR, &[(ECR, "own", "ROOT")]).is_err());
    assert!(routes(ECR, &[("ghcr.io", "cache", "ROOT"), ("quay.io", "cache2", "ROOT")]).is_ok());
    assert!(routes(ECR, &[("ghcr.io", "all", "ROOT"), ("ghcr.io", "team", "team")]).is_ok());
}
