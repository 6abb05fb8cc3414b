//! Charts that render releases in turn: an app of apps of Argo CD, a bundle of HelmReleases, circles, and what cannot be had.

use std::path::Path;

use pullthru_core::releases::lock::LOCK_NAME;

use crate::charts::json;
use crate::golden::{assert_same, copy_of, root};
use crate::scratch::{Run, Scratch};

/// A copy of `testdata/in-turn`, and a place for what is kept.
struct Garden {
    copy: tempfile::TempDir,
    scratch: Scratch,
}

impl Garden {
    fn new() -> Garden {
        Garden::of("testdata/in-turn")
    }

    fn of(directory: &str) -> Garden {
        Garden { copy: copy_of(directory), scratch: Scratch::new(&[]) }
    }

    fn run(&self, helm: &str, arguments: &[&str]) -> Run {
        let helm = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/bin").join(helm);
        let root = self.copy.path().to_str().unwrap();
        let mut command = self.scratch.command(&[arguments, &["--root", root]].concat());
        command.env_remove("PULLTHRU_CHARTS");
        command.env("PULLTHRU_HELM", &helm).env("XDG_CACHE_HOME", self.scratch.path().join("cache"));
        Run::from(command.output().unwrap())
    }

    fn edit(&self, path: &str, from: &str, to: &str) {
        let file = self.copy.path().join(path);
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{path}: {from}");
        std::fs::write(&file, text.replace(from, to)).unwrap();
    }

    /// One line a release: what renders it, its state, its images or why they are not known.
    fn releases(&self, helm: &str, charts: &str) -> String {
        let run = self.run(helm, &["charts", "--charts", charts, "--offline", "--format", "json"]);
        let report: serde_json::Value =
            serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{}", run.err));
        let rows = report["releases"].as_array().unwrap().iter().map(|row| {
            let text = |key: &str| row[key].as_str().unwrap_or("-").to_owned();
            let images =
                row["images"].as_array().unwrap().iter().map(|image| image["reference"].as_str().unwrap());
            let deploys = row["deploys"].as_array().into_iter().flatten().filter_map(|one| one.as_str());
            let deploys: String = deploys.map(|one| format!(" deploys {one}")).collect();
            format!(
                "{} {} by {}: {} {}{}{deploys}\n",
                text("kind"),
                text("release"),
                text("rendered_by"),
                text("state"),
                images.collect::<Vec<_>>().join(" "),
                row["because"].as_str().unwrap_or_default()
            )
        });
        rows.collect()
    }
}

#[test]
#[ignore = "needs helm: .ci/peers"]
fn helm_releases_in_turn_are_evaluated_locked_and_counted_once() {
    for helm in ["helm3", "helm4"] {
        let garden = Garden::new();
        let rendered = garden.releases(helm, "auto");
        assert_same("testdata/expected/in-turn/releases.txt", &rendered);

        let locked = garden.run(helm, &["charts", "lock", "--offline"]);
        assert_eq!(locked.code, 1, "{} {}", locked.out, locked.err);
        let lock = std::fs::read_to_string(garden.copy.path().join(LOCK_NAME)).unwrap();
        assert_same("testdata/expected/in-turn/lock.json", &lock);
        let again = garden.run(helm, &["charts", "lock", "--offline"]);
        assert!(again.out.contains("unchanged: ") && again.out.contains(" 0 rendered"), "{}", again.out);
        // From the lock alone it is the same but for what is not in it.
        let known = |releases: &str| -> Vec<String> {
            let known = releases.lines().filter(|line| !line.contains(": unknown"));
            known.map(|line| line.replace(": rendered", ": lock")).collect()
        };
        assert_eq!(known(&garden.releases("none", "lock")), known(&rendered));
    }
}

/// A release is judged by its own hash while what renders it is fresh; else nothing is known of it.
#[test]
fn the_lock_of_releases_in_turn_is_stale_when_what_they_are_made_of_changes() {
    let lock = include_str!("../../testdata/expected/in-turn/lock.json");
    let states = |path: &str, from: &str, to: &str| -> Vec<String> {
        let garden = Garden::new();
        std::fs::write(garden.copy.path().join(LOCK_NAME), lock).unwrap();
        let before = garden.releases("none", "lock");
        garden.edit(path, from, to);
        let after = garden.releases("none", "lock");
        let changed = after.lines().filter(|line| !before.lines().any(|other| other == *line));
        changed
            .map(|line| line.split_whitespace().skip(1).collect::<Vec<_>>().join(" "))
            .map(|line| {
                line.split_once(": ")
                    .map(|(who, state)| format!("{who}: {}", state.split(' ').next().unwrap()))
                    .unwrap()
            })
            .collect()
    };
    assert_eq!(states("stages/values.yaml", "stages:", "# a comment\nstages:"), [""; 0]);
    assert_eq!(
        states("values/files.yaml", "replicas: 2", "replicas: 3"),
        ["argocd/files by Application argocd/stages: stale"]
    );
    assert_eq!(
        states("leaf/values.yaml", "quay.io/plant/leaf", "quay.io/plant/other"),
        [
            "shops/flower by HelmRelease shops/bundle: stale",
            "shops/fruit by HelmRelease shops/bundle: stale",
            "argocd/files by Application argocd/stages: stale",
            "argocd/seed by Application argocd/stages: stale",
            "argocd/known by -: stale",
            "argocd/beside by -: stale",
        ]
    );
    // The others of its render, and what is deeper, are not known any more.
    let of_stages = states("stages/values.yaml", "quay.io/plant/seed", "quay.io/plant/seeds");
    assert_eq!(
        of_stages,
        [
            "argocd/deeper by Application argocd/stages: unknown",
            "argocd/files by Application argocd/stages: unknown",
            "argocd/gone by Application argocd/stages: unknown",
            "argocd/ring by Application argocd/stages: unknown",
            "argocd/seed by Application argocd/stages: unknown",
            "argocd/stages by -: stale",
        ]
    );
}

#[test]
fn releases_in_turn_of_the_lock_are_counted_with_all_others() {
    let garden = Garden::new();
    std::fs::write(
        garden.copy.path().join(LOCK_NAME),
        include_str!("../../testdata/expected/in-turn/lock.json"),
    )
    .unwrap();
    let scratch = Scratch::new(&[]);
    crate::golden::copy_tree(garden.copy.path(), scratch.path());
    let (_, check) = json(&scratch, &["check"]);
    let findings = check["findings"].as_array().unwrap().iter();
    let of_charts = findings.filter(|one| one["rule"].as_str().unwrap().starts_with("chart-"));
    let lines: String = of_charts
        .map(|one| {
            format!("{} {}: {}\n  {}\n", one["path"], one["rule"], one["message"], one["next"])
                .replace('"', "")
        })
        .collect();
    assert_same("testdata/expected/in-turn/check.txt", &lines);
    let listed = scratch.run(&["emit", "list"]);
    for image in ["quay.io/plant/seed:2.0.0", "ghcr.io/plant/of-config-map:2.0.0", "ghcr.io/plant/deeper:3"] {
        assert_eq!(listed.out.matches(image).count(), 1, "{image}: {} {}", listed.out, listed.err);
    }
}

/// What a template writes is reported with what to do; what stands in a file of the repository is edited and proved, and taken
/// back.
#[test]
#[ignore = "needs helm: .ci/peers"]
fn helm_releases_in_turn_are_overridden_in_files_alone() {
    for helm in ["helm3", "helm4"] {
        let garden = Garden::of("testdata/in-turn-values");
        let charts = root().join("testdata/charts");
        let migrate = |more: &[&str]| {
            let given = ["--charts", "auto", "--offline", "--chart-dir", charts.to_str().unwrap()];
            garden.run(helm, &[&["migrate"], more, &given[..]].concat())
        };
        let first = migrate(&["--write"]);
        assert_same("testdata/expected/in-turn/migrate.txt", &first.err);
        let written = |path: &str| std::fs::read_to_string(garden.copy.path().join(path)).unwrap();
        assert_same("testdata/expected/in-turn/schooner.yaml", &written("values/schooner.yaml"));
        let again = migrate(&[]);
        assert_eq!(again.out, "", "{}", again.err);
        let reverted = migrate(&["--reverse", "--write"]);
        for path in ["values/schooner.yaml", "deploy/plain.yaml", "fleet/templates/ships.yaml"] {
            let before = std::fs::read_to_string(root().join("testdata/in-turn-values").join(path)).unwrap();
            assert_eq!(written(path), before, "{path}: {} {}", reverted.out, reverted.err);
        }
    }
}
