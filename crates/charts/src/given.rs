//! `--chart-dir`: charts that somebody has given, unpacked or as archives, looked up by name before anything is fetched.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use pullthru_core::releases::VersionRef;

use crate::definition::Definition;
use crate::version::choose;
use crate::{archive, version};

/// How far below the directory charts are looked for: `DIR/app`, `DIR/team/app`, `DIR/team/charts/app`.
const DEPTH_MAX: usize = 3;

/// The charts of the directories.
#[derive(Debug, Default)]
pub(crate) struct Given {
    charts: Vec<GivenChart>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GivenChart {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) place: GivenPlace,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum GivenPlace {
    Directory(PathBuf),
    Archive(PathBuf),
}

/// A directory that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ChartDirError {
    /// It cannot be listed.
    #[error("`{path}` of `--chart-dir` cannot be read: {source}")]
    Read { path: PathBuf, source: std::io::Error },
    /// Nothing in it is a chart.
    #[error("`{path}` of `--chart-dir` holds no chart: give a directory with charts, unpacked or as `.tgz`")]
    Empty { path: PathBuf },
}

impl Given {
    /// Lists the charts of the directories. What is broken in them is passed over: the chart is then looked for elsewhere.
    pub(crate) fn read(directories: &[PathBuf]) -> Result<Self, ChartDirError> {
        let mut charts = Vec::new();
        for directory in directories {
            let before = charts.len();
            fs::read_dir(directory)
                .map_err(|source| ChartDirError::Read { path: directory.clone(), source })?;
            look(directory, 0, &mut charts);
            if charts.len() == before {
                return Err(ChartDirError::Empty { path: directory.clone() });
            }
        }
        Ok(Self { charts })
    }

    /// The chart of that name: the only one, or that of the version.
    ///
    /// # Errors
    /// There are several, and none is of the version; why, as the end of a sentence.
    pub(crate) fn find(&self, name: &str, wanted: &VersionRef) -> Result<Option<&GivenChart>, String> {
        let named: Vec<&GivenChart> = self.charts.iter().filter(|chart| chart.name == name).collect();
        if let [] | [_] = named.as_slice() {
            return Ok(named.first().copied());
        }
        let versions: Vec<&str> = named.iter().map(|chart| chart.version.as_str()).collect();
        let index = version::choose(&versions, wanted)
            .map_err(|why| format!("`--chart-dir` has several, and {why}"))?;
        Ok(named.get(index).copied())
    }
}

impl GivenChart {
    /// Is it of another version than the one that is deployed?
    pub(crate) fn is_other(&self, wanted: &VersionRef) -> bool {
        !matches!(wanted, VersionRef::Digest(_)) && choose(&[&self.version], wanted).is_err()
    }
}

fn look(directory: &Path, depth: usize, charts: &mut Vec<GivenChart>) {
    if let Ok(definition) = Definition::of(directory) {
        let place = GivenPlace::Directory(directory.to_owned());
        return charts.push(GivenChart { name: definition.name, version: definition.version, place });
    }
    let Ok(entries) = fs::read_dir(directory) else { return };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() && depth < DEPTH_MAX {
            look(&path, depth + 1, charts);
        } else if path.extension().is_some_and(|extension| extension == "tgz")
            && let Some(definition) = packed(&path)
        {
            let place = GivenPlace::Archive(path);
            charts.push(GivenChart { name: definition.name, version: definition.version, place });
        }
    }
}

fn packed(path: &Path) -> Option<Definition> {
    let yaml = archive::chart_yaml(File::open(path).ok()?).ok()?;
    Definition::parse(&yaml).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn charts_are_found_by_name_and_then_by_version() {
        let directory = tempfile::tempdir().unwrap();
        for (path, yaml) in [
            ("web", "name: web\nversion: 1.0.0"),
            ("old/db", "name: db\nversion: 1.4.0"),
            ("new/db", "name: db\nversion: 2.1.0"),
            ("web/charts/inner", "name: inner\nversion: 1.0.0"),
            ("broken", "name: ["),
        ] {
            fs::create_dir_all(directory.path().join(path)).unwrap();
            fs::write(directory.path().join(path).join("Chart.yaml"), yaml).unwrap();
        }
        let given = Given::read(&[directory.path().to_owned()]).unwrap();
        let find = |name: &str, version: &str| {
            let found = given.find(name, &VersionRef::of(Some(version)));
            found.map(|found| found.map(|chart| chart.version.clone()))
        };
        assert_eq!(find("web", "7.0.0"), Ok(Some("1.0.0".to_owned())), "the only one");
        assert_eq!(find("db", "1.x"), Ok(Some("1.4.0".to_owned())));
        assert_eq!(find("db", ""), Ok(Some("2.1.0".to_owned())));
        assert!(find("db", "3.x").is_err());
        assert_eq!(find("inner", ""), Ok(None), "a dependency is no chart of its own");
        let web = given.find("web", &VersionRef::Latest).unwrap().unwrap();
        assert!(web.is_other(&VersionRef::of(Some("7.0.0"))) && !web.is_other(&VersionRef::Latest));
    }

    #[test]
    fn a_directory_without_charts_is_a_mistake() {
        let directory = tempfile::tempdir().unwrap();
        assert!(matches!(Given::read(&[directory.path().to_owned()]), Err(ChartDirError::Empty { .. })));
        assert!(matches!(Given::read(&[directory.path().join("none")]), Err(ChartDirError::Read { .. })));
    }
}
