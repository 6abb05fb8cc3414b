//! The AWS SDK, set up once for everything that calls AWS: one TLS stack, the certificates of `--ca-file`, retries with
//! jitter. Credentials come by the SDK's own chain: environment, profiles, SSO, roles, containers, instances.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, ConfigLoader};
use aws_sdk_ecr::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_http_client::tls;

/// Tries of one call. The SDK waits between them, twice as long each time, with jitter.
const ATTEMPTS: u32 = 5;

/// A configuration that the caller may add to before it is loaded. `AWS_ENDPOINT_URL` and its kin are honoured.
pub(crate) fn loader(ca_file: Option<&Path>) -> ConfigLoader {
    let mut http = aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring));
    // Read before by who took the argument, which reports what is wrong with it.
    if let Some(pem) = ca_file.and_then(|path| std::fs::read(path).ok()) {
        let store = tls::TrustStore::default().with_pem_certificate(pem);
        if let Ok(context) = tls::TlsContext::builder().with_trust_store(store).build() {
            http = http.tls_context(context);
        }
    }
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(http.build_https())
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
}

/// What kind of failure a call ended in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The caller may not do it.
    Denied,
    NoCredentials,
    /// The profile that is asked for is in no file; the message names it.
    NoProfile,
    /// The login of AWS IAM Identity Center has ended.
    LoginOver,
    /// Credentials that AWS does not know, or no longer accepts.
    Expired,
    /// Credentials whose signature is wrong: a clock or a secret key that is.
    Signature,
    Throttled,
    NoConnection,
    TimedOut,
    /// AWS's own failure.
    Server,
    /// Any other error code.
    Refused,
    /// It never left, for settings that do not fit; the message says which.
    NotSent,
    /// An answer that cannot be read.
    Unreadable,
}

/// A failed call: its kind, AWS's code where there is one, and what AWS says. Of errors about credentials only the kind is
/// printed: their text may hold what a credential program printed.
pub(crate) fn describe<E, R>(error: &SdkError<E, R>) -> (Fault, Option<String>, String)
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    R: std::fmt::Debug + 'static,
{
    let without = |fault| (fault, None, String::new());
    match error {
        SdkError::ServiceError(_) => {
            let code = error.code().unwrap_or("unknown");
            (by_code(code), Some(code.to_owned()), error.message().unwrap_or_default().to_owned())
        }
        SdkError::DispatchFailure(dispatch) => match dispatch.as_connector_error() {
            Some(error) if error.is_timeout() => without(Fault::TimedOut),
            Some(error) if error.is_io() => without(Fault::NoConnection),
            _ => not_sent(error),
        },
        SdkError::TimeoutError(_) => without(Fault::TimedOut),
        SdkError::ConstructionFailure(_) => not_sent(error),
        _ => without(Fault::Unreadable),
    }
}

/// What an error code of AWS's means.
fn by_code(code: &str) -> Fault {
    match code {
        "AccessDeniedException" | "AccessDenied" | "UnauthorizedOperation" => Fault::Denied,
        "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "ExpiredTokenException"
        | "ExpiredToken"
        | "RequestExpired"
        // EC2's, for keys that it does not know.
        | "AuthFailure" => Fault::Expired,
        "InvalidSignatureException" | "SignatureDoesNotMatch" | "RequestTimeTooSkewed" => Fault::Signature,
        "ThrottlingException" | "Throttling" | "TooManyRequestsException" | "RequestLimitExceeded" => {
            Fault::Throttled
        }
        "ServerException" | "InternalFailure" | "InternalServiceError" | "ServiceUnavailable" => {
            Fault::Server
        }
        _ => Fault::Refused,
    }
}

/// A call that never left: for want of credentials, or of settings that fit.
fn not_sent(error: &(dyn std::error::Error + 'static)) -> (Fault, Option<String>, String) {
    let mut texts = vec![error.to_string()];
    let mut next = error.source();
    while let Some(error) = next {
        texts.push(error.to_string());
        next = error.source();
    }
    let text = texts.join(": ");
    let lower = text.to_ascii_lowercase();
    // The SDK's types of these are private (aws-config, `sso/token.rs`).
    if ["token has expired", "token is expired"].iter().any(|words| lower.contains(words)) {
        return (Fault::LoginOver, None, String::new());
    }
    if !["credential", "identity"].iter().any(|word| lower.contains(word)) {
        return (Fault::NotSent, None, text);
    }
    let profile = std::env::var("AWS_PROFILE").ok();
    match profile.as_deref().and_then(missing_profile) {
        Some(missing) => (Fault::NoProfile, None, missing),
        None => (Fault::NoCredentials, None, String::new()),
    }
}

/// Says of a profile that no file of AWS's configuration has it. The SDK goes on to other sources then, and in the end says that
/// there are no credentials at all.
pub(crate) fn missing_profile(name: &str) -> Option<String> {
    let (texts, shown): (Vec<String>, Vec<String>) = configuration_files()
        .map(|path| (std::fs::read_to_string(&path).unwrap_or_default(), format!("`{}`", path.display())))
        .unzip();
    let known: BTreeSet<&str> = texts.iter().flat_map(|text| text.lines()).filter_map(profile_of).collect();
    if name.is_empty() || name == "default" || known.contains(name) {
        return None;
    }
    let near = pullthru_core::nearest::nearest(name, known.iter().copied());
    let meant = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    if shown.is_empty() {
        return Some(format!("there is no profile `{name}`: neither HOME nor AWS_CONFIG_FILE is set"));
    }
    Some(format!("there is no profile `{name}` in {}{meant}", shown.join(" or ")))
}

/// The two files of profiles (AWS SDKs and Tools reference guide, "Location of the shared config and credentials files").
fn configuration_files() -> impl Iterator<Item = PathBuf> {
    let home = std::env::home_dir();
    [("AWS_CONFIG_FILE", "config"), ("AWS_SHARED_CREDENTIALS_FILE", "credentials")].into_iter().filter_map(
        move |(variable, name)| {
            let named = std::env::var_os(variable).filter(|path| !path.is_empty());
            named.map(PathBuf::from).or_else(|| Some(home.as_ref()?.join(".aws").join(name)))
        },
    )
}

/// The profile that a line begins: `[profile build]` in the one file, `[build]` in the other.
fn profile_of(line: &str) -> Option<&str> {
    let inside = line.trim().strip_prefix('[')?.split(']').next()?.trim();
    let name = inside.strip_prefix("profile").filter(|rest| rest.starts_with(char::is_whitespace));
    Some(name.unwrap_or(inside).trim().trim_matches(['"', '\'']))
}

#[cfg(test)]
mod tests {
    use super::profile_of;

    #[test]
    fn lines_that_begin_a_profile() {
        for (line, name) in [
            ("[profile build]", Some("build")),
            ("  [ profile  \"my build\" ] # comment", Some("my build")),
            ("[build]", Some("build")),
            ("[default]", Some("default")),
            ("[profiles]", Some("profiles")),
            ("region = eu-west-1", None),
            ("# [profile old]", None),
        ] {
            assert_eq!(profile_of(line), name, "{line}");
        }
    }
}
