//! Which of a chart's versions is meant, as helm chooses it (`pkg/repo/v1/index.go`, `registry.GetTagMatchingVersionOrConstraint`):
//! the same text first, then the newest version of the range.

use pullthru_core::range::{Range, loose_version};
use pullthru_core::releases::VersionRef;

/// The index of the version that is meant.
///
/// # Errors
/// Why there is none, as the end of a sentence.
pub(crate) fn choose(versions: &[impl AsRef<str>], wanted: &VersionRef) -> Result<usize, String> {
    let range = match wanted {
        VersionRef::Latest => "*",
        VersionRef::Exact(text) | VersionRef::Range(text) => {
            if let Some(same) = versions.iter().position(|version| version.as_ref() == text) {
                return Ok(same);
            }
            text.as_str()
        }
        VersionRef::Digest(digest) => return Err(format!("it has no digests to find `{digest}` by")),
    };
    let range = Range::parse(range).map_err(|error| error.to_string())?;
    let known = versions
        .iter()
        .enumerate()
        .filter_map(|(index, version)| Some((loose_version(version.as_ref())?, index)))
        .filter(|(version, _)| range.accepts(version));
    // Of equal ones the first, as a stable sort has it.
    known.max_by(|(a, at), (b, bt)| a.cmp(b).then(bt.cmp(at))).map(|(_, index)| index).ok_or_else(|| {
        match versions.len() {
            0 => "it has no versions".to_owned(),
            count => format!("none of its {count} versions is `{wanted}`"),
        }
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn chooses_as_helm_does() {
        let all = ["1.2.0", "v1.3.0", "1.4.0-rc.1", "1.10.0", "2.0.0+a", "0.9", "main"];
        let of =
            |text: &str| choose(&all, &VersionRef::of(Some(text))).ok().and_then(|at| all.get(at)).copied();
        for (wanted, version) in [
            ("", Some("2.0.0+a")),
            ("*", Some("2.0.0+a")),
            ("1.x", Some("1.10.0")),
            ("^1.2.0", Some("1.10.0")),
            ("~1.3", Some("v1.3.0")),
            ("1.3.0", Some("v1.3.0")),
            ("1.2.0", Some("1.2.0")),
            ("2.0.0", Some("2.0.0+a")),
            (">=1.4.0-0 <1.5.0", Some("1.4.0-rc.1")),
            ("1.4.x", None),
            ("0.9.0", Some("0.9")),
            ("main", Some("main")),
            ("3.x", None),
        ] {
            assert_eq!(of(wanted), version, "{wanted}");
        }
        assert_eq!(
            choose(&all, &VersionRef::of(Some("3.x"))).unwrap_err(),
            "none of its 7 versions is `3.x`"
        );
        assert_eq!(choose(&[""; 0], &VersionRef::Latest).unwrap_err(), "it has no versions");
        assert!(choose(&all, &VersionRef::of(Some("no range"))).is_err());
    }
}
