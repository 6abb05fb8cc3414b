//! What ConfigMaps and Secrets hold.

use std::collections::BTreeMap;

use serde_json::Value;

use super::PLACEHOLDER;
use super::object::Object;
use super::value::{as_text, map_at, text_at};

/// The entries of a ConfigMap or a Secret; what is encrypted is a [`PLACEHOLDER`].
pub(super) fn entries(object: &Object) -> BTreeMap<String, String> {
    let list = |key: &str| map_at(&object.value, &[key]).into_iter().flatten();
    let is_secret = object.kind() == "Secret";
    let text = |value: &Value| as_text(value);
    let mut entries = BTreeMap::new();
    for (key, value) in list("data") {
        let value = text(value).map(|text| match is_secret && text != PLACEHOLDER {
            true => decoded(&text).unwrap_or_else(|| PLACEHOLDER.to_owned()),
            false => text,
        });
        entries.extend(value.map(|value| (key.clone(), value)));
    }
    for (key, value) in list("stringData").filter(|_| is_secret) {
        entries.extend(text(value).map(|value| (key.clone(), value)));
    }
    entries
}

/// The name of the Secret that an object makes the cluster have, whose values are not in the repository.
pub(super) fn made_secret(object: &Object) -> Option<&str> {
    match object.kind() {
        "ExternalSecret" => text_at(&object.value, &["spec", "target", "name"]).or(Some(object.name())),
        "SealedSecret" => {
            text_at(&object.value, &["spec", "template", "metadata", "name"]).or(Some(object.name()))
        }
        "ClusterExternalSecret" => {
            text_at(&object.value, &["spec", "externalSecretName"]).or(Some(object.name()))
        }
        _ => None,
    }
}

/// Base64, as `data` of a Secret has it; `None` for anything else, and for bytes that are no text.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::new();
    let (mut bits, mut held) = (0_u32, 0);
    for c in text.bytes().filter(|c| !c.is_ascii_whitespace() && *c != b'=') {
        let digit = match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = bits << 6 | u32::from(digit);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held & 0xff) as u8);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_decoded() {
        assert_eq!(decoded("aG9zdDogZ2hjci5pbwo=").as_deref(), Some("host: ghcr.io\n"));
        assert_eq!(decoded(""), Some(String::new()));
        assert_eq!(decoded("not base64!"), None);
        assert_eq!(decoded("/w=="), None);
    }
}
