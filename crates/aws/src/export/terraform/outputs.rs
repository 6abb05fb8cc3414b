//! `outputs.tf`: what other modules and pipelines need.

use super::Module;
use super::table::instance;
use crate::export::hcl::{Expr, Item};
use crate::export::identifiers::Login;
use pullthru_core::config::PolicyKind;

pub(super) fn items(module: &Module<'_>) -> Vec<Item> {
    let mut items = vec![
        output("registry_id", "Account of the registry.", Expr::raw("local.account_id")),
        output("ecr_registry_url", "Host that images are pulled from.", Expr::raw("local.registry")),
    ];
    for rule in &module.desired.rules {
        let id = module.names.rules.of(&rule.prefix);
        let value = Expr::raw(format!("aws_ecr_pull_through_cache_rule.{id}.ecr_repository_prefix"));
        let description = format!("Prefix of {} at the registry; ROOT for none.", rule.upstream_url);
        items.push(output(&format!("{id}_prefix"), &description, value));
    }
    for (id, login) in &module.names.logins {
        let (value, what) = match login {
            Login::Made(secret) => {
                (Expr::raw(format!("aws_secretsmanager_secret.{id}.arn")), secret.name.clone())
            }
            Login::Given(arn) => {
                (module.text(&arn.to_string()), arn.secret_name().unwrap_or_default().to_owned())
            }
        };
        items.push(output(
            &format!("{id}_credential_secret_arn"),
            &format!("ARN of the secret {what}."),
            value,
        ));
    }
    let of_each = |attribute: &str| match module.desired.repositories.as_slice() {
        [] => Expr::Object(Vec::new()),
        _ => Expr::raw(format!(
            "{{ for name, repository in aws_ecr_repository.this : name => repository.{attribute} }}"
        )),
    };
    items.push(output(
        "repository_urls",
        "Where images are pushed to, by name of the repository.",
        of_each("repository_url"),
    ));
    items.push(output("repository_arns", "ARNs by name of the repository.", of_each("arn")));
    items.extend(single(module));
    items.extend(arns(module));
    let login = "\"aws ecr get-login-password --region ${local.region} | docker login --username AWS --password-stdin ${local.registry}\"";
    items.push(output(
        "docker_login_command",
        "Logs Docker in at the registry, for 12 hours.",
        Expr::raw(login),
    ));
    items
}

/// Where there is one repository, what it is called and where it is.
fn single(module: &Module<'_>) -> Vec<Item> {
    let [repository] = module.desired.repositories.as_slice() else { return Vec::new() };
    let one = instance("aws_ecr_repository", &repository.name);
    let of = |attribute: &str| Expr::raw(format!("{one}.{attribute}"));
    vec![
        output("repository_name", "The repository.", of("name")),
        output("repository_url", "Where its images are pushed to.", of("repository_url")),
        output("repository_arn", "ARN of the repository.", of("arn")),
    ]
}

/// Keys, policies and roles that are made; where there is one key, and for the policies that other modules attach, by a
/// name of their own too.
fn arns(module: &Module<'_>) -> Vec<Item> {
    let desired = module.desired;
    let mut items = Vec::new();
    let by_name = |kind: &str, names: Vec<(&str, String)>| {
        let of = |(name, id): (&str, String)| (name.to_owned(), Expr::raw(format!("{kind}.{id}.arn")));
        Expr::Object(names.into_iter().map(of).collect())
    };
    let keys: Vec<(&str, String)> =
        desired.keys.iter().map(|key| (key.alias.as_str(), module.names.keys.of(&key.alias))).collect();
    if let [(_, id)] = keys.as_slice() {
        let arn = Expr::raw(format!("aws_kms_key.{id}.arn"));
        items.push(output("kms_key_arn", "ARN of the key of repositories.", arn));
    }
    if !keys.is_empty() {
        items.push(output("kms_key_arns", "ARNs of keys, by alias.", by_name("aws_kms_key", keys)));
    }
    for (kind, name, what) in [
        (PolicyKind::CiPush, "github_actions_push_policy_arn", "ARN of the policy for pipelines."),
        (PolicyKind::NodePull, "eks_node_pull_policy_arn", "ARN of the policy for nodes."),
    ] {
        if let Some(policy) = desired.policies.iter().find(|policy| policy.kind == kind) {
            let id = module.names.policies.of(&policy.name);
            items.push(output(name, what, Expr::raw(format!("aws_iam_policy.{id}.arn"))));
        }
    }
    let policies = desired.policies.iter();
    let policies: Vec<(&str, String)> =
        policies.map(|policy| (policy.name.as_str(), module.names.policies.of(&policy.name))).collect();
    if !policies.is_empty() {
        items.push(output("policy_arns", "ARNs of policies, by name.", by_name("aws_iam_policy", policies)));
    }
    let roles = desired.roles.iter();
    let roles: Vec<(&str, String)> =
        roles.map(|role| (role.name.as_str(), module.names.roles.of(&role.name))).collect();
    if !roles.is_empty() {
        items.push(output("role_arns", "ARNs of roles, by name.", by_name("aws_iam_role", roles)));
    }
    items
}

fn output(name: &str, description: &str, value: Expr) -> Item {
    let body = vec![Item::attribute("description", Expr::text(description)), Item::attribute("value", value)];
    Item::block("output", &[name], body)
}
