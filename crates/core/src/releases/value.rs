//! YAML nodes as values, the way Kubernetes' tools read them.
//!
//! Objects are read as kustomize does (YAML 1.2 words for true and false), values files as helm does (also `yes` and `on`).

use serde_json::{Map, Number, Value};

use crate::yaml::{self, Kind, NodeId, Stream, Style};

/// Which words are true and false.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Words {
    /// Kustomize, and what is read as JSON later.
    Objects,
    /// Helm's values files: also `y`, `yes`, `on` and their opposites, as keys, too.
    Values,
}

/// What stands for a text that nobody here can read: a value of a SOPS file, of an ExternalSecret, of a Secret that is
/// not in the repository. No registry takes a name with capitals, so that it never is the name of an image by itself;
/// as a part of one it is found by [`has_placeholder`].
pub const PLACEHOLDER: &str = "PULLTHRU-UNREADABLE";

/// Was something unreadable put into this text? Then it names no image.
pub(crate) fn has_placeholder(text: &str) -> bool {
    text.contains(PLACEHOLDER)
}

/// How SOPS writes a value that it has encrypted.
pub(super) const ENCRYPTED: &str = "ENC[AES256_GCM,";

/// Nodes that one document may become: aliases of aliases grow without bounds.
const MAX_NODES: usize = 2_000_000;

/// Deeper than anybody nests values, and what the parser allows.
const MAX_DEPTH: usize = 300;

/// A node with everything below it; `None` where aliases make it too large.
pub(super) fn of_node(stream: &Stream<'_>, id: NodeId, words: Words) -> Option<Value> {
    let mut left = MAX_NODES;
    convert(stream, id, words, &mut left, 0)
}

/// The first document of a text; `None` when it is not YAML. An empty text is `null`.
pub(super) fn of_text(text: &str, words: Words) -> Option<Value> {
    let stream = yaml::parse_without_comments(text);
    if !stream.errors.is_empty() {
        return None;
    }
    match stream.documents.first().and_then(|document| document.root) {
        Some(root) => of_node(&stream, root, words),
        None => Some(Value::Null),
    }
}

/// A text of values: a mapping, or nothing.
pub fn values_of(text: &str) -> Option<Map<String, Value>> {
    match of_text(text, Words::Values)? {
        Value::Object(mut values) => {
            // What SOPS writes about itself is taken out when it decrypts.
            if values.get("sops").is_some_and(|sops| sops.get("mac").is_some()) {
                values.remove("sops");
            }
            Some(values)
        }
        Value::Null => Some(Map::new()),
        _ => None,
    }
}

fn convert(stream: &Stream<'_>, id: NodeId, words: Words, left: &mut usize, depth: usize) -> Option<Value> {
    *left = left.checked_sub(1)?;
    if depth > MAX_DEPTH {
        return None;
    }
    Some(match &stream.node(id)?.kind {
        // SOPS: nobody here can read it, and it is never a name.
        Kind::Scalar { value, .. } if value.starts_with(ENCRYPTED) => Value::String(PLACEHOLDER.to_owned()),
        Kind::Scalar { value, style: Style::Plain } => plain(value, words),
        Kind::Scalar { value, .. } => Value::String(value.to_string()),
        Kind::Sequence { items, .. } => {
            let items: Option<Vec<Value>> =
                items.iter().map(|&item| convert(stream, item, words, left, depth + 1)).collect();
            Value::Array(items?)
        }
        Kind::Mapping { entries, .. } => {
            let mut map = Map::new();
            let mut merged = Map::new();
            for &(key, value) in entries {
                let Some(name) = stream.value(key) else { continue };
                let value = convert(stream, value, words, left, depth + 1)?;
                let is_plain = matches!(stream.node(key)?.kind, Kind::Scalar { style: Style::Plain, .. });
                if name == "<<" {
                    merge_key(value, &mut merged);
                } else if let (Words::Values, true, Value::Bool(is)) = (words, is_plain, plain(name, words)) {
                    map.insert(is.to_string(), value);
                } else {
                    map.insert(name.to_owned(), value);
                }
            }
            for (key, value) in merged {
                map.entry(key).or_insert(value);
            }
            Value::Object(map)
        }
        Kind::Alias(Some(target)) if *target != id => convert(stream, *target, words, left, depth + 1)?,
        Kind::Alias(_) => Value::Null,
    })
}

/// What `<<` brings: of several mappings the first one wins.
fn merge_key(value: Value, into: &mut Map<String, Value>) {
    let all = match value {
        Value::Array(all) => all,
        one => vec![one],
    };
    for one in all {
        let Value::Object(one) = one else { continue };
        for (key, value) in one {
            into.entry(key).or_insert(value);
        }
    }
}

/// A plain scalar by YAML's resolution.
pub(super) fn plain(text: &str, words: Words) -> Value {
    let number =
        |number: Option<Number>| number.map_or_else(|| Value::String(text.to_owned()), Value::Number);
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" if words == Words::Values => {
            return Value::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" if words == Words::Values => {
            return Value::Bool(false);
        }
        _ => {}
    }
    let (negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, text.get(1..).unwrap_or_default()),
        Some(b'+') => (false, text.get(1..).unwrap_or_default()),
        _ => (false, text),
    };
    if !digits.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return Value::String(text.to_owned());
    }
    if let Some(whole) = integer(digits) {
        return number(match (negative, i64::try_from(whole)) {
            (true, Ok(whole)) => Some(Number::from(-whole)),
            (false, _) => Some(Number::from(whole)),
            (true, Err(_)) => Number::from_f64(-(whole as f64)),
        });
    }
    let of_float = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-' | '_');
    if !digits.chars().all(of_float) || !digits.contains(|c: char| c.is_ascii_digit()) {
        return Value::String(text.to_owned());
    }
    let float: Option<f64> = digits.replace('_', "").parse().ok();
    number(float.and_then(|float| Number::from_f64(if negative { -float } else { float })))
}

/// Decimal, `0x1f`, `0b101`, `0o17`, and `017`, as yaml.v2 and yaml.v3 read them.
fn integer(digits: &str) -> Option<u64> {
    let digits = digits.replace('_', "");
    let radix = |prefix: &str, radix| {
        let rest = digits.strip_prefix(prefix)?;
        u64::from_str_radix(rest, radix).ok()
    };
    if let Some(value) = radix("0x", 16).or_else(|| radix("0b", 2)).or_else(|| radix("0o", 8)) {
        return Some(value);
    }
    if digits.len() > 1 && digits.starts_with('0') {
        return u64::from_str_radix(&digits, 8).ok();
    }
    digits.parse().ok()
}

/// A string at a path of keys.
pub(super) fn text_at<'v>(value: &'v Value, keys: &[&str]) -> Option<&'v str> {
    at(value, keys)?.as_str()
}

/// What stands at a path of keys; `null` counts as nothing.
pub(super) fn at<'v>(value: &'v Value, keys: &[&str]) -> Option<&'v Value> {
    keys.iter().try_fold(value, |value, key| value.get(key)).filter(|value| !value.is_null())
}

/// The items of the list at a path of keys.
pub(super) fn list_at<'v>(value: &'v Value, keys: &[&str]) -> &'v [Value] {
    at(value, keys).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// The mapping at a path of keys.
pub(super) fn map_at<'v>(value: &'v Value, keys: &[&str]) -> Option<&'v Map<String, Value>> {
    at(value, keys)?.as_object()
}

/// A scalar as text: numbers and booleans as they are written.
pub(super) fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(is) => Some(is.to_string()),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn plain_scalars_are_what_helm_and_kustomize_read() {
        for (text, value) in [
            ("12", json!(12)),
            ("-3", json!(-3)),
            ("0755", json!(493)),
            ("0x1f", json!(31)),
            ("1.10", json!(1.1)),
            ("1e3", json!(1000.0)),
            ("1.2.3", json!("1.2.3")),
            ("12h", json!("12h")),
            ("089", json!(89.0)),
            ("~", json!(null)),
            ("True", json!(true)),
            ("sha256:1", json!("sha256:1")),
            (".", json!(".")),
        ] {
            assert_eq!(plain(text, Words::Objects), value, "{text}");
        }
        assert_eq!(plain("yes", Words::Objects), json!("yes"));
        assert_eq!(plain("yes", Words::Values), json!(true));
        assert_eq!(plain("y", Words::Values), json!(true));
        assert_eq!(of_text("n: 1\n'n': 2", Words::Values), Some(json!({"false": 1, "n": 2})));
    }

    #[test]
    fn encrypted_values_are_placeholders() {
        let text = "image: app\npassword: ENC[AES256_GCM,data:a,iv:b,tag:c,type:str]\nsops:\n  mac: ENC[AES256_GCM,data:d]\n";
        let values = values_of(text).unwrap();
        assert_eq!(Value::Object(values), json!({"image": "app", "password": PLACEHOLDER}));
    }

    #[test]
    fn merge_keys_and_aliases_are_resolved_and_bounded() {
        let text = "base: &b {a: 1, c: 2}\nuse:\n  <<: *b\n  a: 3\nquoted: '1'\n";
        let value = of_text(text, Words::Objects).unwrap();
        assert_eq!(value, json!({"base": {"a": 1, "c": 2}, "use": {"a": 3, "c": 2}, "quoted": "1"}));
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for n in 1..12 {
            let item = format!("*a{}", n - 1);
            bomb.push_str(&format!("a{n}: &a{n} [{}]\n", [item.as_str(); 10].join(", ")));
        }
        assert_eq!(of_text(&bomb, Words::Objects), None);
    }
}
