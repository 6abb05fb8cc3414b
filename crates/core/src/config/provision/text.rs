//! Names and patterns of AWS and GitHub, checked when they are read.

use std::fmt;
use std::str::FromStr;

use serde::de;
use serde::{Deserialize, Deserializer};

pub(super) fn parsed<'de, D: Deserializer<'de>, T: FromStr<Err: fmt::Display>>(
    deserializer: D,
) -> Result<T, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
}

/// Declares a text that is checked when it is read.
macro_rules! checked_text {
    ($(#[$meta:meta])* $name:ident, $what:literal, |$text:ident| $is:expr) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str($text: &str) -> Result<Self, String> {
                if $is { Ok(Self($text.to_owned())) } else { Err(format!("`{}` is not {}", $text, $what)) }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                parsed(deserializer)
            }
        }

        #[cfg(feature = "schema")]
        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({ "type": "string" })
            }
        }
    };
}

fn only(text: &str, others: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

/// What names of secrets begin with that a rule can use.
pub const SECRET_PREFIX: &str = "ecr-pullthroughcache/";

checked_text!(
    /// The name of a secret that a rule takes (API reference, `CreatePullThroughCacheRule`, `credentialArn`).
    SecretName,
    "the name of a secret that a rule takes: write one that begins with `ecr-pullthroughcache/`",
    |text| text.strip_prefix(SECRET_PREFIX).is_some_and(|rest| !rest.is_empty() && only(rest, "/_+=.@-"))
        && text.len() <= 512
);
checked_text!(
    /// The name of a stack: it goes into tags, descriptions and, in part, into a `Sid`.
    StackName,
    "the name of a stack: write 1 to 40 lower-case letters, digits and `-`",
    |text| (1..=40).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
);
checked_text!(
    /// The name of a role (IAM API reference, `roleNameType`).
    RoleName,
    "the name of a role: write 1 to 64 letters, digits and `+=,.@_-`",
    |text| (1..=64).contains(&text.len()) && only(text, "+=,.@_-")
);
checked_text!(
    /// `organisation/repository`.
    GithubRepository,
    "a repository on GitHub: write `organisation/repository`",
    |text| text.split_once('/').is_some_and(|(organisation, repository)| !organisation.is_empty()
        && !repository.is_empty()
        && only(organisation, "-")
        && only(repository, "-._"))
);
checked_text!(
    /// An organisation of AWS Organizations (its API reference, `OrganizationId`).
    OrganizationId,
    "an organisation: write one such as `o-abcde12345`",
    |text| text.strip_prefix("o-").is_some_and(|id| (10..=32).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()))
);
checked_text!(
    /// The name of a key (KMS API reference, `AliasNameType`), without `alias/`.
    KeyAlias,
    "the name of a key: write letters, digits and `/_-`, without `alias/`, not beginning with `aws/`",
    |text| (1..=250).contains(&text.len())
        && only(text, "/_-")
        && !text.starts_with("aws/")
        && !text.starts_with("alias/")
);
checked_text!(
    /// A pattern of tags (ECR API, `ImageTagMutabilityExclusionFilterValue`).
    TagPattern,
    "a pattern of tags: write 1 to 128 letters, digits and `._-*`",
    |text| (1..=128).contains(&text.len()) && only(text, "._*-")
);
checked_text!(
    /// A filter of repositories (ECR API, `ScanningRepositoryFilterValue`).
    ScanFilter,
    "a filter of repositories: write lower-case letters, digits and `*._-/`",
    |text| (1..=256).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"*._-/".contains(&b))
);
