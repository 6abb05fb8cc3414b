//! The sample repository: all steps from files to a diff, and back.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use pullthru::config::{Config, Overrides};
use pullthru::find::{Finder, Hosts};
use pullthru::inventory::{self, Inventory};
use pullthru::kustomize::Model;
use pullthru::lint::Edits;
use pullthru::migrate::{Direction, Proved, prove};
use pullthru::report::Paint;
use pullthru::report::migrate::{self as report, MigrationReport};
use pullthru::tree::{Repository, WalkOptions};

use crate::golden::{assert_same, copy_of, copy_tree};

pub(crate) struct Migration {
    pub(crate) repository: Repository,
    config: Config,
    finder: Finder,
}

impl Migration {
    pub(crate) fn new(root: &Path, upstreams: &[&str]) -> Migration {
        Migration::with(root, upstreams, false)
    }

    pub(crate) fn with(root: &Path, upstreams: &[&str], artifacts: bool) -> Migration {
        let overrides = Overrides {
            account: Some("123456789012".to_owned()),
            region: Some("ca-central-1".to_owned()),
            upstreams: upstreams.iter().map(|&upstream| upstream.to_owned()).collect(),
            artifacts: Some(artifacts),
            ..Overrides::default()
        };
        let config = Config::load(None, &overrides).unwrap();
        let finder = Finder::new(
            Hosts::new(&config.upstream_hosts(), &config.cache_hosts())
                .unwrap()
                .with_bases(config.cache_bases()),
        );
        Migration { repository: Repository::at(root).unwrap(), config, finder }
    }

    pub(crate) fn inventory(&self) -> Inventory {
        let options = WalkOptions { hidden: true, gitignore: false, ..WalkOptions::default() };
        inventory::take(&self.repository, &[], &options, &self.finder).unwrap()
    }

    pub(crate) fn prove(&self, direction: Direction) -> Proved {
        prove(
            &Model::new(&self.inventory(), &self.config),
            &pullthru::migrate::Mode::inline(direction),
            |_| true,
            &self.repository,
            &self.finder,
        )
    }

    /// What a report of it says.
    fn report(&self, proved: &Proved) -> MigrationReport {
        let inventory = self.inventory();
        let edits = Edits {
            repository: &self.repository,
            finder: &self.finder,
            files: proved.files.iter().collect(),
            charts: None,
        };
        let (before, after) = edits.coverage(&Model::new(&inventory, &self.config), |_| true);
        MigrationReport::new(proved, None, before, after)
    }

    pub(crate) fn write(&self, direction: Direction) -> Proved {
        let proved = self.prove(direction);
        assert!(proved.errors.is_empty(), "{:?}", proved.errors);
        for file in &proved.files {
            file.write(&self.repository).unwrap();
        }
        proved
    }
}

fn contents(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.insert(path.clone(), fs::read(&path).unwrap());
            }
        }
    }
    found
}

fn diff(proved: &Proved) -> String {
    let mut out = Vec::new();
    report::diff(&proved.files, &mut out, Paint::never()).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn the_diff_is_the_one_that_was_reviewed() {
    let copy = copy_of("testdata/fleet");
    let migration = Migration::new(copy.path(), &[]);
    let proved = migration.prove(Direction::ToCache);
    assert_same("testdata/expected/fleet-inline.diff", &diff(&proved));
    let mut summary = Vec::new();
    let covered = pullthru::report::covered::Covered { files: 47, roots: 7, ..Default::default() };
    report::summary(&migration.report(&proved), covered, false, &mut summary, Paint::never()).unwrap();
    assert_same("testdata/expected/fleet-inline.summary.txt", &String::from_utf8(summary).unwrap());
}

#[test]
fn several_upstreams_move_at_once() {
    let copy = copy_of("testdata/fleet");
    let upstreams =
        ["docker.io=docker-hub", "quay.io=quay", "registry.k8s.io=kubernetes", "public.ecr.aws=ecr-public"];
    let proved = Migration::new(copy.path(), &upstreams).prove(Direction::ToCache);
    assert_same("testdata/expected/fleet-all-upstreams.diff", &diff(&proved));
}

#[test]
fn charts_and_artifacts_move_on_request() {
    let copy = copy_of("testdata/fleet");
    let before = contents(copy.path());
    let migration = Migration::with(copy.path(), &[], true);
    let proved = migration.write(Direction::ToCache);
    assert_same("testdata/expected/fleet-artifacts.diff", &diff(&proved));
    let sources =
        proved.plan.warnings.iter().filter(|warning| warning.message.starts_with("the source now names ECR"));
    assert_eq!(sources.count(), 3, "each Flux source is reported with its provider");
    migration.write(Direction::ToUpstream);
    assert!(contents(copy.path()) == before);
}

/// Migrates, looks for anything left to do, goes back, and compares bytes.
pub(crate) fn there_and_back(root: &Path) -> usize {
    let before = contents(root);
    let migration = Migration::new(root, &[]);
    let there = migration.write(Direction::ToCache);
    let again = migration.prove(Direction::ToCache);
    assert!(again.plan.is_empty(), "{}: a second run changes something:\n{}", root.display(), diff(&again));
    let after = contents(root);
    let changed: Vec<&PathBuf> = after.keys().filter(|path| after[*path] != before[*path]).collect();
    assert_eq!(changed.len(), there.files.len(), "{}", root.display());
    migration.write(Direction::ToUpstream);
    for (path, bytes) in contents(root) {
        assert!(before.get(&path) == Some(&bytes), "{} is not what it was", path.display());
    }
    there.plan.changes().count()
}

#[test]
fn there_and_back_again_is_the_identity() {
    assert!(there_and_back(copy_of("testdata/fleet").path()) > 30);
    for family in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/forms")).unwrap() {
        let family = family.unwrap();
        if family.path().is_dir() && family.file_name() != "dockerhub" {
            let copy = tempfile::tempdir().unwrap();
            copy_tree(&family.path(), copy.path());
            there_and_back(copy.path());
        }
    }
}

#[test]
#[ignore = "needs PULLTHRU_CORPUS, a directory of real repositories"]
fn corpus_there_and_back_again_is_the_identity() {
    let corpus = PathBuf::from(std::env::var_os("PULLTHRU_CORPUS").expect("PULLTHRU_CORPUS is not set"));
    for entry in fs::read_dir(corpus).unwrap() {
        let root = entry.unwrap().path();
        if root.is_dir() {
            let copy = tempfile::tempdir().unwrap();
            copy_tree(&root, copy.path());
            let changes = there_and_back(copy.path());
            println!("{}: {changes} references there and back", root.file_name().unwrap().display());
            assert!(changes > 0);
        }
    }
}
