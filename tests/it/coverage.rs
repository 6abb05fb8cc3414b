//! Statuses and coverage: what counts, what lowers the figure, and that all commands say the same.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::golden::{copy_of, copy_tree};
use crate::scratch::{Scratch, run_in};

const ACCOUNT: [&str; 4] = ["--account", "123456789012", "--region", "ca-central-1"];
const CACHE: &str = "123456789012.dkr.ecr.ca-central-1.amazonaws.com/ghcr";

fn pod(images: &[&str]) -> Vec<u8> {
    let containers: String = images.iter().map(|image| format!("  - image: {image}\n")).collect();
    format!("apiVersion: v1\nkind: Pod\nspec:\n  containers:\n{containers}").into_bytes()
}

/// The last lines of `check`, behind its findings.
fn rendered(scratch: &Scratch) -> (i32, Vec<String>) {
    let run = scratch.run(&["check", "--fail-on", "warn"]);
    let lines = run.out.lines().filter(|line| line.starts_with("  ") && !line.contains('`'));
    let labels = ["images", "upstreams", "others", "references", "docker.io", "ghcr.io", "quay.io"];
    let known = |line: &&str| labels.iter().any(|label| line.trim_start().starts_with(label));
    (run.code, lines.filter(known).map(|line| line.trim().to_owned()).collect())
}

/// Azure's registries are known by their domain.
#[test]
fn a_registry_of_a_domain_that_ecr_can_cache_counts() {
    let images = [&format!("{CACHE}/fern/a:v1"), "fern.azurecr.io/b:v1", "moss.azurecr.io/team/c:v1"];
    let note =
        b"# Registries are called *.azurecr.io; x.y.azurecr.io/o is none.\na: fern.azurecr.io.example/o:1\n";
    let scratch = Scratch::new(&[("a.yaml", &pod(&images)), ("notes.yaml", note)]);
    let run = scratch.run(&["check", "--fail-on", "warn"]);
    assert_eq!(run.code, 0, "{}", run.out);
    for line in [
        "1 of 3 images through the cache (33 %)",
        "fern.azurecr.io 0 of 1: not configured",
        "moss.azurecr.io 0 of 1",
    ] {
        assert!(run.out.contains(line), "{line}: {}", run.out);
    }
    let run = scratch.run(&["migrate", "--upstream", "fern.azurecr.io=fern"]);
    assert!(run.out.contains(".amazonaws.com/fern/b:v1"), "{}", run.out);
    assert!(!run.out.contains(".amazonaws.com/moss"), "{}", run.out);
}

#[test]
fn an_upstream_that_is_not_configured_lowers_the_figure_and_is_no_finding() {
    let images = [&format!("{CACHE}/fern/a:v1"), "quay.io/fern/b:v1", "docker.io/fern/c:v1", "fern/d:v1"];
    let scratch = Scratch::new(&[("a.yaml", &pod(&images))]);
    let (code, lines) = rendered(&scratch);
    assert_eq!(code, 0, "{lines:#?}");
    assert_eq!(
        lines,
        [
            "images      1 of 4 images through the cache (25 %)",
            "upstreams   docker.io 0 of 2: not configured",
            "ghcr.io 1 of 1",
            "quay.io 0 of 1: not configured",
            "references  1 cached, 3 bypassing",
        ]
    );
    assert!(scratch.run(&["check"]).out.contains("next: `pullthru init --dry-run` proposes the upstreams"));
}

/// What a kustomization elsewhere has its transformer visit says nothing of any other.
#[test]
fn fields_of_one_kustomization_do_not_change_the_count_of_others() {
    let entry = format!(
        "resources: [pod.yaml]\nimages:\n- name: ghcr.io/fern/a\n  newName: ghcr.io/fern/a\n  newTag: v1\n- name: ghcr.io/fern/a\n  newName: {CACHE}/fern/a\n"
    );
    let task = b"apiVersion: tekton.dev/v1\nkind: Task\nmetadata: {name: build}\nspec:\n  steps:\n  - image: ghcr.io/fern/step:v1\n";
    let pod = pod(&["ghcr.io/fern/a:v0"]);
    let both = b"resources: [../task]\n";
    let tree: Vec<(&str, &[u8])> = vec![
        ("one/kustomization.yaml", entry.as_bytes()),
        ("one/pod.yaml", &pod),
        ("task/kustomization.yaml", b"resources: [task.yaml]\n"),
        ("task/task.yaml", task),
        ("dev/kustomization.yaml", both),
        ("prod/kustomization.yaml", both),
    ];
    let alone = Scratch::new(&tree);
    let other: [(&str, &[u8]); 2] = [
        ("widgets/kustomization.yaml", b"configurations: [fields.yaml]\n"),
        ("widgets/fields.yaml", b"images:\n- {path: spec/helper, kind: Widget}\n"),
    ];
    let beside = Scratch::new(&[tree, other.to_vec()].concat());
    let lines = [
        "images      1 of 2 images through the cache (50 %)",
        "upstreams   ghcr.io 1 of 2",
        "references  2 cached, 1 bypassing",
    ];
    assert_eq!(rendered(&alone).1, lines);
    assert_eq!(rendered(&beside).1, lines);
}

#[test]
fn registries_and_beginnings_of_names_are_no_images() {
    let values = b"agent:\n  jnlpregistry: ghcr.io\n  mirror: ghcr.io/fern\nimage:\n  repository: ghcr.io/fern/a\n  tag: v1\n";
    let scratch = Scratch::new(&[("values.yaml", values)]);
    let run = scratch.run(&["scan"]);
    for line in ["at most 0 % through the cache: 0 of 1 known images, 2 references not seen", "3 bypassing"] {
        assert!(run.out.contains(line), "{line}: {}", run.out);
    }
    let run = scratch.run(&["migrate", "--write"]);
    assert_eq!(run.code, 0, "{}", run.err);
    let moved = scratch.read("values.yaml");
    assert!(moved.contains(&format!("jnlpregistry: {CACHE}\n  mirror: {CACHE}/fern\n")), "{moved}");
    let run = scratch.run(&["scan"]);
    assert!(run.out.contains("1 of 1 images through the cache (100 %)"), "{}", run.out);
    assert!(!run.out.contains("quay.io"), "{}", run.out);
}

/// The name says that it is the cache's, whatever the variable stands for.
#[test]
fn a_tag_that_is_a_variable_hides_no_cached_name() {
    let cached = format!("\"{CACHE}/fern/a:${{TAG}}\"");
    let scratch = Scratch::new(&[
        ("apps/kustomization.yaml", b"resources: [pod.yaml]\n"),
        ("apps/pod.yaml", &pod(&[&cached, "\"ghcr.io/fern/b:${TAG}\"", "\"${HOST}/fern/c:v1\""])),
    ]);
    let (_, lines) = rendered(&scratch);
    assert!(lines.iter().any(|line| line.contains("1 of 2")), "{lines:#?}");
}

/// Google's and others' registries have a name before their domain.
#[test]
fn registries_of_domains_that_cannot_be_cached_are_listed_as_such() {
    let images = [
        "eu.gcr.io/fern/a:v1",
        "us-docker.pkg.dev/fern/o/b:v1",
        "fern.azurecr.cn/c:v1",
        "go.pkg.dev.example/d:v1",
    ];
    let scratch = Scratch::new(&[("a.yaml", &pod(&images))]);
    let (_, lines) = rendered(&scratch);
    assert!(lines.contains(&"references  3 not cacheable".to_owned()), "{lines:#?}");
    assert!(scratch.run(&["migrate"]).out.is_empty());
}

/// What `migrate` promises is what `scan` counts before and behind it, for every tree of kustomizations and releases.
#[test]
fn a_migration_says_what_scan_counts_before_and_after_it() {
    let trees = ["testdata/kustomize", "testdata/releases"].map(|trees| crate::golden::root().join(trees));
    let trees = trees.iter().flat_map(|trees| std::fs::read_dir(trees).unwrap());
    let trees: BTreeSet<PathBuf> =
        trees.map(|tree| tree.unwrap().path()).filter(|tree| tree.is_dir()).collect();
    let (mut changed, mut partial) = (0, 0);
    for tree in trees.into_iter().chain([crate::golden::root().join("testdata/fleet")]) {
        let copy = tempfile::tempdir().unwrap();
        copy_tree(&tree, copy.path());
        let counted = || {
            let scan = run_in(copy.path(), &[&["scan", "--format", "json"][..], &ACCOUNT].concat());
            let scan: Value = serde_json::from_str(&scan.0).unwrap();
            scan["summary"]["coverage"].clone()
        };
        let migrate = |more: &[&str]| -> Value {
            let command = ["migrate", "--format", "json", "--charts", "lock"];
            let run = run_in(copy.path(), &[&command[..], more, &ACCOUNT].concat());
            let report: Value = serde_json::from_str(&run.0).unwrap_or_else(|_| panic!("{}", run.1));
            report["coverage"].clone()
        };
        let before = counted();
        let planned = migrate(&[]);
        let written = migrate(&["--write"]);
        assert_eq!(planned["before"], before, "{}", tree.display());
        assert_eq!(planned, written, "{}", tree.display());
        assert_eq!(planned["after"], counted(), "{}", tree.display());
        changed += usize::from(planned["after"] != before);
        partial += usize::from(planned["after"]["images"]["bypassing"] != 0);
    }
    assert!(changed > 20 && partial > 3, "{changed} trees changed, {partial} in part");
}

#[test]
fn paths_count_what_is_in_them_alone() {
    let scratch = Scratch::new(&[
        ("a/pod.yaml", &pod(&["ghcr.io/fern/a:v1"])),
        ("b/pod.yaml", &pod(&["ghcr.io/fern/b:v1", "quay.io/fern/c:v1"])),
    ]);
    let run = scratch.run(&["migrate", "a"]);
    assert!(run.err.contains("before: 0 of 1 images through the cache (0 %)"), "{}", run.err);
    assert!(run.err.contains("after:  1 of 1 images through the cache (100 %)"), "{}", run.err);
    let run = scratch.run(&["migrate"]);
    assert!(run.err.contains("after:  2 of 3 images through the cache (66 %)"), "{}", run.err);
}

#[test]
fn statuses_are_what_clusters_are_given() {
    let images = ["ghcr.io/fern/a:v1", "gcr.io/fern/b:v1", "ghcr.io/fern/c:v1 # pullthru: ignore ours"];
    let rename =
        format!("resources: [../base]\nimages: [{{name: ghcr.io/fern/a, newName: {CACHE}/fern/a}}]\n");
    let scratch = Scratch::new(&[
        ("base/kustomization.yaml", b"resources: [pod.yaml]\n"),
        ("base/pod.yaml", &pod(&images)),
        ("north/kustomization.yaml", rename.as_bytes()),
        ("south/kustomization.yaml", b"resources: [../base]\n"),
        ("own.yaml", &pod(&["999999999999.dkr.ecr.eu-west-1.amazonaws.com/team/app:v1"])),
        ("values.yaml", b"image:\n  repository: fern/e\n  tag: v1\n"),
        (
            "machine.yaml",
            b"version: v1alpha1\nmachine: {type: worker, kubelet: {image: 'ghcr.io/fern/kubelet:v1'}}\n",
        ),
    ]);
    let (code, lines) = rendered(&scratch);
    assert_eq!(code, 1);
    // Each root counts for itself; a registry of one's own is out of question.
    assert_eq!(
        lines[0],
        "images      at most 50 % through the cache: 1 of 2 known images, 1 reference not seen"
    );
    assert_eq!(lines[1], "upstreams   ghcr.io 1 of 2");
    assert_eq!(lines[2], "others      2 not cacheable, 3 excluded, 1 unknown");
    // A chart may put its own registry before a short name, whatever is configured.
    let hub = scratch.run(&["check", "--upstream", "ghcr.io", "--upstream", "docker.io"]).out;
    assert!(hub.contains("1 of 2 known images, 1 reference not seen"), "{hub}");
    let scan: Value = serde_json::from_str(&scratch.run(&["scan", "--format", "json"]).out).unwrap();
    let sites = scan["sites"].as_array().unwrap();
    let of =
        |path: &str, line: u64| sites.iter().find(|row| row["path"] == path && row["line"] == line).unwrap();
    assert_eq!(of("base/pod.yaml", 5)["status"], "bypassing", "the worst of its roots");
    let roots: Vec<(&str, &str)> = of("base/pod.yaml", 5)["builds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|build| (build["root"].as_str().unwrap(), build["status"].as_str().unwrap()))
        .collect();
    assert_eq!(roots, [("north/kustomization.yaml", "cached"), ("south/kustomization.yaml", "bypassing")]);
    assert_eq!(of("own.yaml", 5).get("status"), None);
}

/// Each kind of release, once; a patch of a version is none.
/// A Deployment with an image in a variable, which no transformer comes to.
fn worker(name: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\nspec:\n  template:\n    spec:\n      containers:\n        - \
         name: main\n          env:\n            - name: WORKER_IMAGE\n              value: ghcr.io/fern/worker:v1\n"
    )
}

#[test]
fn what_patches_replace_counts_as_they_replace_it() {
    let scratch = Scratch::new(&[
        ("base/kustomization.yaml", b"resources: [a.yaml]\n"),
        ("base/a.yaml", worker("a").as_bytes()),
        ("north/kustomization.yaml", b"resources: [../base]\n"),
    ]);
    let migrate = || scratch.run(&["migrate", "--strategy", "overlay", "--write"]);
    let first = migrate();
    assert!(first.err.contains("after:  1 of 1 images through the cache (100 %)"), "{}", first.err);
    assert_eq!(rendered(&scratch).1[0], "images      1 of 1 images through the cache (100 %)");
    // The same image at the same place of another object: no patch is for that one.
    scratch.write("base/kustomization.yaml", b"resources: [a.yaml, b.yaml]\n");
    scratch.write("base/b.yaml", worker("b").as_bytes());
    assert_eq!(rendered(&scratch).1[0], "images      1 of 2 images through the cache (50 %)");
    migrate();
    assert_eq!(rendered(&scratch).1[0], "images      1 of 1 images through the cache (100 %)");
    let patches = scratch.read("north/kustomization.yaml");
    assert!(patches.contains("name: a\n") && patches.contains("name: b\n"), "{patches}");
    // A cluster without the patches pulls what the base says.
    scratch.write("south/kustomization.yaml", b"resources: [../base]\n");
    assert_eq!(rendered(&scratch).1[0], "images      1 of 2 images through the cache (50 %)");
}

#[test]
fn releases_are_not_seen_until_charts_are_rendered() {
    let flux = "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {name: ";
    let of_chart = format!("{flux}a}}\nspec:\n  chart: {{spec: {{chart: fern, version: 1.x}}}}\n");
    let of_reference = format!("{flux}b}}\nspec:\n  chartRef: {{kind: OCIRepository, name: fern}}\n");
    let patch = format!("{flux}a}}\nspec:\n  chart: {{spec: {{version: 2.x}}}}\n");
    let source = "repoURL: https://charts.example.com, chart: fern, targetRevision: 1.2.3";
    let argo = format!(
        "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{name: c}}\nspec:\n  sources:\n  - {{{source}}}\n  \
         - {{repoURL: https://git.example.com, path: values}}\n---\napiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\n\
         metadata: {{name: d}}\nspec: {{template: {{spec: {{source: {{{source}}}}}}}}}\n"
    );
    let k3s = "apiVersion: helm.cattle.io/v1\nkind: HelmChart\nmetadata: {name: e}\nspec: {chart: fern}\n";
    let config = "apiVersion: helm.cattle.io/v1\nkind: HelmChartConfig\nmetadata: {name: e}\nspec: {valuesContent: ''}\n";
    let scratch = Scratch::new(&[
        ("a.yaml", of_chart.as_bytes()),
        ("b.yaml", of_reference.as_bytes()),
        ("patch.yaml", patch.as_bytes()),
        ("c.yaml", argo.as_bytes()),
        ("e.yaml", format!("{k3s}---\n{config}").as_bytes()),
        (
            "f/kustomization.yaml",
            b"helmCharts: [{name: fern, version: 1.2.3}, {name: moss, version: 1.2.3}]\n",
        ),
        ("pod.yaml", &pod(&[&format!("{CACHE}/fern/a:v1")])),
    ]);
    let (code, lines) = rendered(&scratch);
    assert_eq!((code, lines[0].as_str()), (0, "images      the 1 known image cached, 7 releases not seen"));
    let values = scratch.run(&["check", "--format", "values"]).out;
    for line in [
        "releases_unknown=7\n",
        "coverage=\n",
        "coverage_text=the 1 known image cached, 7 releases not seen\n",
    ] {
        assert!(values.contains(line), "{values}");
    }
    // Only what was asked for counts.
    assert!(scratch.run(&["check", "e.yaml"]).out.contains("no known image; 1 release not seen"));
    assert!(scratch.run(&["check", "--format", "html"]).out.contains("<p class=\"percent\">all known</p>"));
}

#[test]
fn what_is_remote_or_does_not_parse_is_not_seen() {
    let scratch = Scratch::new(&[
        ("a/kustomization.yaml", b"resources: [pod.yaml, 'https://example.com/base?ref=v1']\n"),
        ("a/pod.yaml", &pod(&[&format!("{CACHE}/fern/a:v1")])),
        ("broken.yaml", b"image: [ghcr.io/fern/b:v1\n  {{\n"),
    ]);
    let out = scratch.run(&["check"]).out;
    assert!(out.contains("1 remote base and 1 file not seen"), "{out}");
    assert!(!out.contains("100 %"), "{out}");
}

fn json(root: &Path, arguments: &[&str], flags: &[&str]) -> Value {
    let (out, err) = run_in(root, &[arguments, &["--format", "json"], flags].concat());
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{err}"))
}

/// `scan`, `check`, its page, its values and `migrate` count the same things.
fn assert_reconciles(root: &Path, flags: &[&str]) {
    let name = root.display();
    let scan = json(root, &["scan"], flags);
    let check = json(root, &["check"], flags);
    let migration = json(root, &["migrate", "--strategy", "inline"], flags);
    let coverage = &scan["summary"]["coverage"];
    assert_eq!(coverage, &check["summary"]["coverage"], "{name}: scan and check");

    // The sites add up to the numbers.
    let sites = scan["sites"].as_array().unwrap();
    let mut statuses: BTreeMap<&str, u64> = BTreeMap::new();
    for status in sites.iter().filter_map(|row| row["status"].as_str()) {
        *statuses.entry(status).or_default() += 1;
    }
    for (key, id) in [
        ("cached", "cached"),
        ("bypassing", "bypassing"),
        ("notCacheable", "not-cacheable"),
        ("excluded", "excluded"),
        ("unknown", "unknown"),
    ] {
        let counted = statuses.get(id).copied().unwrap_or_default();
        assert_eq!(coverage["references"][key], counted, "{name}: {id}");
    }
    let sum = |key: &str| -> u64 {
        coverage["upstreams"].as_array().unwrap().iter().map(|row| row[key].as_u64().unwrap()).sum()
    };
    for key in ["cached", "bypassing"] {
        assert_eq!(coverage["images"][key], sum(key), "{name}: upstreams, {key}");
    }
    // What is joined with a registry that bypasses the cache is not known either.
    let registries =
        sites.iter().filter(|row| row["registry"] == true && row["status"] == "bypassing").count();
    let unseen = coverage["references"]["unknown"].as_u64().unwrap() + registries as u64;
    assert_eq!(coverage["unseen"]["references"], unseen, "{name}");

    // What a migration does is what a scan says.
    let staying: u64 =
        scan["summary"]["skipped"].as_object().unwrap().values().map(|n| n.as_u64().unwrap()).sum();
    let moving = scan["summary"]["moving"].as_u64().unwrap();
    assert_eq!(moving + staying, sites.len() as u64, "{name}: moving and staying");
    let place = |row: &Value| format!("{}:{}:{}", row["path"].as_str().unwrap(), row["line"], row["column"]);
    let places = |rows: &Value| -> Vec<String> {
        let mut places: Vec<String> = rows.as_array().unwrap().iter().map(place).collect();
        places.sort();
        places
    };
    let mut moved: Vec<String> = sites.iter().filter(|row| !row["cached"].is_null()).map(place).collect();
    moved.sort();
    assert_eq!(places(&migration["changes"]), moved, "{name}: migrate");
    assert_eq!(migration["skipped"].as_array().unwrap().len() as u64, staying, "{name}: migrate");

    // What check finds bypasses the cache, and all of that which can be moved is found.
    let found = check["findings"].as_array().unwrap().iter().filter(|row| row["rule"] == "bypasses-cache");
    let found: BTreeSet<String> = found.map(place).collect();
    let bypassing = sites.iter().filter(|row| row["status"] == "bypassing");
    let bypassing: BTreeSet<String> = bypassing.map(place).collect();
    assert!(found.is_subset(&bypassing), "{name}: {:?}", found.difference(&bypassing));
    let moves: BTreeSet<String> = moved.into_iter().filter(|place| bypassing.contains(place)).collect();
    assert!(moves.is_subset(&found), "{name}: {:?}", moves.difference(&found));

    // The other formats say the same sentence.
    let text = run_in(root, &[&["check"], flags].concat()).0;
    let line = text.lines().find_map(|line| line.strip_prefix("  images      ")).unwrap();
    for format in ["values", "markdown", "github", "html"] {
        let out = run_in(root, &[&["check", "--format", format], flags].concat()).0;
        assert!(out.contains(line), "{name}: {format} does not say `{line}`");
    }
    assert!(run_in(root, &[&["scan"], flags].concat()).0.contains(line), "{name}: scan");
    let incomplete = coverage["unseen"].as_object().unwrap().values().any(|number| number != 0);
    assert!(!(incomplete && line.contains("100 %")), "{name}: {line}");
    println!("{name}: {line}");
}

#[test]
fn all_commands_count_the_same() {
    for tree in ["testdata/fleet", "testdata/kustomize/different-registries", "testdata/kustomize/flux"] {
        let copy = copy_of(tree);
        let flags = if copy.path().join("pullthru.yaml").exists() { &[][..] } else { &ACCOUNT };
        assert_reconciles(copy.path(), flags);
        run_in(copy.path(), &[&["migrate", "--write", "--allow-dirty"], flags].concat());
        assert_reconciles(copy.path(), flags);
    }
}

#[test]
#[ignore = "needs PULLTHRU_CORPUS, a directory of real repositories"]
fn corpus_numbers_reconcile() {
    let corpus = PathBuf::from(std::env::var_os("PULLTHRU_CORPUS").expect("PULLTHRU_CORPUS"));
    let mut repositories = 0;
    for entry in std::fs::read_dir(corpus).unwrap() {
        let root = entry.unwrap().path();
        if !root.is_dir() {
            continue;
        }
        repositories += 1;
        for upstreams in [&[][..], &["--upstream", "all"]] {
            let copy = Scratch::new(&[]);
            copy_tree(&root, copy.path());
            let flags = [&ACCOUNT[..], upstreams].concat();
            assert_reconciles(copy.path(), &flags);
            run_in(copy.path(), &[&["migrate", "--write", "--allow-dirty"], &flags[..]].concat());
            assert_reconciles(copy.path(), &flags);
        }
    }
    assert!(repositories > 0, "the corpus is empty");
}
