//! Literals in texts that are no YAML: chart templates, documents that do not parse, expressions and scripts
//! inside a scalar. Searched occurrence by occurrence; a literal counts only where it is whole.

use super::context::{Outer, Place};
use super::explorer::{Explorer, marker_in};
use super::field::Field;
use super::hosts::{Occurrence, Owner};
use super::literal::{self, Literal};
use super::names::words;
use super::scalar::{self, Scalar};
use super::site::{Around, Embedding, Form, IgnoreReason, Ignored, Marker, Obstacle, Role, Shape, Site};
use super::{blank, deny, oci_artifacts, prefix, template};
use crate::image::Name;
use crate::tree::Position;
use crate::yaml::{self, Lines, Span, SpanMap, Stream};

/// What an occurrence in a text is.
enum Verdict {
    Ignored(IgnoreReason),
    Reference { literal: Literal, role: Role, obstacle: Option<Obstacle>, form: Form },
}

/// A text that stands in a scalar: an expression, a script, prose. Only what stands under an image key counts.
pub(super) fn text(
    explorer: &mut Explorer<'_>,
    scalar: &Scalar<'_, '_, '_>,
    text: &str,
    found: &[Occurrence],
) {
    let mut reader = Reader::new(text, Span::new(0, text.len()), false);
    for occurrence in found {
        match reader.judge(occurrence) {
            Verdict::Ignored(reason) => {
                explorer.ignore(scalar, occurrence, reason);
            }
            Verdict::Reference { mut literal, role, obstacle, .. } => {
                literal.obstacle = literal.obstacle.or(obstacle);
                let before = explorer.found.sites.len();
                explorer.site(scalar, occurrence, literal, Form::TextLiteral, role);
                for site in explorer.found.sites.iter_mut().skip(before) {
                    site.inside = Some(Embedding::Text);
                }
            }
        }
    }
}

/// A region of a file (or of an embedded text) that is a template or does not parse.
fn hosts_of_region(explorer: &mut Explorer<'_>, text: &str, region: Span, layer: &SpanMap, outer: &Outer) {
    let found = explorer.hosts.find_in(text, region);
    if found.is_empty() {
        return;
    }
    let mut reader = Reader::new(text, region, true);
    let blanked = blank::blanked(region.slice(text));
    let mut context = Context::new(&blanked, region, outer, explorer.are_values(outer));
    for occurrence in &found {
        let Some(needle) = layer.outer(occurrence.needle) else { continue };
        let verdict = match reader.judge(occurrence) {
            Verdict::Reference { literal, obstacle, .. } if context.is_tag_discovery(occurrence) => {
                let (role, form) = (Role::TagDiscovery, Form::ImageRepository);
                Verdict::Reference { literal, role, obstacle, form }
            }
            Verdict::Reference { literal, role, obstacle, form } => match context.reason(occurrence) {
                Some(IgnoreReason::NodeImage) => reader.node_image(literal),
                Some(reason) => Verdict::Ignored(reason),
                None => Verdict::Reference { literal, role, obstacle, form },
            },
            // A pattern of a policy is reported as one.
            Verdict::Ignored(IgnoreReason::Pattern) => {
                let policy = context.reason(occurrence).filter(|reason| *reason == IgnoreReason::Policy);
                Verdict::Ignored(policy.unwrap_or(IgnoreReason::Pattern))
            }
            verdict => verdict,
        };
        match verdict {
            Verdict::Ignored(reason) => {
                if occurrence.owner == Owner::Upstream {
                    explorer.found.ignored.push(Ignored::new(needle, reason));
                }
            }
            Verdict::Reference { literal, role, obstacle, form } => {
                let Some(span) = layer.outer(literal.span) else { continue };
                let below = || reader.tag_below(literal.end).unwrap_or_default();
                let spelling = scalar::spelling(&literal.name, literal.span.slice(text));
                let is_prefix = form == Form::RegistryPrefix;
                let (name, shape) = match literal.is_bare_host() || is_prefix {
                    // A registry alone has no repository, and so none of Docker Hub's own.
                    true => {
                        let name = Name { host: literal.name.host, path: literal.path.clone() };
                        (name, Shape::Registry { span, path: literal.path })
                    }
                    false => (literal.name, Shape::Name(span)),
                };
                let suffix = if is_prefix {
                    String::new()
                } else if literal.suffix.is_empty() {
                    below()
                } else {
                    literal.suffix
                };
                explorer.found.sites.push(Site {
                    position: Position::START,
                    form,
                    role,
                    inside: outer.inside,
                    object: outer.object.clone(),
                    field: Field::of_key(reader.key_before(occurrence.host.start).unwrap_or_default()),
                    around: Around::More,
                    spelling,
                    name,
                    suffix,
                    shape,
                    obstacle: literal.obstacle.or(obstacle),
                    beneath: None,
                    marker: reader.line.marker,
                    covers: if occurrence.owner == Owner::Upstream { vec![needle] } else { Vec::new() },
                });
            }
        }
    }
}

/// Where a literal of a template stands: read from the YAML without its statements, by the deny list alone.
struct Context<'t, 'o> {
    text: &'t str,
    stream: Stream<'t>,
    start: usize,
    outer: &'o Outer,
    tools: deny::Tools,
    values: bool,
    /// The last document that does not parse even so, with the reason that its kind gives.
    lost: Option<(Span, Option<IgnoreReason>)>,
}

impl<'t, 'o> Context<'t, 'o> {
    fn new(text: &'t str, region: Span, outer: &'o Outer, values: bool) -> Context<'t, 'o> {
        let stream = yaml::parse_without_comments(text);
        let (start, tools) = (region.start, deny::Tools::default());
        Context { text, stream, start, outer, tools, values, lost: None }
    }

    fn reason(&mut self, found: &Occurrence) -> Option<IgnoreReason> {
        let at = found.host.start.checked_sub(self.start)?;
        let lost = self.stream.errors.partition_point(|error| error.lost.start <= at);
        let lost = lost.checked_sub(1).and_then(|index| self.stream.errors.get(index));
        if lost.is_some_and(|error| at < error.lost.end) {
            return self.of_kind(at);
        }
        let scalar = self.stream.scalar_at(at)?;
        let mut place = Place::new(&self.stream, scalar, self.outer);
        place.tool = self.tools.of(&self.stream, scalar, self.values);
        deny::reason(&place)
    }

    /// Does the object only look tags up there?
    fn is_tag_discovery(&self, found: &Occurrence) -> bool {
        let at = found.host.start.checked_sub(self.start);
        let Some(scalar) = at.and_then(|at| self.stream.scalar_at(at)) else { return false };
        let place = Place::new(&self.stream, scalar, self.outer);
        oci_artifacts::is_updater_image(&place)
            || oci_artifacts::is_subscription(&place)
            || matches!(oci_artifacts::form(&place, false, ""), Some((_, Role::TagDiscovery)))
    }

    /// What the kind of the object around a place says, by the lines that name it.
    fn of_kind(&mut self, at: usize) -> Option<IgnoreReason> {
        if let Some((_, reason)) = self.lost.filter(|(span, _)| span.start <= at && at < span.end) {
            return reason;
        }
        let start = self.text.get(..at)?.rfind("\n---").map_or(0, |found| found + 1);
        let end = self.text.get(at..)?.find("\n---").map_or(self.text.len(), |found| at + found + 1);
        let lines = self.text.get(start..end)?.lines();
        let heads = lines.filter(|line| line.starts_with("apiVersion:") || line.starts_with("kind:"));
        let head: Vec<&str> = heads.take(2).collect();
        let text = format!("{}\npullthru: x\n", head.join("\n"));
        let stream = yaml::parse_without_comments(&text);
        let outer = Outer::default();
        let scalar = stream.scalar_at(text.len().saturating_sub(2));
        let reason = scalar.and_then(|scalar| deny::reason(&Place::new(&stream, scalar, &outer)));
        self.lost = Some((Span::new(start, end), reason));
        reason
    }
}

/// A region, and the names without a host in it.
pub(super) fn region(explorer: &mut Explorer<'_>, text: &str, region: Span, layer: &SpanMap, outer: &Outer) {
    hosts_of_region(explorer, text, region, layer, outer);
    if explorer.hosts.short_names() {
        template::short_names(explorer, text, region, layer, outer);
    }
}

/// A key that holds an image wherever it stands.
fn is_image_key(key: &str) -> bool {
    let lower = key.to_ascii_lowercase();
    lower.ends_with("image") || lower.ends_with("repository") || lower == "imagename" || lower == "newname"
}

/// Reads occurrences from left to right. What it knows of the line so far is carried along, since a line can be
/// the whole text.
struct Reader<'t> {
    text: &'t str,
    /// The text has YAML's lines, so that any key counts and `#` begins a comment.
    yaml: bool,
    lines: Lines,
    /// `{{/* … */}}` of Go templates.
    comments: Vec<Span>,
    line: Line,
}

/// One line, read up to `at`.
#[derive(Default)]
struct Line {
    span: Span,
    at: usize,
    /// The first byte that is no blank.
    content: usize,
    /// The first byte behind the dashes of list items.
    item: usize,
    marker: Option<Marker>,
    double_quotes: usize,
    single_quotes: usize,
    /// The last blank, quote or bracket that ends a word.
    word: usize,
    /// The last `http://` or `https://`.
    url: Option<usize>,
    /// The last `{{` and the last `}}`.
    open: Option<usize>,
    close: Option<usize>,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str, region: Span, yaml: bool) -> Reader<'t> {
        let lines = Lines::within(text, region);
        // No line yet: its end is before every occurrence.
        let line = Line { span: Span::new(usize::MAX, 0), ..Line::default() };
        Reader { text, yaml, lines, comments: template_comments(text, region), line }
    }

    fn judge(&mut self, found: &Occurrence) -> Verdict {
        let at = found.host.start;
        self.read_to(at);
        let (text, line) = (self.text, &self.line);
        let before = text.get(line.span.start..at).unwrap_or("");
        if self.in_comment(at) {
            return Verdict::Ignored(IgnoreReason::Comment);
        }
        if !found.exact {
            return Verdict::Ignored(IgnoreReason::OtherHost);
        }
        if line.url.is_some_and(|url| url >= line.word) {
            return Verdict::Ignored(IgnoreReason::Url);
        }
        let literal = literal::read(text, found);
        let after = text.get(literal.end..).unwrap_or("");
        let key = self.key_before(at);
        if after.starts_with(['*', '?']) {
            return Verdict::Ignored(IgnoreReason::Pattern);
        }
        if key.is_some_and(|key| ["description", "message", "summary"].contains(&key)) {
            return Verdict::Ignored(IgnoreReason::Description);
        }
        if key.is_some_and(deny::is_node_key) {
            return self.node_image(literal);
        }
        let reference = |literal, role, obstacle, form| Verdict::Reference { literal, role, obstacle, form };
        if literal.is_bare_host() {
            let registry = key.is_some_and(prefix::is_registry_name);
            let joined = line.opens_literal_of_template(before) && is_joined(after);
            if self.yaml && (registry || joined) {
                return reference(literal, Role::Image, Some(Obstacle::Template), Form::LoneRegistry);
            }
            return Verdict::Ignored(if key.is_some() { IgnoreReason::BareHost } else { IgnoreReason::Text });
        }
        let whole =
            after.is_empty() || after.starts_with(|c: char| c.is_whitespace() || "\"'`},)]\\;#|".contains(c));
        let obstacle = (!whole).then_some(Obstacle::Computed);
        if before.ends_with("oci://") {
            return reference(literal, Role::Artifact, obstacle, Form::Artifact);
        }
        let image_key = key.is_some_and(is_image_key);
        if self.yaml && key.is_some_and(|key| words(key).last().is_some_and(|word| word == "chart")) {
            return reference(literal, Role::Artifact, obstacle, Form::Chart);
        }
        if !self.yaml {
            return if image_key && whole {
                reference(literal, Role::Image, None, Form::TextLiteral)
            } else {
                Verdict::Ignored(IgnoreReason::Text)
            };
        }
        let slash = text.get(literal.span.end..literal.end).is_some_and(|end| end.starts_with('/'));
        if slash || key.or_else(|| self.key_of_line()).is_some_and(prefix::is_name) {
            return reference(literal, Role::Image, obstacle, Form::RegistryPrefix);
        }
        // `docker.io/acme` may be the beginning of names as well as `docker.io/library/acme`.
        let official = literal.name.path != literal.path && literal.suffix.is_empty() && !image_key;
        let obstacle = obstacle.or(official.then_some(Obstacle::Template));
        // A kustomize matcher pairs with other files, which a text search cannot tell.
        let obstacle = obstacle.or((key == Some("name")).then_some(Obstacle::Template));
        if key.is_some() || line.opens_literal_of_template(before) || at <= line.item {
            return reference(literal, Role::Image, obstacle, Form::TemplateText);
        }
        Verdict::Ignored(IgnoreReason::Text)
    }

    /// What a node pulls before it has a login.
    fn node_image(&self, mut literal: Literal) -> Verdict {
        let key = self.key_before(literal.span.start).unwrap_or_default();
        if !self.yaml || !deny::is_node_image(key, &literal) {
            return Verdict::Ignored(IgnoreReason::NodeImage);
        }
        literal.obstacle = Some(Obstacle::NodeImage);
        Verdict::Reference { literal, role: Role::Image, obstacle: None, form: Form::TemplateText }
    }

    /// Takes in what stands between the last occurrence and this one.
    fn read_to(&mut self, at: usize) {
        if at < self.line.span.start || at > self.line.span.end {
            self.line = Line::new(self.text, self.lines.around(at));
        }
        let line = &mut self.line;
        let from = line.at;
        for (offset, character) in self.text.get(from..at).unwrap_or("").char_indices() {
            match character {
                '"' => line.double_quotes += 1,
                '\'' => line.single_quotes += 1,
                _ => {}
            }
            if character.is_whitespace() || "\"'`".contains(character) {
                line.word = from + offset + character.len_utf8();
            }
        }
        // What is looked for may begin before the last occurrence.
        let mut overlapping = from.saturating_sub("https://".len()).max(line.span.start);
        while !self.text.is_char_boundary(overlapping) {
            overlapping += 1;
        }
        let new = self.text.get(overlapping..at).unwrap_or("");
        let last = |sign: &str| new.rfind(sign).map(|found| overlapping + found);
        line.url = last("https://").max(last("http://")).max(line.url);
        line.open = last("{{").max(line.open);
        line.close = last("}}").max(line.close);
        line.at = at;
    }

    /// The key that the value at `at` stands under, on the same line: `image: "`, `"image":"`, `image = `.
    fn key_before(&self, at: usize) -> Option<&'t str> {
        let before = self.text.get(self.line.span.start..at)?;
        let before = before.strip_suffix("oci://").unwrap_or(before);
        let before = before.trim_end_matches(['"', '\'', '\\', '`']).trim_end();
        let before = before.strip_suffix([':', '='])?;
        let before = before.trim_end_matches(['"', '\'', '\\', ':']).trim_end_matches(' ');
        let start =
            before.rfind(|c: char| !(c.is_ascii_alphanumeric() || "_.-".contains(c))).map_or(0, |at| at + 1);
        let key = before.get(start..)?.trim_start_matches('-');
        (!key.is_empty()).then_some(key)
    }

    /// The key with which the line begins: that of `hub: {{ .Values.hub | default "`.
    fn key_of_line(&self) -> Option<&'t str> {
        let (key, _) = self.text.get(self.line.item..self.line.at)?.split_once(':')?;
        let key = key.trim_matches(['"', '\'']);
        key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)).then_some(key)
    }

    fn in_comment(&self, at: usize) -> bool {
        let line = &self.line;
        let content = self.text.get(line.content..at).unwrap_or("");
        if content.starts_with('#') || content.starts_with("//") {
            return true;
        }
        let quoted = !line.double_quotes.is_multiple_of(2) || !line.single_quotes.is_multiple_of(2);
        if self.yaml && self.lines.hash_before(at) && !quoted {
            return true;
        }
        let before = self.comments.partition_point(|comment| comment.start < at);
        let last = before.checked_sub(1).and_then(|index| self.comments.get(index));
        last.is_some_and(|comment| at < comment.end)
    }

    /// A plain `tag:` on the next line; for the reader only, since tags never change.
    fn tag_below(&self, at: usize) -> Option<String> {
        let next = self.lines.around(at).end + 1;
        let next = self.text.get(self.lines.around(next).range()).filter(|_| next < self.text.len())?;
        let tag = next.trim().strip_prefix("tag:")?.trim().trim_matches(['"', '\'']);
        let template = tag.starts_with("{{") && tag.ends_with("}}");
        (template || !tag.is_empty() && super::values::is_suffix(tag)).then(|| match tag.starts_with('@') {
            true => tag.to_owned(),
            false => format!(":{tag}"),
        })
    }
}

impl Line {
    fn new(text: &str, span: Span) -> Line {
        let line = span.slice(text);
        let content = span.end - line.trim_start().len();
        let item = span.end - line.trim_start().trim_start_matches("- ").trim_start().len();
        let marker = line.find('#').and_then(|hash| marker_in(line.get(hash..)?));
        Line { span, at: span.start, content, item, marker, word: span.start, ..Line::default() }
    }

    /// `default "`, `coalesce "`, …: a quoted argument of a template's function.
    fn opens_literal_of_template(&self, before: &str) -> bool {
        self.open > self.close && before.trim_end().ends_with(['"', '`'])
    }
}

/// Does the statement end behind a quoted argument, and a path follow: `{{ .Values.registry | default "quay.io" }}/o/n`?
fn is_joined(after: &str) -> bool {
    let line = after.lines().next().unwrap_or_default();
    let path = line.strip_prefix(['"', '`']).and_then(|rest| rest.split_once("}}"));
    path.is_some_and(|(rest, path)| !rest.contains("{{") && path.starts_with('/'))
}

/// `{{/* … */}}`. A glob in YAML can hold `/*`, so it counts only where a template opens it.
fn template_comments(text: &str, region: Span) -> Vec<Span> {
    let mut comments = Vec::new();
    let mut at = region.start;
    while let Some(open) = text.get(at..region.end).and_then(|rest| rest.find("/*")).map(|found| at + found) {
        let head = text.get(region.start..open).unwrap_or("");
        let template = head.trim_end().ends_with("{{") || head.ends_with("{{-") || head.ends_with("{{- ");
        let end = if template {
            let rest = text.get(open..region.end).unwrap_or("");
            rest.find("*/").map_or(region.end, |len| open + len + "*/".len())
        } else {
            open + "/*".len()
        };
        if template {
            comments.push(Span::new(open, end));
        }
        at = end;
    }
    comments
}
