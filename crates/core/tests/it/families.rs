//! Families of tags (`testdata/flux/families.txt`), and what is chosen for each of them: by the rules of [`flux_rules`], and,
//! where `.ci/peers` built it, by Flux's own compiled policer. Both have to lead to `testdata/flux/chosen.txt`.
//!
//! [`flux_rules`]: crate::flux_rules

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::process::{Command, Stdio};

use pullthru_core::config::{Flux, FluxRange};
use pullthru_core::emit::flux::{self, Wanted, WantedPolicy};
use pullthru_core::image::Name;
use pullthru_core::images::{Named, Tagged};
use serde_json::{Value, json};

use crate::flux_rules::choose;
use crate::golden::{assert_same, root};

/// What registries hold beside the releases.
const NOISE: &[&str] = &[
    "latest",
    "main",
    "edge",
    "nightly",
    "1a2b3c4",
    "1234568",
    "sha-1a2b3c4",
    "sha-1234568",
    "main-1234568",
    "0123456789abcdef0123456789abcdef01234567",
    "sha256-6b2b75c33f4c0872df35fd6736da7fec77b5ecb41ead438df2c4643f155f2020.sig",
    "sha256-6b2b75c33f4c0872df35fd6736da7fec77b5ecb41ead438df2c4643f155f2020.att",
    "sha256-6b2b75c33f4c0872df35fd6736da7fec77b5ecb41ead438df2c4643f155f2020",
    "pr-17",
    "cache",
    "buildcache-amd64",
    "99.0.0-alpha",
    "v99.0.0-unstable",
    "99.0.0-arm64",
    "99-windows",
];

struct Family {
    group: String,
    used: Vec<String>,
    beside: Vec<String>,
    newer: Newer,
    range: FluxRange,
}

enum Newer {
    Tags(Vec<String>),
    Stays,
    NoPolicy,
}

fn families() -> Vec<Family> {
    let text = std::fs::read_to_string(root().join("testdata/flux/families.txt")).unwrap();
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let family = |line: &str| {
        let columns: Vec<&str> = line.split('|').map(str::trim).collect();
        let words = |index: usize| columns[index].split(' ').map(str::to_owned).collect::<Vec<_>>();
        Family {
            group: columns[0].to_owned(),
            used: words(1),
            beside: words(2),
            newer: match columns[3] {
                "none" => Newer::NoPolicy,
                "=" => Newer::Stays,
                _ => Newer::Tags(words(3)),
            },
            range: match columns.get(4) {
                None => FluxRange::Any,
                Some(&"major") => FluxRange::Major,
                Some(&"minor") => FluxRange::Minor,
                Some(other) => panic!("no range: {other}"),
            },
        }
    };
    lines.map(family).collect()
}

impl Family {
    fn wanted(&self) -> Wanted {
        let uses = self.used.iter().map(|tag| (Tagged { tag: Some(tag.clone()), digest: None }, 1)).collect();
        let name = |host: &str| Name { host: host.to_owned(), path: "o/app".to_owned() };
        let cached = Some(name("cache.example.com"));
        let images = [Named { upstream: name("ghcr.io"), cached, target: String::new(), uses }];
        flux::wanted(&images, &self.flux()).remove(0)
    }

    fn flux(&self) -> Flux {
        Flux { range: self.range, ..Flux::default() }
    }

    /// The tags in use, those published beside them, and everybody's noise.
    fn before(&self) -> Vec<String> {
        let noise = NOISE.iter().map(|&tag| tag.to_owned());
        let all: BTreeSet<String> = self.used.iter().chain(&self.beside).cloned().chain(noise).collect();
        all.into_iter().collect()
    }

    fn after(&self) -> Vec<String> {
        let newer = match &self.newer {
            Newer::Tags(tags) => tags.clone(),
            Newer::Stays | Newer::NoPolicy => Vec::new(),
        };
        self.before().into_iter().chain(newer).collect()
    }

    /// Asserts what is chosen of the tags before and after the newer ones are there, and describes it.
    fn judge(&self, wanted: &Wanted, before: &[Choice], after: &[Choice]) -> String {
        let name = format!("{}: {}", self.group, self.used.join(" "));
        let mut text = format!("{name}\n");
        if let Newer::NoPolicy = self.newer {
            assert!(wanted.policies.is_empty(), "{name}: a policy where none may be: {wanted:?}");
            for (tag, why) in &wanted.unordered {
                text.push_str(&format!("    none: {tag} {}\n", why.reason()));
            }
            return text;
        }
        assert!(!wanted.policies.is_empty(), "{name}: no policy: {wanted:?}");
        let chosen = |choices: &[Choice]| -> BTreeSet<String> {
            choices
                .iter()
                .map(|choice| choice.clone().unwrap_or_else(|error| panic!("{name}: {error}: {wanted:?}")))
                .collect()
        };
        let (old, new) = (chosen(before), chosen(after));
        assert!(old.iter().all(|tag| self.used.contains(tag)), "{name}: {old:?} is chosen, by {wanted:?}");
        match &self.newer {
            Newer::Tags(tags) => assert_eq!(new, tags.iter().cloned().collect(), "{name}: by {wanted:?}"),
            Newer::Stays | Newer::NoPolicy => assert_eq!(new, old, "{name}: by {wanted:?}"),
        }
        for (policy, (old, new)) in wanted.policies.iter().zip(before.iter().zip(after)) {
            let (old, new) = (old.as_deref().unwrap(), new.as_deref().unwrap());
            let then = if old == new { "and stays".to_owned() } else { format!("then {new}") };
            text.push_str(&format!("    {old}, {then}: {}\n", described(policy)));
        }
        text
    }
}

fn described(policy: &WantedPolicy) -> String {
    use pullthru_core::emit::policy::Order;
    let selection = &policy.selection;
    let filter = selection.filter.as_ref().map_or(String::new(), |filter| {
        let extract = filter.extract.as_ref().map_or(String::new(), |extract| format!(" {extract}"));
        format!("{}{extract} ", filter.pattern)
    });
    match &selection.order {
        Order::Semver { range } => format!("{filter}semver {range}"),
        Order::Numerical => format!("{filter}numerical"),
        Order::Alphabetical => format!("{filter}alphabetical"),
    }
}

/// The one tag that is chosen.
type Choice = Result<String, String>;

fn judged(family: &Family) -> String {
    let wanted = family.wanted();
    let choices = |tags: &[String]| -> Vec<Choice> {
        wanted.policies.iter().map(|policy| chosen(&policy.selection, tags)).collect()
    };
    family.judge(&wanted, &choices(&family.before()), &choices(&family.after()))
}

/// What a policy chooses by Flux's definition. `warm --flux` has to pull the same.
fn chosen(selection: &pullthru_core::emit::Selection, tags: &[String]) -> Choice {
    let choice = choose(selection, tags);
    let own = selection.chooser().unwrap();
    if let Ok(tag) = &choice {
        assert_eq!(own.choose(tags), Some(tag.as_str()), "{selection:?} of {tags:?}");
    }
    choice
}

fn group(name: &str, count: usize) {
    let families = families();
    let of_group: Vec<&Family> = families.iter().filter(|family| family.group == name).collect();
    assert!(of_group.len() >= count, "{name} has {} families", of_group.len());
    of_group.iter().for_each(|family| drop(judged(family)));
}

#[test]
fn numbers_of_pre_releases_are_compared_as_numbers() {
    group("pre-release", 26);
}

#[test]
fn tags_that_a_commit_alone_tells_apart_get_no_policy() {
    group("commit", 17);
}

#[test]
fn a_commit_of_digits_alone_is_a_commit() {
    group("digits", 13);
}

#[test]
fn only_the_spelling_in_use_is_followed() {
    group("spelling", 5);
}

#[test]
fn a_year_is_no_later_version() {
    group("year", 9);
}

#[test]
fn the_variant_stays_while_its_time_moves() {
    group("minio", 7);
}

#[test]
fn each_line_is_followed_by_a_policy_of_its_own() {
    group("lines", 10);
}

/// For people to read: what follows each family.
#[test]
fn what_is_chosen_for_each_family_was_read() {
    let families = families();
    assert!(families.len() >= 150);
    let text: String = families.iter().map(judged).collect();
    assert_same("testdata/flux/chosen.txt", &text);
}

#[test]
#[ignore = "needs target/peers/bin/flux-policer, which `.ci/peers flux` builds"]
fn flux_peers_choose_the_same_for_each_family() {
    let families = families();
    let wanted: Vec<Wanted> = families.iter().map(Family::wanted).collect();
    let mut questions: Vec<Value> = Vec::new();
    for (family, wanted) in families.iter().zip(&wanted) {
        for policy in policies(wanted, family) {
            questions.push(json!({ "policy": policy, "tags": family.before() }));
            questions.push(json!({ "policy": policy, "tags": family.after() }));
        }
    }
    let mut answers = policer(&questions).into_iter();
    let mut text = String::new();
    for (family, wanted) in families.iter().zip(&wanted) {
        let pairs: Vec<(Choice, Choice)> =
            wanted.policies.iter().map(|_| (answers.next().unwrap(), answers.next().unwrap())).collect();
        let (before, after): (Vec<Choice>, Vec<Choice>) = pairs.into_iter().unzip();
        text.push_str(&family.judge(wanted, &before, &after));
    }
    assert_same("testdata/flux/chosen.txt", &text);
    println!("{} families, {} questions to Flux's policer", families.len(), questions.len());
}

/// The objects as they are written.
fn policies(wanted: &Wanted, family: &Family) -> Vec<String> {
    let text = flux::objects(wanted, &family.flux());
    text.split("---\n").filter(|text| text.contains("kind: ImagePolicy\n")).map(str::to_owned).collect()
}

/// What Flux's policer says, in a dozen orders of the tags each.
fn policer(questions: &[Value]) -> Vec<Choice> {
    let binary = root().join("target/peers/bin/flux-policer");
    assert!(binary.is_file(), "{} is missing: `.ci/peers flux` builds it", binary.display());
    let mut child = Command::new(binary).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(json!(questions).to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let answers: Vec<BTreeMap<String, Value>> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answers.len(), questions.len());
    let choice = |answer: &BTreeMap<String, Value>| {
        let error = answer["error"].as_str().unwrap();
        let chosen: Vec<&str> =
            answer["chosen"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        match chosen.as_slice() {
            [one] if error.is_empty() => Ok((*one).to_owned()),
            several => Err(format!("{error}{several:?}, by the order of the tags")),
        }
    };
    answers.iter().map(choice).collect()
}
