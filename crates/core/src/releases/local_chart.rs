//! Charts that lie in the repository: a hash of what helm reads of them.

use std::collections::BTreeSet;

use serde_json::json;

use super::sources::{Entry, Sources};
use super::value::{list_at, text_at};
use crate::image::Digest;
use crate::inventory::MAX_LAYERS;
use crate::tree::RepoPath;

/// A hash of a chart's files, and the directories that they lie in: its own, and those of charts beside it that it depends on
/// (`file://`). Comments of `Chart.yaml` and of values files change nothing; documentation is no part of it.
pub(super) fn digest(directory: &RepoPath, sources: &Sources<'_>) -> (String, BTreeSet<RepoPath>) {
    let mut directories = BTreeSet::new();
    let mut open = vec![directory.clone()];
    let mut files: BTreeSet<RepoPath> = BTreeSet::new();
    while let Some(chart) = open.pop() {
        if !directories.insert(chart.clone()) {
            continue;
        }
        gather(&chart, sources, &mut files, 0);
        let about = chart.join("Chart.yaml").and_then(|file| sources.documents(&file));
        for dependency in
            about.iter().flat_map(|all| all.first()).flat_map(|about| list_at(about, &["dependencies"]))
        {
            let repository = text_at(dependency, &["repository"]).unwrap_or_default();
            open.extend(repository.strip_prefix("file://").and_then(|path| chart.join(path)));
        }
    }
    let sha256 = |bytes: &[u8]| Digest::sha256(bytes).to_string();
    let parts: Vec<_> = files
        .iter()
        .map(|path| {
            let name = path.file_name().unwrap_or_default();
            let is_read = name == "Chart.yaml" || name.starts_with("values") && !name.ends_with(".json");
            let parsed = sources.documents(path).filter(|_| is_read);
            match (parsed, sources.text(path)) {
                (Some(documents), _) => json!([path.as_str(), *documents]),
                (None, Some(text)) => json!([path.as_str(), sha256(text.as_bytes())]),
                // An archive in `charts/`: its name says its version, and promises nothing.
                (None, None) => json!([path.as_str(), sources.bytes(path).map(|bytes| sha256(&bytes))]),
            }
        })
        .collect();
    (sha256(json!(parts).to_string().as_bytes()), directories)
}

fn gather(directory: &RepoPath, sources: &Sources<'_>, files: &mut BTreeSet<RepoPath>, depth: usize) {
    for entry in sources.entries(directory).iter() {
        match entry {
            Entry::Directory(below) if depth < MAX_LAYERS => gather(below, sources, files, depth + 1),
            Entry::Directory(_) => {}
            Entry::File(path) if !matches!(path.extension(), Some("md" | "gotmpl")) => {
                files.insert(path.clone());
            }
            Entry::File(_) => {}
        }
    }
}
