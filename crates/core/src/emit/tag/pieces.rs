//! The pieces that a tag is cut into at `-` and `_`, and what each is: a commit, a number, a version, a time.

use std::collections::BTreeSet;

use crate::config::FluxRange;

/// What is known beside the tag itself.
#[derive(Clone, Debug, Default)]
pub(in crate::emit) struct Context {
    /// Where a tag in use has a commit for certain: how many pieces follow, and its length. A hash without a letter, or
    /// without a digit, is known by its neighbours.
    commits: BTreeSet<(usize, usize)>,
    pub(super) range: FluxRange,
}

impl Context {
    pub(in crate::emit) fn new<'t>(tags: impl Iterator<Item = &'t String>, range: FluxRange) -> Context {
        let mut commits = BTreeSet::new();
        for tag in tags {
            let pieces = pieces(tag, &Context::default());
            for (index, piece) in
                pieces.iter().enumerate().filter(|(_, piece)| has_letter_and_digit(piece.text))
            {
                commits.insert((pieces.len() - 1 - index, piece.text.len()));
            }
        }
        Context { commits, range }
    }
}

const COMMIT: &str = "[0-9a-f]{7,40}";

const INTEGER_DIGITS: usize = 18;

/// Words before a commit.
const HASHES: &[&str] = &["commit", "git", "sha", "sha1"];

#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'a> {
    /// What stands before it: `-`, `_`, `.`, or nothing.
    pub(super) joint: &'a str,
    pub(super) text: &'a str,
    /// It names a commit.
    pub(super) commit: bool,
}

pub(super) fn pieces<'a>(tag: &'a str, context: &Context) -> Vec<Piece<'a>> {
    let mut pieces = Vec::new();
    let mut push = |joint, text| pieces.push(Piece { joint, text, commit: false });
    let mut rest = tag;
    let mut joint = "";
    loop {
        let end = rest.find(['-', '_']).unwrap_or(rest.len());
        let (text, after) = rest.split_at(end);
        // `20250110.a1b2c3d`
        let (text, hash) = match text.rsplit_once('.') {
            Some((front, hash)) if has_letter_and_digit(hash) => (front, Some(hash)),
            _ => (text, None),
        };
        match attached(text) {
            // `1.2.3rc1`, `1.2.3.Final`
            Some((version, dot, word)) => {
                push(joint, version);
                push(dot, word);
            }
            None => push(joint, text),
        }
        hash.into_iter().for_each(|hash| push(".", hash));
        let Some((next, tail)) = after.split_at_checked(1) else { break };
        (joint, rest) = (next, tail);
    }
    let count = pieces.len();
    let mut before = "";
    for (index, piece) in pieces.iter_mut().enumerate() {
        let known = context.commits.contains(&(count - 1 - index, piece.text.len()));
        piece.commit = is_commit(piece.text, known || HASHES.contains(&before));
        before = piece.text;
    }
    pieces
}

/// Of a tag's characters only the dot means something to a regular expression.
pub(super) fn literal(text: &str) -> String {
    text.replace('.', "\\.")
}

/// A version of two numbers or more with a word right behind it, or behind a dot.
fn attached(text: &str) -> Option<(&str, &str, &str)> {
    let start = text.len() - text.trim_start_matches('v').len();
    let digits = text.get(start..)?.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (version, word) = text.split_at_checked(start + digits)?;
    let (version, dot) = version.strip_suffix('.').map_or((version, ""), |version| (version, "."));
    let letters = word.starts_with(|c: char| c.is_ascii_alphabetic());
    (letters && numbers(version).is_some_and(|(_, parts)| parts.len() > 1)).then_some((version, dot, word))
}

/// Seven to forty hexadecimal digits, where `git describe` puts a `g` before them. Without a letter they are a commit
/// unless they say a time; without a digit only where one is `expected`.
fn is_commit(text: &str, expected: bool) -> bool {
    let described = text.strip_prefix('g').filter(|rest| rest.len() >= 7);
    let hex = described.unwrap_or(text);
    if !is_hash(hex) {
        return false;
    }
    let digits = hex.bytes().filter(u8::is_ascii_digit).count();
    expected || described.is_some() || hex.len() == 40 || digits > 0 && !is_stamp(hex)
}

fn is_hash(text: &str) -> bool {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (7..=40).contains(&text.len()) && text.bytes().all(is_hex)
}

fn has_letter_and_digit(text: &str) -> bool {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    is_hash(text) && digits > 0 && digits < text.len()
}

pub(super) fn has_commit(pieces: &[Piece<'_>]) -> bool {
    pieces.iter().any(|piece| piece.commit)
}

impl Piece<'_> {
    /// What stands before it, in a pattern.
    pub(super) fn joint(&self) -> String {
        literal(self.joint)
    }
}

/// What a tag was built from: a commit may be another one next time, every other word stays.
pub(super) fn origin(piece: &Piece<'_>) -> String {
    match piece.commit {
        // `git describe` puts a g before the commit.
        true if piece.text.starts_with('g') => format!("g{COMMIT}"),
        true => COMMIT.to_owned(),
        false => literal(piece.text),
    }
}

/// `v1.2`, `release.1.2.3`, `17`: letters and the numbers behind them.
pub(super) fn numbers(text: &str) -> Option<(&str, Vec<&str>)> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let (letters, digits) = text.split_at_checked(start)?;
    if !letters.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'.') {
        return None;
    }
    let parts: Vec<&str> = digits.split('.').collect();
    let number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    parts.iter().all(number).then_some((letters, parts))
}

/// `1.2`, `v1.2.3`.
pub(super) fn is_version(text: &str) -> bool {
    numbers(text).is_some_and(|(_, parts)| parts.len() > 1)
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

pub(super) fn is_year(part: &str) -> bool {
    part.len() == 4 && (part.starts_with("19") || part.starts_with("20"))
}

/// A date, or seconds or milliseconds since 1970.
pub(super) fn is_stamp(text: &str) -> bool {
    let date = |text: &str| text.get(..4).is_some_and(is_year);
    is_number(text)
        && match text.len() {
            8 | 12 | 14 => date(text),
            10 | 13 => text.starts_with('1'),
            _ => false,
        }
}

/// `20250110`.
pub(super) fn is_day(text: &str) -> bool {
    text.len() == 8 && is_stamp(text)
}
