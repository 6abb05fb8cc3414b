//! Reads one tag: which part of it counts, which part says what it was built from, and which part must stay.
//!
//! In the order in which they read: [`shape`] is what comes out, [`pieces`] cuts a tag, [`version`] and [`dated`] read two
//! families; numbers without dots are read here. A tag is cut at `-` and `_` into pieces. [`read`] turns it into a [`Shape`]: the filter that finds its
//! successors among all tags, and the order in which they follow each other. Flux sorts tags by strict semantic
//! versions, by number or by letter; everything else is brought into one of these by the filter's `extract`. Of two tags
//! with one extract Flux takes either, so that what an extract leaves out must not tell two builds apart: such tags are
//! [`Unordered`].

mod dated;
mod pieces;
mod shape;
mod version;

use dated::dated;
pub(super) use pieces::Context;
use pieces::{Piece, has_commit, is_day, is_stamp, literal, numbers, origin, pieces, strict, value};
pub use shape::{Filter, Unordered};
pub(super) use shape::{Kind, Shape};
use shape::{filtered, width};
use version::{is_counter, is_pre_release, versioned};

use crate::config::FluxRange;

/// The longest number that Flux compares exactly: `float64` for numbers, `uint64` for versions.
const FLOAT_DIGITS: usize = 15;

/// Words before a number that names a change instead of counting.
const CHANGES: &[&str] = &["issue", "merge", "mr", "pr", "pull", "request", "ticket"];

/// Branches of one change, whatever number stands in their name.
const CHANGE_BRANCHES: &[&str] = &["bugfix", "chore", "dependabot", "feat", "feature", "fix", "renovate"];

/// Branches and stages whose builds are counted.
const STAGES: &[&str] = &["ci", "develop", "main", "master", "prod", "qa", "release", "staging", "test"];

/// Branches that have a number themselves.
const NUMBERED_BRANCHES: &[&str] = &["branch", "rel", "release", "stable", "support"];

pub(super) fn read(tag: &str, context: &Context) -> Result<Shape, Unordered> {
    let pieces = pieces(tag, context);
    if let [Piece { commit: true, .. }] = pieces.as_slice() {
        return Err(Unordered::Commit);
    }
    if names_a_change(&pieces) {
        return Err(Unordered::Change);
    }
    // A commit may look like a date.
    let is_dated = !pieces.iter().any(|piece| piece.commit && is_stamp(piece.text));
    let found = match is_dated.then(|| dated(tag, context)).transpose()?.flatten() {
        Some(shape) => Some(shape),
        None => versioned(&pieces, context)?,
    };
    let found = match found {
        Some(shape) => Some(shape),
        None => numbered(&pieces, context)?,
    };
    match found {
        Some(shape) => Ok(shape),
        None if has_commit(&pieces) => Err(Unordered::Commit),
        None => Ok(fixed(tag)),
    }
}

fn fixed(tag: &str) -> Shape {
    filtered(Kind::Moving, &literal(tag), None)
}

/// `pr-17`, `pr17`, `mr-3-a1b2c3d`, `feature-search-123`, `SHOP-123`.
fn names_a_change(pieces: &[Piece<'_>]) -> bool {
    if pieces.first().is_some_and(|first| CHANGE_BRANCHES.contains(&first.text.to_ascii_lowercase().as_str()))
    {
        return true;
    }
    pieces.iter().enumerate().any(|(index, piece)| {
        let word = piece.text.trim_end_matches(|c: char| c.is_ascii_digit());
        // The number may be in the piece of its word, or in the next.
        match (word.is_empty(), index.checked_sub(1).and_then(|before| pieces.get(before))) {
            (true, Some(before)) => is_change(before.text, index == 1),
            (true, None) => false,
            (false, _) => {
                word.len() < piece.text.len() && CHANGES.contains(&word.to_ascii_lowercase().as_str())
            }
        }
    })
}

/// Is this the word before the number of a change? A tag may begin with the key of a project in a tracker, in capitals.
fn is_change(word: &str, begins: bool) -> bool {
    let is_key = begins && word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_uppercase());
    let lower = word.to_ascii_lowercase();
    let counts = is_counter(&lower) || is_pre_release(&lower) || STAGES.contains(&lower.as_str());
    CHANGES.contains(&lower.as_str()) || is_key && !counts
}

/// `1234`, `v4`, `main-1a2b3c4-1700000000`, `22-alpine`: numbers without dots.
fn numbered(pieces: &[Piece<'_>], context: &Context) -> Result<Option<Shape>, Unordered> {
    let found: Vec<&str> = pieces.iter().filter_map(number).collect();
    let names = ["number", "second", "third"];
    if found.is_empty() || found.len() > names.len() {
        return Ok(None);
    }
    let mut unused = names.iter();
    let mut pattern = String::new();
    for piece in pieces {
        pattern.push_str(&piece.joint());
        match number(piece) {
            Some(digits) => {
                let letters = piece.text.strip_suffix(digits).unwrap_or("");
                let name = unused.next().unwrap_or(&"");
                pattern.push_str(&format!("{letters}(?P<{name}>{})", width_at(pieces, digits)));
            }
            None => pattern.push_str(&origin(piece)),
        }
    }
    let is_line = |digits: &&str| digits.len() <= 3;
    if let [only] = found.as_slice() {
        let first = pieces.first().map(|first| first.text.to_ascii_lowercase()).unwrap_or_default();
        if has_commit(pieces) && NUMBERED_BRANCHES.contains(&first.as_str()) && !is_stamp(only) {
            return Err(Unordered::Commit);
        }
        if has_commit(pieces) && is_day(only) {
            return Err(Unordered::CommitOfDay);
        }
        // A major version and a number of builds look alike: a range that is to keep to one line follows neither.
        if context.range != FluxRange::Any && is_line(only) && !has_commit(pieces) {
            return Ok(None);
        }
        if only.len() <= FLOAT_DIGITS {
            // A bare number is its own extract.
            let bare = matches!(pieces, [piece] if piece.text == *only);
            return Ok(Some(match bare {
                true => filtered(Kind::Numerical, &width_at(pieces, only), None),
                false => filtered(Kind::Numerical, &pattern, Some("$number")),
            }));
        }
        if has_commit(pieces) {
            return Err(Unordered::Commit);
        }
        return Ok(Some(filtered(Kind::Alphabetical, &pattern.replace("(?P<number>", "("), None)));
    }
    if !found.iter().all(|digits| strict(digits)) {
        return Ok(None);
    }
    let mut version = [0; 3];
    for (slot, digits) in version.iter_mut().zip(&found) {
        *slot = value(digits);
    }
    let extract = match found.len() {
        2 => "$number.$second.0",
        _ => "$number.$second.$third",
    };
    let calendar = !found.first().is_some_and(is_line);
    let kind = Kind::Semver { version, pre: false, unfinished: false, calendar };
    Ok(Some(filtered(kind, &pattern, Some(extract))))
}

/// A tag that begins with one or two digits has a major version: the year that a project once counted by is no later one.
fn width_at(pieces: &[Piece<'_>], digits: &str) -> String {
    let begins = pieces.first().and_then(number) == Some(digits) && !has_commit(pieces);
    if begins && digits.len() <= 2 { "[0-9]{1,3}".to_owned() } else { width(digits) }
}

/// The number that a piece is, maybe behind a `v` or a word that counts: `r9`.
fn number<'a>(piece: &Piece<'a>) -> Option<&'a str> {
    let (letters, parts) = numbers(piece.text)?;
    let alone =
        parts.len() == 1 && (letters.is_empty() || letters == "v" || is_counter(letters)) && !piece.commit;
    parts.first().copied().filter(|_| alone)
}
