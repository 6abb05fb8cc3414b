//! Reads one tag: which part of it counts, which part says what it was built from, and which part must stay.
//!
//! A tag is cut at `-` and `_` into pieces. [`read`] turns it into a [`Shape`]: the filter that finds its
//! successors among all tags, and the order in which they follow each other. Flux sorts tags by strict semantic
//! versions, by number or by letter; everything else is brought into one of these by the filter's `extract`. Of two tags
//! with one extract Flux takes either, so that what an extract leaves out must not tell two builds apart: such tags are
//! [`Unordered`].

use std::collections::BTreeSet;

use super::dated::{dated, widths};
use super::policy::Filter;
use crate::config::FluxRange;

/// A tag as a policy sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    pub(super) kind: Kind,
    pub(super) filter: Filter,
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
}

/// Why no policy follows a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unordered {
    Commit,
    CommitOfVersion,
    CommitOfDay,
    /// The number of a pull request: the next one is another change.
    Change,
    /// `1.2.0-rc01`: no strict version.
    ZeroBefore,
}

impl Unordered {
    pub(super) fn is_commit(self) -> bool {
        matches!(self, Unordered::Commit | Unordered::CommitOfVersion | Unordered::CommitOfDay)
    }

    /// Behind "because": what is said of the tag.
    pub fn reason(self) -> &'static str {
        match self {
            Unordered::Commit => "names a commit, and commits have no order",
            Unordered::CommitOfVersion => "names a commit, and several commits may have one version",
            Unordered::CommitOfDay => "names a commit, and several commits may have one date",
            Unordered::Change => {
                "has the number of a pull request or an issue, and the next number is another one"
            }
            Unordered::ZeroBefore => "has a number that begins with a zero, which no semantic version has",
        }
    }
}

/// What is known beside the tag itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Context {
    /// Where a tag in use has a commit for certain: how many pieces follow, and its length. A hash without a letter, or
    /// without a digit, is known by its neighbours.
    commits: BTreeSet<(usize, usize)>,
    range: FluxRange,
}

impl Context {
    pub(super) fn new<'t>(tags: impl Iterator<Item = &'t String>, range: FluxRange) -> Context {
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
const COUNTERS: &[&str] = &["b", "build", "eksbuild", "hotfix", "ls", "p", "patch", "r", "rev"];

/// Words before a commit.
const HASHES: &[&str] = &["commit", "git", "sha", "sha1"];

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

pub(super) fn filtered(kind: Kind, pattern: &str, extract: Option<&str>) -> Shape {
    let filter = Filter { pattern: format!("^{pattern}$"), extract: extract.map(str::to_owned) };
    Shape { kind, filter }
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
        match attached(text) {
            // `1.2.3rc1`
            Some((version, word)) => {
                push(joint, version);
                push("", word);
            }
            None => push(joint, text),
        }
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

/// A version of two numbers or more with a word right behind it.
fn attached(text: &str) -> Option<(&str, &str)> {
    let start = text.len() - text.trim_start_matches('v').len();
    let digits = text.get(start..)?.find(|c: char| !c.is_ascii_digit() && c != '.')?;
    let (version, word) = text.split_at_checked(start + digits)?;
    let letters = word.starts_with(|c: char| c.is_ascii_alphabetic());
    (letters && numbers(version).is_some_and(|(_, parts)| parts.len() > 1)).then_some((version, word))
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
    let counts =
        COUNTERS.contains(&lower.as_str()) || is_pre_release(&lower) || STAGES.contains(&lower.as_str());
    CHANGES.contains(&lower.as_str()) || is_key && !counts
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

/// Tags with a dotted version: alone, before a release, or with what it was built from around it.
fn versioned(pieces: &[Piece<'_>], context: &Context) -> Result<Option<Shape>, Unordered> {
    let version_at = |wanted: fn(&str) -> bool| {
        pieces.iter().position(|piece| {
            numbers(piece.text).is_some_and(|(letters, parts)| parts.len() > 1 && wanted(letters))
        })
    };
    let at = version_at(|letters| letters.is_empty() || letters == "v").or_else(|| version_at(|_| true));
    let Some((before, [piece, after @ ..])) = at.and_then(|at| pieces.split_at_checked(at)) else {
        return Ok(None);
    };
    let Some((letters, parts)) = numbers(piece.text) else { return Ok(None) };
    if !parts.iter().all(|part| strict(part)) {
        return padded(pieces, before.len(), context).map(Some);
    }
    let mut version = [0; 3];
    for (slot, part) in version.iter_mut().zip(&parts) {
        *slot = value(part);
    }
    // No major version has four digits: a year, or a date.
    let calendar = parts.first().is_some_and(|part| part.len() > 3);
    let Some(tail) = tail(&parts, after)? else { return Ok(None) };
    if (has_commit(before) || has_commit(after)) && !tail.tells_builds_apart {
        return Err(Unordered::CommitOfVersion);
    }
    let semver = |pre| Kind::Semver { version, pre, unfinished: tail.unfinished, calendar };
    let core = core(&parts);
    let bare = before.is_empty() && (letters.is_empty() || letters == "v") && parts.len() == 3;
    if bare && let Some(suffix) = &tail.plain {
        return Ok(Some(filtered(semver(tail.unfinished), &format!("{letters}{core}{suffix}"), None)));
    }
    let mut pattern = String::new();
    for piece in before {
        pattern.push_str(piece.joint);
        pattern.push_str(&origin(piece));
    }
    pattern.push_str(piece.joint);
    pattern.push_str(&format!("{}(?P<version>{core}){}", literal(letters), tail.pattern));
    let patch = if parts.len() == 2 { ".0" } else { "" };
    Ok(Some(filtered(semver(tail.pre), &pattern, Some(&format!("$version{patch}{}", tail.extract)))))
}

/// The numbers of a version. The first has up to three digits, or as many as it has now: the year that a project once
/// counted by is no later version of it.
fn core(parts: &[&str]) -> String {
    let first = match parts.first().map_or(0, |part| part.len()) {
        ..=3 => "[0-9]{1,3}".to_owned(),
        more => format!("[0-9]{{{more}}}"),
    };
    format!("{first}{}", "\\.[0-9]+".repeat(parts.len().clamp(2, 3) - 1))
}

/// What stands behind a version.
#[derive(Default)]
struct Tail {
    pattern: String,
    /// Behind the version.
    extract: String,
    /// The pattern where the tag is a strict version by itself, which needs no extract.
    plain: Option<String>,
    pre: bool,
    unfinished: bool,
    /// No two builds have the same extract.
    tells_builds_apart: bool,
}

/// `None` for what has more numbers than a version and a build.
fn tail(parts: &[&str], after: &[Piece<'_>]) -> Result<Option<Tail>, Unordered> {
    let mut tail = Tail::default();
    let mut rest = after;
    let mut free = true;
    match parts.len() {
        2 | 3 => {
            if let Some((pre_release, behind)) = pre_release(after)? {
                (tail, rest) = (pre_release, behind);
                free = false;
            }
        }
        4 => {
            let build = parts.last().map_or_else(String::new, |number| width(number));
            tail.pattern.push_str(&format!("\\.(?P<build>{build})"));
            tail.extract.push_str("-$build");
            (tail.pre, tail.tells_builds_apart) = (true, true);
        }
        _ => return Ok(None),
    }
    if !rest.is_empty() {
        tail.plain = None;
    } else if free && parts.len() == 3 {
        tail.plain = Some(String::new());
    }
    for (index, piece) in rest.iter().enumerate() {
        tail.pattern.push_str(piece.joint);
        let last = rest.get(index + 1..).is_none_or(|rest| rest.iter().all(|piece| piece.commit));
        match counter(piece.text) {
            Some((word, number))
                if !piece.commit && free && strict(number) && counts(word, number, index, last) =>
            {
                tail.unfinished |= is_pre_release(word);
                tail.pattern.push_str(&format!("{}(?P<revision>{})", literal(word), width(number)));
                tail.extract.push_str(if tail.extract.is_empty() { "-$revision" } else { ".$revision" });
                tail.tells_builds_apart |= !is_day(number);
                (tail.pre, free) = (true, false);
            }
            _ => tail.pattern.push_str(&origin(piece)),
        }
    }
    Ok(Some(tail))
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

/// A word that says that the version is not released yet, with its numbers, and the pieces behind them. Releases and
/// pre-releases of this kind follow each other: numbers are compared as numbers, which semantic versions do only where
/// they stand by themselves (`rc.10`, and not `rc10`).
fn pre_release<'p, 'a>(after: &'p [Piece<'a>]) -> Result<Option<(Tail, &'p [Piece<'a>])>, Unordered> {
    let Some((first, mut rest)) = after.split_first() else { return Ok(None) };
    let letters = first.text.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let own = first.text.get(letters.len()..).unwrap_or_default();
    if first.commit || !is_pre_release(letters) || own.contains("..") || own.ends_with('.') {
        return Ok(None);
    }
    // What stands before each number, and the number.
    let mut counted: Vec<(&str, &str)> = Vec::new();
    for (index, number) in own.split('.').enumerate().filter(|(_, number)| !number.is_empty()) {
        counted.push((if index == 0 { "" } else { "." }, number));
    }
    while let Some((piece, behind)) = rest.split_first()
        && !piece.commit
        && let Some(("", numbers)) = numbers(piece.text)
    {
        for (index, number) in numbers.into_iter().enumerate() {
            counted.push((if index == 0 { piece.joint } else { "." }, number));
        }
        rest = behind;
    }
    if counted.iter().any(|(_, number)| !strict(number)) {
        return Err(Unordered::ZeroBefore);
    }
    let dotted = counted.iter().all(|(joint, _)| *joint == ".");
    let numbers: String = counted.iter().map(|(_, number)| format!("\\.{}", width(number))).collect();
    let tells_builds_apart = counted.last().is_some_and(|(_, number)| !is_day(number));
    let mut tail = Tail { pre: true, unfinished: true, tells_builds_apart, ..Tail::default() };
    tail.plain = (dotted && first.joint == "-").then(|| format!("(-{letters}{numbers})?"));
    let joint = first.joint;
    match counted.as_slice() {
        // The word alone says nothing of the order among several.
        [] => {
            tail.pattern = format!("{joint}{}", literal(first.text));
            tail.pre = false;
        }
        // Where the group is not there, nor is the dash: a release is a version without a pre-release.
        [(dot, number)] if joint == "-" => {
            let (dot, number) = (literal(dot), width(number));
            tail.pattern = format!("((?P<dash>-){letters}{dot}(?P<revision>{number}))?");
            tail.extract = "$dash$revision".to_owned();
        }
        several => {
            let names = ["$revision", "$second", "$third"];
            if several.len() > names.len() {
                return Ok(None);
            }
            tail.pattern = format!("{joint}{letters}");
            for ((joint, number), name) in several.iter().zip(names) {
                let name = name.trim_start_matches('$');
                tail.pattern.push_str(&format!("{}(?P<{name}>{})", literal(joint), width(number)));
            }
            tail.extract = format!("-{}", names.get(..several.len()).unwrap_or_default().join("."));
        }
    }
    Ok(Some((tail, rest)))
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
fn padded(pieces: &[Piece<'_>], at: usize, context: &Context) -> Result<Shape, Unordered> {
    if has_commit(pieces) {
        return Err(Unordered::CommitOfVersion);
    }
    let mut pattern = String::new();
    for (index, piece) in pieces.iter().enumerate() {
        pattern.push_str(piece.joint);
        if index == at {
            pattern.push_str(&within_line(piece.text, context.range));
        } else {
            pattern.push_str(&literal(piece.text));
        }
    }
    Ok(filtered(Kind::Alphabetical, &pattern, None))
}

/// Widths, but for the numbers that the range keeps: the first, or the first two. A year is none.
fn within_line(text: &str, range: FluxRange) -> String {
    let year = numbers(text).is_some_and(|(_, parts)| parts.first().is_some_and(|first| is_year(first)));
    let end = match range {
        _ if year => None,
        FluxRange::Any => None,
        FluxRange::Major => text.find('.'),
        FluxRange::Minor => text.match_indices('.').nth(1).map_or(Some(text.len()), |(at, _)| Some(at)),
    };
    let (kept, free) = text.split_at_checked(end.unwrap_or(0)).unwrap_or(("", text));
    format!("{}{}", literal(kept), widths(free))
}

pub(super) fn is_year(part: &str) -> bool {
    part.len() == 4 && (part.starts_with("19") || part.starts_with("20"))
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
        pattern.push_str(piece.joint);
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

/// The number that a piece is, maybe behind a `v`.
fn number<'a>(piece: &Piece<'a>) -> Option<&'a str> {
    let (letters, parts) = numbers(piece.text)?;
    let alone = parts.len() == 1 && (letters.is_empty() || letters == "v") && !piece.commit;
    parts.first().copied().filter(|_| alone)
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

/// `20250110`.
fn is_day(text: &str) -> bool {
    text.len() == 8 && is_stamp(text)
}

/// How many digits the next number may have: a stamp has its own, and a commit that happens to be all digits is no
/// build number.
fn width(digits: &str) -> String {
    match digits.len() {
        len @ 1..=6 if !is_stamp(digits) && len <= 6 => "[0-9]{1,6}".to_owned(),
        len => format!("[0-9]{{{len}}}"),
    }
}
