//! Tags that begin with a date, and numbers with zeros before them: they sort by letter as long as each number keeps
//! its width.

use super::tag::{Kind, Shape, filtered, is_number, is_year, literal, origin, pieces, strict, value};

/// `2025-10-01`, `2025.01.15-2`, `RELEASE.2024-10-13T13-34-11Z`, `20240115T103000Z`.
pub(super) fn dated(tag: &str) -> Option<Shape> {
    let start = tag.find("20").or_else(|| tag.find("19"))?;
    let (before, text) = tag.split_at_checked(start)?;
    let (year, after) = text.split_at_checked(4)?;
    let separator = after.get(..1).filter(|first| ["-", ".", "_"].contains(first)).unwrap_or("");
    let after = after.strip_prefix(separator)?;
    let (month, after) = after.split_at_checked(2)?;
    let after = after.strip_prefix(separator)?;
    let (day, rest) = after.split_at_checked(2)?;
    let date = is_year(year) && is_number(year) && between(month, 1, 12) && between(day, 1, 31);
    let apart =
        !before.ends_with(|c: char| c.is_ascii_digit()) && !rest.starts_with(|c: char| c.is_ascii_digit());
    if !date || !apart {
        return None;
    }
    let before = literal(before);
    let joined = literal(separator);
    let day_pattern = format!("[0-9]{{4}}{joined}[0-9]{{2}}{joined}[0-9]{{2}}");
    if is_time(rest) {
        return filtered(Kind::Alphabetical, &format!("{before}{day_pattern}{}", widths(rest)), None);
    }
    if separator.is_empty() {
        // A plain number, which is compared as one.
        return None;
    }
    if let Some(number) = rest.strip_prefix(['-', '.', '_'])
        && strict(number)
    {
        let joint = literal(rest.get(..1)?);
        let pattern = format!(
            "{before}(?P<year>[0-9]{{4}}){joined}(?P<month>[0-9]{{2}}){joined}(?P<day>[0-9]{{2}}){joint}(?P<build>[0-9]+)"
        );
        let version = [value(&format!("{year}{month}{day}")), value(number), 0];
        let kind = Kind::Semver { version, pre: false, unfinished: false, calendar: true };
        return filtered(kind, &pattern, Some("$year$month$day.$build.0"));
    }
    let mut pattern = format!("{before}{day_pattern}");
    for piece in pieces(rest) {
        pattern.push_str(piece.joint);
        pattern.push_str(&origin(piece.text));
    }
    filtered(Kind::Alphabetical, &pattern, None)
}

/// A time of day, each number two digits or all six together.
fn is_time(rest: &str) -> bool {
    let mut runs = rest.split(|c: char| !c.is_ascii_digit()).filter(|run| !run.is_empty());
    let marks = |c: char| c.is_ascii_digit() || "TtZz-._".contains(c);
    let begins = rest.is_empty() || rest.starts_with(['T', 't']) || rest.len() > 5;
    rest.chars().all(marks) && begins && runs.all(|run| [2, 6].contains(&run.len()))
}

fn between(part: &str, low: u64, high: u64) -> bool {
    part.len() == 2 && is_number(part) && (low..=high).contains(&value(part))
}

/// The text with every run of digits as its width.
pub(super) fn widths(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if digits > 0 {
            out.push_str(&format!("[0-9]{{{digits}}}"));
            rest = rest.get(digits..).unwrap_or("");
            continue;
        }
        let other = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        out.push_str(&literal(rest.get(..other).unwrap_or("")));
        rest = rest.get(other..).unwrap_or("");
    }
    out
}
