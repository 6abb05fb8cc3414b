//! Which version is meant: what helm itself pulls from the same repository and the same registry.

use std::path::Path;
use std::process::Command;

use pullthru_charts::Settings;
use pullthru_core::releases::{ChartRef, Release, VersionRef};
use pullthru_registry::Credentials;
use registry_sim::{Artifact, Blob, Store, Upstream, UpstreamSettings};

use crate::support::{Files, charts_of, no_values, packed, real_helms, release, render, settings};

const VERSIONS: [&str; 9] = [
    "0.9.0",
    "1.2.0",
    "1.3.1",
    "1.4.0-rc.1",
    "1.10.0",
    "2.0.0-beta.2",
    "2.0.0",
    "2.1.0+build.5",
    "3.0.0-alpha",
];

const WANTED: [&str; 14] = [
    "",
    "*",
    "1.x",
    "^1.2.0",
    "~1.2",
    ">=1.0.0 <2.0.0",
    ">=1.4.0-0 <1.5.0",
    "1.2.0 - 1.9.0",
    "!=2.1.0",
    "2.0.0",
    "2.1.0+build.5",
    "^3.0.0-0",
    "3.x",
    "~0.9.0 || ^9.0.0",
];

/// The version of the archive that helm has pulled.
fn pulled(helm: &Path, arguments: &[&str], version: &str) -> Option<String> {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new(helm);
    command.arg("pull").args(arguments).arg("--destination").arg(directory.path());
    if !version.is_empty() {
        command.arg("--version").arg(version);
    }
    for (name, value) in
        [("HELM_CACHE_HOME", "cache"), ("HELM_CONFIG_HOME", "config"), ("HELM_DATA_HOME", "data")]
    {
        command.env(name, directory.path().join(value));
    }
    command.output().unwrap();
    let mut names = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let archive =
        names.find_map(|name| Some(name.to_str()?.strip_prefix("web-")?.strip_suffix(".tgz")?.to_owned()));
    archive.map(|version| version.replace('_', "+"))
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs helm: .ci/peers"]
async fn helm_pulls_the_versions_that_are_chosen() {
    let (files, mut store) = (Files::start(None), Store::new());
    let mut index = "apiVersion: v1\nentries:\n  web:\n".to_owned();
    for version in VERSIONS {
        let archive = packed("web", version, &[]);
        index +=
            &format!("  - {{apiVersion: v2, name: web, version: {version}, urls: ['web-{version}.tgz']}}\n");
        files.file(&format!("/web-{version}.tgz"), archive.clone());
        let tag = version.replace('+', "_");
        store.push("charts/web", &Artifact::chart_of("web", version, Blob::new(archive)), [tag.as_str()]);
    }
    files.file("/index.yaml", index);
    let registry = Upstream::start(store, UpstreamSettings { open: true, ..Default::default() }).unwrap();
    let url = format!("oci://{}/charts/web", registry.host());
    let of = |version: &str| -> [Release; 2] {
        let version = VersionRef::of(Some(version));
        let http =
            ChartRef::Http { repository: files.url(), name: "web".to_owned(), version: version.clone() };
        [http, ChartRef::Oci { url: url.clone(), version }].map(|chart| release("web", chart, no_values()))
    };
    for helm in real_helms() {
        let place = tempfile::tempdir().unwrap();
        let settings = Settings { helm: Some(helm.clone()), ..settings(place.path(), place.path()) };
        let (host, storage) = (registry.host(), registry.storage_host());
        let charts = charts_of(settings, &[&files.host, &host, &storage], Credentials::none());
        let outcomes = render(&charts, WANTED.iter().flat_map(|version| of(version)).collect()).await;
        let chosen = |at: usize| Some(outcomes[at].chart.as_ref()?.version.clone());
        let mut found = 0;
        for (number, version) in WANTED.iter().enumerate() {
            let by_helm = [
                pulled(&helm, &["web", "--repo", &files.url()], version),
                pulled(&helm, &[&url, "--plain-http"], version),
            ];
            assert_eq!(
                [chosen(2 * number), chosen(2 * number + 1)],
                by_helm,
                "{version:?} by {}",
                helm.display()
            );
            found += by_helm.iter().flatten().count();
        }
        assert!(found >= 20, "helm pulled {found}");
    }
}
