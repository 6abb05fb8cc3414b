//! Reads one tag: which part of it counts, which part says what it was built from, and which part must stay.
//!
//! A tag is cut at `-` and `_` into pieces. [`read`] turns it into a [`Shape`]: the filter that finds its
//! successors among all tags, and the order in which they follow each other. Flux sorts tags by strict semantic
//! versions, by number or by letter; everything else is brought into one of these by the filter's `extract`.

use super::dated::{dated, widths};
use super::policy::Filter;

/// A tag as a policy sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) kind: Kind,
    /// `None` where every strict semantic version follows.
    pub(super) filter: Option<Filter>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Of versions, after the filter's extract.
    Semver {
        version: [u64; 3],
        /// The version, or what the extract makes of it, has a pre-release part.
        pre: bool,
        /// The tag itself is a pre-release, so that the next version may be one.
        unfinished: bool,
        /// The first number is a year: it says nothing of compatibility.
        calendar: bool,
    },
    Numerical,
    Alphabetical,
    /// A name that moves from image to image: `latest`, `main`, `stable`.
    Moving,
    /// A commit: it never moves, and nothing follows it.
    Commit,
}

/// The longest number that Flux compares exactly: `float64` for numbers, `uint64` for versions.
const FLOAT_DIGITS: usize = 15;
const INTEGER_DIGITS: usize = 18;

const COMMIT: &str = "[0-9a-f]{7,40}";

/// Words before a release; anything else behind a version is a variant of it.
const PRE_RELEASE: &[&str] = &[
    "a",
    "alpha",
    "b",
    "beta",
    "canary",
    "dev",
    "ea",
    "m",
    "milestone",
    "next",
    "nightly",
    "pre",
    "preview",
    "rc",
    "snapshot",
];

/// Words before a number that counts builds of one version.
const COUNTERS: &[&str] = &["b", "build", "hotfix", "ls", "p", "patch", "r", "rev"];

pub(super) fn read(tag: &str) -> Shape {
    let pieces = pieces(tag);
    if let [Piece { text, .. }] = pieces.as_slice()
        && is_commit(text)
    {
        return fixed(tag, Kind::Commit);
    }
    dated(tag)
        .or_else(|| versioned(&pieces))
        .or_else(|| numbered(&pieces))
        .unwrap_or_else(|| fixed(tag, if has_commit(&pieces) { Kind::Commit } else { Kind::Moving }))
}

fn fixed(tag: &str, kind: Kind) -> Shape {
    let filter = Filter { pattern: format!("^{}$", literal(tag)), extract: None };
    Shape { kind, filter: Some(filter) }
}

pub(super) fn filtered(kind: Kind, pattern: &str, extract: Option<&str>) -> Option<Shape> {
    let filter = Filter { pattern: format!("^{pattern}$"), extract: extract.map(str::to_owned) };
    Some(Shape { kind, filter: Some(filter) })
}

/// Of a tag's characters only the dot means something to a regular expression.
pub(super) fn literal(text: &str) -> String {
    text.replace('.', "\\.")
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'a> {
    /// What stands before it: `-`, `_`, or nothing.
    pub(super) joint: &'a str,
    pub(super) text: &'a str,
}

pub(super) fn pieces(tag: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = tag;
    let mut joint = "";
    loop {
        let end = rest.find(['-', '_']).unwrap_or(rest.len());
        let (text, after) = rest.split_at(end);
        match attached(text) {
            // `1.2.3rc1`
            Some((version, word)) => {
                pieces.push(Piece { joint, text: version });
                pieces.push(Piece { joint: "", text: word });
            }
            None => pieces.push(Piece { joint, text }),
        }
        let Some((next, tail)) = after.split_at_checked(1) else { return pieces };
        (joint, rest) = (next, tail);
    }
}

/// A version of two numbers or more with a word right behind it.
fn attached(text: &str) -> Option<(&str, &str)> {
    let start = text.len() - text.trim_start_matches('v').len();
    let digits = text.get(start..)?.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (version, word) = text.split_at_checked(start + digits)?;
    let letters = word.starts_with(|c: char| c.is_ascii_alphabetic());
    (letters && numbers(version).is_some_and(|(_, parts)| parts.len() > 1)).then_some((version, word))
}

fn is_commit(text: &str) -> bool {
    let hex = text.strip_prefix('g').filter(|rest| rest.len() >= 7).unwrap_or(text);
    let digits = hex.bytes().filter(u8::is_ascii_digit).count();
    (7..=40).contains(&hex.len())
        && hex.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
        && digits < hex.len()
        && (digits > 0 || hex.len() == 40)
}

fn has_commit(pieces: &[Piece<'_>]) -> bool {
    pieces.iter().any(|piece| is_commit(piece.text))
}

fn commit(text: &str) -> String {
    // `git describe` puts a g before the commit.
    let git = text.starts_with('g');
    format!("{}{COMMIT}", if git { "g" } else { "" })
}

/// `v1.2`, `release.1.2.3`, `17`: letters and the numbers behind them.
fn numbers(text: &str) -> Option<(&str, Vec<&str>)> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let (letters, digits) = text.split_at_checked(start)?;
    if !letters.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'.') {
        return None;
    }
    let parts: Vec<&str> = digits.split('.').collect();
    let number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    parts.iter().all(number).then_some((letters, parts))
}

pub(super) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A number that a strict version may hold.
pub(super) fn strict(part: &str) -> bool {
    is_number(part) && part.len() <= INTEGER_DIGITS && (part == "0" || !part.starts_with('0'))
}

pub(super) fn value(part: &str) -> u64 {
    part.parse().unwrap_or(0)
}

/// Tags with a dotted version: alone, before a release, or with what it was built from around it.
fn versioned(pieces: &[Piece<'_>]) -> Option<Shape> {
    let version_at = |wanted: fn(&str) -> bool| {
        pieces.iter().position(|piece| {
            numbers(piece.text).is_some_and(|(letters, parts)| parts.len() > 1 && wanted(letters))
        })
    };
    let at = version_at(|letters| letters.is_empty() || letters == "v").or_else(|| version_at(|_| true))?;
    let (before, rest) = pieces.split_at_checked(at)?;
    let (piece, after) = rest.split_first()?;
    let (letters, parts) = numbers(piece.text)?;
    if !parts.iter().all(|part| strict(part)) {
        return padded(pieces, at);
    }
    let mut version = [0; 3];
    for (slot, part) in version.iter_mut().zip(&parts) {
        *slot = value(part);
    }
    let calendar = parts.first().is_some_and(|part| is_year(part));
    let bare = before.is_empty() && (letters.is_empty() || letters == "v");
    let semver = |pre, unfinished| Kind::Semver { version, pre, unfinished, calendar };
    if bare && parts.len() == 3 {
        if after.is_empty() {
            return Some(Shape { kind: semver(false, false), filter: None });
        }
        if let Some(word) = pre_release(after) {
            let pattern = format!("{letters}[0-9]+\\.[0-9]+\\.[0-9]+(-{word}[0-9.-]*)?");
            return filtered(semver(true, true), &pattern, None);
        }
    }
    let mut pattern = String::new();
    let mut extract = "$version".to_owned();
    let mut counters: Vec<&str> = Vec::new();
    for piece in before {
        pattern.push_str(piece.joint);
        pattern.push_str(&origin(piece.text));
    }
    pattern.push_str(piece.joint);
    pattern.push_str(&literal(letters));
    match parts.len() {
        2 => {
            pattern.push_str("(?P<version>[0-9]+\\.[0-9]+)");
            extract.push_str(".0");
        }
        3 => pattern.push_str("(?P<version>[0-9]+\\.[0-9]+\\.[0-9]+)"),
        4 => {
            pattern.push_str("(?P<version>[0-9]+\\.[0-9]+\\.[0-9]+)\\.(?P<build>[0-9]+)");
            counters.push("$build");
        }
        _ => return None,
    }
    let mut unfinished = false;
    for (index, piece) in after.iter().enumerate() {
        pattern.push_str(piece.joint);
        let last = after.get(index + 1..).is_none_or(|rest| rest.iter().all(|piece| is_commit(piece.text)));
        let free = !counters.contains(&"$revision");
        match counter(piece.text) {
            Some((word, number)) if free && strict(number) && counts(word, number, index, last) => {
                unfinished |= is_pre_release(word);
                pattern.push_str(&format!("{}(?P<revision>[0-9]+)", literal(word)));
                counters.push("$revision");
            }
            _ => pattern.push_str(&origin(piece.text)),
        }
    }
    if !counters.is_empty() {
        // The numbers of a pre-release compare as numbers, which is what counts builds.
        extract.push('-');
        extract.push_str(&counters.join("."));
    }
    filtered(semver(!counters.is_empty(), unfinished), &pattern, Some(&extract))
}

/// What a tag was built from: a commit may be another one next time, every other word stays.
pub(super) fn origin(text: &str) -> String {
    if is_commit(text) { commit(text) } else { literal(text) }
}

/// Does everything behind the version say that it is not released yet? Then the word that says so.
fn pre_release<'a>(after: &[Piece<'a>]) -> Option<&'a str> {
    let (first, rest) = after.split_first()?;
    let letters = first.text.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let numbers =
        rest.iter().all(|piece| piece.joint == "-" && numbers(piece.text).is_some_and(|(l, _)| l.is_empty()));
    // Strict versions know one number behind a dot, and none with a zero before it.
    let identifiers = first.text.get(letters.len()..)?.trim_start_matches('.').split('.');
    let strict = identifiers.filter(|part| !part.is_empty()).all(strict);
    let ends = !first.text.ends_with('.') && !first.text.contains("..");
    (first.joint == "-" && is_pre_release(letters) && numbers && strict && ends).then_some(letters)
}

fn is_pre_release(word: &str) -> bool {
    let word = word.trim_end_matches('.').to_ascii_lowercase();
    PRE_RELEASE.contains(&word.as_str())
}

/// `r4`, `rc.1`, `20240115`: letters, maybe a dot, and one number.
fn counter(text: &str) -> Option<(&str, &str)> {
    let word = text.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = text.get(word.len()..)?;
    let letters = word.strip_suffix('.').unwrap_or(word);
    (!number.is_empty() && letters.bytes().all(|byte| byte.is_ascii_alphabetic())).then_some((word, number))
}

/// A number counts builds right behind the version or when it is a date; a word with a number when it is known to
/// count (`debian-12` is another image than `debian-13`, `r4` is an older one than `r5`).
fn counts(word: &str, number: &str, index: usize, last: bool) -> bool {
    if word.is_empty() {
        return index == 0 || number.len() >= 8;
    }
    let known = COUNTERS.contains(&word.trim_end_matches('.').to_ascii_lowercase().as_str());
    last && (known || is_pre_release(word))
}

/// Numbers with zeros before them are no strict version, but sort by letter as long as each keeps its width.
fn padded(pieces: &[Piece<'_>], at: usize) -> Option<Shape> {
    let mut pattern = String::new();
    for (index, piece) in pieces.iter().enumerate() {
        pattern.push_str(piece.joint);
        if index == at {
            pattern.push_str(&widths(piece.text));
        } else {
            pattern.push_str(&origin(piece.text));
        }
    }
    filtered(Kind::Alphabetical, &pattern, None)
}

pub(super) fn is_year(part: &str) -> bool {
    part.len() == 4 && (part.starts_with("19") || part.starts_with("20"))
}

/// `1234`, `v4`, `main-1a2b3c4-1700000000`, `22-alpine`: numbers without dots.
fn numbered<'a>(pieces: &[Piece<'a>]) -> Option<Shape> {
    let stamped = pieces.iter().any(|piece| is_stamp(piece.text));
    // Every now and then a commit has no letter.
    let is_commit = |text: &str| {
        is_commit(text) || stamped && is_number(text) && (7..=40).contains(&text.len()) && !is_stamp(text)
    };
    let number = |piece: &Piece<'a>| -> Option<&'a str> {
        let (letters, parts) = numbers(piece.text)?;
        let alone = parts.len() == 1 && (letters.is_empty() || letters == "v") && !is_commit(piece.text);
        parts.first().copied().filter(|_| alone)
    };
    let found: Vec<&str> = pieces.iter().filter_map(number).collect();
    let groups = ["$number", "$second", "$third"];
    if found.is_empty() || found.len() > groups.len() {
        return None;
    }
    let mut names = groups.iter();
    let mut pattern = String::new();
    for piece in pieces {
        pattern.push_str(piece.joint);
        match number(piece) {
            Some(digits) => {
                let letters = piece.text.strip_suffix(digits).unwrap_or("");
                let name = names.next()?.trim_start_matches('$');
                pattern.push_str(&format!("{letters}(?P<{name}>{})", width(digits)));
            }
            None if is_commit(piece.text) => pattern.push_str(&commit(piece.text)),
            None => pattern.push_str(&literal(piece.text)),
        }
    }
    if let [only] = found.as_slice() {
        if only.len() <= FLOAT_DIGITS {
            // A bare number is its own extract.
            let bare = pieces.len() == 1 && pieces.first().is_some_and(|piece| piece.text == *only);
            return match bare {
                true => filtered(Kind::Numerical, &width(only), None),
                false => filtered(Kind::Numerical, &pattern, Some("$number")),
            };
        }
        let pattern = pattern.replace("(?P<number>", "(");
        return filtered(Kind::Alphabetical, &pattern, None);
    }
    if !found.iter().all(|digits| strict(digits)) {
        return None;
    }
    let mut version = [0; 3];
    for (slot, digits) in version.iter_mut().zip(&found) {
        *slot = value(digits);
    }
    let extract = match found.len() {
        2 => "$number.$second.0",
        _ => "$number.$second.$third",
    };
    let kind = Kind::Semver { version, pre: false, unfinished: false, calendar: true };
    filtered(kind, &pattern, Some(extract))
}

/// A date, or seconds or milliseconds since 1970.
fn is_stamp(text: &str) -> bool {
    let date = |text: &str| text.get(..4).is_some_and(is_year);
    is_number(text)
        && match text.len() {
            8 | 12 | 14 => date(text),
            10 | 13 => text.starts_with('1'),
            _ => false,
        }
}

/// How many digits the next number may have: a stamp has its own, and a commit that happens to be all digits is no
/// build number.
fn width(digits: &str) -> String {
    match digits.len() {
        len @ 1..=6 if !is_stamp(digits) && len <= 6 => "[0-9]{1,6}".to_owned(),
        len => format!("[0-9]{{{len}}}"),
    }
}
