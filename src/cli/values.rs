//! Values of flags: how they are read, and what is said of those that cannot be.

use std::ops::RangeInclusive;
use std::time::Duration;

/// `90s`, `5m`, `1h`.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.get(digits.len()..).unwrap_or_default() {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return Err("write a number with a unit: `90s`, `5m` or `1h`".to_owned()),
    };
    let number: u64 = digits.parse().map_err(|_| "write a whole number with a unit: `90s`".to_owned())?;
    Ok(Duration::from_secs(number.saturating_mul(unit)))
}

/// A whole number within a range.
pub(super) fn number(
    range: RangeInclusive<u32>,
) -> impl Fn(&str) -> Result<u32, String> + Clone + Send + Sync {
    move |text| {
        let number = text.parse().ok().filter(|number| range.contains(number));
        number.ok_or_else(|| match *range.end() {
            u32::MAX => format!("write a whole number from {}", range.start()),
            end => format!("write a whole number from {} to {end}", range.start()),
        })
    }
}
