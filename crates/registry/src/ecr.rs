//! What a cache holds, asked of ECR.
//!
//! Asking a registry for a tag makes a pull through cache import it; `DescribeImages` does not (Amazon ECR API
//! reference: it lists what is in the repository). So that is what "is it cached?" is asked of.

use pullthru_core::image::Name;
use pullthru_core::route::EcrHost;

use super::auth::no_aws;
use super::client::Client;
use super::ecr_api::{Cached, EcrApi};
use super::failure::{Broken, Detail, Failure};
use super::location::Location;
use super::session::Session;

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
                None => Err(no_aws(detail)),
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
        let Some(api) = self.inner.ecr() else { return Err(no_aws(detail)) };
        let rules = self.inner.in_time(name, api.rules(&host, detail)).await;
        rules.map_err(|failure| failure.quoted(&self.inner.scrub))
    }
}

impl Session {
    fn ecr(&self) -> Option<&dyn EcrApi> {
        self.credentials.ecr()
    }
}
