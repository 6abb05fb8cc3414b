//! ECR's API by the AWS SDK, for the registry client: the login, what a cache holds, its rules.

use std::path::PathBuf;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_ecr::config::Region;
use aws_sdk_ecr::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ecr::types::{ImageDetail, ImageIdentifier, ImageStatus};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use pullthru_core::image::Digest;
use pullthru_core::route::EcrHost;
use pullthru_registry::{
    Broken, Cached, Detail, EcrAnswer, EcrApi, EcrLogin, Failure, Location, Network, Secret, Storage,
};

use crate::sdk::{self, Fault, describe};

/// A token is valid for 12 hours (API reference, `GetAuthorizationToken`); it is renewed well before.
const LASTS: Duration = Duration::from_secs(11 * 3600);

/// ECR's API with the credentials of the process, or with given ones. The SDK is set up when it is first needed: finding
/// credentials may take a while. Honours `AWS_ENDPOINT_URL` and `AWS_ENDPOINT_URL_ECR`.
#[derive(Debug, Default)]
pub struct Ecr {
    ca_file: Option<PathBuf>,
    shared: tokio::sync::OnceCell<SdkConfig>,
}

impl Ecr {
    /// With the credentials and endpoints of the process; `ca_file` has certificates to trust besides the system's.
    pub fn of_process(ca_file: Option<PathBuf>) -> Self {
        Self { ca_file, ..Self::default() }
    }

    /// With these credentials and endpoints.
    pub(crate) fn with(config: SdkConfig) -> Self {
        Self { ca_file: None, shared: tokio::sync::OnceCell::new_with(Some(config)) }
    }

    async fn client(&self, host: &EcrHost) -> aws_sdk_ecr::Client {
        let load = || async { sdk::loader(self.ca_file.as_deref()).load().await };
        let shared = self.shared.get_or_init(load).await;
        let mut config =
            aws_sdk_ecr::config::Builder::from(shared).region(Region::new(host.region.as_str().to_owned()));
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
    async fn authorize(&self, host: &EcrHost, repository: &str) -> Result<EcrLogin, Failure> {
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
                text.split_once(':').map(|(user, password)| (user.to_owned(), Secret::new(password)))
            });
        let Some((user, password)) = password else {
            let text = "the answer to `ecr:GetAuthorizationToken` holds no login";
            return Err(Failure::Broken(detail.saying(text), Broken::Protocol));
        };
        Ok(EcrLogin { user, password, lasts: LASTS })
    }

    async fn describe(&self, host: &EcrHost, at: &Location) -> Result<Option<Cached>, Failure> {
        let detail = Detail::of(at.registry(), at.repository());
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

    async fn prefixes(&self, host: &EcrHost, detail: Detail) -> Result<Vec<String>, Failure> {
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

impl EcrApi for Ecr {
    fn login<'a>(&'a self, host: &'a EcrHost, repository: &'a str) -> EcrAnswer<'a, EcrLogin> {
        Box::pin(self.authorize(host, repository))
    }

    fn image<'a>(&'a self, host: &'a EcrHost, at: &'a Location) -> EcrAnswer<'a, Option<Cached>> {
        Box::pin(self.describe(host, at))
    }

    fn rules<'a>(&'a self, host: &'a EcrHost, detail: Detail) -> EcrAnswer<'a, Vec<String>> {
        Box::pin(self.prefixes(host, detail))
    }
}

fn read(image: ImageDetail, detail: Detail) -> Result<Cached, Failure> {
    let digest = image.image_digest().and_then(|digest| Digest::parse(digest).ok());
    let Some(digest) = digest else {
        let text = "the answer to `ecr:DescribeImages` holds no digest";
        return Err(Failure::Broken(detail.saying(text), Broken::Protocol));
    };
    let storage = match image.image_status() {
        None | Some(ImageStatus::Active) => Storage::Active,
        Some(ImageStatus::Archived) => Storage::Archived,
        Some(ImageStatus::Activating) => Storage::Restoring,
        // Whether it can be pulled is not known, so it does not count as there.
        Some(other) => {
            let text = format!("`ecr:DescribeImages` gives it the status `{}`", other.as_str());
            return Err(Failure::Broken(detail.saying(&text), Broken::Protocol));
        }
    };
    Ok(Cached {
        storage,
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
    let region = detail.registry.parse::<EcrHost>().map(|host| host.region.to_string()).unwrap_or_default();
    let api = format!("the ECR API of `{region}`");
    let (fault, code, message) = describe(error);
    detail.hint = match fault {
        Fault::NoConnection => Some("is the Region right, and its endpoint reachable from here?".to_owned()),
        Fault::NoCredentials => Some(
            "set `AWS_PROFILE`, run `aws sso login`, or set `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`"
                .to_owned(),
        ),
        Fault::NoProfile => {
            Some("set `AWS_PROFILE` to one that there is (`aws configure list-profiles`)".to_owned())
        }
        Fault::LoginOver => Some("log in again: `aws sso login`".to_owned()),
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
        Fault::NoCredentials => Failure::Unauthorized(detail.saying("no AWS credentials could be loaded")),
        Fault::NoProfile => Failure::Unauthorized(detail.saying(&message)),
        Fault::LoginOver => {
            Failure::Unauthorized(detail.saying("the login of AWS IAM Identity Center has ended"))
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
