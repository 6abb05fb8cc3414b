//! The outline of a block-style YAML text around what may be an image: what has to be parsed, and no more.
//!
//! Parsing costs more than everything else in a scan, and most lines of a manifest have nothing to do with its
//! images. Indentation alone tells which lines can matter: those with a host and those under a key that may hold a name
//! of Docker Hub, the lines around them (their mapping), and the direct children of everything that they are nested in.
//! Whatever is nested elsewhere is left out; a [`SpanMap`] leads from the outline back to the file.
//!
//! The outline is an optimisation that must not be seen: where a text has anything that indentation does not tell
//! there is none ([`indentation`]), and an outline that does not parse is thrown away.
//! `outline_and_whole_text_agree` in the tests holds it against the whole text.

use std::sync::LazyLock;

use super::hosts::{Hosts, Occurrence, Search};
use super::indentation::{self, Entries, Entry};
use super::names::has_image_word;
use super::{deny, deployers, releases};
use crate::yaml::SpanMap;

/// Below this many bytes the whole text is as quick.
pub(super) const WORTH_IT: usize = 1_500;

/// A neighbour of a hit may be a name or a tag on lines of its own: `repository: >-`. No more lines than this.
const SHORT: usize = 8;

/// A text with the lines that matter, and its way back.
pub(super) struct Outline {
    pub(super) text: String,
    pub(super) map: SpanMap,
}

/// What is kept of an entry.
#[derive(Clone, Copy, Default)]
struct Kept {
    /// Its direct children matter.
    open: bool,
    /// All that is nested in it matters.
    whole: bool,
}

/// `None` where the whole text must be parsed. `objects`: the text without CustomResourceDefinitions; `values`: it holds
/// values of a chart; `deploys`: it may hold objects that deploy something.
pub(super) fn around(
    text: &str,
    objects: &str,
    hosts: &Hosts,
    found: &[Occurrence],
    values: bool,
    deploys: bool,
) -> Option<Outline> {
    if needs_all(text, objects) {
        return None;
    }
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let entries = indentation::entries(&lines)?;
    if !values && !entries.documents().all(|roots| is_object(&roots))
        || deploys && holds_deployers(&lines, &entries)
    {
        return None;
    }
    let mut kept = vec![false; lines.len()];
    let mut wanted = vec![Kept::default(); entries.all.len()];
    let mut places = Places::new(&lines);
    for occurrence in found {
        let line = places.line(occurrence.needle.start);
        *kept.get_mut(line)? = true;
        open(&entries, &mut wanted, line);
    }
    if hosts.short_names() {
        let mut places = Places::new(&lines);
        let schemas = Schemas::new(&entries);
        for at in hosts.image_words(text) {
            let line = places.line(at);
            let Some(entry) = named(&entries, &schemas, line) else { continue };
            open(&entries, &mut wanted, line);
            wanted.get_mut(entry)?.whole = true;
        }
        for entry in schemas.named_defaults(&entries) {
            open(&entries, &mut wanted, entries.all.get(entry)?.line);
        }
    }
    keep(&entries, &mut wanted, &mut kept)?;
    let mut outline = Outline { text: String::with_capacity(text.len() / 4), map: SpanMap::default() };
    let mut at = 0;
    for (line, keep) in lines.iter().zip(&kept) {
        if *keep || line.starts_with("---") || line.starts_with("...") {
            outline.map.push(outline.text.len(), at, line.len());
            outline.text.push_str(line);
        }
        at += line.len();
    }
    (outline.text.len() < text.len() / 4 * 3).then_some(outline)
}

/// Texts in which something far away decides about a place: SOPS's metadata; values that are found through their
/// neighbours' names, and registries that stand for all below them; comments that are about the next line. In a
/// CustomResourceDefinition they are names of fields.
static FAR: LazyLock<Option<Search>> = LazyLock::new(|| {
    let signs = [
        "sops",
        "parameters:",
        "json-schema.org",
        "kustomize.config.k8s.io",
        "tekton.dev",
        "\n%",
        "global:",
        "global\"",
        "imageRegistry",
        "--set",
        "pullthru:",
        "\n  set:",
    ];
    Search::new(&signs).ok()
});

fn needs_all(text: &str, objects: &str) -> bool {
    let bytes = text.as_bytes();
    let lone = || memchr::memchr_iter(b'\r', bytes).any(|at| bytes.get(at + 1) != Some(&b'\n'));
    let far = |search: &Search| search.is_in(objects.as_bytes());
    text.starts_with('%') || FAR.as_ref().is_none_or(far) || lone() || !is_printable(text)
}

/// No document with other characters is YAML, wherever they stand (YAML 1.2.2, section 5.1).
fn is_printable(text: &str) -> bool {
    let control = |byte: u8| byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r') || byte == 0x7f;
    // Of characters that are not ASCII these are U+0080 to U+009F, but for the end of a line, and the last two of the plane.
    let other = |bytes: &[u8]| match bytes {
        [0xc2, second, ..] => (0x80..0xa0).contains(second) && *second != 0x85,
        [0xef, 0xbf, third, ..] => *third >= 0xbe,
        _ => false,
    };
    let bytes = text.as_bytes();
    let beyond =
        |lead: u8| memchr::memchr_iter(lead, bytes).any(|at| other(bytes.get(at..).unwrap_or_default()));
    // All of them, without a branch for each, many at a time.
    let controls = bytes.iter().fold(false, |found, &byte| found | control(byte));
    !controls && !beyond(0xc2) && !beyond(0xef)
}

/// An object of Kubernetes: what else there is may be a tool's, which its whole shape tells.
fn is_object(roots: &[&Entry<'_>]) -> bool {
    let has = |key: &str| roots.iter().any(|entry| entry.key == key);
    roots.is_empty() || has("apiVersion") && has("kind")
}

/// Does a document hold an object that deploys something? Its group says so; of a `List` any line may be that of an item.
fn holds_deployers(lines: &[&str], entries: &Entries<'_>) -> bool {
    let groups = || deployers::NEEDLES.iter().chain(&releases::NEEDLES);
    let names_group = |lines: &[&str]| lines.iter().any(|line| groups().any(|group| line.contains(group)));
    entries.documents().flatten().any(|entry| {
        let written = lines.get(entry.line..entry.scalar_end).unwrap_or_default();
        match entry.key {
            "apiVersion" => names_group(written),
            "kind" if written.iter().any(|line| line.contains("List")) => names_group(lines),
            _ => false,
        }
    })
}

/// Lines by the bytes in them, from the first to the last.
struct Places<'l, 't> {
    lines: &'l [&'t str],
    line: usize,
    end: usize,
}

impl<'l, 't> Places<'l, 't> {
    fn new(lines: &'l [&'t str]) -> Places<'l, 't> {
        Places { lines, line: 0, end: lines.first().map_or(0, |line| line.len()) }
    }

    fn line(&mut self, at: usize) -> usize {
        while at >= self.end && self.line + 1 < self.lines.len() {
            self.line += 1;
            self.end += self.lines.get(self.line).map_or(0, |line| line.len());
        }
        self.line
    }
}

/// Opens what a line is nested in.
fn open(entries: &Entries<'_>, wanted: &mut [Kept], line: usize) {
    let Some(last) = entries.at(line) else { return };
    for at in entries.around(last) {
        let (Some(entry), Some(wanted)) = (entries.all.get(at), wanted.get_mut(at)) else { return };
        if line < entry.end {
            if wanted.open {
                return;
            }
            wanted.open = true;
        }
    }
}

/// The entry in which a word of image keys stands, where it may be about a name without a host.
fn named(entries: &Entries<'_>, schemas: &Schemas, line: usize) -> Option<usize> {
    let at = entries.at(line)?;
    let entry = entries.all.get(at)?;
    // Otherwise it stands in a comment.
    let written = line < entry.scalar_end;
    let described = line > entry.line || !has_image_word(entry.key);
    let prose = described && deny::is_description(entry.key);
    (written && !prose && schemas.may_hold(at)).then_some(at)
}

/// Which entries are parts of OpenAPI schemas, where only defaults count.
struct Schemas {
    parts: Vec<Part>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Outside,
    Schema,
    Default,
}

impl Schemas {
    fn new(entries: &Entries<'_>) -> Schemas {
        let mut parts: Vec<Part> = Vec::with_capacity(entries.all.len());
        for entry in &entries.all {
            let above = entry.parent.and_then(|parent| entries.all.get(parent));
            let outer = entry.parent.and_then(|parent| parts.get(parent)).copied().unwrap_or(Part::Outside);
            // The key itself belongs to what is around it.
            let within = outer != Part::Outside || above.is_some_and(|above| above.key == "openAPIV3Schema");
            let default = entry.key == "default" && above.is_none_or(|above| above.key != "properties");
            parts.push(match outer {
                Part::Default => Part::Default,
                _ if within && default => Part::Default,
                _ if within => Part::Schema,
                _ => Part::Outside,
            });
        }
        Schemas { parts }
    }

    fn may_hold(&self, entry: usize) -> bool {
        self.parts.get(entry).is_none_or(|part| *part != Part::Schema)
    }

    /// Defaults of properties that are called like images.
    fn named_defaults<'e>(&'e self, entries: &'e Entries<'_>) -> impl Iterator<Item = usize> + 'e {
        let parts = self.parts.iter().enumerate().filter(|(_, part)| **part == Part::Default);
        let is_named = |entry: &Entry<'_>| {
            let property = entry.parent.and_then(|parent| entries.all.get(parent));
            property.is_some_and(|property| has_image_word(property.key))
        };
        parts.filter(move |(at, _)| entries.all.get(*at).is_some_and(is_named)).map(|(at, _)| at)
    }
}

/// Marks the lines of what is wanted.
fn keep(entries: &Entries<'_>, wanted: &mut [Kept], kept: &mut [bool]) -> Option<()> {
    for (index, entry) in entries.all.iter().enumerate() {
        let around = entry.parent.and_then(|parent| wanted.get(parent)).copied();
        let Kept { open: parent_open, whole: parent_whole } =
            around.unwrap_or(Kept { open: true, whole: false });
        let own = wanted.get_mut(index)?;
        own.whole |= parent_whole;
        // What names the object, the version beside a source's URL, and the other words of a command line.
        let names = ["metadata", "ref"].contains(&entry.key);
        own.open |= parent_open && entry.bare && names;
        own.whole |= parent_open && entry.bare && ["args", "command"].contains(&entry.key);
        let written = entry.scalar_end - entry.line;
        let all = own.whole
            || (own.open || parent_open && (entry.end - entry.line <= SHORT || entry.runs_on)) && !entry.bare;
        if all {
            kept.get_mut(entry.line..entry.end.max(entry.line + written))?.fill(true);
        } else if parent_open {
            *kept.get_mut(entry.line)? = true;
        }
    }
    Some(())
}
