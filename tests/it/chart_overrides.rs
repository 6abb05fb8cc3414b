//! Values of releases that put the images of charts behind the cache: written by `migrate`, proved by rendering. The charts
//! are those of `testdata/charts`, one for each pitfall of real charts; `testdata/overrides` holds releases of all kinds.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::golden::{assert_same, copy_of, root};
use crate::scratch::Run;

/// `migrate` with what it needs to render.
fn migrate(repository: &Path, helm: &Path, store: &Path, more: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_pullthru"));
    command
        .args(["migrate", "--charts", "required", "--offline", "--chart-dir"])
        .arg(root().join("testdata/charts"));
    command.arg("--helm").arg(helm).args(more).current_dir(repository).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("PULLTHRU_CHART_CACHE", store);
    Run::from(command.output().unwrap())
}

fn helms() -> [PathBuf; 2] {
    ["helm3", "helm4"].map(|name| {
        let program = root().join("target/peers/bin").join(name);
        assert!(program.exists(), "{} is not there: run .ci/peers", program.display());
        program
    })
}

fn texts(directory: &Path, below: &Path, into: &mut BTreeMap<PathBuf, Vec<u8>>) {
    for entry in fs::read_dir(directory.join(below)).unwrap() {
        let entry = entry.unwrap();
        let path = below.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            texts(directory, &path, into);
        } else {
            into.insert(path.clone(), fs::read(directory.join(&path)).unwrap());
        }
    }
}

fn tree(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    texts(directory, Path::new(""), &mut found);
    found
}

#[test]
#[ignore = "needs helm: .ci/peers"]
fn helm_charts_are_overridden_and_what_stands_in_the_files_is_what_helm_renders() {
    for helm in helms() {
        let (copy, store) = (copy_of("testdata/overrides"), tempfile::tempdir().unwrap());
        let before = tree(copy.path());
        let dry = migrate(copy.path(), &helm, store.path(), &[]);
        assert_eq!(dry.code, 0, "{}", dry.err);
        assert_same("testdata/expected/overrides.diff", &dry.out);
        assert_same("testdata/expected/overrides.txt", &dry.err);
        assert_eq!(tree(copy.path()), before, "a dry run changes nothing");
        let written =
            migrate(copy.path(), &helm, store.path(), &["--write", "--allow-no-vcs", "--format", "json"]);
        assert_eq!(written.code, 0, "{}", written.err);
        judged_by_helm(copy.path(), &helm, &written.out);
        let again = migrate(copy.path(), &helm, store.path(), &["--exit-code"]);
        assert_eq!((again.code, again.out.as_str()), (0, ""), "{}", again.err);
        let back = migrate(copy.path(), &helm, store.path(), &["--reverse", "--write", "--allow-no-vcs"]);
        assert_eq!(back.code, 0, "{}", back.err);
        assert_same("testdata/expected/overrides-reversed.txt", &back.err);
        let after = tree(copy.path());
        for (path, bytes) in &before {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            assert_eq!(text(&after[path]), text(bytes), "{}", path.display());
        }
    }
}

/// What the configuration excludes stays where it is: neither a value nor a post-renderer names it.
#[test]
#[ignore = "needs helm: .ci/peers"]
fn helm_charts_are_not_overridden_for_images_that_are_excluded() {
    let [helm, _] = helms();
    let (copy, store) = (copy_of("testdata/overrides"), tempfile::tempdir().unwrap());
    let settings = copy.path().join("pullthru.yaml");
    let text = fs::read_to_string(&settings).unwrap();
    fs::write(&settings, format!("{text}exclude: ['quay.io/**', 'ghcr.io/shop/logs']\n")).unwrap();
    let run = migrate(copy.path(), &helm, store.path(), &["apps/split-keys.yaml", "apps/list.yaml"]);
    assert_eq!(run.code, 0, "{}", run.err);
    let names: Vec<&str> =
        run.out.lines().filter_map(|line| line.strip_prefix("+          - name: ")).collect();
    assert_eq!(names, ["ghcr.io/shop/app", "ghcr.io/shop/metrics"], "{}", run.out);
    assert!(!run.out.contains("/quay"), "{}", run.out);
}

/// Only named files change: a value that would go into another one goes into the release.
#[test]
#[ignore = "needs helm: .ci/peers"]
fn helm_charts_are_overridden_in_named_files_alone() {
    let [helm, _] = helms();
    let (copy, store) = (copy_of("testdata/overrides"), tempfile::tempdir().unwrap());
    let run = migrate(copy.path(), &helm, store.path(), &["apps/lengthened-name.yaml"]);
    assert_eq!(run.code, 0, "{}", run.err);
    let changed: Vec<&str> = run.out.lines().filter(|line| line.starts_with("+++")).collect();
    assert_eq!(changed, ["+++ b/apps/lengthened-name.yaml"], "{}", run.out);
    assert!(
        run.out.contains("+  values:\n+    image:\n+      repository: 123456789012.dkr.ecr"),
        "{}",
        run.out
    );
}

/// What no value moves is renamed by the kustomization that renders the chart, as kustomize itself builds it.
#[test]
#[ignore = "needs helm and kustomize: .ci/peers"]
fn helm_charts_of_kustomizations_are_renamed_by_their_images() {
    let [helm, _] = helms();
    let (copy, store) = (copy_of("testdata/overrides"), tempfile::tempdir().unwrap());
    let run = migrate(copy.path(), &helm, store.path(), &["--write", "--allow-no-vcs", "kust-images/"]);
    assert_eq!(run.code, 0, "{}", run.err);
    let chart = copy.path().join("kust-images/charts/hook-1.0.0/hook");
    crate::golden::copy_tree(&root().join("testdata/charts/hook"), &chart);
    let mut kustomize = Command::new(root().join("target/peers/bin/kustomize"));
    kustomize
        .args(["build", "--enable-helm", "--helm-command"])
        .arg(&helm)
        .arg(copy.path().join("kust-images"));
    let output = kustomize.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let built = String::from_utf8(output.stdout).unwrap();
    let images: Vec<&str> =
        built.lines().filter_map(|line| line.trim().split_once("image: ")).map(|(_, image)| image).collect();
    let cache = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
    assert_eq!(
        images,
        [
            format!("{cache}/ghcr/shop/app:2"),
            format!("{cache}/k8s/kubectl:v1.34.0"),
            format!("{cache}/docker-hub/curlimages/curl:8.11.0")
        ]
    );
}

/// An entry of a kustomization renames all that it builds: what is to stay keeps its name, and the chart's image with it.
#[test]
#[ignore = "needs helm: .ci/peers"]
fn helm_charts_of_kustomizations_leave_what_is_built_beside_them() {
    let [helm, _] = helms();
    let (copy, store) = (copy_of("testdata/overrides"), tempfile::tempdir().unwrap());
    let kustomization = copy.path().join("kust-images/kustomization.yaml");
    let text = fs::read_to_string(&kustomization).unwrap();
    fs::write(&kustomization, format!("{text}resources: [kept.yaml]\n")).unwrap();
    let kept = "apiVersion: v1\nkind: Pod\nmetadata: {name: kept}\nspec:\n  containers:\n    - name: main\n      \
                image: ghcr.io/shop/app:1 # pullthru: ignore\n";
    fs::write(copy.path().join("kust-images/kept.yaml"), kept).unwrap();
    let run = migrate(copy.path(), &helm, store.path(), &["kust-images/"]);
    assert_eq!(run.code, 0, "{}", run.err);
    let names: Vec<&str> = run.out.lines().filter_map(|line| line.strip_prefix("+  - name: ")).collect();
    assert!(!names.is_empty() && !names.contains(&"ghcr.io/shop/app"), "{}", run.out);
}

/// `check --fix` sets values where it renders, and none for what is silenced.
#[test]
#[ignore = "needs helm: .ci/peers"]
fn helm_charts_are_fixed_by_check_where_it_renders() {
    let [helm, _] = helms();
    let (copy, store) = (copy_of("testdata/overrides"), tempfile::tempdir().unwrap());
    let settings = copy.path().join("pullthru.yaml");
    let text = fs::read_to_string(&settings).unwrap();
    let silence = "lint-ignore:\n  - paths: [apps/hub.yaml]\n    reason: next week\n";
    fs::write(&settings, format!("{text}{silence}")).unwrap();
    let before = tree(copy.path());
    let check = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pullthru"));
        command.args(["check", "--offline", "--chart-dir"]).arg(root().join("testdata/charts"));
        command.arg("--helm").arg(&helm).args(more).args(["apps/split-keys.yaml", "apps/hub.yaml"]);
        command.current_dir(copy.path()).env_clear().env("PULLTHRU_CHART_CACHE", store.path());
        Run::from(command.env("PATH", std::env::var_os("PATH").unwrap_or_default()).output().unwrap())
    };
    check(&["--fix", "--allow-no-vcs"]);
    assert_eq!(tree(copy.path()), before, "the lock alone is read by default");
    let diff = check(&["--fix", "--diff", "--charts", "auto"]);
    assert_eq!(diff.code, 1, "{}", diff.err);
    assert!(
        diff.out.contains("+      registry: 123456789012.dkr.ecr.eu-west-1.amazonaws.com/quay\n"),
        "{}",
        diff.out
    );
    assert_eq!(tree(copy.path()), before);
    let fixed = check(&["--fix", "--allow-no-vcs", "--charts", "auto"]);
    assert!(fixed.out.contains("1 fixed"), "{}{}", fixed.out, fixed.err);
    let after = tree(copy.path());
    let changed: Vec<&PathBuf> = after.keys().filter(|path| after[*path] != before[*path]).collect();
    assert_eq!(changed, [Path::new("apps/split-keys.yaml")]);
    let again = check(&["--fix", "--diff", "--charts", "auto"]);
    assert_eq!((again.code, again.out.as_str()), (0, ""), "{}", again.err);
}

/// What kustomize makes of a render with the images of `postRenderers`, as helm-controller calls it. Hooks are not passed to
/// them in all its versions.
fn post_rendered(renderers: &Value, rendered: &str) -> String {
    let Some(renderers) = renderers.as_array() else { return rendered.to_owned() };
    let lists = renderers.iter().filter_map(|renderer| renderer["kustomize"]["images"].as_array());
    let images: Vec<&Value> = lists.flatten().collect();
    let kustomize = root().join("target/peers/bin/kustomize");
    assert!(kustomize.exists(), "{} is not there: run .ci/peers", kustomize.display());
    let (hooks, others): (Vec<&str>, Vec<&str>) =
        rendered.split("\n---").partition(|document| document.contains("helm.sh/hook"));
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("rendered.yaml"), others.join("\n---")).unwrap();
    let kustomization = serde_json::json!({"resources": ["rendered.yaml"], "images": images});
    fs::write(directory.path().join("kustomization.yaml"), kustomization.to_string()).unwrap();
    let output = Command::new(kustomize).arg("build").arg(directory.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let built = String::from_utf8(output.stdout).unwrap();
    assert_ne!(built.lines().filter(|line| line.contains("image: ")).count(), 0);
    [vec![built.as_str()], hooks].concat().join("\n---")
}

/// Renders each HelmRelease that was overridden with the values that stand in its file: every image names the
/// cache, but for those that the report names.
fn judged_by_helm(repository: &Path, helm: &Path, report: &str) {
    let report: Value = serde_json::from_str(report).unwrap();
    let list = |key: &str| report[key].as_array().unwrap().clone();
    let mut judged = 0;
    for row in list("overrides") {
        let file = repository.join(row["path"].as_str().unwrap());
        let release = row["release"].as_str().unwrap();
        let text = fs::read_to_string(&file).unwrap();
        let name = release.rsplit('/').next().unwrap();
        let document = text
            .split("\n---")
            .find(|part| part.contains("HelmRelease") && part.contains(&format!("name: {name}")));
        let Some(document) = document else { continue };
        let object: Value = serde_saphyr::from_str(document).unwrap();
        let spec = &object["spec"];
        // Its values come from elsewhere.
        if spec["values"].is_null() && spec["postRenderers"].is_null() {
            continue;
        }
        let values = serde_json::to_string(&spec["values"]).unwrap();
        let chart = object["spec"]["chart"]["spec"]["chart"].as_str().unwrap();
        let values_file = repository.join("values-of-the-test.json");
        fs::write(&values_file, values).unwrap();
        let output = Command::new(helm)
            .args(["template", name, "--kube-version", "1.34.0", "--skip-schema-validation", "--values"])
            .arg(&values_file)
            .arg(root().join("testdata/charts").join(chart))
            .output()
            .unwrap();
        assert!(output.status.success(), "{release}: {}", String::from_utf8_lossy(&output.stderr));
        fs::remove_file(values_file).unwrap();
        let rendered =
            post_rendered(&object["spec"]["postRenderers"], &String::from_utf8(output.stdout).unwrap());
        for line in
            rendered.lines().filter_map(|line| line.trim().trim_start_matches("- ").strip_prefix("image: "))
        {
            let image = line.trim_matches('"');
            let is_named =
                list("notOverridden").iter().any(|row| row["release"] == release && row["image"] == image);
            assert!(
                image.starts_with("123456789012.dkr.ecr.eu-west-1.amazonaws.com/") || is_named,
                "{release}: {image}"
            );
            judged += 1;
        }
    }
    assert!(judged >= 10, "{judged}");
}

/// Post-renderers in a form that `migrate` does not write keep their place: their list becomes empty.
#[test]
fn post_renderers_of_ones_own_are_reverted_to_an_empty_list() {
    let release = |images: &str| {
        format!(
            "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{name: web, namespace: shop}}\nspec:\n  chartRef: {{kind: \
             OCIRepository, name: web}}\n  postRenderers:\n  # Names the chart does not ask for.\n  - kustomize:\n      images:{images}\n  \
             interval: 10m\n"
        )
    };
    let cache = "123456789012.dkr.ecr.eu-west-1.amazonaws.com";
    let scratch = crate::scratch::Scratch::new(&[]);
    let settings =
        "registry: {account: '123456789012', region: eu-west-1}\nupstreams: {ghcr.io: {prefix: ghcr}}\n";
    scratch.write("pullthru.yaml", settings.as_bytes());
    let before =
        release(&format!("\n      - name: ghcr.io/shop/web\n        newName: {cache}/ghcr/shop/web"));
    scratch.write("web.yaml", before.as_bytes());
    let mut command = Command::new(env!("CARGO_BIN_EXE_pullthru"));
    command.args(["migrate", "--reverse", "--write", "--allow-no-vcs", "--charts", "off"]);
    let run = Run::from(command.current_dir(scratch.path()).output().unwrap());
    assert_eq!(run.code, 0, "{}", run.err);
    assert_eq!(fs::read_to_string(scratch.path().join("web.yaml")).unwrap(), release(" []"));
}
