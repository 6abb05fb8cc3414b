//! [`Session`]: the clients of one registry's services, and who calls them.

use std::path::PathBuf;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_ecr::config::Region;

use super::failure::{self, AwsFailure};
use crate::Registry;
use pullthru_core::config::Arn;

/// How AWS is reached.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Certificates to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    pub profile: Option<String>,
    /// One address for every service; else the SDK's own rules, `AWS_ENDPOINT_URL` among them.
    pub endpoint_url: Option<String>,
    /// How long to wait until what was made is seen everywhere.
    pub patience: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { ca_file: None, profile: None, endpoint_url: None, patience: Duration::from_secs(60) }
    }
}

/// The clients for one registry. Cloning shares them.
#[derive(Clone, Debug)]
pub struct Session {
    pub registry: Registry,
    /// Who calls, as `sts:GetCallerIdentity` says.
    pub caller: Arn,
    pub(crate) ecr: aws_sdk_ecr::Client,
    pub(crate) secrets: aws_sdk_secretsmanager::Client,
    pub(crate) iam: aws_sdk_iam::Client,
    pub(crate) config: SdkConfig,
    pub(super) patience: Duration,
}

impl Session {
    /// Finds credentials and asks who they are. Whether they are of the registry's account is the caller's question: see
    /// [`Session::is_at_home`].
    ///
    /// # Errors
    /// When there are no credentials, or AWS cannot be reached.
    pub async fn open(registry: Registry, settings: &Settings) -> Result<Session, AwsFailure> {
        let mut loader = crate::sdk::loader(settings.ca_file.as_deref())
            .region(Region::new(registry.region.as_str().to_owned()));
        if let Some(profile) = &settings.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(url) = &settings.endpoint_url {
            loader = loader.endpoint_url(url);
        }
        let config = loader.load().await;
        let action = "sts:GetCallerIdentity";
        let caller = aws_sdk_sts::Client::new(&config).get_caller_identity().send().await;
        let caller = caller
            .map_err(failure::of(action))
            .map_err(|failure| failure.of_profile(settings.profile.as_deref()))?;
        let caller = caller.arn().and_then(|arn| arn.parse().ok()).ok_or(AwsFailure::incomplete(action))?;
        Ok(Session {
            caller,
            ecr: aws_sdk_ecr::Client::new(&config),
            secrets: aws_sdk_secretsmanager::Client::new(&config),
            iam: aws_sdk_iam::Client::new(&config),
            config,
            patience: settings.patience,
            registry,
        })
    }

    /// Are the credentials of the registry's account? Rules and templates can be made by nobody else.
    pub fn is_at_home(&self) -> bool {
        self.caller.account == self.registry.account.as_str()
    }
}

impl Session {
    /// The password of the user `AWS` at the registry, for 12 hours (API reference, `GetAuthorizationToken`).
    ///
    /// # Errors
    /// When the call is refused.
    pub async fn registry_password(&self) -> Result<super::Token, AwsFailure> {
        use base64::Engine;
        let action = "ecr:GetAuthorizationToken";
        let sent = self.ecr.get_authorization_token().send().await.map_err(failure::of(action))?;
        let data = sent.authorization_data.unwrap_or_default();
        let token = data.first().and_then(|data| data.authorization_token());
        let bytes = token.and_then(|token| base64::engine::general_purpose::STANDARD.decode(token).ok());
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        let password = text.as_ref().and_then(|text| text.split_once(':')).map(|(_, password)| password);
        password.map(super::Token::new).ok_or(AwsFailure::incomplete(action))
    }
}
