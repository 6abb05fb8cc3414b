//! IAM's documents as files: each of the policies that pullthru knows, and what the roles and the registry have.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::{File, registry_policy};
use crate::resource::{Cipher, Ref, Template};
use crate::{Desired, document};
use pullthru_core::config::PolicyKind;

/// JSON has no comments; statements of ours are named like this.
const MARK: &str = "\"Sid\": \"Pullthru";

/// All documents, each by its name.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IamReport {
    /// `pullthru/iam/v1`
    pub schema: &'static str,
    /// Policies of identities: the six kinds, and those of roles (`<role>.<name>`).
    pub policies: BTreeMap<String, Value>,
    /// Who may take a role, by its name.
    pub trust: BTreeMap<String, Value>,
    /// Policies of the registry (`registry`) and of keys (`key.<alias>`).
    pub resources: BTreeMap<String, Value>,
}

/// The documents of a registry.
pub fn iam(desired: &Desired) -> IamReport {
    let mut policies: BTreeMap<String, Value> =
        PolicyKind::ALL.iter().map(|kind| (kind.id().to_owned(), desired.document(*kind))).collect();
    let mut trust = BTreeMap::new();
    for role in &desired.roles {
        trust.insert(role.name.clone(), role.trust.clone());
    }
    for (role, templates) in template_roles(desired) {
        let prefixes: Vec<&str> = templates.iter().map(|template| template.prefix.as_str()).collect();
        let keys: BTreeSet<String> = templates.iter().filter_map(|template| key(template)).collect();
        let keys: Vec<String> = keys.into_iter().collect();
        let document = document::template_role(&desired.scope, &prefixes, &keys);
        policies.insert(format!("{role}.repositories"), document);
        trust.insert(role.to_owned(), document::trust_service("ecr.amazonaws.com", &desired.registry));
    }
    let keys = desired.keys.iter();
    let mut resources: BTreeMap<String, Value> =
        keys.map(|key| (format!("key.{}", key.alias), key.policy.clone())).collect();
    if let Some(document) = registry_policy(desired) {
        resources.insert("registry".to_owned(), document);
    }
    IamReport { schema: "pullthru/iam/v1", policies, trust, resources }
}

/// The roles that templates name, each with its templates.
fn template_roles(desired: &Desired) -> BTreeMap<&str, Vec<&Template>> {
    let mut roles: BTreeMap<&str, Vec<&Template>> = BTreeMap::new();
    for template in &desired.templates {
        if let Some(arn) = &template.custom_role {
            roles.entry(arn.role_name().unwrap_or(&arn.resource)).or_default().push(template);
        }
    }
    roles
}

fn key(template: &Template) -> Option<String> {
    match &template.cipher {
        Cipher::Kms(Some(Ref::Given(arn))) => Some(arn.to_string()),
        _ => None,
    }
}

impl IamReport {
    /// `<name>.json`, `<role>.trust.json`, `registry.resource.json`.
    pub fn files(&self) -> Vec<File> {
        let of = |documents: &BTreeMap<String, Value>, ending: &str| -> Vec<File> {
            let file = |(name, document): (&String, &Value)| File {
                name: format!("{}{ending}.json", name.replace('/', "-")),
                text: format!("{document:#}\n"),
                mark: MARK,
            };
            documents.iter().map(file).collect()
        };
        [of(&self.policies, ""), of(&self.trust, ".trust"), of(&self.resources, ".resource")].concat()
    }
}
