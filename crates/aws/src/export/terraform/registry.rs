//! `registry.tf`: what ECR has once for a whole registry.

use super::Module;
use crate::export::hcl::{Expr, Item};
use crate::export::registry_policy;
use crate::resource::{ReplicationRule, Scanning};

/// What stands above each resource here.
const OWNS: &str =
    "Terraform owns the whole: what others set there is overwritten, and gone when this is destroyed.";

pub(super) fn items(module: &Module<'_>) -> Vec<Item> {
    let desired = module.desired;
    let mut items = Vec::new();
    if let Some(scanning) = &desired.scanning {
        items.push(Item::Comment(format!("A registry has one scanning configuration.\n{OWNS}")));
        items.push(self::scanning(scanning));
    }
    if let Some(document) = registry_policy(desired) {
        items.push(Item::Comment(format!("A registry has one policy.\n{OWNS}")));
        let body = vec![Item::attribute("policy", module.json(&document))];
        items.push(Item::block("resource", &["aws_ecr_registry_policy", "this"], body));
    }
    if !desired.replication.is_empty() {
        items.push(Item::Comment(format!("A registry has one replication configuration.\n{OWNS}")));
        let rules = desired.replication.iter().map(|rule| replication(module, rule)).collect();
        let whole = Item::block("replication_configuration", &[], rules);
        items.push(Item::block("resource", &["aws_ecr_replication_configuration", "this"], vec![whole]));
    }
    items
}

fn filter(text: &str, kind: &str) -> Item {
    Item::block(
        "repository_filter",
        &[],
        vec![Item::attribute("filter", Expr::text(text)), Item::attribute("filter_type", Expr::text(kind))],
    )
}

fn scanning(scanning: &Scanning) -> Item {
    let mut body = vec![Item::attribute("scan_type", Expr::text(&scanning.kind))];
    for (frequency, filters) in &scanning.rules {
        let mut rule = vec![Item::attribute("scan_frequency", Expr::text(frequency))];
        rule.extend(filters.iter().map(|text| filter(text, "WILDCARD")));
        body.push(Item::block("rule", &[], rule));
    }
    Item::block("resource", &["aws_ecr_registry_scanning_configuration", "this"], body)
}

fn replication(module: &Module<'_>, rule: &ReplicationRule) -> Item {
    let destination = |(region, account): &(String, String)| {
        Item::block(
            "destination",
            &[],
            vec![
                Item::attribute("region", Expr::text(region)),
                Item::attribute("registry_id", module.text(account)),
            ],
        )
    };
    let mut body: Vec<Item> = rule.destinations.iter().map(destination).collect();
    body.extend(rule.prefixes.iter().map(|prefix| filter(prefix, "PREFIX_MATCH")));
    Item::block("rule", &[], body)
}
