//! [`AwsFailure`]: one call that AWS refused or that did not reach it.

use std::fmt;

use aws_sdk_ecr::error::{ProvideErrorMetadata, SdkError};

/// Why a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The caller may not do it.
    Denied,
    /// No credentials, or expired ones.
    Credentials,
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
            FailureKind::Throttled => "wait a little and run it again: what is done stays done".to_owned(),
            FailureKind::Network => "is the Region right, and its endpoint reachable from here?".to_owned(),
            FailureKind::Refused | FailureKind::Unreadable => {
                "mend what AWS says and run it again: what is done stays done".to_owned()
            }
        }
    }

    /// A fault of this program's view of AWS: a member that an answer always has is not there.
    pub(super) fn incomplete(action: &'static str) -> AwsFailure {
        let message = "the answer lacks what it always has".to_owned();
        AwsFailure { action, kind: FailureKind::Unreadable, code: None, message }
    }
}

/// The SDK's error of a call. Of errors about credentials only the kind is told: their text may hold what a credential
/// program printed.
pub(super) fn of<E, R>(action: &'static str) -> impl FnOnce(SdkError<E, R>) -> AwsFailure
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: fmt::Debug + 'static,
{
    move |error| {
        let failed =
            |kind, message: &str| AwsFailure { action, kind, code: None, message: message.to_owned() };
        match &error {
            SdkError::ServiceError(_) => {}
            SdkError::DispatchFailure(dispatch) => {
                let reached = dispatch.as_connector_error().is_none_or(|e| !e.is_timeout() && !e.is_io());
                return if reached && no_credentials(&error) {
                    failed(FailureKind::Credentials, "there are no AWS credentials")
                } else {
                    failed(FailureKind::Network, "no connection to AWS")
                };
            }
            SdkError::TimeoutError(_) => return failed(FailureKind::Network, "AWS did not answer in time"),
            SdkError::ConstructionFailure(_) if no_credentials(&error) => {
                return failed(FailureKind::Credentials, "there are no AWS credentials");
            }
            _ => return failed(FailureKind::Unreadable, "AWS gave an answer that cannot be read"),
        }
        let code = error.code().unwrap_or("unknown").to_owned();
        let kind = match code.as_str() {
            "AccessDeniedException" | "AccessDenied" | "UnauthorizedOperation" => FailureKind::Denied,
            "UnrecognizedClientException"
            | "InvalidClientTokenId"
            | "ExpiredTokenException"
            | "ExpiredToken"
            | "InvalidSignatureException"
            | "SignatureDoesNotMatch"
            | "RequestExpired" => FailureKind::Credentials,
            "ThrottlingException" | "Throttling" | "TooManyRequestsException" | "RequestLimitExceeded" => {
                FailureKind::Throttled
            }
            _ => FailureKind::Refused,
        };
        AwsFailure { action, kind, code: Some(code), message: error.message().unwrap_or_default().to_owned() }
    }
}

/// Is it the search for credentials that failed?
fn no_credentials(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string().to_lowercase();
        if text.contains("credential") || text.contains("identity") || text.contains("token is expired") {
            return true;
        }
        next = error.source();
    }
    false
}
