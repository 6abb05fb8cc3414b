//! Trees in which one dimension is n, and one tree like a real repository. The same bytes on every machine.
//!
//! Used by `benches/tree.rs` and by the test `growth`.
#![allow(dead_code)]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use pullthru_core::config::{Config, Overrides};
use pullthru_core::find::{Finder, Hosts};
use pullthru_core::inventory;
use pullthru_core::kustomize::Model;
use pullthru_core::releases::lock::{
    AskedVersions, Capabilities, ImageLock, LOCK_NAME, LockedChart, LockedImage, LockedRelease, RenderedRole,
    hash,
};
use pullthru_core::releases::{self, RenderedDeployers, Sources};
use pullthru_core::tree::{Repository, WalkOptions};

/// What a repository has many of.
pub(crate) struct Dimension {
    pub(crate) name: &'static str,
    /// Writes a tree with n of it.
    pub(crate) write: fn(&Tree<'_>, usize),
    /// An n for which the work is more than the start of the process, in a build without optimisation.
    pub(crate) n: usize,
    /// How much larger the input is for 2n.
    pub(crate) input: f64,
}

/// All of them: the dimensions of the quality bar, and those that once took more than their share of time.
pub(crate) const DIMENSIONS: [Dimension; 22] = [
    Dimension { name: "references", write: references, n: 2_000, input: 2.0 },
    Dimension { name: "kustomizations", write: kustomizations, n: 500, input: 2.0 },
    Dimension { name: "applications with one shared component", write: shared_component, n: 300, input: 2.0 },
    Dimension { name: "components of one root", write: components_of_root, n: 300, input: 2.0 },
    Dimension { name: "roots on one base", write: roots_on_base, n: 300, input: 2.0 },
    Dimension { name: "roots times applications", write: roots_and_applications, n: 20, input: 4.0 },
    Dimension { name: "entries of one list", write: entries, n: 600, input: 2.0 },
    Dimension { name: "entries of a migrated list", write: migrated_entries, n: 600, input: 2.0 },
    Dimension { name: "places of one patch", write: places_of_patch, n: 1_000, input: 2.0 },
    Dimension { name: "patches for one image", write: patches, n: 300, input: 2.0 },
    Dimension { name: "matchers", write: matchers, n: 300, input: 2.0 },
    Dimension { name: "matchers and configured fields", write: configured, n: 300, input: 2.0 },
    Dimension { name: "Flux Kustomizations", write: flux, n: 300, input: 2.0 },
    Dimension { name: "Argo CD images", write: argo, n: 300, input: 2.0 },
    Dimension { name: "releases", write: releases_alone, n: 400, input: 2.0 },
    Dimension { name: "releases of the image lock", write: locked_releases, n: 400, input: 2.0 },
    Dimension { name: "releases of one file", write: releases_of_file, n: 400, input: 2.0 },
    Dimension { name: "Flux Kustomizations of one file", write: flux_of_file, n: 300, input: 2.0 },
    Dimension { name: "kustomizations below one Flux Kustomization", write: below_flux, n: 300, input: 2.0 },
    Dimension { name: "bases that Flux builds, too", write: built_bases, n: 300, input: 2.0 },
    Dimension { name: "ApplicationSets", write: application_sets, n: 300, input: 2.0 },
    Dimension { name: "spellings of one image", write: spellings, n: 300, input: 2.0 },
];

/// The directory that a tree is written into.
pub(crate) struct Tree<'r>(pub(crate) &'r Path);

impl Tree<'_> {
    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.0.join(path);
        if let Some(directory) = path.parent() {
            fs::create_dir_all(directory).unwrap();
        }
        fs::write(path, text).unwrap();
    }
}

/// A Deployment with one container for each image.
fn deployment(name: &str, images: &[String]) -> String {
    let mut text = format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: {name}\nspec:\n  template:\n    spec:\n      \
         containers:\n"
    );
    for (number, image) in images.iter().enumerate() {
        let _ = write!(text, "        - name: c{number}\n          image: {image}\n");
    }
    text
}

fn app(number: usize) -> String {
    format!("ghcr.io/org/app-{number}")
}

/// A kustomization with these resources, components and overridden tags.
fn kustomization(resources: &[String], components: &[String], images: &[String]) -> String {
    let text = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n".to_owned();
    lists(text, resources, components, images)
}

fn component(resources: &[String], images: &[String]) -> String {
    let text = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n".to_owned();
    lists(text, resources, &[], images)
}

fn lists(mut text: String, resources: &[String], components: &[String], images: &[String]) -> String {
    for (key, items) in [("resources", resources), ("components", components)] {
        if !items.is_empty() {
            let _ = writeln!(text, "{key}:");
            for item in items {
                let _ = writeln!(text, "  - {item}");
            }
        }
    }
    if !images.is_empty() {
        text.push_str("images:\n");
        for name in images {
            let _ = write!(text, "  - name: {name}\n    newTag: v2\n");
        }
    }
    text
}

fn own(file: &str) -> [String; 1] {
    [file.to_owned()]
}

fn references(tree: &Tree<'_>, n: usize) {
    for number in 0..n {
        tree.write(&format!("apps/a{number}.yaml"), &deployment("app", &[format!("{}:v1", app(number))]));
    }
}

fn application(tree: &Tree<'_>, number: usize, components: &[String], images: &[String]) {
    let directory = format!("apps/a{number}");
    tree.write(&format!("{directory}/deployment.yaml"), &deployment("app", &[format!("{}:v1", app(number))]));
    let text = kustomization(&own("deployment.yaml"), components, images);
    tree.write(&format!("{directory}/kustomization.yaml"), &text);
}

fn kustomizations(tree: &Tree<'_>, n: usize) {
    (0..n).for_each(|number| application(tree, number, &[], &[]));
}

fn matchers(tree: &Tree<'_>, n: usize) {
    (0..n).for_each(|number| application(tree, number, &[], &[app(number), app(n)]));
}

fn configured(tree: &Tree<'_>, n: usize) {
    matchers(tree, n);
    let fields = "configurations:\n  - fields.yaml\n";
    tree.write("runner/kustomization.yaml", &(kustomization(&own("runner.yaml"), &[], &[]) + fields));
    let runner = "apiVersion: example.com/v1\nkind: Runner\nmetadata:\n  name: r\nspec:\n  image: ghcr.io/org/runner:v1\n";
    tree.write("runner/runner.yaml", runner);
    tree.write(
        "runner/fields.yaml",
        "images:\n  - group: example.com\n    kind: Runner\n    path: spec/image\n",
    );
}

fn shared_component(tree: &Tree<'_>, n: usize) {
    let shared = component(&own("agent.yaml"), &[app(n)]);
    tree.write("components/shared/kustomization.yaml", &shared);
    tree.write("components/shared/agent.yaml", &deployment("agent", &[format!("{}:v1", app(n))]));
    let listed = own("../../components/shared");
    (0..n).for_each(|number| application(tree, number, &listed, &[app(number)]));
}

fn components_of_root(tree: &Tree<'_>, n: usize) {
    let listed: Vec<String> = (0..n).map(|number| format!("../components/c{number}")).collect();
    tree.write("root/kustomization.yaml", &kustomization(&[], &listed, &[]));
    for number in 0..n {
        let directory = format!("components/c{number}");
        tree.write(
            &format!("{directory}/kustomization.yaml"),
            &component(&own("deployment.yaml"), &[app(number)]),
        );
        let text = deployment("app", &[format!("{}:v1", app(number))]);
        tree.write(&format!("{directory}/deployment.yaml"), &text);
    }
}

fn roots_on_base(tree: &Tree<'_>, n: usize) {
    tree.write("base/kustomization.yaml", &kustomization(&own("deployment.yaml"), &[], &[]));
    tree.write("base/deployment.yaml", &deployment("app", &[format!("{}:v1", app(0))]));
    for number in 0..n {
        let text = kustomization(&own("../../base"), &[], &[]);
        tree.write(&format!("clusters/c{number}/kustomization.yaml"), &text);
    }
}

fn roots_and_applications(tree: &Tree<'_>, n: usize) {
    (0..n).for_each(|number| application(tree, number, &[], &[]));
    let all: Vec<String> = (0..n).map(|number| format!("../../apps/a{number}")).collect();
    for number in 0..n {
        tree.write(&format!("clusters/c{number}/kustomization.yaml"), &kustomization(&all, &[], &[]));
    }
}

fn entries(tree: &Tree<'_>, n: usize) {
    let names: Vec<String> = (0..n).map(app).collect();
    let images: Vec<String> = names.iter().map(|name| format!("{name}:v1")).collect();
    tree.write("root/kustomization.yaml", &kustomization(&own("deployment.yaml"), &[], &names));
    tree.write("root/deployment.yaml", &deployment("app", &images));
}

fn migrated_entries(tree: &Tree<'_>, n: usize) {
    let mut text = kustomization(&own("deployment.yaml"), &[], &[]) + "images:\n";
    for name in (0..n).map(app) {
        let cached = name.replacen("ghcr.io", "123456789012.dkr.ecr.ca-central-1.amazonaws.com/ghcr", 1);
        let _ = write!(text, "  - name: {name}\n    newName: {cached}\n    newTag: v2\n");
    }
    let images: Vec<String> = (0..n).map(|number| format!("{}:v1", app(number))).collect();
    tree.write("root/kustomization.yaml", &text);
    tree.write("root/deployment.yaml", &deployment("app", &images));
}

fn places_of_patch(tree: &Tree<'_>, n: usize) {
    let text = kustomization(&own("deployment.yaml"), &[], &[]) + "patches:\n  - path: patch.yaml\n";
    let images: Vec<String> = (0..n).map(|number| format!("{}:v1", app(number))).collect();
    tree.write("root/kustomization.yaml", &text);
    tree.write("root/deployment.yaml", &deployment("app", &own("example.com/app:v1")));
    tree.write("root/patch.yaml", &deployment("app", &images));
}

/// As overlays rename a variable that many objects have.
fn patches(tree: &Tree<'_>, n: usize) {
    let mut text = kustomization(&["../base".to_owned()], &[], &[]);
    text.push_str("patches:\n");
    for number in 0..n {
        let file = format!(
            "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: a{number}\nspec:\n  template:\n    spec:\n      \
             containers:\n        - name: c\n          env:\n            - name: WORKER_IMAGE\n              value: ghcr.io/org/worker:v1\n"
        );
        tree.write(&format!("base/a{number}.yaml"), &file);
        let path = "/spec/template/spec/containers/0/env/0/value";
        let cached = "123456789012.dkr.ecr.ca-central-1.amazonaws.com/ghcr/org/worker:v1";
        let _ = write!(
            text,
            "  - target:\n      group: apps\n      version: v1\n      kind: Deployment\n      name: a{number}\n    patch: |-\n      \
             - op: test\n        path: {path}\n        value: ghcr.io/org/worker:v1\n      - op: replace\n        path: {path}\n        \
             value: {cached}\n"
        );
    }
    let files: Vec<String> = (0..n).map(|number| format!("a{number}.yaml")).collect();
    tree.write("base/kustomization.yaml", &kustomization(&files, &[], &[]));
    tree.write("prod/kustomization.yaml", &text);
}

fn flux(tree: &Tree<'_>, n: usize) {
    for number in 0..n {
        let text = deployment("app", &[format!("{}:v1", app(number))]);
        tree.write(&format!("apps/a{number}/deployment.yaml"), &text);
        let object = flux_object(number, &format!("apps/a{number}"), &[app(number)]);
        tree.write(&format!("clusters/production/a{number}.yaml"), &object);
    }
}

/// A Flux Kustomization that overrides the tags of these images.
fn flux_object(number: usize, path: &str, images: &[String]) -> String {
    let mut text = format!(
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata:\n  name: a{number}\n  \
         namespace: flux-system\nspec:\n  interval: 1h\n  path: ./{path}\n  prune: true\n  sourceRef:\n    \
         kind: GitRepository\n    name: flux-system\n"
    );
    if !images.is_empty() {
        text.push_str("  images:\n");
    }
    for name in images {
        let _ = write!(text, "    - name: {name}\n      newTag: v2\n");
    }
    text
}

fn flux_of_file(tree: &Tree<'_>, n: usize) {
    let mut objects = String::new();
    for number in 0..n {
        let text = deployment("app", &[format!("{}:v1", app(number))]);
        tree.write(&format!("apps/a{number}/deployment.yaml"), &text);
        objects.push_str("---\n");
        objects.push_str(&flux_object(number, &format!("apps/a{number}"), &[app(number)]));
    }
    tree.write("clusters/production.yaml", &objects);
}

fn below_flux(tree: &Tree<'_>, n: usize) {
    kustomizations(tree, n);
    let names: Vec<String> = (n..2 * n).map(app).collect();
    tree.write("clusters/production.yaml", &flux_object(0, "apps", &names));
}

fn built_bases(tree: &Tree<'_>, n: usize) {
    kustomizations(tree, n);
    let (mut bases, mut objects) = (Vec::new(), String::new());
    for number in 0..n {
        bases.push(format!("../apps/a{number}"));
        objects.push_str("---\n");
        objects.push_str(&flux_object(number, &format!("apps/a{number}"), &[]));
    }
    let names: Vec<String> = (n..2 * n).map(app).collect();
    tree.write("clusters/production.yaml", &objects);
    tree.write("root/kustomization.yaml", &kustomization(&bases, &[], &names));
}

fn application_sets(tree: &Tree<'_>, n: usize) {
    kustomizations(tree, n);
    for number in 0..n {
        let text = format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: ApplicationSet\nmetadata:\n  name: set{number}\nspec:\n  \
             generators:\n    - git:\n        repoURL: https://git.example.com/fleet.git\n        directories:\n          \
             - path: apps/a{number}\n  template:\n    metadata:\n      name: '{{{{path.basename}}}}'\n    spec:\n      \
             source:\n        repoURL: https://git.example.com/fleet.git\n        path: '{{{{path}}}}'\n        \
             kustomize:\n          images:\n            - {}:v2\n",
            app(number)
        );
        tree.write(&format!("sets/s{number}.yaml"), &text);
    }
}

fn spellings(tree: &Tree<'_>, n: usize) {
    for number in 0..n {
        let directory = format!("apps/a{number}");
        let text =
            deployment("app", &["docker.io/library/nginx:1.27".to_owned(), format!("{}:v1", app(number))]);
        tree.write(&format!("{directory}/deployment.yaml"), &text);
        tree.write(&format!("{directory}/other.yaml"), &deployment("other", &own("docker.io/nginx:1.27")));
        let resources = ["deployment.yaml".to_owned(), "other.yaml".to_owned()];
        let text = kustomization(&resources, &[], &own("docker.io/nginx"));
        tree.write(&format!("{directory}/kustomization.yaml"), &text);
    }
}

fn argo(tree: &Tree<'_>, n: usize) {
    let names: Vec<String> = (0..n).map(app).collect();
    let images: Vec<String> = names.iter().map(|name| format!("{name}:v1")).collect();
    tree.write("root/kustomization.yaml", &kustomization(&own("deployment.yaml"), &[], &[]));
    tree.write("root/deployment.yaml", &deployment("app", &images));
    let mut text = "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata:\n  name: root\nspec:\n  source:\n    \
                    repoURL: https://git.example.com/fleet.git\n    path: root\n    kustomize:\n      images:\n"
        .to_owned();
    for name in &names {
        let _ = writeln!(text, "        - {name}:v2");
    }
    tree.write("clusters/root.yaml", &text);
}

fn releases_alone(tree: &Tree<'_>, n: usize) {
    for number in 0..n {
        tree.write(&format!("releases/r{number}.yaml"), &release(number));
    }
}

/// Releases that are evaluated, each with images that the lock knows.
fn locked_releases(tree: &Tree<'_>, n: usize) {
    let source = "apiVersion: source.toolkit.fluxcd.io/v1\nkind: HelmRepository\nmetadata:\n  name: charts\n  namespace: charts\n\
                  spec:\n  url: https://charts.example.com\n";
    tree.write("source.yaml", source);
    for number in 0..n {
        let text = release(number).replace("name: charts\n", "name: charts\n        namespace: charts\n");
        tree.write(&format!("releases/r{number}.yaml"), &text);
    }
    let config = Config::load(None, &Overrides::default()).unwrap();
    let finder = Finder::new(Hosts::new(&config.upstream_hosts(), &[]).unwrap());
    let repository = Repository::at(tree.0).unwrap();
    let inventory = inventory::take(&repository, &[], &WalkOptions::default(), &finder).unwrap();
    let mut lock = ImageLock::default();
    let kubernetes_version = pullthru_charts::DEFAULT_KUBERNETES.to_owned();
    let capabilities = Capabilities { kubernetes_version, ..Capabilities::default() };
    for release in releases::of(&Model::new(&inventory, &config), &Sources::new(&repository)) {
        let image = |number| LockedImage {
            image: format!("ghcr.io/org/{}-{number}:v1", release.id.name),
            role: RenderedRole::Container,
            key: None,
        };
        let block = LockedRelease {
            chart: LockedChart::default(),
            hash: hash(&release, &capabilities, &AskedVersions::default()),
            inputs: release.inputs.clone(),
            images: (0..5).map(image).collect(),
            deploys: RenderedDeployers::default(),
            render_failed: false,
        };
        let known = release.unknown.is_empty() && lock.releases.insert(release.id.clone(), block).is_none();
        assert!(known, "{:?}: {:?}", release.id, release.unknown);
    }
    assert_eq!(lock.releases.len(), n);
    tree.write(LOCK_NAME, &lock.text());
}

fn releases_of_file(tree: &Tree<'_>, n: usize) {
    let releases: Vec<String> = (0..n).map(release).collect();
    tree.write("releases.yaml", &releases.join("---\n"));
}

fn release(number: usize) -> String {
    format!(
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: r{number}\n  namespace: r{number}\n\
         spec:\n  interval: 1h\n  chart:\n    spec:\n      chart: r{number}\n      version: 1.x\n      sourceRef:\n        \
         kind: HelmRepository\n        name: charts\n  values:\n    image:\n      repository: {}\n      tag: v1\n  \
         postRenderers:\n    - kustomize:\n        images:\n          - name: ghcr.io/org/side-{number}\n            \
         newTag: v2\n",
        app(number)
    )
}

/// What is deployed in a repository as people keep it: clusters that Flux builds, overlays on bases, one component for
/// all, releases, entries that set tags. `apps` applications in three clusters, and `files` files in all; the others
/// name no upstream. Returns how many name one.
pub(crate) fn like_a_real_one(
    tree: &Tree<'_>,
    apps: usize,
    files: usize,
    filler: &mut dyn FnMut(usize) -> String,
) -> usize {
    let (mut written, mut references) = (0, 0);
    let mut write = |path: &str, text: &str| {
        written += 1;
        references += usize::from(text.contains("ghcr.io"));
        tree.write(path, text);
    };
    write("components/agent/kustomization.yaml", &component(&own("agent.yaml"), &[app(apps)]));
    write("components/agent/agent.yaml", &deployment("agent", &[format!("{}:v1", app(apps))]));
    for number in 0..apps {
        let base = format!("apps/a{number:04}/base");
        write(&format!("{base}/kustomization.yaml"), &kustomization(&own("deployment.yaml"), &[], &[]));
        let text = deployment(&format!("a{number}"), &[format!("{}:v1", app(number))]);
        write(&format!("{base}/deployment.yaml"), &text);
        if number % 4 == 0 {
            write(&format!("apps/a{number:04}/release.yaml"), &release(number));
        }
        for cluster in ["development", "staging", "production"] {
            let overlay = format!("apps/a{number:04}/{cluster}");
            let components = own("../../../components/agent");
            let text = kustomization(&own("../base"), &components, &[app(number)]);
            write(&format!("{overlay}/kustomization.yaml"), &text);
            let object = flux_object(number, &overlay, &[]);
            write(&format!("clusters/{cluster}/a{number:04}.yaml"), &object);
        }
    }
    for number in 0..files.saturating_sub(written) {
        let path = format!("config/team-{:03}/app-{:02}/c{number}.yaml", number / 500, number / 25 % 20);
        tree.write(&path, &filler(number));
    }
    references
}
