//! Logins from environment variables.
//!
//! `PULLTHRU_AUTH_<HOST>=user:password` for any registry; `GHCR_TOKEN` and `GITHUB_TOKEN` for ghcr.io, where
//! the user's name does not matter (GitHub docs, "Working with the Container registry"). The variables are
//! taken once, as a map, so that tests have their own.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use super::{Credential, Found, Secret};

/// The variables of a process, or of a test.
#[derive(Clone, Default)]
pub struct Variables(BTreeMap<OsString, OsString>);

impl std::fmt::Debug for Variables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Variables").finish_non_exhaustive()
    }
}

impl Variables {
    /// Those of this process.
    pub fn of_process() -> Self {
        Self(std::env::vars_os().collect())
    }

    /// The given ones and no others.
    pub fn of<K: Into<OsString>, V: Into<OsString>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }

    /// A value that is text and not empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(std::ffi::OsStr::new(name))?.to_str().map(str::trim).filter(|value| !value.is_empty())
    }

    /// A value that is a path and not empty.
    pub(super) fn path(&self, name: &str) -> Option<PathBuf> {
        self.0.get(std::ffi::OsStr::new(name)).filter(|value| !value.is_empty()).map(PathBuf::from)
    }
}

/// `PULLTHRU_AUTH_` and the host in upper case, all but letters and digits as `_`:
/// `PULLTHRU_AUTH_LOCALHOST_5000`.
///
/// Hosts that differ in punctuation only (`a-b.io`, `a.b.io`) share a variable.
pub fn variable_for(registry: &str) -> String {
    let upper = registry
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
        .collect::<String>();
    format!("PULLTHRU_AUTH_{upper}")
}

/// The login of `PULLTHRU_AUTH_<HOST>`.
///
/// # Errors
/// The variable's name when its value is not `user:password`.
pub(super) fn named(variables: &Variables, registry: &str) -> Result<Option<Found>, String> {
    let name = variable_for(registry);
    let Some(value) = variables.text(&name) else { return Ok(None) };
    match value.split_once(':') {
        Some((user, password)) if !user.is_empty() => {
            Ok(Some(Found::new(Credential::password(user, password), &format!("`{name}`"))))
        }
        _ => Err(name),
    }
}

/// The token in `variable` as a login for ghcr.io.
pub(super) fn github(variables: &Variables, registry: &str, variable: &str) -> Option<Found> {
    if registry != "ghcr.io" {
        return None;
    }
    let token = variables.text(variable)?;
    let user = variables.text("GITHUB_ACTOR").unwrap_or("pullthru");
    let credential = Credential::Password { user: user.to_owned(), password: Secret::new(token) };
    Some(Found::new(credential, &format!("`{variable}`")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_variable_of_a_host() {
        let variables = Variables::of([
            ("PULLTHRU_AUTH_GHCR_IO", "me:a:b"),
            ("PULLTHRU_AUTH_LOCALHOST_5000", "x"),
            ("PULLTHRU_AUTH_QUAY_IO", ""),
            ("GITHUB_TOKEN", "t\n"),
        ]);
        let found = named(&variables, "ghcr.io").unwrap().unwrap();
        assert_eq!(found.credential, Credential::password("me", "a:b"));
        assert_eq!(found.source, "`PULLTHRU_AUTH_GHCR_IO`");
        assert_eq!(named(&variables, "localhost:5000"), Err("PULLTHRU_AUTH_LOCALHOST_5000".to_owned()));
        assert_eq!(named(&variables, "quay.io"), Ok(None));
        let found = github(&variables, "ghcr.io", "GITHUB_TOKEN").unwrap();
        assert_eq!(found.credential, Credential::password("pullthru", "t"));
        assert!(github(&variables, "ghcr.io.evil.example", "GITHUB_TOKEN").is_none());
        assert!(github(&variables, "ghcr.io", "GHCR_TOKEN").is_none());
        assert_eq!(format!("{variables:?}"), "Variables { .. }");
    }
}
