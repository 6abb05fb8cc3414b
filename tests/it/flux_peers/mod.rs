//! A migrated repository, and what Flux's own policer and setter make of it: tags move, names never do.
//!
//! Needs `.ci/peers flux`, which builds both within the controllers of Flux (their packages are internal).

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::emit_flux::fleet;
use crate::golden::root;
use crate::scratch::Scratch;

pub(crate) fn peer(name: &str, arguments: &[&str], input: &Value) -> Vec<u8> {
    let binary = root().join("target/peers/bin").join(name);
    assert!(binary.is_file(), "{} is missing: `.ci/peers flux` builds it", binary.display());
    let mut child =
        Command::new(binary).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    output.stdout
}

/// `kind`, its name and the text, of every object of Flux's image automation.
fn objects(scratch: &Scratch) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    for bytes in scratch.contents().into_values() {
        let Ok(text) = String::from_utf8(bytes) else { continue };
        for document in
            text.split("---\n").filter(|document| document.contains("apiVersion: image.toolkit.fluxcd.io/"))
        {
            let field = |key: &str| {
                let line = document.lines().find(|line| line.trim_start().starts_with(key));
                line.map(|line| line.trim_start()[key.len()..].trim().to_owned())
            };
            found.push((field("kind:").unwrap(), field("name:").unwrap(), document.to_owned()));
        }
    }
    found
}

/// Whole references of the cache, with how often their tags are in use.
fn listed(scratch: &Scratch) -> BTreeMap<String, BTreeSet<String>> {
    let run = scratch.run(&["emit", "list", "--at", "cache"]);
    let mut images: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for reference in run.out.lines() {
        let (name, tag) = reference.rsplit_once(':').unwrap();
        images.entry(name.to_owned()).or_default().insert(tag.to_owned());
    }
    images
}

/// The tag with its last number one higher.
fn next(tag: &str) -> Option<String> {
    let end = tag.rfind(|c: char| c.is_ascii_digit())? + 1;
    let start = tag[..end].rfind(|c: char| !c.is_ascii_digit()).map_or(0, |at| at + 1);
    let number: u64 = tag[start..end].parse().ok()?;
    Some(format!("{}{}{}", &tag[..start], number + 1, &tag[end..]))
}

/// How many references a migration would still edit in place.
fn left(scratch: &Scratch) -> String {
    let run = scratch.run(&["migrate", "--strategy", "inline"]);
    let text = format!("{}{}", run.out, run.err);
    text.lines().find(|line| line.contains(" to rewrite in ")).unwrap().to_owned()
}

#[test]
#[ignore = "needs target/peers/bin/flux-policer and flux-setter, which `.ci/peers flux` builds"]
fn flux_peers_move_tags_and_no_names() {
    for strategy in ["inline", "overlay"] {
        let scratch = fleet();
        assert_eq!(scratch.run(&["migrate", "--write", "--strategy", strategy]).code, 0);
        let run = scratch.run(&["emit", "flux", "--out", "auto", "--markers"]);
        assert_eq!(run.code, 0, "{}", run.err);
        let in_use = listed(&scratch);
        let objects = objects(&scratch);
        let repositories: BTreeMap<&str, String> = objects
            .iter()
            .filter(|(kind, ..)| kind == "ImageRepository")
            .map(|(_, name, text)| {
                let image = text.lines().find_map(|line| line.trim().strip_prefix("image: ")).unwrap();
                (name.as_str(), image.to_owned())
            })
            .collect();
        let mut policies: Vec<(String, String)> = Vec::new();
        let mut questions: Vec<Value> = Vec::new();
        for (_, name, text) in objects.iter().filter(|(kind, ..)| kind == "ImagePolicy") {
            let about = text.split("imageRepositoryRef:").nth(1).unwrap();
            let about = about.lines().find_map(|line| line.trim().strip_prefix("name: ")).unwrap();
            let image = repositories[about].clone();
            // The upstream has the tags of its cached repository.
            let path = image.split_once('/').unwrap().1.trim_start_matches("ghcr/");
            let tags: BTreeSet<String> = in_use
                .iter()
                .filter(|(name, _)| name.ends_with(&format!("/{path}")))
                .flat_map(|(_, tags)| tags.clone())
                .collect();
            let tags: Vec<String> =
                tags.iter().flat_map(|tag| next(tag).into_iter().chain([tag.clone()])).collect();
            questions.push(json!({ "policy": text, "tags": tags }));
            policies.push((format!("flux-system:{name}"), image));
        }
        let answers: Vec<Value> =
            serde_json::from_slice(&peer("flux-policer", &[], &json!(questions))).unwrap();
        let latest: Vec<Value> = policies
            .iter()
            .zip(&answers)
            .filter(|(_, answer)| answer["error"] == "")
            .map(|((policy, image), answer)| {
                assert_eq!(answer["chosen"].as_array().unwrap().len(), 1, "{policy}: {answer}");
                json!({ "policy": policy, "name": image, "tag": answer["chosen"][0] })
            })
            .collect();
        assert!(latest.len() > 10, "{latest:?}");
        let left_before = left(&scratch);
        let before = scratch.contents();
        peer("flux-setter", &[&scratch.path().display().to_string()], &json!(latest));
        let after = scratch.contents();
        let mut moved = 0;
        for (path, bytes) in &before {
            let (old, new) = (String::from_utf8_lossy(bytes), String::from_utf8_lossy(&after[path]));
            if old == new {
                continue;
            }
            // The setter's writer lays files out anew: what they say is compared, by the images that are pulled.
            moved += 1;
            let count = |text: &str| text.matches("ghcr.io/").count();
            assert_eq!(count(&old), count(&new), "{}: {new}", path.display());
        }
        let now = listed(&scratch);
        assert_eq!(in_use.keys().collect::<Vec<_>>(), now.keys().collect::<Vec<_>>(), "{strategy}");
        // A tag that is there now was chosen by a policy, or was there before.
        for (name, tags) in &now {
            for tag in tags.iter().filter(|tag| !in_use[name].contains(*tag)) {
                assert!(in_use[name].iter().any(|old| next(old).as_ref() == Some(tag)), "{name}:{tag}");
            }
        }
        assert!(moved > 0 && now != in_use, "{strategy}: nothing moved");
        assert_eq!(left(&scratch), left_before, "{strategy}: a name of the upstream came back");
        println!("{strategy}: {} policies, {moved} files set", latest.len());
    }
}
