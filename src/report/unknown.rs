//! What `verify`, `warm` and `cost` could not ask for: references that name no image, and releases whose images are not known.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::place::PlaceRow;
use super::{Paint, count, quoted};
use crate::images::Unknown;

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct UnknownRow {
    pub reference: String,
    pub because: String,
    /// It stands for all images of this release, which are not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// Nothing can be pulled by it.
    pub invalid: bool,
    #[serde(flatten)]
    pub place: PlaceRow,
}

impl From<&Unknown> for UnknownRow {
    fn from(unknown: &Unknown) -> UnknownRow {
        UnknownRow {
            reference: unknown.reference.clone(),
            because: unknown.why.to_string(),
            release: unknown.release.clone(),
            invalid: unknown.invalid,
            place: PlaceRow::from(&unknown.place),
        }
    }
}

/// `7 releases not seen`; `None` where all were.
pub(super) fn not_seen(rows: &[UnknownRow]) -> Option<String> {
    let releases = rows.iter().filter(|row| row.release.is_some()).count();
    (releases > 0).then(|| format!("{} not seen", count(releases, "release")))
}

/// References with a line each, then releases by the reason, which many may have in common.
pub(super) fn human(rows: &[UnknownRow], out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    let references: Vec<&UnknownRow> = rows.iter().filter(|row| row.release.is_none()).collect();
    if !references.is_empty() {
        let any = references.iter().any(|row| row.invalid);
        let title = if any { paint.red("not asked") } else { paint.cyan("not asked") };
        writeln!(out, "{title}  {}", count(references.len(), "reference"))?;
        for row in references {
            writeln!(out, "  {}  {}  {}", place(row), row.reference, paint.dim(&row.because))?;
        }
    }
    let mut releases: BTreeMap<&str, Vec<(&str, &UnknownRow)>> = BTreeMap::new();
    for row in rows {
        if let Some(release) = &row.release {
            releases.entry(&row.because).or_default().push((release, row));
        }
    }
    let any = !releases.is_empty();
    for (because, of_reason) in releases {
        let releases = count(of_reason.len(), "release");
        writeln!(out, "{}  {releases}: {}", paint.cyan("not seen"), quoted(because))?;
        for (release, row) in of_reason {
            writeln!(out, "  {}  {}", place(row), quoted(release))?;
        }
    }
    if any {
        writeln!(out, "  {} {}", paint.dim("→"), super::charts::NEXT)?;
    }
    Ok(())
}

fn place(row: &UnknownRow) -> String {
    format!("{}:{}", quoted(&row.place.path), row.place.line)
}
