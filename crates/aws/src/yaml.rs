//! Prints a JSON value as YAML, in block style; texts are quoted as JSON has them.

use serde_json::Value;

/// The value, with a line end.
pub(crate) fn block(value: &Value) -> String {
    let mut text = String::new();
    write(value, 0, &mut text);
    text
}

fn write(value: &Value, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                let plain =
                    !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c));
                let plain = plain && !key.starts_with(|c: char| c == '-' || c.is_ascii_digit());
                let key = if plain { key.clone() } else { Value::from(key.as_str()).to_string() };
                text.push_str(&format!("{indent}{key}:"));
                nested(member, depth + 1, text);
            }
        }
        Value::Array(elements) => {
            for element in elements {
                let mut inner = String::new();
                match element {
                    Value::Object(members) if !members.is_empty() => write(element, depth + 1, &mut inner),
                    _ => inner = format!("{indent}  {element}\n"),
                }
                let inner = inner.strip_prefix(&format!("{indent}  ")).unwrap_or(&inner);
                text.push_str(&format!("{indent}- {inner}"));
            }
        }
        scalar => text.push_str(&format!("{indent}{scalar}\n")),
    }
}

/// What stands after a key: on its line when it is short, below it else.
fn nested(value: &Value, depth: usize, text: &mut String) {
    let is_flat =
        |elements: &[Value]| elements.iter().all(|element| !element.is_array() && !element.is_object());
    match value {
        Value::Object(members) if !members.is_empty() => {
            text.push('\n');
            write(value, depth, text);
        }
        Value::Array(elements) if !is_flat(elements) => {
            text.push('\n');
            write(value, depth, text);
        }
        flat => text.push_str(&format!(" {flat}\n")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_reads_as_it_was() {
        let value = json!({
            "registry": { "account": "123456789012", "region": "ca-central-1" },
            "a b": [], "list": ["x", "y: z", "#"], "none": {}, "deep": [{ "Sid": "a", "Action": ["p", "q"] }, [1, "two"]],
            "text": "a\n\"b\" ${c}", "123": true,
        });
        let text = block(&value);
        let read: Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(read, value, "{text}");
    }
}
