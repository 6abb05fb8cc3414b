//! Requests of the Query protocol: a form becomes what the same request would be in JSON, as the model shapes it
//! (Smithy 2.0, "AWS query protocol").

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::model::Service;

/// The members of a form.
pub(crate) type Form = BTreeMap<String, String>;

/// Reads `a=b&c=d`.
pub(crate) fn read(body: &str) -> Form {
    let pairs = body.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decode(name), decode(value))).collect()
}

fn decode(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        let code = (*first == b'%').then(|| after.get(..2)).flatten();
        let code = code.and_then(|code| u8::from_str_radix(std::str::from_utf8(code).ok()?, 16).ok());
        match code {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(if *first == b'+' { b' ' } else { *first });
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The input of an operation from its form.
pub(crate) fn input(service: &Service, operation: &str, form: &Form) -> Value {
    let shape = service.operation(operation).map_or(&Value::Null, |known| service.shape(&known["input"]));
    structure(service, shape, form, "").unwrap_or_else(|| Value::Object(Map::new()))
}

fn structure(service: &Service, shape: &Value, form: &Form, prefix: &str) -> Option<Value> {
    let mut members = Map::new();
    for (name, member) in shape["members"].as_object().into_iter().flatten() {
        let on_wire = member["locationName"].as_str().unwrap_or(name);
        let value = value(service, service.shape(&member["shape"]), form, &format!("{prefix}{on_wire}"));
        if let Some(value) = value {
            members.insert(name.clone(), value);
        }
    }
    (!members.is_empty()).then_some(Value::Object(members))
}

fn value(service: &Service, shape: &Value, form: &Form, at: &str) -> Option<Value> {
    match shape["type"].as_str()? {
        "structure" => structure(service, shape, form, &format!("{at}.")),
        "list" => {
            let flat = shape["flattened"] == true;
            let name = shape["member"]["locationName"].as_str().unwrap_or("member");
            let place = if flat { at.to_owned() } else { format!("{at}.{name}") };
            let member = service.shape(&shape["member"]["shape"]);
            let items: Vec<Value> =
                (1..).map_while(|index| value(service, member, form, &format!("{place}.{index}"))).collect();
            // `ActionNames=` alone is an empty list.
            (!items.is_empty() || form.get(at).is_some_and(String::is_empty)).then_some(Value::Array(items))
        }
        "boolean" => form.get(at).map(|text| Value::Bool(text == "true")),
        "integer" | "long" => form.get(at).and_then(|text| text.parse::<i64>().ok()).map(Value::from),
        _ => form.get(at).cloned().map(Value::String),
    }
}
