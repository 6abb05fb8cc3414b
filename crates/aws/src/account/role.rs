//! What IAM says of roles, as far as `doctor` reads it.

use serde_json::Value;

/// IAM's code for what is not there.
pub(crate) const ABSENT: &str = "NoSuchEntity";

/// A document as IAM gives it: percent-encoded JSON (API reference, `GetRole`).
pub(crate) fn decoded(text: &str) -> Option<Value> {
    let bytes: Vec<u8> = percent_encoding::percent_decode_str(text).collect();
    serde_json::from_slice(&bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_percent_encoded_or_plain() {
        let wanted = serde_json::json!({ "Version": "2012-10-17" });
        assert_eq!(decoded("%7B%22Version%22%3A%222012-10-17%22%7D"), Some(wanted.clone()));
        assert_eq!(decoded("{\"Version\":\"2012-10-17\"}"), Some(wanted));
        assert_eq!(decoded("%7"), None);
        assert_eq!(decoded("\"%C3%A9 %zz\""), Some(Value::from("é %zz")));
    }
}
