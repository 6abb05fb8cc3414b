//! The image lock: its bytes, what makes a block stale and what does not, and conflicts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use pullthru_core::releases::lock::{
    AskedVersions, Capabilities, ImageLock, LockState, LockedChart, LockedImage, LockedRelease, RenderedRole,
    Stale, hash,
};
use pullthru_core::releases::{Release, ReleaseId, RenderedDeployers};
use pullthru_core::tree::RepoPath;

use crate::golden::copy_of;
use crate::releases::releases_of;

fn capabilities(kubernetes_version: &str) -> Capabilities {
    Capabilities { kubernetes_version: kubernetes_version.to_owned(), ..Capabilities::default() }
}

/// A copy of `testdata/releases/flux`.
fn flux() -> tempfile::TempDir {
    copy_of("testdata/releases/flux")
}

/// A lock as a render would write it.
fn lock_of(releases: &[Release]) -> ImageLock {
    let block = |release: &Release| LockedRelease {
        chart: LockedChart {
            source: release.chart.to_string(),
            version: "1.0.0".to_owned(),
            range: None,
            digest: None,
            asks: AskedVersions::default(),
        },
        hash: hash(release, &capabilities("1.34.0"), &AskedVersions::default()),
        inputs: release.inputs.clone(),
        images: [format!("ghcr.io/example/{}:1", release.id.name), "docker.io/library/busybox:1".to_owned()]
            .map(|image| LockedImage { image, role: RenderedRole::Container, key: None })
            .into(),
        deploys: RenderedDeployers::default(),
        render_failed: false,
    };
    let releases = releases.iter().map(|release| (release.id.clone(), block(release))).collect();
    ImageLock { releases, ..ImageLock::default() }
}

fn hashes(root: &Path) -> BTreeMap<ReleaseId, String> {
    releases_of(root)
        .iter()
        .map(|release| {
            (release.id.clone(), hash(release, &capabilities("1.34.0"), &AskedVersions::default()))
        })
        .collect()
}

fn edit(root: &Path, file: &str, from: &str, to: &str) {
    let text = fs::read_to_string(root.join(file)).unwrap();
    assert!(text.contains(from), "{file} has no {from}");
    fs::write(root.join(file), text.replacen(from, to, 1)).unwrap();
}

/// Which releases are stale after an edit.
fn stale(file: &str, from: &str, to: &str) -> Vec<String> {
    let copy = flux();
    let before = hashes(copy.path());
    edit(copy.path(), file, from, to);
    let after = hashes(copy.path());
    assert_eq!(before.len(), after.len());
    before.iter().filter(|(id, hash)| after[id] != **hash).map(|(id, _)| id.name.clone()).collect()
}

#[test]
fn the_same_bytes_over_a_hundred_runs() {
    let copy = flux();
    let first = lock_of(&releases_of(copy.path())).text();
    for _ in 0..100 {
        assert_eq!(lock_of(&releases_of(copy.path())).text(), first);
    }
    assert_eq!(ImageLock::read(&first).unwrap().text(), first);
    assert!(!first.contains(copy.path().to_str().unwrap()), "no path of a machine");
}

#[test]
fn a_block_is_readable_line_by_line() {
    let copy = flux();
    let text = lock_of(&releases_of(copy.path())).text();
    let block: Vec<&str> = text.lines().skip(3).take_while(|line| *line != "    },").collect();
    let rest = [
        r#"      "release": {"kind":"HelmRelease","name":"back-office","namespace":"shop","root":"shop/north"},"#,
        r#"      "chart": {"source":"oci://ghcr.io/example/charts/back:>=2.0 <3","version":"1.0.0"},"#,
    ];
    assert_eq!(block[1..3], rest);
    let images = [
        r#"        {"image":"docker.io/library/busybox:1","key":null,"role":"container"},"#,
        r#"        {"image":"ghcr.io/example/back-office:1","key":null,"role":"container"}"#,
    ];
    assert!(images.iter().all(|image| block.contains(image)), "{block:#?}");
}

#[test]
fn what_the_chart_does_not_see_makes_nothing_stale() {
    assert!(stale("shop/base/front.yaml", "spec:", "# a comment\nspec:").is_empty());
    assert!(stale("shop/base/front.yaml", "interval: 1h", "interval: 2h").is_empty());
    assert!(stale("shop/base/front-values.yaml", "image:", "# of the front\nimage:").is_empty());
    assert!(stale("charts/local/values.yaml", "image:", "# of the chart\nimage:").is_empty());
    let more = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: other}\nspec: {replicas: 2}\n---\n\
                apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: xs.example.com}\n---\n";
    assert!(stale("settings/charts.yaml", "apiVersion", &format!("{more}apiVersion")).is_empty());
}

#[test]
fn charts_values_and_variables_make_their_releases_stale() {
    assert_eq!(stale("settings/settings.yaml", "web_version: 6.2.1", "web_version: 6.3.0"), ["front"]);
    assert_eq!(stale("settings/settings.yaml", "eu-north", "eu-south"), ["front"]);
    assert_eq!(stale("shop/base/front-values.yaml", "ghcr.io", "quay.io"), ["front"]);
    assert_eq!(stale("shop/north/kustomization.yaml", "size=big", "size=small"), ["front"]);
    assert_eq!(stale("shop/north/kustomization.yaml", ">=2.0 <3", ">=3.0 <4"), ["back-office"]);
    assert_eq!(
        stale("shop/tracing/kustomization.yaml", "quay.io", "ghcr.io"),
        ["back-office", "front", "local"]
    );
    assert_eq!(stale("settings/charts.yaml", "oci://ghcr.io/example", "oci://quay.io/example"), ["front"]);
    assert_eq!(stale("charts/local/values.yaml", "tag: v1", "tag: v0"), ["local"]);
    assert_eq!(stale("charts/local/Chart.yaml", "0.1.0", "0.2.0"), ["local"]);
    let copy = flux();
    let releases = releases_of(copy.path());
    let all = |version| {
        releases
            .iter()
            .map(|release| hash(release, &capabilities(version), &AskedVersions::default()))
            .collect::<BTreeSet<_>>()
    };
    assert!(all("1.34.0").is_disjoint(&all("1.35.0")), "the Kubernetes version counts");
}

/// The name of an archive says its version, and promises nothing: another chart may lie in it tomorrow.
#[test]
fn an_archive_that_a_chart_depends_on_makes_it_stale() {
    let copy = flux();
    let archive = copy.path().join("charts/local/charts/inner-1.0.0.tgz");
    fs::create_dir_all(archive.parent().unwrap()).unwrap();
    let hashes = |bytes: &[u8]| {
        fs::write(&archive, bytes).unwrap();
        releases_of(copy.path())
            .iter()
            .map(|release| hash(release, &capabilities("1.34.0"), &AskedVersions::default()))
            .collect::<BTreeSet<_>>()
    };
    let (one, other) = (hashes(&[0x1f, 0x8b, 0xff, 1]), hashes(&[0x1f, 0x8b, 0xff, 2]));
    assert_eq!(one.difference(&other).count(), 1, "the release of that chart alone");
    assert_eq!(hashes(&[0x1f, 0x8b, 0xff, 1]), one);
}

/// What the repository defines counts for the charts that ask for it, and for no other.
#[test]
fn a_definition_makes_stale_what_asks_for_it() {
    let copy = flux();
    let releases = releases_of(copy.path());
    let asks = |template: &str| {
        let mut asks = AskedVersions::default();
        asks.add_template(template);
        asks
    };
    let defined = |versions: &[&str]| Capabilities {
        api_versions: versions.iter().map(|&version| version.to_owned()).collect(),
        ..capabilities("1.34.0")
    };
    let (before, after) = (defined(&["moss.example/v1"]), defined(&["moss.example/v1", "fern.example/v1"]));
    for (template, is_seen) in [
        ("{{ .Values.a }}", false),
        ("{{ if .Capabilities.APIVersions.Has \"moss.example/v1\" }}", false),
        ("{{ if $.Capabilities.APIVersions.Has  `fern.example/v1` }}", true),
        ("{{ if .Capabilities.APIVersions.Has (printf \"%s/v1\" .Values.group) }}", true),
        ("{{ range .Capabilities.APIVersions }}", true),
    ] {
        let hashes = [&before, &after].map(|all| hash(&releases[1], all, &asks(template)));
        assert_eq!(hashes[0] != hashes[1], is_seen, "{template}");
        let mut lock = lock_of(&releases);
        let block = lock.releases.get_mut(&releases[1].id).unwrap();
        (block.chart.asks, block.hash) = (asks(template), hashes[0].clone());
        let lock = ImageLock::read(&lock.text()).unwrap();
        assert!(matches!(lock.state(&releases[1], &before), LockState::Fresh(_)), "{template}");
        assert_eq!(matches!(lock.state(&releases[1], &after), LockState::Stale(..)), is_seen, "{template}");
    }
}

#[test]
fn every_edit_that_makes_a_release_stale_touches_its_inputs() {
    let copy = flux();
    let lock = lock_of(&releases_of(copy.path()));
    let touched = |path: &str| {
        let paths = BTreeSet::from([RepoPath::new(path).unwrap()]);
        lock.touched_by(&paths).map(|id| id.name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(touched("shop/base/front-values.yaml"), ["front"]);
    assert_eq!(touched("shop/tracing/kustomization.yaml"), ["back-office", "front", "local"]);
    assert_eq!(touched("settings/settings.yaml"), ["front"]);
    assert_eq!(touched("charts/local/templates/new.yaml"), ["local"]);
    assert_eq!(touched("charts/local-other/Chart.yaml"), [""; 0]);
    assert_eq!(touched("README.md"), [""; 0]);
}

#[test]
fn states() {
    let copy = flux();
    let releases = releases_of(copy.path());
    let mut lock = lock_of(&releases);
    let (release, current) = (&releases[1], capabilities("1.34.0"));
    let id = release.id.clone();
    assert!(matches!(lock.state(release, &current), LockState::Fresh(_)));
    assert!(matches!(lock.state(release, &capabilities("1.35.0")), LockState::Stale(_, Stale::Changed)));
    let old = lock.clone();
    lock.releases.remove(&id);
    assert_eq!(lock.state(release, &current), LockState::Missing);
    lock.keep_failed(&id, &old);
    assert!(
        matches!(lock.state(release, &current), LockState::Stale(block, Stale::RenderFailed) if block.images.len() == 2)
    );
    assert_eq!(ImageLock::read(&lock.text()).unwrap(), lock, "the mark is in the file");
}

#[test]
fn conflicts_cost_the_blocks_around_them() {
    let copy = flux();
    let releases = releases_of(copy.path());
    let text = lock_of(&releases).text();
    let conflicted = text.replacen(
        "        {\"image\":\"ghcr.io/example/front:1\"",
        "<<<<<<< HEAD\n        {\"image\":\"ghcr.io/example/front:1\"",
        1,
    );
    let conflicted = conflicted.replacen(
        "ghcr.io/example/front:1\",\"key\":null,\"role\":\"container\"}\n",
        "ghcr.io/example/front:1\",\"key\":null,\"role\":\"container\"}\n=======\n        {\"image\":\"x:1\"}\n>>>>>>> other\n",
        1,
    );
    assert_ne!(conflicted, text);
    let lock = ImageLock::read(&conflicted).unwrap();
    let names = |ids: Vec<&ReleaseId>| ids.iter().map(|id| id.name.clone()).collect::<Vec<_>>();
    assert!(lock.has_conflict);
    assert_eq!(names(lock.conflicting.iter().collect()), ["front"]);
    assert_eq!(names(lock.releases.keys().collect()), ["back-office", "local"]);
    assert_eq!(lock.state(&releases[1], &capabilities("1.34.0")), LockState::Conflict);

    // Two branches that each add a release in the same place.
    let begin = text.find("    {\n      \"release\": {\"kind\":\"HelmRelease\",\"name\":\"front\"").unwrap();
    let end = begin + text[begin..].find("    },\n").unwrap() + "    },\n".len();
    let block = &text[begin..end];
    let other = block.replace("\"front\"", "\"another\"");
    let both =
        format!("{}<<<<<<< HEAD\n{other}=======\n{block}>>>>>>> other\n{}", &text[..begin], &text[end..]);
    let lock = ImageLock::read(&both).unwrap();
    assert_eq!(names(lock.conflicting.iter().collect()), ["another", "back-office", "front"]);
    assert_eq!(names(lock.releases.keys().collect()), ["local"]);
    assert!(!lock.text().contains("<<<<<<<"), "what is written again has no markers");
}

#[test]
fn what_is_no_lock_is_said() {
    for (text, error) in [
        ("{}", "it is no image lock"),
        ("[", "it is no image lock"),
        ("{\"schema\": \"pullthru/image-lock/v9\", \"releases\": []}", "and this version reads"),
    ] {
        assert!(ImageLock::read(text).unwrap_err().to_string().contains(error), "{text}");
    }
    let copy = flux();
    let text = lock_of(&releases_of(copy.path())).text();
    let twice = text.replace("\"back-office\"", "\"front\"");
    assert!(ImageLock::read(&twice).unwrap_err().to_string().contains("twice"));
    let outside = text.replace("\"shop/base/front.yaml\"", "\"../front.yaml\"");
    assert!(ImageLock::read(&outside).unwrap_err().to_string().contains("no path of a repository"));
}
