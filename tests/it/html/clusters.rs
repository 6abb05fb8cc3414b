//! Which cluster is given what, as the page shows it.

use super::between;
use crate::scratch::Scratch;

const POD: &str =
    "apiVersion: v1\nkind: Pod\nmetadata: { name: app }\nspec:\n  containers:\n  - image: ghcr.io/o/app:v1\n";

fn flux(name: &str, path: &str) -> String {
    format!(
        "apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\nmetadata: {{ name: {name}, namespace: flux-system }}\n\
         spec:\n  path: {path}\n  sourceRef: {{ kind: GitRepository, name: flux-system }}\n"
    )
}

/// Lines of a chart: name, cached, bypassing, others.
fn chart(scratch: &Scratch, id: &str) -> Vec<String> {
    let page = scratch.run(&["check", "--format", "html"]).out;
    let chart = between(&page, &format!("aria-labelledby=\"{id}\""), "</table>").replace("<wbr>", "");
    let row = |row: &str| {
        let name = row.split('<').next().unwrap();
        let numbers: Vec<&str> =
            row.split("<td>").skip(1).map(|cell| cell.split([' ', '<']).next().unwrap()).collect();
        format!("{name} {}", numbers.join(" "))
    };
    chart.split("<tr><th scope=\"row\">").skip(1).map(row).collect()
}

const RENAMED: &str = "resources: [../../base]\nimages:\n- name: ghcr.io/o/app\n  newName: 123456789012.dkr.ecr.ca-central-1.amazonaws.com/ghcr/o/app\n";

/// One base, two clusters, one of which renames it.
fn two_clusters() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("base/kustomization.yaml", b"resources: [pod.yaml]\n".to_vec()),
        ("base/pod.yaml", POD.as_bytes().to_vec()),
        ("apps/dev/kustomization.yaml", RENAMED.as_bytes().to_vec()),
        ("apps/prod/kustomization.yaml", b"resources: [../../base]\n".to_vec()),
    ]
}

fn scratch(files: &[(&str, Vec<u8>)], more: &[(&str, String)]) -> Scratch {
    let scratch = Scratch::new(&[]);
    files.iter().for_each(|(path, bytes)| scratch.write(path, bytes));
    more.iter().for_each(|(path, text)| scratch.write(path, text.as_bytes()));
    scratch
}

#[test]
fn each_cluster_counts_what_it_is_given() {
    let world = scratch(&two_clusters(), &[]);
    // Without an object that has them built, the root kustomizations stand for clusters.
    assert_eq!(chart(&world, "clusters"), ["apps/prod 0 1 0", "apps/dev 1 0 0"]);
    let objects = [
        ("clusters/dev/apps.yaml", flux("apps", "./apps/dev")),
        ("clusters/prod/apps.yaml", flux("apps", "./apps/prod")),
    ];
    let world = scratch(&two_clusters(), &objects);
    assert_eq!(chart(&world, "clusters"), ["clusters/prod 0 1 0", "clusters/dev 1 0 0"]);
    assert_eq!(chart(&world, "applications"), ["base 0 1 0"]);
    assert_eq!(chart(&world, "upstreams"), ["ghcr.io 0 1 0"]);
}

/// After a bootstrap a Kustomization builds the directory that it lies in: that directory is the cluster, however many
/// steps are between it and the image.
#[test]
fn a_cluster_is_where_the_way_begins() {
    let mut objects = Vec::new();
    for cluster in ["dev", "prod"] {
        let file = |name: &str| format!("clusters/{cluster}/{name}.yaml");
        let path = format!("./clusters/{cluster}");
        objects.push((file("flux-system/gotk-sync"), flux("flux-system", &path)));
        objects.push((file("flux-system/kustomization"), "resources: [gotk-sync.yaml]\n".to_owned()));
        objects.push((file("tenants"), flux("tenants", &format!("./tenants/{cluster}"))));
        objects.push((format!("tenants/{cluster}/team.yaml"), flux("team", &format!("./apps/{cluster}"))));
    }
    let objects: Vec<(&str, String)> =
        objects.iter().map(|(path, text)| (path.as_str(), text.clone())).collect();
    let world = scratch(&two_clusters(), &objects);
    assert_eq!(chart(&world, "clusters"), ["clusters/prod 0 1 0", "clusters/dev 1 0 0"]);
}

/// Two ways from one beginning are one cluster.
#[test]
fn ways_that_meet_again_are_one() {
    let mut objects = vec![
        ("clusters/prod/flux-system/gotk-sync.yaml", flux("flux-system", "./clusters/prod")),
        ("clusters/prod/middle.yaml", flux("middle", "./middle")),
    ];
    objects.push(("middle/left.yaml", flux("left", "./left")));
    objects.push(("middle/right.yaml", flux("right", "./right")));
    objects.push(("left/app.yaml", flux("app", "./apps/prod")));
    objects.push(("right/app.yaml", flux("app", "./apps/prod")));
    let mut files = two_clusters();
    files.retain(|(path, _)| !path.starts_with("apps/dev"));
    assert_eq!(chart(&scratch(&files, &objects), "clusters"), ["clusters/prod 0 1 0"]);
}

/// Argo CD says where it deploys to elsewhere: what it has built stands for itself.
#[test]
fn argo_cd_has_directories_built() {
    let application = |path: &str| {
        format!(
            "apiVersion: argoproj.io/v1alpha1\nkind: Application\nmetadata: {{ name: a }}\nspec:\n  source:\n    path: {path}\n    repoURL: https://example.com/x.git\n"
        )
    };
    let objects = [
        ("argocd/dev.yaml", application("apps/dev")),
        ("argocd/plain.yaml", application("plain/app")),
        ("plain/app/pod.yaml", POD.to_owned()),
    ];
    let world = scratch(&two_clusters(), &objects);
    assert_eq!(chart(&world, "clusters"), ["apps/prod 0 1 0", "plain/app 0 1 0", "apps/dev 1 0 0"]);
}

/// Objects that build one another lead nowhere, and do not hang.
#[test]
fn circles_end() {
    let objects = [
        ("a/x.yaml", flux("b", "./b")),
        ("a/pod.yaml", POD.to_owned()),
        ("b/x.yaml", flux("a", "./a")),
        ("b/pod.yaml", POD.to_owned()),
    ];
    let rows = chart(&scratch(&[], &objects), "clusters");
    assert!(
        !rows.is_empty() && rows.iter().all(|row| row.ends_with(" 0 2 0") || row.ends_with(" 0 1 0")),
        "{rows:?}"
    );
}

#[test]
fn what_nothing_builds_is_reported_as_such() {
    let world = scratch(&[], &[("a/pod.yaml", POD.to_owned())]);
    assert_eq!(chart(&world, "clusters"), ["not deployed by any object in this repository 0 1 0"]);
    assert_eq!(chart(&world, "applications"), ["a 0 1 0"]);
}
