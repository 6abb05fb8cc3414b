//! Logins from environment variables.
//!
//! `PULLTHRU_AUTH_<HOST>=user:password` for any registry, in a spelling that names one host; `GHCR_TOKEN` and `GITHUB_TOKEN` for ghcr.io, where
//! the user's name does not matter (GitHub docs, "Working with the Container registry"). The variables are
//! taken once, as a map, so that tests have their own.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use crate::credential::{Credential, Found};
use crate::secret::Secret;
use pullthru_core::image::{fold_host, is_host};
use pullthru_core::route::EcrHost;

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

    /// The file in which helm keeps its chart repositories (`helm repo add`), whether it is there or not.
    pub fn helm_repositories(&self) -> Option<PathBuf> {
        let own = || Some(self.helm_configuration()?.join("repositories.yaml"));
        self.path("HELM_REPOSITORY_CONFIG").or_else(own)
    }

    /// A value that is text and not empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(std::ffi::OsStr::new(name))?.to_str().map(str::trim).filter(|value| !value.is_empty())
    }

    /// A value that is a path and not empty.
    pub(super) fn path(&self, name: &str) -> Option<PathBuf> {
        self.0.get(std::ffi::OsStr::new(name)).filter(|value| !value.is_empty()).map(PathBuf::from)
    }

    /// Where helm keeps its configuration (helm documentation, "XDG" and `helmpath`).
    pub(super) fn helm_configuration(&self) -> Option<PathBuf> {
        let helm = |directory: PathBuf| directory.join("helm");
        let own = if cfg!(windows) {
            self.path("APPDATA")
        } else if cfg!(target_os = "macos") {
            self.path("HOME").map(|home| home.join("Library/Preferences"))
        } else {
            self.path("HOME").map(|home| home.join(".config"))
        };
        self.path("HELM_CONFIG_HOME").or_else(|| self.path("XDG_CONFIG_HOME").or(own).map(helm))
    }
}

/// What the names of variables with a login begin with.
const PREFIX: &str = "PULLTHRU_AUTH_";

/// What is written for the punctuation of a host. Lower case in a name that is upper case otherwise: read back, a name
/// is one host, and none that writes `_` for all punctuation, as this program once did, is one.
const WORDS: [(char, &str); 5] =
    [('.', "_dot_"), ('-', "_dash_"), (':', "_colon_"), ('[', "_open_"), (']', "_close_")];

/// The variable with the login of a registry: `PULLTHRU_AUTH_` and the host in upper case, with a word for each of
/// its punctuation: `PULLTHRU_AUTH_LOCALHOST_colon_5000`.
///
/// No two hosts share one: `a-b.io` and `a.b.io` may belong to two people. (Hosts that differ in case only are one.)
pub fn variable_for(registry: &str) -> String {
    let mut name = PREFIX.to_owned();
    for c in registry.chars() {
        match WORDS.iter().find(|(mark, _)| *mark == c) {
            Some((_, word)) => name.push_str(word),
            None if c.is_ascii_alphanumeric() => name.push(c.to_ascii_uppercase()),
            // In no host.
            None => name.push_str(&format!("_x{:x}_", u32::from(c))),
        }
    }
    name
}

/// The host that [`variable_for`] gives this name to.
fn host_of(name: &str) -> Option<String> {
    let mut rest = name.strip_prefix(PREFIX)?;
    let mut host = String::new();
    while let Some(c) = rest.chars().next() {
        let word = WORDS.iter().find(|(_, word)| rest.starts_with(word));
        match word {
            Some((mark, _)) => host.push(*mark),
            None if c.is_ascii_uppercase() || c.is_ascii_digit() => host.push(c.to_ascii_lowercase()),
            None => return None,
        }
        rest = rest.get(word.map_or(1, |(_, word)| word.len())..)?;
    }
    // `MyOrg` is a host by its upper case alone.
    (is_host(&host) || is_host(&host.to_ascii_uppercase())).then_some(host)
}

/// A variable that begins like one with a login and is not the one of any host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Misnamed {
    pub(in super::super) name: String,
    /// Hosts that may be meant; their variables are [`variable_for`] of them.
    pub(in super::super) hosts: Vec<String>,
}

impl std::fmt::Display for Misnamed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` is not the variable of any registry, and its login is not used: ", self.name)?;
        for host in &self.hosts {
            write!(f, "for `{host}` write `{}`, ", variable_for(host))?;
        }
        f.write_str(
            "the host in upper case with `.` as `_dot_`, `-` as `_dash_` and `:` as `_colon_` (with `_` for all of \
             them, the login of one host would go to another)",
        )
    }
}

/// The first variable that has a value and the name of no host. `named` are the hosts that the user named elsewhere:
/// what is asked for, which others may have written, must not decide which name is proposed.
pub(super) fn misnamed(variables: &Variables, named: &[String]) -> Option<Misnamed> {
    let names = variables.0.keys().filter_map(|name| name.to_str());
    names.filter(|name| name.starts_with(PREFIX) && variables.text(name).is_some()).find_map(|name| {
        let host = host_of(name).map(|host| fold_host(&host));
        if host.as_deref().is_some_and(|host| variable_for(host) == name) {
            return None;
        }
        let hosts = host.map_or_else(|| meant(name, named), |host| vec![host]);
        Some(Misnamed { name: name.to_owned(), hosts })
    })
}

/// The hosts that a name may be meant for: those of `named` that were once written like that, else the likeliest.
fn meant(name: &str, named: &[String]) -> Vec<String> {
    let upper = name.to_ascii_uppercase();
    let mut hosts: Vec<String> = named
        .iter()
        .filter(|host| old_variable_for(host) == upper || variable_for(host).eq_ignore_ascii_case(name))
        .cloned()
        .collect();
    hosts.sort();
    hosts.dedup();
    if hosts.is_empty() {
        let words = WORDS
            .iter()
            .fold(upper.clone(), |name, (_, word)| name.replace(&word.to_ascii_uppercase(), word));
        let body = upper.strip_prefix(PREFIX).unwrap_or_default();
        hosts.extend(host_of(&words).or_else(|| likeliest(body)).map(|host| fold_host(&host)));
    }
    hosts
}

/// With `_` for all punctuation, as this program once named variables.
fn old_variable_for(registry: &str) -> String {
    let of = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("{PREFIX}{}", registry.chars().map(of).collect::<String>())
}

/// The host with dots alone, with a port where it ends in a number, and with the dashes of a Region.
fn likeliest(body: &str) -> Option<String> {
    let body = body.to_ascii_lowercase();
    if let Some((account, rest)) = body.split_once("_dkr_ecr_")
        && let Some(region) = rest.strip_suffix("_amazonaws_com").or(rest.strip_suffix("_amazonaws_com_cn"))
        && let (Ok(account), Ok(region)) = (account.parse(), region.replace('_', "-").parse())
    {
        return Some(EcrHost::new(account, region).to_string());
    }
    let labels: Vec<&str> = body.split('_').collect();
    let is_number = |label: &str| !label.is_empty() && label.bytes().all(|byte| byte.is_ascii_digit());
    let is_address = labels.len() == 4 && labels.iter().all(|label| is_number(label));
    let dotted = match labels.split_last() {
        Some((port, host)) if is_number(port) && !host.is_empty() && !is_address => {
            format!("{}:{port}", host.join("."))
        }
        _ => labels.join("."),
    };
    is_host(&dotted).then_some(dotted)
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
            ("PULLTHRU_AUTH_GHCR_dot_IO", "me:a:b"),
            ("PULLTHRU_AUTH_LOCALHOST_colon_5000", "x"),
            ("PULLTHRU_AUTH_QUAY_dot_IO", ""),
            ("GITHUB_TOKEN", "t\n"),
        ]);
        let found = named(&variables, "ghcr.io").unwrap().unwrap();
        assert_eq!(found.credential, Credential::password("me", "a:b"));
        assert_eq!(found.source, "`PULLTHRU_AUTH_GHCR_dot_IO`");
        let of_port = Err("PULLTHRU_AUTH_LOCALHOST_colon_5000".to_owned());
        assert_eq!(named(&variables, "localhost:5000"), of_port);
        assert_eq!(named(&variables, "quay.io"), Ok(None));
        let found = github(&variables, "ghcr.io", "GITHUB_TOKEN").unwrap();
        assert_eq!(found.credential, Credential::password("pullthru", "t"));
        assert!(github(&variables, "ghcr.io.evil.example", "GITHUB_TOKEN").is_none());
        assert!(github(&variables, "ghcr.io", "GHCR_TOKEN").is_none());
        assert_eq!(format!("{variables:?}"), "Variables { .. }");
        assert_eq!(misnamed(&variables, &[]), None);
    }

    #[test]
    fn a_name_is_of_one_host() {
        for (host, name) in [
            ("quay.io", "PULLTHRU_AUTH_QUAY_dot_IO"),
            ("registry.acme.example", "PULLTHRU_AUTH_REGISTRY_dot_ACME_dot_EXAMPLE"),
            ("registry-acme.example", "PULLTHRU_AUTH_REGISTRY_dash_ACME_dot_EXAMPLE"),
            ("xn--caf-dma.example", "PULLTHRU_AUTH_XN_dash__dash_CAF_dash_DMA_dot_EXAMPLE"),
            ("dot.dash.io", "PULLTHRU_AUTH_DOT_dot_DASH_dot_IO"),
            ("localhost", "PULLTHRU_AUTH_LOCALHOST"),
            ("localhost:5000", "PULLTHRU_AUTH_LOCALHOST_colon_5000"),
            ("127.0.0.1:80", "PULLTHRU_AUTH_127_dot_0_dot_0_dot_1_colon_80"),
            ("[::1]:5000", "PULLTHRU_AUTH__open__colon__colon_1_close__colon_5000"),
        ] {
            assert_eq!(variable_for(host), name);
            assert_eq!(host_of(name).as_deref(), Some(host));
            // What a shell takes for the name of a variable.
            assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'), "{name}");
        }
        // Hosts by their upper case alone; the network has one for all three.
        assert_eq!(variable_for("MyOrg"), variable_for("MYORG"));
        assert_eq!(host_of("PULLTHRU_AUTH_MYORG").as_deref(), Some("myorg"));
        for name in
            ["", "_", "_dot_", "A_dot_", "A_dot__dot_B", "A_B", "a", "A_dot_IO_colon_", "A_dot_B_dash_"]
        {
            assert_eq!(host_of(&format!("{PREFIX}{name}")), None, "{name}");
        }
    }

    proptest::proptest! {
        #[test]
        fn reads_back(host in "[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?(\\.[a-z0-9]([a-z0-9-]{0,4}[a-z0-9])?){1,3}(:[0-9]{1,5})?") {
            let old = host_of(&old_variable_for(&host));
            proptest::prop_assert_eq!(host_of(&variable_for(&host)), Some(host));
            // And the name that it once had is the name of no host.
            proptest::prop_assert_eq!(old, None);
        }
    }

    #[test]
    fn other_names_are_refused_with_the_right_one() {
        let named = ["registry-acme.example".to_owned(), "ghcr.io".to_owned(), "a-b.example:5000".to_owned()];
        for (name, hosts) in [
            ("QUAY_IO", &["quay.io"][..]),
            ("GHCR_IO", &["ghcr.io"]),
            ("REGISTRY_ACME_EXAMPLE", &["registry-acme.example"]),
            ("A_B_EXAMPLE_5000", &["a-b.example:5000"]),
            ("REGISTRY_OTHER_EXAMPLE", &["registry.other.example"]),
            ("LOCALHOST_5000", &["localhost:5000"]),
            ("127_0_0_1", &["127.0.0.1"]),
            ("127_0_0_1_5000", &["127.0.0.1:5000"]),
            (
                "123456789012_DKR_ECR_CA_CENTRAL_1_AMAZONAWS_COM",
                &["123456789012.dkr.ecr.ca-central-1.amazonaws.com"],
            ),
            // In upper case, as some CI systems make variables.
            ("GHCR_DOT_IO", &["ghcr.io"]),
            ("quay_dot_io", &["quay.io"]),
            // Two variables for one host: only one of them is read.
            ("INDEX_dot_DOCKER_dot_IO", &["docker.io"]),
            ("GHCR_dot_IO_colon_443", &["ghcr.io"]),
            ("__", &[]),
        ] {
            let name = format!("{PREFIX}{name}");
            let variables = Variables::of([(name.as_str(), "me:hunter2"), ("PATH", "/bin")]);
            let found = misnamed(&variables, &named).unwrap();
            assert_eq!(
                (&found.name, found.hosts.as_slice()),
                (&name, &hosts.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>()[..])
            );
            let text = found.to_string();
            assert!(hosts.iter().all(|host| text.contains(&format!("`{}`", variable_for(host)))), "{text}");
            assert!(!text.contains("hunter2"), "{text}");
            assert_eq!(misnamed(&Variables::of([(name.as_str(), "")]), &named), None);
        }
    }
}
