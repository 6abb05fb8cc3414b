//! The outline of a block-style YAML text around the hosts in it: what has to be parsed, and no more.
//!
//! Parsing costs more than everything else in a scan, and most lines of a manifest have nothing to do with its
//! images. Indentation alone shows which lines can matter to a hit: the lines around it (its mapping), and the
//! direct children of everything that it is nested in. Whatever is nested elsewhere is left out; a [`SpanMap`]
//! leads from the outline back to the file.
//!
//! The outline is an optimisation that must not be seen: where a text has anything that indentation does not tell
//! (anchors, templates, tabs, directives, flow style at the root) there is none, and an outline that does not
//! parse is thrown away. `outline_and_whole_text_agree` in the tests holds it against the whole text.

use super::hosts::Occurrence;
use crate::yaml::SpanMap;

/// Below this many bytes the whole text is as quick.
const WORTH_IT: usize = 1_500;

/// A neighbour of a hit may be a name or a tag on lines of its own: `repository: >-`. No more lines than this.
const SHORT: usize = 8;

/// A text with the lines that matter, and its way back.
pub(super) struct Outline {
    pub(super) text: String,
    pub(super) map: SpanMap,
}

/// One key or dash of the text. A line such as `- name: x` has two.
struct Entry {
    line: usize,
    level: usize,
    parent: Option<usize>,
    /// Nothing stands behind the colon or the dash: what is nested is a collection.
    bare: bool,
    /// First line after everything that is nested in it.
    end: usize,
    /// The direct children matter.
    open: bool,
}

/// `None` where the whole text must be parsed.
pub(super) fn around(text: &str, found: &[Occurrence]) -> Option<Outline> {
    if text.len() < WORTH_IT
        || text.trim_start_matches('\u{feff}').trim_start().starts_with(['{', '['])
        || needs_all(text)
    {
        return None;
    }
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let mut kept = vec![false; lines.len()];
    mark_lines_with_hits(&lines, found, &mut kept);
    let hits = kept.clone();
    let mut entries = entries(&lines)?;
    open_ancestors(&mut entries, &hits);
    open_around_hits_in_comments(&mut entries, &hits);
    for index in 0..entries.len() {
        let entry = entries.get(index)?;
        let parent = entry.parent.and_then(|parent| entries.get(parent));
        let named = |key: &str| lines.get(entry.line).is_some_and(|line| line.trim_start().starts_with(key));
        let parent_open = parent.is_none_or(|parent| parent.open);
        if parent_open {
            *kept.get_mut(entry.line)? = true;
            // What names the object, and the version beside a source's URL.
            if entry.bare && (named("metadata:") || named("ref:")) {
                entries.get_mut(index)?.open = true;
                continue;
            }
        }
        // A scalar that runs over lines is wanted whole.
        let entry = entries.get(index)?;
        let short = parent_open && entry.end - entry.line <= SHORT;
        if (entry.open || short) && !entry.bare {
            kept.get_mut(entry.line..entry.end)?.fill(true);
        }
    }
    let ignores = text.contains("pullthru:");
    let mut outline = Outline { text: String::with_capacity(text.len() / 4), map: SpanMap::default() };
    let mut at = 0;
    for (line, keep) in lines.iter().zip(&kept) {
        let marker = line.starts_with("---") || line.starts_with("...");
        if *keep || marker || ignores && line.contains("pullthru:") {
            outline.map.push(outline.text.len(), at, line.len());
            outline.text.push_str(line);
        }
        at += line.len();
    }
    (outline.text.len() < text.len() / 4 * 3).then_some(outline)
}

/// Texts in which something far away decides about a place.
fn needs_all(text: &str) -> bool {
    // Anchors, templates, tabs; SOPS's metadata; values that are found through their neighbours' names, and registries
    // that stand for all below them.
    const SIGNS: [&str; 10] = [
        "{{",
        "sops:",
        "parameters:",
        "json-schema.org",
        "kustomize.config.k8s.io",
        "\n%",
        "\n? ",
        "global:",
        "imageRegistry:",
        "--set",
    ];
    text.contains(['&', '\t']) || SIGNS.iter().any(|sign| text.contains(sign)) || text.starts_with('%')
}

fn mark_lines_with_hits(lines: &[&str], found: &[Occurrence], kept: &mut [bool]) {
    let mut end = 0;
    let mut line = 0;
    for occurrence in found {
        while line < lines.len()
            && end + lines.get(line).map_or(0, |line| line.len()) <= occurrence.needle.start
        {
            end += lines.get(line).map_or(0, |line| line.len());
            line += 1;
        }
        if let Some(kept) = kept.get_mut(line) {
            *kept = true;
        }
    }
}

/// The nesting that indentation shows; `None` for forms that it does not.
fn entries(lines: &[&str]) -> Option<Vec<Entry>> {
    let mut entries: Vec<Entry> = Vec::with_capacity(lines.len());
    let mut stack: Vec<usize> = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let body = line.trim_start_matches('\u{feff}').trim_end();
        let content = body.trim_start_matches(' ');
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        if body.starts_with("---") || body.starts_with("...") {
            close(&mut entries, &mut stack, 0, number)?;
            if body.len() > 3 && !body.trim_start_matches(['-', '.']).trim_start().starts_with('#') {
                return None;
            }
            continue;
        }
        let indent = body.len() - content.len();
        let mut push = |level: usize, bare: bool| {
            close(&mut entries, &mut stack, level, number)?;
            let parent = stack.last().copied();
            stack.push(entries.len());
            entries.push(Entry { line: number, level, parent, bare, end: lines.len(), open: false });
            Some(())
        };
        match content.strip_prefix('-').filter(|rest| rest.is_empty() || rest.starts_with(' ')) {
            Some(rest) => {
                let inner = rest.trim_start_matches(' ');
                if inner.starts_with("- ") || inner == "-" {
                    return None;
                }
                // A dash stands between the keys of its own column and those one further in.
                // A block or quoted scalar may stand as far in as the keys of a mapping would.
                let scalar = inner.starts_with(['|', '>', '"', '\'']) && !is_bare(inner);
                push(indent * 2 + 1, !scalar)?;
                if !scalar && !inner.is_empty() && !inner.starts_with('#') {
                    push((indent + content.len() - inner.len()) * 2, is_bare(inner))?;
                }
            }
            None => push(indent * 2, is_bare(content))?,
        }
    }
    Some(entries)
}

/// Ends all open entries of this level and deeper.
fn close(entries: &mut [Entry], stack: &mut Vec<usize>, level: usize, line: usize) -> Option<()> {
    while let Some(&top) = stack.last() {
        let entry = entries.get_mut(top)?;
        if entry.level < level {
            break;
        }
        entry.end = line;
        stack.pop();
    }
    Some(())
}

/// `key:`, maybe with a comment behind it.
fn is_bare(content: &str) -> bool {
    let content = content.find(" #").and_then(|comment| content.get(..comment)).unwrap_or(content);
    content.trim_end().ends_with(':')
}

fn open_ancestors(entries: &mut [Entry], hits: &[bool]) {
    for index in 0..entries.len() {
        let hit = entries.get(index).is_some_and(|entry| hits.get(entry.line) == Some(&true));
        let mut at = if hit { Some(index) } else { None };
        while let Some(entry) = at.and_then(|at| entries.get_mut(at)).filter(|entry| !entry.open) {
            entry.open = true;
            at = entry.parent;
        }
    }
}

/// A hit on a line that looks like a comment may be in a block scalar, which is wanted whole.
fn open_around_hits_in_comments(entries: &mut [Entry], hits: &[bool]) {
    for line in hits.iter().enumerate().filter_map(|(line, hit)| hit.then_some(line)) {
        let before = entries.partition_point(|entry| entry.line < line);
        let mut at = before.checked_sub(1);
        while let Some(entry) = at.and_then(|at| entries.get_mut(at)) {
            entry.open |= line < entry.end;
            at = entry.parent;
        }
    }
}
