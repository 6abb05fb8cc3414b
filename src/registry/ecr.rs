//! The side of ECR that is AWS's API and not a registry's: the login, and what a cache holds.
//!
//! Asking a registry for a tag makes a pull through cache import it; `DescribeImages` does not (Amazon ECR API
//! reference: it lists what is in the repository). So that is what "is it cached?" is asked of. Without the
//! feature `aws` every call here is a failure that says so.

use crate::image::{Digest, Name};
use crate::route::EcrHost;

use super::auth::Found;
use super::client::Client;
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
        let gate = self.inner.gate_at(&format!("the ECR API of {}", host.region));
        let work = async {
            let permit = gate.enter().await;
            let result = self.inner.access.cached(&host, at, detail).await;
            let result = result.map_err(|failure| failure.quoted(&self.inner.scrub));
            match &result {
                Err(Failure::TooManyRequests(_)) => permit.throttled(None),
                _ => permit.answered(),
            }
            result
        };
        self.inner.in_time(at.name(), work).await
    }

    /// Asks AWS with these credentials and endpoints, instead of those of the process. No later than the first question.
    #[cfg(feature = "aws")]
    pub(crate) fn ask_aws_with(&self, config: aws_config::SdkConfig) {
        self.inner.access.set(config);
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
        let rules = self.inner.in_time(name, self.inner.access.rules(&host, detail)).await;
        rules.map_err(|failure| failure.quoted(&self.inner.scrub))
    }
}

#[cfg(feature = "aws")]
pub(super) use with_sdk::Access;
#[cfg(not(feature = "aws"))]
pub(super) use without_sdk::Access;

#[cfg(not(feature = "aws"))]
mod without_sdk {
    use super::*;

    /// Stands for the SDK where it is not built in.
    #[derive(Debug)]
    pub(in super::super) struct Access;

    impl Access {
        pub(in super::super) fn new(_: Option<std::path::PathBuf>) -> Self {
            Self
        }

        pub(in super::super) async fn login(
            &self,
            host: &EcrHost,
            repository: &str,
        ) -> Result<Found, Failure> {
            Err(missing(Detail::of(&host.to_string(), repository)))
        }

        pub(super) async fn cached(
            &self,
            _: &EcrHost,
            _: &Location,
            detail: Detail,
        ) -> Result<Option<Cached>, Failure> {
            Err(missing(detail))
        }

        pub(super) async fn rules(&self, _: &EcrHost, detail: Detail) -> Result<Vec<String>, Failure> {
            Err(missing(detail))
        }
    }

    fn missing(mut detail: Detail) -> Failure {
        let variable = super::super::auth::variable_for(&detail.registry);
        detail.hint = Some(format!(
            "build with the feature `aws`, or set `{variable}` to `AWS:` and what `aws ecr get-login-password` prints"
        ));
        Failure::Unauthorized(detail.saying("this build has no AWS support"))
    }
}

#[cfg(feature = "aws")]
mod with_sdk {
    use std::path::PathBuf;
    use std::time::Duration;

    use aws_config::SdkConfig;
    use aws_sdk_ecr::config::Region;
    use aws_sdk_ecr::error::{ProvideErrorMetadata, SdkError};
    use aws_sdk_ecr::types::{ImageDetail, ImageIdentifier};
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::super::auth::Credential;
    use super::super::failure::Network;
    use super::*;
    use crate::sdk::{Fault, told};

    /// A token is valid for 12 hours (API reference, `GetAuthorizationToken`); it is renewed well before.
    const LASTS: Duration = Duration::from_secs(11 * 3600);

    /// The SDK, set up when it is first needed: finding credentials may take a while.
    #[derive(Debug)]
    pub(in super::super) struct Access {
        ca_file: Option<PathBuf>,
        shared: tokio::sync::OnceCell<SdkConfig>,
    }

    impl Access {
        pub(in super::super) fn new(ca_file: Option<PathBuf>) -> Self {
            Self { ca_file, shared: tokio::sync::OnceCell::new() }
        }

        /// What was found first stays.
        pub(super) fn set(&self, config: SdkConfig) {
            let _ = self.shared.set(config);
        }

        async fn client(&self, host: &EcrHost) -> aws_sdk_ecr::Client {
            let shared = self.shared.get_or_init(|| load(self.ca_file.clone())).await;
            let mut config = aws_sdk_ecr::config::Builder::from(shared)
                .region(Region::new(host.region.as_str().to_owned()));
            // An endpoint of its own rules the special ones out (the SDK's endpoint rules refuse both together).
            let is_moved = shared.endpoint_url().is_some()
                || std::env::var_os("AWS_ENDPOINT_URL_ECR").is_some_and(|url| !url.is_empty());
            if host.fips && !is_moved {
                config = config.use_fips(true);
            }
            if host.dual_stack && !is_moved {
                config = config.use_dual_stack(true);
            }
            aws_sdk_ecr::Client::from_conf(config.build())
        }

        /// The login for a registry: user `AWS`, and a password for half a day.
        pub(in super::super) async fn login(
            &self,
            host: &EcrHost,
            repository: &str,
        ) -> Result<Found, Failure> {
            let detail = Detail::of(&host.to_string(), repository);
            let client = self.client(host).await;
            let output = client
                .get_authorization_token()
                .send()
                .await
                .map_err(|error| failure(detail.clone(), "ecr:GetAuthorizationToken", &error))?;
            let data = output.authorization_data.unwrap_or_default();
            let password = data
                .first()
                .and_then(|data| data.authorization_token())
                .and_then(|token| STANDARD.decode(token).ok())
                .and_then(|bytes| String::from_utf8(bytes).ok())
                .and_then(|text| {
                    text.split_once(':').map(|(user, password)| Credential::password(user, password))
                });
            let Some(credential) = password else {
                let text = "the answer to `ecr:GetAuthorizationToken` holds no login";
                return Err(Failure::Broken(detail.saying(text), Broken::Protocol));
            };
            Ok(Found { credential, source: "the AWS credentials".to_owned(), lasts: Some(LASTS) })
        }

        pub(super) async fn cached(
            &self,
            host: &EcrHost,
            at: &Location,
            detail: Detail,
        ) -> Result<Option<Cached>, Failure> {
            let id = ImageIdentifier::builder();
            let id = match at.digest() {
                Some(digest) => id.image_digest(digest.to_string()),
                None => id.image_tag(at.tag().unwrap_or("latest")),
            };
            let result = self
                .client(host)
                .await
                .describe_images()
                .registry_id(host.account.as_str())
                .repository_name(at.repository())
                .image_ids(id.build())
                .send()
                .await;
            match result {
                Ok(output) => {
                    let found = output.image_details.unwrap_or_default().into_iter().next();
                    found.map(|image| read(image, detail)).transpose()
                }
                Err(error) if is_absent(&error) => Ok(None),
                Err(error) => Err(failure(detail, "ecr:DescribeImages", &error)),
            }
        }

        pub(super) async fn rules(&self, host: &EcrHost, detail: Detail) -> Result<Vec<String>, Failure> {
            let client = self.client(host).await;
            let (mut prefixes, mut next) = (Vec::new(), None);
            loop {
                let page = client
                    .describe_pull_through_cache_rules()
                    .registry_id(host.account.as_str())
                    .set_next_token(next)
                    .send()
                    .await
                    .map_err(|error| failure(detail.clone(), "ecr:DescribePullThroughCacheRules", &error))?;
                let rules = page.pull_through_cache_rules.unwrap_or_default();
                prefixes.extend(rules.into_iter().filter_map(|rule| rule.ecr_repository_prefix));
                next = page.next_token;
                // A registry has 50 rules at most (Amazon ECR service quotas).
                if next.is_none() || prefixes.len() > 1_000 {
                    return Ok(prefixes);
                }
            }
        }
    }

    async fn load(ca_file: Option<PathBuf>) -> SdkConfig {
        crate::sdk::loader(ca_file.as_deref()).load().await
    }

    fn read(image: ImageDetail, detail: Detail) -> Result<Cached, Failure> {
        let digest = image.image_digest().and_then(|digest| Digest::parse(digest).ok());
        let Some(digest) = digest else {
            let text = "the answer to `ecr:DescribeImages` holds no digest";
            return Err(Failure::Broken(detail.saying(text), Broken::Protocol));
        };
        Ok(Cached {
            digest,
            tags: image.image_tags().to_vec(),
            size: image.image_size_in_bytes().and_then(|size| u64::try_from(size).ok()),
            pushed_at: image.image_pushed_at().map(|at| at.secs()),
            pulled_at: image.last_recorded_pull_time().map(|at| at.secs()),
            media_type: image.image_manifest_media_type().map(str::to_owned),
        })
    }

    /// Not an error but an answer: nothing is there.
    fn is_absent<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
        matches!(error.code(), Some("RepositoryNotFoundException" | "ImageNotFoundException"))
    }

    /// An SDK error as a failure.
    fn failure<E, R>(mut detail: Detail, action: &str, error: &SdkError<E, R>) -> Failure
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
        R: std::fmt::Debug + 'static,
    {
        let region =
            detail.registry.parse::<EcrHost>().map(|host| host.region.to_string()).unwrap_or_default();
        let api = format!("the ECR API of `{region}`");
        let (fault, code, message) = told(error);
        detail.hint = match fault {
            Fault::NoConnection => {
                Some("is the Region right, and its endpoint reachable from here?".to_owned())
            }
            Fault::NoCredentials => Some(
                "set `AWS_PROFILE`, run `aws sso login`, or set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`"
                    .to_owned(),
            ),
            Fault::Denied => Some(format!("allow `{action}` to the role or user in use")),
            Fault::Expired => Some("renew the AWS credentials".to_owned()),
            Fault::Signature => Some("is the clock of this machine right, and the secret key?".to_owned()),
            _ if code.is_some() => Some(format!("asked for with `{action}`")),
            _ => detail.hint,
        };
        detail.code = code;
        match fault {
            Fault::NoConnection => {
                Failure::Network(detail.saying(&format!("no connection to {api}")), Network::Connect)
            }
            Fault::TimedOut => {
                Failure::Network(detail.saying(&format!("{api} did not answer in time")), Network::Timeout)
            }
            Fault::NoCredentials => {
                Failure::Unauthorized(detail.saying("no AWS credentials could be loaded"))
            }
            Fault::NotSent => {
                let text = format!("the ECR API could not be called: {message}");
                Failure::Broken(detail.saying(&text), Broken::Protocol)
            }
            Fault::Unreadable => {
                let text = format!("{api} gave an answer that cannot be read");
                Failure::Broken(detail.saying(&text), Broken::Protocol)
            }
            Fault::Denied => Failure::Denied(detail.saying(&message)),
            Fault::Expired | Fault::Signature => Failure::Unauthorized(detail.saying(&message)),
            Fault::Throttled => Failure::TooManyRequests(detail.saying(&message)),
            Fault::Server => Failure::Server(detail.saying(&message)),
            Fault::Refused => Failure::Broken(detail.saying(&message), Broken::Protocol),
        }
    }
}
