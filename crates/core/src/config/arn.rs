//! Amazon resource names, as the configuration, policies and answers of AWS have them.

use std::fmt;
use std::str::FromStr;

use crate::route::{AccountId, Region};

/// `arn:partition:service:region:account:resource`; Region and account are empty for some services.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Arn {
    /// `aws`, `aws-cn`, …
    pub partition: String,
    pub service: String,
    /// Empty for global services.
    pub region: String,
    pub account: String,
    /// Everything after the fifth colon.
    pub resource: String,
}

/// Not an ARN.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an ARN: write `arn:aws:<service>:<region>:<account>:<resource>`")]
pub struct ArnError {
    text: String,
}

impl Arn {
    /// The name of the secret, without the six characters that Secrets Manager appends (API reference,
    /// `CreateSecret`); `None` for another resource.
    pub fn secret_name(&self) -> Option<&str> {
        let name = self.resource.strip_prefix("secret:").filter(|_| self.service == "secretsmanager")?;
        match name.rsplit_once('-') {
            Some((name, random))
                if random.len() == 6 && random.bytes().all(|b| b.is_ascii_alphanumeric()) =>
            {
                Some(name)
            }
            _ => Some(name),
        }
    }

    /// The name of the role, without its path; `None` for another resource.
    pub fn role_name(&self) -> Option<&str> {
        let name = self.resource.strip_prefix("role/").filter(|_| self.service == "iam")?;
        name.rsplit('/').next()
    }

    /// Does it lie in this account and, where it has one, in this Region?
    pub fn lies_in(&self, account: &AccountId, region: &Region) -> bool {
        self.account == account.as_str() && (self.region.is_empty() || self.region == region.as_str())
    }
}

impl FromStr for Arn {
    type Err = ArnError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || ArnError { text: text.to_owned() };
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next().map(str::to_owned).ok_or_else(error);
        let (arn, partition, service) = (next()?, next()?, next()?);
        let (region, account, resource) = (next()?, next()?, next()?);
        let is_account = account.is_empty() || account == "aws" || account.parse::<AccountId>().is_ok();
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
        if arn != "arn"
            || !partition.starts_with("aws")
            || service.is_empty()
            || resource.is_empty()
            || !is_account
            || !is_plain
        {
            return Err(error());
        }
        Ok(Self { partition, service, region, account, resource })
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { partition, service, region, account, resource } = self;
        write!(f, "arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn print_is_the_inverse_of_parse() {
        for text in [
            "arn:aws:secretsmanager:us-east-1:123456789012:secret:ecr-pullthroughcache/ghcr-AbCdEf",
            "arn:aws-cn:iam::123456789012:role/path/nodes",
            "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab",
            "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly",
        ] {
            assert_eq!(text.parse::<Arn>().unwrap().to_string(), text);
        }
        for text in
            ["", "arn", "arn:aws:iam::12:role/x", "arn:aws:iam::123456789012:", "arn:other:s3:::b", "a b"]
        {
            assert!(text.parse::<Arn>().is_err(), "{text}");
        }
    }

    #[test]
    fn names_without_what_aws_appends() {
        let secret = |text: &str| text.parse::<Arn>().unwrap().secret_name().map(str::to_owned);
        let arn = "arn:aws:secretsmanager:us-east-1:123456789012:secret:ecr-pullthroughcache/ghcr-AbCdEf";
        assert_eq!(secret(arn).as_deref(), Some("ecr-pullthroughcache/ghcr"));
        let partial = "arn:aws:secretsmanager:us-east-1:123456789012:secret:ecr-pullthroughcache/docker-hub";
        assert_eq!(secret(partial).as_deref(), Some("ecr-pullthroughcache/docker-hub"));
        let role: Arn = "arn:aws:iam::123456789012:role/path/nodes".parse().unwrap();
        assert_eq!((role.role_name(), role.secret_name()), (Some("nodes"), None));
    }
}
