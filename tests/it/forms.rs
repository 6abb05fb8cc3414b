//! Every form of reference: `testdata/forms/<family>` against its `expected.txt`, which was written from the
//! specification and not from the finder's output.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use pullthru::find::{Finder, Hosts, Role};
use pullthru::tree::LineIndex;

/// Files below `dir` in byte order of their paths.
fn files(dir: &Path, into: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() { files(&path, into) } else { into.push(path) }
    }
}

/// One line per site and mention, as `expected.txt` has it.
fn listing(family: &Path) -> String {
    let hub = family.ends_with("dockerhub");
    let upstream = if hub { "docker.io" } else { "ghcr.io" };
    let finder = Finder::new(Hosts::new(&[upstream.to_owned()], &[]).unwrap());
    let mut paths = Vec::new();
    files(family, &mut paths);
    let mut lines: Vec<(String, usize, usize, String)> = Vec::new();
    for path in paths.iter().filter(|path| !path.ends_with("expected.txt")) {
        let name = path.strip_prefix(family).unwrap().to_str().unwrap().replace('\\', "/");
        let bytes = fs::read(path).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let index = LineIndex::new(text.as_ref());
        let found = finder.find(&name, &bytes);
        for site in &found.sites {
            let verdict = match (&site.role, site.obstacle) {
                (_, Some(obstacle)) => format!("keep  {}  {obstacle}", site.reference()),
                (Role::Image, None) => format!("rewrite  {}  {}", site.reference(), site.form),
                (Role::Matcher(_), None) => format!("pair  {}  {}", site.reference(), site.form),
                (Role::TagScan, None) => format!("tag-scan  {}  {}", site.reference(), site.form),
                (Role::Artifact, None) => format!("chart  {}  {}", site.reference(), site.form),
            };
            let at = index.position(site.covers.first().map_or(site.start(), |span| span.start));
            let (line, column) = (at.line, at.column);
            lines.push((name.clone(), line, column, verdict));
        }
        for mention in &found.mentions {
            let at = index.position(mention.span.start);
            let (line, column) = (at.line, at.column);
            lines.push((name.clone(), line, column, format!("keep  -  {}", mention.reason)));
        }
    }
    lines.sort();
    let mut text = String::new();
    for (name, line, _, verdict) in lines {
        writeln!(text, "{name}:{line}  {verdict}").unwrap();
    }
    text.replace("ghcr.io/", "G/").replace("docker.io/", "D/")
}

#[test]
fn every_form_is_found_as_the_specification_has_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/forms");
    let mut differences = String::new();
    let mut families: Vec<PathBuf> =
        fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()).collect();
    families.retain(|path| path.is_dir());
    families.sort();
    for family in families {
        let expected = fs::read_to_string(family.join("expected.txt")).unwrap();
        let found = listing(&family);
        if std::env::var_os("PULLTHRU_DUMP").is_some() {
            fs::write(Path::new("/tmp/dump").join(family.file_name().unwrap()), &found).unwrap();
        }
        if expected != found {
            let diff = similar::TextDiff::from_lines(&expected, &found);
            write!(
                differences,
                "{}",
                diff.unified_diff().context_radius(0).header(&family.display().to_string(), "found")
            )
            .unwrap();
        }
    }
    assert!(differences.is_empty(), "{differences}");
}
