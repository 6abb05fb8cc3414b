//! The stages of a scan by themselves: `cargo bench --bench micro`.

#![allow(clippy::unwrap_used)]

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use pullthru::find::{Finder, Hosts};
use pullthru::image::Reference;
use pullthru::yaml;

fn main() {
    divan::main();
}

const DEPLOYMENT: &str = include_str!("../testdata/fleet/apps/base/my-app/deployment.yaml");
const HELM_RELEASE: &str = include_str!("../testdata/fleet/infrastructure/controllers/kyverno.yaml");

/// About 1 MB of manifests.
fn stream(text: &str) -> String {
    let mut stream = String::new();
    while stream.len() < 1_000_000 {
        stream.push_str("---\n");
        stream.push_str(text);
    }
    stream
}

fn finder() -> Finder {
    Finder::new(Hosts::new(&["ghcr.io".to_owned()], &[]).unwrap())
}

#[divan::bench]
fn reference_parse(bencher: Bencher<'_, '_>) {
    let references = [
        "nginx",
        "ghcr.io/amerintlxperts/my-app:v1.0.0",
        "registry.example.com:5000/team/sub/app@sha256:6b2b75c33f4c0872df35fd6736da7fec77b5ecb41ead438df2c4643f155f2020",
        "ghcr.io/stefanprodan/podinfo:6.9.2@sha256:6b2b75c33f4c0872df35fd6736da7fec77b5ecb41ead438df2c4643f155f2020",
    ];
    bencher.bench(|| references.map(|text| Reference::parse(black_box(text)).is_ok()));
}

#[divan::bench]
fn prefilter_without_a_hit(bencher: Bencher<'_, '_>) {
    let text = stream(DEPLOYMENT).replace("ghcr.io", "ghcr-io");
    let finder = finder();
    bencher.counter(BytesCount::of_str(&text)).bench(|| finder.hosts().occur_in(black_box(text.as_bytes())));
}

#[divan::bench]
fn occurrences(bencher: Bencher<'_, '_>) {
    let text = stream(DEPLOYMENT);
    let finder = finder();
    bencher.counter(BytesCount::of_str(&text)).bench(|| finder.hosts().find(black_box(&text)).len());
}

#[divan::bench]
fn span_index(bencher: Bencher<'_, '_>) {
    let text = stream(DEPLOYMENT);
    bencher.counter(BytesCount::of_str(&text)).bench(|| yaml::parse(black_box(&text)).scalars().len());
}

#[divan::bench]
fn find_in_a_helm_release(bencher: Bencher<'_, '_>) {
    let finder = finder();
    bencher
        .counter(BytesCount::of_str(HELM_RELEASE))
        .bench(|| finder.find("release.yaml", black_box(HELM_RELEASE.as_bytes())).sites.len());
}
