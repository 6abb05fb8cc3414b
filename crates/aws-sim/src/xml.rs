//! Answers of the Query protocol: what an operation answers, as the XML that the model shapes it to.

use serde_json::Value;

use crate::model::Service;

/// A successful answer.
pub(crate) fn answer(service: &Service, operation: &str, output: &Value, id: &str) -> String {
    let model = service.operation(operation).unwrap_or(&Value::Null);
    let mut body = String::new();
    members(service, service.shape(&model["output"]), output, &mut body);
    let namespace = service.namespace();
    let result = match model["resultWrapper"].as_str() {
        Some(wrapper) => format!("<{wrapper}>{body}</{wrapper}>"),
        None => body,
    };
    format!(
        "<{operation}Response xmlns=\"{namespace}\">{result}<ResponseMetadata><RequestId>{id}</RequestId>\
         </ResponseMetadata></{operation}Response>"
    )
}

/// An error.
pub(crate) fn error(service: &Service, code: &str, message: &str, status: u16, id: &str) -> String {
    let (code, message) = (escape(code), escape(message));
    let (namespace, kind) = (service.namespace(), if status < 500 { "Sender" } else { "Receiver" });
    format!(
        "<ErrorResponse xmlns=\"{namespace}\"><Error><Type>{kind}</Type><Code>{code}</Code>\
         <Message>{message}</Message></Error><RequestId>{id}</RequestId></ErrorResponse>"
    )
}

fn members(service: &Service, shape: &Value, value: &Value, out: &mut String) {
    for (name, member) in shape["members"].as_object().into_iter().flatten() {
        if !value[name].is_null() {
            let tag = member["locationName"].as_str().unwrap_or(name);
            element(service, service.shape(&member["shape"]), &value[name], tag, out);
        }
    }
}

fn element(service: &Service, shape: &Value, value: &Value, tag: &str, out: &mut String) {
    let kind = shape["type"].as_str().unwrap_or_default();
    if kind == "list" && shape["flattened"] == true {
        for item in value.as_array().into_iter().flatten() {
            element(service, service.shape(&shape["member"]["shape"]), item, tag, out);
        }
        return;
    }
    out.push_str(&format!("<{tag}>"));
    match kind {
        "structure" => members(service, shape, value, out),
        "list" => {
            let name = shape["member"]["locationName"].as_str().unwrap_or("member");
            for item in value.as_array().into_iter().flatten() {
                element(service, service.shape(&shape["member"]["shape"]), item, name, out);
            }
        }
        "map" => {
            let tag_of = |part: &str| shape[part]["locationName"].as_str().unwrap_or(part).to_owned();
            for (key, value) in value.as_object().into_iter().flatten() {
                out.push_str(&format!("<entry><{0}>{1}</{0}>", tag_of("key"), escape(key)));
                element(service, service.shape(&shape["value"]["shape"]), value, &tag_of("value"), out);
                out.push_str("</entry>");
            }
        }
        "timestamp" => out.push_str(&date(value.as_u64().unwrap_or_default())),
        _ => out.push_str(&escape(&value.as_str().map_or_else(|| value.to_string(), str::to_owned))),
    }
    out.push_str(&format!("</{tag}>"));
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// `2026-11-21T14:00:00Z` of seconds since 1970 (Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms",
/// `civil_from_days`).
pub(crate) fn date(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(date(0), "1970-01-01T00:00:00Z");
        assert_eq!(date(1_709_210_096), "2024-02-29T12:34:56Z");
        assert_eq!(date(1_795_269_600), "2026-11-21T14:00:00Z");
    }
}
