//! `values.schema.json` of a chart and of the charts in it. helm validates values by it, and goes to the network for what it
//! names: only schemas that stand for themselves are used.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// Deeper charts in charts are not looked at; then none of them is used.
const DEEPEST: usize = 5;

/// Is there a schema, and can helm validate by all of them without asking anybody?
pub(crate) fn is_usable(chart: &Path) -> bool {
    let mut count = 0;
    all_alone(chart, 0, &mut count) && count > 0
}

fn all_alone(chart: &Path, depth: usize, count: &mut usize) -> bool {
    if let Ok(text) = fs::read(chart.join("values.schema.json")) {
        *count += 1;
        if !serde_json::from_slice(&text).is_ok_and(|schema| is_alone(&schema)) {
            return false;
        }
    }
    fs::read_dir(chart.join("charts")).into_iter().flatten().flatten().all(|entry| {
        let path = entry.path();
        match path.is_dir() {
            true => depth < DEEPEST && all_alone(&path, depth + 1, count),
            // What an archive holds is not known.
            false => path.extension().is_none_or(|extension| extension != "tgz"),
        }
    })
}

/// Does it refer to nothing but itself? The drafts of JSON Schema are a part of helm.
fn is_alone(schema: &Value) -> bool {
    match schema {
        Value::Object(map) => map.iter().all(|(key, value)| match (key.as_str(), value) {
            ("$ref" | "$dynamicRef" | "$recursiveRef", Value::String(to)) => to.starts_with('#'),
            ("$schema", Value::String(draft)) => ["http://json-schema.org/", "https://json-schema.org/"]
                .iter()
                .any(|own| draft.starts_with(own)),
            (_, value) => is_alone(value),
        }),
        Value::Array(items) => items.iter().all(is_alone),
        _ => true,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn schemas_that_name_others_are_not_used() {
        for (schema, usable) in [
            (
                r##"{"$schema": "https://json-schema.org/draft-07/schema#", "properties": {"a": {"$ref": "#/$defs/a"}}}"##,
                true,
            ),
            (r#"{"properties": {"a": {"$ref": "http://127.0.0.1:9/a.json"}}}"#, false),
            (r#"{"allOf": [{"$ref": "common.json"}]}"#, false),
            (r#"{"\u0024ref": "file:///etc/passwd"}"#, false),
            (r#"{"$schema": "http://127.0.0.1:9/draft"}"#, false),
            ("{", false),
        ] {
            let chart = tempfile::tempdir().unwrap();
            assert!(!is_usable(chart.path()), "no schema");
            fs::write(chart.path().join("values.schema.json"), schema).unwrap();
            assert_eq!(is_usable(chart.path()), usable, "{schema}");
            let outer = tempfile::tempdir().unwrap();
            let below = outer.path().join("charts/inner");
            fs::create_dir_all(&below).unwrap();
            fs::write(below.join("values.schema.json"), schema).unwrap();
            assert_eq!(is_usable(outer.path()), usable, "{schema}");
            fs::write(outer.path().join("charts/packed-1.0.0.tgz"), "").unwrap();
            assert!(!is_usable(outer.path()));
        }
    }
}
