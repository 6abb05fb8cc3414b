//! Images that charts bring: known from the image lock, counted and listed with their release.

use std::collections::BTreeSet;
use std::path::Path;

use pullthru::config::{Config, Overrides};
use pullthru::find::{Finder, Hosts};
use pullthru::inventory;
use pullthru::kustomize::Model;
use pullthru::tree::{Repository, WalkOptions};
use pullthru_core::releases::lock::{
    AskedVersions, Capabilities, ImageLock, LOCK_NAME, LockedChart, LockedImage, LockedRelease, RenderedRole,
    hash,
};
use pullthru_core::releases::{self, RenderedDeployers, Sources};

use crate::golden::{assert_same, copy_of};
use crate::scratch::{Run, Scratch};

pub(super) const RELEASE: &str = "apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata: {name: bakery, namespace: shops}
spec:
  chart:
    spec:
      chart: bakery
      version: 2.1.0
      sourceRef: {kind: HelmRepository, name: guild, namespace: shops}
  values:
    replicas: 1
    image: {repository: ghcr.io/guild/bakery, tag: v1}
---
apiVersion: source.toolkit.fluxcd.io/v1
kind: HelmRepository
metadata: {name: guild, namespace: shops}
spec: {url: https://charts.guild.example}
";

/// A repository with one release; the lock says that its chart renders these images.
pub(super) fn locked(images: &[(&str, RenderedRole)]) -> Scratch {
    let scratch = Scratch::new(&[
        ("shops/bakery.yaml", RELEASE.as_bytes()),
        ("shops/kustomization.yaml", b"resources: [bakery.yaml, pod.yaml]\n"),
        (
            "shops/pod.yaml",
            b"apiVersion: v1\nkind: Pod\nmetadata: {name: till}\nspec:\n  containers:\n  - image: ghcr.io/guild/till:v3\n",
        ),
    ]);
    lock(scratch.path(), images);
    scratch
}

fn lock(root: &Path, images: &[(&str, RenderedRole)]) {
    std::fs::write(root.join(LOCK_NAME), lock_of(root, images)).unwrap();
}

/// The lock of a repository with one release whose chart renders these images.
pub(super) fn lock_of(root: &Path, images: &[(&str, RenderedRole)]) -> String {
    let repository = Repository::at(root).unwrap();
    let config = Config::load(None, &Overrides::default()).unwrap();
    let finder = Finder::new(Hosts::new(&config.upstream_hosts(), &config.cache_hosts()).unwrap());
    let inventory = inventory::take(&repository, &[], &WalkOptions::default(), &finder).unwrap();
    let model = Model::new(&inventory, &config);
    let mut lock = ImageLock::default();
    let capabilities = Capabilities { kubernetes_version: "1.34.0".to_owned(), ..Capabilities::default() };
    for release in releases::of(&model, &Sources::new(&repository)) {
        let image =
            |&(image, role): &(&str, RenderedRole)| LockedImage { image: image.to_owned(), role, key: None };
        let block = LockedRelease {
            chart: LockedChart {
                source: "https://charts.guild.example/bakery".to_owned(),
                version: "2.1.0".to_owned(),
                ..LockedChart::default()
            },
            hash: hash(&release, &capabilities, &AskedVersions::default()),
            inputs: release.inputs.clone(),
            images: images.iter().map(image).collect(),
            deploys: RenderedDeployers::default(),
            render_failed: false,
        };
        lock.releases.insert(release.id, block);
    }
    assert_eq!(lock.releases.len(), 1);
    lock.text()
}

/// What is wrong on the command line is said even where the lock answers everything.
#[test]
fn wrong_arguments_are_errors() {
    let scratch = Scratch::new(&[("pod.yaml", b"apiVersion: v1\nkind: Pod\n")]);
    scratch.git(&["init", "-q"]);
    for (arguments, said) in [
        (&["charts", "--chart-dir", "nowhere"][..], "no such directory"),
        (&["charts", "diff", "--base", "nowhere"], "`nowhere` is not a revision"),
        (&["charts", "nowhere"], "no release `nowhere`"),
    ] {
        let run = scratch.run(arguments);
        assert_eq!(run.code, 2, "{arguments:?}: {}", run.err);
        assert!(run.err.split_whitespace().collect::<Vec<_>>().join(" ").contains(said), "{}", run.err);
    }
}

/// The lock of the sample repository is checked to be fresh by every command that is shown with it. This renders it again.
#[test]
#[ignore = "needs helm: .ci/peers"]
fn helm_renders_the_lock_of_the_sample_repository() {
    let copy = copy_of("testdata/fleet");
    let scratch = Scratch::new(&[]);
    let helm = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/bin/helm4");
    let mut command = scratch.command(&["charts", "lock", "--offline", "--renew", "all", "--root"]);
    command.arg(copy.path()).env("PULLTHRU_HELM", &helm).env("XDG_CACHE_HOME", scratch.path());
    let run = Run::from(command.output().unwrap());
    assert!(run.out.contains("1 rendered"), "{} {}", run.out, run.err);
    let lock = std::fs::read_to_string(copy.path().join(LOCK_NAME)).unwrap();
    assert_same(&format!("testdata/fleet/{LOCK_NAME}"), &lock);
}

/// Three repositories, and what they pull by the real tools: `kustomize build`, Flux's substitution, values merged in the
/// controller's order by a script, `helm template`. `expected.txt` was written from their output, not by this program.
#[test]
#[ignore = "needs helm: .ci/peers"]
fn helm_repositories_pull_what_the_real_tools_make_of_them() {
    for name in ["flux", "argo", "kustomize"] {
        let copy = copy_of(&format!("testdata/repositories/{name}"));
        let scratch = Scratch::new(&[]);
        for helm in ["helm3", "helm4"] {
            let helm = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/bin").join(helm);
            let arguments = ["charts", "--charts", "required", "--offline", "--format", "json", "--root"];
            let mut command = scratch.command(&arguments);
            command.arg(copy.path()).env("PULLTHRU_HELM", &helm).env("XDG_CACHE_HOME", scratch.path());
            let run = Run::from(command.output().unwrap());
            assert_eq!(run.code, 0, "{name}: {} {}", run.out, run.err);
            let report: serde_json::Value = serde_json::from_str(&run.out).unwrap();
            let rows = report["releases"].as_array().unwrap().iter().flat_map(|release| {
                let images = release["images"].as_array().unwrap().iter();
                images.map(move |image| {
                    format!(
                        "{} {}",
                        release["release"].as_str().unwrap(),
                        image["reference"].as_str().unwrap()
                    )
                })
            });
            let rows: BTreeSet<String> = rows.collect();
            let expected = std::fs::read_to_string(copy.path().join("expected.txt")).unwrap();
            let expected: BTreeSet<String> = expected.lines().map(str::to_owned).collect();
            assert_eq!(rows, expected, "{name}");
        }
    }
}

/// Commands but scan and check render what the lock does not have. Without helm they say so and go on.
#[test]
fn without_helm_a_release_that_is_not_locked_is_not_seen() {
    let scratch = locked(BROUGHT);
    let no_helm = |arguments: &[&str]| {
        let mut command = scratch
            .command(&[arguments, &["--account", "123456789012", "--region", "ca-central-1"]].concat());
        command.env_remove("PULLTHRU_CHARTS");
        command.env("PATH", scratch.path()).env("XDG_CACHE_HOME", scratch.path().join("cache"));
        Run::from(command.output().unwrap())
    };
    let listed = no_helm(&["emit", "list"]);
    assert!(listed.code == 0 && listed.out.contains("oven-probe") && listed.err.is_empty(), "{}", listed.err);
    let migrated = no_helm(&["migrate"]);
    assert_eq!(migrated.code, 0, "{}", migrated.err);
    // The plan moves `bakery` in the values: what the chart makes of them is not in the lock any more.
    assert!(migrated.err.contains("1 release not seen: helm is not installed"), "{}", migrated.err);
    std::fs::remove_file(scratch.path().join(LOCK_NAME)).unwrap();
    for command in [&["emit", "list"][..], &["emit", "kustomize"], &["migrate"], &["charts"]] {
        let run = no_helm(command);
        let said = format!("{}{}", run.out, run.err);
        assert_eq!(run.code, 0, "{command:?}: {said}");
        assert!(said.contains("helm is not installed: install helm 3 or 4"), "{command:?}: {said}");
        assert!(said.contains("shops/bakery"), "{command:?}: {said}");
        let run = no_helm(&[command, &["--charts", "required"]].concat());
        assert_eq!(run.code, 1, "{command:?}: {}", run.err);
        let run = no_helm(&[command, &["--charts", "lock"]].concat());
        let said = format!("{}{}", run.out, run.err);
        assert!(run.code == 0 && said.contains("it is not in the image lock"), "{command:?}: {said}");
    }
    // A machine without a home has no place for charts: no reason to fail either.
    let mut command = scratch.command(&["emit", "list"]);
    command.env("PATH", scratch.path()).env_remove("PULLTHRU_CHARTS");
    let run = Run::from(command.output().unwrap());
    assert!(run.code == 0 && run.err.contains("charts cannot be kept"), "{}", run.err);
}

/// A migration says what it does not reach.
#[test]
fn a_migration_names_what_charts_pull_past_the_cache() {
    let scratch = locked(BROUGHT);
    // Nothing of the release moves.
    scratch.write("shops/bakery.yaml", RELEASE.replace("ghcr.io/guild/bakery", "bakery").as_bytes());
    lock(scratch.path(), BROUGHT);
    let run = scratch.run(&["migrate", "--upstream", "ghcr.io=ghcr"]);
    assert_eq!(run.code, 0, "{}", run.err);
    for line in ["4 images of charts past the cache", "shops/bakery  ghcr.io/guild/oven-probe:v7"] {
        assert!(run.err.contains(line), "{line}: {}", run.err);
    }
    assert!(!run.err.contains("smoke-test") && !run.err.contains("release not seen"), "{}", run.err);
    let (_, report) = json(&scratch, &["migrate", "--upstream", "ghcr.io=ghcr"]);
    assert_eq!(report["releases"][0]["release"], "shops/bakery");
    let (_, report) = json(&scratch, &["migrate", "--reverse"]);
    assert_eq!(report["releases"], serde_json::json!([]));
}

/// Values that hold name and tag are followed, with a marker at the tag; what a tag alone sets, only a render tells.
#[test]
fn flux_follows_the_images_whose_name_and_tag_values_hold() {
    let cache = "123456789012.dkr.ecr.ca-central-1.amazonaws.com";
    let values = format!(
        "    image:\n      registry: {cache}\n      repository: ghcr/guild/bakery\n      tag: v1.4.0\n    oven:\n      image:\n        \
         tag: v2.0.1\n    notes: {{ probe: v3.0.0 }}\n"
    );
    let text = RELEASE.replace("    image: {repository: ghcr.io/guild/bakery, tag: v1}\n", &values);
    let scratch = Scratch::new(&[("shops/bakery.yaml", text.as_bytes())]);
    let bakery = format!("{cache}/ghcr/guild/bakery:v1.4.0");
    let container = RenderedRole::Container;
    lock(
        scratch.path(),
        &[
            (&bakery, container),
            ("ghcr.io/guild/oven:v2.0.1", container),
            ("ghcr.io/guild/oven-probe:v3.0.0", container),
        ],
    );
    let run = scratch.run(&["emit", "flux", "--out", "auto", "--markers"]);
    assert_eq!(run.code, 0, "{}", run.err);
    for note in [
        "release shops/bakery: no objects for ghcr.io/guild/oven: `oven.image.tag` of shops/bakery.yaml holds such a tag, but what it \
         sets is known by a render: `--charts auto`, with helm installed",
        "release shops/bakery: no objects for ghcr.io/guild/oven-probe: `notes.probe` of shops/bakery.yaml holds such a tag, but what",
    ] {
        assert!(run.err.contains(note), "{note}\n{}", run.err);
    }
    let marker =
        |suffix: &str| format!("# {{\"$imagepolicy\": \"flux-system:ghcr-io.guild.bakery{suffix}\"}}\n");
    let marked = scratch.read("shops/bakery.yaml");
    assert_eq!(marked, text.replace("tag: v1.4.0\n", &format!("tag: v1.4.0 {}", marker(":tag"))));
    let objects = scratch.read("auto/ghcr-io.guild.bakery.yaml");
    assert!(objects.contains(&format!("image: {cache}/ghcr/guild/bakery\n")), "{objects}");
    assert!(!scratch.path().join("auto/ghcr-io.guild.oven.yaml").exists());
}

/// Objects and entries are made for what a field of the repository holds; of the rest it is said why there is none.
#[test]
fn emitters_name_the_images_of_charts_that_they_leave_out() {
    let scratch = locked(BROUGHT);
    let flux = scratch.run(&["emit", "flux"]);
    assert_eq!(flux.code, 0, "{}", flux.err);
    let note = "release shops/bakery: no objects for ghcr.io/guild/migrate, ghcr.io/guild/oven-probe: the chart sets the tag";
    assert!(flux.err.contains(note), "{}", flux.err);
    assert!(flux.out.contains("ghcr/guild/bakery") && !flux.out.contains("oven-probe"), "{}", flux.out);
    let kustomize = scratch.run(&["emit", "kustomize"]);
    assert!(
        kustomize.err.contains("the images of 1 release are skipped: a controller renders"),
        "{}",
        kustomize.err
    );
    assert!(!kustomize.out.contains("oven-probe"), "{}", kustomize.out);
    // kustomize renders `helmCharts` itself, and renames what comes out.
    let root = "helmCharts: [{name: bakery, repo: https://charts.guild.example, version: 2.1.0, releaseName: bakery}]\n";
    scratch.write("shops/kustomization.yaml", root.as_bytes());
    std::fs::remove_file(scratch.path().join("shops/bakery.yaml")).unwrap();
    lock(scratch.path(), BROUGHT);
    let kustomize = scratch.run(&["emit", "kustomize"]);
    assert!(
        kustomize
            .out
            .contains("newName: 123456789012.dkr.ecr.ca-central-1.amazonaws.com/ghcr/guild/oven-probe"),
        "{} {}",
        kustomize.out,
        kustomize.err
    );
}

pub(super) fn json(scratch: &Scratch, arguments: &[&str]) -> (i32, serde_json::Value) {
    let run = scratch.run(&[arguments, &["--format", "json", "--root", "."]].concat());
    (run.code, serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{}", run.err)))
}

pub(super) fn rules(report: &serde_json::Value) -> Vec<(String, String)> {
    let findings = report["findings"].as_array().unwrap().iter();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    findings.map(|finding| (text(&finding["rule"]), text(&finding["image"]))).collect()
}

pub(super) const BROUGHT: &[(&str, RenderedRole)] = &[
    ("ghcr.io/guild/bakery:v1", RenderedRole::Container),
    ("ghcr.io/guild/oven-probe:v7", RenderedRole::Argument),
    ("docker.io/library/busybox:1.37", RenderedRole::InitContainer),
    ("ghcr.io/guild/migrate:v2", RenderedRole::Hook),
    ("ghcr.io/guild/smoke-test:v2", RenderedRole::Test),
];

#[test]
fn what_a_chart_brings_is_counted_and_found() {
    let scratch = locked(BROUGHT);
    let (code, check) = json(&scratch, &["check", "--upstream", "ghcr.io=ghcr"]);
    assert_eq!(code, 1);
    let chart = |image: &str| ("chart-bypasses-cache".to_owned(), image.to_owned());
    let found = rules(&check);
    for image in ["ghcr.io/guild/oven-probe:v7", "ghcr.io/guild/migrate:v2"] {
        assert!(found.contains(&chart(image)), "{image}: {found:?}");
    }
    // The place in the values is the finding, with a fix.
    let place = ("bypasses-cache".to_owned(), "ghcr.io/guild/bakery:v1".to_owned());
    assert_eq!(found.iter().filter(|(_, image)| image.contains("bakery")).collect::<Vec<_>>(), [&place]);
    // Not configured, and pulled by `helm test` alone.
    assert_eq!(found.iter().filter(|(rule, _)| rule == "chart-bypasses-cache").count(), 2, "{found:?}");
    let coverage = &check["summary"]["coverage"];
    assert_eq!(coverage["complete"], true, "{coverage:#}");
    // The release's values name `bakery` too: it is one image. With it: till, oven-probe, migrate, busybox.
    assert_eq!(coverage["images"]["bypassing"], 5, "{coverage:#}");
    let (_, scan) = json(&scratch, &["scan", "--upstream", "ghcr.io=ghcr"]);
    assert_eq!(&scan["summary"]["coverage"], coverage);
    let release = &scan["releases"][0];
    assert_eq!(release["release"], "shops/bakery");
    assert_eq!((&release["state"], &release["root"]), (&"lock".into(), &"shops/kustomization.yaml".into()));
    assert_eq!(release["images"].as_array().unwrap().len(), BROUGHT.len());
    // Whoever pulls or copies images gets those of the chart, and not those of its tests.
    let listed = scratch.run(&["emit", "list", "--upstream", "ghcr.io=ghcr"]);
    assert_eq!(
        listed.out,
        "ghcr.io/guild/bakery:v1\nghcr.io/guild/migrate:v2\nghcr.io/guild/oven-probe:v7\nghcr.io/guild/till:v3\n"
    );
}

#[test]
fn a_chart_that_goes_through_the_cache_completes_the_figure() {
    let cache = "123456789012.dkr.ecr.ca-central-1.amazonaws.com/ghcr/guild";
    let images = [format!("{cache}/bakery:v1"), format!("{cache}/probe:v1")];
    let images: Vec<(&str, RenderedRole)> =
        images.iter().map(|image| (image.as_str(), RenderedRole::Container)).collect();
    let scratch = locked(&images);
    scratch.write("shops/pod.yaml", format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: till}}\nspec:\n  containers:\n  - image: {cache}/till:v3\n").as_bytes());
    let (code, check) = json(&scratch, &["check"]);
    // The values still name the upstream, where nobody pulls it any more: the chart was rendered.
    assert_eq!((code, &check["summary"]["coverage"]["percent"]), (1, &100.into()), "{check:#}");
    assert_eq!(check["summary"]["coverage"]["images"]["cached"], 3);
}

/// A chart of charts: what it deploys has images too, and nobody has rendered them.
#[test]
fn releases_that_a_chart_deploys_are_not_seen() {
    let scratch = locked(&[]);
    let block = scratch.read(LOCK_NAME);
    let deploys = "\"deploys\": [\n        \"Application/oven\",\n        \"HelmRelease/till\"\n      ],\n      \"images\"";
    scratch.write(LOCK_NAME, block.replace("\"images\"", deploys).as_bytes());
    let (code, check) = json(&scratch, &["check", "--upstream", "ghcr.io=ghcr"]);
    let findings =
        check["findings"].as_array().unwrap().iter().filter(|one| one["rule"] == "chart-not-rendered");
    let messages: Vec<&str> = findings.map(|one| one["message"].as_str().unwrap()).collect();
    assert_eq!(
        messages,
        [
            "the chart of shops/bakery deploys Application/oven, whose images are not known",
            "the chart of shops/bakery deploys HelmRelease/till, whose images are not known",
        ]
    );
    assert_eq!((code, &check["summary"]["coverage"]["unseen"]["releases"]), (1, &2.into()));
    let listed = scratch.run(&["emit", "list"]);
    assert!(listed.err.contains("release HelmRelease/till of shops/bakery is not listed"), "{}", listed.err);
    let table = scratch.run(&["charts"]);
    assert!(table.out.contains("no image, deploys 2 releases not evaluated"), "{}", table.out);
    assert_eq!(scratch.run(&["scan", "--charts", "required"]).code, 1);
}

/// An object in a template that is read as it is written is a release there, and not a second one of its chart.
#[test]
#[ignore = "needs helm: .ci/peers"]
fn helm_templates_that_deploy_charts_count_once() {
    let object = |name: &str, chart: &str| {
        format!(
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{name: {name}}}\nspec:\n  chart: {{spec: {{chart: {chart}, \
                 sourceRef: {{kind: GitRepository, name: flux-system}}}}}}\n"
        )
    };
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: leaf}\nspec: {containers: [{name: a, image: \"ghcr.io/o/leaf:{{ .Chart.Version }}\"}]}\n";
    let scratch = Scratch::new(&[
        ("apps/tree.yaml", object("tree", "./charts/tree").as_bytes()),
        ("charts/tree/Chart.yaml", b"apiVersion: v2\nname: tree\nversion: 1.0.0\n"),
        ("charts/tree/templates/plain.yaml", object("plain", "./charts/leaf").as_bytes()),
        ("charts/tree/templates/made.yaml", object("made-{{ .Release.Name }}", "./charts/leaf").as_bytes()),
        ("charts/leaf/Chart.yaml", b"apiVersion: v2\nname: leaf\nversion: 1.2.3\n"),
        ("charts/leaf/templates/pod.yaml", pod.as_bytes()),
    ]);
    let helm = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/bin/helm4");
    let mut command =
        scratch.command(&["charts", "--charts", "auto", "--offline", "--format", "json", "--root", "."]);
    command.env("PULLTHRU_HELM", &helm).env("XDG_CACHE_HOME", scratch.path().join("cache"));
    let run = Run::from(command.output().unwrap());
    let report: serde_json::Value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{}", run.err));
    let of = |name: &str| {
        report["releases"].as_array().unwrap().iter().find(|one| one["release"] == name).unwrap()
    };
    assert_eq!(report["releases"].as_array().unwrap().len(), 3, "{report:#}");
    assert_eq!(of("tree").get("deploys"), None, "{report:#}");
    for (name, by) in [("plain", None), ("default/made-tree", Some("HelmRelease tree"))] {
        assert_eq!(of(name)["rendered_by"].as_str(), by, "{report:#}");
        assert_eq!(of(name)["images"][0]["reference"], "ghcr.io/o/leaf:1.2.3");
    }
}

#[test]
fn without_a_lock_releases_are_counted_as_not_seen() {
    let scratch = locked(BROUGHT);
    for arguments in [&["check", "--charts", "off"][..], &["check"][..]] {
        if arguments.len() == 1 {
            std::fs::remove_file(scratch.path().join(LOCK_NAME)).unwrap();
        }
        let (_, check) = json(&scratch, arguments);
        assert_eq!(check["summary"]["coverage"]["unseen"]["releases"], 1);
        assert!(rules(&check).iter().all(|(rule, _)| !rule.starts_with("chart-")));
    }
}

/// Without a lock nothing is evaluated, and a chart that depends on others brings images all the same.
#[test]
fn a_chart_that_depends_on_others_is_not_seen_without_a_lock() {
    let cached = "apiVersion: v1\nkind: Pod\nmetadata: {name: till}\nspec:\n  containers:\n  - image: \
                  123456789012.dkr.ecr.ca-central-1.amazonaws.com/ghcr/guild/till:v3\n";
    let needs = "apiVersion: v2\nname: fair\nversion: 1.0.0\ndependencies: [{name: tent, version: 1.x, repository: https://charts.guild.example}]\n";
    let application = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {name: fair}\nspec:\n  source: {repoURL: https://git.example, path: charts/fair}\n";
    let release = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: fair}\nspec:\n  chart: {spec: {chart: ./charts/fair, sourceRef: {kind: GitRepository, name: flux-system}}}\n";
    for deployer in [application, release, ""] {
        let scratch = Scratch::new(&[
            ("pod.yaml", cached.as_bytes()),
            ("charts/fair/Chart.yaml", needs.as_bytes()),
            ("charts/fair/values.yaml", b"tent: {size: 3}\n"),
            ("charts/fair/charts/tent/Chart.yaml", needs.replace("fair", "tent").as_bytes()),
            ("apps/fair.yaml", deployer.as_bytes()),
        ]);
        for command in ["check", "scan"] {
            let (_, report) = json(&scratch, &[command]);
            let coverage = &report["summary"]["coverage"];
            assert_eq!(
                (&coverage["unseen"]["releases"], &coverage["complete"]),
                (&1.into(), &false.into()),
                "{command}: {deployer}"
            );
        }
    }
}

/// All steps with a chart of the repository: shown, locked, checked, and stale when the chart changes.
#[test]
#[ignore = "needs helm: .ci/peers"]
fn helm_charts_are_shown_locked_and_checked() {
    let release = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: press, namespace: print}\nspec:\n  \
                   chart: {spec: {chart: ./charts/press, sourceRef: {kind: GitRepository, name: flux-system}}}\n  \
                   values: {tag: v2}\n";
    let template = "apiVersion: v1\nkind: Pod\nmetadata: {name: press}\nspec:\n  containers:\n  - name: press\n    \
                    image: ghcr.io/print/press:{{ .Values.tag }}\n    args: [\"--ink=ghcr.io/print/ink:v9\"]\n";
    let scratch = Scratch::new(&[
        ("apps/press.yaml", release.as_bytes()),
        ("charts/press/Chart.yaml", b"apiVersion: v2\nname: press\nversion: 1.0.0\n"),
        ("charts/press/values.yaml", b"tag: v1\n"),
        ("charts/press/templates/pod.yaml", template.as_bytes()),
    ]);
    for helm in ["helm3", "helm4"] {
        let helm = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/bin").join(helm);
        assert!(helm.exists(), "{} is not there: run .ci/peers", helm.display());
        let run = |arguments: &[&str]| {
            let all = [arguments, &["--account", "123456789012", "--region", "ca-central-1", "--root", "."]]
                .concat();
            let mut command = scratch.command(&all);
            command.env_remove("PULLTHRU_CHARTS");
            command.env("PULLTHRU_HELM", &helm).env("XDG_CACHE_HOME", scratch.path().join("cache"));
            Run::from(command.output().unwrap())
        };
        let shown = run(&["charts", "print/press", "apps"]);
        assert!(
            shown.out.contains("bypassing      ghcr.io/print/press:v2  container"),
            "{} {}",
            shown.out,
            shown.err
        );
        assert!(shown.out.contains("Pod/press  spec.containers[0].args[0]"), "{}", shown.out);
        assert_eq!(run(&["charts", "print/none"]).code, 2);
        let locked = run(&["charts", "lock"]);
        assert_eq!(locked.code, 0, "{} {}", locked.out, locked.err);
        assert!(
            run(&["charts", "--charts", "lock"]).out.contains("\nprint/press  charts/press  2 bypassing\n")
        );
        let again = run(&["charts", "lock"]);
        assert!(again.out.contains("unchanged: ") && again.out.contains(" 0 rendered"), "{}", again.out);
        let checked = run(&["check", "--charts", "required", "--format", "values"]);
        assert!(
            checked.code == 1 && checked.out.contains("releases_unknown=0\n"),
            "{} {}",
            checked.out,
            checked.err
        );
        scratch.write(
            "charts/press/templates/pod.yaml",
            format!("{template}  - {{name: new, image: \"ghcr.io/print/new:v1\"}}\n").as_bytes(),
        );
        let stale = run(&["check", "--format", "values"]);
        assert!(stale.out.contains("releases_unknown=1\n"), "{}", stale.out);
        let listed = run(&["emit", "list", "--charts", "auto"]);
        assert!(listed.out.contains("ghcr.io/print/new:v1\n"), "{} {}", listed.out, listed.err);
        scratch.write("charts/press/templates/pod.yaml", template.as_bytes());
    }
}
