//! The service models (see `model/README.md`): which operations there are, what may be in a request, what an answer
//! may hold, and which errors an operation declares.

use std::sync::OnceLock;

use regex::Regex;
use serde_json::Value;

/// Name in ARNs, actions and credential scopes, and the condensed model.
const MODELS: [(&str, &str); 4] = [
    ("ecr", include_str!("../model/ecr.json")),
    ("iam", include_str!("../model/iam.json")),
    ("secretsmanager", include_str!("../model/secretsmanager.json")),
    ("sts", include_str!("../model/sts.json")),
];

/// The protocol of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    /// AWS JSON 1.1.
    Json,
    /// Forms in, XML out.
    Query,
}

/// A service and its model.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) name: &'static str,
    model: Value,
}

/// All services.
pub(crate) fn services() -> &'static [Service] {
    static SERVICES: OnceLock<Vec<Service>> = OnceLock::new();
    SERVICES.get_or_init(|| {
        let read = |(name, text)| Service { name, model: serde_json::from_str(text).unwrap_or_default() };
        MODELS.into_iter().map(read).collect()
    })
}

/// Every action (`service:Operation`) that is simulated, sorted.
pub fn actions() -> Vec<String> {
    let all = services().iter().flat_map(|service| {
        service.operations().map(move |operation| format!("{}:{operation}", service.name))
    });
    all.collect()
}

impl Service {
    pub(crate) fn protocol(&self) -> Protocol {
        match self.model["metadata"]["protocol"].as_str() {
            Some("query") => Protocol::Query,
            _ => Protocol::Json,
        }
    }

    /// What stands before the operation in `X-Amz-Target`.
    pub(crate) fn target_prefix(&self) -> Option<&str> {
        self.model["metadata"]["targetPrefix"].as_str()
    }

    /// The namespace of XML answers.
    pub(crate) fn namespace(&self) -> &str {
        self.model["metadata"]["xmlNamespace"].as_str().unwrap_or_default()
    }

    /// The model of an operation: `input`, `output`, `resultWrapper`, `errors`.
    pub(crate) fn operation(&self, name: &str) -> Option<&Value> {
        self.model["operations"].get(name)
    }

    /// The names of all operations.
    pub(crate) fn operations(&self) -> impl Iterator<Item = &str> {
        self.model["operations"].as_object().into_iter().flatten().map(|(name, _)| name.as_str())
    }

    /// A shape by name; null for none.
    pub(crate) fn shape(&self, name: &Value) -> &Value {
        &self.model["shapes"][name.as_str().unwrap_or_default()]
    }

    /// The status of an error that the operation declares.
    pub(crate) fn declared(&self, operation: &str, code: &str) -> Option<u16> {
        let errors = self.operation(operation)?["errors"].as_array()?;
        let error = errors.iter().find(|error| error["code"] == code)?;
        error["status"].as_u64().and_then(|status| u16::try_from(status).ok())
    }

    /// What is wrong with the body of a request.
    pub(crate) fn check_input(&self, operation: &str, input: &Value) -> Vec<Complaint> {
        let mut complaints = Vec::new();
        if let Some(operation) = self.operation(operation) {
            self.check(self.shape(&operation["input"]), input, "", &mut complaints);
        }
        complaints
    }

    fn check(&self, shape: &Value, value: &Value, at: &str, complaints: &mut Vec<Complaint>) {
        match shape["type"].as_str().unwrap_or_default() {
            "structure" => {
                for name in shape["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                    if value[name].is_null() {
                        complaints.push(Complaint::new(&below(at, name), value, Rule::Required));
                    }
                }
                for (name, member) in shape["members"].as_object().into_iter().flatten() {
                    if !value[name].is_null() {
                        let shape = self.shape(&member["shape"]);
                        self.check(shape, &value[name], &below(at, name), complaints);
                    }
                }
            }
            "list" => {
                let items = value.as_array().map(Vec::as_slice).unwrap_or_default();
                check_length(shape, value, items.len(), at, complaints);
                let member = self.shape(&shape["member"]["shape"]);
                for (index, item) in items.iter().enumerate() {
                    self.check(member, item, &format!("{at}.{}.member", index + 1), complaints);
                }
            }
            "string" => check_text(shape, value, at, complaints),
            "integer" | "long" => {
                let number = value.as_i64();
                let off = |bound: &str, wrong: fn(i64, i64) -> bool| match (number, shape[bound].as_i64()) {
                    (Some(number), Some(bound)) if wrong(number, bound) => Some(bound),
                    _ => None,
                };
                if let Some(least) = off("min", |number, least| number < least) {
                    complaints.push(Complaint::new(at, value, Rule::Least(least)));
                }
                if let Some(most) = off("max", |number, most| number > most) {
                    complaints.push(Complaint::new(at, value, Rule::Most(most)));
                }
            }
            _ => {}
        }
    }

    /// What an answer holds that the model does not know, or lacks what it asks for: a mistake of this crate.
    pub(crate) fn check_output(&self, operation: &str, output: &Value) -> Option<String> {
        let shape = self.shape(&self.operation(operation)?["output"]);
        if shape.is_null() {
            return output
                .as_object()
                .is_some_and(|members| !members.is_empty())
                .then(|| "anything".to_owned());
        }
        self.stray(shape, output, "")
    }

    fn stray(&self, shape: &Value, value: &Value, at: &str) -> Option<String> {
        match shape["type"].as_str().unwrap_or_default() {
            "structure" => {
                let Some(members) = value.as_object() else { return Some(at.to_owned()) };
                let required = shape["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
                for name in required {
                    if !members.contains_key(name) {
                        return Some(below(at, name));
                    }
                }
                members.iter().find_map(|(name, value)| {
                    let member = &shape["members"][name];
                    if member.is_null() {
                        return Some(below(at, name));
                    }
                    self.stray(self.shape(&member["shape"]), value, &below(at, name))
                })
            }
            "list" => {
                let Some(items) = value.as_array() else { return Some(at.to_owned()) };
                let member = self.shape(&shape["member"]["shape"]);
                items.iter().find_map(|item| self.stray(member, item, at))
            }
            "map" => (!value.is_object()).then(|| at.to_owned()),
            "string" | "blob" => {
                let text = value.as_str().unwrap_or_default();
                let mut values = shape["enum"].as_array().into_iter().flatten().filter_map(Value::as_str);
                let fits = shape["enum"].is_null() || values.any(|known| known == text);
                (!value.is_string() || !fits).then(|| at.to_owned())
            }
            "boolean" => (!value.is_boolean()).then(|| at.to_owned()),
            _ => (!value.is_number()).then(|| at.to_owned()),
        }
    }
}

fn below(at: &str, name: &str) -> String {
    if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") }
}

fn check_length(shape: &Value, value: &Value, length: usize, at: &str, complaints: &mut Vec<Complaint>) {
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    if let Some(least) = shape["min"].as_i64().filter(|least| length < *least) {
        complaints.push(Complaint::new(at, value, Rule::Shortest(least)));
    }
    if let Some(most) = shape["max"].as_i64().filter(|most| length > *most) {
        complaints.push(Complaint::new(at, value, Rule::Longest(most)));
    }
}

fn check_text(shape: &Value, value: &Value, at: &str, complaints: &mut Vec<Complaint>) {
    let text = value.as_str().unwrap_or_default();
    check_length(shape, value, text.chars().count(), at, complaints);
    if let Some(pattern) = shape["pattern"].as_str()
        && whole(pattern).is_some_and(|pattern| !pattern.is_match(text))
    {
        complaints.push(Complaint::new(at, value, Rule::Pattern(pattern.to_owned())));
    }
    if let Some(values) = shape["enum"].as_array()
        && !values.contains(value)
    {
        let values: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
        complaints.push(Complaint::new(at, value, Rule::Enum(values.join(", "))));
    }
}

/// A pattern has to match all of the text, anchored or not.
fn whole(pattern: &str) -> Option<Regex> {
    Regex::new(&format!("^(?:{pattern})$")).ok()
}

/// A constraint of the model that a value fails.
#[derive(Debug)]
pub(crate) struct Complaint {
    /// The member's path, such as `tags.1.member.Key`.
    pub(crate) at: String,
    value: String,
    rule: Rule,
}

#[derive(Debug)]
enum Rule {
    Required,
    Shortest(i64),
    Longest(i64),
    Least(i64),
    Most(i64),
    Pattern(String),
    Enum(String),
}

impl Complaint {
    fn new(at: &str, value: &Value, rule: Rule) -> Self {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Self { at: at.to_owned(), value, rule }
    }

    /// `Member must …`, as most services word it.
    fn constraint(&self) -> String {
        match &self.rule {
            Rule::Required => "Member must not be null".to_owned(),
            Rule::Shortest(least) => format!("Member must have length greater than or equal to {least}"),
            Rule::Longest(most) => format!("Member must have length less than or equal to {most}"),
            Rule::Least(least) => format!("Member must have value greater than or equal to {least}"),
            Rule::Most(most) => format!("Member must have value less than or equal to {most}"),
            Rule::Pattern(pattern) => format!("Member must satisfy regular expression pattern: {pattern}"),
            Rule::Enum(values) => format!("Member must satisfy enum value set: [{values}]"),
        }
    }

    /// In the words of ECR (seen by users, and in moto's `ecr` tests that were run against AWS).
    pub(crate) fn in_ecr_words(&self) -> String {
        let constraint = match &self.rule {
            Rule::Pattern(pattern) => format!("must satisfy regular expression '{pattern}'"),
            _ => self.constraint(),
        };
        format!("Invalid parameter at '{}' failed to satisfy constraint: '{constraint}'", self.at)
    }

    /// In the words of the other services: `1 validation error detected: …`. Secret values are not said back.
    pub(crate) fn in_words(complaints: &[Self]) -> String {
        let (count, many) = (complaints.len(), if complaints.len() == 1 { "" } else { "s" });
        let lines: Vec<String> = complaints
            .iter()
            .map(|complaint| {
                let value = match complaint.rule {
                    Rule::Required => String::new(),
                    _ if complaint.at.to_ascii_lowercase().contains("secret") => String::new(),
                    _ => format!(" '{}'", complaint.value),
                };
                let (at, constraint) = (&complaint.at, complaint.constraint());
                format!("Value{value} at '{at}' failed to satisfy constraint: {constraint}")
            })
            .collect();
        format!("{count} validation error{many} detected: {}", lines.join("; "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_is_read_and_its_patterns_are_understood() {
        for service in services() {
            assert!(service.operations().count() > 0, "{}", service.name);
            for (name, shape) in service.model["shapes"].as_object().into_iter().flatten() {
                if let Some(pattern) = shape["pattern"].as_str() {
                    assert!(whole(pattern).is_some(), "{} {name}: {pattern}", service.name);
                }
            }
        }
    }
}
