//! Which actions `provision` calls, and the document that allows them to a role (service authorization reference of each
//! service: most of ECR's registry-wide actions take no resource).

use serde_json::{Value, json};

use super::document::{Scope, allow, policy};

/// Actions of ECR without a resource.
const REGISTRY: [&str; 15] = [
    "ecr:CreatePullThroughCacheRule",
    "ecr:CreateRepositoryCreationTemplate",
    "ecr:DeletePullThroughCacheRule",
    "ecr:DeleteRegistryPolicy",
    "ecr:DeleteRepositoryCreationTemplate",
    "ecr:DescribePullThroughCacheRules",
    "ecr:DescribeRepositoryCreationTemplates",
    "ecr:GetAuthorizationToken",
    "ecr:GetRegistryPolicy",
    "ecr:GetRegistryScanningConfiguration",
    "ecr:PutRegistryPolicy",
    "ecr:PutRegistryScanningConfiguration",
    "ecr:UpdatePullThroughCacheRule",
    "ecr:UpdateRepositoryCreationTemplate",
    "ecr:ValidatePullThroughCacheRule",
];

/// What templates ask of who makes them (Amazon ECR user guide, "Repository creation templates"), and what `--backfill`
/// calls.
const REPOSITORY: [&str; 9] = [
    "ecr:CreateRepository",
    "ecr:DescribeRepositories",
    "ecr:GetLifecyclePolicy",
    "ecr:GetLifecyclePolicyPreview",
    "ecr:ListTagsForResource",
    "ecr:PutLifecyclePolicy",
    "ecr:SetRepositoryPolicy",
    "ecr:StartLifecyclePolicyPreview",
    "ecr:TagResource",
];

const SECRET: [&str; 7] = [
    "secretsmanager:CreateSecret",
    "secretsmanager:DeleteSecret",
    "secretsmanager:DescribeSecret",
    "secretsmanager:GetSecretValue",
    "secretsmanager:PutSecretValue",
    "secretsmanager:RestoreSecret",
    "secretsmanager:TagResource",
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
const DOCTOR: [&str; 10] = [
    "ec2:DescribeVpcEndpoints",
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

/// What `doctor` needs to see everything.
pub(super) fn doctor(scope: &Scope) -> Value {
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

/// What `provision` needs for everything that it can make.
pub(super) fn provision(scope: &Scope) -> Value {
    let registry = &scope.registry;
    let any = |service: &str, resource: &str| in_regions(scope, service, resource);
    let mut linked = allow(
        "LinkedRole",
        &["iam:CreateServiceLinkedRole"],
        vec![registry.iam("role/aws-service-role/*").to_string()],
    );
    if let Some(linked) = linked.as_object_mut() {
        // Made with the first rule and the first template (user guide, "Using service-linked roles for Amazon ECR").
        let services =
            ["ecr.amazonaws.com", "inspector2.amazonaws.com", "pullthroughcache.ecr.amazonaws.com"];
        linked.insert("Condition".to_owned(), json!({ "StringEquals": { "iam:AWSServiceName": services } }));
    }
    let mut pass = allow("PassRole", &["iam:PassRole"], vec![registry.iam("role/*").to_string()]);
    if let Some(pass) = pass.as_object_mut() {
        // The roles of templates, and of rules for another account's registry.
        let services = ["ecr.amazonaws.com", "pullthroughcache.ecr.amazonaws.com"];
        pass.insert("Condition".to_owned(), json!({ "StringEquals": { "iam:PassedToService": services } }));
    }
    policy(vec![
        allow("Registry", &REGISTRY, vec!["*".to_owned()]),
        allow("EnhancedScanning", &INSPECTOR, vec!["*".to_owned()]),
        allow("Repositories", &REPOSITORY, any("ecr", "repository/*")),
        allow("Secrets", &SECRET, any("secretsmanager", "secret:ecr-pullthroughcache/*")),
        pass,
        linked,
    ])
}
