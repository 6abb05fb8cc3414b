//! `examples/basic/import.tf`: blocks that hand over to Terraform what the account has already. Terraform takes them in a
//! root module only.

use std::collections::{BTreeMap, BTreeSet};

use super::Module;
use super::table::instance;
use crate::export::hcl::{Expr, Item, quoted};

/// What the account has of what the module makes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Existing {
    /// Prefixes.
    pub rules: BTreeSet<String>,
    /// Prefixes.
    pub templates: BTreeSet<String>,
    /// ARN by name.
    pub secrets: BTreeMap<String, String>,
    /// Names.
    pub repositories: BTreeSet<String>,
    /// Names of repositories with a lifecycle policy.
    pub lifecycles: BTreeSet<String>,
    /// Names of repositories with a policy.
    pub repository_policies: BTreeSet<String>,
    /// The registry has a policy.
    pub policy: bool,
    /// The registry has a replication configuration with rules.
    pub replication: bool,
    /// Names.
    pub roles: BTreeSet<String>,
    /// ARN by name.
    pub policies: BTreeMap<String, String>,
    /// Role, and name of the policy that is attached to it.
    pub attachments: BTreeSet<(String, String)>,
}

/// A key is imported by its id, which only KMS knows, and this program does not ask it.
fn by_hand(id: &str, alias: &str) -> Item {
    Item::Comment(format!(
        "Is the key alias/{alias} there? Then take the signs of comment away and write what this prints:\n\
         aws kms describe-key --key-id alias/{alias} --query KeyMetadata.KeyId --output text\n\
         import {{\n  to = module.ecr.aws_kms_key.{id}\n  id = \"…\"\n}}\n\
         import {{\n  to = module.ecr.aws_kms_alias.{id}\n  id = \"alias/{alias}\"\n}}"
    ))
}

pub(super) fn items(module: &Module<'_>, existing: &Existing) -> Vec<Item> {
    let desired = module.desired;
    let account = desired.registry.account.as_str();
    let mut items = vec![Item::Comment(
        "For the root module that calls this one as module.ecr. Terraform changes what it takes over to what the\n\
         module says: read the plan. Delete the file after the first apply."
            .to_owned(),
    )];
    let mut import = |to: String, of: &str| {
        let body = vec![
            Item::attribute("to", Expr::raw(format!("module.ecr.{to}"))),
            Item::attribute("id", Expr::text(of)),
        ];
        items.push(Item::block("import", &[], body));
    };
    for role in desired.roles.iter().filter(|role| existing.roles.contains(&role.name)) {
        import(format!("aws_iam_role.{}", module.names.roles.of(&role.name)), &role.name);
    }
    for policy in &desired.policies {
        if let Some(arn) = existing.policies.get(&policy.name) {
            let id = module.names.policies.of(&policy.name);
            import(format!("aws_iam_policy.{id}"), arn);
            let is_attached =
                |role: &&String| existing.attachments.contains(&((*role).clone(), policy.name.clone()));
            for role in policy.attach_to.iter().filter(is_attached) {
                let to = format!("aws_iam_role_policy_attachment.{id}[{}]", quoted(role));
                import(to, &format!("{role}/{arn}"));
            }
        }
    }
    for (id, login) in &module.names.logins {
        if let super::Login::Made(secret) = login
            && let Some(arn) = existing.secrets.get(&secret.name)
        {
            import(format!("aws_secretsmanager_secret.{id}"), arn);
        }
    }
    for template in desired.templates.iter().filter(|one| existing.templates.contains(&one.prefix)) {
        import(instance("aws_ecr_repository_creation_template", &template.prefix), &template.prefix);
    }
    for rule in desired.rules.iter().filter(|rule| existing.rules.contains(&rule.prefix)) {
        let id = module.names.rules.of(&rule.prefix);
        import(format!("aws_ecr_pull_through_cache_rule.{id}"), &rule.prefix);
    }
    for repository in desired.repositories.iter().filter(|one| existing.repositories.contains(&one.name)) {
        import(instance("aws_ecr_repository", &repository.name), &repository.name);
        if repository.lifecycle.is_some() && existing.lifecycles.contains(&repository.name) {
            import(instance("aws_ecr_lifecycle_policy", &repository.name), &repository.name);
        }
        if repository.policy.is_some() && existing.repository_policies.contains(&repository.name) {
            import(instance("aws_ecr_repository_policy", &repository.name), &repository.name);
        }
    }
    // Each registry has a scanning configuration.
    if desired.scanning.is_some() {
        import("aws_ecr_registry_scanning_configuration.this".to_owned(), account);
    }
    if existing.policy && !desired.statements.is_empty() {
        import("aws_ecr_registry_policy.this".to_owned(), account);
    }
    if existing.replication && !desired.replication.is_empty() {
        import("aws_ecr_replication_configuration.this".to_owned(), account);
    }
    items.extend(desired.keys.iter().map(|key| by_hand(&module.names.keys.of(&key.alias), &key.alias)));
    items
}
