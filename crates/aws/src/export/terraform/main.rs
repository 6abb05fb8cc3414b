//! `main.tf`: the guard, keys, roles, policies, templates, rules and repositories.

use serde_json::Value;

use super::table::{Cell, Table};
use super::{Module, depends_on, object, waivers};
use crate::export::hcl::{Expr, Item};
use crate::export::templates_of;
use crate::resource::{Cipher, Key, Mutability, Policy, Ref, Repository, Role, Rule, Template};

pub(super) fn items(module: &Module<'_>) -> Vec<Item> {
    let desired = module.desired;
    let mut items = head(module);
    desired.keys.iter().for_each(|key| items.extend(self::key(module, key)));
    desired.roles.iter().for_each(|role| items.extend(self::role(module, role)));
    desired.policies.iter().for_each(|policy| items.extend(self::policy(module, policy)));
    items.extend(templates(module));
    items.extend(desired.rules.iter().map(|rule| self::rule(module, rule)));
    items.extend(repositories(module));
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
    let id = module.names.keys.of(&key.alias);
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
    let id = module.names.roles.of(&role.name);
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
    let id = module.names.policies.of(&policy.name);
    let mut items = Vec::new();
    if waivers::passes_a_role(&policy.document) {
        items.push(Item::Comment(waivers::PASS_ROLE.to_owned()));
    }
    items.push(Item::block(
        "resource",
        &["aws_iam_policy", &id],
        vec![
            Item::attribute("name", Expr::text(&policy.name)),
            Item::attribute("description", Expr::text(&policy.description)),
            Item::attribute("policy", module.json(&policy.document)),
            Item::attribute("tags", module.tags(&policy.tags)),
        ],
    ));
    if policy.attach_to.is_empty() {
        return items;
    }
    // By name, so that one role more or less leaves the others alone.
    let role = |name: &String| {
        let made = || Expr::raw(format!("aws_iam_role.{}.name", module.names.roles.of(name)));
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

/// What is said above a table that has keys.
const KEYS: &str = "kms_keys: the key that encrypts it, null for the one that AWS manages; none for AES-256.";

fn templates(module: &Module<'_>) -> Vec<Item> {
    let all = &module.desired.templates;
    if all.is_empty() {
        return Vec::new();
    }
    let cells = |template: &Template| {
        let tags = Some(&template.tags).filter(|tags| !tags.is_empty());
        vec![
            Cell::of("description", Expr::text(&template.description)),
            Cell::of("applied_for", Expr::List(template.applied_for.iter().map(Expr::text).collect())),
            Cell::of("image_tag_mutability", Expr::text(template.mutability.setting.id())),
            exclusions(&template.mutability),
            Cell::optional(
                "custom_role_arn",
                template.custom_role.as_ref().map(|role| module.text(&role.to_string())),
            ),
            kms_keys(module, &template.cipher),
            Cell::optional("resource_tags", tags.map(object)),
            Cell::optional(
                "lifecycle_policy",
                template.lifecycle.as_ref().map(|document| module.json(document)),
            ),
            Cell::optional(
                "repository_policy",
                template.policy.as_ref().map(|document| module.json(document)),
            ),
        ]
    };
    let entries = all.iter().map(|template| (template.prefix.clone(), cells(template)));
    let table = Table::new("templates", entries.collect());
    let mut body: Vec<Item> = table.for_each().into();
    body.push(Item::attribute("prefix", Expr::raw("each.key")));
    let arguments = [
        "description",
        "applied_for",
        "image_tag_mutability",
        "custom_role_arn",
        "lifecycle_policy",
        "repository_policy",
        "resource_tags",
    ];
    body.extend(arguments.into_iter().filter_map(|name| table.argument(name)));
    body.extend(blocks(&table));
    vec![
        Item::Comment(format!("Settings of repositories that ECR makes, by prefix.\n{KEYS}")),
        Item::block("locals", &[], vec![table.local()]),
        Item::block("resource", &["aws_ecr_repository_creation_template", "this"], body),
    ]
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
            let id = module.names.secret(name);
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
    // What it makes in the meantime would have no settings.
    if templates_of(module.desired, rule).next().is_some() {
        before.push("aws_ecr_repository_creation_template.this".to_owned());
    }
    body.extend(depends_on(before));
    let id = module.names.rules.of(&rule.prefix);
    Item::block("resource", &["aws_ecr_pull_through_cache_rule", &id], body)
}

fn repositories(module: &Module<'_>) -> Vec<Item> {
    let all = &module.desired.repositories;
    if all.is_empty() {
        return Vec::new();
    }
    let cells = |repository: &Repository| {
        vec![
            Cell::of("image_tag_mutability", Expr::text(repository.mutability.setting.id())),
            exclusions(&repository.mutability),
            Cell::of("force_delete", Expr::raw(repository.force_delete.to_string())),
            Cell::of("scan_on_push", Expr::raw(repository.scan_on_push.to_string())),
            kms_keys(module, &repository.cipher),
            Cell::of("tags", module.tags(&repository.tags)),
        ]
    };
    let entries = all.iter().map(|repository| (repository.name.clone(), cells(repository)));
    let table = Table::new("repositories", entries.collect());
    let documents = |of: fn(&Repository) -> &Option<Value>| {
        let with =
            all.iter().filter_map(|repository| Some((repository.name.clone(), of(repository).as_ref()?)));
        with.map(|(name, document)| (name, module.json(document))).collect::<Vec<_>>()
    };
    let lifecycles = documents(|repository| &repository.lifecycle);
    let policies = documents(|repository| &repository.policy);
    let mut body: Vec<Item> = table.for_each().into();
    body.push(Item::attribute("name", Expr::raw("each.key")));
    let arguments = ["image_tag_mutability", "force_delete", "tags"];
    body.extend(arguments.into_iter().filter_map(|name| table.argument(name)));
    body.extend(blocks(&table));
    body.push(Item::block(
        "image_scanning_configuration",
        &[],
        vec![Item::attribute("scan_on_push", Expr::raw("each.value.scan_on_push"))],
    ));
    let mut items = vec![
        Item::Comment(format!("Repositories of one's own, by name.\n{KEYS}")),
        Item::block("locals", &[], vec![table.local()]),
        Item::block("resource", &["aws_ecr_repository", "this"], body),
    ];
    let for_organization =
        waivers::is_for_an_organization(all.iter().filter_map(|repository| repository.policy.as_ref()));
    let waiver = for_organization.then(|| Item::Comment(waivers::ORGANIZATION.to_owned()));
    items.extend(of_repositories("aws_ecr_lifecycle_policy", "lifecycle_policies", lifecycles, None));
    items.extend(of_repositories("aws_ecr_repository_policy", "repository_policies", policies, waiver));
    items
}

/// A document that some repositories have, with what scanners are not to find.
fn of_repositories(
    kind: &str,
    local: &str,
    documents: Vec<(String, Expr)>,
    waiver: Option<Item>,
) -> Vec<Item> {
    if documents.is_empty() {
        return Vec::new();
    }
    let body = vec![
        Item::attribute("for_each", Expr::raw(format!("local.{local}"))),
        Item::Blank,
        Item::attribute("repository", Expr::raw("aws_ecr_repository.this[each.key].name")),
        Item::attribute("policy", Expr::raw("each.value")),
    ];
    let mut items = vec![Item::block("locals", &[], vec![Item::attribute(local, Expr::Object(documents))])];
    items.extend(waiver);
    items.push(Item::block("resource", &[kind, "this"], body));
    items
}

/// Tags that may move all the same.
fn exclusions(mutability: &Mutability) -> Cell {
    Cell::list("mutability_exclusions", mutability.except.iter().map(Expr::text).collect())
}

fn kms_keys(module: &Module<'_>, cipher: &Cipher) -> Cell {
    let keys = match cipher {
        Cipher::Kms(Some(key)) => vec![module.key_arn(key)],
        Cipher::Kms(None) => vec![Expr::raw("null")],
        _ => Vec::new(),
    };
    Cell::list("kms_keys", keys)
}

/// Those of templates and of repositories.
fn blocks(table: &Table) -> impl Iterator<Item = Item> {
    let filter = "image_tag_mutability_exclusion_filter";
    let cipher = "encryption_configuration";
    let of_filter = vec![
        Item::attribute("filter", Expr::raw(format!("{filter}.value"))),
        Item::attribute("filter_type", Expr::text("WILDCARD")),
    ];
    let of_cipher = vec![
        Item::attribute("encryption_type", Expr::text("KMS")),
        Item::attribute("kms_key", Expr::raw(format!("{cipher}.value"))),
    ];
    let both = [
        table.blocks("mutability_exclusions", filter, of_filter),
        table.blocks("kms_keys", cipher, of_cipher),
    ];
    both.into_iter().flatten()
}
