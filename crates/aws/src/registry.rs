//! The registry that everything is about, and the ARNs of what lies in its account.

use pullthru_core::config::Arn;
use pullthru_core::route::{AccountId, EcrHost, Region};

/// The private registry of an account in a Region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registry {
    pub account: AccountId,
    pub region: Region,
}

impl Registry {
    /// The host that images are pulled from.
    pub fn host(&self) -> EcrHost {
        EcrHost::new(self.account.clone(), self.region.clone())
    }

    /// The partition as ARNs have it: `aws`, `aws-cn`, …
    pub fn partition(&self) -> &'static str {
        self.region.partition().id()
    }

    /// An ARN of this account and Region.
    pub fn arn(&self, service: &str, resource: impl Into<String>) -> Arn {
        Arn {
            partition: self.partition().to_owned(),
            service: service.to_owned(),
            region: self.region.to_string(),
            account: self.account.to_string(),
            resource: resource.into(),
        }
    }

    /// Repositories, by a name or a pattern with `*`.
    pub fn repository(&self, name: &str) -> Arn {
        self.arn("ecr", format!("repository/{name}"))
    }

    /// An ARN of IAM, which has no Region.
    pub fn iam(&self, resource: impl Into<String>) -> Arn {
        Arn { region: String::new(), ..self.arn("iam", resource) }
    }

    /// The account itself as a principal.
    pub fn root_of(&self, account: &AccountId) -> String {
        format!("arn:{}:iam::{account}:root", self.partition())
    }
}
