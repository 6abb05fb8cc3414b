//! 130 releases of 40 charts, fetched and rendered before: the store and the render cache are warm. The bar is one second,
//! the finder's work on 130 renders included, for the program as it is published:
//! `cargo test --release -p pullthru-charts --test it -- --ignored --nocapture helm_speed`.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use pullthru_charts::{Renew, Settings};
use pullthru_core::releases::lock::ImageLock;
use pullthru_core::releases::rendered::RenderReader;
use pullthru_core::releases::{ChartRef, Release, VersionRef};
use pullthru_registry::Credentials;
use registry_sim::{Artifact, Blob, Store, Upstream, UpstreamSettings};
use serde_json::json;

use crate::support::{charts_of, packed, real_helms, release, settings};

const RELEASES: usize = 130;
const CHARTS: usize = 40;
const BAR: Duration = Duration::from_secs(1);

/// A chart that renders about as much as those of real repositories do: 60 kB.
fn chart(number: usize) -> Vec<u8> {
    let mut text = String::new();
    for object in 0..24 {
        _ = write!(
            text,
            "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {{{{ .Release.Name }}}}-{object}\nspec:\n  replicas: {{{{ .Values.replicas }}}}\n  \
             template:\n    spec:\n      containers:\n        - name: main\n          image: \"quay.io/shop/app-{number}-{object}:1.0.0\"\n          env:\n"
        );
        for variable in 0..30 {
            _ = writeln!(
                text,
                "            - {{name: VARIABLE_{variable}, value: \"{}\"}}",
                "text ".repeat(8)
            );
        }
    }
    packed(
        &format!("app-{number}"),
        "1.0.0",
        &[("templates/all.yaml", &text), ("values.yaml", "replicas: 1\n")],
    )
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs helm: .ci/peers"]
async fn helm_speed_of_130_releases() {
    let mut store = Store::new();
    for number in 0..CHARTS {
        let name = format!("app-{number}");
        store.push(
            &format!("charts/{name}"),
            &Artifact::chart_of(&name, "1.0.0", Blob::new(chart(number))),
            ["1.0.0"],
        );
    }
    let registry = Upstream::start(store, UpstreamSettings { open: true, ..Default::default() }).unwrap();
    let host = registry.host();
    let releases: Vec<Release> = (0..RELEASES)
        .map(|number| {
            let url = format!("oci://{host}/charts/app-{}", number % CHARTS);
            let chart = ChartRef::Oci { url, version: VersionRef::of(Some("1.0.0")) };
            release(&format!("app-{number}"), chart, json!({"replicas": number}))
        })
        .collect();
    let directory = tempfile::tempdir().unwrap();
    let settings =
        Settings { helm: Some(real_helms()[0].clone()), ..settings(directory.path(), directory.path()) };
    let run = |releases: Vec<Release>| {
        let hosts = [host.clone(), registry.storage_host()];
        let settings = settings.clone();
        async move {
            let begin = Instant::now();
            let charts = charts_of(settings, &[&hosts[0], &hosts[1]], Credentials::none());
            let reader = RenderReader::new(&[], &[]);
            let found =
                charts.renew_lock(releases, &ImageLock::default(), Renew::Stale, &reader, |_| ()).await;
            (begin.elapsed(), found)
        }
    };
    let (cold, first) = run(releases.clone()).await;
    assert!(first.unknown.is_empty(), "{:?}", first.unknown);
    assert_eq!(first.lock.releases.len(), RELEASES);
    assert!(first.lock.releases.values().all(|block| block.images.len() == 24));
    let before = registry.requests();
    let mut warm = Vec::new();
    for _ in 0..3 {
        let (time, found) = run(releases.clone()).await;
        assert_eq!(found.lock, first.lock);
        warm.push(time);
    }
    assert_eq!(registry.requests(), before, "nobody was asked again");
    warm.sort();
    println!("{RELEASES} releases of {CHARTS} charts: cold {cold:.2?}, warm {warm:.2?} (bar {BAR:.0?})");
    assert!(cfg!(debug_assertions) || warm[1] <= BAR, "{warm:?}");
}
