//! Every form of reference: `testdata/forms/<family>` against its `expected.txt`, which was written from the
//! specification before the finder ran on it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use pullthru_core::config::{Config, Overrides};
use pullthru_core::find::{Finder, Hosts, Role};
use pullthru_core::inventory;
use pullthru_core::kustomize::Model;
use pullthru_core::migrate::{self, Direction, SkipReason};
use pullthru_core::tree::{Repository, WalkOptions};

/// One line per site and ignored occurrence, as `testdata/forms/README.md` describes them.
fn listing(family: &Path) -> String {
    let name = family.file_name().unwrap_or_default().to_string_lossy();
    let upstream = if name.starts_with("dockerhub") { "docker.io=docker-hub" } else { "ghcr.io=ghcr" };
    let overrides = Overrides {
        account: Some("123456789012".to_owned()),
        region: Some("ca-central-1".to_owned()),
        upstreams: vec![upstream.to_owned()],
        ..Overrides::default()
    };
    let config = Config::load(None, &overrides).unwrap();
    let host = upstream.split('=').next().unwrap().to_owned();
    let finder =
        Finder::new(Hosts::new(&[host], &config.cache_hosts()).unwrap().with_bases(config.cache_bases()));
    let repository = Repository::at(family).unwrap();
    let options =
        WalkOptions { hidden: true, ignore: vec!["expected.txt".to_owned()], ..WalkOptions::default() };
    let inventory = inventory::take(&repository, &[], &options, &finder).unwrap();
    let plan =
        migrate::plan(&Model::new(&inventory, &config), &migrate::Mode::inline(Direction::ToCache), |_| true);

    let mut lines: Vec<(String, usize, usize, String)> = Vec::new();
    for (file, change) in plan.changes() {
        let verdict = if change.site.role == Role::Image { "rewrite" } else { "pair" };
        let line = format!("{verdict}  {}  {}", change.site.reference(), change.site.form);
        lines.push((file.path.to_string(), change.position.line, change.position.column, line));
    }
    for skipped in &plan.skipped {
        let reference = skipped.site.reference();
        let line = match skipped.reason {
            SkipReason::Artifact => format!("chart  {reference}  {}", skipped.site.form),
            SkipReason::TagDiscovery => format!("tag-discovery  {reference}  {}", skipped.site.form),
            ref why => format!("keep  {reference}  {}", why.id()),
        };
        lines.push((skipped.path.to_string(), skipped.position.line, skipped.position.column, line));
    }
    for file in &inventory.files {
        for ignored in &file.found.ignored {
            let position = ignored.position;
            let line = format!("keep  -  {}", ignored.reason);
            lines.push((file.path.to_string(), position.line, position.column, line));
        }
    }
    lines.sort();
    let mut text = String::new();
    for (path, line, _, verdict) in lines {
        writeln!(text, "{path}:{line}  {verdict}").unwrap();
    }
    text.replace("ghcr.io", "G").replace("docker.io", "D")
}

#[test]
fn every_form_is_planned_as_the_specification_has_it() {
    let root = crate::golden::root().join("testdata/forms");
    let mut families: Vec<_> = fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()).collect();
    families.retain(|path| path.is_dir());
    families.sort();
    let mut differences = String::new();
    let mut cases = 0;
    for family in families {
        let file = family.join("expected.txt");
        let found = listing(&family);
        cases += found.lines().count();
        if std::env::var_os("PULLTHRU_BLESS").is_some() {
            fs::write(&file, &found).unwrap();
        }
        let expected = fs::read_to_string(&file).unwrap();
        if expected != found {
            let diff = similar::TextDiff::from_lines(&expected, &found);
            let name = family.display().to_string();
            write!(differences, "{}", diff.unified_diff().context_radius(0).header(&name, "found")).unwrap();
        }
    }
    assert!(differences.is_empty(), "{differences}");
    assert!(cases > 500, "only {cases} cases: fixtures are missing");
}
