//! [`AwsFailure`]: one call that AWS refused or that did not reach it.

use std::fmt;

use aws_sdk_ecr::error::{ProvideErrorMetadata, SdkError};

use crate::sdk::{Fault, describe};

/// What was read, or why it was not.
pub type Seen<T> = Result<T, AwsFailure>;

/// Why a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The caller may not do it.
    Denied,
    /// No credentials, or expired ones.
    Credentials,
    /// A profile that is not there.
    Profile,
    /// Too many calls, still so after all tries.
    Throttled,
    /// No answer.
    Network,
    /// An answer with an error code.
    Refused,
    /// An answer that cannot be read.
    Unreadable,
}

/// One call that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AwsFailure {
    /// Service and operation, such as `ecr:CreatePullThroughCacheRule`: the action that a policy would allow.
    pub action: &'static str,
    pub kind: FailureKind,
    /// AWS's code, such as `SecretNotFoundException`.
    pub code: Option<String>,
    pub message: String,
}

impl std::error::Error for AwsFailure {}

impl fmt::Display for AwsFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.code, self.message.as_str()) {
            (Some(code), "") => write!(f, "`{}` failed: {code}", self.action),
            (Some(code), message) => write!(f, "`{}` failed: {code}: {message}", self.action),
            (None, message) => write!(f, "`{}` failed: {message}", self.action),
        }
    }
}

impl AwsFailure {
    /// Has it one of these codes?
    pub fn is(&self, codes: &[&str]) -> bool {
        self.code.as_deref().is_some_and(|code| codes.contains(&code))
    }

    /// What to do about it.
    pub fn help(&self) -> String {
        match self.kind {
            FailureKind::Denied => format!("allow `{}` to the role or user in use", self.action),
            FailureKind::Credentials => {
                "renew the AWS credentials: `aws sso login`, a profile (`AWS_PROFILE`), or keys in the environment"
                    .to_owned()
            }
            FailureKind::Profile => {
                "name one that there is (`aws configure list-profiles`), or unset `AWS_PROFILE`".to_owned()
            }
            FailureKind::Throttled => "wait a little and run it again: what is done is not repeated".to_owned(),
            FailureKind::Network => "is the Region right, and its endpoint reachable from here?".to_owned(),
            FailureKind::Refused | FailureKind::Unreadable => {
                "fix what AWS says and run it again: what is done is not repeated".to_owned()
            }
        }
    }

    /// The same where credentials are missing since the profile is, that was chosen by a flag.
    pub(super) fn of_profile(self, chosen: Option<&str>) -> AwsFailure {
        let missing = chosen.filter(|_| self.kind == FailureKind::Credentials && self.code.is_none());
        match missing.and_then(crate::sdk::missing_profile) {
            Some(message) => AwsFailure { kind: FailureKind::Profile, message, ..self },
            None => self,
        }
    }

    /// Something that is named is not there.
    pub(super) fn absent(id: &crate::resource::Id) -> AwsFailure {
        let message = format!("there is no {id}");
        AwsFailure { action: "import", kind: FailureKind::Refused, code: None, message }
    }

    /// A fault of this program's view of AWS: a member that an answer always has is not there.
    pub(crate) fn incomplete(action: &'static str) -> AwsFailure {
        let message = "the answer lacks what it always has".to_owned();
        AwsFailure { action, kind: FailureKind::Unreadable, code: None, message }
    }
}

/// The SDK's error of a call.
pub(crate) fn of<E, R>(action: &'static str) -> impl FnOnce(SdkError<E, R>) -> AwsFailure
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: fmt::Debug + 'static,
{
    move |error| {
        let (fault, code, message) = describe(&error);
        let (kind, text) = kind_of(fault);
        let message = if text.is_empty() { message } else { text.to_owned() };
        AwsFailure { action, kind, code, message }
    }
}

/// What a fault is to who called, and its words where AWS has none.
fn kind_of(fault: Fault) -> (FailureKind, &'static str) {
    match fault {
        Fault::Denied => (FailureKind::Denied, ""),
        Fault::NoCredentials => (FailureKind::Credentials, "there are no AWS credentials"),
        Fault::NoProfile => (FailureKind::Profile, ""),
        Fault::LoginOver => (FailureKind::Credentials, "the login of AWS IAM Identity Center has ended"),
        Fault::Expired | Fault::Signature => (FailureKind::Credentials, ""),
        Fault::Throttled => (FailureKind::Throttled, ""),
        Fault::NoConnection => (FailureKind::Network, "no connection to AWS"),
        Fault::TimedOut => (FailureKind::Network, "AWS did not answer in time"),
        Fault::Server | Fault::Refused => (FailureKind::Refused, ""),
        Fault::NotSent => (FailureKind::Unreadable, ""),
        Fault::Unreadable => (FailureKind::Unreadable, "AWS gave an answer that cannot be read"),
    }
}
