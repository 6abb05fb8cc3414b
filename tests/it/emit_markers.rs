//! `emit flux --markers`: which fields get a setter marker, and which markers would lead back to the upstream.

use crate::golden::{assert_same, copy_tree, root};
use crate::scratch::{Run, Scratch};

const CACHE: &str = "123456789012.dkr.ecr.ca-central-1.amazonaws.com/ghcr";

fn emit(scratch: &Scratch, more: &[&str]) -> Run {
    let arguments: Vec<&str> =
        ["emit", "flux", "--out", "auto", "--markers"].iter().chain(more).copied().collect();
    let run = scratch.run(&arguments);
    assert_eq!(run.code, 0, "{}", run.err);
    run
}

/// Runs twice over one file: the text afterwards, and what was said.
fn marked(text: &str, more: &[&str]) -> (String, String) {
    let scratch = Scratch::new(&[("apps/a.yaml", text.as_bytes())]);
    let first = emit(&scratch, more);
    let after = scratch.read("apps/a.yaml");
    let second = emit(&scratch, more);
    assert_eq!(second.out, "", "a second run writes something: {}", scratch.read("apps/a.yaml"));
    (after, first.err)
}

fn pod(image: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n    - name: a\n      image: {image}\n      args: []\n"
    )
}

fn release(values: &str) -> String {
    format!(
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata: {{ name: a }}\nspec:\n  values:\n    image:\n{values}"
    )
}

const FULL: &str = "# {\"$imagepolicy\": \"flux-system:ghcr-io.o.app\"}";
const TAG: &str = "# {\"$imagepolicy\": \"flux-system:ghcr-io.o.app:tag\"}";
const NAME: &str = "# {\"$imagepolicy\": \"flux-system:ghcr-io.o.app:name\"}";

#[test]
fn a_whole_reference_that_names_the_cache_is_set_whole() {
    let image = format!("{CACHE}/o/app:v1.0.0");
    let (after, _) = marked(&pod(&format!("'{image}'")), &[]);
    assert_eq!(after, pod(&format!("'{image}' {FULL}")));
    let (after, _) = marked(&pod(&image).replace('\n', "\r\n"), &[]);
    assert_eq!(after, pod(&format!("{image} {FULL}")).replace('\n', "\r\n"));
}

#[test]
fn a_whole_reference_that_names_the_upstream_has_to_move_first() {
    let text = pod("ghcr.io/o/app:v1.0.0");
    let (after, notes) = marked(&text, &[]);
    assert_eq!(after, text);
    assert!(
        notes.contains(
            "apps/a.yaml:6:14: ghcr.io/o/app:v1.0.0: no marker: the field does not name the cache: `pullthru migrate` first"
        ),
        "{notes}"
    );
}

#[test]
fn with_the_upstream_scanned_a_whole_reference_takes_no_marker() {
    let text = pod(&format!("{CACHE}/o/app:v1.0.0"));
    let (after, notes) = marked(&text, &["--discovery", "upstream"]);
    assert_eq!(after, text);
    assert!(notes.contains("no marker: one field holds name and tag"), "{notes}");
}

#[test]
fn a_tag_of_its_own_is_set_wherever_tags_are_looked_up() {
    let values = |name: &str, tag: &str| {
        release(&format!("      repository: {CACHE}/o/app{name}\n      tag: \"v1.0.0\"{tag}\n"))
    };
    let (after, _) = marked(&values("", ""), &[]);
    assert_eq!(after, values(&format!(" {NAME}"), &format!(" {TAG}")));
    let (after, _) = marked(&values("", ""), &["--discovery", "upstream"]);
    assert_eq!(after, values("", &format!(" {TAG}")), "the policy knows the upstream's name");
}

#[test]
fn a_tag_beside_a_name_in_two_parts_or_of_the_upstream_is_set_alone() {
    let values = |tag: &str| {
        release(&format!("      registry: {CACHE}\n      repository: o/app\n      tag: v1.0.0{tag}\n"))
    };
    assert_eq!(marked(&values(""), &[]).0, values(&format!(" {TAG}")));
    let values = |tag: &str| release(&format!("      repository: ghcr.io/o/app\n      tag: v1.0.0{tag}\n"));
    assert_eq!(marked(&values(""), &[]).0, values(&format!(" {TAG}")));
}

#[test]
fn an_override_of_kustomize_is_set_by_its_tag() {
    let kustomization = |name: &str, tag: &str| {
        format!(
            "resources: [pod.yaml]\nimages:\n- name: app\n  newName: {CACHE}/o/app{name}\n  newTag: v1.0.0{tag}\n- name: {CACHE}/o/app\n  newTag: v1.0.0{tag}\n"
        )
    };
    let scratch = Scratch::new(&[("apps/kustomization.yaml", kustomization("", "").as_bytes())]);
    scratch.write("apps/pod.yaml", pod("app").as_bytes());
    emit(&scratch, &[]);
    assert_eq!(
        scratch.read("apps/kustomization.yaml"),
        kustomization(&format!(" {NAME}"), &format!(" {TAG}"))
    );
}

#[test]
fn an_entry_without_a_comment_takes_both_markers_at_once() {
    let kustomization = |name: &str| {
        format!("resources: [pod.yaml]\nimages:\n- name: ghcr.io/o/app\n  newName: {CACHE}/o/app{name}\n")
    };
    let scratch = Scratch::new(&[("kustomization.yaml", kustomization("").as_bytes())]);
    scratch.write("pod.yaml", pod("ghcr.io/o/app:v1.0.0").as_bytes());
    emit(&scratch, &[]);
    let marked = kustomization(&format!(" {NAME}\n  newTag: v1.0.0 {TAG}"));
    assert_eq!(scratch.read("kustomization.yaml"), marked);
    assert_eq!(emit(&scratch, &[]).out, "");
}

/// The tag stays where the image is, so the entry that renames it gains a field that Flux can set.
#[test]
fn an_entry_of_an_overlay_takes_the_tag_of_what_it_renames() {
    let kustomization = |more: &str| {
        format!(
            "resources:\r\n- pod.yaml\r\nimages:\r\n- name: ghcr.io/o/app\r\n  newName: {CACHE}/o/app # cached{more}\r\n"
        )
    };
    for (tags, left) in [
        (&["v1.0.0", "v1.0.0"][..], ""),
        (&["v1.0.0", "v1.1.0"], "several tags"),
        (&[], "several tags, or none"),
    ] {
        let scratch = Scratch::new(&[("apps/kustomization.yaml", kustomization("").as_bytes())]);
        let text: String =
            tags.iter().map(|tag| format!("---\n{}", pod(&format!("ghcr.io/o/app:{tag}")))).collect();
        let untagged = if text.is_empty() { pod("ghcr.io/o/app") } else { String::new() };
        scratch.write("apps/pod.yaml", (text.clone() + &untagged).as_bytes());
        let run = emit(&scratch, &[]);
        let more = if left.is_empty() { format!("\r\n  newTag: v1.0.0 {TAG}") } else { String::new() };
        assert_eq!(scratch.read("apps/kustomization.yaml"), kustomization(&more));
        assert_eq!(scratch.read("apps/pod.yaml"), text + &untagged, "the base keeps its tag");
        assert!(run.err.contains(left), "{}", run.err);
        // The field that an overlay renames is no place for a marker, and no word is lost on it.
        assert!(!run.err.contains("apps/pod.yaml"), "{}", run.err);
        assert_eq!(emit(&scratch, &[]).out, "");
    }
}

#[test]
fn a_pin_is_kept_or_the_field_is_left() {
    const DIGEST: &str = "sha256:6b2b75c33f4c0872df35fd6736da7fec77b5ecb41ead438df2c4643f155f2020";
    let image = format!("{CACHE}/o/app:v1.0.0@{DIGEST}");
    assert_eq!(marked(&pod(&image), &[]).0, pod(&format!("{image} {FULL}")));
    let (after, notes) = marked(&pod(&image), &["--api-version", "v1beta2"]);
    assert_eq!(after, pod(&image));
    assert!(notes.contains("it is pinned, and the policy does not read digests"), "{notes}");
    let values = |name: &str, tag: &str, digest: &str| {
        release(&format!(
            "      repository: {CACHE}/o/app{name}\n      tag: v1.0.0{tag}\n      digest: {DIGEST}{digest}\n"
        ))
    };
    let digest = TAG.replace(":tag", ":digest");
    assert_eq!(
        marked(&values("", "", ""), &[]).0,
        values(&format!(" {NAME}"), &format!(" {TAG}"), &format!(" {digest}"))
    );
}

#[test]
fn what_flux_could_not_set_is_left_and_said() {
    let image = format!("{CACHE}/o/app:v1.0.0");
    for (text, why) in [
        (
            format!(
                "apiVersion: v1\nkind: Pod\nspec: {{ containers: [ {{ name: a, image: '{image}' }} ] }}\n"
            ),
            "within brackets",
        ),
        (pod(&format!("{image} # renovate: x")), "the line has a comment already"),
        (pod(&format!("&image {image}")), "behind an anchor"),
    ] {
        let (after, notes) = marked(&text, &[]);
        assert_eq!(after, text);
        assert!(notes.contains(why), "{notes}");
    }
    // Text within text, part of a text, a placeholder that stands in for a release.
    for text in [
        format!(
            "apiVersion: v1\nkind: ConfigMap\ndata:\n  pod.yaml: |\n{}",
            pod(&image).replace("\n", "\n    ").trim_end().replace("apiVersion", "    apiVersion")
        ),
        pod(&image)
            .replace("image:", "image: x\n      args:")
            .replace(&image, &format!("[--image={image}]"))
            .replace("      args: []\n", ""),
    ] {
        assert_eq!(marked(&text, &[]).0, text);
    }
    let two = format!("{}---\n{}", pod(&image), pod(&format!("{CACHE}/o/app:dummy")));
    assert_eq!(
        marked(&two, &[]).0,
        format!("{}---\n{}", pod(&format!("{image} {FULL}")), pod(&format!("{CACHE}/o/app:dummy")))
    );
}

#[test]
fn markers_that_stand_stay() {
    for marker in ["flux-system:ghcr-io.o.app", "flux-system:ghcr-io.o.app:tag", "other:mine:tag"] {
        let text = pod(&format!("{CACHE}/o/app:v1.0.0 # {{\"$imagepolicy\": \"{marker}\"}}"));
        let (after, notes) = marked(&text, &[]);
        assert_eq!(after, text);
        assert!(!notes.contains("marker"), "{notes}");
    }
}

const EXISTING: &str = "apiVersion: image.toolkit.fluxcd.io/v1\nkind: ImageRepository\nmetadata:\n  name: app\n  namespace: \
                        flux-system\nspec:\n  image: ghcr.io/o/app\n  interval: 5m\n---\napiVersion: \
                        image.toolkit.fluxcd.io/v1\nkind: ImagePolicy\nmetadata:\n  name: app\n  namespace: \
                        flux-system\nspec:\n  imageRepositoryRef:\n    name: app\n  policy:\n    semver:\n      range: 1.x\n";

fn reverting(suffix: &str) -> String {
    format!(
        "{}---\n{}",
        pod(&format!("{CACHE}/o/app:v1.0.0 # {{\"$imagepolicy\": \"flux-system:app\"}}")),
        release(&format!(
            "      repository: {CACHE}/o/app # {{\"$imagepolicy\": \"flux-system:app{suffix}\"}}\n      tag: v1.0.0\n"
        ))
    )
}

#[test]
fn a_marker_that_reverts_is_found_and_fixed_on_request() {
    let scratch = Scratch::new(&[
        ("apps/a.yaml", reverting(":name").as_bytes()),
        ("flux/app.yaml", EXISTING.as_bytes()),
    ]);
    let run = scratch.run(&["emit", "flux", "--out", "auto"]);
    let found: Vec<&str> = run.err.lines().filter(|line| line.contains("updater-reverts")).collect();
    assert_eq!(found.len(), 2, "{}", run.err);
    assert!(
        found[0].contains("apps/a.yaml:6:14:")
            && found[0].contains("the marker `flux-system:app` writes ghcr.io/o/app back")
    );
    assert!(found[1].contains("`flux-system:app:name`"));
    assert_eq!(scratch.read("apps/a.yaml"), reverting(":name"));
    emit(&scratch, &[]);
    let fixed = reverting(":name")
        .replace("flux-system:app", "flux-system:ghcr-io.o.app")
        .replace("tag: v1.0.0", &format!("tag: v1.0.0 {TAG}"));
    assert_eq!(scratch.read("apps/a.yaml"), fixed);
    assert!(!emit(&scratch, &[]).err.contains("updater-reverts"));
}

#[test]
fn a_repository_that_is_moved_makes_its_markers_right() {
    let scratch = Scratch::new(&[
        ("apps/a.yaml", reverting(":name").as_bytes()),
        ("flux/app.yaml", EXISTING.as_bytes()),
    ]);
    let run = scratch.run(&["emit", "flux", "--move-existing"]);
    assert_eq!(run.out, "changed flux/app.yaml\n");
    assert!(!run.err.contains("updater-reverts"), "{}", run.err);
    assert_eq!(scratch.read("apps/a.yaml"), reverting(":name"));
}

#[test]
fn with_the_upstream_scanned_a_marker_that_leads_back_is_only_found() {
    let scratch = Scratch::new(&[
        ("apps/a.yaml", reverting(":name").as_bytes()),
        ("flux/app.yaml", EXISTING.as_bytes()),
    ]);
    let run = emit(&scratch, &["--discovery", "upstream"]);
    assert!(
        run.err.contains("updater-reverts") && run.err.contains("remove it, or look for tags in the cache"),
        "{}",
        run.err
    );
    assert!(
        scratch
            .read("apps/a.yaml")
            .contains(&format!("image: {CACHE}/o/app:v1.0.0 # {{\"$imagepolicy\": \"flux-system:app\"}}"))
    );
}

#[test]
fn files_with_uncommitted_changes_are_not_marked() {
    let text = pod(&format!("{CACHE}/o/app:v1.0.0"));
    let scratch = Scratch::new(&[("apps/a.yaml", text.as_bytes())]);
    scratch.git(&["init", "-q"]);
    let run = scratch.run(&["emit", "flux", "--out", "auto", "--markers"]);
    assert!(run.code == 2 && run.err.contains("uncommitted changes"), "{}", run.err);
    assert_eq!(scratch.read("apps/a.yaml"), text);
}

/// Runs over each tree of `testdata/flux/markers`, all of which name the cache: the objects and markers that are written, and
/// what is said.
#[test]
fn lines_and_policies_of_people_are_kept_apart() {
    for case in ["kept-policy", "kept-suspend", "not-for-flux", "placeholder", "two-lines"] {
        let directory = format!("testdata/flux/markers/{case}");
        let arguments = std::fs::read_to_string(root().join(&directory).join("arguments.txt")).unwrap();
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        let scratch = Scratch::new(&[]);
        copy_tree(&root().join(&directory).join("before"), scratch.path());
        let run = emit(&scratch, &arguments);
        assert_same(&format!("{directory}/notes.txt"), &run.err);
        for (path, bytes) in scratch.contents() {
            let path = path.strip_prefix(scratch.path()).unwrap().display().to_string();
            if path != "auto/kustomization.yaml" {
                assert_same(&format!("{directory}/after/{path}"), &String::from_utf8(bytes).unwrap());
            }
        }
        assert_eq!(emit(&scratch, &arguments).out, "", "{case}: a second run writes something");
    }
}
