//! `linux/amd64`: a platform that has to be there.
//!
//! Which images a node of a platform takes is containerd's rule (containerd/platforms, `compare.go`, `Only`): a newer variant runs
//! what older ones run, amd64 runs 386, and arm64 runs arm.

use std::fmt;
use std::str::FromStr;

use pullthru_core::nearest::nearest;

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
pub enum PlatformError {
    #[error("`{text}` is no platform: write `linux/amd64` or `linux/arm/v7`")]
    Form { text: String },
    #[error("`{text}` is no platform: there is no {what} `{word}`{suffix}", suffix = meant(.near))]
    Unknown { text: String, what: &'static str, word: String, near: Option<&'static str> },
}

fn meant(near: &Option<&'static str>) -> String {
    near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
}

/// `GOOS` and `GOARCH` (containerd/platforms, `database.go`).
const SYSTEMS: [&str; 17] = [
    "aix",
    "android",
    "darwin",
    "dragonfly",
    "freebsd",
    "hurd",
    "illumos",
    "ios",
    "js",
    "linux",
    "nacl",
    "netbsd",
    "openbsd",
    "plan9",
    "solaris",
    "windows",
    "zos",
];
const ARCHITECTURES: [&str; 24] = [
    "386",
    "amd64",
    "amd64p32",
    "arm",
    "armbe",
    "arm64",
    "arm64be",
    "ppc64",
    "ppc64le",
    "loong64",
    "mips",
    "mipsle",
    "mips64",
    "mips64le",
    "mips64p32",
    "mips64p32le",
    "ppc",
    "riscv",
    "riscv64",
    "s390",
    "s390x",
    "sparc",
    "sparc64",
    "wasm",
];
const VARIANTS_OF_AMD64: [&str; 4] = ["v1", "v2", "v3", "v4"];
const VARIANTS_OF_ARM: [&str; 4] = ["v5", "v6", "v7", "v8"];

/// Of 32-bit ARM, where nothing says which.
const ARM: u32 = 7;

/// An architecture with its variant as a number of two parts, where it has one: `arm64/v8.2`, `amd64/v3`.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Machine {
    Amd64(u32),
    Arm(u32),
    Arm64(u32, u32),
    Other(String, Option<String>),
}

impl Machine {
    fn of(architecture: &str, variant: Option<&str>) -> Machine {
        let bare = |text: &str| text.strip_prefix('v').unwrap_or(text).to_owned();
        let number = |default| variant.map_or(Some(default), |variant| bare(variant).parse().ok());
        let known = match architecture {
            "amd64" | "x86_64" => number(1).map(Machine::Amd64),
            "arm" => number(ARM).map(Machine::Arm),
            "armhf" => Some(Machine::Arm(7)),
            "armel" => Some(Machine::Arm(6)),
            "arm64" | "aarch64" => {
                let text = bare(variant.unwrap_or("v8"));
                let (major, minor) = text.split_once('.').unwrap_or((&text, "0"));
                major.parse().ok().zip(minor.parse().ok()).map(|(major, minor)| Machine::Arm64(major, minor))
            }
            "i386" => Some(Machine::Other("386".to_owned(), None)),
            _ => None,
        };
        known.unwrap_or_else(|| Machine::Other(architecture.to_owned(), variant.map(str::to_owned)))
    }

    /// Does it run what was built for the other?
    fn runs(&self, other: &Machine) -> bool {
        match (self, other) {
            (Machine::Amd64(own), Machine::Amd64(other)) | (Machine::Arm(own), Machine::Arm(other)) => {
                other <= own
            }
            (Machine::Amd64(_), Machine::Other(architecture, None)) => architecture == "386",
            (Machine::Arm64(..), Machine::Arm(other)) => *other <= 8,
            (Machine::Arm64(9, own), Machine::Arm64(8, other)) => *other <= own.saturating_add(5),
            (Machine::Arm64(own, minor), Machine::Arm64(other, least)) => own == other && least <= minor,
            _ => self == other,
        }
    }
}

impl WantedPlatform {
    /// Does a node of this platform take the image?
    pub fn matches(&self, platform: &Platform) -> bool {
        self.takes(&platform.os, &platform.architecture, platform.variant.as_deref())
    }

    /// The same of a name in a digest lock: `linux/arm64/v8`.
    pub(crate) fn matches_name(&self, name: &str) -> bool {
        let mut parts = name.splitn(3, '/');
        let (os, architecture) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        self.takes(os, architecture, parts.next())
    }

    fn takes(&self, os: &str, architecture: &str, variant: Option<&str>) -> bool {
        let node = Machine::of(&self.architecture, self.variant.as_deref());
        self.os == os && node.runs(&Machine::of(architecture, variant))
    }
}

impl FromStr for WantedPlatform {
    type Err = PlatformError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let lower = text.to_ascii_lowercase();
        let word = |part: &&str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._".contains(&byte))
        };
        let parts: Vec<&str> = lower.split('/').collect();
        let (os, architecture, rest) = match parts.as_slice() {
            [os, architecture, rest @ ..] if rest.len() < 2 && parts.iter().all(word) => {
                (*os, *architecture, rest)
            }
            _ => return Err(PlatformError::Form { text: text.to_owned() }),
        };
        let architecture = match architecture {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            "i386" => "386",
            other => other,
        };
        let known = |what, word: &str, all: &[&'static str]| {
            if all.contains(&word) {
                return Ok(());
            }
            let near = nearest(word, all.iter().copied());
            Err(PlatformError::Unknown { text: text.to_owned(), what, word: word.to_owned(), near })
        };
        known("operating system", os, &SYSTEMS)?;
        known("architecture", architecture, &ARCHITECTURES)?;
        let variant = rest.first().copied();
        match (architecture, variant) {
            ("amd64", Some(variant)) => known("variant of amd64", variant, &VARIANTS_OF_AMD64)?,
            ("arm", Some(variant)) => known("variant of arm", variant, &VARIANTS_OF_ARM)?,
            ("arm64", Some(variant))
                if !matches!(Machine::of("arm64", Some(variant)), Machine::Arm64(8 | 9, _)) =>
            {
                known("variant of arm64", variant, &["v8", "v9"])?;
            }
            _ => {}
        }
        Ok(Self {
            os: os.to_owned(),
            architecture: architecture.to_owned(),
            variant: variant.map(str::to_owned),
        })
    }
}

impl fmt::Display for WantedPlatform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.as_ref().map_or(Ok(()), |variant| write!(f, "/{variant}"))
    }
}
