//! `outputs.tf`: what other modules and pipelines need.

use super::Module;
use crate::export::credentials::Login;
use crate::export::hcl::{Expr, Item};

pub(super) fn items(module: &Module<'_>) -> Vec<Item> {
    let mut items =
        vec![output("ecr_registry_url", "Host that images are pulled from.", Expr::raw("local.registry"))];
    for rule in &module.desired.rules {
        let id = module.rules.of(&rule.prefix);
        let value = Expr::raw(format!("aws_ecr_pull_through_cache_rule.{id}.ecr_repository_prefix"));
        let description = format!("Prefix of {} at the registry; ROOT for none.", rule.upstream_url);
        items.push(output(&format!("{id}_prefix"), &description, value));
    }
    for (id, login) in &module.logins {
        let (value, what) = match login {
            Login::Made(secret) => {
                (Expr::raw(format!("aws_secretsmanager_secret.{id}.arn")), secret.name.clone())
            }
            Login::Given(arn) => {
                (Expr::text(arn.to_string()), arn.secret_name().unwrap_or_default().to_owned())
            }
        };
        items.push(output(
            &format!("{id}_credential_secret_arn"),
            &format!("ARN of the secret {what}."),
            value,
        ));
    }
    let of_each = |attribute: &str| {
        let of = |name: &String| {
            let id = module.repositories.of(name);
            (name.clone(), Expr::raw(format!("aws_ecr_repository.{id}.{attribute}")))
        };
        Expr::Object(module.desired.repositories.iter().map(|repository| of(&repository.name)).collect())
    };
    items.push(output(
        "repository_urls",
        "Where images are pushed to, by name of the repository.",
        of_each("repository_url"),
    ));
    items.push(output("repository_arns", "ARNs by name of the repository.", of_each("arn")));
    let login = "\"aws ecr get-login-password --region ${local.region} | docker login --username AWS --password-stdin ${local.registry}\"";
    items.push(output(
        "docker_login_command",
        "Logs Docker in at the registry, for 12 hours.",
        Expr::raw(login),
    ));
    items
}

fn output(name: &str, description: &str, value: Expr) -> Item {
    let body = vec![Item::attribute("description", Expr::text(description)), Item::attribute("value", value)];
    Item::block("output", &[name], body)
}
