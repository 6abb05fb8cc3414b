//! [`Desired`] written down for other tools: a Terraform module, a CloudFormation template, objects of ACK and of
//! Crossplane, IAM's documents. Pure: texts come out, and no token goes in, since `Desired` has none.

mod ack;
mod cloudformation;
mod crossplane;
mod hcl;
mod iam;
mod identifiers;
mod objects;
mod terraform;

use serde_json::{Value, json};

use super::Desired;
use super::resource::{MARKER, Rule, STACK};
use pullthru_core::config::Tags;

pub use ack::ack;
pub use cloudformation::cloudformation;
pub use crossplane::{Crossplane, crossplane};
pub use iam::{IamReport, iam};
pub use objects::Objects;
pub use terraform::{Existing, terraform};

/// A file of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Without a directory.
    pub name: String,
    pub text: String,
    /// What a file of this kind holds when pullthru wrote it; one without it is somebody else's.
    pub mark: &'static str,
}

/// Tags with the mark of the tool that looks after the resource, in place of pullthru's own: `provision destroy`
/// removes what has that one.
fn tags(tags: &Tags, tool: &str) -> Tags {
    let marked = |(name, value): (&String, &String)| {
        let is_marker = (name.as_str(), value.as_str()) == MARKER;
        (name.clone(), if is_marker { tool.to_owned() } else { value.clone() })
    };
    tags.iter().filter(|(name, _)| *name != STACK).map(marked).collect()
}

/// The registry's policy as a document, where there is one.
fn registry_policy(desired: &Desired) -> Option<Value> {
    let statements: Vec<&Value> = desired.statements.iter().map(|statement| &statement.statement).collect();
    (!statements.is_empty()).then(|| json!({ "Version": "2012-10-17", "Statement": statements }))
}

/// Prefixes of the templates by which ECR makes what a rule caches. What is pulled before they are there is made without
/// them, so that rules come after.
fn templates_of<'a>(desired: &'a Desired, rule: &'a Rule) -> impl Iterator<Item = &'a str> {
    let prefixes = desired.templates.iter().map(|template| template.prefix.as_str());
    prefixes.filter(|prefix| {
        let below = prefix.strip_prefix(rule.prefix.as_str());
        rule.prefix == "ROOT"
            || *prefix == "ROOT"
            || below.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    })
}

/// Characters that IAM allows a managed policy, white space not counted (IAM user guide, "IAM and AWS STS quotas").
const POLICY_SIZE: usize = 6144;

/// What a person should know of an export, besides what it says itself.
pub fn notes(desired: &Desired) -> Vec<String> {
    let mut notes = desired.notes.clone();
    for policy in &desired.policies {
        let size = policy.document.to_string().len();
        if size > POLICY_SIZE {
            notes.push(format!(
                "the policy `{}` has {size} characters, and IAM takes {POLICY_SIZE}: name fewer Regions, prefixes or repositories",
                policy.name
            ));
        }
    }
    notes
}
