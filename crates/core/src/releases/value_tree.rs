//! Values by their keys: what stands at one, and everything that values hold.

use serde_json::{Map, Value};

use crate::yaml::Step;

/// What stands at a key of values.
pub fn value_at<'v>(values: &'v Map<String, Value>, key: &[Step]) -> Option<&'v Value> {
    let (Step::Key(first), rest) = key.split_first()? else { return None };
    find(values.get(first)?, rest)
}

/// What stands in a value, some steps down.
pub fn find<'v>(value: &'v Value, steps: &[Step]) -> Option<&'v Value> {
    steps.iter().try_fold(value, |at, step| match step {
        Step::Key(key) => at.get(key),
        Step::Item(index) => at.get(index),
    })
}

/// Calls `each` for whatever holds no other value, with the steps to it, in order. An empty list is one of these, an empty
/// mapping is none.
pub fn each_leaf(value: &Value, each: &mut impl FnMut(&[Step], &Value)) {
    walk(value, &mut Vec::new(), each);
}

/// The same below all keys of values.
pub(crate) fn each_value(values: &Map<String, Value>, each: &mut impl FnMut(&[Step], &Value)) {
    walk_keys(values, &mut Vec::new(), each);
}

fn walk(value: &Value, at: &mut Vec<Step>, each: &mut impl FnMut(&[Step], &Value)) {
    match value {
        Value::Object(map) => walk_keys(map, at, each),
        Value::Array(items) if !items.is_empty() => {
            for (index, item) in items.iter().enumerate() {
                at.push(Step::Item(index));
                walk(item, at, each);
                at.pop();
            }
        }
        leaf => each(at, leaf),
    }
}

fn walk_keys(map: &Map<String, Value>, at: &mut Vec<Step>, each: &mut impl FnMut(&[Step], &Value)) {
    for (key, value) in map {
        at.push(Step::Key(key.clone()));
        walk(value, at, each);
        at.pop();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::yaml::FieldPath;

    #[test]
    fn every_leaf_is_found_at_its_steps() {
        let value = json!({"a": {"b": [1, {"c": "x"}], "none": {}}, "d": [], "e": null});
        let mut leaves = Vec::new();
        each_leaf(&value, &mut |steps, leaf| {
            assert_eq!(find(&value, steps), Some(leaf));
            assert_eq!(value_at(value.as_object().unwrap(), steps), Some(leaf));
            leaves.push(format!("{} {leaf}", FieldPath::from(steps.to_vec())));
        });
        assert_eq!(leaves, ["a.b[0] 1", "a.b[1].c \"x\"", "d []", "e null"]);
        let mut count = 0;
        each_value(value.as_object().unwrap(), &mut |_, _| count += 1);
        assert_eq!(count, leaves.len());
        for absent in [vec![], vec![Step::Item(0)], vec![Step::from("a"), Step::from("c")]] {
            assert_eq!(value_at(value.as_object().unwrap(), &absent), None);
        }
    }
}
