//! Values by their keys: what stands there, which keys hold a text, and a value set over those that are there.

use std::collections::BTreeSet;

use pullthru_core::releases::value_tree::{each_leaf, find, value_at};
use pullthru_core::yaml::{FieldPath, Step};
use serde_json::{Map, Value};

/// Has the repository a value of its own there?
pub(super) fn is_set(values: &Map<String, Value>, key: &[Step]) -> bool {
    value_at(values, key).is_some_and(|value| !value.is_null())
}

pub(super) fn text_at<'v>(value: &'v Value, key: &[Step]) -> Option<&'v str> {
    find(value, key)?.as_str()
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
    let mut found = Vec::new();
    each_leaf(values, &mut |key, value| {
        // A list is replaced whole: what stands in one has no key of its own.
        let is_own_key = key.iter().all(|step| matches!(step, Step::Key(_)));
        if !is_own_key || !value.as_str().is_some_and(|text| texts.contains(text)) {
            return;
        }
        let last = key.last().and_then(Step::key).unwrap_or_default().to_ascii_lowercase();
        if ["repo", "image", "name"].iter().any(|word| last.contains(word)) {
            found.push(FieldPath::from(key.to_vec()));
        }
    });
    found
}
