//! The rules of `check`: a small repository for each, and everything that is found in it.

use std::collections::BTreeSet;
use std::path::Path;

use pullthru::config::RuleId;
use pullthru::lint::rules;
use pullthru_core::releases::lock::{LOCK_NAME, RenderedRole};
use serde_json::Value;

use crate::charts::{RELEASE, lock_of};
use crate::golden::{assert_same, copy_of};
use crate::scratch::{Scratch, run_in};

/// Relative to the directory, with `/`.
fn files_of(directory: &Path) -> Vec<String> {
    let mut files = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(path) = open.pop() {
        for entry in std::fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                files.push(path.strip_prefix(directory).unwrap().to_str().unwrap().replace('\\', "/"));
            }
        }
    }
    files
}

/// One line a finding, as a reviewer wants to read it.
fn shown(report: &Value) -> String {
    let mut text = String::new();
    for row in report["findings"].as_array().unwrap() {
        let word = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
        let end = row["endColumn"].as_u64().map(|end| format!("-{end}")).unwrap_or_default();
        text.push_str(&format!(
            "{}:{}:{}{end}  {} {} ({})\n    {}\n",
            word("path"),
            row["line"],
            row["column"],
            word("severity"),
            word("rule"),
            word("confidence"),
            word("message")
        ));
        if let Some(cached) = row["cached"].as_str() {
            text.push_str(&format!("    → {cached}\n"));
        }
        text.push_str(&format!("    next: {}\n", word("next")));
        if let Some(fix) = row["fix"].as_object() {
            text.push_str(&format!(
                "    {} fix: {}\n",
                fix["safety"].as_str().unwrap(),
                fix["title"].as_str().unwrap()
            ));
        }
        for related in row["related"].as_array().into_iter().flatten() {
            let place = format!("{}:{}", related["path"].as_str().unwrap(), related["line"]);
            text.push_str(&format!("    {place}  {}\n", related["text"].as_str().unwrap()));
        }
    }
    text
}

#[test]
fn every_rule_finds_what_it_says() {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/rules");
    let mut seen = BTreeSet::new();
    for entry in std::fs::read_dir(rules).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let copy = copy_of(&format!("testdata/rules/{name}"));
        let (out, err) = run_in(copy.path(), &["check", "--format", "json"]);
        let report: Value =
            serde_json::from_str(&out).unwrap_or_else(|error| panic!("{name}: {error}: {err}"));
        assert_same(&format!("testdata/expected/rules/{name}.txt"), &shown(&report));
        let found =
            report["findings"].as_array().unwrap().iter().map(|row| row["rule"].as_str().unwrap().to_owned());
        let found: BTreeSet<String> = found.collect();
        if RuleId::ALL.iter().any(|id| id.id() == name) {
            assert!(found.contains(&name), "{name} is not found in its own repository");
            seen.insert(name);
        }
    }
    // `override_rules` shows those that need renders.
    let shown = RuleId::ALL.iter().filter(|rule| !rule.needs_renders());
    assert_eq!(seen.len(), shown.count(), "a rule has no repository of its own");
}

/// A finding of a file is the same when the file is all that is named: what builds it is looked at then.
#[test]
fn a_named_file_has_the_findings_of_the_whole_run() {
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/rules");
    let mut files = 0;
    for entry in std::fs::read_dir(rules).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let copy = copy_of(&format!("testdata/rules/{name}"));
        let check = |arguments: &[&str]| -> Vec<Value> {
            let (out, err) = run_in(copy.path(), &[&["check", "--format", "jsonl"], arguments].concat());
            assert_eq!(err, "", "{name}");
            out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        };
        let whole = check(&[]);
        for path in files_of(copy.path()).iter().filter(|path| *path != "pullthru.yaml") {
            let of_file: Vec<&Value> = whole.iter().filter(|row| row["path"] == path.as_str()).collect();
            let path = path.as_str();
            let mut found = check(&[path]);
            // A release has its findings at its object, whichever of the files that decide about it is named.
            let elsewhere =
                |row: &Value| row["rule"].as_str().unwrap().starts_with("chart-") && row["path"] != path;
            found.retain(|row| !elsewhere(row));
            assert_eq!(found.iter().collect::<Vec<_>>(), of_file, "{name}: {path}");
            files += 1;
        }
    }
    assert!(files > 20, "{files}");
}

#[test]
fn every_rule_has_an_id_and_a_page_of_its_own() {
    let mut ids = BTreeSet::new();
    for (rule, id) in rules::ALL.into_iter().zip(RuleId::ALL) {
        assert_eq!(rule.id, id, "the lists differ");
        assert!(ids.insert(id.id()), "{} twice", id.id());
        assert!(rule.summary.ends_with('.'), "{}", rule.summary);
        let document = rule.document();
        for heading in ["## What it finds", "## Why it matters", "## Example", "## What to do"] {
            assert_eq!(document.matches(heading).count(), 1, "{}: {heading}", id.id());
        }
        assert_same(&format!("docs/rules/{}.md", id.id()), &document);
    }
    assert_same("docs/rules/README.md", &rules::index());
    let pages = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/rules");
    let pages = std::fs::read_dir(pages).unwrap().count();
    assert_eq!(pages, RuleId::ALL.len() + 1, "a page without a rule");
}

#[test]
fn explain_prints_the_page() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    for id in RuleId::ALL {
        let (out, err) = run_in(here, &["explain", id.id()]);
        assert_eq!(err, "");
        assert!(out.starts_with(id.id()) && out.contains("What to do\n"), "{out}");
        assert!(!out.contains("```") && !out.contains("](") && !out.contains('\x1b'), "{out}");
    }
    let (out, _) = run_in(here, &["explain"]);
    assert_eq!(out.lines().count(), RuleId::ALL.len() + 1, "a line a rule, and what to run next");
    let (out, err) = run_in(here, &["explain", "cold-digests"]);
    assert!(out.is_empty() && err.contains("did you mean `cold-digest`?"), "{err}");
}

/// What policies miss is missed before a migration and after it, when nothing names the upstream any more but they.
#[test]
fn policies_are_looked_at_by_themselves() {
    let copy = copy_of("testdata/fleet");
    let flags = ["--account", "123456789012", "--region", "ca-central-1"];
    let missed = || -> Vec<String> {
        let (out, _) = run_in(copy.path(), &[&["check", "--format", "json"], &flags[..]].concat());
        let report: Value = serde_json::from_str(&out).unwrap();
        let rows =
            report["findings"].as_array().unwrap().iter().filter(|row| row["rule"] == "policy-misses-cache");
        rows.map(|row| format!("{} {} {}", row["fingerprint"], row["confidence"], row["next"])).collect()
    };
    let before = missed();
    assert_eq!(before.len(), 2, "{before:?}");
    let (_, err) = run_in(copy.path(), &[&["migrate", "--write"], &flags[..]].concat());
    assert!(err.contains("rewritten"), "{err}");
    assert_eq!(missed(), before);
    // With the pattern that is asked for nothing is missed.
    let policy = copy.path().join("infrastructure/configs/verify-images.yaml");
    let text = std::fs::read_to_string(&policy).unwrap();
    let both = "[\"ghcr.io/amerintlxperts/*\", \"123456789012.dkr.ecr.ca-central-1.amazonaws.com/ghcr/amerintlxperts/*\"]";
    std::fs::write(&policy, text.replace("[\"ghcr.io/amerintlxperts/*\"]", both)).unwrap();
    let left = missed();
    assert!(left.len() == 1 && left[0].contains("renovate.json"), "{left:?}");
}

/// `artifacts: true` moves sources, and what they verify and log in with has to change.
#[test]
fn sources_that_will_move_are_reported_too() {
    let copy = copy_of("testdata/rules/policy-misses-cache");
    let config = copy.path().join("pullthru.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, format!("{text}artifacts: true\n")).unwrap();
    let (out, _) = run_in(copy.path(), &["check", "--format", "jsonl", "sources.yaml"]);
    let will =
        out.lines().filter(|line| line.contains("`OCIRepository/upstream` will be pulled through the cache"));
    assert_eq!(will.count(), 2, "{out}");
}

/// Where Renovate looks from now on is said by the migration, with the command; one preset is enough.
#[test]
fn a_migration_names_renovate_until_it_is_led_to_the_upstream() {
    let copy = copy_of("testdata/rules/renovate-silent");
    let said = |directory: &std::path::Path| {
        let (out, err) = run_in(directory, &["migrate"]);
        (out + &err)
            .contains("Renovate looks for new tags in the cache from now on: `pullthru emit renovate`")
    };
    let finds = |directory: &std::path::Path| {
        let (out, _) = run_in(directory, &["check", "--format", "jsonl"]);
        out.lines().any(|line| line.contains("cached-tags-only"))
    };
    assert!(said(copy.path()) && finds(copy.path()));
    let text = std::fs::read_to_string(copy.path().join("renovate.jsonc")).unwrap();
    let led = text
        .replace("\"config:recommended\"", "\"config:recommended\", \"local>umbra/fleet//renovate-cache\"");
    std::fs::remove_file(copy.path().join("renovate.jsonc")).unwrap();
    // Everywhere Renovate looks.
    for name in [
        ".github/renovate.json5",
        ".gitlab/renovate.json",
        ".forgejo/renovate.json",
        ".renovaterc",
        "renovate.json",
    ] {
        let file = copy.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, &text).unwrap();
        assert!(said(copy.path()) && finds(copy.path()), "{name}");
        std::fs::write(&file, &led).unwrap();
        assert!(!said(copy.path()) && !finds(copy.path()), "{name}");
        std::fs::remove_file(&file).unwrap();
    }
    // Without a configuration there is nothing to say.
    assert!(!said(copy.path()) && !finds(copy.path()));
}

/// A preset in the repository leads Renovate to the upstream where a configuration extends it.
#[test]
fn presets_of_the_repository_are_read_where_they_are_extended() {
    let finds = |root: &Path| -> Vec<String> {
        let (out, err) = run_in(root, &["check", "--format", "json"]);
        let report: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {err}"));
        let findings = report["findings"].as_array().unwrap().iter();
        let ours = findings.filter(|row| row["rule"] == "cached-tags-only");
        ours.map(|row| row["path"].as_str().unwrap().to_owned()).collect()
    };
    let copy = copy_of("testdata/rules/renovate-package");
    assert_eq!(finds(copy.path()), ["package.json"]);
    let package = std::fs::read_to_string(copy.path().join("package.json")).unwrap();
    let extending = |preset: &str| {
        package.replace("\"config:recommended\"", &format!("\"config:recommended\", \"{preset}\""))
    };
    for (preset, is_read) in [
        ("local>orchard/fleet//presets/cache", true),
        ("local>orchard/fleet//presets/cache.json", true),
        ("local>orchard/fleet//presets/other", false),
        ("local>orchard/fleet:cache", false),
    ] {
        std::fs::write(copy.path().join("package.json"), extending(preset)).unwrap();
        assert_eq!(finds(copy.path()).is_empty(), is_read, "{preset}");
    }
    // Renovate takes another file first.
    std::fs::write(copy.path().join("package.json"), extending("local>orchard/fleet//presets/other"))
        .unwrap();
    std::fs::write(copy.path().join("renovate.json5"), "{ extends: ['config:recommended'] }\n").unwrap();
    assert_eq!(finds(copy.path()), ["renovate.json5"]);
}

/// The values of a release give a login to all that its chart pulls.
#[test]
fn logins_of_releases_are_used_by_what_their_charts_pull() {
    let cached = "123456789012.dkr.ecr.ca-central-1.amazonaws.com/ghcr/guild/bakery";
    let values = format!(
        "    image: {{repository: {cached}, tag: v1}}\n    imagePullSecrets: [{{name: ghcr-login}}]\n"
    );
    let text = RELEASE.replace("    image: {repository: ghcr.io/guild/bakery, tag: v1}\n", &values);
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: ghcr-login, namespace: shops}\nstringData: {.dockerconfigjson: \
                  '{\"auths\": {\"ghcr.io\": {}}}'}\n";
    let scratch =
        Scratch::new(&[("shops/bakery.yaml", text.as_bytes()), ("shops/login.yaml", secret.as_bytes())]);
    let finds = || {
        let run = scratch.run(&["check", "--format", "json"]);
        let report: Value =
            serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error}: {}", run.err));
        report["findings"].as_array().unwrap().iter().any(|row| row["rule"] == "pull-secret-unused")
    };
    let bakery = (format!("{cached}:v1"), RenderedRole::Container);
    for (others, finding) in [
        (&[][..], true),
        (&[("docker.io/library/busybox:1.37", RenderedRole::InitContainer)][..], true),
        (&[("ghcr.io/guild/oven:v2", RenderedRole::Container)][..], false),
    ] {
        let images: Vec<(&str, RenderedRole)> =
            others.iter().copied().chain([(bakery.0.as_str(), bakery.1)]).collect();
        std::fs::write(scratch.path().join(LOCK_NAME), lock_of(scratch.path(), &images)).unwrap();
        assert_eq!(finds(), finding, "{others:?}");
    }
    // What its chart pulls is not known.
    std::fs::remove_file(scratch.path().join(LOCK_NAME)).unwrap();
    assert!(!finds());
}

/// A Warehouse that names the cache, changed as its finding says: nothing is found any more, also of what promotes its freight.
#[test]
fn a_warehouse_of_the_cache_names_the_upstream_after_the_lines_of_its_finding() {
    let cache = "123456789012.dkr.ecr.ca-central-1.amazonaws.com/ghcr";
    let copy = copy_of("testdata/rules/kargo-warehouse");
    let rules = |root: &Path| -> Vec<String> {
        let (out, err) = run_in(root, &["check", "--format", "json"]);
        let report: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {err}"));
        report["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["rule"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(rules(copy.path()), ["cached-tags-only", "cached-tags-only"]);
    let change = |file: &str, changes: &[(String, String)]| {
        let path = copy.path().join(file);
        let mut text = std::fs::read_to_string(&path).unwrap();
        for (from, to) in changes {
            assert_eq!(text.matches(from.as_str()).count(), 1, "{from}");
            text = text.replace(from, to);
        }
        std::fs::write(path, text).unwrap();
    };
    change(
        "warehouse.yaml",
        &[(format!("repoURL: {cache}/marina/pier"), "repoURL: ghcr.io/marina/pier".to_owned())],
    );
    change(
        "warehouse.yaml",
        &[(format!("repoURL: \"{cache}/marina/jetty\""), "repoURL: ghcr.io/marina/jetty".to_owned())],
    );
    let (pier, tag) = ("ghcr.io/marina/pier", "${{ imageFrom(\"ghcr.io/marina/pier\").Tag }}");
    change(
        "stage.yaml",
        &[
            (
                format!(
                    "image: {cache}/marina/pier\n                tag: ${{{{ imageFrom(\"{cache}/marina/pier\").Tag }}}}"
                ),
                format!(
                    "image: {pier}\n                name: {cache}/marina/pier\n                newName: {cache}/marina/pier\n                tag: {tag}"
                ),
            ),
            (format!("value: {cache}/marina/jetty"), "value: ghcr.io/marina/jetty".to_owned()),
            (
                format!("image: ${{{{ vars.jetty }}}}\n                newName: {cache}/marina/jetty"),
                format!(
                    "image: ${{{{ vars.jetty }}}}\n                name: {cache}/marina/jetty\n                newName: {cache}/marina/jetty"
                ),
            ),
            (
                format!(
                    "uses: helm-update-image\n          config:\n            path: ./src/values.yaml\n            images:\n              - image: {cache}/marina/pier\n                key: pier.image\n                value: ImageAndTag"
                ),
                format!(
                    "uses: yaml-update\n          config:\n            path: ./src/values.yaml\n            updates: [{{key: pier.image, value: '{cache}/marina/pier:{tag}'}}]"
                ),
            ),
            (
                format!(
                    "value: ${{{{ imageFrom(\"{cache}/marina/pier\").RepoURL }}}}:${{{{ imageFrom(\"{cache}/marina/pier\").Tag }}}}"
                ),
                format!("value: {cache}/marina/pier:{tag}"),
            ),
        ],
    );
    assert_eq!(rules(copy.path()), [""; 0]);
}

/// What a migration changes, programs may change back: it ends with their names.
#[test]
fn a_migration_names_the_updaters_that_would_undo_it() {
    let copy = copy_of("testdata/rules/updaters");
    let (out, err) = run_in(copy.path(), &["migrate", "--format", "json"]);
    let report: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {err}"));
    let warnings = report["warnings"].as_array().unwrap().iter();
    let updaters = warnings.filter(|warning| warning["rule"] == "updater-reverts");
    let rendered: Vec<String> = updaters
        .map(|warning| format!("{}:{}", warning["path"].as_str().unwrap(), warning["line"]))
        .collect();
    // Billing's and split's images are renamed already, and what moves is the ledger's; one of its steps of Kargo names the cache.
    assert_eq!(
        rendered,
        [
            "fleet/apps.yaml:6",
            "fleet/apps.yaml:23",
            "fleet/promote.yaml:18",
            "fleet/promote.yaml:26",
            "fleet/stage.yaml:14",
            "fleet/updater.yaml:11"
        ]
    );
}

/// Kargo's steps read names from variables, of the task, of the stage and of the step.
#[test]
fn names_in_variables_of_kargo_are_found() {
    let steps = "      - uses: kustomize-set-image
        config: {images: [{image: '${{ vars.heron }}', tag: '${{ imageFrom(vars.heron).Tag }}'}]}
      - uses: yaml-update
        vars: [{name: egret, value: ghcr.io/acme/egret}]
        config: {updates: [{key: image, value: '${{ imageFrom(vars.egret).RepoURL }}:v2'}]}
      - uses: kustomize-set-image
        config: {images: [{image: '${{ vars.unknown }}'}]}
";
    let task = format!(
        "apiVersion: kargo.akuity.io/v1alpha1\nkind: PromotionTask\nmetadata: {{name: promote}}\nspec:\n  vars:\n  - {{name: heron, value: ghcr.io/acme/heron}}\n  - name: unknown\n  steps:\n{steps}"
    );
    let stage = format!(
        "apiVersion: kargo.akuity.io/v1alpha1\nkind: Stage\nmetadata: {{name: test}}\nspec:\n  vars: [{{name: heron, value: ghcr.io/acme/heron}}]\n  promotionTemplate:\n    spec:\n      steps:\n{steps}"
    );
    let pod = b"apiVersion: v1\nkind: Pod\nspec: {containers: [{image: ghcr.io/acme/heron:v1}, {image: ghcr.io/acme/egret:v1}]}\n";
    let kustomization = b"resources: [pod.yaml]\nimages: [{name: ghcr.io/acme/heron, newTag: v1}]\n";
    let scratch = Scratch::new(&[
        ("task.yaml", task.as_bytes()),
        ("stage.yaml", stage.as_bytes()),
        ("app/pod.yaml", pod),
        ("app/kustomization.yaml", kustomization),
    ]);
    let run = scratch.run(&["migrate", "--strategy", "inline", "--format", "json"]);
    let report: Value = serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error}: {}", run.err));
    let warnings = report["warnings"].as_array().unwrap().iter();
    let updaters = warnings.filter(|warning| warning["rule"] == "updater-reverts");
    let rendered: Vec<String> = updaters
        .map(|warning| format!("{}:{}", warning["path"].as_str().unwrap(), warning["line"]))
        .collect();
    assert_eq!(rendered, ["stage.yaml:10", "stage.yaml:13", "task.yaml:10", "task.yaml:13"], "{}", run.out);
}

/// What the fixes of updaters write: in the files of the updaters alone, and nothing at the second time.
#[test]
fn fixes_tell_updaters_the_name_that_the_migration_gives() {
    let copy = copy_of("testdata/rules/updaters");
    let diff = |flags: &[&str]| run_in(copy.path(), &[&["check", "--fix", "--diff"], flags].concat()).0;
    assert_same("testdata/expected/check/updaters.diff", &diff(&["--unsafe-fixes"]));
    // What needs a login of the updater is for those who ask for it.
    assert!(!diff(&[]).contains("apps.yaml") && diff(&[]).contains("stage.yaml"), "{}", diff(&[]));
    // The images of one path alone: those of the ledger do not move in this run, nor does what writes them.
    let alone = diff(&["fleet"]);
    assert!(alone.contains("acme/plain") && !alone.contains("newName: '123456789012"), "{alone}");

    let fix = || run_in(copy.path(), &["check", "--fix", "--unsafe-fixes", "--format", "json"]);
    let (out, err) = fix();
    let report: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {err}"));
    assert!(report["summary"]["fixed"].as_u64().is_some_and(|fixed| fixed > 5), "{report:#}");
    let rows = report["findings"].as_array().unwrap().iter();
    let left: Vec<String> = rows
        .filter(|row| row["rule"] == "updater-reverts")
        .map(|row| format!("{}:{}", row["path"].as_str().unwrap(), row["line"]))
        .collect();
    assert_eq!(left, ["fleet/promote.yaml:19", "fleet/stage.yaml:32"], "{report:#}");
    assert_eq!(diff(&["--unsafe-fixes"]), "");
}

/// What cannot be written is not: the file of the updater is as it was, and so is what belongs to it.
#[test]
fn fixes_of_updaters_leave_what_they_cannot_write() {
    let copy = copy_of("testdata/rules/updaters");
    let main = copy.path().join("relay/main.yaml");
    let text = std::fs::read_to_string(&main).unwrap();
    std::fs::write(&main, text.replace("123456789012.dkr.ecr.ca-central-1.amazonaws.com/ghcr", "ghcr.io"))
        .unwrap();
    let kustomization = copy.path().join("relay/kustomization.yaml");
    let text = std::fs::read_to_string(&kustomization).unwrap();
    std::fs::write(
        &kustomization,
        text.replace("123456789012.dkr.ecr.ca-central-1.amazonaws.com/ghcr", "ghcr.io"),
    )
    .unwrap();
    let step = || std::fs::read_to_string(copy.path().join("fleet/promote.yaml")).unwrap();
    let before = step();
    // Silenced references stay, and what updates them does.
    let ignored = std::fs::read_to_string(&main).unwrap().replace("relay:0", "relay:0 # pullthru: ignore");
    std::fs::write(&main, &ignored).unwrap();
    let flags = ["check", "--fix", "--strategy", "inline"];
    run_in(copy.path(), &flags);
    assert!(!step().contains("ghcr/acme/relay"), "{}", step());
    // Renamed in place, the entry is called after the cache, and the step with it.
    std::fs::write(copy.path().join("fleet/promote.yaml"), &before).unwrap();
    std::fs::write(&main, ignored.replace(" # pullthru: ignore", "")).unwrap();
    run_in(copy.path(), &flags);
    let name = "            name: 123456789012.dkr.ecr.ca-central-1.amazonaws.com/ghcr/acme/relay\n";
    assert!(step().contains(name), "{}", step());
    let text = std::fs::read_to_string(&kustomization).unwrap();
    assert!(
        text.contains("- name: 123456789012.dkr.ecr.ca-central-1.amazonaws.com/ghcr/acme/relay"),
        "{text}"
    );
}

/// What each fix writes, carried out as its updater does: `kustomize edit set image` is what Argo CD Image Updater and Kargo
/// run, and an entry that they write loses the `newName` that it had.
#[test]
#[ignore = "needs target/peers/bin/kustomize"]
fn kustomize_applies_what_updaters_write_after_the_fix() {
    const CACHE: &str = "123456789012.dkr.ecr.ca-central-1.amazonaws.com/ghcr/acme";
    let kustomize = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/bin/kustomize");
    let run = |directory: &Path, args: &[&str]| {
        let output =
            std::process::Command::new(&kustomize).args(args).current_dir(directory).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let copy = copy_of("testdata/rules/updaters");
    // The images move, and their updaters stay as they are.
    let named = ["billing", "ledger", "plain", "relay", "split"];
    run_in(copy.path(), &[&["check", "--fix"], &named[..]].concat());
    let value = |file: &str, way: &str| {
        let text = std::fs::read_to_string(copy.path().join(file)).unwrap();
        let stream = pullthru::yaml::parse(&text);
        let root = stream.documents[0].root.unwrap();
        let found = way.split(' ').try_fold(root, |at, step| match step.parse::<usize>() {
            Ok(index) => stream.items(at).get(index).copied(),
            Err(_) => stream.get(at, step),
        });
        found.and_then(|at| stream.value(at)).map(str::to_owned)
    };
    // What an updater gives `kustomize edit set image`.
    let of_kargo = |file: &str, image: &str| {
        let key = |key: &str| value(file, &format!("{image} {key}")).filter(|value| value != "*");
        let name = key("name").or_else(|| key("image")).unwrap();
        let new_name = key("newName").map(|name| format!("={name}")).unwrap_or_default();
        format!("{name}{new_name}:9.9.9")
    };
    let of_annotation = || {
        let start = "metadata annotations argocd-image-updater.argoproj.io/";
        let list = value("fleet/apps.yaml", &format!("{start}image-list")).unwrap();
        let item = list.split(',').next().unwrap().trim_start_matches("ledger=").replace(":^2", "");
        let name = value("fleet/apps.yaml", &format!("{start}ledger.kustomize.image-name"));
        format!("{}={item}:9.9.9", name.unwrap_or(item.clone()))
    };
    let of_object = || {
        let image = "spec applicationRefs 0 images 0";
        let item = value("fleet/updater.yaml", &format!("{image} imageName")).unwrap().replace(":~4.1", "");
        let name = value("fleet/updater.yaml", &format!("{image} manifestTargets kustomize name"));
        format!("{}={item}:9.9.9", name.unwrap_or(item.clone()))
    };
    let stage = "spec promotionTemplate spec steps 1 config images 0";
    let built = || {
        let writes = [
            ("billing", of_kargo("fleet/stage.yaml", stage)),
            ("relay", of_kargo("fleet/promote.yaml", "spec steps 0 config images 0")),
            ("ledger", of_kargo("fleet/promote.yaml", "spec steps 2 config images 1")),
            ("ledger", of_annotation()),
            ("billing", of_object()),
        ];
        let build = |(directory, image): (&str, String)| {
            let place = copy.path().join(directory);
            let before = std::fs::read(place.join("kustomization.yaml")).unwrap();
            run(&place, &["edit", "set", "image", &image]);
            let built = run(&place, &["build"]);
            std::fs::write(place.join("kustomization.yaml"), before).unwrap();
            let image = built.lines().find_map(|line| line.trim().strip_prefix("- image: ")).unwrap();
            image.to_owned()
        };
        writes.map(build)
    };
    let wrong = built();
    let right =
        ["billing", "relay", "ledger", "ledger", "billing"].map(|name| format!("{CACHE}/{name}:9.9.9"));
    for (wrong, right) in wrong.iter().zip(&right) {
        assert_ne!(wrong, right, "nothing was to be fixed");
    }
    run_in(copy.path(), &["check", "--fix", "--unsafe-fixes"]);
    assert_eq!(built(), right);

    // Steps that write a whole image: the expression becomes what Kargo found.
    let update = "spec promotionTemplate spec steps 3 config updates 0 value";
    assert_eq!(
        value("fleet/stage.yaml", update).unwrap(),
        format!("{CACHE}/plain:${{{{ imageFrom(\"ghcr.io/acme/plain\").Tag }}}}")
    );
}
