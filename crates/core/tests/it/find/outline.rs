//! The finder may read an outline of a text instead of the whole; nobody may be able to tell.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use pullthru_core::find::{Finder, Found, Hosts};

fn finder(upstreams: &[&str]) -> Finder {
    let upstreams: Vec<String> = upstreams.iter().map(|&host| host.to_owned()).collect();
    Finder::new(Hosts::new(&upstreams, &[]).unwrap())
}

/// With and without names of Docker Hub that have no host.
const UPSTREAMS: [&[&str]; 2] = [
    &["ghcr.io", "quay.io", "registry.k8s.io", "gcr.io"],
    &["docker.io", "ghcr.io", "quay.io", "registry.k8s.io", "public.ecr.aws"],
];

/// How many sites were compared in the files below a directory.
fn compare(root: &Path) -> usize {
    let finders = UPSTREAMS.map(finder);
    let mut compared = 0;
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() && !path.is_symlink() {
                open.push(path);
            } else if path.is_file() {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                let bytes = fs::read(&path).unwrap();
                for finder in &finders {
                    let found = finder.clone().without_outlines().find(&name, &bytes);
                    for outlined in [finder.clone(), finder.clone().with_all_outlines()] {
                        let outlined = outlined.find(&name, &bytes);
                        assert_eq!(rendered(&outlined), rendered(&found), "{}", path.display());
                    }
                    let wanted = finder.wants(&name, &bytes);
                    assert!(wanted || found.is_empty(), "{} is passed over", path.display());
                    compared += found.sites.len();
                }
            }
        }
    }
    compared
}

/// Everything but what only parsing the whole text tells: how many aliases stand in it.
fn rendered(found: &Found) -> String {
    format!("{:#?}", Found { aliases: 0, ..found.clone() })
}

#[test]
fn outline_and_whole_text_agree() {
    let testdata = crate::golden::root().join("testdata");
    assert!(compare(&testdata) > 600);
}

/// A line of a text that may be YAML, or all but.
fn line() -> impl Strategy<Value = String> {
    let start = prop_oneof![
        Just(""),
        Just(""),
        Just("  "),
        Just("    "),
        Just("      "),
        Just("- "),
        Just("  - "),
        Just("    - "),
        Just("   "),
        Just("\t"),
    ];
    let key = prop::sample::select(vec![
        "image:",
        "images:",
        "IMAGE:",
        "\"image\":",
        "workerImage:",
        "repository:",
        "name:",
        "newName:",
        "tag:",
        "registry:",
        "spec:",
        "metadata:",
        "containers:",
        "env:",
        "args:",
        "value:",
        "default:",
        "path:",
        "op: replace",
        "openAPIV3Schema:",
        "properties:",
        "description:",
        "annotations:",
        "data:",
        "kind: Pod",
        "kind: ConfigMap",
        "kind: CustomResourceDefinition",
        "apiVersion: v1",
        "apiVersion: argoproj.io/v1",
        "",
        "",
    ]);
    let value = prop::sample::select(vec![
        "",
        "",
        "",
        " nginx:1.27",
        " acme/web:v1",
        " ghcr.io/acme/web:v1",
        " ghcr.io",
        " |",
        " >-",
        " |2",
        " \"nginx:1\"",
        " 'acme/a:1",
        " it''s'",
        " \"a",
        " b\"",
        " {image: nginx:1}",
        " [acme/a:1, \"b\"]",
        " {a: [b",
        " # ghcr.io",
        " nginx:1 # why",
        " - nginx:1",
        " &a nginx:1",
        " *a",
        " !!str x",
        " WORKER_IMAGE",
        " /spec/template/spec/containers/0/image",
        " text with image in it",
        " a: b",
        " {{ .x }}",
        "\tnginx:1",
        " v1\r",
    ]);
    let other =
        prop::sample::select(vec!["---", "...", "", "# ghcr.io/acme/c:1", "# pullthru: ignore", "---x"]);
    prop_oneof![
        9 => (start, key, value).prop_map(|(start, key, value)| format!("{start}{key}{value}")),
        1 => other.prop_map(str::to_owned),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn outline_and_whole_of_any_text_agree(lines in prop::collection::vec(line(), 1..14), object in any::<bool>()) {
        let head = if object { "apiVersion: v1\nkind: ConfigMap\n" } else { "" };
        let text = format!("{head}{}\n", lines.join("\n"));
        let finder = finder(UPSTREAMS[1]);
        for path in ["a.yaml", "values.yaml"] {
            let whole = finder.clone().without_outlines().find(path, text.as_bytes());
            let outlined = finder.clone().with_all_outlines().find(path, text.as_bytes());
            prop_assert_eq!(rendered(&outlined), rendered(&whole), "{}\n{}", path, text);
            prop_assert!(finder.wants(path, text.as_bytes()) || whole.is_empty(), "{}", text);
        }
    }
}

/// What stands far from the host that it is joined with.
/// Found by fuzzing: a comment that no outline has can make a file unreadable.
#[test]
fn what_no_yaml_may_hold_is_an_error_wherever_it_stands() {
    let pod = |comment: &str| {
        let rest = "  labels: { a: b }\n".repeat(200);
        format!("# {comment}\napiVersion: v1\nkind: Pod\nmetadata:\n{rest}spec: {{}}\n")
    };
    for comment in ["\u{1}", "\u{7f}", "\u{80}", "\u{9f}", "\u{fffe}", "\u{ffff}", "\0"] {
        let text = pod(comment);
        let finders = [finder(UPSTREAMS[1]).with_all_outlines(), finder(UPSTREAMS[1]).without_outlines()];
        let errors = finders.map(|finder| finder.find("values.yaml", text.as_bytes()).errors.len());
        assert_eq!(errors, [1, 1], "{comment:?}");
    }
    // A tab indents nothing.
    let text = "\tname:\n- name:\n";
    let finders = [finder(UPSTREAMS[1]).with_all_outlines(), finder(UPSTREAMS[1]).without_outlines()];
    assert_eq!(finders.map(|finder| finder.find("values.yaml", text.as_bytes()).errors.len()), [1, 1]);
    for comment in ["\u{85}", "\u{a0}", "\u{191}", "\u{fffd}", "\u{feff}x", "\u{1f600}"] {
        let text = pod(comment);
        let found = finder(UPSTREAMS[1]).with_all_outlines().find("values.yaml", text.as_bytes());
        assert!(found.errors.is_empty(), "{comment:?}: {:?}", found.errors);
    }
}

#[test]
fn registries_for_all_below_them_are_joined_from_afar() {
    let padding: String = (0..60).map(|number| format!("key-{number}: {}\n", "x".repeat(40))).collect();
    let finder = finder(&["ghcr.io"]);
    for registry in
        ["global:\n  imageRegistry: ghcr.io\n", "global:\n  hub: ghcr.io/acme\n", "imageRegistry: ghcr.io\n"]
    {
        let text = format!(
            "{registry}{padding}web:\n  deep:\n    image:\n      repository: acme/web\n      tag: v1\n"
        );
        let found = finder.find("values.yaml", text.as_bytes());
        assert_eq!(found.sites.len(), 2, "{registry}");
        assert_eq!(
            rendered(&found),
            rendered(&finder.clone().without_outlines().find("values.yaml", text.as_bytes()))
        );
    }
}

#[test]
fn logins_are_read_where_no_host_is_named() {
    let account =
        "apiVersion: v1\nkind: ServiceAccount\nmetadata: {name: a}\nimagePullSecrets:\n- name: hub\n";
    let login = "apiVersion: v1\nkind: Secret\nmetadata: {name: hub}\nstringData:\n  .dockerconfigjson: |\n    {\"auths\": {}}\n";
    for text in [account, login] {
        assert!(finder(&["ghcr.io"]).wants("account.yaml", text.as_bytes()), "{text}");
    }
    let logins = finder(&["ghcr.io"]).find("account.yaml", account.as_bytes()).logins;
    assert_eq!(logins.used.iter().map(|secret| secret.name.as_str()).collect::<Vec<_>>(), ["hub"]);
}

#[test]
#[ignore = "needs PULLTHRU_CORPUS, a directory of real repositories"]
fn corpus_outline_and_whole_text_agree() {
    let corpus = PathBuf::from(std::env::var_os("PULLTHRU_CORPUS").expect("PULLTHRU_CORPUS is not set"));
    let compared = compare(&corpus);
    println!("{compared} sites are the same by outline and by whole text");
    assert!(compared > 100);
}
