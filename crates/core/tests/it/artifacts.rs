//! Charts and other OCI artifacts, moved on request.

use std::fmt::Write as _;

use pullthru_core::config::{Config, Overrides};
use pullthru_core::find::{Finder, Hosts};
use pullthru_core::inventory;
use pullthru_core::kustomize::Model;
use pullthru_core::migrate::{self, Direction, Mode};
use pullthru_core::tree::{Repository, WalkOptions};

use crate::golden::copy_of;

const ECR: &str = "123456789012.dkr.ecr.ca-central-1.amazonaws.com";

/// A namespace of charts gets no `library/`, and what names a package moves with it.
#[test]
fn artifacts_move_together_and_as_what_they_are() {
    let copy = copy_of("testdata/artifacts");
    let overrides = Overrides {
        account: Some("123456789012".to_owned()),
        region: Some("ca-central-1".to_owned()),
        upstreams: vec!["docker.io=docker-hub".to_owned(), "ghcr.io=ghcr".to_owned()],
        artifacts: Some(true),
        ..Overrides::default()
    };
    let config = Config::load(None, &overrides).unwrap();
    let hosts = Hosts::new(&config.upstream_hosts(), &config.cache_hosts()).unwrap();
    let finder = Finder::new(hosts.with_bases(config.cache_bases()));
    let repository = Repository::at(copy.path()).unwrap();
    let take = || inventory::take(&repository, &[], &WalkOptions::default(), &finder).unwrap();
    let prove = |direction| {
        let inventory = take();
        let model = Model::new(&inventory, &config);
        let proved = migrate::prove(&model, &Mode::inline(direction), |_| true, &repository, &finder);
        assert!(proved.errors.is_empty(), "{:?}", proved.errors);
        for file in &proved.files {
            file.write(&repository).unwrap();
        }
        proved.plan
    };
    let before = std::fs::read_to_string(copy.path().join("charts.yaml")).unwrap();
    let mut moved = String::new();
    for (file, change) in prove(Direction::ToCache).changes() {
        let to = change.to.replace(ECR, "E");
        writeln!(moved, "{}:{}  {} → {to}", file.path, change.position.line, change.site.reference())
            .unwrap();
    }
    let expected =
        std::fs::read_to_string(crate::golden::root().join("testdata/artifacts/expected.txt")).unwrap();
    assert_eq!(moved, expected);
    assert!(prove(Direction::ToCache).is_empty(), "a second run");
    prove(Direction::ToUpstream);
    // The cache's name does not say which of Docker Hub's spellings it came from.
    let before = before.replace("index.docker.io", "docker.io").replace("registry-1.docker.io", "docker.io");
    assert_eq!(std::fs::read_to_string(copy.path().join("charts.yaml")).unwrap(), before);
}

/// No option moves it, and so none is proposed.
#[test]
fn an_artifact_of_a_registry_that_ecr_cannot_cache_says_so() {
    let directory = tempfile::tempdir().unwrap();
    for (name, host) in [("a.yaml", "gcr.io"), ("b.yaml", "ghcr.io")] {
        let text = format!(
            "apiVersion: source.toolkit.fluxcd.io/v1\nkind: OCIRepository\nmetadata: {{name: a}}\nspec:\n  url: oci://{host}/o/n\n"
        );
        std::fs::write(directory.path().join(name), text).unwrap();
    }
    for (artifacts, expected) in [(false, &["not-cacheable", "artifact"][..]), (true, &["not-cacheable"])] {
        let overrides = Overrides {
            account: Some("123456789012".to_owned()),
            region: Some("ca-central-1".to_owned()),
            upstreams: vec!["ghcr.io=ghcr".to_owned()],
            artifacts: Some(artifacts),
            ..Overrides::default()
        };
        let config = Config::load(None, &overrides).unwrap();
        let hosts = ["ghcr.io", "gcr.io"].map(str::to_owned);
        let finder = Finder::new(Hosts::new(&hosts, &config.cache_hosts()).unwrap());
        let repository = Repository::at(directory.path()).unwrap();
        let inventory = inventory::take(&repository, &[], &WalkOptions::default(), &finder).unwrap();
        let plan =
            migrate::plan(&Model::new(&inventory, &config), &Mode::inline(Direction::ToCache), |_| true);
        let reasons: Vec<&str> = plan.skipped.iter().map(|skipped| skipped.reason.id()).collect();
        assert_eq!(reasons, expected);
        assert_eq!(plan.changes().count(), usize::from(artifacts));
    }
}
