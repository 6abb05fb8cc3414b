//! Properties of values that are set in files and removed again, over generated texts: what is planned changes, every other
//! byte stays, once more changes nothing, and what was inserted leaves no trace. The texts are read by another parser.

use std::fmt::Write as _;

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use pullthru_core::config::{Config, Overrides};
use pullthru_core::find::{Finder, Hosts};
use pullthru_core::inventory;
use pullthru_core::kustomize::Model;
use pullthru_core::releases::value_edit::Texts;
use pullthru_core::releases::{self, Release, Sources};
use pullthru_core::tree::{Repository, WalkOptions};
use pullthru_core::yaml::Step;
use pullthru_core::yaml::set::{NewValue, SetError, set, unset};
use serde_json::{Map, Value};

use crate::generated_yaml::{Choices, generate, generate_mapping};

const REGISTRY: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/quay";

/// The same texts in each run, unless `PROPTEST_CASES` asks for another number of other ones.
fn settings(cases: u32) -> ProptestConfig {
    let default = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => default,
        None => ProptestConfig { cases, rng_seed: RngSeed::Fixed(16), ..default },
    }
}

fn bytes(most: usize) -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..most)
}

/// The documents of a text. No line of a generated one but a marker begins with `---`.
fn documents(text: &str) -> Vec<String> {
    let mut documents = vec![String::new()];
    for line in text.split_inclusive('\n') {
        match line.starts_with("---") {
            true => documents.push(String::new()),
            false => documents.last_mut().unwrap().push_str(line),
        }
    }
    if documents.len() > 1 && is_empty(&documents[0]) {
        documents.remove(0);
    }
    documents
}

fn is_empty(text: &str) -> bool {
    text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
}

fn read(document: &str) -> Value {
    if is_empty(document) {
        return Value::Null;
    }
    serde_saphyr::from_str(document).unwrap_or_else(|error| panic!("{error}\n{document}"))
}

/// A way to a scalar of a value, or to a key that it does not have.
fn way(value: &Value, choices: &mut Choices<'_>) -> Vec<Step> {
    let mut way = Vec::new();
    let mut at = value;
    loop {
        match at {
            Value::Object(map) => {
                let number = choices.below(map.len() + 1);
                let Some((key, below)) = map.iter().nth(number) else { break };
                way.push(Step::from(key.as_str()));
                at = below;
            }
            Value::Array(items) if !items.is_empty() => {
                let number = choices.below(items.len());
                way.push(Step::Item(number));
                at = &items[number];
            }
            Value::Null if choices.below(2) == 1 => break,
            // A list without items has no place for a value.
            Value::Array(_) => {
                way.pop();
                break;
            }
            _ => return if way.is_empty() { vec![Step::from("new")] } else { way },
        }
    }
    way.push(Step::from("new"));
    if choices.below(2) == 1 {
        way.push(Step::from("deeper"));
    }
    way
}

fn set_in(value: &mut Value, way: &[Step], new: &Value) {
    let Some((step, rest)) = way.split_first() else {
        *value = new.clone();
        return;
    };
    match step {
        Step::Key(key) => {
            if value.is_null() {
                *value = Value::Object(Map::new());
            }
            set_in(value.as_object_mut().unwrap().entry(key.clone()).or_insert(Value::Null), rest, new);
        }
        Step::Item(index) => set_in(&mut value.as_array_mut().unwrap()[*index], rest, new),
    }
}

fn at<'v>(value: &'v Value, way: &[Step]) -> Option<&'v Value> {
    way.iter().try_fold(value, |at, step| match step {
        Step::Key(key) => at.get(key),
        Step::Item(index) => at.get(index),
    })
}

/// Is it inserted behind other keys? A null or an empty mapping that it takes the place of is not restored: what is inserted
/// reads the same as where the key was missing.
fn is_new(value: &Value, way: &[Step]) -> bool {
    let is_empty = |above: &Value| above.is_null() || above.as_object().is_some_and(Map::is_empty);
    at(value, way).is_none()
        && (0..way.len()).all(|end| at(value, &way[..end]).is_none_or(|above| !is_empty(above)))
}

/// What is between the common beginning and the common end of two texts.
fn changed<'t>(old: &'t str, new: &'t str) -> (&'t str, &'t str) {
    let start = old.bytes().zip(new.bytes()).take_while(|(a, b)| a == b).count();
    let most = old.len().min(new.len()) - start;
    let end = old.bytes().rev().zip(new.bytes().rev()).take(most).take_while(|(a, b)| a == b).count();
    (&old[start..old.len() - end], &new[start..new.len() - end])
}

proptest! {
    #![proptest_config(settings(1500))]

    #[test]
    fn a_value_is_set_and_nothing_else(text in bytes(120), choices in bytes(12)) {
        let generated = generate(&text);
        let text = generated.text.as_str();
        let before = documents(text);
        let values: Vec<Value> = before.iter().map(|document| read(document)).collect();
        prop_assert_eq!(&values, &generated.documents, "the generator is wrong about\n{}", text);

        let mut choices = Choices::new(&choices);
        let number = choices.below(values.len());
        let way = way(&values[number], &mut choices);
        let new = match set(text, number, &way, &NewValue::Text(REGISTRY.to_owned())) {
            Ok(new) => new,
            Err(SetError::Shared(_) | SetError::Merged(_)) if generated.is_shared => return Ok(()),
            // A text in a block is not replaced; behind one that keeps blank lines nothing is inserted.
            Err(SetError::Form(_)) if at(&values[number], &way).is_some_and(Value::is_string) => return Ok(()),
            Err(SetError::Reads) if generated.keeps_blank_lines => return Ok(()),
            Err(error) => return Err(TestCaseError::fail(format!("{error}: {way:?} of {number} in\n{text}"))),
        };
        let after = documents(&new);
        let mut planned = values.clone();
        set_in(&mut planned[number], &way, &Value::from(REGISTRY));
        let read: Vec<Value> = after.iter().map(|document| read(document)).collect();
        prop_assert_eq!(&read, &planned, "{:?} in\n{}\nis\n{}", way, text, new);
        for (other, (before, after)) in before.iter().zip(&after).enumerate() {
            prop_assert!(other == number || before == after);
        }
        let (gone, _) = changed(text, &new);
        let is_expected = match at(&values[number], &way) {
            // A null goes; the comment behind it stays on its line, where its blanks do.
            None => {
                let gone = gone.trim();
                let rest = gone.strip_prefix("null").or(gone.strip_prefix('~')).unwrap_or(gone).trim();
                rest.is_empty() || rest != gone && rest.starts_with('#')
            }
            // Of a text in quotes, which may go over lines, and in which a `#` is no comment.
            Some(old) => !gone.contains(['\n', '#']) || old == "two lines" || old == "it's # no comment",
        };
        prop_assert!(is_expected, "{:?} is gone from\n{}", gone, text);
        let again = set(&new, number, &way, &NewValue::Text(REGISTRY.to_owned()));
        prop_assert_eq!(again.as_deref(), Ok(new.as_str()), "once more");
        if is_new(&values[number], &way) {
            let back = unset(&new, number, &way, 0, 0);
            prop_assert_eq!(back.as_deref(), Ok(text), "{:?} in\n{}", way, new);
        }
    }
}

/// The releases of one file.
fn evaluate(directory: &std::path::Path) -> (Repository, Vec<Release>) {
    let repository = Repository::at(directory).unwrap();
    let config = Config::load(None, &Overrides::default()).unwrap();
    let finder = Finder::new(Hosts::new(&config.upstream_hosts(), &config.cache_hosts()).unwrap());
    let inventory = inventory::take(&repository, &[], &WalkOptions::default(), &finder).unwrap();
    let releases = releases::of(&Model::new(&inventory, &config), &Sources::new(&repository));
    (repository, releases)
}

/// Values below `key` of an object, in their own lines, or as a text in a block.
fn object(head: &str, key: &str, indent: usize, lines: &str, tail: &str, ending: &str) -> String {
    let mut text = String::new();
    for line in head.lines() {
        _ = write!(text, "{line}{ending}");
    }
    _ = write!(text, "{:indent$}{key}{ending}{lines}", "");
    for line in tail.lines() {
        _ = write!(text, "{line}{ending}");
    }
    text
}

const HELM_RELEASE: &str = "# ours\napiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: web\n  namespace: shop\nspec:\n  \
                            chartRef: {kind: OCIRepository, name: web}";

const CONFIG_MAP: &str =
    "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: values\n  namespace: shop\ndata:";

proptest! {
    #![proptest_config(settings(150))]

    /// In a HelmRelease, and in the text of a ConfigMap that it takes its values from.
    #[test]
    fn a_release_has_the_value_and_its_file_is_restored(
        text in bytes(80), choices in bytes(8), is_windows in any::<bool>(), in_text in any::<bool>(), is_last in any::<bool>(),
    ) {
        let ending = if is_windows { "\r\n" } else { "\n" };
        let generated = generate_mapping(&text, 4, ending);
        prop_assume!(!generated.keeps_blank_lines);
        let (head, key, indent) =
            if in_text { (CONFIG_MAP, "values.yaml: |", 2) } else { (HELM_RELEASE, "values:", 2) };
        let tail = match (is_last, in_text) {
            (true, _) => "",
            (false, true) => "  other: text\n",
            (false, false) => "  interval: 10m # often\n---\nkind: Secret\n",
        };
        // A block takes the indentation of its first line that is not blank.
        prop_assume!(!in_text || generated.text.starts_with("    "));
        let file = object(head, key, indent, &generated.text, tail, ending);
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("values.yaml"), &file).unwrap();
        if in_text {
            let release = format!("{HELM_RELEASE}\n  valuesFrom:\n    - kind: ConfigMap\n      name: values\n");
            std::fs::write(directory.path().join("web.yaml"), release).unwrap();
        }
        let (repository, before) = evaluate(directory.path());
        let [release] = &before[..] else { return Err(TestCaseError::fail(format!("{before:?} of\n{file}"))) };
        let values = Value::Object(release.values.clone());
        prop_assert_eq!(&values, &generated.documents[0], "{}", file);
        let way = way(&values, &mut Choices::new(&choices));
        let sources = Sources::new(&repository);
        let may_write = |_: &_| true;
        let mut texts = Texts::new(&sources, &may_write);
        let new = Value::from(REGISTRY);
        if texts.write(release, &[(&way, &new)], &values).is_err() {
            let text_in_block = at(&values, &way).is_some_and(Value::is_string);
            prop_assert!(generated.is_shared || text_in_block, "{:?} in\n{}", way, file);
            return Ok(());
        }
        let [(path, text)] = &texts.edited().iter().collect::<Vec<_>>()[..] else {
            return Err(TestCaseError::fail(format!("{:?}", texts.edited())));
        };
        std::fs::write(directory.path().join(path.as_str()), text.as_bytes()).unwrap();
        let (repository, after) = evaluate(directory.path());
        let mut planned = values.clone();
        set_in(&mut planned, &way, &new);
        prop_assert_eq!(&Value::Object(after[0].values.clone()), &planned, "{:?} in\n{}\nis\n{}", way, file, text);
        if !is_new(&values, &way) || path.as_str() == "web.yaml" {
            return Ok(());
        }
        let sources = Sources::new(&repository);
        let mut texts = Texts::new(&sources, &may_write);
        let removed = texts.remove(&after[0], &[&way]);
        prop_assert!(removed.is_ok(), "{:?}: {:?} in\n{}", removed, way, text);
        prop_assert_eq!(texts.edited().values().next().unwrap().as_ref(), file.as_str());
    }
}
