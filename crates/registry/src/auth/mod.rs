//! Where logins come from.
//!
//! In order: what the caller gave; `PULLTHRU_AUTH_<HOST>`; `GHCR_TOKEN` for ghcr.io; for ECR a helper named for
//! the host, then the AWS credential chain; Docker's, podman's and helm's files, helpers before what is written in
//! them; `GITHUB_TOKEN` for ghcr.io, last since CI sets it whether it can read the image or not. Anonymous
//! otherwise. Nothing here sends anything to a registry: [`super::Client`] decides who may see a login.
//!
//! The list of images may be written by others, so a host that is only asked for gets no login: each is for a host
//! that the user has named, character by character. AWS's are for ECR's own hosts, which AWS alone can serve.

mod docker_config;
mod environment;
mod helper;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub use super::credential::Credential;
use super::credential::Found;
use super::ecr_api::EcrApi;
use super::failure::{Detail, Failure};
use super::note::{Note, Notes};
use super::secret::Secret;
use docker_config::{File, Place};
pub(super) use environment::Misnamed;
pub use environment::{Variables, variable_for};
use pullthru_core::image::fold_host;
use pullthru_core::route::EcrHost;

/// How long a helper's answer is used: clouds hand out short-lived ones.
const HELPER_LASTS: Duration = Duration::from_secs(600);

/// The sources of logins.
#[derive(Clone, Default)]
pub struct Credentials {
    /// With where each came from.
    given: BTreeMap<String, (Credential, String)>,
    variables: Variables,
    files: Arc<Vec<File>>,
    problems: Vec<String>,
    aws: bool,
    ecr: Option<Arc<dyn EcrApi>>,
    helper_limit: Option<Duration>,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").finish_non_exhaustive()
    }
}

impl Credentials {
    /// No login for any registry.
    pub fn none() -> Self {
        Self::default()
    }

    /// Those of the process: its variables, the files they name, the AWS credential chain.
    pub fn of_process() -> Self {
        Self { aws: true, ..Self::of(Variables::of_process()) }
    }

    /// Those of the given variables and the files they name. The AWS chain, which reads the process itself, is
    /// left out.
    pub fn of(variables: Variables) -> Self {
        let (files, problems) = docker_config::files(&variables);
        Self { variables, files: Arc::new(files), problems, ..Self::default() }
    }

    /// With a login for one registry, before all others.
    #[must_use]
    pub fn with(mut self, registry: &str, user: &str, password: &str) -> Self {
        let login = (Credential::password(user, password), "the caller".to_owned());
        self.given.insert(fold_host(registry), login);
        self
    }

    /// The same, with where it came from for messages.
    #[must_use]
    pub fn with_login_of(mut self, registry: &str, user: &str, password: &str, source: &str) -> Self {
        let login = (Credential::password(user, password), source.to_owned());
        self.given.insert(fold_host(registry), login);
        self
    }

    /// With AWS's API for questions about ECR, and for the logins of [`Credentials::of_process`].
    #[must_use]
    pub fn with_ecr(mut self, api: Arc<dyn EcrApi>) -> Self {
        self.ecr = Some(api);
        self
    }

    pub(super) fn ecr(&self) -> Option<&dyn EcrApi> {
        self.ecr.as_deref()
    }

    /// With another time limit for helper programs than 20 s.
    #[must_use]
    pub fn helper_limit(mut self, limit: Duration) -> Self {
        self.helper_limit = Some(limit);
        self
    }

    /// The login of the variable for a host, which need not be a registry's.
    pub(super) fn of_variable(&self, host: &str) -> Option<Credential> {
        environment::named(&self.variables, host).ok().flatten().map(|found| found.credential)
    }

    /// The first variable that looks like a login's and is that of no host. `named` are hosts of the user's.
    pub(super) fn misnamed(&self, named: impl Iterator<Item = String>) -> Option<Misnamed> {
        let files = self.files.iter().flat_map(File::hosts);
        environment::misnamed(&self.variables, &named.chain(files).collect::<Vec<_>>())
    }

    /// What is sent to AWS with the SDK's requests.
    pub(super) fn aws_secrets(&self) -> impl Iterator<Item = Secret> {
        let names = ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN"];
        names.into_iter().filter_map(|name| self.variables.text(name)).map(Secret::new)
    }

    /// What of a name decides about its login: the registry, or a longer beginning that a file has a login for.
    pub(super) fn key(&self, registry: &str, repository: &str) -> String {
        self.files
            .iter()
            .find_map(|file| file.namespace(registry, repository))
            .unwrap_or_else(|| registry.to_owned())
    }

    /// Is the login for this registry one of AWS, so that all registries of an account and Region share it?
    pub(super) fn is_aws(&self, registry: &str) -> Option<EcrHost> {
        let host: EcrHost = registry.parse().ok()?;
        let is_given = self.given.contains_key(registry)
            || self.variables.text(&variable_for(registry)).is_some()
            || self.files.iter().any(|file| file.helper_for(registry).is_some());
        (self.aws && !is_given).then_some(host)
    }

    /// The login for a repository. `named`: the user has named the registry, so that a store for all hosts may be
    /// asked.
    ///
    /// # Errors
    /// AWS's answer, when the registry is ECR and no other source has a login.
    pub(super) async fn find(
        &self,
        (registry, repository): (&str, &str),
        named: bool,
        notes: &Notes,
    ) -> Result<Option<Found>, Failure> {
        for problem in &self.problems {
            notes.add(Note::Configuration { problem: problem.clone() });
        }
        if let Some((credential, source)) = self.given.get(registry) {
            return Ok(Some(Found::new(credential.clone(), source)));
        }
        match environment::named(&self.variables, registry) {
            Ok(Some(found)) => return Ok(Some(found)),
            Ok(None) => {}
            Err(name) => notes.add(Note::Configuration {
                problem: format!("`{name}` is not of the form `user:password` and was ignored"),
            }),
        }
        if let Some(found) = environment::github(&self.variables, registry, "GHCR_TOKEN") {
            return Ok(Some(found));
        }
        for file in self.files.iter() {
            if let Some(found) = self.from(file.helper_for(registry), file, registry, notes).await {
                return Ok(Some(found));
            }
        }
        let mut of_aws = None;
        if let Some(host) = self.is_aws(registry) {
            match login_of_ecr(self.ecr(), &host, repository).await {
                Ok(found) => return Ok(Some(found)),
                Err(failure) => of_aws = Some(failure),
            }
        }
        let named = named
            || registry.parse::<EcrHost>().is_ok()
            || self.files.iter().flat_map(File::hosts).any(|host| host == registry);
        for file in self.files.iter() {
            let store = if named { file.store_for(registry) } else { None };
            if let Some(found) = self.from(store, file, registry, notes).await {
                return Ok(Some(found));
            }
            match file.inline_for(registry, repository) {
                Ok(place) => {
                    if let Some(found) = self.from(place, file, registry, notes).await {
                        return Ok(Some(found));
                    }
                }
                Err(key) => notes.add(Note::Configuration {
                    problem: format!("the entry `{key}` of `{}` is no login", file.path.display()),
                }),
            }
        }
        if let Some(failure) = of_aws {
            return Err(failure);
        }
        Ok(environment::github(&self.variables, registry, "GITHUB_TOKEN"))
    }

    async fn from(
        &self,
        place: Option<Place<'_>>,
        file: &File,
        registry: &str,
        notes: &Notes,
    ) -> Option<Found> {
        match place? {
            Place::Inline(credential) => Some(Found::new(credential, &format!("`{}`", file.path.display()))),
            Place::Helper { name, server } => {
                let limit = self.helper_limit.unwrap_or(Duration::from_secs(20));
                match helper::ask(name, &server, &self.variables, limit).await {
                    Ok(credential) => Some(Found {
                        credential: credential?,
                        source: format!("`docker-credential-{name}`"),
                        lasts: Some(HELPER_LASTS),
                    }),
                    Err(error) => {
                        notes.add(Note::Helper { registry: registry.to_owned(), problem: error.to_string() });
                        None
                    }
                }
            }
        }
    }
}

/// The login for a repository of ECR, by AWS's API.
async fn login_of_ecr(api: Option<&dyn EcrApi>, host: &EcrHost, repository: &str) -> Result<Found, Failure> {
    let Some(api) = api else { return Err(no_aws(Detail::of(&host.to_string(), repository))) };
    let login = api.login(host, repository).await?;
    Ok(Found {
        credential: Credential::Password { user: login.user, password: login.password },
        source: "the AWS credentials".to_owned(),
        lasts: Some(login.lasts),
    })
}

pub(super) fn no_aws(mut detail: Detail) -> Failure {
    let variable = variable_for(&detail.registry);
    detail.hint = Some(format!(
        "build with the feature `aws`, or set `{variable}` to `AWS:` and what `aws ecr get-login-password` prints"
    ));
    Failure::Unauthorized(detail.saying("this build has no AWS support"))
}
