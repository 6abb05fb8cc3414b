//! helm's `repositories.yaml`: the repositories that a person has added, with their logins (`helm repo add --username`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use pullthru_registry::Secret;
use pullthru_registry::auth::Credential;
use serde::Deserialize;

/// The repositories of the file.
#[derive(Clone, Default)]
pub(crate) struct Repositories {
    all: Vec<Repository>,
}

#[derive(Clone, Deserialize)]
struct Repository {
    #[serde(default)]
    name: String,
    #[serde(default)]
    url: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
    /// The login also goes to other hosts that the index names.
    #[serde(default)]
    pass_credentials_all: bool,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    repositories: Vec<Repository>,
}

/// The file is there and cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RepositoriesError {
    /// It cannot be read.
    #[error("`{path}` cannot be read: {source}")]
    Read { path: PathBuf, source: io::Error },
    /// Nothing of its text is quoted: it holds passwords.
    #[error("`{path}` is not the file of repositories that helm writes: write it again with `helm repo add`")]
    Form { path: PathBuf },
}

impl Repositories {
    /// Reads the file; none is no error.
    pub(crate) fn read(path: Option<&Path>) -> Result<Self, RepositoriesError> {
        let Some(path) = path else { return Ok(Self::default()) };
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(source) => return Err(RepositoriesError::Read { path: path.to_owned(), source }),
        };
        let file: File =
            serde_saphyr::from_str(&text).map_err(|_| RepositoriesError::Form { path: path.to_owned() })?;
        Ok(Self { all: file.repositories })
    }

    /// The URL of a repository by the name that helm knows it by.
    pub(crate) fn named(&self, name: &str) -> Option<String> {
        self.all.iter().find(|one| one.name == name).map(|one| one.url.clone())
    }

    /// The login of a repository, and whether it may go to other hosts.
    pub(crate) fn login(&self, url: &str) -> Option<(Credential, bool)> {
        let same = |one: &&Repository| one.url.trim_end_matches('/') == url.trim_end_matches('/');
        let found = self.all.iter().find(same).filter(|one| !one.username.is_empty())?;
        let password = Secret::new(found.password.clone());
        let login = Credential::Password { user: found.username.clone(), password };
        Some((login, found.pass_credentials_all))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn logins_belong_to_their_repository() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("repositories.yaml");
        assert!(Repositories::read(Some(&path)).unwrap().named("a").is_none());
        let text = "apiVersion: ''\nrepositories:\n- {name: a, url: https://a.example/charts/, username: me, password: hunter2, \
                    caFile: '', insecure_skip_tls_verify: false, pass_credentials_all: true}\n- {name: b, url: https://b.example}\n";
        fs::write(&path, text).unwrap();
        let all = Repositories::read(Some(&path)).unwrap();
        assert_eq!(all.named("b").as_deref(), Some("https://b.example"));
        let (login, anywhere) = all.login("https://a.example/charts").unwrap();
        assert!(anywhere && format!("{login:?}") == "Password { user: \"me\", password: *** }");
        assert!(
            all.login("https://a.example/charts/other").is_none() && all.login("https://b.example").is_none()
        );
        fs::write(&path, "repositories: [{password: hunter2, name: [").unwrap();
        assert!(!Repositories::read(Some(&path)).err().unwrap().to_string().contains("hunter2"));
    }
}
