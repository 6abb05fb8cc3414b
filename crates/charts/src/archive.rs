//! Unpacks the archive of a chart (`.tgz`) as helm reads it: one directory, whose name does not matter. An archive is
//! untrusted: no entry is written outside the target, links are not made, sizes and counts are limited.
//!
//! The limits are helm's own (`pkg/chart/loader/archive`: 100 MiB for a chart, 5 MiB for a file), so that what is refused
//! here is refused there.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;

/// The largest file that helm loads.
pub(crate) const FILE_MAX: u64 = 5 * 1024 * 1024;

/// All files of a chart, its dependencies included.
pub(crate) const CHART_MAX: u64 = 100 * 1024 * 1024;

/// More files than any chart has.
pub(crate) const FILES_MAX: usize = 20_000;

/// Everything that is decompressed, headers and long names included.
const STREAM_MAX: u64 = CHART_MAX + 1024 * FILES_MAX as u64;

/// Charts in charts in charts.
const DEPTH_MAX: usize = 8;

/// Why an archive was not unpacked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ArchiveError {
    #[error("it is no gzip archive of a chart: {0}")]
    Form(io::Error),
    #[error("an entry has no usable name: {0}")]
    Name(String),
    #[error("the entry `{0}` lies outside the chart's directory")]
    Outside(String),
    #[error("the entry `{name}` is larger than {limit} bytes, the largest that helm loads")]
    FileTooLarge { name: String, limit: u64 },
    #[error("the chart is larger than {limit} bytes unpacked, the largest that helm loads")]
    TooLarge { limit: u64 },
    #[error("the archive has more than {limit} entries")]
    TooMany { limit: usize },
    #[error("charts are packed more than {limit} deep in each other")]
    TooDeep { limit: usize },
    #[error("it holds no `Chart.yaml`")]
    NoChart,
    #[error("`{path}` cannot be written: {source}")]
    Write { path: PathBuf, source: io::Error },
}

/// What may still be unpacked.
pub(crate) struct Budget {
    bytes: u64,
    files: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self { bytes: CHART_MAX, files: FILES_MAX }
    }
}

impl Budget {
    /// Takes a file of that size out of it.
    pub(crate) fn take(&mut self, bytes: u64) -> Result<(), ArchiveError> {
        self.files = self.files.checked_sub(1).ok_or(ArchiveError::TooMany { limit: FILES_MAX })?;
        self.bytes = self.bytes.checked_sub(bytes).ok_or(ArchiveError::TooLarge { limit: CHART_MAX })?;
        Ok(())
    }
}

/// Unpacks the chart into `to`, an empty directory, and the archives of its dependencies beside them.
pub(crate) fn unpack(archive: &[u8], to: &Path) -> Result<(), ArchiveError> {
    let mut budget = Budget::default();
    unpack_one(archive, to, &mut budget)?;
    unpack_dependencies(to, &mut budget, 0)
}

/// The chart's own `Chart.yaml`, without unpacking the rest.
pub(crate) fn chart_yaml(archive: impl Read) -> Result<Vec<u8>, ArchiveError> {
    let mut budget = Budget::default();
    let mut archive = tar::Archive::new(MultiGzDecoder::new(archive).take(STREAM_MAX));
    for entry in archive.entries().map_err(ArchiveError::Form)? {
        let mut entry = entry.map_err(ArchiveError::Form)?;
        // What is passed over is decompressed all the same.
        budget.take(entry.size())?;
        if entry.header().entry_type().is_file() && inner_path(&name_of(&entry)?)? == Path::new("Chart.yaml")
        {
            return content(&mut entry, "Chart.yaml");
        }
    }
    Err(ArchiveError::NoChart)
}

fn unpack_one(archive: &[u8], to: &Path, budget: &mut Budget) -> Result<(), ArchiveError> {
    let mut archive = tar::Archive::new(MultiGzDecoder::new(archive).take(STREAM_MAX));
    for entry in archive.entries().map_err(ArchiveError::Form)? {
        let mut entry = entry.map_err(ArchiveError::Form)?;
        let name = name_of(&entry)?;
        budget.take(entry.size())?;
        // Directories come with their files; helm reads a link as an empty file, which renders to nothing.
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let inner = inner_path(&name)?;
        // Applied when the archive was made; helm does not apply it to archives, and would to our directory.
        if inner == Path::new(".helmignore") {
            continue;
        }
        let path = to.join(&inner);
        let bytes = content(&mut entry, &name)?;
        write(&path, &bytes).map_err(|source| ArchiveError::Write { path, source })?;
    }
    if to.join("Chart.yaml").is_file() { Ok(()) } else { Err(ArchiveError::NoChart) }
}

/// Archives in `charts/` become directories: what a chart renders is then readable as a whole. helm reads both alike.
pub(crate) fn unpack_dependencies(
    chart: &Path,
    budget: &mut Budget,
    depth: usize,
) -> Result<(), ArchiveError> {
    let Ok(entries) = fs::read_dir(chart.join("charts")) else { return Ok(()) };
    if depth == DEPTH_MAX {
        return Err(ArchiveError::TooDeep { limit: DEPTH_MAX });
    }
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    for path in paths {
        // As helm: names that begin with `_` or `.` are no charts.
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name.starts_with(['_', '.']) {
            continue;
        }
        let directory = match name.strip_suffix(".tgz") {
            Some(stem) => {
                let failed = |source| ArchiveError::Write { path: path.clone(), source };
                let bytes = fs::read(&path).map_err(failed)?;
                let directory = path.with_file_name(stem);
                fs::create_dir_all(&directory).map_err(failed)?;
                unpack_one(&bytes, &directory, budget)?;
                fs::remove_file(&path).map_err(failed)?;
                directory
            }
            None => path,
        };
        unpack_dependencies(&directory, budget, depth + 1)?;
    }
    Ok(())
}

fn name_of<R: Read>(entry: &tar::Entry<'_, R>) -> Result<String, ArchiveError> {
    let bytes = entry.path_bytes();
    let text = std::str::from_utf8(&bytes).map_err(|error| ArchiveError::Name(error.to_string()))?;
    Ok(text.replace('\\', "/"))
}

/// The path below the archive's one directory.
fn inner_path(name: &str) -> Result<PathBuf, ArchiveError> {
    let outside = || ArchiveError::Outside(name.to_owned());
    let mut inner = PathBuf::new();
    let mut parts = name.split('/').filter(|part| !matches!(*part, "" | "."));
    if name.starts_with('/') || parts.next().is_none_or(|first| first == "..") {
        return Err(outside());
    }
    for part in parts {
        // A colon is a drive or a stream to Windows, and helm refuses a drive.
        if part == ".." || part.contains(['\0', ':']) {
            return Err(outside());
        }
        inner.push(part);
    }
    if inner.as_os_str().is_empty() { Err(outside()) } else { Ok(inner) }
}

fn content<R: Read>(entry: &mut tar::Entry<'_, R>, name: &str) -> Result<Vec<u8>, ArchiveError> {
    let mut bytes = Vec::new();
    entry.take(FILE_MAX + 1).read_to_end(&mut bytes).map_err(ArchiveError::Form)?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(ArchiveError::FileTooLarge { name: name.to_owned(), limit: FILE_MAX });
    }
    Ok(bytes)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::write(path, bytes)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use std::io::Write as _;

    use super::*;

    /// An archive of these entries: name, type, content or target.
    fn archive(entries: &[(&str, tar::EntryType, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, kind, content) in entries {
            let mut header = tar::Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_mode(0o644);
            let is_link = kind.is_symlink() || kind.is_hard_link();
            header.set_size(if is_link { 0 } else { content.len() as u64 });
            // By hand: the crate refuses to write names that lead out.
            let bytes = header.as_mut_bytes();
            bytes.get_mut(..name.len()).unwrap().copy_from_slice(name.as_bytes());
            if is_link {
                bytes.get_mut(157..157 + content.len()).unwrap().copy_from_slice(content);
            }
            header.set_cksum();
            builder.append(&header, if is_link { &[][..] } else { *content }).unwrap();
        }
        gzip(&builder.into_inner().unwrap())
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn files(below: &Path) -> Vec<String> {
        let mut found = Vec::new();
        let mut waiting = vec![below.to_owned()];
        while let Some(directory) = waiting.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() && !path.is_symlink() {
                    waiting.push(path);
                } else {
                    found.push(path.strip_prefix(below).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        found.sort();
        found
    }

    const FILE: tar::EntryType = tar::EntryType::Regular;

    #[test]
    fn a_chart_and_the_charts_in_it_are_unpacked() {
        let inner = archive(&[("sub/Chart.yaml", FILE, b"name: sub"), ("sub/templates/a.yaml", FILE, b"x")]);
        let outer = archive(&[
            ("any-name/Chart.yaml", FILE, b"name: app"),
            ("any-name/.helmignore", FILE, b"templates/"),
            ("any-name/templates/a.yaml", FILE, b"a: b"),
            ("any-name/charts/sub-1.0.0.tgz", FILE, &inner),
            ("any-name/charts/_skipped.tgz", FILE, b"no archive"),
        ]);
        let to = tempfile::tempdir().unwrap();
        unpack(&outer, to.path()).unwrap();
        assert_eq!(
            files(to.path()),
            [
                "Chart.yaml",
                "charts/_skipped.tgz",
                "charts/sub-1.0.0/Chart.yaml",
                "charts/sub-1.0.0/templates/a.yaml",
                "templates/a.yaml"
            ]
        );
        assert_eq!(chart_yaml(outer.as_slice()).unwrap(), b"name: app");
    }

    /// Nothing is written outside of the target, whatever an archive says.
    #[test]
    fn no_path_leads_out() {
        let chart = ("c/Chart.yaml", FILE, b"name: c".as_slice());
        for name in [
            "../evil",
            "c/../../evil",
            "/evil",
            "c/a/../../../evil",
            "c\\..\\..\\evil",
            "c/d:evil",
            "evil",
            "..",
        ] {
            let around = tempfile::tempdir().unwrap();
            let to = around.path().join("inside");
            fs::create_dir(&to).unwrap();
            let result = unpack(&archive(&[chart, (name, FILE, b"x")]), &to);
            assert!(matches!(result, Err(ArchiveError::Outside(_))), "{name}: {result:?}");
            assert_eq!(files(around.path()), ["inside/Chart.yaml"], "{name}");
        }
    }

    #[test]
    fn links_are_not_made_and_not_followed() {
        let around = tempfile::tempdir().unwrap();
        let to = around.path().join("inside");
        fs::create_dir(&to).unwrap();
        fs::write(around.path().join("secret"), "ghcr.io/secret/image:1").unwrap();
        let bytes = archive(&[
            ("c/Chart.yaml", FILE, b"name: c"),
            ("c/templates", tar::EntryType::Symlink, b".."),
            ("c/templates/evil.yaml", FILE, b"x"),
            ("c/secret.yaml", tar::EntryType::Symlink, b"../secret"),
            ("c/hard.yaml", tar::EntryType::Link, b"../secret"),
            ("c/device", tar::EntryType::Char, b""),
        ]);
        unpack(&bytes, &to).unwrap();
        assert_eq!(files(around.path()), ["inside/Chart.yaml", "inside/templates/evil.yaml", "secret"]);
    }

    #[test]
    fn sizes_and_counts_are_limited() {
        let to = || tempfile::tempdir().unwrap();
        let chart = ("c/Chart.yaml", FILE, b"name: c".as_slice());
        let large = vec![0; usize::try_from(FILE_MAX).unwrap() + 1];
        let result = unpack(&archive(&[chart, ("c/large", FILE, &large)]), to().path());
        assert!(matches!(result, Err(ArchiveError::FileTooLarge { .. })), "{result:?}");

        let just = &large[..large.len() - 1];
        let names: Vec<String> = (0..21).map(|number| format!("c/{number}")).collect();
        let many: Vec<_> = names.iter().map(|name| (name.as_str(), FILE, just)).collect();
        let result = unpack(&archive(&[&[chart][..], &many].concat()), to().path());
        assert!(matches!(result, Err(ArchiveError::TooLarge { .. })), "{result:?}");

        let names: Vec<String> = (0..FILES_MAX).map(|number| format!("c/{number}")).collect();
        let many: Vec<_> =
            names.iter().map(|name| (name.as_str(), tar::EntryType::Directory, &[][..])).collect();
        let result = unpack(&archive(&[&[chart][..], &many].concat()), to().path());
        assert!(matches!(result, Err(ArchiveError::TooMany { .. })), "{result:?}");

        let mut nested = archive(&[chart]);
        for _ in 0..DEPTH_MAX + 1 {
            nested = archive(&[chart, ("c/charts/c.tgz", FILE, &nested)]);
        }
        let result = unpack(&nested, to().path());
        assert!(matches!(result, Err(ArchiveError::TooDeep { .. })), "{result:?}");
    }

    #[test]
    fn what_is_no_chart_is_said_to_be_none() {
        let to = || tempfile::tempdir().unwrap();
        for bytes in [&b""[..], b"<html>", &gzip(b"text"), &gzip(&[0; 1024])] {
            assert!(unpack(bytes, to().path()).is_err());
        }
        let result = unpack(&archive(&[("c/a/Chart.yaml", FILE, b"name: c")]), to().path());
        assert!(matches!(result, Err(ArchiveError::NoChart)), "{result:?}");
        // Cut off in the middle.
        let whole = archive(&[("c/Chart.yaml", FILE, b"name: c"), ("c/a", FILE, &[7; 9000])]);
        assert!(unpack(&whole[..whole.len() / 2], to().path()).is_err());
    }
}
