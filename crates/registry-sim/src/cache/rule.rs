//! Pull through cache rules: which repository names lead where.

use std::sync::Arc;

use crate::upstream::{self, Upstream};

/// The prefix, on either side, that stands for none.
const ROOT: &str = "ROOT";

/// A pull through cache rule.
#[derive(Clone, Debug)]
pub struct Rule {
    prefix: String,
    upstream_name: String,
    upstream_prefix: String,
    credential: Option<(String, String)>,
    pub(super) upstream: Arc<upstream::State>,
}

impl Rule {
    /// Caches `upstream`, which stands for `upstream_name` (such as `ghcr.io`), below `prefix` (or `ROOT`).
    pub fn new(prefix: &str, upstream_name: &str, upstream: &Upstream) -> Self {
        Self {
            prefix: prefix.trim_end_matches('/').to_owned(),
            upstream_name: upstream_name.to_owned(),
            upstream_prefix: ROOT.to_owned(),
            credential: None,
            upstream: Arc::clone(upstream.state()),
        }
    }

    /// With a secret that holds this user and token.
    #[must_use]
    pub fn credential(mut self, user: &str, token: &str) -> Self {
        self.set_credential(Some((user, token)));
        self
    }

    /// Caches only what is below this path of the upstream, and leaves the path out of cached names (Amazon ECR user
    /// guide, "Customizing repository prefixes").
    #[must_use]
    pub fn upstream_prefix(mut self, prefix: &str) -> Self {
        prefix.trim_end_matches('/').clone_into(&mut self.upstream_prefix);
        self
    }

    /// `ecrRepositoryPrefix`.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// `upstreamRepositoryPrefix`.
    pub(super) fn upstream_prefix_name(&self) -> &str {
        &self.upstream_prefix
    }

    /// `upstreamRegistryUrl`.
    pub(super) fn upstream_name(&self) -> &str {
        &self.upstream_name
    }

    pub(super) fn set_credential(&mut self, credential: Option<(&str, &str)>) {
        self.credential = credential.map(|(user, token)| (user.to_owned(), token.to_owned()));
    }

    pub(super) fn login(&self) -> Option<&(String, String)> {
        self.credential.as_ref()
    }

    /// The upstream's path of an ECR repository, when the rule covers it. Whole segments count, and at least one
    /// must be left.
    pub(super) fn path(&self, repository: &str) -> Option<String> {
        let rest = match self.prefix.as_str() {
            ROOT => repository,
            prefix => repository.strip_prefix(prefix)?.strip_prefix('/').filter(|rest| !rest.is_empty())?,
        };
        Some(match self.upstream_prefix.as_str() {
            ROOT => rest.to_owned(),
            prefix => format!("{prefix}/{rest}"),
        })
    }

    /// Of two rules that cover a repository, the one with the longer prefix is taken; which ECR takes is not
    /// documented.
    pub(super) fn nearness(&self) -> usize {
        if self.prefix == ROOT { 0 } else { self.prefix.len() }
    }
}
