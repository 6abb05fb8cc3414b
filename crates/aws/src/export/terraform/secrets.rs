//! `secrets.tf`: the logins at upstreams, each with its value by a write-only argument.

use super::{Module, waivers};
use crate::export::hcl::{Expr, Item};
use crate::export::identifiers::Login;
use crate::resource::Secret;

pub(super) fn items(module: &Module<'_>) -> Vec<Item> {
    let mut items = Vec::new();
    for (id, login) in &module.names.logins {
        match login {
            Login::Made(secret) => items.extend(made(module, id, secret)),
            Login::Given(arn) => items.push(Item::Comment(format!("Looked after elsewhere: {arn}"))),
        }
        items.push(Item::Blank);
    }
    items.pop();
    items
}

fn made(module: &Module<'_>, id: &str, secret: &Secret) -> [Item; 4] {
    let value = Expr::Object(vec![
        ("username".to_owned(), Expr::raw(format!("var.{id}_username"))),
        ("accessToken".to_owned(), Expr::raw(format!("var.{id}_token"))),
    ]);
    let description = format!("login at {} for Amazon ECR's pull through cache", secret.upstream);
    [
        Item::Comment(waivers::SECRET_KEY.to_owned()),
        Item::block(
            "resource",
            &["aws_secretsmanager_secret", id],
            vec![
                Item::Comment(waivers::SECRET.to_owned()),
                Item::attribute("name", Expr::text(&secret.name)),
                Item::attribute("description", Expr::text(description)),
                Item::attribute(
                    "recovery_window_in_days",
                    Expr::raw(format!("var.{id}_recovery_window_days")),
                ),
                Item::attribute("tags", module.tags(&secret.tags)),
            ],
        ),
        Item::Comment(
            "Write-only: the token is in no plan and no state. A higher version writes it again.".to_owned(),
        ),
        Item::block(
            "resource",
            &["aws_secretsmanager_secret_version", id],
            vec![
                Item::attribute("secret_id", Expr::raw(format!("aws_secretsmanager_secret.{id}.id"))),
                Item::attribute("secret_string_wo_version", Expr::raw(format!("var.{id}_token_version"))),
                Item::attribute("secret_string_wo", Expr::Call("jsonencode", vec![value])),
            ],
        ),
    ]
}
