//! Policies of IAM, and the role for GitHub's workflows.

use super::Build;
use crate::document;
use crate::resource::{Policy, Role};
use pullthru_core::config::{PolicyKind, Tags};

impl Build<'_> {
    pub(super) fn iam(&mut self) {
        let iam = &self.sources.provision.iam;
        for (kind, use_) in &iam.policies {
            let attach_to = use_.attach_to.iter().map(|role| role.to_string()).collect();
            self.policy(*kind, attach_to);
        }
        if let Some(github) = &iam.github_actions {
            let name = github
                .role
                .as_ref()
                .map_or_else(|| format!("{}ci-push", iam.name_prefix), |role| role.to_string());
            if !self.desired.policies.iter().any(|policy| policy.name == policy_name(iam, PolicyKind::CiPush))
            {
                self.policy(PolicyKind::CiPush, Vec::new());
            }
            let pushes = policy_name(iam, PolicyKind::CiPush);
            for policy in self.desired.policies.iter_mut().filter(|policy| policy.name == pushes) {
                policy.attach_to.push(name.clone());
                policy.attach_to.sort();
                policy.attach_to.dedup();
            }
            self.desired.roles.push(Role {
                name,
                description: "workflows of GitHub push images by it; made by pullthru".to_owned(),
                trust: document::trust_github(github, &self.desired.registry),
                tags: self.tags(&Tags::new()),
            });
        }
        self.desired.roles.sort_by(|a, b| a.name.cmp(&b.name));
        self.desired.policies.sort_by(|a, b| a.name.cmp(&b.name));
    }

    pub(super) fn policy(&mut self, kind: PolicyKind, mut attach_to: Vec<String>) {
        attach_to.sort();
        attach_to.dedup();
        self.desired.policies.push(Policy {
            kind,
            name: policy_name(&self.sources.provision.iam, kind),
            description: format!("{}; made by pullthru", purpose(kind)),
            document: self.desired.document(kind),
            attach_to,
            tags: self.tags(&Tags::new()),
        });
    }
}

fn policy_name(iam: &pullthru_core::config::Iam, kind: PolicyKind) -> String {
    format!("{}{}", iam.name_prefix, kind.id())
}

/// What a policy is for, in a few words.
pub fn purpose(kind: PolicyKind) -> &'static str {
    match kind {
        PolicyKind::NodePull => "nodes pull through the cache, the first time too",
        PolicyKind::PullOnly => "pulls of what is in the registry",
        PolicyKind::CiPush => "pushes to the team's repositories",
        PolicyKind::Scan => "controllers list tags and pull artifacts",
        PolicyKind::Provision => "sets up the cache",
        PolicyKind::Doctor => "asks why a pull fails",
    }
}
