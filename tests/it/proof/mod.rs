//! The proof by kustomize itself: what it builds before and after a migration differs in image names only, and each
//! new name is the route of the old one.
//!
//! Needs real kustomize binaries in `target/peers/bin` (`.ci/peers` puts them there), so the tests are run by name:
//! `cargo test --test it -- --ignored kustomize_`.

mod build;
mod compare;
mod templates;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use pullthru::config::{Config, Overrides};
use pullthru::find::{Finder, Hosts};
use pullthru::inventory;
use pullthru::kustomization::LinkKind;
use pullthru::kustomize::Model;
use pullthru::tree::{RepoPath, Repository, WalkOptions};

use crate::golden::copy_of;
pub(crate) use build::{Kustomize, kustomizations};
use compare::{Comparison, Routing};

const ACCOUNT: [&str; 4] = ["--account", "123456789012", "--region", "ca-central-1"];

/// One repository in a directory of its own.
struct Proof {
    copy: tempfile::TempDir,
    name: String,
    config: Config,
    configured: bool,
}

/// What one proof has compared.
#[derive(Default)]
struct Counts {
    built: usize,
    roots: usize,
    images: usize,
}

impl Proof {
    fn new(tree: &Path) -> Proof {
        let copy = copy_of(&tree.to_string_lossy());
        writable(copy.path());
        if !tree.starts_with(env!("CARGO_MANIFEST_DIR")) {
            complete(copy.path());
        }
        let name = tree.file_name().unwrap().to_string_lossy().into_owned();
        let file = fs::read_to_string(copy.path().join("pullthru.yaml")).ok();
        let configured = file.is_some();
        let mut overrides = Overrides::default();
        if !configured {
            (overrides.account, overrides.region) =
                (Some(ACCOUNT[1].to_owned()), Some(ACCOUNT[3].to_owned()));
        }
        let config = Config::load(file.map(|text| ("pullthru.yaml".to_owned(), text)), &overrides).unwrap();
        Proof { copy, name, config, configured }
    }

    /// Runs the built binary; the JSON of its report.
    fn migrate(&self, strategy: &str, more: &[&str]) -> serde_json::Value {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pullthru"));
        command.args([
            "migrate",
            "--write",
            "--allow-no-vcs",
            "--format",
            "json",
            "--hidden",
            "--no-ignore",
            "--strategy",
        ]);
        match strategy {
            "component" => command.args(["auto", "--component", "pullthru-cache"]),
            _ => command.arg(strategy),
        };
        command.args(more).arg("--root").arg(self.copy.path()).arg(self.copy.path()).stdin(Stdio::null());
        if !self.configured {
            command.args(ACCOUNT);
        }
        let output = command.output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{} {strategy}: {errors}", self.name);
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Kustomizations that nothing else is built from: no upstream image may leave them.
    fn roots(&self) -> BTreeSet<PathBuf> {
        let repository = Repository::at(self.copy.path()).unwrap();
        let options = WalkOptions { hidden: true, gitignore: false, ..WalkOptions::default() };
        let hosts = Hosts::new(&self.config.upstream_hosts(), &self.config.cache_hosts())
            .unwrap()
            .with_bases(self.config.cache_bases());
        let inventory = inventory::take(&repository, &[], &options, &Finder::new(hosts)).unwrap();
        let roots = Model::new(&inventory, &self.config).graph.roots(&BTreeSet::new());
        roots.iter().map(|root| repository.absolute(root)).collect()
    }

    fn routing(&self, directory: &Path) -> Routing {
        let relative = directory.strip_prefix(self.copy.path()).unwrap().join("kustomization.yaml");
        let path = RepoPath::new(&relative.to_string_lossy()).unwrap();
        let cache = self.config.routes(path.as_str()).unwrap().registry_for("ghcr.io").unwrap();
        Routing { upstream: "ghcr.io".to_owned(), cache }
    }

    fn contents(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let files = walk(self.copy.path()).into_iter().filter(|path| path.is_file() && !path.is_symlink());
        files.map(|path| (path.clone(), fs::read(path).unwrap())).collect()
    }

    /// Builds, migrates, builds again, compares; migrates once more; goes back.
    fn run(&self, kustomize: &Kustomize, strategy: &str) -> Counts {
        let original = self.contents();
        let directories = kustomizations(self.copy.path());
        let roots = self.roots();
        let before = kustomize.build_all(&directories);
        let report = self.migrate(strategy, &[]);
        assert_eq!(report["errors"], serde_json::json!([]), "{} {strategy}", self.name);
        let left: Vec<String> = report["skipped"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["reference"].as_str().unwrap().to_owned())
            .collect();
        let after = kustomize.build_all(&directories);
        let mut counts = Counts::default();
        for (directory, before) in before.iter().filter_map(|(at, built)| Some((at, built.as_ref().ok()?))) {
            let at = format!("{} {strategy}: {}", self.name, directory.display());
            let after =
                after[directory].as_ref().unwrap_or_else(|error| panic!("{at} built before: {error}"));
            let root = roots.contains(directory);
            let routing = self.routing(directory);
            // Below the roots stands what they rename; a lower layer may serve several of them.
            let comparison =
                Comparison { routing: &routing, strict: root, volumes: kustomize.volumes, left: &left };
            let compared = comparison.run(before, after);
            counts.images += compared.unwrap_or_else(|difference| panic!("{at}: {difference}"));
            counts.built += 1;
            counts.roots += usize::from(root);
        }
        let once = self.contents();
        let again = self.migrate(strategy, &[]);
        assert_eq!(again["changes"], serde_json::json!([]), "{} {strategy}: a second run", self.name);
        assert!(once == self.contents(), "{} {strategy}: a second run writes", self.name);
        self.migrate(strategy, &["--reverse"]);
        let back = self.contents();
        assert_eq!(back.len(), original.len(), "{} {strategy}: `--reverse` leaves files", self.name);
        for (path, bytes) in back {
            let same = original.get(&path) == Some(&bytes);
            assert!(same, "{} {strategy}: {} is not what it was", self.name, path.display());
        }
        println!(
            "{} {strategy}: {} kustomizations, {} roots, {} images renamed",
            self.name, counts.built, counts.roots, counts.images
        );
        counts
    }
}

fn walk(directory: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            all.extend(walk(&path));
        }
        all.push(path);
    }
    all
}

/// Copies of read-only files are read-only.
fn writable(directory: &Path) {
    for path in walk(directory) {
        let mut permissions = fs::symlink_metadata(&path).unwrap().permissions();
        if permissions.readonly() && !path.is_symlink() {
            #[allow(clippy::permissions_set_readonly_false)]
            permissions.set_readonly(false);
            fs::set_permissions(&path, permissions).unwrap();
        }
    }
}

fn fixtures() -> Vec<PathBuf> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata");
    let mut all: Vec<PathBuf> =
        fs::read_dir(data.join("kustomize")).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.retain(|path| path.is_dir());
    all.extend([data.join("fleet"), data.join("forms")]);
    all.sort();
    all
}

fn prove(kustomize: &Kustomize, trees: &[PathBuf]) {
    let mut total = Counts::default();
    for tree in trees {
        for strategy in ["inline", "overlay", "auto", "component"] {
            let counts = Proof::new(tree).run(kustomize, strategy);
            total.built += counts.built;
            total.roots += counts.roots;
            total.images += counts.images;
        }
    }
    println!(
        "{}: {} builds compared in three strategies and with a component, {} of them of roots, {} images renamed",
        kustomize.version(),
        total.built,
        total.roots,
        total.images
    );
    assert!(total.built > 0);
}

#[test]
#[ignore = "needs target/peers/bin/kustomize"]
fn kustomize_builds_the_fixtures_the_same_but_for_the_names() {
    prove(&Kustomize::named("kustomize"), &fixtures());
}

#[test]
#[ignore = "needs target/peers/bin/kustomize-oldest"]
fn kustomize_of_old_builds_the_fixtures_the_same_too() {
    prove(&Kustomize { volumes: false, ..Kustomize::named("kustomize-oldest") }, &fixtures());
}

#[test]
#[ignore = "needs PULLTHRU_CORPUS and target/peers/bin/kustomize"]
fn kustomize_builds_real_repositories_the_same_but_for_the_names() {
    let corpus = std::env::var("PULLTHRU_CORPUS").expect("PULLTHRU_CORPUS names a directory of repositories");
    let mut trees: Vec<PathBuf> = fs::read_dir(corpus).unwrap().map(|entry| entry.unwrap().path()).collect();
    trees.retain(|path| path.is_dir());
    trees.sort();
    prove(&Kustomize::named("kustomize"), &trees);
}

/// Repositories that were taken in part: what a kustomization names and is not there gets a stand-in, so that it
/// builds and what is there can be compared.
fn complete(tree: &Path) {
    let repository = Repository::at(tree).unwrap();
    let options = WalkOptions { hidden: true, gitignore: false, ..WalkOptions::default() };
    let finder = Finder::new(Hosts::new(&["ghcr.io".to_owned()], &[]).unwrap());
    let inventory = inventory::take(&repository, &[], &options, &finder).unwrap();
    for file in &inventory.files {
        let links = file.found.kustomization.iter().flat_map(|kustomization| &kustomization.links);
        for link in links.filter(|link| link.missing && link.kind == LinkKind::Resource) {
            let path = file.path.parent().unwrap().join(&link.to).unwrap();
            let name = path.as_str().replace(|c: char| !c.is_ascii_alphanumeric(), "-").to_lowercase();
            let object = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\n");
            let target = repository.absolute(&path);
            if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
                fs::create_dir_all(target.parent().unwrap()).unwrap();
                fs::write(target, object).unwrap();
            } else {
                fs::create_dir_all(&target).unwrap();
                fs::write(target.join("stand-in.yaml"), object).unwrap();
                fs::write(target.join("kustomization.yaml"), "resources: [stand-in.yaml]\n").unwrap();
            }
        }
    }
}

/// Markers give entries the tag of what they rename: nothing that is built changes.
#[test]
#[ignore = "needs target/peers/bin/kustomize"]
fn kustomize_builds_the_same_with_markers() {
    let kustomize = Kustomize::named("kustomize");
    let fleet = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/fleet");
    let proof = Proof::new(&fleet);
    proof.migrate("auto", &[]);
    let directories = kustomizations(proof.copy.path());
    let before = kustomize.build_all(&directories);
    let mut command = Command::new(env!("CARGO_BIN_EXE_pullthru"));
    command
        .args(["emit", "flux", "--markers", "--out", "cache", "--allow-no-vcs"])
        .args(ACCOUNT)
        .current_dir(proof.copy.path());
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = fs::read_to_string(proof.copy.path().join("apps/dev/kustomization.yaml")).unwrap();
    assert!(text.matches(":tag\"}").count() > 5, "{text}");
    let after = kustomize.build_all(&directories);
    assert_eq!(before, after);
    assert!(before.values().filter(|built| built.is_ok()).count() > 5);
}

/// Random lists of images over a pod and a component resource of every kind of visit: kustomize builds the same tags
/// before and after.
#[test]
#[ignore = "needs target/peers/bin/kustomize"]
fn kustomize_builds_any_list_of_images_with_its_tags() {
    use proptest::prelude::*;
    let kustomize = Kustomize::named("kustomize");
    let pod = |name: &str, kind: &str, version: &str| {
        let containers = [
            "ghcr.io/o/a:v1",
            "ghcr.io/o/b@sha256:1111111111111111111111111111111111111111111111111111111111111111",
            "b:v1",
            "ghcr.io/o/c",
        ];
        let items: String =
            containers.iter().map(|image| format!("  - {{name: x, image: \"{image}\"}}\n")).collect();
        format!(
            "apiVersion: {version}\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n  containers:\n{items}"
        )
    };
    let lists = || proptest::collection::vec(crate::overlays::entry(), 0..5);
    let cases = proptest::test_runner::Config { cases: 150, failure_persistence: None, ..Default::default() };
    let mut runner = proptest::test_runner::TestRunner::new(cases);
    let outcome = runner.run(&(lists(), lists(), any::<bool>()), |(below, above, component)| {
        let tree = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            fs::create_dir_all(tree.path().join(path).parent().unwrap()).unwrap();
            fs::write(tree.path().join(path), text).unwrap();
        };
        write(
            "base/pod.yaml",
            &format!("{}---\n{}", pod("p", "Pod", "v1"), pod("q", "Farm", "acme.example/v1")),
        );
        let base = crate::overlays::kustomization(&below, false, 0, 1, false, true);
        let root = crate::overlays::kustomization(&above, false, 2, 1, false, true);
        let header = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n";
        if component {
            write("base/kustomization.yaml", "resources: [pod.yaml]\n");
            write(
                "part/kustomization.yaml",
                &format!("{header}{}", base.replace("resources:\n- pod.yaml # all\n", "")),
            );
            write(
                "root/kustomization.yaml",
                &format!("components: [../part]\n{}", root.replace("pod.yaml", "../base")),
            );
        } else {
            write("base/kustomization.yaml", &base);
            write("root/kustomization.yaml", &root.replace("pod.yaml", "../base"));
        }
        let built = kustomize.build(&tree.path().join("root"));
        prop_assume!(built.is_ok());
        for strategy in ["auto", "inline"] {
            let proof = Proof::new(tree.path());
            let report = proof.migrate(strategy, &[]);
            let after = kustomize.build(&proof.copy.path().join("root"));
            let left: Vec<String> = report["skipped"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row["reference"].as_str().unwrap().to_owned())
                .collect();
            let routing = proof.routing(&proof.copy.path().join("root"));
            let comparison =
                Comparison { routing: &routing, strict: strategy == "auto", volumes: true, left: &left };
            let compared = after.and_then(|after| comparison.run(built.as_ref().unwrap(), &after));
            prop_assert!(compared.is_ok(), "{strategy}\n{base}\n{root}\n{report}\n{compared:?}");
        }
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

/// Docker Hub's names have many spellings and stand in patches without a host: inline, the tags that kustomize builds
/// are those of before.
#[test]
#[ignore = "needs target/peers/bin/kustomize"]
fn kustomize_builds_docker_hubs_names_with_their_tags() {
    let kustomize = Kustomize::named("kustomize");
    let spellings = [
        "redis",
        "library/redis",
        "docker.io/redis",
        "docker.io/library/redis",
        "index.docker.io/library/redis",
    ];
    let container = |(at, image): (usize, &&str)| format!("    - {{name: c{at}, image: \"{image}:{at}\"}}\n");
    let containers: String = spellings.iter().enumerate().map(container).collect();
    let pod = format!("apiVersion: v1\nkind: Pod\nmetadata: {{name: p}}\nspec:\n  containers:\n{containers}");
    let patch = "patches:\n  - patch: |-\n      apiVersion: v1\n      kind: Pod\n      metadata: {name: p}\n      spec:\n        \
                 initContainers:\n          - {name: i, image: \"SPELLING:9\"}\n";
    let mut moved = 0;
    for number in 0..spellings.len() * spellings.len() {
        let (first, second) = (spellings[number % spellings.len()], spellings[number / spellings.len()]);
        let tree = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            fs::create_dir_all(tree.path().join(path).parent().unwrap()).unwrap();
            fs::write(tree.path().join(path), text).unwrap();
        };
        write(
            "pullthru.yaml",
            "registry: {account: \"123456789012\", region: ca-central-1}\nupstreams: {docker.io: docker-hub}\n",
        );
        write("base/pod.yaml", &pod);
        write("base/kustomization.yaml", "resources: [pod.yaml]\n");
        let entries = format!(
            "images:\n  - {{name: {first}, newTag: \"71\"}}\n  - {{name: {second}, newTag: \"72\"}}\n"
        );
        write(
            "root/kustomization.yaml",
            &format!("resources: [../base]\n{}{entries}", patch.replace("SPELLING", second)),
        );
        let proof = Proof::new(tree.path());
        let root = proof.copy.path().join("root");
        let before = kustomize.build(&root).unwrap();
        let report = proof.migrate("inline", &[]);
        assert_eq!(report["errors"], serde_json::json!([]), "{first} {second}");
        moved += report["changes"].as_array().unwrap().len();
        let after = kustomize.build(&root).unwrap();
        let tags = |built: &str| -> Vec<String> {
            let images = built.lines().filter_map(|line| line.split_once("image: "));
            images.map(|(_, image)| image.rsplit(':').next().unwrap().to_owned()).collect()
        };
        assert_eq!(tags(&before).len(), spellings.len() + 1);
        assert_eq!(tags(&before), tags(&after), "{first} {second}\n{report}");
    }
    assert!(moved > 50, "only {moved} references moved");
}
