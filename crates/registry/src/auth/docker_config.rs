//! Docker's and podman's configuration files, as far as logins go.
//!
//! `config.json` of Docker (docker docs, "docker login"; `cli/config/configfile`) and `auth.json` of podman
//! (containers-auth.json(5)) share a format. Docker asks `credHelpers` of the host first, then `credsStore`,
//! then `auths`. Podman's keys may name a part of a registry (`quay.io/team`): the longest that fits wins.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use super::environment::Variables;
use crate::credential::Credential;
use crate::secret::Secret;
use pullthru_core::image::{DOCKER_HUB, fold_host};

/// The longest file that is read.
const FILE_MAX: u64 = 4 * 1024 * 1024;

/// One file.
#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase")]
pub(super) struct File {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(default)]
    cred_helpers: BTreeMap<String, String>,
    #[serde(default)]
    creds_store: String,
    #[serde(skip)]
    pub(super) path: PathBuf,
}

#[derive(Deserialize, Default)]
struct Entry {
    #[serde(default)]
    auth: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    identitytoken: String,
    #[serde(default)]
    registrytoken: String,
}

/// Where a login is to be had.
pub(super) enum Place<'a> {
    /// From the helper `docker-credential-<name>`, asked for `server`.
    Helper { name: &'a str, server: String },
    /// From the file itself.
    Inline(Credential),
}

/// The files that there are, in the order in which they are asked. What cannot be read is said, not skipped.
pub(super) fn files(variables: &Variables) -> (Vec<File>, Vec<String>) {
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    for path in candidates(variables) {
        match read(&path) {
            Ok(Some(file)) => found.push(file),
            Ok(None) => {}
            Err(why) => problems.push(format!("`{}` {why}", path.display())),
        }
    }
    (found, problems)
}

fn candidates(variables: &Variables) -> Vec<PathBuf> {
    let home = variables.path("HOME").or_else(|| variables.path("USERPROFILE"));
    let docker = variables.path("DOCKER_CONFIG").or_else(|| Some(home.clone()?.join(".docker")));
    let config = variables.path("XDG_CONFIG_HOME").or_else(|| Some(home?.join(".config")));
    let helm = variables
        .path("HELM_REGISTRY_CONFIG")
        .or_else(|| Some(variables.helm_configuration()?.join("registry/config.json")));
    let mut paths: Vec<PathBuf> = [
        variables.path("REGISTRY_AUTH_FILE"),
        docker.map(|directory| directory.join("config.json")),
        variables.path("XDG_RUNTIME_DIR").map(|directory| directory.join("containers/auth.json")),
        config.map(|directory| directory.join("containers/auth.json")),
        helm,
    ]
    .into_iter()
    .flatten()
    .collect();
    paths.dedup();
    paths
}

fn read(path: &Path) -> Result<Option<File>, String> {
    let size = match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => metadata.len(),
        Ok(_) => return Err("is not a file".to_owned()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("cannot be read: {}", error.kind())),
    };
    if size > FILE_MAX {
        return Err("is too large for a list of logins".to_owned());
    }
    let bytes = std::fs::read(path).map_err(|error| format!("cannot be read: {}", error.kind()))?;
    // The parser's message may quote a value: only where it stopped is said.
    let mut file: File = serde_json::from_slice(&bytes)
        .map_err(|error| format!("is not valid: line {}, column {}", error.line(), error.column()))?;
    file.path = path.to_owned();
    Ok(Some(file))
}

impl File {
    /// Is a helper named for this host itself?
    pub(super) fn helper_for(&self, registry: &str) -> Option<Place<'_>> {
        let (_, name) = self.cred_helpers.iter().find(|(key, _)| host_of(key) == registry)?;
        (!name.is_empty()).then(|| Place::Helper { name, server: server_name(registry) })
    }

    /// Every host that the file names.
    pub(super) fn hosts(&self) -> impl Iterator<Item = String> {
        self.auths.keys().chain(self.cred_helpers.keys()).map(|key| host_of(key))
    }

    /// The store for all hosts. It is a program that may have an answer for any of them, so it is asked for those
    /// alone that the user has named.
    pub(super) fn store_for(&self, registry: &str) -> Option<Place<'_>> {
        (!self.creds_store.is_empty())
            .then(|| Place::Helper { name: &self.creds_store, server: server_name(registry) })
    }

    /// What `auths` has for a repository, with the key as the file spells it.
    ///
    /// # Errors
    /// The key, when its entry is no login.
    pub(super) fn inline_for(&self, registry: &str, repository: &str) -> Result<Option<Place<'_>>, String> {
        let Some((key, entry)) = self.entry(registry, repository) else { return Ok(None) };
        Ok(entry.credential().map_err(|()| key.to_owned())?.map(Place::Inline))
    }

    /// The namespace that `inline_for` decides by; the registry where that is all.
    pub(super) fn namespace(&self, registry: &str, repository: &str) -> Option<String> {
        self.entry(registry, repository).map(|(key, _)| folded(key))
    }

    fn entry(&self, registry: &str, repository: &str) -> Option<(&str, &Entry)> {
        let name = format!("{registry}/{repository}");
        self.auths
            .iter()
            .filter(|(key, _)| {
                let key = folded(key);
                // A key without a host is for none.
                !key.is_empty()
                    && name.strip_prefix(&key).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            })
            .max_by_key(|(key, _)| folded(key).len())
            .map(|(key, entry)| (key.as_str(), entry))
    }
}

impl Entry {
    /// The login; `None` for the empty entries that stores leave behind.
    fn credential(&self) -> Result<Option<Credential>, ()> {
        if !self.registrytoken.is_empty() {
            return Ok(Some(Credential::Bearer(Secret::new(&self.registrytoken))));
        }
        if !self.identitytoken.is_empty() {
            return Ok(Some(Credential::Identity(Secret::new(&self.identitytoken))));
        }
        if !self.auth.is_empty() {
            let bytes = STANDARD.decode(self.auth.trim()).map_err(|_| ())?;
            let text = String::from_utf8(bytes).map_err(|_| ())?;
            let (user, password) = text.split_once(':').ok_or(())?;
            // Docker writes a closing NUL in old files (`configfile.decodeAuth` trims it).
            return Ok(Some(Credential::password(user, password.trim_end_matches('\0'))));
        }
        if self.username.is_empty() && self.password.is_empty() {
            return Ok(None);
        }
        Ok(Some(Credential::password(&self.username, &self.password)))
    }
}

/// A key without scheme and without the paths of the old API (`https://index.docker.io/v1/`); the host folded.
fn folded(key: &str) -> String {
    let key = key.split_once("://").map_or(key, |(_, rest)| rest).trim_end_matches('/');
    let (host, path) = key.split_once('/').unwrap_or((key, ""));
    // No host would be read as Docker Hub.
    let host = if host.is_empty() { String::new() } else { fold_host(host) };
    match path {
        "" | "v1" | "v2" => host,
        path => format!("{host}/{path}"),
    }
}

fn host_of(key: &str) -> String {
    let key = folded(key);
    key.split_once('/').map_or(key.clone(), |(host, _)| host.to_owned())
}

/// What helpers know a registry by: Docker Hub keeps its first address.
fn server_name(registry: &str) -> String {
    if registry == DOCKER_HUB { "https://index.docker.io/v1/".to_owned() } else { registry.to_owned() }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn file(json: &str) -> File {
        serde_json::from_str(json).unwrap()
    }

    fn inline(file: &File, registry: &str, repository: &str) -> Option<Credential> {
        match file.inline_for(registry, repository).unwrap() {
            Some(Place::Inline(credential)) => Some(credential),
            _ => None,
        }
    }

    #[test]
    fn finds_the_entry_of_a_repository() {
        // a:b, c:d:e, hub:x
        let file = file(
            r#"{"auths":{"ghcr.io":{"auth":"YTpi"},"https://quay.io/v2/":{"auth":"YzpkOmU="},
            "quay.io/team":{"username":"t","password":"p"},"https://index.docker.io/v1/":{"auth":"aHViOng="},
            "id.example":{"auth":"eDp5","identitytoken":"i"},"reg.example":{"registrytoken":"r"},
            "empty.example":{}}}"#,
        );
        let password = |user, password| Some(Credential::password(user, password));
        assert_eq!(inline(&file, "ghcr.io", "a/b"), password("a", "b"));
        assert_eq!(inline(&file, "quay.io", "a/b"), password("c", "d:e"));
        assert_eq!(inline(&file, "quay.io", "team/b"), password("t", "p"));
        assert_eq!(inline(&file, "quay.io", "teams/b"), password("c", "d:e"));
        assert_eq!(inline(&file, "docker.io", "library/nginx"), password("hub", "x"));
        assert_eq!(inline(&file, "id.example", "a"), Some(Credential::Identity(Secret::new("i"))));
        assert_eq!(inline(&file, "reg.example", "a"), Some(Credential::Bearer(Secret::new("r"))));
        assert_eq!(inline(&file, "empty.example", "a"), None);
        assert_eq!(inline(&file, "ghcr.io.evil.example", "a/b"), None);
        assert_eq!(inline(&file, "evil.example", "ghcr.io"), None);
        assert_eq!(file.namespace("quay.io", "team/b").as_deref(), Some("quay.io/team"));
    }

    #[test]
    fn an_entry_that_is_no_login_is_named_and_not_shown() {
        for auth in ["!!!", "bm9jb2xvbg=="] {
            let file = file(&format!(r#"{{"auths":{{"ghcr.io":{{"auth":"{auth}"}}}}}}"#));
            assert_eq!(file.inline_for("ghcr.io", "a").err(), Some("ghcr.io".to_owned()));
        }
    }

    #[test]
    fn helpers_of_a_host_and_of_all() {
        let file = file(r#"{"credHelpers":{"ghcr.io":"one","index.docker.io":"two"},"credsStore":"all"}"#);
        let name = |place: Option<Place<'_>>| match place {
            Some(Place::Helper { name, server }) => Some((name.to_owned(), server)),
            _ => None,
        };
        let own = |name: &str, server: &str| Some((name.to_owned(), server.to_owned()));
        assert_eq!(name(file.helper_for("ghcr.io")), own("one", "ghcr.io"));
        assert_eq!(name(file.helper_for("docker.io")), own("two", "https://index.docker.io/v1/"));
        assert_eq!(name(file.helper_for("quay.io")), None);
        assert_eq!(name(file.store_for("quay.io")), own("all", "quay.io"));
    }

    #[test]
    fn where_files_are() {
        let of = |pairs: &[(&str, &str)]| {
            let variables = Variables::of(pairs.iter().copied());
            candidates(&variables).iter().map(|path| path.display().to_string()).collect::<Vec<_>>()
        };
        let helm = if cfg!(target_os = "macos") { "/h/Library/Preferences/helm" } else { "/h/.config/helm" };
        let helm = format!("{helm}/registry/config.json");
        assert_eq!(
            of(&[("HOME", "/h")]),
            ["/h/.docker/config.json", "/h/.config/containers/auth.json", &helm]
        );
        assert_eq!(
            of(&[
                ("HOME", "/h"),
                ("DOCKER_CONFIG", "/d"),
                ("REGISTRY_AUTH_FILE", "/r"),
                ("XDG_RUNTIME_DIR", "/x")
            ]),
            ["/r", "/d/config.json", "/x/containers/auth.json", "/h/.config/containers/auth.json", &helm]
        );
        assert_eq!(of(&[("HELM_CONFIG_HOME", "/helm")]), ["/helm/registry/config.json"]);
        assert_eq!(
            of(&[("HELM_REGISTRY_CONFIG", "/login.json"), ("XDG_CONFIG_HOME", "/c")]),
            ["/c/containers/auth.json", "/login.json"]
        );
        assert!(of(&[]).is_empty());
    }
}
