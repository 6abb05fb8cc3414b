//! Arguments of commands that ask AWS, and what they lead to: a [`Session`], opened for the registry that is meant and for
//! no other account.

#[cfg(feature = "aws")]
use std::path::PathBuf;

use clap::Args;

use super::CliError;
#[cfg(feature = "aws")]
use crate::aws::Registry;
#[cfg(feature = "aws")]
use crate::aws::account::{AwsFailure, Session, Settings};
use crate::config::{Config, Target};
use crate::route::AccountId;

#[derive(Debug, Args)]
pub(super) struct AwsArgs {
    /// Profile of the AWS configuration. Default: `AWS_PROFILE`, or what the environment has
    #[arg(long, value_name = "NAME", help_heading = "AWS")]
    profile: Option<String>,

    /// Ask every AWS service at this address: an emulator, or an endpoint of your own
    #[arg(long, value_name = "URL", help_heading = "AWS")]
    endpoint_url: Option<String>,

    /// Fail when the credentials are of another account than this
    #[arg(long, value_name = "ID", help_heading = "AWS")]
    expect_account: Option<AccountId>,
}

#[cfg(feature = "aws")]
impl AwsArgs {
    /// A session whose credentials may be of any account, but for `--expect-account`.
    pub(super) async fn any_session(
        &self,
        registry: Registry,
        ca_file: Option<PathBuf>,
    ) -> Result<Session, CliError> {
        let settings = Settings {
            ca_file,
            profile: self.profile.clone(),
            endpoint_url: self.endpoint_url.clone(),
            ..Settings::default()
        };
        let session = Session::open(registry, &settings).await.map_err(of_aws)?;
        match &self.expect_account {
            Some(expected) if expected.as_str() != session.caller.account => Err(CliError::usage(
                format!("the credentials are of account {}, not of {expected}", session.caller.account),
                "take others (`--profile`, `AWS_PROFILE`), or fix `--expect-account`",
            )),
            _ => Ok(session),
        }
    }

    /// A session whose credentials are of the registry's account: nobody else can make rules and templates.
    pub(super) async fn session(
        &self,
        registry: Registry,
        ca_file: Option<PathBuf>,
    ) -> Result<Session, CliError> {
        let session = self.any_session(registry, ca_file).await?;
        if session.is_at_home() {
            return Ok(session);
        }
        Err(CliError::usage(
            format!(
                "the credentials are of account {}, and the registry is of account {}",
                session.caller.account, session.registry.account
            ),
            "take credentials of the registry's account (`--profile`, `AWS_PROFILE`), or fix `registry:` in pullthru.yaml",
        ))
    }
}

/// A call without which there is no result.
#[cfg(feature = "aws")]
pub(super) fn of_aws(failure: AwsFailure) -> CliError {
    let help = failure.help();
    CliError::Aws { message: failure.to_string(), help }
}

/// The target of that name; without one, the first that has a registry.
pub(super) fn target<'a>(config: &'a Config, wanted: Option<&str>) -> Result<&'a Target, CliError> {
    let targets = config.targets();
    let Some(wanted) = wanted else {
        let configured = targets.iter().find(|target| target.routes.is_some());
        return configured
            .or(targets.first())
            .ok_or_else(|| CliError::usage("no registry is configured", "add `--account` and `--region`"));
    };
    targets.iter().find(|target| target.name == wanted).ok_or_else(|| {
        let names: Vec<&str> =
            targets.iter().map(|target| target.name.as_str()).filter(|name| !name.is_empty()).collect();
        let help = if names.is_empty() {
            "pullthru.yaml has no `targets:`".to_owned()
        } else {
            format!("pullthru.yaml has {}", names.join(", "))
        };
        CliError::usage(format!("there is no target `{wanted}`"), help)
    })
}
