//! Hosts of private ECR registries, and the cache hosts that references are moved to.
//!
//! [`EcrHost`] reads and prints `<account>.dkr.ecr.<region>.<suffix>` in every partition, with the FIPS and
//! dual-stack forms. [`CacheHost`] is such a host, or a text that stands for one until something else fills
//! it in, such as `${ECR_REGISTRY}`. The forms are those of the Amazon ECR credential helper's host pattern
//! (awslabs/amazon-ecr-credential-helper, `ecr-login/api/client.go`).

use std::fmt;
use std::str::FromStr;

use crate::image::is_host;
use crate::nearest::nearest;

/// Why a text is not an account, a Region, an ECR host or a cache host.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EcrError {
    /// Not 12 digits.
    #[error("`{text}` is not an AWS account: it has 12 digits")]
    Account { text: String },
    /// Not spelled like a Region.
    #[error("`{text}` is not an AWS Region: {}", near.map_or("write one such as `ca-central-1`".to_owned(), |near| format!("did you mean `{near}`?")))]
    Region { text: String, near: Option<&'static str> },
    /// Not of the form of an ECR host.
    #[error("`{text}` is not an ECR registry: write `<account>.dkr.ecr.<region>.amazonaws.com`")]
    Form { text: String },
    /// The Region belongs to a partition with another domain.
    #[error("`{text}` is not an ECR registry: hosts of `{region}` are written `{expected}`")]
    Suffix { text: String, region: Region, expected: String },
    /// A text that can stand in front of `/<prefix>/<path>` in no reference.
    #[error(
        "`{text}` cannot stand for a registry: write a host or a placeholder such as `${{ECR_REGISTRY}}`, without a \
         scheme, a closing `/`, spaces, quotes or `@`"
    )]
    Opaque { text: String },
}

/// An AWS account: 12 digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(String);

impl AccountId {
    /// The 12 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AccountId {
    type Err = EcrError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(EcrError::Account { text: text.to_owned() })
        }
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An AWS Region, checked for its spelling only: new Regions need no new release.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Region(String);

impl Region {
    /// The Region's name, such as `ca-central-1`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The partition, by the name's beginning (botocore, `partitions.json`).
    pub fn partition(&self) -> Partition {
        PARTITIONS
            .iter()
            .find(|(beginning, _)| self.0.starts_with(beginning))
            .map_or(Partition::Aws, |(_, partition)| *partition)
    }
}

/// Regions that are known, for suggestions alone (botocore, `endpoints.json`, 2026-11): others are taken as well.
const KNOWN_REGIONS: [&str; 43] = [
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-1",
    "eu-central-2",
    "eu-isoe-west-1",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eusc-de-east-1",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-iso-east-1",
    "us-isob-east-1",
    "us-isof-south-1",
    "us-west-1",
    "us-west-2",
];

/// What stands before the number of every Region.
const DIRECTIONS: [&str; 9] =
    ["central", "east", "north", "northeast", "northwest", "south", "southeast", "southwest", "west"];

impl FromStr for Region {
    type Err = EcrError;

    /// An area, a direction and a number, joined by dashes: `us-east-1`, `us-gov-west-1`, `eusc-de-east-1`. A Region that
    /// this version does not know is taken where it has that shape.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let region = Self::of_host(text)?;
        let mut parts = text.split('-');
        let area = parts.next().unwrap_or_default();
        let number = parts.next_back().unwrap_or_default();
        let direction = parts.next_back().unwrap_or_default();
        if (2..=4).contains(&area.len()) && DIRECTIONS.contains(&direction) && !number.starts_with('0') {
            return Ok(region);
        }
        Err(Self::unlike_any(text))
    }
}

impl Region {
    /// Is it one of the Regions of today? Others are taken as well, since new Regions need no new release.
    pub fn is_known(&self) -> bool {
        KNOWN_REGIONS.contains(&self.as_str())
    }

    /// The known Region that is spelled most like it.
    pub fn nearest(text: &str) -> Option<&'static str> {
        // Who has an isolated Region knows how it is spelled.
        let open = KNOWN_REGIONS.into_iter().filter(|region| !region.contains("-iso"));
        nearest(&text.to_ascii_lowercase(), open)
    }

    fn unlike_any(text: &str) -> EcrError {
        EcrError::Region { text: text.to_owned(), near: Self::nearest(text) }
    }

    /// As it stands in a host, whose owner may have spelled it wrongly: words and a number, joined by dashes.
    fn of_host(text: &str) -> Result<Self, EcrError> {
        let is_word = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase());
        let number = text.rsplit_once('-').filter(|(words, number)| {
            (1..=2).contains(&number.len())
                && number.bytes().all(|byte| byte.is_ascii_digit())
                && words.contains('-')
                && words.split('-').all(is_word)
        });
        match number {
            Some(_) => Ok(Self(text.to_owned())),
            None => Err(Self::unlike_any(text)),
        }
    }
}

impl fmt::Display for Region {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A set of Regions with accounts, domains and ARNs of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Partition {
    Aws,
    China,
    UsGov,
    EuSovereign,
    Iso,
    IsoB,
    IsoE,
    IsoF,
}

/// How the Regions of each partition begin; all others are of [`Partition::Aws`].
const PARTITIONS: &[(&str, Partition)] = &[
    ("cn-", Partition::China),
    ("us-gov-", Partition::UsGov),
    ("eusc-", Partition::EuSovereign),
    ("us-iso-", Partition::Iso),
    ("us-isob-", Partition::IsoB),
    ("eu-isoe-", Partition::IsoE),
    ("us-isof-", Partition::IsoF),
];

impl Partition {
    /// The second part of its ARNs, such as `aws-cn`.
    pub fn id(self) -> &'static str {
        match self {
            Self::Aws => "aws",
            Self::China => "aws-cn",
            Self::UsGov => "aws-us-gov",
            Self::EuSovereign => "aws-eusc",
            Self::Iso => "aws-iso",
            Self::IsoB => "aws-iso-b",
            Self::IsoE => "aws-iso-e",
            Self::IsoF => "aws-iso-f",
        }
    }

    /// What ECR registry hosts end in.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Aws | Self::UsGov => "amazonaws.com",
            Self::China => "amazonaws.com.cn",
            Self::EuSovereign => "amazonaws.eu",
            Self::Iso => "c2s.ic.gov",
            Self::IsoB => "sc2s.sgov.gov",
            Self::IsoE => "cloud.adc-e.uk",
            Self::IsoF => "csp.hci.ic.gov",
        }
    }

    /// What dual-stack ECR registry hosts end in; `None` where none are known.
    pub(crate) fn dual_stack_suffix(self) -> Option<&'static str> {
        match self {
            Self::Aws | Self::UsGov => Some("on.aws"),
            Self::China => Some("on.amazonwebservices.com.cn"),
            Self::EuSovereign | Self::Iso | Self::IsoB | Self::IsoE | Self::IsoF => None,
        }
    }
}

/// The host of a private ECR registry, in lower case and without a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EcrHost {
    pub account: AccountId,
    pub region: Region,
    /// The FIPS 140 endpoint. The first pull of an image through such a host fails; later ones work (Amazon
    /// ECR user guide, "Sync an upstream registry").
    pub fips: bool,
    /// The IPv4 and IPv6 endpoint. Printed as the plain one in partitions that have none.
    pub dual_stack: bool,
}

impl EcrHost {
    /// The plain host of a registry.
    pub fn new(account: AccountId, region: Region) -> Self {
        Self { account, region, fips: false, dual_stack: false }
    }
}

/// What stands between account and Region, by FIPS and dual-stack.
const SERVICES: &[(&str, bool, bool)] = &[
    (".dkr.ecr.", false, false),
    (".dkr.ecr-fips.", true, false),
    (".dkr-ecr.", false, true),
    (".dkr-ecr-fips.", true, true),
];

impl FromStr for EcrHost {
    type Err = EcrError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = || EcrError::Form { text: text.to_owned() };
        let (account, rest, fips, dual_stack) = SERVICES
            .iter()
            .find_map(|&(service, fips, dual_stack)| {
                let (account, rest) = text.split_once(service)?;
                Some((account, rest, fips, dual_stack))
            })
            .ok_or_else(form)?;
        let (region, _) = rest.split_once('.').ok_or_else(form)?;
        let host = Self { account: account.parse()?, region: Region::of_host(region)?, fips, dual_stack };
        // The suffix follows from the Region, so a host is right when it prints as it was written.
        let expected = host.to_string();
        if text == expected {
            Ok(host)
        } else {
            Err(EcrError::Suffix { text: text.to_owned(), region: host.region, expected })
        }
    }
}

impl fmt::Display for EcrHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { account, region, .. } = self;
        let fips = if self.fips { "-fips" } else { "" };
        match region.partition().dual_stack_suffix() {
            Some(suffix) if self.dual_stack => write!(f, "{account}.dkr-ecr{fips}.{region}.{suffix}"),
            _ => write!(f, "{account}.dkr.ecr{fips}.{region}.{}", region.partition().suffix()),
        }
    }
}

/// Does the Region have pull through cache?
///
/// The user guide excludes the Regions of China and AWS GovCloud (US); it is silent on the isolated and
/// sovereign partitions, which pass.
///
/// # Errors
/// The reason, as a sentence without a full stop.
pub fn pull_through_available(region: &Region) -> Result<(), &'static str> {
    match region.partition() {
        Partition::China => Err("the Regions of China have no ECR pull through cache"),
        Partition::UsGov => Err("the AWS GovCloud (US) Regions have no ECR pull through cache"),
        _ => Ok(()),
    }
}

/// What mapped references begin with.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CacheHost {
    /// An ECR registry.
    Ecr(EcrHost),
    /// A text that becomes one later, such as `${ECR_REGISTRY}`, or a proxy in front of one; kept as written.
    Opaque(String),
}

impl FromStr for CacheHost {
    type Err = EcrError;

    /// A host that has the marks of ECR must be a valid one: it is not taken for an opaque text.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_ecr = is_host(text) && SERVICES.iter().any(|(service, ..)| text.contains(service));
        if is_ecr {
            return text.parse().map(Self::Ecr);
        }
        let breaks = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '\'' | '`' | '@');
        if text.is_empty() || text.contains(breaks) || text.contains("://") || text.ends_with('/') {
            return Err(EcrError::Opaque { text: text.to_owned() });
        }
        Ok(Self::Opaque(text.to_owned()))
    }
}

impl fmt::Display for CacheHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ecr(host) => host.fmt(f),
            Self::Opaque(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_every_partition() {
        for (host, partition, fips, dual_stack) in [
            ("123456789012.dkr.ecr.ca-central-1.amazonaws.com", "aws", false, false),
            ("123456789012.dkr-ecr.ca-central-1.on.aws", "aws", false, true),
            ("123456789012.dkr.ecr-fips.us-east-1.amazonaws.com", "aws", true, false),
            ("123456789012.dkr-ecr-fips.us-east-1.on.aws", "aws", true, true),
            ("123456789012.dkr.ecr.us-gov-west-1.amazonaws.com", "aws-us-gov", false, false),
            ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "aws-cn", false, false),
            ("123456789012.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn", "aws-cn", false, true),
            ("123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu", "aws-eusc", false, false),
            ("123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov", "aws-iso", false, false),
            ("123456789012.dkr.ecr.us-isob-east-1.sc2s.sgov.gov", "aws-iso-b", false, false),
            ("123456789012.dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk", "aws-iso-e", false, false),
            ("123456789012.dkr.ecr.us-isof-south-1.csp.hci.ic.gov", "aws-iso-f", false, false),
        ] {
            let parsed: EcrHost = host.parse().unwrap();
            assert_eq!(parsed.to_string(), host);
            assert_eq!(
                (parsed.region.partition().id(), parsed.fips, parsed.dual_stack),
                (partition, fips, dual_stack)
            );
            assert_eq!(parsed.account.as_str(), "123456789012");
        }
    }

    #[test]
    fn refuses_what_is_no_ecr_host() {
        for host in [
            "",
            "ghcr.io",
            "public.ecr.aws",
            "12345678901.dkr.ecr.us-east-1.amazonaws.com",
            "a.123456789012.dkr.ecr.us-east-1.amazonaws.com",
            "123456789012.dkr.ecr.us-east-1",
            "123456789012.dkr.ecr.useast1.amazonaws.com",
            "123456789012.dkr.ecr..amazonaws.com",
            "123456789012.dkr.ecr.us-east-1.amazonaws.com.cn",
            "123456789012.dkr.ecr.us-east-1.amazonaws.com:443",
            "123456789012.dkr.ecr.us-east-1.on.aws",
            "123456789012.dkr-ecr.us-east-1.amazonaws.com",
            "123456789012.dkr-ecr.eusc-de-east-1.on.aws",
            "123456789012.dkr.ecr.cn-north-1.amazonaws.com",
            "123456789012.dkr.ecr.us-east-1.amazonaws.com.evil.example",
        ] {
            assert!(host.parse::<EcrHost>().is_err(), "{host}");
        }
        let error = "123456789012.dkr.ecr.cn-north-1.amazonaws.com".parse::<EcrHost>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "`123456789012.dkr.ecr.cn-north-1.amazonaws.com` is not an ECR registry: hosts of `cn-north-1` \
             are written `123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn`"
        );
    }

    #[test]
    fn regions() {
        for region in ["us-east-1", "ap-southeast-5", "mx-central-1", "us-gov-east-1", "eusc-de-east-1"] {
            assert!(region.parse::<Region>().is_ok(), "{region}");
        }
        // Of the right shape, though nobody has heard of them yet.
        for region in ["nz-south-1", "eu-central-11", "us-isog-northwest-2", "ap-southwest-1"] {
            let region: Region = region.parse().unwrap();
            assert!(!region.is_known(), "{region}");
        }
        for region in KNOWN_REGIONS {
            assert!(region.parse::<Region>().unwrap().is_known(), "{region}");
        }
        for (region, near) in [
            ("", None),
            ("us", None),
            ("us-1", None),
            ("us-east", Some("us-east-1")),
            ("US-EAST-1", Some("us-east-1")),
            ("us-east-1a", Some("us-east-1")),
            ("us--1", None),
            ("us-east-123", Some("us-east-1")),
            ("-east-1", Some("ap-east-1")),
            ("eu-wset-1", Some("eu-west-1")),
            ("ca-centrall-1", Some("ca-central-1")),
            ("eu-west-0", Some("eu-west-1")),
            ("europe-west-1", None),
            ("frankfurt", None),
        ] {
            let found = region.parse::<Region>();
            assert!(
                matches!(&found, Err(EcrError::Region { near: n, .. }) if *n == near),
                "{region}: {found:?}"
            );
        }
        // A host is read as it is written: its image is found, and called one of another registry.
        assert!("123456789012.dkr.ecr.eu-wset-1.amazonaws.com".parse::<EcrHost>().is_ok());
    }

    #[test]
    fn pull_through_cache_is_missing_in_two_partitions() {
        for (region, available) in [
            ("ca-central-1", true),
            ("cn-north-1", false),
            ("cn-northwest-1", false),
            ("us-gov-east-1", false),
            ("eusc-de-east-1", true),
        ] {
            assert_eq!(pull_through_available(&region.parse().unwrap()).is_ok(), available, "{region}");
        }
    }

    #[test]
    fn cache_hosts() {
        let ecr: CacheHost = "123456789012.dkr.ecr.us-east-1.amazonaws.com".parse().unwrap();
        assert!(matches!(ecr, CacheHost::Ecr(_)));
        for text in [
            "${ECR_REGISTRY}",
            "${ACCOUNT}.dkr.ecr.${REGION}.amazonaws.com",
            "registry.example.com:5000",
            "harbor.example.com/proxy",
        ] {
            let opaque: CacheHost = text.parse().unwrap();
            assert_eq!(opaque, CacheHost::Opaque(text.to_owned()));
            assert_eq!(opaque.to_string(), text);
        }
        for text in ["", "a b", "'a'", "a/", "a@b", "https://a.b", "a\n", "1.dkr.ecr.us-east-1.amazonaws.com"]
        {
            assert!(text.parse::<CacheHost>().is_err(), "{text}");
        }
    }
}
