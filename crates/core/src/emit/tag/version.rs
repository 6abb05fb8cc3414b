//! Tags with a dotted version: alone, before a release, or with what it was built from around it.

use super::pieces::{Context, Piece, has_commit, is_day, is_year, literal, numbers, origin, strict, value};
use super::shape::{Kind, Shape, Unordered, filtered, width, widths};
use crate::config::FluxRange;

/// Words before a release; anything else behind a version is a variant of it.
const PRE_RELEASE: &[&str] = &[
    "a",
    "alpha",
    "b",
    "beta",
    "canary",
    "cr",
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
const COUNTERS: &[&str] =
    &["b", "build", "eksbuild", "hotfix", "ls", "p", "patch", "post", "r", "rev", "security"];

/// Words before the version of what an image is built on.
const DISTRIBUTIONS: &[&str] =
    &["alpine", "centos", "debian", "fedora", "rhel", "rocky", "rockylinux", "ubi", "ubuntu", "windows"];

/// Tags with a dotted version: alone, before a release, or with what it was built from around it.
pub(super) fn versioned(pieces: &[Piece<'_>], context: &Context) -> Result<Option<Shape>, Unordered> {
    let version_at = |wanted: fn(&str) -> bool| {
        pieces.iter().enumerate().position(|(index, piece)| {
            let is_wanted =
                numbers(piece.text).is_some_and(|(letters, parts)| parts.len() > 1 && wanted(letters));
            is_wanted && !is_of_distribution(pieces, index)
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
        pattern.push_str(&piece.joint());
        pattern.push_str(&origin(piece));
    }
    pattern.push_str(&piece.joint());
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
    let mut counted = false;
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
        tail.pattern.push_str(&piece.joint());
        let before =
            index.checked_sub(1).and_then(|before| rest.get(before)).map_or("", |before| before.text);
        let last = rest.get(index + 1..).is_none_or(|rest| rest.iter().all(|piece| piece.commit));
        match counter(piece.text) {
            Some((word, number))
                if !piece.commit && free && strict(number) && counts(word, number, index, last) =>
            {
                tail.unfinished |= is_pre_release(word);
                tail.pattern.push_str(&format!("{}(?P<revision>{})", literal(word), width(number)));
                tail.extract.push_str(if tail.extract.is_empty() { "-$revision" } else { ".$revision" });
                tail.tells_builds_apart |= !is_day(number);
                (tail.pre, free, counted) = (true, false, true);
            }
            // `security-01`, `build-9`: the number of a word is a piece of its own. With zeros before it, it sorts by letter.
            Some(("", number)) if !piece.commit && free && last && is_counter(before) => {
                let (number, letter) = match strict(number) {
                    true => (width(number), ""),
                    false => (format!("[0-9]{{{}}}", number.len()), "n"),
                };
                tail.pattern.push_str(&format!("(?P<revision>{number})"));
                let joint = if tail.extract.is_empty() { "-" } else { "." };
                tail.extract.push_str(&format!("{joint}{letter}$revision"));
                (tail.pre, free, tail.tells_builds_apart) = (true, false, true);
            }
            // A date behind the number of a build.
            Some(("", number)) if !piece.commit && counted && number.len() >= 8 && strict(number) => {
                tail.pattern.push_str(&format!("(?P<second>{})", width(number)));
                tail.extract.push_str(".$second");
                counted = false;
            }
            _ => tail.pattern.push_str(&origin(piece)),
        }
    }
    Ok(Some(tail))
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
    let joint = first.joint();
    match counted.as_slice() {
        // The word alone says nothing of the order among several.
        [] => {
            tail.pattern = format!("{joint}{}", literal(first.text));
            tail.pre = false;
        }
        // Where the group is not there, nor is the dash: a release is a version without a pre-release.
        [(dot, number)] if first.joint == "-" => {
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

/// Does this word stand before a number that counts builds?
pub(super) fn is_counter(word: &str) -> bool {
    COUNTERS.contains(&word.trim_end_matches('.').to_ascii_lowercase().as_str())
}

/// Is this the version of a distribution, behind a number of the image's own? `2022-CU9-ubuntu-20.04`
fn is_of_distribution(pieces: &[Piece<'_>], index: usize) -> bool {
    let Some((name, own)) = pieces.get(..index).and_then(<[Piece<'_>]>::split_last) else { return false };
    let has_number = |piece: &Piece<'_>| !piece.commit && piece.text.contains(|c: char| c.is_ascii_digit());
    DISTRIBUTIONS.contains(&name.text.to_ascii_lowercase().as_str()) && own.iter().any(has_number)
}

pub(super) fn is_pre_release(word: &str) -> bool {
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
    last && (is_counter(word) || is_pre_release(word))
}

/// Numbers with zeros before them are no strict version, but sort by letter as long as each keeps its width.
fn padded(pieces: &[Piece<'_>], at: usize, context: &Context) -> Result<Shape, Unordered> {
    if has_commit(pieces) {
        return Err(Unordered::CommitOfVersion);
    }
    let mut pattern = String::new();
    for (index, piece) in pieces.iter().enumerate() {
        pattern.push_str(&piece.joint());
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
