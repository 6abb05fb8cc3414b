//! Values: merging as helm does, and the single values of `--set`.

use serde_json::{Map, Value};

use super::value::{self, Words};
use crate::yaml::{NodeId, Step, Stream};

/// `over` wins; mappings are merged, everything else is replaced, a `null` stays to remove the chart's default.
pub fn merge(into: &mut Map<String, Value>, over: &Map<String, Value>) {
    for (key, value) in over {
        match (into.get_mut(key), value) {
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            _ => _ = into.insert(key.clone(), value.clone()),
        }
    }
}

/// Items that a path may name: helm's own limit.
const MAX_INDEX: usize = 65_536;

/// Sets `path=text` as `helm --set` does: `a.b[0].c\.d`. `typed` reads numbers, booleans and `null` (`--set`), else everything is
/// a string (`--set-string`). `None` for a path that helm refuses, or that meets another kind of value.
pub(super) fn set(values: &mut Map<String, Value>, path: &str, text: &str, typed: bool) -> Option<()> {
    let steps = steps(path)?;
    let value = if typed { typed_value(text)? } else { Value::String(unescaped(text)) };
    let mut root = Value::Object(std::mem::take(values));
    let done = set_at(&mut root, &steps, value);
    if let Value::Object(map) = root {
        *values = map;
    }
    done
}

/// The entry of Argo CD's `parameters` that sets a key, with its number: the last one.
pub(super) fn parameter(stream: &Stream<'_>, list: NodeId, key: &[Step]) -> Option<(usize, NodeId)> {
    let name = |step: &Step| match step {
        Step::Key(key) => key.clone(),
        Step::Item(index) => index.to_string(),
    };
    let wanted: Vec<String> = key.iter().map(name).collect();
    let sets = |(_, item): &(usize, NodeId)| {
        let name = stream.get(*item, "name").and_then(|name| stream.value(name));
        name.and_then(keys).is_some_and(|keys| keys == wanted)
    };
    stream.items(list).iter().copied().enumerate().rev().find(sets)
}

/// The steps of such a path as keys; numbers for items.
pub(super) fn keys(path: &str) -> Option<Vec<String>> {
    let name = |step: Step| match step {
        Step::Key(key) => key,
        Step::Item(index) => index.to_string(),
    };
    Some(steps(path)?.into_iter().map(name).collect())
}

/// The steps of a path as `helm --set` reads it.
pub(super) fn steps(path: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    let mut key = String::new();
    let mut chars = path.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => key.push(chars.next()?),
            '.' => {
                if !key.is_empty() {
                    steps.push(Step::Key(std::mem::take(&mut key)));
                }
            }
            '[' => {
                if !key.is_empty() {
                    steps.push(Step::Key(std::mem::take(&mut key)));
                }
                let index: String = chars.by_ref().take_while(|c| *c != ']').collect();
                steps.push(Step::Item(index.parse().ok().filter(|index| *index <= MAX_INDEX)?));
            }
            c => key.push(c),
        }
    }
    if !key.is_empty() {
        steps.push(Step::Key(key));
    }
    (!steps.is_empty()).then_some(steps)
}

/// helm's `strvals`: a list in braces, else a word.
fn typed_value(text: &str) -> Option<Value> {
    if let Some(list) = text.strip_prefix('{') {
        let list = list.strip_suffix('}')?;
        let items = if list.is_empty() {
            Vec::new()
        } else {
            list.split(',').map(|item| word(item.trim())).collect()
        };
        return Some(Value::Array(items));
    }
    Some(word(text))
}

fn word(text: &str) -> Value {
    let plain = match text {
        "true" | "false" | "null" => value::plain(text, Words::Objects),
        "0" => Value::from(0),
        // A leading zero is no number.
        _ if text.starts_with('0') => Value::String(text.to_owned()),
        _ => text.parse::<i64>().map_or_else(|_| Value::String(text.to_owned()), Value::from),
    };
    match plain {
        Value::String(text) => Value::String(unescaped(&text)),
        other => other,
    }
}

fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(if c == '\\' { chars.next().unwrap_or('\\') } else { c });
    }
    out
}

fn set_at(at: &mut Value, steps: &[Step], value: Value) -> Option<()> {
    let Some((step, rest)) = steps.split_first() else {
        *at = value;
        return Some(());
    };
    match step {
        Step::Key(key) => {
            if at.is_null() {
                *at = Value::Object(Map::new());
            }
            set_at(at.as_object_mut()?.entry(key.clone()).or_insert(Value::Null), rest, value)
        }
        Step::Item(index) => {
            if at.is_null() {
                *at = Value::Array(Vec::new());
            }
            let list = at.as_array_mut()?;
            while list.len() <= *index {
                list.push(Value::Null);
            }
            set_at(list.get_mut(*index)?, rest, value)
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn single_values_are_set_as_helm_does() {
        let Value::Object(mut values) = json!({"a": {"b": 1}, "l": [1]}) else { return };
        for (path, text) in [
            ("a.c", "true"),
            ("l[2].x", "007"),
            ("a.d\\.e", "7"),
            ("n", "null"),
            ("m", "{x,2}"),
            ("s", "1.5"),
        ] {
            set(&mut values, path, text, true).unwrap();
        }
        set(&mut values, "t", "8080", false).unwrap();
        let expected = json!({"a": {"b": 1, "c": true, "d.e": 7}, "l": [1, null, {"x": "007"}], "n": null,
            "m": ["x", 2], "s": "1.5", "t": "8080"});
        assert_eq!(Value::Object(values.clone()), expected);
        assert_eq!(set(&mut values, "a.b.c", "1", true), None);
        assert_eq!(set(&mut values, "l[999999]", "1", true), None);
    }
}
