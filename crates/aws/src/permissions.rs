//! The policies of identities. Which actions `provision` and `doctor` call, and the document that allows them to a role (service authorization reference of each
//! service: most of ECR's registry-wide actions take no resource).

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::Desired;
use super::document::{Scope, allow, policy};
use super::resource::{Ref, STACK};
use pullthru_core::config::{PolicyKind, SECRET_PREFIX};

/// Actions of ECR on rules and templates. They take no resource, and what they are about has no tags.
const CACHE: [&str; 11] = [
    "ecr:CreatePullThroughCacheRule",
    "ecr:CreateRepositoryCreationTemplate",
    "ecr:DeletePullThroughCacheRule",
    "ecr:DeleteRepositoryCreationTemplate",
    "ecr:DescribePullThroughCacheRules",
    "ecr:DescribeRepositoryCreationTemplates",
    "ecr:GetAuthorizationToken",
    // Statements that the configuration no longer has are looked for in it.
    "ecr:GetRegistryPolicy",
    "ecr:UpdatePullThroughCacheRule",
    "ecr:UpdateRepositoryCreationTemplate",
    "ecr:ValidatePullThroughCacheRule",
];

/// What AWS asks besides of who makes a template (service authorization reference, dependent actions). On which ARN is
/// not documented, so both the prefix and what lies below it are named.
const TEMPLATE: [&str; 3] = ["ecr:CreateRepository", "ecr:PutLifecyclePolicy", "ecr:SetRepositoryPolicy"];

/// What `--backfill` calls for each repository that a rule filled.
const BACKFILL: [&str; 4] = [
    "ecr:GetLifecyclePolicy",
    "ecr:GetLifecyclePolicyPreview",
    "ecr:ListTagsForResource",
    "ecr:StartLifecyclePolicyPreview",
];

/// What turning enhanced scanning on calls of Amazon Inspector (Amazon ECR user guide, "IAM permissions required for
/// enhanced scanning").
const INSPECTOR: [&str; 5] = [
    "inspector2:Disable",
    "inspector2:Enable",
    "inspector2:ListAccountPermissions",
    "inspector2:ListCoverage",
    "inspector2:ListFindings",
];

/// What `doctor` asks that takes no resource, or is about every one.
const DOCTOR: [&str; 9] = [
    "ecr:DescribePullThroughCacheRules",
    "ecr:DescribeRegistry",
    "ecr:DescribeRepositoryCreationTemplates",
    "ecr:GetAuthorizationToken",
    "ecr:GetRegistryPolicy",
    "ecr:GetRegistryScanningConfiguration",
    "ecr:ValidatePullThroughCacheRule",
    "iam:SimulatePrincipalPolicy",
    "sts:GetCallerIdentity",
];

/// What `doctor` asks of a repository.
const DOCTOR_REPOSITORY: [&str; 5] = [
    "ecr:BatchGetImage",
    "ecr:DescribeImages",
    "ecr:DescribeRepositories",
    "ecr:GetLifecyclePolicy",
    "ecr:GetRepositoryPolicy",
];

impl Desired {
    /// A policy of identities.
    pub fn document(&self, kind: PolicyKind) -> Value {
        match kind {
            PolicyKind::NodePull => self.scope.node_pull(),
            PolicyKind::PullOnly => self.scope.pull_only(),
            PolicyKind::CiPush => self.scope.ci_push(),
            PolicyKind::Scan => self.scope.scan(),
            PolicyKind::Provision => provision(self),
            PolicyKind::Doctor => doctor(&self.scope),
        }
    }
}

/// What `doctor` needs to see everything.
fn doctor(scope: &Scope) -> Value {
    let secrets = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"];
    let roles = vec![scope.registry.iam("role/*").to_string()];
    policy(vec![
        allow("Doctor", &DOCTOR, vec!["*".to_owned()]),
        allow("Repositories", &DOCTOR_REPOSITORY, in_regions(scope, "ecr", "repository/*")),
        allow("Secrets", &secrets, in_regions(scope, "secretsmanager", "secret:ecr-pullthroughcache/*")),
        allow("Roles", &["iam:GetRole"], roles),
    ])
}

/// An ARN of the account in each Region.
fn in_regions(scope: &Scope, service: &str, resource: &str) -> Vec<String> {
    let arns = scope.regions.iter().map(|region| {
        super::Registry { region: region.clone(), ..scope.registry.clone() }
            .arn(service, resource)
            .to_string()
    });
    arns.collect()
}

/// The statement with a condition.
fn when(mut statement: Value, condition: Value) -> Value {
    if let Some(members) = statement.as_object_mut() {
        members.insert("Condition".to_owned(), condition);
    }
    statement
}

/// What `provision` needs for what the configuration asks for, on what the configuration names. What carries tags is
/// changed and deleted only with the stack's.
fn provision(desired: &Desired) -> Value {
    let regions: Vec<&str> = desired.scope.regions.iter().map(|region| region.as_str()).collect();
    let here = json!({ "StringEquals": { "aws:RequestedRegion": regions } });
    let is_enhanced = desired.scanning.as_ref().is_some_and(|scanning| scanning.kind == "ENHANCED");
    let everything = || vec!["*".to_owned()];
    let mut registry = CACHE.to_vec();
    if !desired.statements.is_empty() {
        registry.extend(["ecr:DeleteRegistryPolicy", "ecr:PutRegistryPolicy"]);
    }
    if desired.scanning.is_some() {
        registry.extend(["ecr:GetRegistryScanningConfiguration", "ecr:PutRegistryScanningConfiguration"]);
    }
    let mut statements = vec![when(allow("Registry", &registry, everything()), here.clone())];
    if is_enhanced {
        statements.push(when(allow("EnhancedScanning", &INSPECTOR, everything()), here));
    }
    statements.extend(repositories(desired));
    statements.extend(secrets(desired));
    statements.extend(roles(desired, is_enhanced));
    policy(statements)
}

/// The tag of the stack on what is there.
fn is_own(desired: &Desired) -> Value {
    json!({ format!("aws:ResourceTag/{STACK}"): desired.stack })
}

/// The tag of the stack is given, to what has none: what another stack made keeps its own.
fn is_marked(desired: &Desired) -> Value {
    json!({
        "StringEquals": { format!("aws:RequestTag/{STACK}"): desired.stack },
        "StringEqualsIfExists": is_own(desired),
    })
}

/// What templates need, and what `--backfill` does for repositories that rules filled.
fn repositories(desired: &Desired) -> Vec<Value> {
    let scope = &desired.scope;
    let names = desired.all_templates().flat_map(|template| match template.prefix.as_str() {
        "ROOT" => vec!["*".to_owned()],
        prefix => vec![prefix.to_owned(), format!("{prefix}/*")],
    });
    let mut statements = vec![allow("Templates", &TEMPLATE, scope.in_regions(names))];
    if desired.templates.iter().any(|template| template.lifecycle.is_some()) {
        let everything = in_regions(scope, "ecr", "repository/*");
        statements.push(allow("ListRepositories", &["ecr:DescribeRepositories"], everything));
        statements.push(allow("Backfill", &BACKFILL, scope.cached()));
        statements
            .push(when(allow("BackfillMark", &["ecr:TagResource"], scope.cached()), is_marked(desired)));
    }
    statements
}

/// Secrets that are made, and those that are named by ARN. AWS puts six characters behind a secret's name; a request for
/// one that is not there has none. What is there carries the tag of its stack.
fn secrets(desired: &Desired) -> Vec<Value> {
    let names =
        desired.secrets.iter().flat_map(|secret| [secret.name.clone(), format!("{}-??????", secret.name)]);
    let made: Vec<String> = names
        .flat_map(|name| in_regions(&desired.scope, "secretsmanager", &format!("secret:{name}")))
        .collect();
    let given = desired.rules.iter().filter_map(|rule| match &rule.credential {
        Some(Ref::Given(arn)) => Some(arn.to_string()),
        _ => None,
    });
    let mut all: Vec<String> = made.iter().cloned().chain(given).collect();
    all.sort();
    all.dedup();
    let own = match desired.secrets.is_empty() {
        true => Vec::new(),
        false => in_regions(&desired.scope, "secretsmanager", &format!("secret:{SECRET_PREFIX}*")),
    };
    let read = ["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue"];
    let make = ["secretsmanager:CreateSecret", "secretsmanager:TagResource"];
    let change =
        ["secretsmanager:DeleteSecret", "secretsmanager:PutSecretValue", "secretsmanager:RestoreSecret"];
    vec![
        allow("ReadSecrets", &read, all),
        when(allow("MakeSecrets", &make, made), is_marked(desired)),
        when(allow("ChangeSecrets", &change, own), json!({ "StringEquals": is_own(desired) })),
    ]
}

/// Roles that templates and rules name, and those that AWS makes with the first rule and the first template (user guide,
/// "Using service-linked roles for Amazon ECR").
fn roles(desired: &Desired, is_enhanced: bool) -> [Value; 2] {
    let mut services = vec!["ecr.amazonaws.com", "pullthroughcache.ecr.amazonaws.com"];
    let of_templates = desired.all_templates().filter_map(|template| template.custom_role.as_ref());
    let of_rules = desired.rules.iter().filter_map(|rule| rule.custom_role.as_ref());
    let passed: BTreeSet<String> = of_templates.chain(of_rules).map(ToString::to_string).collect();
    let pass = allow("PassRole", &["iam:PassRole"], passed.into_iter().collect());
    let pass = when(pass, json!({ "StringEquals": { "iam:PassedToService": services } }));
    if is_enhanced {
        services.push("inspector2.amazonaws.com");
    }
    let of_service =
        |service: &&str| desired.registry.iam(format!("role/aws-service-role/{service}/*")).to_string();
    let linked =
        allow("LinkedRole", &["iam:CreateServiceLinkedRole"], services.iter().map(of_service).collect());
    [pass, when(linked, json!({ "StringEquals": { "iam:AWSServiceName": services } }))]
}
