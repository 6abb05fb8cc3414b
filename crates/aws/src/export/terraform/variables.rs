//! `variables.tf`.

use super::{HEADER, Module, object};
use crate::export::hcl::{Expr, Item};
use crate::export::identifiers::{Login, token_kind};
use crate::resource::Secret;

pub(super) fn items(module: &Module<'_>) -> Vec<Item> {
    let mut items = place(module);
    for (id, login) in &module.names.logins {
        if let Login::Made(secret) = login {
            items.extend(of_secret(id, secret));
        }
    }
    if !module.desired.keys.is_empty() {
        items.push(days(
            "key_deletion_window_days",
            "Days in which a deleted key can be restored.",
            "30",
            false,
        ));
    }
    if let Some(common) = &module.common {
        items.extend(["project", "environment"].map(named_tag));
        items.push(variable(
            "tags",
            "Tags of everything that AWS can tag.",
            vec![
                Item::attribute("type", Expr::raw("map(string)")),
                Item::attribute("default", object(common)),
            ],
            &[(
                "alltrue([for name in keys(var.tags) : length(name) <= 128 && !startswith(lower(name), \"aws:\")])",
                "A tag's name has 128 characters at most, and does not begin with aws:.",
            )],
        ));
    }
    items
}

/// Names of the variables that have to be given.
pub(super) fn without_default(module: &Module<'_>) -> Vec<String> {
    let items = items(module);
    let all = items.iter().filter_map(Fact::of).filter(|variable| variable.default.is_none());
    all.map(|variable| variable.name.to_owned()).collect()
}

/// `terraform.tfvars.example`: each variable with what it is for; those with a default are comments.
pub(super) fn example(module: &Module<'_>) -> String {
    let mut text = format!(
        "# {HEADER}\n#\n# Copy it to terraform.tfvars of your root module. Tokens are given by TF_VAR_… in the environment, and never written here.\n"
    );
    for variable in items(module).iter().filter_map(Fact::of).filter(|variable| !variable.is_secret) {
        let value = match &variable.default {
            Some(default) => format!("{} = {default}", variable.name).replace('\n', "\n# "),
            None => format!("{} = \"…\"", variable.name),
        };
        let start = if variable.default.is_some() { "# " } else { "" };
        text.push_str(&format!("\n# {}\n{start}{value}\n", variable.description));
    }
    text
}

/// What the README and the example say of a variable or an output.
pub(super) struct Fact<'a> {
    pub(super) name: &'a str,
    pub(super) description: &'a str,
    /// Printed; `None` where it has to be given.
    pub(super) default: Option<String>,
    pub(super) kind: String,
    pub(super) is_secret: bool,
}

impl<'a> Fact<'a> {
    pub(super) fn of(item: &'a Item) -> Option<Fact<'a>> {
        let Item::Block { labels, body, .. } = item else { return None };
        let value = |wanted: &str| {
            body.iter().find_map(|item| match item {
                Item::Attribute(name, value) if name == wanted => Some(value),
                _ => None,
            })
        };
        let Some(Expr::Text(description)) = value("description") else { return None };
        Some(Fact {
            name: labels.first()?,
            description,
            default: value("default").map(|default| default.print(0)),
            kind: value("type").map(|kind| kind.print(0)).unwrap_or_default(),
            is_secret: value("sensitive").is_some(),
        })
    }
}

/// Account and Region: one module is for several, such as development and production.
fn place(module: &Module<'_>) -> Vec<Item> {
    let registry = &module.desired.registry;
    let text = |name: &str, description: &str, default: &str, check: (&str, &str)| {
        let facts = vec![
            Item::attribute("type", Expr::raw("string")),
            Item::attribute("default", Expr::text(default)),
        ];
        variable(name, description, facts, &[check])
    };
    vec![
        text(
            "account_id",
            "Account of the registry. What is named by ARN has to be there under the same name.",
            registry.account.as_str(),
            ("can(regex(\"^[0-9]{12}$\", var.account_id))", "An account has 12 digits."),
        ),
        text(
            "region",
            "Region of the registry.",
            registry.region.as_str(),
            (
                "can(regex(\"^[a-z]{2,4}(-[a-z]+)+-[0-9]+$\", var.region))",
                "A Region is one such as eu-central-1.",
            ),
        ),
    ]
}

/// A tag that everything gets, if it is given.
fn named_tag(name: &str) -> Item {
    let condition = format!("can(regex(\"^[A-Za-z0-9 _.:/=+@-]{{0,256}}$\", var.{name}))");
    let facts =
        vec![Item::attribute("type", Expr::raw("string")), Item::attribute("default", Expr::text(""))];
    variable(
        name,
        &format!("Value of the tag {name} of everything that AWS can tag; none if it is empty."),
        facts,
        &[(&condition, "A tag has at most 256 letters, digits, spaces and _ . : / = + @ -.")],
    )
}

fn of_secret(id: &str, secret: &Secret) -> Vec<Item> {
    let upstream = &secret.upstream;
    let (username, token, version) =
        (format!("{id}_username"), format!("{id}_token"), format!("{id}_token_version"));
    let string = || Item::attribute("type", Expr::raw("string"));
    let mut of_username = vec![string()];
    if let Some(name) = &secret.username {
        of_username.push(Item::attribute("default", Expr::text(name)));
    }
    let not_empty = format!("length(trimspace(var.{username})) > 0");
    let has_token = format!("length(var.{token}) > 0");
    let is_classic = format!("!startswith(var.{token}, \"github_pat_\")");
    let mut token_checks = vec![(has_token.as_str(), "The token is empty.")];
    if upstream == "ghcr.io" {
        token_checks.push((
            &is_classic,
            "GitHub's fine-grained tokens cannot read packages: make a classic one with the scope read:packages.",
        ));
    }
    let at_least_one = format!("var.{version} >= 1 && floor(var.{version}) == var.{version}");
    vec![
        variable(
            &username,
            &format!(
                "User of the login at {upstream}. It is written with the token: raise {version} with it."
            ),
            of_username,
            &[(&not_empty, "The user's name is empty.")],
        ),
        variable(
            &token,
            &format!("Token of the login at {upstream}: {}. Set it by TF_VAR_{token}.", token_kind(upstream)),
            vec![
                string(),
                Item::attribute("sensitive", Expr::raw("true")),
                Item::attribute("ephemeral", Expr::raw("true")),
                Item::attribute("nullable", Expr::raw("false")),
            ],
            &token_checks,
        ),
        variable(
            &version,
            &format!("Raise it by one to write another token for {upstream}."),
            vec![Item::attribute("type", Expr::raw("number")), Item::attribute("default", Expr::raw("1"))],
            &[(&at_least_one, "The version is a whole number from 1.")],
        ),
        days(
            &format!("{id}_recovery_window_days"),
            "Days in which the deleted secret can be restored; 0 for none.",
            &secret.recovery_window_days.to_string(),
            true,
        ),
    ]
}

/// A waiting period as Secrets Manager and KMS take them.
fn days(name: &str, description: &str, default: &str, or_none: bool) -> Item {
    let range = format!("var.{name} >= 7 && var.{name} <= 30");
    let (condition, message) = if or_none {
        (format!("var.{name} == 0 || ({range})"), "The period is 0, or 7 to 30 days.")
    } else {
        (range, "The period is 7 to 30 days.")
    };
    variable(
        name,
        description,
        vec![Item::attribute("type", Expr::raw("number")), Item::attribute("default", Expr::raw(default))],
        &[(&condition, message)],
    )
}

fn variable(name: &str, description: &str, facts: Vec<Item>, checks: &[(&str, &str)]) -> Item {
    let mut body = vec![Item::attribute("description", Expr::text(description))];
    body.extend(facts);
    for (condition, message) in checks {
        body.push(Item::block(
            "validation",
            &[],
            vec![
                Item::attribute("condition", Expr::raw(*condition)),
                Item::attribute("error_message", Expr::text(*message)),
            ],
        ));
    }
    Item::block("variable", &[name], body)
}
