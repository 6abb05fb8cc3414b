//! Tags that begin with a date, and numbers with zeros before them: they sort by letter as long as each number keeps
//! its width.

use std::sync::LazyLock;

use regex::Regex;

use super::pieces::{
    Context, has_commit, is_number, is_version, is_year, literal, origin, pieces, strict, value,
};
use super::shape::{Kind, Shape, Unordered, filtered, widths};
use super::version::is_counter;

/// A time of day, with seconds or behind a `T`.
static TIME: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let after_t = "[Tt][0-9]{2}[-:._]?[0-9]{2}(?:[-:._]?[0-9]{2})?(?:[.][0-9]{3,9})?";
    let alone = "[-._][0-9]{2}[-:._]?[0-9]{2}[-:._]?[0-9]{2}";
    Regex::new(&format!("^(?:{after_t}|{alone})[Zz]?")).ok()
});

/// `2025-10-01`, `2025.01.15-2`, `RELEASE.2024-10-13T13-34-11Z`, `20240115T103000Z`.
pub(super) fn dated(tag: &str, context: &Context) -> Result<Option<Shape>, Unordered> {
    let Some(found) = Dated::find(tag) else { return Ok(None) };
    let Dated { before, year, month, day, separator, rest } = found;
    // By letter a commit would come first; and a version in front moves too.
    let in_front = pieces(before, context);
    if has_commit(&in_front) || separator.is_empty() && in_front.iter().any(|piece| is_version(piece.text)) {
        return Ok(None);
    }
    let before = literal(before);
    let joined = literal(separator);
    let mut pattern = format!("{before}[0-9]{{4}}{joined}[0-9]{{2}}{joined}[0-9]{{2}}");
    let time = TIME.as_ref().and_then(|pattern| pattern.find(rest)).map_or("", |time| time.as_str());
    let behind = rest.get(time.len()..).unwrap_or_default();
    let apart = behind.is_empty() || behind.starts_with(['-', '_', '.']);
    if !time.is_empty() && apart || rest.is_empty() {
        pattern.push_str(&widths(time));
        pattern.push_str(&variant(behind, context));
        return Ok(Some(filtered(Kind::Alphabetical, &pattern, None)));
    }
    if separator.is_empty() {
        // A plain number, which is compared as one.
        return Ok(None);
    }
    // `2025.01.15-2`, `2025-01-15-v2`
    let digits = rest.trim_start_matches(|c: char| !c.is_ascii_digit());
    let joint = rest.strip_suffix(digits).unwrap_or_default();
    if let Some(word) = joint.strip_prefix(['-', '.', '_'])
        && (word.is_empty() || word == "v" || is_counter(word))
        && strict(digits)
        && !has_commit(&pieces(digits, context))
    {
        let (joint, number) = (literal(joint), digits);
        let pattern = format!(
            "{before}(?P<year>[0-9]{{4}}){joined}(?P<month>[0-9]{{2}}){joined}(?P<day>[0-9]{{2}}){joint}(?P<build>[0-9]+)"
        );
        let version = [value(&format!("{year}{month}{day}")), value(number), 0];
        let kind = Kind::Semver { version, pre: false, unfinished: false, calendar: true };
        return Ok(Some(filtered(kind, &pattern, Some("$year$month$day.$build.0"))));
    }
    if has_commit(&pieces(rest, context)) {
        return Err(Unordered::CommitOfDay);
    }
    pattern.push_str(&variant(rest, context));
    Ok(Some(filtered(Kind::Alphabetical, &pattern, None)))
}

/// What stands behind a date or a time.
fn variant(text: &str, context: &Context) -> String {
    pieces(text, context).iter().map(|piece| format!("{}{}", piece.joint(), origin(piece))).collect()
}

/// A tag with a date.
struct Dated<'a> {
    before: &'a str,
    year: &'a str,
    month: &'a str,
    day: &'a str,
    /// Between the three.
    separator: &'a str,
    rest: &'a str,
}

impl<'a> Dated<'a> {
    fn find(tag: &'a str) -> Option<Dated<'a>> {
        let start = tag.find("20").or_else(|| tag.find("19"))?;
        let (before, text) = tag.split_at_checked(start)?;
        let (year, after) = text.split_at_checked(4)?;
        let separator = after.get(..1).filter(|first| ["-", ".", "_"].contains(first)).unwrap_or("");
        let after = after.strip_prefix(separator)?;
        let (month, after) = after.split_at_checked(2)?;
        let after = after.strip_prefix(separator)?;
        let (day, rest) = after.split_at_checked(2)?;
        let date = is_year(year) && is_number(year) && between(month, 1, 12) && between(day, 1, 31);
        let apart = !before.ends_with(|c: char| c.is_ascii_digit())
            && !rest.starts_with(|c: char| c.is_ascii_digit());
        (date && apart).then_some(Dated { before, year, month, day, separator, rest })
    }
}

fn between(part: &str, low: u64, high: u64) -> bool {
    part.len() == 2 && is_number(part) && (low..=high).contains(&value(part))
}
