//! `Chart.yaml`, and `Chart.lock` beside it: what a chart is called and which charts it needs.

use std::fs;
use std::path::Path;

use serde::Deserialize;

/// What of `Chart.yaml` is used here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Definition {
    #[serde(default)]
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) version: String,
    /// `library` for one that only holds templates for others.
    #[serde(default, rename = "type")]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) dependencies: Vec<Dependency>,
}

/// A chart that another needs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Dependency {
    #[serde(default)]
    pub(crate) name: String,
    /// What its values are called in those of the chart, where that is not its name.
    #[serde(default)]
    pub(crate) alias: String,
    /// A range.
    #[serde(default)]
    pub(crate) version: String,
    /// `https://…`, `oci://…`, `file://…`, `@name` of helm's repositories; empty: it has to be in `charts/`.
    #[serde(default)]
    pub(crate) repository: String,
}

/// The files of charts of the first API version, which keep their dependencies apart.
#[derive(Default, Deserialize)]
struct Requirements {
    #[serde(default)]
    dependencies: Vec<Dependency>,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DefinitionError {
    #[error("`{file}` cannot be read: {source}")]
    Read { file: &'static str, source: std::io::Error },
    #[error("`{file}` is not valid: {reason}")]
    Form { file: &'static str, reason: String },
    #[error("`Chart.yaml` names no chart")]
    NoName,
}

impl Definition {
    /// Reads the bytes of a `Chart.yaml`.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, DefinitionError> {
        let definition: Self = yaml("Chart.yaml", bytes)?;
        if definition.name.is_empty() { Err(DefinitionError::NoName) } else { Ok(definition) }
    }

    /// Of a chart's directory. Locked dependencies have their exact version, as `helm dependency build` gives them.
    pub(crate) fn of(chart: &Path) -> Result<Self, DefinitionError> {
        let bytes = fs::read(chart.join("Chart.yaml"))
            .map_err(|source| DefinitionError::Read { file: "Chart.yaml", source })?;
        let mut definition = Self::parse(&bytes)?;
        if let Some(required) = beside(chart, "requirements.yaml")? {
            definition.dependencies.extend(required.dependencies);
        }
        let lock = match beside(chart, "Chart.lock")? {
            None => beside(chart, "requirements.lock")?,
            lock => lock,
        };
        for locked in lock.unwrap_or_default().dependencies {
            // One name may be needed twice, under two aliases: the lock has the order of the definition.
            let same = |one: &&mut Dependency| one.name == locked.name && one.repository == locked.repository;
            let unlocked = |one: &&mut Dependency| !one.version.starts_with('=');
            if let Some(one) = definition.dependencies.iter_mut().filter(same).find(unlocked) {
                one.version = format!("={}", locked.version);
            }
        }
        for one in &mut definition.dependencies {
            if let Some(exact) =
                one.version.strip_prefix('=').filter(|exact| !exact.contains([',', ' ', '|', '=']))
            {
                one.version = exact.to_owned();
            }
        }
        Ok(definition)
    }
}

fn beside(chart: &Path, file: &'static str) -> Result<Option<Requirements>, DefinitionError> {
    match fs::read(chart.join(file)) {
        Ok(bytes) => yaml(file, &bytes).map(Some),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(DefinitionError::Read { file, source }),
    }
}

fn yaml<T: for<'a> Deserialize<'a>>(file: &'static str, bytes: &[u8]) -> Result<T, DefinitionError> {
    let form = |reason: String| DefinitionError::Form { file, reason };
    let text = std::str::from_utf8(bytes).map_err(|error| form(error.to_string()))?;
    // Only the first line: the others quote the file.
    serde_saphyr::from_str(text)
        .map_err(|error| form(error.to_string().lines().next().unwrap_or_default().to_owned()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn chart(files: &[(&str, &str)]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        files.iter().for_each(|(name, text)| fs::write(directory.path().join(name), text).unwrap());
        directory
    }

    fn needs(directory: &tempfile::TempDir) -> Vec<String> {
        let definition = Definition::of(directory.path()).unwrap();
        definition.dependencies.iter().map(|one| format!("{} {}", one.name, one.version)).collect()
    }

    #[test]
    fn a_lock_gives_dependencies_their_versions() {
        let yaml = "name: app\nversion: 1\ndependencies:\n- {name: db, version: ^1.0.0, repository: https://a.example}\n\
                    - {name: db, version: 2.x, repository: https://a.example, alias: other}\n- {name: own, version: '0'}\n";
        assert_eq!(needs(&chart(&[("Chart.yaml", yaml)])), ["db ^1.0.0", "db 2.x", "own 0"]);
        let lock = "dependencies:\n- {name: db, version: 1.4.2, repository: https://a.example}\n\
                    - {name: db, version: 2.0.1, repository: https://a.example}\n";
        assert_eq!(
            needs(&chart(&[("Chart.yaml", yaml), ("Chart.lock", lock)])),
            ["db 1.4.2", "db 2.0.1", "own 0"]
        );
    }

    #[test]
    fn old_charts_keep_them_apart() {
        let required = "dependencies:\n- {name: db, version: 1.x.x, repository: '@stable'}\n";
        let directory =
            chart(&[("Chart.yaml", "name: app\nversion: 1.0.0\n"), ("requirements.yaml", required)]);
        assert_eq!(needs(&directory), ["db 1.x.x"]);
    }

    #[test]
    fn what_is_no_definition_is_an_error() {
        for text in ["", "name: [", "version: 1.0.0", "- a"] {
            assert!(Definition::parse(text.as_bytes()).is_err(), "{text:?}");
        }
        assert!(Definition::of(chart(&[]).path()).is_err());
    }
}
