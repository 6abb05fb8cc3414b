//! `tests/` and `examples/`: the module's own test, which needs no account, and a root module that calls it.

use super::Module;
use super::variables::without_default;
use crate::export::hcl::{Expr, Item};
use crate::export::identifiers::Login;

/// A test with a provider that Terraform makes up.
pub(super) fn items(module: &Module<'_>) -> Vec<Item> {
    let registry = &module.desired.registry;
    let (account, region) = (registry.account.as_str(), registry.region.as_str());
    let data = |kind: &str, attribute: &str, value: &str| {
        let values = Expr::Object(vec![(attribute.to_owned(), Expr::text(value))]);
        Item::block("mock_data", &[kind], vec![Item::attribute("defaults", values)])
    };
    let mut items = vec![Item::block(
        "mock_provider",
        &["aws"],
        vec![data("aws_caller_identity", "account_id", account), data("aws_region", "region", region)],
    )];
    let given = without_default(module);
    if !given.is_empty() {
        let values = given.iter().map(|name| Item::attribute(name, Expr::text("for a test")));
        items.push(Item::block("variables", &[], values.collect()));
    }
    let mut asserted = vec![Item::attribute("command", Expr::raw("plan"))];
    asserted.push(assert("ecr_registry_url", &registry.host().to_string()));
    asserted.push(assert("registry_id", account));
    for rule in &module.desired.rules {
        asserted.push(assert(&format!("{}_prefix", module.names.rules.of(&rule.prefix)), &rule.prefix));
    }
    items.push(Item::block("run", &["plans"], asserted));
    items.push(refuses_other_account());
    items.push(takes_other_registry(module));
    items.push(refuses_no_account());
    for (id, login) in &module.names.logins {
        if matches!(login, Login::Made(secret) if secret.upstream == "ghcr.io") {
            items.push(refuses_fine_grained(id));
        }
    }
    items
}

fn assert(output: &str, value: &str) -> Item {
    let condition = Expr::raw(format!("output.{output} == \"{value}\""));
    let message = Expr::text(format!("{output} is not {value}"));
    let body = vec![Item::attribute("condition", condition), Item::attribute("error_message", message)];
    Item::block("assert", &[], body)
}

fn refuses_other_account() -> Item {
    let values = Expr::Object(vec![("account_id".to_owned(), Expr::text("000000000000"))]);
    let other = vec![
        Item::attribute("target", Expr::raw("data.aws_caller_identity.current")),
        Item::attribute("values", values),
    ];
    Item::block(
        "run",
        &["refuses_another_account"],
        vec![
            Item::attribute("command", Expr::raw("plan")),
            Item::block("override_data", &[], other),
            Item::attribute(
                "expect_failures",
                Expr::List(vec![Expr::raw("data.aws_caller_identity.current")]),
            ),
        ],
    )
}

/// The same module in another account and Region, with a provider of those.
fn takes_other_registry(module: &Module<'_>) -> Item {
    let registry = &module.desired.registry;
    let (account, region) = ("000000000000", "eu-west-1");
    let data = |kind: &str, attribute: &str, value: &str| {
        let values = Expr::Object(vec![(attribute.to_owned(), Expr::text(value))]);
        Item::block(
            "override_data",
            &[],
            vec![
                Item::attribute("target", Expr::raw(format!("data.{kind}.current"))),
                Item::attribute("values", values),
            ],
        )
    };
    let given = vec![
        Item::attribute("account_id", Expr::text(account)),
        Item::attribute("region", Expr::text(region)),
    ];
    let host = registry.host().to_string().replace(registry.account.as_str(), account);
    Item::block(
        "run",
        &["takes_another_account_and_region"],
        vec![
            Item::attribute("command", Expr::raw("plan")),
            Item::block("variables", &[], given),
            data("aws_caller_identity", "account_id", account),
            data("aws_region", "region", region),
            assert("ecr_registry_url", &host.replace(registry.region.as_str(), region)),
        ],
    )
}

fn refuses_no_account() -> Item {
    Item::block(
        "run",
        &["refuses_what_is_no_account"],
        vec![
            Item::attribute("command", Expr::raw("plan")),
            Item::block("variables", &[], vec![Item::attribute("account_id", Expr::text("12"))]),
            Item::attribute("expect_failures", Expr::List(vec![Expr::raw("var.account_id")])),
        ],
    )
}

fn refuses_fine_grained(id: &str) -> Item {
    let token = format!("{id}_token");
    let given = vec![Item::attribute(&token, Expr::text("github_pat_for_a_test"))];
    Item::block(
        "run",
        &[&format!("refuses_a_fine_grained_{token}")],
        vec![
            Item::attribute("command", Expr::raw("plan")),
            Item::block("variables", &[], given),
            Item::attribute("expect_failures", Expr::List(vec![Expr::raw(format!("var.{token}"))])),
        ],
    )
}

/// A root module: a provider of the right Region, and what has no default. The module itself refuses another account.
pub(super) fn example(module: &Module<'_>) -> Vec<Item> {
    let registry = &module.desired.registry;
    let mut items = vec![Item::block(
        "provider",
        &["aws"],
        vec![Item::attribute("region", Expr::text(registry.region.as_str()))],
    )];
    let given = without_default(module);
    for name in &given {
        let mut body = vec![
            Item::attribute("description", Expr::text(format!("See {name} of the module."))),
            Item::attribute("type", Expr::raw("string")),
        ];
        if name.ends_with("_token") {
            body.push(Item::attribute("sensitive", Expr::raw("true")));
            body.push(Item::attribute("ephemeral", Expr::raw("true")));
        }
        items.push(Item::block("variable", &[name], body));
    }
    let mut call = vec![Item::attribute("source", Expr::text("../.."))];
    if !given.is_empty() {
        call.push(Item::Blank);
        call.extend(given.iter().map(|name| Item::attribute(name, Expr::raw(format!("var.{name}")))));
    }
    items.push(Item::block("module", &["ecr"], call));
    let login = "docker_login_command";
    let value = Item::attribute("value", Expr::raw(format!("module.ecr.{login}")));
    let body = vec![Item::attribute("description", Expr::text("Logs Docker in at the registry.")), value];
    items.push(Item::block("output", &[login], body));
    items
}
