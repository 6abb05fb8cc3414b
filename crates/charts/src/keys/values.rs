//! Values by their keys: what stands there, which keys hold a text, and a value set over those that are there.

use std::collections::BTreeSet;

use pullthru_core::yaml::{FieldPath, Step};
use serde_json::{Map, Value};

/// Has the repository a value of its own there?
pub(super) fn is_set(values: &Map<String, Value>, key: &[Step]) -> bool {
    let Some((Step::Key(first), rest)) = key.split_first() else { return false };
    values.get(first).is_some_and(|value| at(value, rest).is_some_and(|value| !value.is_null()))
}

pub(super) fn at<'v>(value: &'v Value, key: &[Step]) -> Option<&'v Value> {
    key.iter().try_fold(value, |at, step| match step {
        Step::Key(key) => at.get(key),
        Step::Item(index) => at.get(index),
    })
}

pub(super) fn text_at<'v>(value: &'v Value, key: &[Step]) -> Option<&'v str> {
    at(value, key)?.as_str()
}

/// Sets a value; a list on the way to it is copied whole from the merged values.
pub(super) fn set(values: &mut Map<String, Value>, key: &[Step], value: Value, merged: &Value) {
    let Some((Step::Key(first), rest)) = key.split_first() else { return };
    let slot = values.entry(first.clone()).or_insert(Value::Null);
    set_at(slot, rest, value, merged.get(first).unwrap_or(&Value::Null));
}

fn set_at(slot: &mut Value, key: &[Step], value: Value, merged: &Value) {
    let Some((step, rest)) = key.split_first() else {
        *slot = value;
        return;
    };
    match step {
        Step::Key(name) => {
            if !slot.is_object() {
                *slot = Value::Object(Map::new());
            }
            if let Value::Object(map) = slot {
                let below = map.entry(name.clone()).or_insert(Value::Null);
                set_at(below, rest, value, merged.get(name).unwrap_or(&Value::Null));
            }
        }
        Step::Item(index) => {
            if !slot.is_array() {
                *slot = if merged.is_array() { merged.clone() } else { Value::Array(Vec::new()) };
            }
            if let Some(below) = slot.get_mut(*index) {
                set_at(below, rest, value, merged.get(*index).unwrap_or(&Value::Null));
            }
        }
    }
}

/// The keys named as repositories that hold one of these texts.
pub(super) fn keys_holding(values: &Value, texts: &BTreeSet<String>) -> Vec<FieldPath> {
    fn walk(value: &Value, at: &mut Vec<Step>, texts: &BTreeSet<String>, found: &mut Vec<FieldPath>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    at.push(Step::Key(key.clone()));
                    walk(value, at, texts, found);
                    at.pop();
                }
            }
            Value::String(text) if texts.contains(text) => {
                let Some(Step::Key(last)) = at.last() else { return };
                let last = last.to_ascii_lowercase();
                if ["repo", "image", "name"].iter().any(|word| last.contains(word)) {
                    found.push(FieldPath::from(at.clone()));
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(values, &mut Vec::new(), texts, &mut found);
    found
}
