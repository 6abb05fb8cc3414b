//! The side of ECR that is AWS's API and not a registry's: the login, and what a cache holds.
//!
//! Asking a registry for a tag makes a pull through cache import it; `DescribeImages` does not (Amazon ECR API
//! reference: it lists what is in the repository). So that is what "is it cached?" is asked of. The client has no SDK:
//! who makes one gives its [`Credentials`](crate::Credentials) an [`EcrApi`]; without, every call here is a failure that
//! says so.

use std::pin::Pin;
use std::time::Duration;

use pullthru_core::image::{Digest, Name};
use pullthru_core::route::EcrHost;

use super::auth::{Credential, Found, Secret, variable_for};
use super::client::{Client, Inner};
use super::failure::{Broken, Detail, Failure};
use super::location::Location;

/// An image that a repository of ECR holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached {
    /// Its digest: of the index where there is one.
    pub digest: Digest,
    /// All tags that point to it.
    pub tags: Vec<String>,
    /// Compressed bytes; absent for an index.
    pub size: Option<u64>,
    /// When it was pushed or imported, in seconds since 1970.
    pub pushed_at: Option<i64>,
    /// When it was pulled last, in seconds since 1970; ECR keeps this up to date within a day.
    pub pulled_at: Option<i64>,
    pub media_type: Option<String>,
}

/// The login that ECR gives for its registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EcrLogin {
    pub user: String,
    pub password: Secret,
    /// How long it may be used before it is asked for again.
    pub lasts: Duration,
}

/// An answer of an [`EcrApi`].
pub type EcrAnswer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'a>>;

/// AWS's API of ECR, as far as the client asks it. What it says is searched for credentials before it is printed.
pub trait EcrApi: std::fmt::Debug + Send + Sync {
    /// The login for a registry; the repository is for messages.
    fn login<'a>(&'a self, host: &'a EcrHost, repository: &'a str) -> EcrAnswer<'a, EcrLogin>;

    /// What is in a repository for a tag or digest; `None` when neither image nor repository is there. Imports nothing.
    fn image<'a>(&'a self, host: &'a EcrHost, at: &'a Location) -> EcrAnswer<'a, Option<Cached>>;

    /// The prefixes of all pull through cache rules of a registry; the detail is for messages.
    fn rules<'a>(&'a self, host: &'a EcrHost, detail: Detail) -> EcrAnswer<'a, Vec<String>>;
}

impl Client {
    /// What ECR has in its repository for a tag or digest, without making it fetch anything: `None` when the
    /// image or the whole repository is not there.
    ///
    /// Honours `AWS_ENDPOINT_URL` and `AWS_ENDPOINT_URL_ECR`, as the SDK does.
    ///
    /// # Errors
    /// [`Failure::Denied`] without the right `ecr:DescribeImages`; [`Failure::Unauthorized`] without AWS
    /// credentials, or without the feature `aws`; [`Failure::Broken`] when the registry is not ECR;
    /// [`Failure::Network`], [`Failure::TooManyRequests`], [`Failure::Server`], [`Failure::Deadline`].
    pub async fn cached(&self, at: &Location) -> Result<Option<Cached>, Failure> {
        let detail = Detail::of(at.registry(), at.repository());
        let Ok(host) = at.registry().parse::<EcrHost>() else {
            return Err(Failure::Broken(detail.saying("not an ECR registry"), Broken::Protocol));
        };
        let limit = self.inner.limit_of(&format!("the ECR API of {}", host.region));
        let work = async {
            let permit = limit.enter().await;
            let result = match self.inner.ecr() {
                Some(api) => api.image(&host, at).await,
                None => Err(missing(detail)),
            };
            let result = result.map_err(|failure| failure.quoted(&self.inner.scrub));
            match &result {
                Err(Failure::TooManyRequests(_)) => permit.throttled(None),
                _ => permit.answered(),
            }
            result
        };
        self.inner.in_time(at.name(), work).await
    }

    /// The repository prefixes of all pull through cache rules of the registry that `name` is in (`ROOT` for a rule
    /// without one).
    ///
    /// # Errors
    /// As [`Client::cached`], for `ecr:DescribePullThroughCacheRules`.
    pub async fn rules(&self, name: &Name) -> Result<Vec<String>, Failure> {
        let detail = Detail::of(&name.host, &name.path);
        let Ok(host) = name.host.parse::<EcrHost>() else {
            return Err(Failure::Broken(detail.saying("not an ECR registry"), Broken::Protocol));
        };
        let Some(api) = self.inner.ecr() else { return Err(missing(detail)) };
        let rules = self.inner.in_time(name, api.rules(&host, detail)).await;
        rules.map_err(|failure| failure.quoted(&self.inner.scrub))
    }
}

impl Inner {
    fn ecr(&self) -> Option<&dyn EcrApi> {
        self.credentials.ecr()
    }
}

/// The login for a repository of ECR, by AWS's API.
pub(super) async fn login(
    api: Option<&dyn EcrApi>,
    host: &EcrHost,
    repository: &str,
) -> Result<Found, Failure> {
    let Some(api) = api else { return Err(missing(Detail::of(&host.to_string(), repository))) };
    let login = api.login(host, repository).await?;
    Ok(Found {
        credential: Credential::Password { user: login.user, password: login.password },
        source: "the AWS credentials".to_owned(),
        lasts: Some(login.lasts),
    })
}

fn missing(mut detail: Detail) -> Failure {
    let variable = variable_for(&detail.registry);
    detail.hint = Some(format!(
        "build with the feature `aws`, or set `{variable}` to `AWS:` and what `aws ecr get-login-password` prints"
    ));
    Failure::Unauthorized(detail.saying("this build has no AWS support"))
}
