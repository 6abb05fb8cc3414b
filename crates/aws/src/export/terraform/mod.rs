//! A Terraform module. [`Desired`] decides what is in it; variables are for what differs between those who apply it:
//! account and Region, logins, tags, waiting periods.

mod checks;
mod imports;
mod main;
mod outputs;
mod readme;
mod registry;
mod secrets;
mod table;
mod variables;
mod versions;
mod waivers;

use super::hcl::{Expr, Item, print, quoted};
use super::identifiers::{Identifiers, Login};
use super::{File, tags};
use crate::Desired;
use crate::names::Case;
use crate::resource::Ref;
use pullthru_core::config::Tags;
use serde_json::Value;

pub use imports::Existing;

/// What every file begins with; one without it is somebody else's.
const HEADER: &str = "Written by `pullthru provision export terraform`: change pullthru.yaml and export again, edits here are lost.";

/// The files of a module for one Region, in the order in which people read them. `existing` is what is to be imported.
pub fn terraform(desired: &Desired, existing: Option<&Existing>) -> Vec<File> {
    let module = Module::new(desired);
    let file = |name: &str, items: Vec<Item>| {
        let empty = format!("This registry has nothing for {name}.");
        let mut all = vec![Item::Comment(HEADER.to_owned()), Item::Blank];
        if items.is_empty() {
            all.push(Item::Comment(empty));
        }
        all.extend(items);
        File { name: name.to_owned(), text: print(&all), mark: HEADER }
    };
    let imports =
        existing.map(|existing| file("examples/basic/import.tf", imports::items(&module, existing)));
    let files = vec![
        file("versions.tf", versions::items(&module)),
        file("main.tf", main::items(&module)),
        file("secrets.tf", secrets::items(&module)),
        file("registry.tf", registry::items(&module)),
        file("variables.tf", variables::items(&module)),
        file("outputs.tf", outputs::items(&module)),
        file("tests/module.tftest.hcl", checks::items(&module)),
        file("examples/basic/main.tf", checks::example(&module)),
        File { name: "terraform.tfvars.example".to_owned(), text: variables::example(&module), mark: HEADER },
        File { name: "README.md".to_owned(), text: readme::text(&module), mark: HEADER },
    ];
    files.into_iter().chain(imports).collect()
}

/// What is exported, with the identifiers of its parts.
struct Module<'a> {
    desired: &'a Desired,
    names: Identifiers<'a>,
    /// Tags that everything has: the default of `var.tags`. `None`: nothing is tagged.
    common: Option<Tags>,
}

impl<'a> Module<'a> {
    fn new(desired: &'a Desired) -> Module<'a> {
        Module { desired, names: Identifiers::new(desired, Case::Snake), common: common(desired) }
    }

    /// What of the tags is not in `var.tags` already.
    fn tags(&self, own: &Tags) -> Expr {
        let mut own = tags(own, "terraform");
        own.retain(|name, value| self.common.as_ref().is_none_or(|common| common.get(name) != Some(value)));
        if own.is_empty() {
            return Expr::raw("local.tags");
        }
        Expr::Call("merge", vec![Expr::raw("local.tags"), object(&own)])
    }

    fn has_role(&self, name: &str) -> bool {
        self.desired.roles.iter().any(|role| role.name == name)
    }

    fn key_arn(&self, key: &Ref) -> Expr {
        match key {
            Ref::Made(alias) => Expr::raw(format!("aws_kms_key.{}.arn", self.names.keys.of(alias))),
            Ref::Given(arn) => self.text(&arn.to_string()),
        }
    }

    /// A text in which the account and the Region are those of the variables.
    fn text(&self, text: &str) -> Expr {
        let registry = &self.desired.registry;
        let (account, region) = (registry.account.as_str(), registry.region.as_str());
        if text == region {
            return Expr::raw("local.region");
        }
        if text == account {
            return Expr::raw("local.account_id");
        }
        // Behind a `$`, a template would be one that means itself.
        let is_behind = |sign: &str| text.contains(&format!("{sign}{account}"));
        if !text.contains(account) || is_behind("$") || is_behind("%") {
            return Expr::text(text);
        }
        let place = format!(":{region}:{account}:");
        let quoted = quoted(text).replace(&place, ":${local.region}:${local.account_id}:");
        Expr::raw(quoted.replace(account, "${local.account_id}"))
    }

    fn json(&self, document: &Value) -> Expr {
        Expr::json(document, &|text: &str| self.text(text))
    }
}

fn common(desired: &Desired) -> Option<Tags> {
    let secrets = desired.secrets.iter().map(|secret| &secret.tags);
    let tagged = secrets
        .chain(desired.keys.iter().map(|key| &key.tags))
        .chain(desired.roles.iter().map(|role| &role.tags))
        .chain(desired.policies.iter().map(|policy| &policy.tags))
        .chain(desired.repositories.iter().map(|repository| &repository.tags));
    tagged.map(|own| tags(own, "terraform")).reduce(|mut common, own| {
        common.retain(|name, value| own.get(name) == Some(value));
        common
    })
}

fn object(tags: &Tags) -> Expr {
    Expr::Object(tags.iter().map(|(name, value)| (name.clone(), Expr::text(value))).collect())
}

/// `depends_on`, apart from the arguments; nothing without references.
fn depends_on(references: Vec<String>) -> Vec<Item> {
    if references.is_empty() {
        return Vec::new();
    }
    let references = references.into_iter().map(Expr::Raw).collect();
    vec![Item::Blank, Item::attribute("depends_on", Expr::List(references))]
}
