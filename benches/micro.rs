//! The stages of a scan by themselves: `cargo bench --bench micro`.

#![allow(clippy::unwrap_used)]

use divan::counter::{BytesCount, ItemsCount};
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

fn hosts(upstreams: usize) -> Hosts {
    let upstreams: Vec<String> = ["ghcr.io", "quay.io", "registry.k8s.io", "gcr.io", "registry.gitlab.com"]
        .into_iter()
        .map(str::to_owned)
        .chain((0..).map(|number| format!("registry-{number}.example.com")))
        .take(upstreams)
        .collect();
    Hosts::new(&upstreams, &[]).unwrap()
}

#[divan::bench]
fn reference_parse(bencher: Bencher<'_, '_>) {
    let references = [
        "nginx",
        "nginx:1.27-alpine",
        "ghcr.io/amerintlxperts/my-app:v1.0.0",
        "registry.k8s.io/ingress-nginx/controller:v1.12.1",
        "registry.example.com:5000/team/sub/app@sha256:6b2b75c33f4c0872df35fd6736da7fec77b5ecb41ead438df2c4643f155f2020",
        "ghcr.io/stefanprodan/podinfo:6.9.2@sha256:6b2b75c33f4c0872df35fd6736da7fec77b5ecb41ead438df2c4643f155f2020",
        "ghcr.io/Upper/case:v1",
    ];
    bencher
        .counter(ItemsCount::new(references.len()))
        .bench(|| references.map(|text| Reference::parse(black_box(text)).is_ok()));
}

/// Upstreams that are looked for.
const UPSTREAMS: [usize; 3] = [1, 5, 50];

/// The whole text is searched: what nearly every file of a repository costs.
#[divan::bench(args = UPSTREAMS)]
fn prefilter_without_a_hit(bencher: Bencher<'_, '_>, upstreams: usize) {
    let text = stream(DEPLOYMENT).replace("ghcr.io", "ghcr-io");
    let hosts = hosts(upstreams);
    assert!(!hosts.occur_in(text.as_bytes()));
    bencher.counter(BytesCount::of_str(&text)).bench(|| hosts.occur_in(black_box(text.as_bytes())));
}

#[divan::bench]
fn prefilter_with_a_hit_at_the_end(bencher: Bencher<'_, '_>) {
    let text = stream(DEPLOYMENT).replace("ghcr.io", "ghcr-io") + "# ghcr.io";
    let hosts = hosts(1);
    assert!(hosts.occur_in(text.as_bytes()));
    bencher.counter(BytesCount::of_str(&text)).bench(|| hosts.occur_in(black_box(text.as_bytes())));
}

#[divan::bench(args = UPSTREAMS)]
fn occurrences(bencher: Bencher<'_, '_>, upstreams: usize) {
    let text = stream(DEPLOYMENT);
    let hosts = hosts(upstreams);
    bencher.counter(BytesCount::of_str(&text)).bench(|| hosts.find(black_box(&text)).len());
}

/// The parser and the index of its spans.
#[divan::bench]
fn span_index(bencher: Bencher<'_, '_>) {
    let text = stream(DEPLOYMENT);
    bencher.counter(BytesCount::of_str(&text)).bench(|| yaml::parse(black_box(&text)).scalars().len());
}

#[divan::bench]
fn find_in_a_helm_release(bencher: Bencher<'_, '_>) {
    let finder = Finder::new(hosts(1));
    bencher
        .counter(BytesCount::of_str(HELM_RELEASE))
        .bench(|| finder.find("release.yaml", black_box(HELM_RELEASE.as_bytes())).sites.len());
}
