//! New values as YAML text: in lines of their own, or in flow style on one line.

use std::fmt::Write as _;

use super::NewValue;

pub(super) fn block(entry: &(String, NewValue), indent: usize, step: usize, ending: &str) -> Option<String> {
    let mut text = String::new();
    write_entry(&mut text, entry, indent, step, ending)?;
    Some(text)
}

fn write_entry(
    text: &mut String,
    (key, value): &(String, NewValue),
    indent: usize,
    step: usize,
    ending: &str,
) -> Option<()> {
    let key = scalar(&NewValue::Text(key.clone()), false)?;
    _ = write!(text, "{:indent$}{key}:", "");
    write_value(text, value, indent, step, ending)
}

/// What comes behind the colon of a key at this indentation, to the end of its last line.
fn write_value(text: &mut String, value: &NewValue, indent: usize, step: usize, ending: &str) -> Option<()> {
    match value {
        NewValue::Mapping(entries) if !entries.is_empty() => {
            text.push_str(ending);
            for entry in entries {
                write_entry(text, entry, indent + step, step, ending)?;
            }
        }
        NewValue::Sequence(items) if !items.is_empty() => {
            text.push_str(ending);
            for item in items {
                write_item(text, item, indent + step, step, ending)?;
            }
        }
        other => _ = write!(text, " {}{ending}", scalar(other, false)?),
    }
    Some(())
}

pub(super) fn write_item(
    text: &mut String,
    item: &NewValue,
    indent: usize,
    step: usize,
    ending: &str,
) -> Option<()> {
    match item {
        NewValue::Mapping(entries) if !entries.is_empty() => {
            for (number, entry) in entries.iter().enumerate() {
                let mut lines = String::new();
                write_entry(&mut lines, entry, indent + 2, step, ending)?;
                if number == 0 {
                    _ = write!(text, "{:indent$}- {}", "", lines.get(indent + 2..)?);
                } else {
                    text.push_str(&lines);
                }
            }
        }
        other => _ = write!(text, "{:indent$}- {}{ending}", "", flow(other)?),
    }
    Some(())
}

pub(super) fn flow_entry((key, value): &(String, NewValue)) -> Option<String> {
    Some(format!("{}: {}", scalar(&NewValue::Text(key.clone()), true)?, flow(value)?))
}

pub(super) fn flow(value: &NewValue) -> Option<String> {
    Some(match value {
        NewValue::Mapping(entries) => {
            let entries: Option<Vec<String>> = entries.iter().map(flow_entry).collect();
            format!("{{{}}}", entries?.join(", "))
        }
        NewValue::Sequence(items) => {
            let items: Option<Vec<String>> = items.iter().map(flow).collect();
            format!("[{}]", items?.join(", "))
        }
        other => scalar(other, true)?,
    })
}

/// A scalar without quotes where it reads as itself.
pub(super) fn scalar(value: &NewValue, in_flow: bool) -> Option<String> {
    Some(match value {
        NewValue::Text(text) if is_plain(text, in_flow) => text.clone(),
        NewValue::Text(text) => quoted(text),
        NewValue::Bool(is) => is.to_string(),
        NewValue::Literal(text) => text.clone(),
        NewValue::Mapping(entries) if entries.is_empty() => "{}".to_owned(),
        NewValue::Sequence(items) if items.is_empty() => "[]".to_owned(),
        NewValue::Mapping(_) | NewValue::Sequence(_) => return None,
    })
}

/// Does every reader of YAML take it for this text without quotes?
pub(super) fn is_plain(text: &str, in_flow: bool) -> bool {
    let lower = text.to_ascii_lowercase();
    let words = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && !words.contains(&lower.as_str())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/@:+".contains(&b))
        && !text.ends_with(':')
        && !(in_flow && text.contains(':'))
        && text.bytes().any(|b| b.is_ascii_alphabetic())
        && !is_number(&lower)
}

/// Could it be a number, in some base or with an exponent?
fn is_number(lower: &str) -> bool {
    lower.starts_with(|c: char| c.is_ascii_digit())
        && lower.bytes().all(|b| b.is_ascii_hexdigit() || b"._-+xo:".contains(&b))
}

pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() => _ = write!(out, "\\u{:04x}", u32::from(c)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
