//! `examples/basic/import.tf`: blocks that hand over to Terraform what the account has already. Terraform takes them in a
//! root module only.

use std::collections::{BTreeMap, BTreeSet};

use super::Module;
use crate::export::hcl::{Expr, Item};

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
    /// The registry has a policy.
    pub policy: bool,
}

pub(super) fn items(module: &Module<'_>, existing: &Existing) -> Vec<Item> {
    let desired = module.desired;
    let account = desired.registry.account.as_str();
    let mut items = vec![Item::Comment(
        "For the root module that calls this one as module.ecr. Terraform changes what it takes over to what the\n\
         module says: read the plan. Delete the file after the first apply."
            .to_owned(),
    )];
    let mut import = |kind: &str, id: &str, of: &str| {
        let body = vec![
            Item::attribute("to", Expr::raw(format!("module.ecr.{kind}.{id}"))),
            Item::attribute("id", Expr::text(of)),
        ];
        items.push(Item::block("import", &[], body));
    };
    for (id, login) in &module.logins {
        if let super::Login::Made(secret) = login
            && let Some(arn) = existing.secrets.get(&secret.name)
        {
            import("aws_secretsmanager_secret", id, arn);
        }
    }
    for template in desired.templates.iter().filter(|one| existing.templates.contains(&one.prefix)) {
        let id = module.templates.of(&template.prefix);
        import("aws_ecr_repository_creation_template", &id, &template.prefix);
    }
    for rule in desired.rules.iter().filter(|rule| existing.rules.contains(&rule.prefix)) {
        import("aws_ecr_pull_through_cache_rule", &module.rules.of(&rule.prefix), &rule.prefix);
    }
    for repository in desired.repositories.iter().filter(|one| existing.repositories.contains(&one.name)) {
        import("aws_ecr_repository", &module.repositories.of(&repository.name), &repository.name);
    }
    // Each registry has a scanning configuration.
    if desired.scanning.is_some() {
        import("aws_ecr_registry_scanning_configuration", "this", account);
    }
    if existing.policy && !desired.statements.is_empty() {
        import("aws_ecr_registry_policy", "this", account);
    }
    items
}
