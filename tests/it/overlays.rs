//! What overlays make of each trap in `testdata/kustomize`: the diff and the summary, for a person to read.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use crate::golden::{assert_same, copy_of};
use crate::scratch::run_in;

#[test]
fn every_trap_has_its_answer() {
    let traps = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/kustomize");
    for trap in fs::read_dir(traps).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()) {
        let name = trap.file_name().unwrap().to_string_lossy().into_owned();
        let copy = copy_of(&format!("testdata/kustomize/{name}"));
        let mut rendered = String::new();
        for strategy in ["auto", "overlay"] {
            let mut arguments = vec!["migrate", "--strategy", strategy];
            if !copy.path().join("pullthru.yaml").exists() {
                arguments.extend(["--account", "123456789012", "--region", "ca-central-1"]);
            }
            let (out, errors) = run_in(copy.path(), &arguments);
            let answer = format!("{out}{errors}");
            if rendered.is_empty() {
                rendered = format!("$ pullthru migrate --strategy auto\n{answer}");
            } else if !rendered.ends_with(&answer) {
                rendered.push_str(&format!("\n$ pullthru migrate --strategy overlay\n{answer}"));
            }
        }
        assert_same(&format!("testdata/expected/kustomize/{name}.txt"), &rendered);
    }
}

#[test]
fn a_component_holds_what_roots_have_in_common() {
    let copy = copy_of("testdata/fleet");
    fs::create_dir(copy.path().join("components")).unwrap();
    let account = ["--account", "123456789012", "--region", "ca-central-1"];
    let rendered = |more: &[&str]| {
        run_in(copy.path(), &[&["migrate", "--component", "components/ecr"], more, &account].concat())
    };
    let (diff, summary) = rendered(&["apps", "components", "infrastructure"]);
    assert_same("testdata/expected/fleet-component.diff", &format!("{diff}{summary}"));
    let before = fs::read_to_string(copy.path().join("apps/dev/kustomization.yaml")).unwrap();
    rendered(&["--write"]);
    assert!(copy.path().join("components/ecr/kustomization.yaml").is_file());
    assert_eq!(rendered(&[]).0, "", "a second run has nothing to do");
    rendered(&["--write", "--reverse"]);
    assert!(!copy.path().join("components/ecr").exists());
    assert_eq!(fs::read_to_string(copy.path().join("apps/dev/kustomization.yaml")).unwrap(), before);
}

#[test]
fn a_component_is_for_overlays() {
    let copy = copy_of("testdata/fleet");
    for (arguments, error) in [
        (["--strategy", "inline", "--component", "c"], "is for overlays"),
        (["--strategy", "auto", "--component", "../c"], "no directory below the repository's root"),
    ] {
        let account = ["--account", "123456789012", "--region", "ca-central-1"];
        let (out, errors) = run_in(copy.path(), &[&["migrate"][..], &arguments, &account].concat());
        assert!(out.is_empty() && errors.contains(error), "{errors}");
    }
}

/// A `newName` in an entry that another one merges would rename that one's image, too.
#[test]
fn nothing_is_written_into_an_entry_that_others_refer_to() {
    let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: bakery}\nspec:\n  containers:\n  \
        - {name: bread, image: \"ghcr.io/bakery/bread:1\"}\n  - {name: cake, image: \"quay.io/bakery/cake:1\"}\n";
    for list in [
        "images:\n- &bread\n  name: ghcr.io/bakery/bread\n  newTag: \"7\"\n- <<: *bread\n  name: quay.io/bakery/cake\n",
        "images:\n- &bread {name: ghcr.io/bakery/bread, newTag: \"7\"}\n- {<<: [*bread], name: quay.io/bakery/cake}\n",
        "images: &list\n- name: ghcr.io/bakery/bread\n  newTag: \"7\"\nx-copy: *list\n",
    ] {
        let scratch = crate::scratch::Scratch::new(&[]);
        let shop = format!("resources:\n- ../base\n{list}");
        scratch.write("base/pod.yaml", pod.as_bytes());
        scratch.write("base/kustomization.yaml", b"resources:\n- pod.yaml\n");
        scratch.write("shop/kustomization.yaml", shop.as_bytes());
        let account = ["--account", "123456789012", "--region", "ca-central-1", "--upstream", "ghcr.io"];
        let (out, errors) =
            run_in(scratch.path(), &[&["migrate", "--strategy", "overlay"][..], &account].concat());
        assert!(!out.contains("+++"), "{out}");
        assert!(errors.contains("an alias or a merge key refers to an entry"), "{list}{errors}");
    }
}

/// Layers that would be more than all files, if each way through them were gone: every kustomization draws from the
/// next one thrice.
#[test]
fn diamonds_and_long_chains_of_layers_cost_no_power() {
    let scratch = crate::scratch::Scratch::new(&[]);
    let pod = |name: usize| {
        format!(
            "apiVersion: v1\nkind: Pod\nmetadata: {{name: a}}\nspec:\n  containers:\n  - image: ghcr.io/o/n{name}:1\n"
        )
    };
    for level in 0..40 {
        let next = level + 1;
        let text = format!("resources: [../{next}, ../{next}, pod.yaml]\ncomponents: [../{next}]\n");
        scratch.write(&format!("diamond/{level}/kustomization.yaml"), text.as_bytes());
        scratch.write(&format!("diamond/{level}/pod.yaml"), pod(level).as_bytes());
    }
    scratch.write("diamond/40/kustomization.yaml", b"resources: [pod.yaml]\n");
    scratch.write("diamond/40/pod.yaml", pod(40).as_bytes());
    for level in 0..500 {
        let text =
            format!("resources: [../{}]\nimages: [{{name: ghcr.io/o/n0, newTag: v{level}}}]\n", level + 1);
        scratch.write(&format!("chain/{level}/kustomization.yaml"), text.as_bytes());
    }
    let begin = std::time::Instant::now();
    let run = scratch.run(&["migrate"]);
    // The chain is longer than what is followed, and that is said.
    assert_eq!(run.code, 3, "{}", run.err);
    assert!(run.err.contains("`chain/0/kustomization.yaml`: more than 200 kustomizations"), "{}", run.err);
    assert!(run.err.contains("diamond/0/kustomization.yaml  41 images"), "{}", run.err);
    assert!(begin.elapsed() < std::time::Duration::from_secs(30), "{:?}", begin.elapsed());
}

/// One entry as somebody might write it.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    name: &'static str,
    fields: Vec<(&'static str, &'static str)>,
    name_last: bool,
    quote: &'static str,
    comment: bool,
}

pub(crate) fn entry() -> impl Strategy<Value = Written> {
    let names = ["ghcr.io/o/a", "ghcr.io/o/b", "b", "ghcr.io/o/.*", "docker.io/library/c", "ghcr.io/o/gone"];
    let fields = [
        ("newName", "ghcr.io/o/z"),
        ("newName", "ghcr.io/o/a"),
        ("newName", "other.example/o/z"),
        ("newTag", "v2"),
        ("digest", "sha256:0000000000000000000000000000000000000000000000000000000000000000"),
        ("tagSuffix", "-x"),
    ];
    let fields = proptest::sample::subsequence(fields.to_vec(), 0..3);
    let quotes = proptest::sample::select(vec!["", "'", "\""]);
    (proptest::sample::select(names.to_vec()), fields, any::<bool>(), quotes, any::<bool>()).prop_map(
        |(name, mut fields, name_last, quote, comment)| {
            fields.dedup_by_key(|(key, _)| *key);
            Written { name, fields, name_last, quote, comment }
        },
    )
}

/// A kustomization with these entries.
pub(crate) fn kustomization(
    entries: &[Written],
    flow: bool,
    indent: usize,
    gap: usize,
    crlf: bool,
    end: bool,
) -> String {
    let mut text = "# the root\nresources:\n- pod.yaml # all\nimages:".to_owned();
    let pairs = |entry: &Written| {
        let mut pairs: Vec<String> =
            entry.fields.iter().map(|(key, value)| format!("{key}: {value}")).collect();
        let name = format!("name: {0}{1}{0}", entry.quote, entry.name);
        pairs.insert(if entry.name_last { pairs.len() } else { 0 }, name);
        pairs
    };
    if flow {
        let items: Vec<String> =
            entries.iter().map(|entry| format!("{{{}}}", pairs(entry).join(", "))).collect();
        text.push_str(&format!(" [{}] # in one line\n", items.join(", ")));
    } else {
        text.push('\n');
        for entry in entries {
            let margin = " ".repeat(indent);
            let joined = pairs(entry).join(&format!("\n{margin} {}", " ".repeat(gap)));
            let comment = if entry.comment { " # said" } else { "" };
            text.push_str(&format!("{margin}-{}{joined}{comment}\n", " ".repeat(gap)));
        }
    }
    text.push_str("namePrefix: x-\n# the end\n");
    if !end {
        text = text.trim_end().to_owned();
    }
    if crlf { text.replace('\n', "\r\n") } else { text }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the list looks like: it is edited or left with an error, a second run is empty, and `--reverse` is
    /// exact.
    #[test]
    fn any_list_of_images_goes_there_and_back(
        entries in proptest::collection::vec(entry(), 1..5),
        (flow, crlf, end) in any::<(bool, bool, bool)>(),
        indent in 0..5usize,
        gap in 1..4usize,
    ) {
        let scratch = crate::scratch::Scratch::new(&[]);
        let pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec:\n  containers:\n  - image: ghcr.io/o/a:v1\n  \
                   - image: ghcr.io/o/b:v1\n  - image: b:v1\n";
        scratch.write("pod.yaml", pod.as_bytes());
        let text = kustomization(&entries, flow, indent, gap, crlf, end);
        scratch.write("kustomization.yaml", text.as_bytes());
        let run = scratch.run(&["migrate", "--write"]);
        prop_assert_eq!(run.code, 0, "{}\n{}", text, run.err);
        let once = scratch.read("kustomization.yaml");
        let again = scratch.run(&["migrate", "--write"]);
        prop_assert_eq!((again.code, scratch.read("kustomization.yaml")), (0, once.clone()), "{}", text);
        let back = scratch.run(&["migrate", "--write", "--reverse"]);
        prop_assert_eq!(back.code, 0, "{}\n{}", once, back.err);
        prop_assert_eq!(scratch.read("kustomization.yaml"), text.clone(), "by way of\n{}", once);
        prop_assert_eq!(scratch.read("pod.yaml"), pod);
    }
}
