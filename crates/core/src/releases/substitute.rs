//! Flux's variables: `${NAME}` in what a Kustomization builds.
//!
//! Flux writes each object as YAML, replaces in the text, and reads it again (fluxcd/pkg, `kustomize/kustomize_varsub.go`), so
//! that a variable can become a number or a mapping. The expressions are those of its `envsubst` (fluxcd/pkg,
//! `envsubst/parse`, `envsubst/funcs.go`), faults included: `:+` is a default, too.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::PLACEHOLDER;
use super::value::{self, Words};

/// What the expressions may ask for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables {
    pub(super) values: BTreeMap<String, String>,
    /// Some source cannot be read: a variable that is not in `values` may be there.
    pub(super) is_open: bool,
}

/// What Flux puts in the place of variables in an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Substitution {
    /// Nothing here says: no Flux Kustomization of the repository builds the object.
    #[default]
    Unknown,
    /// A Flux Kustomization builds it, and replaces nothing in it.
    Off,
    On(Arc<Variables>),
}

impl Substitution {
    /// A text as the cluster is given it. Where nothing here replaces its variables they stay, for a tool that is not seen. `None`
    /// where Flux replaces none, or where it has no value for one. A value that cannot be read here is a placeholder.
    pub fn replace(&self, old: &str) -> Option<String> {
        match self {
            _ if !old.contains('$') => Some(old.to_owned()),
            Substitution::Unknown => Some(old.to_owned()),
            Substitution::Off => None,
            Substitution::On(variables) => {
                let mut used = Used::default();
                let new = text(old, variables, &mut used).ok()?;
                let is_known = |name: &String| variables.is_open || variables.values.contains_key(name);
                used.names.iter().all(is_known).then_some(new)
            }
        }
    }
}

/// What a replacement has used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Used {
    pub(super) names: BTreeSet<String>,
    /// Variables of a source that cannot be read: each became a placeholder, or its default.
    pub(super) unread: BTreeSet<String>,
}

/// An expression that `envsubst` refuses, or a text that is no YAML when it is replaced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SubstituteError {
    #[error("Flux cannot replace the variables in `{0}`")]
    Expression(String),
    #[error("`{0}` is no YAML after its variables are replaced")]
    Yaml(String),
}

/// Replaces in every key and string of an object, as Flux does it on the object's YAML. True when something changed.
pub(super) fn object(
    value: &mut Value,
    variables: &Variables,
    used: &mut Used,
) -> Result<bool, SubstituteError> {
    match value {
        Value::String(text) if text.contains('$') => {
            let new = scalar(text, variables, used)?;
            let changed = *value != new;
            *value = new;
            Ok(changed)
        }
        Value::Array(items) => {
            let mut changed = false;
            for item in items {
                changed |= object(item, variables, used)?;
            }
            Ok(changed)
        }
        Value::Object(map) => {
            let mut changed = false;
            let keys: Vec<String> = map.keys().filter(|key| key.contains('$')).cloned().collect();
            for key in keys {
                let new = text(&key, variables, used)?;
                if let (true, Some(value)) = (new != key, map.remove(&key)) {
                    map.insert(new, value);
                    changed = true;
                }
            }
            for (_, value) in map.iter_mut() {
                changed |= object(value, variables, used)?;
            }
            Ok(changed)
        }
        _ => Ok(false),
    }
}

/// One string, as Flux writes it, replaces in it and reads it again: what it writes without quotes may become anything.
fn scalar(old: &str, variables: &Variables, used: &mut Used) -> Result<Value, SubstituteError> {
    // Line breaks are written as a block, and control characters as escapes: neither changes what is read.
    let block = old.contains(|c: char| c.is_control());
    let written = match (block, is_quoted(old)) {
        (true, _) | (_, false) => old.to_owned(),
        (false, true) => format!("'{}'", old.replace('\'', "''")),
    };
    let new = text(&written, variables, used)?;
    if block {
        return Ok(Value::String(new));
    }
    if new == written {
        return Ok(Value::String(old.to_owned()));
    }
    match value::of_text(&format!("k: {new}"), Words::Objects) {
        Some(Value::Object(mut map)) if map.len() == 1 => Ok(map.remove("k").unwrap_or_default()),
        _ => Err(SubstituteError::Yaml(old.chars().take(100).collect())),
    }
}

/// Does Go's YAML writer put quotes around this text of one line (yaml.v2, `emitterc.go`, `yaml_emitter_analyze_scalar`)?
fn is_quoted(text: &str) -> bool {
    let first = text.chars().next().unwrap_or(' ');
    let second_blank = text.chars().nth(1).is_none_or(|c| c == ' ');
    let indicator = match first {
        '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' => {
            true
        }
        '?' | ':' | '-' => second_blank,
        _ => false,
    };
    let special = |c: char| c.is_control() || c == '\u{feff}' || ('\u{80}'..='\u{9f}').contains(&c);
    indicator
        || first == ' '
        || text.ends_with(' ')
        || text.ends_with(':')
        || text.contains(": ")
        || text.contains(" #")
        || text.starts_with("---")
        || text.starts_with("...")
        || text.contains(special)
        || !matches!(value::plain(text, Words::Values), Value::String(_))
}

/// [`object`] for one text that stays one.
pub(super) fn text(old: &str, variables: &Variables, used: &mut Used) -> Result<String, SubstituteError> {
    if !old.contains('$') {
        return Ok(old.to_owned());
    }
    let mut scanner = Scanner { text: old, at: 0, variables, used, depth: 0 };
    scanner.whole().ok_or_else(|| SubstituteError::Expression(old.chars().take(100).collect()))
}

/// Reads expressions and replaces them; `None` from any of it is an error of the expression.
struct Scanner<'s> {
    text: &'s str,
    at: usize,
    variables: &'s Variables,
    used: &'s mut Used,
    depth: usize,
}

/// Defaults in defaults, at most.
const MAX_DEPTH: usize = 50;

impl Scanner<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn take(&mut self, prefix: &str) -> bool {
        let is = self.rest().starts_with(prefix);
        if is {
            self.at += prefix.len();
        }
        is
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn whole(&mut self) -> Option<String> {
        let mut out = String::new();
        while let Some(next) = self.peek() {
            if self.take("$$") {
                out.push('$');
                // The escaped expression stays as it is: what begins it is no beginning any more.
                if self.take("{") {
                    out.push('{');
                }
            } else if self.take("${") {
                out.push_str(&self.expression()?);
            } else {
                out.push(next);
                self.next();
            }
        }
        Some(out)
    }

    /// Behind `${`, up to and with `}`.
    fn expression(&mut self) -> Option<String> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let result = self.function();
        self.depth -= 1;
        result
    }

    fn name(&mut self) -> Option<String> {
        let end = self.rest().find(|c: char| !c.is_alphanumeric() && c != '_');
        let name = self.rest().get(..end.unwrap_or(self.rest().len()))?.to_owned();
        self.at += name.len();
        (!name.is_empty()).then_some(name)
    }

    fn function(&mut self) -> Option<String> {
        if self.take("#") {
            let name = self.name()?;
            self.close()?;
            let value = self.value(&name, false);
            return Some(value.len().to_string());
        }
        let name = self.name()?;
        for default in [":=", ":-", ":?", ":+", "="] {
            if self.take(default) {
                let default = self.until("}")?;
                self.close()?;
                let value = self.value(&name, true);
                return Some(if value.is_empty() { default } else { value });
            }
        }
        for (operator, apply) in CASES {
            if self.take(operator) {
                self.close()?;
                return Some(apply(&self.value(&name, false)));
            }
        }
        if self.take(":") {
            let from = self.until(":}")?;
            let length = if self.take(":") { Some(self.until("}")?) } else { None };
            self.close()?;
            return Some(substring(&self.value(&name, false), &from, length.as_deref()));
        }
        for (operator, kind) in TRIMS {
            if self.take(operator) {
                let pattern = self.until("}")?;
                self.close()?;
                return Some(kind.apply(&self.value(&name, false), &pattern));
            }
        }
        for operator in ["//", "/#", "/%", "/"] {
            if self.take(operator) {
                let old = if self.peek() == Some('/') { String::new() } else { self.until("/")? };
                if !self.take("/") {
                    return None;
                }
                let has_new = self.peek() != Some('}');
                let new = if has_new { self.until("}")? } else { String::new() };
                self.close()?;
                return Some(replace(&self.value(&name, false), operator, &old, &new, has_new));
            }
        }
        self.close()?;
        Some(self.value(&name, false))
    }

    fn close(&mut self) -> Option<()> {
        self.take("}").then_some(())
    }

    /// A parameter, up to one of these characters; expressions in it are replaced.
    fn until(&mut self, ends: &str) -> Option<String> {
        let mut out = String::new();
        loop {
            let next = self.peek()?;
            if self.take("${") {
                out.push_str(&self.expression()?);
            } else if ends == "/" && (self.take("\\/") || self.take("\\\\")) {
                out.push(if self.text.get(..self.at)?.ends_with('/') { '/' } else { '\\' });
            } else if ends.contains(next) {
                return Some(out);
            } else {
                out.push(next);
                self.next();
            }
        }
    }

    /// A variable's value; what nobody sets is empty, as in Flux.
    fn value(&mut self, name: &str, has_default: bool) -> String {
        self.used.names.insert(name.to_owned());
        match self.variables.values.get(name) {
            Some(value) => {
                if value.contains(PLACEHOLDER) {
                    self.used.unread.insert(name.to_owned());
                }
                value.clone()
            }
            None if self.variables.is_open => {
                self.used.unread.insert(name.to_owned());
                if has_default { String::new() } else { PLACEHOLDER.to_owned() }
            }
            None => String::new(),
        }
    }
}

type Case = fn(&str) -> String;

const CASES: [(&str, Case); 4] = [
    (",,", |text| text.to_lowercase()),
    (",", |text| first(text, |c| c.to_lowercase().collect())),
    ("^^", |text| text.to_uppercase()),
    ("^", |text| first(text, |c| c.to_uppercase().collect())),
];

fn first(text: &str, change: fn(char) -> String) -> String {
    let mut chars = text.chars();
    chars.next().map(change).unwrap_or_default() + chars.as_str()
}

/// In bytes, as Go slices; a cut through a character gives nothing.
fn substring(text: &str, from: &str, length: Option<&str>) -> String {
    let Ok(from) = from.parse::<i64>() else { return text.to_owned() };
    let size = i64::try_from(text.len()).unwrap_or(i64::MAX);
    let start = if from < 0 { (size + from).max(0) } else { from };
    let end = match length.map(str::parse::<i64>) {
        None => size,
        Some(Err(_)) => return text.to_owned(),
        Some(Ok(length)) if length < 0 => size + length,
        Some(Ok(length)) => start.saturating_add(length).min(size),
    };
    let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
    range.and_then(|(start, end)| text.get(start..end)).unwrap_or_default().to_owned()
}

#[derive(Clone, Copy)]
struct Trim {
    prefix: bool,
    longest: bool,
}

const TRIMS: [(&str, Trim); 4] = [
    ("##", Trim { prefix: true, longest: true }),
    ("#", Trim { prefix: true, longest: false }),
    ("%%", Trim { prefix: false, longest: true }),
    ("%", Trim { prefix: false, longest: false }),
];

impl Trim {
    fn apply(self, text: &str, pattern: &str) -> String {
        let Ok(glob) = globset::GlobBuilder::new(pattern).literal_separator(false).build() else {
            return text.to_owned();
        };
        let glob = glob.compile_matcher();
        let cuts = text.char_indices().map(|(at, _)| at).chain([text.len()]);
        let part = |cut: usize| if self.prefix { text.get(..cut) } else { text.get(cut..) };
        let fits = |cut: &usize| part(*cut).is_some_and(|part| !part.is_empty() && glob.is_match(part));
        let mut matches = cuts.filter(fits);
        // The longest prefix is cut at the last place, the longest suffix at the first.
        let cut = if self.longest == self.prefix { matches.next_back() } else { matches.next() };
        let rest = cut.and_then(|cut| if self.prefix { text.get(cut..) } else { text.get(..cut) });
        rest.unwrap_or(text).to_owned()
    }
}

fn replace(text: &str, operator: &str, old: &str, new: &str, has_new: bool) -> String {
    match operator {
        "//" => text.replace(old, new),
        "/" => text.replacen(old, new, 1),
        "/#" if has_new && text.starts_with(old) => text.replacen(old, new, 1),
        "/%" if has_new => text.strip_suffix(old).map_or(text.to_owned(), |rest| format!("{rest}{new}")),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn variables(list: &[(&str, &str)]) -> Variables {
        let values = list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Variables { values: values.collect(), is_open: false }
    }

    #[test]
    fn expressions_are_those_of_flux() {
        let known = variables(&[
            ("zone", "eu-west-1"),
            ("Name", "webShop"),
            ("file", "a.b.c"),
            ("path", "x/y/z"),
            ("none", ""),
        ]);
        for (text_, expected) in [
            ("in ${zone}", "in eu-west-1"),
            ("$zone ${zone", "$zone ${zone"),
            ("$${zone} costs 3$", "${zone} costs 3$"),
            ("${missing}", ""),
            ("${missing:=ghcr.io}/app", "ghcr.io/app"),
            ("${missing:-a}${missing=b}${none:=c}", "abc"),
            ("${zone:=other}", "eu-west-1"),
            ("${missing:=pre-${zone}-post}", "pre-eu-west-1-post"),
            ("${zone:0:2}/${zone:3}/${zone:-1}", "eu/west-1/eu-west-1"),
            ("${#zone}", "9"),
            ("${Name^} ${Name^^} ${Name,} ${Name,,}", "WebShop WEBSHOP webShop webshop"),
            ("${file#*.} ${file##*.} ${file%.*} ${file%%.*}", "b.c c a.b a"),
            ("${path//\\//-} ${path/y/Y} ${path/#x/w} ${path/%z/end}", "x-y-z x/Y/z w/y/z x/y/end"),
            ("${path/y/}", "x//z"),
        ] {
            let replaced = text(text_, &known, &mut Used::default());
            if text_.contains("${zone") && !text_.contains("${zone}") && !text_.contains("${zone:") {
                assert!(replaced.is_err(), "{text_}");
            } else {
                assert_eq!(replaced.as_deref(), Ok(expected), "{text_}");
            }
        }
        for broken in ["${", "${}", "${a b}", "${zone:=x", "${-}"] {
            assert!(text(broken, &known, &mut Used::default()).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_variable_becomes_what_yaml_reads() {
        let known = variables(&[
            ("n", "3"),
            ("on", "true"),
            ("map", "{a: 1}"),
            ("text", "a b"),
            ("quote", "\""),
            ("bad", "a: b: c"),
        ]);
        let mut value = json!({"n": "${n}", "on": "${on}", "map": "${map}", "text": "${text}", "tag": "v${n}",
            "said": "is: ${n}", "kept": "${quote}${n}${quote}", "${text}": ["${n}", 7], "block": "x\n${n}\n"});
        object(&mut value, &known, &mut Used::default()).unwrap();
        let expected = json!({"n": 3, "on": true, "map": {"a": 1}, "text": "a b", "tag": "v3", "said": "is: 3",
            "kept": "3", "a b": [3, 7], "block": "x\n3\n"});
        assert_eq!(value, expected);
        assert!(object(&mut json!({"k": "${bad}"}), &known, &mut Used::default()).is_err());
    }

    #[test]
    fn what_cannot_be_read_is_a_placeholder_and_keeps_its_default() {
        let open = Variables { is_open: true, ..variables(&[("known", "k")]) };
        let mut used = Used::default();
        let mut value = json!(["${known}", "${secret}.example.com", "${maybe:=ghcr.io}"]);
        object(&mut value, &open, &mut used).unwrap();
        assert_eq!(value, json!(["k", format!("{PLACEHOLDER}.example.com"), "ghcr.io"]));
        assert_eq!(used.unread.iter().map(String::as_str).collect::<Vec<_>>(), ["maybe", "secret"]);
        assert_eq!(used.names.len(), 3);
    }
}
