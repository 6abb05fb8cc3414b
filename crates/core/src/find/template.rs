//! Templates of YAML inside a scalar (`valuesTemplate: |`, a ConfigMap's `values.yaml: |`), read as the YAML that is
//! left without the lines that are statements; and Docker Hub's names without a host in templates of any kind.

use std::collections::HashSet;

use super::context::Outer;
use super::explorer::{Explorer, marker_in};
use super::field::Field;
use super::scalar;
use super::short_name::Short;
use super::site::{Around, Form, Obstacle, Role, Shape, Site};
use super::{blank, prefix};
use crate::tree::Position;
use crate::yaml::{self, Kind, Span, SpanMap, Stream};

/// A template as YAML: every byte that is left stands where it stood.
pub(super) struct Blanked {
    pub(super) text: String,
    /// What stands in for a statement within a line, and the statement.
    stand_ins: Vec<(String, String)>,
    /// A statement on a line of its own leaves a text that is not known.
    pub(super) hides: bool,
}

/// The text with statements on lines of their own blanked out, and those within a line as `$(…)`. `None` where
/// that is no YAML, where a branch repeats a key of another, or where a statement holds a host.
pub(super) fn blanked(text: &str, holds_host: impl Fn(&str) -> bool) -> Option<Blanked> {
    let mut statements = Vec::new();
    let mut at = 0;
    while let Some(open) = text.get(at..)?.find("{{").map(|found| at + found) {
        at = text.get(open..)?.find("}}").map(|found| open + found + 2)?;
        let statement = Span::new(open, at);
        if holds_host(statement.slice(text)) {
            return None;
        }
        statements.push(statement);
    }
    Blanked::new(text, &statements)
}

/// How many of the statements stand on the line of the first one, and whether nothing else does; what stands before
/// `from` is known to be on another line.
fn on_one_line(text: &str, from: usize, statements: &[Span]) -> Option<(usize, bool)> {
    let first = statements.first()?;
    let before = text.get(from..first.start)?.rsplit('\n').next().unwrap_or_default();
    let mut alone = before.trim().is_empty();
    let (mut count, mut end, mut line_end) = (1, first.end, 0);
    loop {
        if line_end < end {
            line_end = text.get(end..)?.find('\n').map_or(text.len(), |length| end + length);
        }
        let Some(next) = statements.get(count).filter(|next| next.start < line_end) else { break };
        alone &= text.get(end..next.start)?.trim().is_empty();
        (count, end) = (count + 1, next.end);
    }
    let after = text.get(end..line_end)?.trim_start();
    Some((count, alone && (after.is_empty() || after.starts_with('#'))))
}

impl Blanked {
    /// The text without these statements; `None` where there are none, or where one is too short for a stand-in.
    pub(super) fn new(text: &str, statements: &[Span]) -> Option<Blanked> {
        let mut blanked =
            Blanked { text: String::with_capacity(text.len()), stand_ins: Vec::new(), hides: false };
        let (mut at, mut rest) = (0, statements);
        while let Some((count, alone)) = on_one_line(text, at, rest) {
            let (line, behind) = rest.split_at_checked(count)?;
            for statement in line {
                blanked.text.push_str(text.get(at..statement.start)?);
                blanked.push(statement.slice(text), alone)?;
                at = statement.end;
            }
            rest = behind;
        }
        blanked.text.push_str(text.get(at..)?);
        (at > 0).then_some(blanked)
    }

    fn push(&mut self, statement: &str, alone: bool) -> Option<()> {
        if alone || statement.contains('\n') {
            self.hides |= !blank::leaves_nothing(statement);
            self.text.extend(statement.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
            return Some(());
        }
        let number = self.stand_ins.len().to_string();
        let rest = statement.len().checked_sub(3 + number.len())?;
        let stand_in = format!("$({number}{})", "x".repeat(rest));
        self.text.push_str(&stand_in);
        self.stand_ins.push((stand_in, statement.to_owned()));
        Some(())
    }
}

/// Does a mapping have a key twice? Two branches of a template are then read as one.
pub(super) fn has_repeated_keys(stream: &Stream<'_>) -> bool {
    stream.nodes().any(|(_, node)| {
        let Kind::Mapping { entries, .. } = &node.kind else { return false };
        let mut known = HashSet::new();
        !entries.iter().filter_map(|(key, _)| stream.value(*key)).all(|key| known.insert(key))
    })
}

impl Explorer<'_> {
    /// Reads a template inside a scalar; false when it is not YAML without its statements.
    pub(super) fn explore_template(
        &mut self,
        text: &str,
        map: &SpanMap,
        outer: &Outer,
        depth: usize,
    ) -> bool {
        let hosts = self.hosts;
        let Some(blanked) = blanked(text, |action| !hosts.find(action).is_empty()) else { return false };
        let stream = yaml::parse_without_comments(&blanked.text);
        let collection = stream.documents.iter().filter_map(|document| document.root);
        let collection = collection.map(|id| stream.entries(id).len() + stream.items(id).len());
        if !stream.errors.is_empty() || collection.sum::<usize>() == 0 || has_repeated_keys(&stream) {
            return false;
        }
        let first = self.found.sites.len();
        self.explore(&stream, map, outer, depth);
        for site in self.found.sites.iter_mut().skip(first) {
            blanked.restore(site);
        }
        true
    }
}

impl Blanked {
    /// Puts the statements back where a stand-in was read.
    pub(super) fn restore(&self, site: &mut Site) {
        if self.first_in(&site.name.path).is_some() {
            site.name.path = self.restored(&site.name.path);
            site.obstacle.get_or_insert(Obstacle::Computed);
        }
        site.suffix = self.restored(&site.suffix);
    }

    /// A text with the statements in it.
    pub(super) fn restored(&self, text: &str) -> String {
        let mut new = text.to_owned();
        while let Some((stand_in, statement)) = self.first_in(&new) {
            new = new.replacen(stand_in, statement, 1);
        }
        new
    }

    fn first_in(&self, text: &str) -> Option<(&str, &str)> {
        text.match_indices("$(").find_map(|(at, open)| {
            let rest = text.get(at..)?;
            let number = rest.get(open.len()..)?.split(|c: char| !c.is_ascii_digit()).next()?;
            let (stand_in, action) = self.stand_ins.get(number.parse::<usize>().ok()?)?;
            rest.starts_with(stand_in.as_str()).then_some((stand_in.as_str(), action.as_str()))
        })
    }
}

/// The keys under which [`short_names`] are looked for.
const KEYS: [&str; 2] = ["image", "repository"];

/// Docker Hub's names without a host under the key `image`, and under `repository` in a mapping that is called so, in a
/// text that is searched line by line.
pub(super) fn short_names(
    explorer: &mut Explorer<'_>,
    text: &str,
    region: Span,
    layer: &SpanMap,
    outer: &Outer,
) {
    let part = region.slice(text).as_bytes();
    let holds = |what: &str| memchr::memmem::find(part, what.as_bytes()).is_some();
    if !KEYS.iter().any(|key| holds(key)) {
        return;
    }
    let comments = holds("/*");
    let mut lists: Vec<(usize, &str)> = Vec::new();
    let (mut at, mut comment) = (region.start, false);
    for line in region.slice(text).split_inclusive('\n') {
        let start = at;
        at += line.len();
        let begins = comments && (line.contains("{{/*") || line.contains("{{- /*"));
        let within = comment || begins;
        comment = (comment || begins) && !line.contains("*/");
        let body = line.trim();
        if within || body.is_empty() || body.starts_with('#') || body.starts_with("{{") {
            continue;
        }
        let item = line.trim_start().trim_start_matches("- ").trim_start();
        let (indent, inner) = (line.len() - line.trim_start().len(), line.len() - item.len());
        // An item may stand as far in as the key of its list.
        let is_item = inner > indent;
        lists.retain(|(column, _)| *column < indent || is_item && *column == indent);
        let Some((key, value)) = item.split_once(':') else { continue };
        let key = key.trim_matches(['"', '\'']);
        if value.trim().is_empty() {
            lists.push((inner, key));
            continue;
        }
        if !KEYS.contains(&key) || !value.starts_with(' ') {
            continue;
        }
        let list = lists.iter().rev().find(|(column, _)| *column < inner).map_or("", |(_, key)| *key);
        let Some((offset, short)) = literal(value) else { continue };
        let list = list.to_ascii_lowercase();
        let (container, repository) = (list.ends_with("containers"), key == "repository");
        let is_image = match repository {
            true => list.ends_with("image") && !has_registry_near(text, region, start, inner),
            false => container || !short.suffix.is_empty(),
        };
        if !is_image {
            continue;
        }
        let from = start + line.len() - value.len() + offset;
        let Some(span) = layer.outer(Span::new(from, from + short.path.len())) else { continue };
        let unknown = (repository || !container).then_some(Obstacle::RegistryUnknown);
        explorer.found.sites.push(Site {
            position: Position::START,
            form: Form::TemplateText,
            role: Role::Image,
            inside: outer.inside,
            object: outer.object.clone(),
            field: Field::of_key(key),
            around: Around::More,
            spelling: scalar::spelling(&short.name, short.path),
            name: short.name.clone(),
            suffix: short.suffix.to_owned(),
            shape: Shape::Name(span),
            obstacle: unknown,
            beneath: None,
            marker: line.find('#').and_then(|hash| marker_in(line.get(hash..)?)),
            covers: Vec::new(),
        });
    }
}

/// Lines around a repository in which its registry is looked for.
const NEAR: usize = 12;

/// Does a line near this one, as far in, hold a registry?
fn has_registry_near(text: &str, region: Span, line: usize, column: usize) -> bool {
    let [before, behind] =
        [Span::new(region.start, line), Span::new(line, region.end)].map(|part| part.slice(text));
    let is_inner = |other: &&str| other.trim().is_empty() || other.len() - other.trim_start().len() >= column;
    let is_registry = |other: &str| {
        let inner = other.get(column..).filter(|inner| !inner.starts_with(' '));
        inner.and_then(|inner| inner.split_once(':')).is_some_and(|(key, _)| prefix::is_registry_name(key))
    };
    before.lines().rev().take(NEAR).take_while(is_inner).any(is_registry)
        || behind.lines().take(NEAR).take_while(is_inner).any(is_registry)
}

/// The name in the rest of a line behind `image:`: the whole of it, or the default of its one statement.
fn literal(value: &str) -> Option<(usize, Short<'_>)> {
    let body = value.find(" #").and_then(|comment| value.get(..comment)).unwrap_or(value).trim_end();
    let text = body.trim_start();
    let quoted = ['"', '\''].iter().find_map(|&quote| text.strip_prefix(quote)?.strip_suffix(quote));
    let text = quoted.unwrap_or(text);
    let offset = body.len() - text.len() - usize::from(quoted.is_some());
    if let Some(short) = Short::read(text) {
        return Some((offset, short));
    }
    let action = text.strip_prefix("{{")?.strip_suffix("}}").filter(|inside| !inside.contains("{{"))?;
    let (before, default) = action
        .trim_end()
        .strip_suffix(['-', ' '])
        .unwrap_or(action)
        .trim_end()
        .strip_suffix('"')?
        .rsplit_once('"')?;
    let short = Short::read(default).filter(|short| !short.suffix.is_empty())?;
    let last = before.trim_end().rsplit([' ', '(', '|']).next()?;
    (last == "default").then(|| (offset + 2 + before.len() + 1, short))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn statements_leave_every_byte_where_it_was() {
        let text = "image:\n  tag: {{ .v }}\n{{- if .x }}\nextra: \"a{{ .n }}\"\n{{- end }}\n";
        let blanked = blanked(text, |_| false).unwrap();
        assert_eq!(blanked.text.len(), text.len());
        assert_eq!(blanked.text, "image:\n  tag: $(0xxxx)\n            \nextra: \"a$(1xxxx)\"\n          \n");
        assert!(super::blanked("a: {{ x }}", |_| true).is_none());
        assert!(super::blanked("a: b", |_| true).is_none());
    }

    #[test]
    fn names_in_lines_are_found_where_they_are_whole() {
        for (value, place, name) in [
            (" golang:1.19-alpine\n", 1, "golang"),
            (" \"acme/web:{{ .Values.tag }}\" # why\n", 2, "acme/web"),
            (" {{ .Values.img | default \"busybox:1.30\" }}\n", 27, "busybox"),
            (" \"{{- default \"busybox:1.30\" .x -}}\"\n", 0, ""),
        ] {
            match literal(value) {
                Some((at, short)) => {
                    assert_eq!((at, short.path), (place, name), "{value}");
                    assert!(value.get(at..).unwrap().starts_with(name), "{value}");
                }
                None => assert_eq!(name, "", "{value}"),
            }
        }
        for value in [" {{ .r }}/{{ .i | default \"busybox:1\" }}\n", " acme{{ .x }}:1\n", " {{ .image }}\n"]
        {
            assert!(literal(value).is_none(), "{value}");
        }
    }
}
