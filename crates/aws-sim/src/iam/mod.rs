//! IAM: roles, managed policies, identity providers, and the simulation of policies. Wordings are those that users
//! see.

mod managed;
mod policies;
mod providers;
mod roles;
mod simulate;

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::error::{AwsError, error};
use crate::policy::grammar;
use crate::world::{Scope, Table, put, set, slice};
use policies::Policy;
use roles::Role;
pub(crate) use roles::service_linked;

/// What an account has.
#[derive(Debug, Default)]
pub(crate) struct Iam {
    /// By name; paths do not make names different.
    roles: BTreeMap<String, Role>,
    /// By ARN.
    policies: BTreeMap<String, Policy>,
    /// Identity providers by ARN.
    providers: Table,
    /// Policies of users by user name; all that a user is here.
    users: BTreeMap<String, Vec<Value>>,
}

impl Iam {
    pub(crate) fn snapshot(&self) -> Value {
        let mut all = Map::new();
        let roles = self.roles.iter().filter(|(_, role)| !role.made_by_aws);
        put(
            &mut all,
            "roles",
            Value::Object(roles.map(|(name, role)| (name.clone(), role.snapshot())).collect()),
        );
        let policies = self.policies.iter().map(|(arn, policy)| (arn.clone(), policy.snapshot()));
        put(&mut all, "policies", Value::Object(policies.collect()));
        put(&mut all, "providers", json!(self.providers));
        Value::Object(all)
    }

    /// Is there a role of that path and name?
    pub(crate) fn has_role(&self, path_and_name: &str) -> bool {
        let name = path_and_name.rsplit('/').next().unwrap_or_default();
        self.role(name).is_some_and(|role| {
            role["Arn"].as_str().is_some_and(|arn| arn.ends_with(&format!(":role/{path_and_name}")))
        })
    }

    /// A role as GetRole has it, its trust policy in plain text.
    pub(crate) fn role(&self, name: &str) -> Option<&Value> {
        self.roles.get(name).map(|role| &role.detail)
    }

    /// Gives a user a policy.
    pub(crate) fn add_user_policy(&mut self, user: &str, document: Value) {
        self.users.entry(user.to_owned()).or_default().push(document);
    }
}

/// Carries out an operation whose input has been checked.
pub(crate) fn operation(scope: &mut Scope<'_>, input: &Value) -> Result<Value, AwsError> {
    match scope.operation {
        "CreateRole" => roles::create(scope, input),
        "GetRole" => roles::get(scope, input),
        "ListRoles" => roles::list(scope, input),
        "DeleteRole" => roles::delete(scope, input),
        "UpdateAssumeRolePolicy" => roles::update_trust(scope, input),
        "TagRole" => roles::tag(scope, input),
        "UntagRole" => roles::untag(scope, input),
        "ListRoleTags" => roles::tags(scope, input),
        "PutRolePolicy" => roles::put_policy(scope, input),
        "GetRolePolicy" => roles::get_policy(scope, input),
        "DeleteRolePolicy" => roles::delete_policy(scope, input),
        "ListRolePolicies" => roles::list_policies(scope, input),
        "AttachRolePolicy" => roles::attach(scope, input),
        "DetachRolePolicy" => roles::detach(scope, input),
        "ListAttachedRolePolicies" => roles::attached(scope, input),
        "CreateServiceLinkedRole" => roles::create_service_linked(scope, input),
        "CreatePolicy" => policies::create(scope, input),
        "GetPolicy" => policies::get(scope, input),
        "ListPolicies" => policies::list(scope, input),
        "DeletePolicy" => policies::delete(scope, input),
        "CreatePolicyVersion" => policies::create_version(scope, input),
        "GetPolicyVersion" => policies::get_version(scope, input),
        "ListPolicyVersions" => policies::versions(scope, input),
        "SetDefaultPolicyVersion" => policies::set_default(scope, input),
        "DeletePolicyVersion" => policies::delete_version(scope, input),
        "ListEntitiesForPolicy" => policies::entities(scope, input),
        "TagPolicy" => policies::tag(scope, input),
        "UntagPolicy" => policies::untag(scope, input),
        "ListPolicyTags" => policies::tags(scope, input),
        "CreateOpenIDConnectProvider" => providers::create(scope, input),
        "GetOpenIDConnectProvider" => providers::get(scope, input),
        "ListOpenIDConnectProviders" => Ok(providers::list(scope)),
        "DeleteOpenIDConnectProvider" => providers::delete(scope, input),
        "TagOpenIDConnectProvider" => providers::tag(scope, input),
        "SimulatePrincipalPolicy" => simulate::run(scope, input),
        _ => Err(error("InvalidAction", "")),
    }
}

fn missing(what: String) -> AwsError {
    error("NoSuchEntity", what)
}

/// Refuses a document that is none.
fn check_document(text: &str, trust: bool) -> Result<(), AwsError> {
    grammar(text, trust).map(drop).map_err(|why| error("MalformedPolicyDocument", why))
}

/// A page of `all` under `member`: what `Marker` and `MaxItems` ask for.
fn page(all: Vec<Value>, input: &Value, member: &str) -> Value {
    let (items, next) = slice(all, &input["Marker"], &input["MaxItems"], 100).unwrap_or_default();
    let mut answer = json!({ member: items, "IsTruncated": next.is_some() });
    set(&mut answer, "Marker", next.into());
    answer
}

/// Documents come percent-encoded (IAM API reference, GetPolicyVersion: "URL-encoded compliant with RFC 3986").
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
