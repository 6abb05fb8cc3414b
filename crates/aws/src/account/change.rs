//! [`Change`]: what happens to one resource, and the fields for which it does.

use serde::Serialize;
use serde_json::Value;

use crate::document;
use crate::resource::Id;

/// What happens to a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    Create,
    Update,
    /// Deleted and made again: AWS has no way to change it.
    Replace,
    Delete,
    Keep,
    /// It differs, and cannot be changed without a loss that nobody asked for.
    Blocked,
    /// It could not be read.
    Unseen,
}

impl Action {
    /// In front of a line.
    pub fn sign(self) -> &'static str {
        match self {
            Action::Create => "+",
            Action::Update => "~",
            Action::Replace => "±",
            Action::Delete => "-",
            Action::Keep => "=",
            Action::Blocked => "!",
            Action::Unseen => "?",
        }
    }
}

/// A field that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Field {
    pub name: &'static str,
    /// Absent where there is nothing.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub from: Value,
    #[serde(skip_serializing_if = "Value::is_null")]
    pub to: Value,
}

/// What happens to one resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Change {
    pub action: Action,
    pub id: Id,
    /// What it is, after its name: `→ ghcr.io (secret ecr-pullthroughcache/ghcr)`.
    pub what: String,
    pub fields: Vec<Field>,
    /// What to know about it.
    pub notes: Vec<String>,
}

impl Change {
    pub(super) fn new(action: Action, id: Id, what: impl Into<String>) -> Change {
        Change { action, id, what: what.into(), fields: Vec::new(), notes: Vec::new() }
    }

    pub(super) fn note(mut self, text: impl Into<String>) -> Change {
        self.notes.push(text.into());
        self
    }

    /// Is something that is asked for not done?
    pub fn falls_short(&self) -> bool {
        matches!(self.action, Action::Blocked | Action::Unseen)
    }

    /// Would carrying it out change anything?
    pub(crate) fn is_work(&self) -> bool {
        matches!(self.action, Action::Create | Action::Update | Action::Replace | Action::Delete)
    }

    pub(super) fn differs(&self, field: &str) -> bool {
        self.fields.iter().any(|known| known.name == field)
    }
}

/// Gathers the fields in which a resource differs.
#[derive(Debug, Default)]
pub(super) struct Fields(Vec<Field>);

impl Fields {
    /// Values that are equal or not.
    pub(super) fn value(&mut self, name: &'static str, from: impl Serialize, to: impl Serialize) {
        let (from, to) = (serde_json::to_value(from).ok(), serde_json::to_value(to).ok());
        // What no JSON can hold is not known to be equal.
        if from.is_none() || from != to {
            self.0.push(Field { name, from: from.unwrap_or_default(), to: to.unwrap_or_default() });
        }
    }

    /// Policies, which may be written in several ways.
    pub(super) fn document(&mut self, name: &'static str, from: Option<&Value>, to: Option<&Value>) {
        let equal = match (from, to) {
            (Some(from), Some(to)) => document::same(from, to),
            (None, None) => true,
            _ => false,
        };
        if !equal {
            let value = |document: Option<&Value>| document.cloned().unwrap_or_default();
            self.0.push(Field { name, from: value(from), to: value(to) });
        }
    }

    /// Tags: those that are wanted must be there; more may be.
    pub(super) fn tags(&mut self, from: &pullthru_core::config::Tags, to: &pullthru_core::config::Tags) {
        let missing: Vec<&String> =
            to.iter().filter(|(key, value)| from.get(*key) != Some(value)).map(|(k, _)| k).collect();
        if !missing.is_empty() {
            let of = |tags: &pullthru_core::config::Tags| {
                let chosen = missing
                    .iter()
                    .filter_map(|key| Some((key.to_string(), Value::from(tags.get(*key)?.clone()))));
                Value::Object(chosen.collect())
            };
            self.0.push(Field { name: "tags", from: of(from), to: of(to) });
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `Keep` without fields, else `action`.
    pub(super) fn into_change(self, id: Id, what: impl Into<String>, action: Action) -> Change {
        let action = if self.is_empty() { Action::Keep } else { action };
        Change { fields: self.0, ..Change::new(action, id, what) }
    }
}
