//! Images of which the same is so, as one entry with their number: a registry that is down is one thing to say.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::place::PlaceRow;
use super::{Paint, count, quoted};

/// Images of a group that are named before it only counts.
const SHOWN: usize = 5;

/// One image of a group.
pub(super) struct Member<'r> {
    pub(super) reference: &'r str,
    pub(super) places: &'r [PlaceRow],
    pub(super) releases: &'r [String],
}

/// Rows with the same key, by the first of each.
pub(super) fn alike<'r, R, K: Ord>(
    rows: impl Iterator<Item = &'r R>,
    key: impl Fn(&'r R) -> K,
) -> Vec<Vec<&'r R>> {
    let mut groups: Vec<Vec<&R>> = Vec::new();
    let mut known: BTreeMap<K, usize> = BTreeMap::new();
    for row in rows {
        let number = *known.entry(key(row)).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        if let Some(group) = groups.get_mut(number) {
            group.push(row);
        }
    }
    groups
}

/// What is so, what to do, and the images; with `all` every one of them.
pub(super) fn human(
    (because, next): (&str, Option<&str>),
    members: &[Member<'_>],
    all: bool,
    out: &mut dyn Write,
    paint: Paint,
) -> io::Result<()> {
    writeln!(out, "  {because}")?;
    if let Some(next) = next {
        writeln!(out, "  {} {next}", paint.dim("→"))?;
    }
    let shown = if all { members.len() } else { SHOWN };
    for member in members.iter().take(shown) {
        let mut places: Vec<String> =
            member.places.iter().map(|place| format!("{}:{}", quoted(&place.path), place.line)).collect();
        if !all && places.len() > SHOWN {
            let more = count(places.len() - SHOWN, "more place");
            places.truncate(SHOWN);
            places.push(format!("and {more}"));
        }
        if !member.releases.is_empty() {
            places.push(format!("chart of {}", quoted(&member.releases.join(", "))));
        }
        writeln!(out, "    {}  {}", member.reference, paint.dim(&places.join(" ")))?;
    }
    if members.len() > shown {
        let text = format!("and {}: `-v` names all", count(members.len() - shown, "more image"));
        writeln!(out, "    {}", paint.dim(&text))?;
    }
    Ok(())
}
