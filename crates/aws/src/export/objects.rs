//! What objects of ACK and of Crossplane have in common: one file of documents, and what no object is written for.

use serde_json::{Map, Value, json};

use super::File;
use crate::resource::{Cipher, Mutability, Ref};
use crate::{Desired, yaml};

/// One file of objects.
#[derive(Clone, Debug)]
pub struct Objects {
    pub file: File,
    /// What the configuration asks for and no object is written for, with what writes it.
    pub notes: Vec<String>,
}

/// Writes documents behind a comment with the mark.
pub(super) fn file(mark: &'static str, objects: &[Value]) -> File {
    let mut text = format!("# {mark}: change pullthru.yaml and export again, edits here are lost.\n");
    for object in objects {
        text.push_str("---\n");
        text.push_str(&yaml::block(object));
    }
    File { name: "ecr.yaml".to_owned(), text, mark }
}

/// The name of an object: that of a further Region says which, so that the exports of all Regions fit in one namespace.
pub(super) fn object_name(desired: &Desired, name: &str) -> String {
    let region = &desired.registry.region;
    if *region == desired.scope.registry.region { name.to_owned() } else { format!("{name}-{region}") }
}

/// A note for what has no object; nothing without names.
pub(super) fn note(what: &str, names: Vec<String>, exports: &str) -> Option<String> {
    let text =
        || format!("{what} {}: not in this file, `provision export {exports}` writes it", names.join(", "));
    (!names.is_empty()).then(text)
}

/// What neither tool's objects for ECR are about.
pub(super) fn notes(desired: &Desired) -> Vec<String> {
    let with_new_key = desired.repositories.iter().filter(|repository| has_new_key(&repository.cipher));
    let with_new_key = with_new_key.map(|repository| repository.name.clone()).collect();
    let keys = desired.keys.iter().map(|key| key.alias.clone()).collect();
    let roles = desired.roles.iter().map(|role| role.name.clone()).collect();
    let policies = desired.policies.iter().map(|policy| policy.name.clone()).collect();
    let notes = [
        note("keys", keys, "terraform|cloudformation"),
        // Encryption cannot be changed later, so none is made with another one.
        note("repositories with a new key", with_new_key, "terraform|cloudformation"),
        note("roles", roles, "terraform|cloudformation|iam"),
        note("policies", policies, "terraform|cloudformation|iam"),
    ];
    notes.into_iter().flatten().collect()
}

/// Is the key one that only other exports make?
pub(super) fn has_new_key(cipher: &Cipher) -> bool {
    matches!(cipher, Cipher::Kms(Some(Ref::Made(_))))
}

/// `encryptionType` and `kmsKey`.
pub(super) fn encryption(cipher: &Cipher) -> Value {
    match cipher {
        Cipher::Aes256 => json!({ "encryptionType": "AES256" }),
        Cipher::Kms(Some(Ref::Given(arn))) => json!({ "encryptionType": "KMS", "kmsKey": arn.to_string() }),
        Cipher::Kms(_) => json!({ "encryptionType": "KMS" }),
    }
}

/// Patterns that the mutability excepts.
pub(super) fn exclusions(mutability: &Mutability) -> Value {
    let filter = |pattern: &String| json!({ "filter": pattern, "filterType": "WILDCARD" });
    mutability.except.iter().map(filter).collect()
}

/// A JSON document as the text that the fields take.
pub(super) fn text(document: Option<&Value>) -> Value {
    document.map_or(Value::Null, |document| document.to_string().into())
}

/// Without members that are not there: `null`, empty lists and objects.
pub(super) fn present(value: Value) -> Value {
    let Value::Object(members) = value else { return value };
    let is_there = |value: &Value| match value {
        Value::Null => false,
        Value::Array(elements) => !elements.is_empty(),
        Value::Object(members) => !members.is_empty(),
        _ => true,
    };
    Value::Object(members.into_iter().filter(|(_, value)| is_there(value)).collect::<Map<_, _>>())
}
