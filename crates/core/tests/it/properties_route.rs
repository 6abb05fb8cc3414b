//! Properties of references and routes, over generated input: what is read prints back, and what is mapped
//! maps back.

#![allow(clippy::expect_used)]

use proptest::prelude::*;
use pullthru_core::image::{Digest, Name, Reference, is_host};
use pullthru_core::route::{CacheHost, EcrHost, Prefix, Route, Routes};

/// One path component: alphanumeric runs joined by the separators of the grammar.
const COMPONENT: &str = "[a-z0-9]{1,6}((\\.|_|__|-{1,3})[a-z0-9]{1,4}){0,2}";

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec(COMPONENT, 1..=5).prop_map(|components| components.join("/"))
}

fn host() -> impl Strategy<Value = String> {
    let port = prop_oneof![
        Just(String::new()),
        Just(":443".to_owned()),
        "[0-9]{2,5}".prop_map(|port| format!(":{port}"))
    ];
    let host = prop_oneof![
        4 => "[a-zA-Z0-9]{1,6}(-[a-z0-9]{1,4})?(\\.[a-z0-9]{1,6}){1,3}",
        1 => Just("localhost".to_owned()),
        1 => "[a-z]{1,8}",
        1 => "\\[[0-9a-fA-F]{1,4}(:[0-9a-f]{0,4}){2,7}\\]",
        2 => "(index\\.|registry-1\\.)?docker\\.io|ghcr\\.io|GHCR\\.io",
    ];
    (host, port).prop_map(|(host, port)| host + &port).prop_filter("taken for a path", |host| is_host(host))
}

fn tag() -> impl Strategy<Value = String> {
    "[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}"
}

fn digest() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "sha256:[0-9a-f]{64}",
        1 => "sha512:[0-9a-f]{128}",
        1 => "x[a-z0-9]{0,5}([+._-][a-z0-9]{1,5}){0,2}:[a-zA-Z0-9=_-]{1,40}",
    ]
}

/// A host and a path, or a path whose first component cannot be taken for a host.
fn written_name() -> impl Strategy<Value = String> {
    let short = path().prop_filter("taken for a host", |path| {
        !path.split_once('/').is_some_and(|(first, _)| first.contains('.') || first == "localhost")
    });
    prop_oneof![3 => (host(), path()).prop_map(|(host, path)| format!("{host}/{path}")), 1 => short]
}

fn reference() -> impl Strategy<Value = String> {
    (written_name(), prop::option::of(tag()), prop::option::of(digest())).prop_map(
        |(mut text, tag, digest)| {
            for (sign, part) in [(':', tag), ('@', digest)] {
                if let Some(part) = part {
                    text.push(sign);
                    text += &part;
                }
            }
            text
        },
    )
}

fn ecr_host() -> impl Strategy<Value = String> {
    let region = prop_oneof![
        "(us|eu|ap|ca)-(east|west|central|south)-[1-9]".prop_map(|region| (
            region,
            "amazonaws.com",
            Some("on.aws")
        )),
        "us-gov-(east|west)-[1-9]".prop_map(|region| (region, "amazonaws.com", Some("on.aws"))),
        "cn-(north|northwest)-[1-9]".prop_map(|region| (
            region,
            "amazonaws.com.cn",
            Some("on.amazonwebservices.com.cn")
        )),
        "eusc-de-east-[1-9]".prop_map(|region| (region, "amazonaws.eu", None)),
        "us-iso-(east|west)-[1-9]".prop_map(|region| (region, "c2s.ic.gov", None)),
        "us-isob-east-[1-9]".prop_map(|region| (region, "sc2s.sgov.gov", None)),
        "eu-isoe-west-[1-9]".prop_map(|region| (region, "cloud.adc-e.uk", None)),
        "us-isof-south-[1-9]".prop_map(|region| (region, "csp.hci.ic.gov", None)),
    ];
    ("[0-9]{12}", region, any::<bool>(), any::<bool>()).prop_map(
        |(account, (region, plain, dual_stack), fips, wants_dual_stack)| {
            let fips = if fips { "-fips" } else { "" };
            match dual_stack.filter(|_| wants_dual_stack) {
                Some(suffix) => format!("{account}.dkr-ecr{fips}.{region}.{suffix}"),
                None => format!("{account}.dkr.ecr{fips}.{region}.{plain}"),
            }
        },
    )
}

fn cache() -> impl Strategy<Value = CacheHost> {
    let opaque = prop_oneof![
        Just("${ECR_REGISTRY}".to_owned()),
        Just("${ACCOUNT}.dkr.ecr.${REGION:-us-east-1}.amazonaws.com".to_owned()),
        Just("ecr_registry".to_owned()),
        Just("Harbor.example.com:5000/proxy".to_owned()),
    ];
    prop_oneof![3 => ecr_host(), 1 => opaque].prop_map(|text| text.parse().expect("a cache host"))
}

/// Few hosts and few words, so that routes share hosts and nest in one another often.
fn upstream_host() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["docker.io", "ghcr.io", "quay.io", "example.azurecr.io"])
        .prop_map(str::to_owned)
}

fn words(count: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec!["ghcr", "hub", "team", "team-a", "library", "app"]);
    prop::collection::vec(word, count).prop_map(|words| words.join("/"))
}

fn prefix() -> impl Strategy<Value = String> {
    prop_oneof![1 => Just("ROOT".to_owned()), 4 => words(1..=2)]
}

fn route() -> impl Strategy<Value = Route> {
    (upstream_host(), prefix(), prefix()).prop_map(|(host, prefix, upstream_prefix)| {
        let prefix: Prefix = prefix.parse().expect("a prefix");
        let upstream_prefix =
            if prefix.is_root() { Default::default() } else { upstream_prefix.parse().expect("a prefix") };
        Route { host, prefix, upstream_prefix }
    })
}

/// Of the generated routes, those that go with the ones before them.
fn routes() -> impl Strategy<Value = Routes> {
    (cache(), prop::collection::vec(route(), 1..=8)).prop_map(|(cache, candidates)| {
        let mut routes = Routes::new(cache.clone(), Vec::new()).expect("no routes");
        for candidate in candidates {
            let more = routes.iter().cloned().chain([candidate]).collect();
            routes = Routes::new(cache.clone(), more).unwrap_or(routes);
        }
        routes
    })
}

fn upstream_name() -> impl Strategy<Value = Name> {
    (upstream_host(), prop_oneof![3 => words(1..=4), 1 => path()])
        .prop_map(|(host, path)| Name::of(Some(&host), &path))
}

/// Any characters, or those of references in any order.
fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), "[a-zA-Z0-9:@/._\\[\\]$-]{0,40}"]
}

proptest! {
    #[test]
    fn references_print_as_they_were_written(text in reference()) {
        let reference = Reference::parse(&text).expect("a reference");
        prop_assert_eq!(reference.to_string(), text);
    }

    #[test]
    fn names_print_as_they_read(text in reference()) {
        let name = Reference::parse(&text).expect("a reference").name();
        prop_assert_eq!(Name::parse(&name.to_string()), Ok(name.clone()));
        prop_assert_eq!(Name::of(Some(&name.host), &name.path), name);
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in any_text()) {
        if let Ok(reference) = Reference::parse(&text) {
            prop_assert_eq!(reference.to_string(), text.clone());
        }
        if let Ok(digest) = text.parse::<Digest>() {
            prop_assert_eq!(digest.to_string(), text.clone());
        }
        if let Ok(cache) = text.parse::<CacheHost>() {
            prop_assert_eq!(cache.to_string(), text.clone());
            let routes = Routes::new(cache, Vec::new()).expect("no routes");
            prop_assert_eq!(routes.unmap_reference(&text), None);
        }
        let _ = (text.parse::<EcrHost>(), text.parse::<Prefix>(), is_host(&text));
    }

    #[test]
    fn ecr_hosts_print_as_they_were_written(text in ecr_host()) {
        let host: EcrHost = text.parse().expect("an ECR host");
        prop_assert_eq!(host.to_string(), text);
    }

    #[test]
    fn mapped_names_map_back(routes in routes(), name in upstream_name()) {
        if let Ok(cached) = routes.map(&name) {
            prop_assert!(routes.is_cached(&cached));
            prop_assert_eq!(routes.unmap(&cached), Some(name));
        }
    }

    #[test]
    fn mapped_references_map_back(
        routes in routes(),
        name in upstream_name(),
        tag in prop::option::of(tag()),
        digest in prop::option::of(digest()),
    ) {
        let mut text = name.to_string();
        text += &tag.map(|tag| format!(":{tag}")).unwrap_or_default();
        text += &digest.map(|digest| format!("@{digest}")).unwrap_or_default();
        let reference = Reference::parse(&text).expect("a reference");
        if let Ok(cached) = routes.map_reference(&reference) {
            prop_assert_eq!(routes.unmap_reference(&cached), Some(text));
        }
    }

    #[test]
    fn a_registry_in_front_does_what_map_does(routes in routes(), name in upstream_name()) {
        if let (Some(registry), Ok(cached)) = (routes.registry_for(&name.host), routes.map(&name)) {
            prop_assert_eq!(format!("{registry}/{}", name.path), cached.to_string());
        }
    }
}
