//! `main.tf`: the guard, keys, roles, policies, templates, rules and repositories.

use super::{Module, depends_on, object};
use crate::export::hcl::{Expr, Item};
use crate::export::templates_of;
use crate::resource::{Cipher, Key, Mutability, Policy, Ref, Repository, Role, Rule, Template};

pub(super) fn items(module: &Module<'_>) -> Vec<Item> {
    let desired = module.desired;
    let mut items = head(module);
    desired.keys.iter().for_each(|key| items.extend(self::key(module, key)));
    desired.roles.iter().for_each(|role| items.extend(self::role(module, role)));
    desired.policies.iter().for_each(|policy| items.extend(self::policy(module, policy)));
    items.extend(desired.templates.iter().map(|template| self::template(module, template)));
    items.extend(desired.rules.iter().map(|rule| self::rule(module, rule)));
    desired.repositories.iter().for_each(|repository| items.extend(self::repository(module, repository)));
    items
}

fn head(module: &Module<'_>) -> Vec<Item> {
    let registry = &module.desired.registry;
    let host = registry.host().to_string().replace(registry.account.as_str(), "${var.account_id}");
    let host = host.replace(registry.region.as_str(), "${var.region}");
    let guard = |kind: &str, attribute: &str, local: &str, what: &str| {
        let condition = Item::block(
            "postcondition",
            &[],
            vec![
                Item::attribute("condition", Expr::raw(format!("self.{attribute} == local.{local}"))),
                Item::attribute(
                    "error_message",
                    Expr::raw(format!(
                        "\"The module is for {what} ${{local.{local}}}, and the provider's is ${{self.{attribute}}}.\""
                    )),
                ),
            ],
        );
        Item::block("data", &[kind, "current"], vec![Item::block("lifecycle", &[], vec![condition])])
    };
    let mut locals = vec![
        Item::attribute("account_id", Expr::raw("var.account_id")),
        Item::attribute("region", Expr::raw("var.region")),
        Item::attribute("registry", Expr::raw(format!("\"{host}\""))),
    ];
    if module.common.is_some() {
        let more = "{ for name, value in { project = var.project, environment = var.environment } : name => value if value != \"\" }";
        locals.push(Item::attribute("tags", Expr::raw(format!("merge(var.tags, {more})"))));
    }
    vec![
        Item::block("locals", &[], locals),
        Item::Comment(
            "What is below names this account and Region: a provider of another one stops here.".to_owned(),
        ),
        guard("aws_caller_identity", "account_id", "account_id", "account"),
        guard("aws_region", "region", "region", "Region"),
    ]
}

fn key(module: &Module<'_>, key: &Key) -> Vec<Item> {
    let id = module.keys.of(&key.alias);
    vec![
        Item::block(
            "resource",
            &["aws_kms_key", &id],
            vec![
                Item::attribute("description", Expr::text(&key.description)),
                Item::attribute("enable_key_rotation", Expr::raw("true")),
                Item::attribute("deletion_window_in_days", Expr::raw("var.key_deletion_window_days")),
                Item::attribute("policy", module.json(&key.policy)),
                Item::attribute("tags", module.tags(&key.tags)),
            ],
        ),
        Item::block(
            "resource",
            &["aws_kms_alias", &id],
            vec![
                Item::attribute("name", Expr::text(format!("alias/{}", key.alias))),
                Item::attribute("target_key_id", Expr::raw(format!("aws_kms_key.{id}.key_id"))),
            ],
        ),
    ]
}

fn role(module: &Module<'_>, role: &Role) -> Vec<Item> {
    let id = module.roles.of(&role.name);
    vec![Item::block(
        "resource",
        &["aws_iam_role", &id],
        vec![
            Item::attribute("name", Expr::text(&role.name)),
            Item::attribute("description", Expr::text(&role.description)),
            Item::attribute("assume_role_policy", module.json(&role.trust)),
            Item::attribute("tags", module.tags(&role.tags)),
        ],
    )]
}

fn policy(module: &Module<'_>, policy: &Policy) -> Vec<Item> {
    let id = module.policies.of(&policy.name);
    let mut items = vec![Item::block(
        "resource",
        &["aws_iam_policy", &id],
        vec![
            Item::attribute("name", Expr::text(&policy.name)),
            Item::attribute("description", Expr::text(&policy.description)),
            Item::attribute("policy", module.json(&policy.document)),
            Item::attribute("tags", module.tags(&policy.tags)),
        ],
    )];
    if policy.attach_to.is_empty() {
        return items;
    }
    // By name, so that one role more or less leaves the others alone.
    let role = |name: &String| {
        let made = || Expr::raw(format!("aws_iam_role.{}.name", module.roles.of(name)));
        (name.clone(), if module.has_role(name) { made() } else { Expr::text(name) })
    };
    items.push(Item::block(
        "resource",
        &["aws_iam_role_policy_attachment", &id],
        vec![
            Item::attribute("for_each", Expr::Object(policy.attach_to.iter().map(role).collect())),
            Item::Blank,
            Item::attribute("role", Expr::raw("each.value")),
            Item::attribute("policy_arn", Expr::raw(format!("aws_iam_policy.{id}.arn"))),
        ],
    ));
    items
}

fn template(module: &Module<'_>, template: &Template) -> Item {
    let applied_for = template.applied_for.iter().map(Expr::text).collect();
    let mut body = vec![
        Item::attribute("prefix", Expr::text(&template.prefix)),
        Item::attribute("description", Expr::text(&template.description)),
        Item::attribute("applied_for", Expr::List(applied_for)),
        mutability(&template.mutability),
    ];
    if let Some(role) = &template.custom_role {
        body.push(Item::attribute("custom_role_arn", module.text(&role.to_string())));
    }
    if let Some(lifecycle) = &template.lifecycle {
        body.push(Item::attribute("lifecycle_policy", module.json(lifecycle)));
    }
    if let Some(policy) = &template.policy {
        body.push(Item::attribute("repository_policy", module.json(policy)));
    }
    if !template.tags.is_empty() {
        body.push(Item::attribute("resource_tags", object(&template.tags)));
    }
    body.extend(exclusions(&template.mutability));
    body.extend(cipher(module, &template.cipher));
    let id = module.templates.of(&template.prefix);
    Item::block("resource", &["aws_ecr_repository_creation_template", &id], body)
}

fn rule(module: &Module<'_>, rule: &Rule) -> Item {
    let mut body = vec![
        Item::attribute("ecr_repository_prefix", Expr::text(&rule.prefix)),
        Item::attribute("upstream_registry_url", Expr::text(&rule.upstream_url)),
    ];
    if rule.upstream_prefix != "ROOT" {
        body.push(Item::attribute("upstream_repository_prefix", Expr::text(&rule.upstream_prefix)));
    }
    let mut before = Vec::new();
    match &rule.credential {
        Some(Ref::Made(name)) => {
            let id = module.secret(name).unwrap_or_default();
            let arn = Expr::raw(format!("aws_secretsmanager_secret.{id}.arn"));
            body.push(Item::attribute("credential_arn", arn));
            // ECR refuses a rule whose secret it cannot read.
            before.push(format!("aws_secretsmanager_secret_version.{id}"));
        }
        Some(Ref::Given(arn)) => body.push(Item::attribute("credential_arn", module.text(&arn.to_string()))),
        None => {}
    }
    if let Some(role) = &rule.custom_role {
        body.push(Item::attribute("custom_role_arn", module.text(&role.to_string())));
    }
    before.extend(
        templates_of(module.desired, rule)
            .map(|prefix| format!("aws_ecr_repository_creation_template.{}", module.templates.of(prefix))),
    );
    body.extend(depends_on(before));
    let id = module.rules.of(&rule.prefix);
    Item::block("resource", &["aws_ecr_pull_through_cache_rule", &id], body)
}

fn repository(module: &Module<'_>, repository: &Repository) -> Vec<Item> {
    let id = module.repositories.of(&repository.name);
    let mut body = vec![
        Item::attribute("name", Expr::text(&repository.name)),
        mutability(&repository.mutability),
        Item::attribute("force_delete", Expr::raw(repository.force_delete.to_string())),
        Item::attribute("tags", module.tags(&repository.tags)),
    ];
    body.extend(exclusions(&repository.mutability));
    body.extend(cipher(module, &repository.cipher));
    body.push(Item::block(
        "image_scanning_configuration",
        &[],
        vec![Item::attribute("scan_on_push", Expr::raw(repository.scan_on_push.to_string()))],
    ));
    let mut items = vec![Item::block("resource", &["aws_ecr_repository", &id], body)];
    let documents = [
        ("aws_ecr_lifecycle_policy", &repository.lifecycle),
        ("aws_ecr_repository_policy", &repository.policy),
    ];
    for (kind, document) in documents {
        let Some(document) = document else { continue };
        items.push(Item::block(
            "resource",
            &[kind, &id],
            vec![
                Item::attribute("repository", Expr::raw(format!("aws_ecr_repository.{id}.name"))),
                Item::attribute("policy", module.json(document)),
            ],
        ));
    }
    items
}

fn mutability(mutability: &Mutability) -> Item {
    Item::attribute("image_tag_mutability", Expr::text(mutability.setting.id()))
}

fn exclusions(mutability: &Mutability) -> impl Iterator<Item = Item> {
    mutability.except.iter().map(|pattern| {
        Item::block(
            "image_tag_mutability_exclusion_filter",
            &[],
            vec![
                Item::attribute("filter", Expr::text(pattern)),
                Item::attribute("filter_type", Expr::text("WILDCARD")),
            ],
        )
    })
}

fn cipher(module: &Module<'_>, cipher: &Cipher) -> Option<Item> {
    let Cipher::Kms(key) = cipher else { return None };
    let mut body = vec![Item::attribute("encryption_type", Expr::text("KMS"))];
    if let Some(key) = key {
        body.push(Item::attribute("kms_key", module.key_arn(key)));
    }
    Some(Item::block("encryption_configuration", &[], body))
}
