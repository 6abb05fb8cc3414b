//! Literals in texts that are no YAML: chart templates, documents that do not parse, expressions and scripts
//! inside a scalar. Searched occurrence by occurrence; a literal counts only where it is whole.

use super::examine::Scalar;
use super::hosts::{Occurrence, Owner};
use super::literal::{self, Literal};
use super::place::Outer;
use super::site::{Embedding, Form, Mention, Obstacle, Reason, Role, Shape, Site};
use super::{Explorer, values};
use crate::yaml::{Span, SpanMap};

/// What an occurrence in a text is.
enum Verdict {
    Mention(Reason),
    Reference { literal: Literal, role: Role, obstacle: Option<Obstacle>, form: Form },
}

/// A text that stands in a scalar: an expression, a script, prose. Only what stands under an image key counts.
pub(super) fn text(
    explorer: &mut Explorer<'_>,
    scalar: &Scalar<'_, '_, '_>,
    text: &str,
    found: &[Occurrence],
) {
    for occurrence in found {
        match judge(text, occurrence, false) {
            Verdict::Mention(reason) => {
                explorer.mention(scalar, occurrence, reason);
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
pub(super) fn region(explorer: &mut Explorer<'_>, text: &str, region: Span, layer: &SpanMap, outer: &Outer) {
    for occurrence in &explorer.hosts.find_in(text, region) {
        let Some(needle) = layer.outer(occurrence.needle) else { continue };
        match judge(text, occurrence, true) {
            Verdict::Mention(reason) => {
                if occurrence.owner == Owner::Upstream {
                    explorer.found.mentions.push(Mention { span: needle, reason });
                }
            }
            Verdict::Reference { literal, role, obstacle, form } => {
                let Some(span) = layer.outer(literal.span) else { continue };
                let (_, line) = line_around(text, occurrence.host.start);
                let ignored = line.contains(super::IGNORE);
                let tail = if literal.tail.is_empty() { tag_below(text, span.end) } else { literal.tail };
                let shape = if literal.path.is_empty() {
                    Shape::Registry { span, path: String::new() }
                } else {
                    Shape::Name(span)
                };
                explorer.found.sites.push(Site {
                    form,
                    role,
                    inside: outer.inside,
                    object: outer.object.clone(),
                    field: key_before(text, occurrence.host.start).unwrap_or_default().to_owned(),
                    name: literal.name,
                    tail,
                    shape,
                    obstacle: if ignored { Some(Obstacle::Ignored) } else { literal.obstacle.or(obstacle) },
                    marker: super::marker_in(line),
                    covers: if occurrence.owner == Owner::Upstream { vec![needle] } else { Vec::new() },
                });
            }
        }
    }
}

/// `yaml`: the text has YAML's lines, so that any key counts and `#` begins a comment.
fn judge(text: &str, found: &Occurrence, yaml: bool) -> Verdict {
    let (line_start, line) = line_around(text, found.host.start);
    let before = line.get(..found.host.start - line_start).unwrap_or("");
    if in_comment(text, found.host.start, before, yaml) {
        return Verdict::Mention(Reason::Comment);
    }
    if !found.exact {
        return Verdict::Mention(Reason::OtherHost);
    }
    let token = before.rsplit(|c: char| c.is_whitespace() || "\"'`".contains(c)).next().unwrap_or("");
    if token.contains("https://") || token.contains("http://") {
        return Verdict::Mention(Reason::Url);
    }
    let literal = literal::read(text, found);
    let after = text.get(literal.end..).unwrap_or("");
    let key = key_before(text, found.host.start);
    if after.starts_with(['*', '?']) {
        return Verdict::Mention(Reason::Pattern);
    }
    if key.is_some_and(|key| ["description", "message", "summary"].contains(&key)) {
        return Verdict::Mention(Reason::Description);
    }
    let reference = |literal, role, obstacle, form| Verdict::Reference { literal, role, obstacle, form };
    if literal.is_bare_host() {
        let registry = key.is_some_and(values::is_registry_key);
        if yaml && registry {
            return reference(literal, Role::Image, Some(Obstacle::Template), Form::LoneRegistry);
        }
        return Verdict::Mention(if key.is_some() { Reason::BareHost } else { Reason::Text });
    }
    let whole =
        after.is_empty() || after.starts_with(|c: char| c.is_whitespace() || "\"'`},)]\\;#|".contains(c));
    let obstacle = (!whole).then_some(Obstacle::Computed);
    if before.ends_with("oci://") {
        return reference(literal, Role::Artifact, obstacle, Form::Artifact);
    }
    let image_key = key.is_some_and(is_image_key);
    if !yaml {
        return if image_key && whole {
            reference(literal, Role::Image, None, Form::TextLiteral)
        } else {
            Verdict::Mention(Reason::Text)
        };
    }
    // A kustomize matcher pairs with other files, which a text search cannot tell.
    let obstacle = obstacle.or((key == Some("name")).then_some(Obstacle::Template));
    if key.is_some()
        || is_literal_of_template(before)
        || before.trim_start().trim_start_matches("- ").trim().is_empty()
    {
        return reference(literal, Role::Image, obstacle, Form::TemplateText);
    }
    Verdict::Mention(Reason::Text)
}

/// A key that holds an image wherever it stands.
fn is_image_key(key: &str) -> bool {
    let lower = key.to_ascii_lowercase();
    lower.ends_with("image") || lower.ends_with("repository") || lower == "imagename" || lower == "newname"
}

/// `default "`, `coalesce "`, …: a quoted argument of a template's function.
fn is_literal_of_template(before: &str) -> bool {
    let Some(code) = before.rfind("{{").and_then(|open| before.get(open..)) else { return false };
    !code.contains("}}") && code.trim_end().ends_with(['"', '`'])
}

/// The key that the value at `at` stands under, on the same line: `image: "`, `"image":"`, `image = `.
fn key_before(text: &str, at: usize) -> Option<&str> {
    let (line_start, _) = line_around(text, at);
    let before = text.get(line_start..at)?;
    let before = before.strip_suffix("oci://").unwrap_or(before);
    let before = before.trim_end_matches(['"', '\'', '\\', '`']).trim_end();
    let before = before.strip_suffix([':', '='])?;
    let before = before.trim_end_matches(['"', '\'', '\\', ':']).trim_end_matches(' ');
    let start =
        before.rfind(|c: char| !(c.is_ascii_alphanumeric() || "_.-".contains(c))).map_or(0, |at| at + 1);
    let key = before.get(start..)?.trim_start_matches('-');
    (!key.is_empty()).then_some(key)
}

fn in_comment(text: &str, at: usize, before: &str, yaml: bool) -> bool {
    let trimmed = before.trim_start();
    if trimmed.starts_with('#') && yaml || trimmed.starts_with("//") {
        return true;
    }
    if yaml
        && before.contains(" #")
        && before.matches('"').count().is_multiple_of(2)
        && before.matches('\'').count().is_multiple_of(2)
    {
        return true;
    }
    let open = text.get(..at).and_then(|before| before.rfind("/*"));
    let close = text.get(..at).and_then(|before| before.rfind("*/"));
    // `{{/* … */}}` of Go templates. A glob in YAML can hold `/*`, so it counts only where a template opens it.
    open.is_some_and(|open| {
        close.is_none_or(|close| close < open)
            && text.get(..open).is_some_and(|head| {
                head.trim_end().ends_with("{{") || head.ends_with("{{-") || head.ends_with("{{- ")
            })
    })
}

/// The line that holds byte `at`, with its start.
pub(super) fn line_around(text: &str, at: usize) -> (usize, &str) {
    let start = text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |newline| newline + 1);
    let end = text.get(at..).and_then(|after| after.find('\n')).map_or(text.len(), |newline| at + newline);
    (start, text.get(start..end).unwrap_or(""))
}

/// A plain `tag:` on the next line; told to the reader only, since tags never change.
fn tag_below(text: &str, at: usize) -> String {
    let next = text.get(at..).and_then(|rest| rest.lines().nth(1)).unwrap_or("").trim();
    let tag = next.strip_prefix("tag:").map(|tag| tag.trim().trim_matches(['"', '\'']));
    match tag {
        Some(tag) if tag.starts_with("{{") && tag.ends_with("}}") => format!(":{tag}"),
        Some(tag) if !tag.is_empty() && !tag.contains([' ', '#']) => format!(":{tag}"),
        _ => String::new(),
    }
}
