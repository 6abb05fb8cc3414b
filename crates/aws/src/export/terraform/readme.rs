//! `README.md` of the module: how it is used, what it takes over, what it leaves.

use super::variables::Fact;
use super::{HEADER, Module, outputs, variables};
use crate::export::identifiers::{Login, token_kind};
use crate::resource::Secret;

pub(super) fn text(module: &Module<'_>) -> String {
    let registry = &module.desired.registry;
    let sections = [
        format!("<!-- {HEADER} -->"),
        "# Amazon ECR pull through cache".to_owned(),
        format!(
            "The registry `{}` as `pullthru.yaml` wants it.\nAccount {} and Region {} are the defaults of `account_id` and `region`; a provider of others than those given is refused.",
            registry.host(),
            registry.account,
            registry.region
        ),
        contents(module),
        usage(module),
        tokens(module),
        takes_over(module),
        borders(module),
        inputs(module),
        outputs(module),
        cost(module),
        TROUBLE.to_owned(),
    ];
    let sections: Vec<&str> =
        sections.iter().map(String::as_str).filter(|section| !section.is_empty()).collect();
    sections.join("\n\n") + "\n"
}

fn made<'a>(module: &'a Module<'_>) -> Vec<(&'a str, &'a Secret)> {
    let logins = module.names.logins.iter();
    let made = logins.filter_map(|(id, login)| match login {
        Login::Made(secret) => Some((id.as_str(), *secret)),
        Login::Given(_) => None,
    });
    made.collect()
}

fn contents(module: &Module<'_>) -> String {
    let desired = module.desired;
    let mut lines = Vec::new();
    for rule in &desired.rules {
        lines.push(format!("- rule `{}` for {}", rule.prefix, rule.upstream_url));
    }
    let mut several = |names: Vec<&str>, what: &str| {
        if !names.is_empty() {
            let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
            lines.push(format!("- {what} {}", names.join(", ")));
        }
    };
    several(desired.templates.iter().map(|template| template.prefix.as_str()).collect(), "templates");
    several(desired.secrets.iter().map(|secret| secret.name.as_str()).collect(), "secrets");
    several(desired.repositories.iter().map(|repository| repository.name.as_str()).collect(), "repositories");
    several(desired.keys.iter().map(|key| key.alias.as_str()).collect(), "keys");
    several(desired.roles.iter().map(|role| role.name.as_str()).collect(), "roles");
    several(desired.policies.iter().map(|policy| policy.name.as_str()).collect(), "policies");
    format!("It makes:\n\n{}", lines.join("\n"))
}

fn usage(module: &Module<'_>) -> String {
    let mut lines = vec![("source", "\"./modules/ecr\"".to_owned())];
    let names: Vec<(String, String)> = made(module)
        .iter()
        .flat_map(|(id, secret)| {
            let username = secret.username.is_none().then(|| (format!("{id}_username"), "\"…\"".to_owned()));
            username.into_iter().chain([(format!("{id}_token"), format!("var.{id}_token"))])
        })
        .collect();
    lines.extend(names.iter().map(|(name, value)| (name.as_str(), value.clone())));
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let source: String = lines.iter().take(1).map(|(name, value)| format!("  {name} = {value}\n")).collect();
    let others: String =
        lines.iter().skip(1).map(|(name, value)| format!("  {name:width$} = {value}\n")).collect();
    let apart = if others.is_empty() { "" } else { "\n" };
    format!("## Use\n\n```hcl\nmodule \"ecr\" {{\n{source}{apart}{others}}}\n```")
}

/// A cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn inputs(module: &Module<'_>) -> String {
    let items = variables::items(module);
    let row = |variable: Fact<'_>| {
        let default = match &variable.default {
            None => "has to be given".to_owned(),
            Some(default) if default.contains('\n') => "see variables.tf".to_owned(),
            Some(default) => format!("`{}`", cell(default)),
        };
        format!("| `{}` | {} | {default} | {} |", variable.name, variable.kind, cell(variable.description))
    };
    let rows: Vec<String> = items.iter().filter_map(Fact::of).map(row).collect();
    if rows.is_empty() {
        return String::new();
    }
    format!("## Inputs\n\n| name | type | default | |\n|---|---|---|---|\n{}", rows.join("\n"))
}

fn outputs(module: &Module<'_>) -> String {
    let items = outputs::items(module);
    let row = |output: Fact<'_>| format!("| `{}` | {} |", output.name, cell(output.description));
    let rows: Vec<String> = items.iter().filter_map(Fact::of).map(row).collect();
    format!("## Outputs\n\n| name | |\n|---|---|\n{}", rows.join("\n"))
}

/// What is billed for what the module makes; `pullthru cost` has the numbers.
fn cost(module: &Module<'_>) -> String {
    let desired = module.desired;
    let mut rows =
        vec!["| storage | a GB and month, compressed, of every platform of an image, until it expires |"];
    if !desired.secrets.is_empty() {
        rows.push("| secrets | each a month, and 10,000 reads |");
    }
    if desired.scanning.as_ref().is_some_and(|scanning| scanning.kind == "ENHANCED") {
        rows.push("| enhanced scanning | the first scan of each image, and each scan after it |");
    }
    if !desired.replication.is_empty() {
        rows.push("| replication | traffic between Regions, and storage there |");
    }
    if !desired.keys.is_empty() {
        rows.push("| keys | each a month, and requests |");
    }
    format!(
        "## Cost\n\nRules, templates and pulls in the same Region cost nothing. `pullthru cost` estimates the rest:\n\n| | for |\n|---|---|\n{}",
        rows.join("\n")
    )
}

const TROUBLE: &str = "## When something fails

| what is seen | what it is |
|---|---|
| `The module is for account …` | the provider is one of another account or Region |
| `SecretNotFoundException` in the first apply | the secret is not seen everywhere yet: apply again |
| a pull: 403, `The authentication to the upstream registry failed` | the token; for Docker Hub also a path without `library/` |
| a pull: 404, `requested image not found` | who pulls may not `ecr:BatchImportUpstreamImage` |
| a pull: 404, `repository … does not exist` | who pulls may not `ecr:CreateRepository` |
| repositories without tags or lifecycle policy | they were there before their template |

`pullthru doctor IMAGE --node-role ROLE` looks at all of it. What checkov and trivy find and ECR leaves no choice about is
waived in the files, each with its reason. `terraform test` runs `tests/` without an account.";

fn tokens(module: &Module<'_>) -> String {
    let made = made(module);
    if made.is_empty() {
        return String::new();
    }
    let mut lines = Vec::new();
    for (id, secret) in &made {
        lines.push(format!(
            "- `{id}_token`, for {}: {}; written to `{}`",
            secret.upstream,
            token_kind(&secret.upstream),
            secret.name
        ));
    }
    format!(
        "## Tokens

Tokens are `ephemeral` variables that go into write-only arguments: they are in no file, plan or state. A variable of
your own that passes one on has to be `ephemeral` too; `TF_VAR_…` in the environment sets it, at each plan and apply.

{}

A new token is written when `…_token_version` is raised; the rule stays as it is.",
        lines.join("\n")
    )
}

fn takes_over(module: &Module<'_>) -> String {
    let desired = module.desired;
    let mut whole = Vec::new();
    if desired.scanning.is_some() {
        whole.push("- `aws_ecr_registry_scanning_configuration`");
    }
    if !desired.statements.is_empty() {
        whole.push("- `aws_ecr_registry_policy`");
    }
    if !desired.replication.is_empty() {
        whole.push("- `aws_ecr_replication_configuration`");
    }
    if whole.is_empty() {
        return String::new();
    }
    format!(
        "## What it takes over

A registry has one of each of these, in an account and Region:

{}

Terraform owns the whole of them. What other teams, modules or the console set there is overwritten by the first apply
and gone after a destroy; there is no merging. Look at what is there first (`pullthru provision plan` shows it), add
it to `pullthru.yaml`, and let nothing else set them.",
        whole.join("\n")
    )
}

fn borders(module: &Module<'_>) -> String {
    let desired = module.desired;
    let mut lines = vec![
        "- Rules can be changed in place in their secret and role only. Another upstream or prefix makes a rule anew; what\n  is cached is kept."
            .to_owned(),
        "- Templates are for repositories that ECR makes from now on. Repositories that exist are not changed."
            .to_owned(),
        "- Repositories that ECR has made for the cache are not Terraform's: a destroy keeps them."
            .to_owned(),
    ];
    if desired.roles.iter().any(|role| role.trust.to_string().contains("oidc-provider/")) {
        lines.push(
            "- The account's OpenID Connect provider `token.actions.githubusercontent.com` has to exist; an account has one."
                .to_owned(),
        );
    }
    let others: Vec<&str> = desired
        .scope
        .regions
        .iter()
        .filter(|region| **region != desired.registry.region)
        .map(|region| region.as_str())
        .collect();
    if !others.is_empty() {
        lines.push(format!(
            "- {} {} a module of their own, with a provider of that Region: `pullthru provision export terraform --for REGION`.",
            others.join(", "),
            if others.len() == 1 { "has" } else { "have" }
        ));
    }
    lines.push(
        "- What this module makes carries no name of a stack of pullthru: `pullthru provision apply` and `destroy` do not\n  change it."
            .to_owned(),
    );
    format!("## What it does not change\n\n{}", lines.join("\n"))
}
