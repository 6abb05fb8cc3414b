//! JSON documents of AWS: who may do what, who may take a role, which images expire. Pure.
//!
//! Which actions a pull through the cache needs is said by the Amazon ECR user guide ("IAM permissions required to sync
//! an upstream registry"); that no policy of AWS's covers a first pull is why these documents exist
//! (`AmazonEC2ContainerRegistryPullOnly` lacks `ecr:CreateRepository`, `…ReadOnly` both).

use serde_json::{Value, json};

use super::Registry;
use super::names::{Case, Names, hash};
use pullthru_core::config::{Access, GithubActions, Lifecycle, RegistryPolicy};
use pullthru_core::route::{AccountId, Region};

/// What documents are about.
#[derive(Clone, Debug)]
pub struct Scope {
    pub registry: Registry,
    /// Regions with caches of the same rules; the registry's first.
    pub regions: Vec<Region>,
    /// Prefixes of rules, `ROOT` for none.
    pub prefixes: Vec<String>,
    /// Names of plain repositories.
    pub repositories: Vec<String>,
    /// What names of policies and roles begin with.
    pub name_prefix: String,
    /// Do templates tag what is made by a pull?
    pub tags: bool,
}

/// What pulls of what is there need (user guide, "Private repository policy examples").
const PULL: [&str; 3] =
    ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"];
/// What a pull that ECR has to import needs besides.
const IMPORT: [&str; 2] = ["ecr:BatchImportUpstreamImage", "ecr:CreateRepository"];
/// What a push needs besides.
const PUSH: [&str; 4] =
    ["ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart"];

/// Statements of this module have a `Sid` that begins like this; ECR and IAM take letters and digits.
pub(crate) const SID: &str = "Pullthru";

/// The `Sid` of a statement of a stack. It ends in letters and digits that no other stack's end in.
pub fn own_sid(sid: &str, stack: &str) -> String {
    format!("{sid}{}", sid_end(stack))
}

/// The `Sid` without the stack's end; `None` when it is not of this stack.
pub fn configured_sid<'a>(sid: &'a str, stack: &str) -> Option<&'a str> {
    sid.strip_suffix(&sid_end(stack))
}

/// Is a statement of this stack?
pub fn is_own_sid(sid: &str, stack: &str) -> bool {
    sid.ends_with(&sid_end(stack))
}

fn sid_end(stack: &str) -> String {
    let names = Names::new(Case::Pascal, std::iter::once(stack));
    format!("{}{:08x}", names.of(stack), hash(stack))
}

impl Scope {
    /// ARNs of everything below the prefixes, in each Region.
    pub(super) fn cached(&self) -> Vec<String> {
        self.in_regions(self.prefixes.iter().map(|prefix| match prefix.as_str() {
            "ROOT" => "*".to_owned(),
            prefix => format!("{prefix}/*"),
        }))
    }

    pub(super) fn in_regions(&self, names: impl Iterator<Item = String>) -> Vec<String> {
        let mut arns: Vec<String> = names
            .flat_map(|name| {
                self.regions.iter().map(move |region| {
                    let registry = Registry { region: region.clone(), ..self.registry.clone() };
                    registry.repository(&name).to_string()
                })
            })
            .collect();
        arns.sort();
        arns.dedup();
        arns
    }

    /// Plain repositories are in the registry's own Region; copies elsewhere have their names.
    fn own(&self) -> Vec<String> {
        self.in_regions(self.repositories.iter().cloned())
    }

    /// Nodes, and whatever pulls first.
    pub(super) fn node_pull(&self) -> Value {
        policy(vec![login(), self.import(&[]), self.pull_own()])
    }

    /// Pulls of what is there.
    pub(super) fn pull_only(&self) -> Value {
        let everything: Vec<String> = self.cached().into_iter().chain(self.own()).collect();
        policy(vec![login(), allow("Pull", &PULL, everything)])
    }

    /// Pipelines.
    pub(super) fn ci_push(&self) -> Value {
        let actions = [&PULL[..], &PUSH, &["ecr:DescribeImages", "ecr:ListImages"]].concat();
        policy(vec![login(), allow("Push", &actions, self.own())])
    }

    /// Controllers that list tags.
    pub(super) fn scan(&self) -> Value {
        policy(vec![login(), self.import(&["ecr:DescribeImages", "ecr:ListImages"]), self.pull_own()])
    }

    fn import(&self, more: &[&str]) -> Value {
        // Where a template tags, whoever pulls first has to be allowed to tag: by a policy of their own, since a
        // registry's does not count for that (user guide, the same page).
        let tag = if self.tags { &["ecr:TagResource"][..] } else { &[] };
        allow("Import", &[&PULL[..], &IMPORT, tag, more].concat(), self.cached())
    }

    fn pull_own(&self) -> Value {
        allow("Pull", &PULL, self.own())
    }
}

/// `ecr:GetAuthorizationToken` takes no resource (service authorization reference, Amazon ECR).
fn login() -> Value {
    allow("Login", &["ecr:GetAuthorizationToken"], vec!["*".to_owned()])
}

/// A statement, or `null` when there is nothing it could be about.
pub(super) fn allow(name: &str, actions: &[&str], resources: Vec<String>) -> Value {
    if resources.is_empty() {
        return Value::Null;
    }
    let mut actions = actions.to_vec();
    actions.sort_unstable();
    json!({ "Sid": format!("{SID}{name}"), "Effect": "Allow", "Action": actions, "Resource": resources })
}

/// A policy of the statements that are about something.
pub(super) fn policy(statements: Vec<Value>) -> Value {
    let statements: Vec<Value> = statements.into_iter().filter(|statement| !statement.is_null()).collect();
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// Who may take a role: a service of AWS, for the sake of this account only.
pub(crate) fn trust_service(service: &str, registry: &Registry) -> Value {
    policy(vec![json!({
        "Sid": format!("{SID}Trust"),
        "Effect": "Allow",
        "Principal": { "Service": service },
        "Action": "sts:AssumeRole",
        "Condition": { "StringEquals": { "aws:SourceAccount": registry.account.as_str() } },
    })])
}

/// Who may take a role: workflows of GitHub, by OpenID Connect (GitHub documentation, "Configuring OpenID Connect in
/// Amazon Web Services").
pub(crate) fn trust_github(github: &GithubActions, registry: &Registry) -> Value {
    let provider = registry.iam(format!("oidc-provider/{GITHUB}"));
    let mut subjects = Vec::new();
    for repository in &github.repositories {
        if github.branches.is_empty() {
            subjects.push(format!("repo:{repository}:*"));
        }
        let of_branch = |branch: &String| format!("repo:{repository}:ref:refs/heads/{branch}");
        subjects.extend(github.branches.iter().map(of_branch));
    }
    policy(vec![json!({
        "Sid": format!("{SID}Trust"),
        "Effect": "Allow",
        "Principal": { "Federated": provider.to_string() },
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringEquals": { format!("{GITHUB}:aud"): "sts.amazonaws.com" },
            "StringLike": { format!("{GITHUB}:sub"): subjects },
        },
    })])
}

const GITHUB: &str = "token.actions.githubusercontent.com";

/// What the role of templates needs: ECR makes repositories with tags or KMS by it (user guide, "Creating an IAM role for
/// repository creation templates"). `prefixes` are the templates', `keys` the ARNs of their keys.
pub(crate) fn template_role(scope: &Scope, prefixes: &[&str], keys: &[String]) -> Value {
    let prefixes = prefixes.iter().map(|prefix| prefix.to_string()).collect();
    let below = Scope { prefixes, ..scope.clone() }.cached();
    let repositories = ["ecr:CreateRepository", "ecr:ReplicateImage", "ecr:TagResource"];
    let grants = ["kms:CreateGrant", "kms:DescribeKey", "kms:RetireGrant"];
    policy(vec![allow("Repositories", &repositories, below), allow("Keys", &grants, keys.to_vec())])
}

/// The statement that lets other accounts import through this registry's rules.
pub(crate) fn registry_statement(policy: &RegistryPolicy, scope: &Scope) -> Option<Value> {
    let (principal, condition) =
        principal(&policy.accounts, policy.organization.as_ref().map(|id| id.as_str()), &scope.registry)?;
    let home = Scope { regions: vec![scope.registry.region.clone()], ..scope.clone() };
    let below = Scope {
        prefixes: if policy.prefixes.is_empty() { home.prefixes.clone() } else { policy.prefixes.clone() },
        ..home
    };
    let mut statement = allow("Import", &IMPORT, below.cached());
    let object = statement.as_object_mut()?;
    object.insert("Principal".to_owned(), principal);
    if let Some(condition) = condition {
        object.insert("Condition".to_owned(), condition);
    }
    Some(statement)
}

/// The policy of a repository that others may pull from.
pub fn access(access: &Access, registry: &Registry) -> Option<Value> {
    if let Some(whole) = &access.policy {
        return Some(whole.clone());
    }
    let organization = access.pull_organization.as_ref().map(|id| id.as_str());
    let (principal, condition) = principal(&access.pull_accounts, organization, registry)?;
    let mut statement = json!({
        "Sid": format!("{SID}Pull"), "Effect": "Allow", "Principal": principal, "Action": PULL,
    });
    if let (Some(object), Some(condition)) = (statement.as_object_mut(), condition) {
        object.insert("Condition".to_owned(), condition);
    }
    Some(policy(vec![statement]))
}

/// Accounts by name, or everybody of an organisation.
fn principal(
    accounts: &[AccountId],
    organization: Option<&str>,
    registry: &Registry,
) -> Option<(Value, Option<Value>)> {
    let roots: Vec<String> = accounts.iter().map(|account| registry.root_of(account)).collect();
    match organization {
        Some(id) => Some((json!("*"), Some(json!({ "StringEquals": { "aws:PrincipalOrgID": id } })))),
        None if roots.is_empty() => None,
        None => Some((json!({ "AWS": roots }), None)),
    }
}

/// The policy of a key: the account's own policies decide (KMS developer guide, "Default key policy").
pub(crate) fn key_policy(registry: &Registry) -> Value {
    policy(vec![json!({
        "Sid": format!("{SID}Account"),
        "Effect": "Allow",
        "Principal": { "AWS": registry.root_of(&registry.account) },
        "Action": "kms:*",
        "Resource": "*",
    })])
}

/// A lifecycle policy from its short form. Rules are numbered in the order in which they are looked at (user guide,
/// "Lifecycle policy parameters").
pub fn lifecycle(lifecycle: &Lifecycle) -> Value {
    if let Some(whole) = &lifecycle.policy {
        return whole.clone();
    }
    let mut rules = Vec::new();
    let mut rule = |description: String, selection: Value| {
        let priority = rules.len() + 1;
        rules.push(json!({
            "rulePriority": priority,
            "description": description,
            "selection": selection,
            "action": { "type": "expire" },
        }));
    };
    if let Some(days) = lifecycle.expire_untagged_days {
        rule(
            format!("untagged images go after {days} days"),
            json!({
                "tagStatus": "untagged",
                "countType": "sinceImagePushed",
                "countUnit": "days",
                "countNumber": days,
            }),
        );
    }
    if let Some(keep) = lifecycle.keep {
        // A list of several prefixes selects images with all of them, so each has a rule.
        for prefix in &lifecycle.tag_prefixes {
            rule(
                format!("the newest {keep} of {prefix}* are kept"),
                json!({
                    "tagStatus": "tagged",
                    "tagPrefixList": [prefix],
                    "countType": "imageCountMoreThan",
                    "countNumber": keep,
                }),
            );
        }
        if lifecycle.tag_prefixes.is_empty() {
            rule(
                format!("the newest {keep} tagged images are kept"),
                json!({
                    "tagStatus": "tagged",
                    "tagPatternList": ["*"],
                    "countType": "imageCountMoreThan",
                    "countNumber": keep,
                }),
            );
        }
    }
    json!({ "rules": rules })
}

/// Are two documents the same? The order in lists of strings does not matter, one element may stand for a list of it,
/// and an account may be written as its number (IAM user guide, "JSON policy elements").
pub fn same(one: &Value, other: &Value) -> bool {
    canonical(one) == canonical(other)
}

fn canonical(value: &Value) -> Value {
    match value {
        Value::Array(elements) => {
            let mut elements: Vec<Value> = elements.iter().map(canonical).collect();
            if elements.iter().all(Value::is_string) {
                elements.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
            }
            match elements.as_slice() {
                [one] => one.clone(),
                _ => Value::Array(elements),
            }
        }
        Value::Object(members) => {
            Value::Object(members.iter().map(|(key, value)| (key.clone(), canonical(value))).collect())
        }
        Value::String(text) if text.len() == 12 && text.parse::<AccountId>().is_ok() => {
            Value::String(format!("account {text}"))
        }
        Value::String(text) => match text.strip_suffix(":root").and_then(|arn| arn.rsplit_once("::")) {
            Some((start, account)) if start.starts_with("arn:") && start.ends_with(":iam") => {
                Value::String(format!("account {account}"))
            }
            _ => value.clone(),
        },
        _ => value.clone(),
    }
}
