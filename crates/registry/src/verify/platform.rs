//! `linux/amd64`: a platform that has to be there.

use std::fmt;
use std::str::FromStr;

use crate::Platform;

/// Operating system, architecture and maybe a variant, as Docker writes them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WantedPlatform {
    os: String,
    architecture: String,
    variant: Option<String>,
}

/// Why a text is no platform.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no platform: write `linux/amd64` or `linux/arm/v7`")]
pub struct PlatformError {
    text: String,
}

impl WantedPlatform {
    /// Does an image of this platform run there? `arm64` and `arm64/v8` are one (containerd/platforms,
    /// `normalizeArch`).
    pub fn matches(&self, platform: &Platform) -> bool {
        let normal = |architecture: &str, variant: Option<&str>| match (architecture, variant) {
            ("arm64", Some("v8") | None) => None,
            ("arm", None) => Some("v7".to_owned()),
            ("amd64", Some("v1") | None) => None,
            (_, variant) => variant.map(str::to_owned),
        };
        self.os == platform.os
            && self.architecture == platform.architecture
            && normal(&self.architecture, self.variant.as_deref())
                == normal(&platform.architecture, platform.variant.as_deref())
    }
}

impl FromStr for WantedPlatform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let word = |part: &&str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        let parts: Vec<&str> = text.split('/').collect();
        match parts.as_slice() {
            [os, architecture, rest @ ..] if rest.len() < 2 && parts.iter().all(word) => Ok(Self {
                os: (*os).to_owned(),
                architecture: (*architecture).to_owned(),
                variant: rest.first().map(|variant| (*variant).to_owned()),
            }),
            _ => Err(PlatformError { text: text.to_owned() }),
        }
    }
}

impl fmt::Display for WantedPlatform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.as_ref().map_or(Ok(()), |variant| write!(f, "/{variant}"))
    }
}
