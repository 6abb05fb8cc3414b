//! What a chart says about its values: its values files, those of the charts in it, and the paths that their templates read.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use pullthru_core::releases::{merge_values, values_of};
use pullthru_core::yaml::{FieldPath, Step};
use serde_json::{Map, Value};

use crate::definition::Definition;

/// Deeper charts in charts are not looked at.
const DEEPEST: usize = 5;

/// The values that a chart knows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Declared {
    defaults: Map<String, Value>,
    read: BTreeSet<FieldPath>,
}

impl Declared {
    /// `values_files` are the chart's own, the first in the place of its `values.yaml`; `None` where it is rendered without one.
    pub(crate) fn of(chart: &Path, values_files: Option<&[String]>) -> Declared {
        let mut own = Map::new();
        let usual = ["values.yaml".to_owned()];
        for name in values_files.map_or(&[][..], |files| if files.is_empty() { &usual } else { files }) {
            merge_values(&mut own, &values_in(&chart.join(name)));
        }
        let mut read = BTreeSet::new();
        each_read(chart, &mut |key| _ = read.insert(FieldPath::from(key)));
        Declared { defaults: with_inner(chart, own, 0), read }
    }

    /// What the chart has at a key by itself.
    pub(crate) fn default(&self, key: &[Step]) -> Option<&Value> {
        let (Step::Key(first), rest) = key.split_first()? else { return None };
        rest.iter().try_fold(self.defaults.get(first)?, |at, step| at.get(step.key()?))
    }

    /// Has the chart a value of this key, or may it have one? Mappings that it leaves empty are its users' to fill.
    pub(crate) fn knows(&self, key: &FieldPath) -> bool {
        if self.read.contains(key) {
            return true;
        }
        let mut map = &self.defaults;
        for (number, step) in key.steps().iter().enumerate() {
            match step.key().and_then(|key| map.get(key)) {
                Some(Value::Object(below)) => map = below,
                Some(Value::Null | Value::Array(_)) => return true,
                Some(_) => return number + 1 == key.steps().len(),
                None => return number > 0 && map.is_empty(),
            }
        }
        true
    }
}

fn values_in(file: &Path) -> Map<String, Value> {
    fs::read_to_string(file).ok().and_then(|text| values_of(&text)).unwrap_or_default()
}

/// A chart's values over those of the charts in it.
fn with_inner(chart: &Path, own: Map<String, Value>, depth: usize) -> Map<String, Value> {
    let mut all = Map::new();
    for Inner { directory, names, is_library } in inner(chart, depth) {
        let values = with_inner(&directory, values_in(&directory.join("values.yaml")), depth + 1);
        if is_library {
            merge_values(&mut all, &values);
        }
        for name in names {
            merge_values(&mut all, &Map::from_iter([(name, Value::Object(values.clone()))]));
        }
    }
    merge_values(&mut all, &own);
    all
}

/// Calls `each` with the paths that templates read, the charts in it included: `.Values.image.registry`.
pub(super) fn each_read(chart: &Path, each: &mut impl FnMut(&[&str])) {
    each_read_below(chart, &[], 0, each);
}

fn each_read_below(chart: &Path, prefix: &[&str], depth: usize, each: &mut impl FnMut(&[&str])) {
    templates(&chart.join("templates"), 0, &mut |text| {
        for path in paths_read(text) {
            let is_global = path.first().is_some_and(|first| *first == "global");
            let prefix = if is_global { &[][..] } else { prefix };
            each(&[prefix, &path[..]].concat());
        }
    });
    for Inner { directory, names, is_library } in inner(chart, depth) {
        // Templates of a library read the values of the chart that calls them.
        let own = is_library.then(|| prefix.to_vec());
        let below = names.iter().map(|name| [prefix, &[name.as_str()]].concat());
        for prefix in own.into_iter().chain(below) {
            each_read_below(&directory, &prefix, depth + 1, each);
        }
    }
}

/// A chart in another.
struct Inner {
    directory: PathBuf,
    /// The keys of the outer chart's values that hold its own: its aliases, else its name. The directory that an archive was
    /// unpacked into is called otherwise.
    names: Vec<String>,
    is_library: bool,
}

fn inner(chart: &Path, depth: usize) -> Vec<Inner> {
    if depth >= DEEPEST {
        return Vec::new();
    }
    let outer = Definition::of(chart).unwrap_or_default();
    let entries = fs::read_dir(chart.join("charts")).into_iter().flatten().flatten();
    let one = |directory: PathBuf| {
        let Ok(Definition { name, kind, .. }) = Definition::of(&directory) else {
            let name = directory.file_name()?.to_str()?.to_owned();
            return Some(Inner { directory, names: vec![name], is_library: false });
        };
        let own = outer.dependencies.iter().filter(|one| one.name == name);
        let names: Vec<String> =
            own.map(|one| if one.alias.is_empty() { name.clone() } else { one.alias.clone() }).collect();
        let names = if names.is_empty() { vec![name] } else { names };
        Some(Inner { directory, names, is_library: kind == "library" })
    };
    let mut directories: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    directories.sort();
    directories.into_iter().filter_map(one).collect()
}

fn templates(directory: &Path, depth: usize, each: &mut impl FnMut(&str)) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && depth < DEEPEST {
            templates(&path, depth + 1, each);
        } else if let Ok(text) = fs::read_to_string(&path) {
            each(&text);
        }
    }
}

/// The paths behind `.Values.`.
fn paths_read(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.match_indices("Values.").filter_map(|(at, found)| {
        let rest = text.get(at + found.len()..)?;
        let end =
            rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.').unwrap_or(rest.len());
        let path: Vec<&str> = rest.get(..end)?.trim_end_matches('.').split('.').collect();
        path.iter().all(|part| !part.is_empty()).then_some(path)
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn values_that_a_chart_knows() {
        let chart = tempfile::tempdir().unwrap();
        let write = |path: &str, text: &str| {
            let path = chart.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        write("Chart.yaml", "name: web\nversion: 1.0.0\ndependencies: [{name: store, alias: primary}]\n");
        write("values.yaml", "image: {repository: quay.io/shop/web, tag: ''}\nhub:\nextra: {}\nlist: []\n");
        write("templates/a.yaml", "{{ .Values.sidecar.image.registry }}");
        write("charts/store/Chart.yaml", "name: store\nversion: 1.0.0\n");
        write("charts/store/values.yaml", "image: {registry: docker.io}\n");
        write("charts/common/Chart.yaml", "name: common\nversion: 1.0.0\ntype: library\n");
        write("charts/common/templates/a.yaml", "{{ .Values.main.image }}");
        let declared = Declared::of(chart.path(), Some(&[]));
        let key = |text: &str| FieldPath::from(text.split('.').collect::<Vec<_>>().as_slice());
        for known in [
            "image.repository",
            "image.tag",
            "hub",
            "hub.registry",
            "extra.web.image",
            "list",
            "sidecar.image.registry",
            "primary.image.registry",
            "main.image",
        ] {
            assert!(declared.knows(&key(known)), "{known}");
        }
        for unknown in [
            "image.registry",
            "image.repository.name",
            "registry",
            "store.image.registry",
            "primary.registry",
            "sidecar.registry",
        ] {
            assert!(!declared.knows(&key(unknown)), "{unknown}");
        }
        assert_eq!(declared.default(key("primary.image.registry").steps()), Some(&"docker.io".into()));
        let alone = Declared::of(chart.path(), None);
        assert!(!alone.knows(&key("image.repository")) && alone.knows(&key("primary.image.registry")));
    }
}
