//! The template by which ECR makes a repository below the prefix, and the roles and keys that ECR works with.

use std::collections::BTreeSet;

use super::permissions::{Lack, simulate};
use super::policy::trusts;
use super::{Doctor, Ruled, Step, StepId, seen};
use crate::account::failure::of;
use crate::account::role;
use crate::resource::{Cipher, Ref, Template};
use pullthru_core::config::Arn;
use pullthru_core::route::{EcrHost, Prefix};

/// Value of `appliedFor`.
const FOR_CACHE: &str = "PULL_THROUGH_CACHE";

/// What an import by a role does (user guide, "Pull through cache from ECR to ECR").
const ECR_IMPORT: [&str; 4] =
    ["ecr:BatchGetImage", "ecr:BatchImportUpstreamImage", "ecr:GetDownloadUrlForLayer", "ecr:PutImage"];

impl<'a> Doctor<'a> {
    /// The template that a repository would be made by: of those for pull through cache, the one with the longest prefix.
    pub(super) fn template_for(&self, name: &str) -> Option<&'a Template> {
        let templates = self.account.templates.as_ref().ok()?;
        let fits = |template: &&Template| {
            let prefix: Option<Prefix> = template.prefix.parse().ok();
            template.applied_for.iter().any(|use_| use_ == FOR_CACHE)
                && prefix.is_some_and(|prefix| prefix.strip(name).is_some())
        };
        // ROOT is for what no other covers.
        let near = |template: &&Template| if template.prefix == "ROOT" { 0 } else { template.prefix.len() };
        templates.values().filter(fits).max_by_key(near)
    }

    /// The steps of a prefix's template.
    pub(super) async fn template(&self, ruled: &Ruled<'_>) -> Vec<Step> {
        let id = StepId::Template;
        let templates = match seen(id, &self.account.templates) {
            Ok(templates) => templates,
            Err(step) => return vec![step.about(&ruled.prefix)],
        };
        let sample = ruled.sample.as_ref().and_then(|sample| sample.cached.as_ref());
        let name = sample.map_or_else(|| format!("{}/example", ruled.prefix), |name| name.path.clone());
        let Some(template) = self.template_for(&name) else {
            let step = match templates.get(&ruled.prefix) {
                Some(_) => id
                    .warning(format!("the template `{}` is not applied for `{FOR_CACHE}`", ruled.prefix))
                    .help("add it to the template's `applied-for`: `pullthru provision apply`"),
                None => id.passed(
                    "none: repositories are made with MUTABLE tags, AES256, no lifecycle policy and no tags",
                ),
            };
            return vec![step.about(&ruled.prefix)];
        };
        let mut steps = vec![id.passed(described(template))];
        steps.extend(self.template_role(template).await);
        if self.question.image.is_none()
            && let Cipher::Kms(Some(Ref::Given(key))) = &template.cipher
        {
            steps.push(key_step(key));
        }
        steps.into_iter().map(|step| step.about(&ruled.prefix)).collect()
    }

    async fn template_role(&self, template: &Template) -> Option<Step> {
        let id = StepId::TemplateRole;
        let mut needs = Vec::new();
        if !template.tags.is_empty() {
            needs.push("tags");
        }
        if template.cipher != Cipher::Aes256 {
            needs.push("KMS");
        }
        let Some(arn) = &template.custom_role else {
            return (!needs.is_empty()).then(|| {
                id.failed(format!(
                    "the template `{}` sets {} and has no role: ECR cannot make the repository",
                    template.prefix,
                    needs.join(" and ")
                ))
                .help("give it a role (`custom-role`; `pullthru provision export iam` writes its policies), or leave tags and KMS out")
            });
        };
        let mut on_repository = vec!["ecr:CreateRepository"];
        if !template.tags.is_empty() {
            on_repository.push("ecr:TagResource");
        }
        let repository = self.session.registry.repository(&join(&template.prefix, "example")).to_string();
        let mut work = vec![(on_repository, repository)];
        if let Cipher::Kms(Some(Ref::Given(key))) = &template.cipher {
            work.push((vec!["kms:CreateGrant", "kms:DescribeKey"], key.to_string()));
        }
        Some(self.role(id, arn, "ecr.amazonaws.com", &work).await)
    }

    /// The role by which ECR reads another account's ECR.
    pub(super) async fn upstream_role(&self, ruled: &Ruled<'_>) -> Option<Step> {
        let id = StepId::UpstreamRole;
        let theirs: EcrHost = ruled.upstream.parse().ok()?;
        let rule = ruled.rule?;
        let Some(arn) = &rule.custom_role else {
            let foreign = theirs.account != self.session.registry.account;
            return foreign.then(|| {
                id.failed(format!("the rule has no role, and its upstream is in account {}", theirs.account))
                    .help("`provision: { rules: [{ custom-role: … }] }`, then `pullthru provision apply`")
                    .about(&ruled.prefix)
            });
        };
        let repository = self.session.registry.repository(&join(&ruled.prefix, "example")).to_string();
        let work = [(ECR_IMPORT.to_vec(), repository)];
        Some(self.role(id, arn, "pullthroughcache.ecr.amazonaws.com", &work).await.about(&ruled.prefix))
    }

    /// Is a role there, may a service take it, and may it do this work?
    async fn role(&self, id: StepId, arn: &Arn, service: &str, work: &[(Vec<&str>, String)]) -> Step {
        let registry = &self.session.registry;
        if !arn.lies_in(&registry.account, &registry.region) {
            let step = id.failed(format!("the role `{arn}` is not of account {}", registry.account));
            return step.help("name a role of the registry's own account");
        }
        let name = arn.role_name().unwrap_or(&arn.resource);
        let sent = self.session.iam.get_role().role_name(name).send().await.map_err(of("iam:GetRole"));
        let found = match sent {
            Err(failure) if failure.is(&[role::ABSENT]) => {
                let step = id.failed(format!("the role `{name}` is not there"));
                return step.help(format!("make it, and let the service `{service}` take it"));
            }
            Err(failure) => return id.unseen(&failure),
            Ok(found) => found.role.and_then(|role| role.assume_role_policy_document),
        };
        let trust = found.as_deref().and_then(role::decoded).unwrap_or_default();
        if !trusts(&trust, service) {
            let step = id.failed(format!("`{service}` may not take the role `{name}`"));
            return step
                .help(format!("let its trust policy allow `sts:AssumeRole` to the service `{service}`"));
        }
        let (mut lacking, mut unsure) = (BTreeSet::new(), true);
        for (actions, resource) in work {
            match simulate(self.session, arn, actions, std::slice::from_ref(resource)).await {
                Ok(missing) => {
                    // A key's own policy may allow what no policy of the role does.
                    let by_key = |action: &str, lack: &Lack| action.starts_with("kms:") && !lack.denied;
                    unsure &= missing.iter().all(|(action, lack)| lack.is_unsure() || by_key(action, lack));
                    lacking.extend(missing.into_keys());
                }
                Err(failure) => return id.unseen(&failure),
            }
        }
        if lacking.is_empty() {
            return id.passed(format!("`{name}` can do its work"));
        }
        let actions = super::account::list(&Vec::from_iter(lacking));
        if unsure {
            return id
                .warning(format!(
                    "the role `{name}` has {actions} only if a condition or the key's own policy allows it"
                ))
                .help("look at them: `aws iam simulate-principal-policy`, `aws kms get-key-policy`");
        }
        id.failed(format!("the role `{name}` lacks {actions}: ECR cannot make the repository"))
            .help(format!("allow {actions} to it"))
    }
}

/// A key is not looked at: that takes the right to read it, for one answer.
pub(super) fn key_step(key: &Arn) -> Step {
    let step = StepId::EncryptionKey.not_checked(format!("the key `{key}` is not looked at"));
    step.help(format!(
        "it must be `Enabled`: `aws kms describe-key --key-id {key} --query KeyMetadata.KeyState --output text`"
    ))
}

fn join(prefix: &str, name: &str) -> String {
    prefix.parse::<Prefix>().map_or_else(|_| name.to_owned(), |prefix| prefix.join(name))
}

fn described(template: &Template) -> String {
    let lifecycle = if template.lifecycle.is_some() { "a lifecycle policy" } else { "no lifecycle policy" };
    format!("`{}`: {}, {}, {lifecycle}", template.prefix, template.mutability, template.cipher)
}
