//! What the caller of a cache may do: everything, until an action is taken away.

use std::collections::BTreeSet;
use std::sync::Mutex;

use crate::lock::lock;

/// The caller's identity policy. Actions are named without `ecr:`, such as `BatchImportUpstreamImage`.
#[derive(Debug, Default)]
pub struct Iam {
    denied: Mutex<BTreeSet<String>>,
}

impl Iam {
    /// Takes an action away.
    pub fn deny(&self, action: &str) {
        lock(&self.denied).insert(action.to_owned());
    }

    /// Gives it back.
    pub fn allow(&self, action: &str) {
        lock(&self.denied).remove(action);
    }

    pub(super) fn allows(&self, action: &str) -> bool {
        !lock(&self.denied).contains(action)
    }
}

/// What AWS says to a caller without a right.
pub(super) fn refusal(account: &str, region: &str, action: &str, repository: Option<&str>) -> String {
    let resource = match repository {
        Some(repository) => format!("arn:aws:ecr:{region}:{account}:repository/{repository}"),
        None => "*".to_owned(),
    };
    format!(
        "User: arn:aws:iam::{account}:user/sim is not authorized to perform: ecr:{action} on resource: {resource} \
         because no identity-based policy allows the ecr:{action} action"
    )
}
