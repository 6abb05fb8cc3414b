//! The calls that `docs/aws-coverage.md` is measured with: every operation with little but valid input, and bad requests.

use serde_json::{Value, json};

pub(super) const REGION: &str = "eu-central-1";

/// What fakecloud 0.51.0 was seen to do on 2026-11-20, by hand with boto3; whatever is not here was not tried.
pub(super) const FAKECLOUD: [(&str, &str); 8] = [
    (
        "works",
        "ecr:BatchGetImage ecr:CreatePullThroughCacheRule ecr:CreateRepository ecr:CreateRepositoryCreationTemplate \
         ecr:DeletePullThroughCacheRule ecr:DeleteRepositoryCreationTemplate ecr:DescribeImages ecr:DescribeRegistry \
         ecr:DescribeRepositoryCreationTemplates ecr:GetAccountSetting ecr:GetAuthorizationToken \
         ecr:GetLifecyclePolicy ecr:GetRegistryScanningConfiguration ecr:ListImages ecr:PutAccountSetting \
         ecr:PutLifecyclePolicy ecr:PutRegistryScanningConfiguration ecr:SetRepositoryPolicy \
         ecr:UpdatePullThroughCacheRule ecr:UpdateRepositoryCreationTemplate",
    ),
    ("works; an unknown prefix is an empty list", "ecr:DescribePullThroughCacheRules"),
    ("works; asks no upstream", "ecr:ValidatePullThroughCacheRule"),
    ("works; nothing is validated", "ecr:DeleteRegistryPolicy ecr:GetRegistryPolicy ecr:PutRegistryPolicy"),
    ("works; its own region accepted", "ecr:PutReplicationConfiguration"),
    (
        "works",
        "secretsmanager:CreateSecret secretsmanager:DeleteSecret secretsmanager:DescribeSecret \
         secretsmanager:GetSecretValue secretsmanager:ListSecrets secretsmanager:PutSecretValue \
         secretsmanager:RestoreSecret sts:GetCallerIdentity",
    ),
    (
        "works",
        "iam:AttachRolePolicy iam:CreatePolicy iam:CreatePolicyVersion iam:CreateRole iam:GetRolePolicy \
         iam:PutRolePolicy iam:SimulatePrincipalPolicy",
    ),
    ("works; not under its real name", "iam:CreateServiceLinkedRole"),
];

/// A call: action, input, and what of its answer later calls need (`$name` in their input).
pub(super) struct Case {
    pub(super) action: &'static str,
    pub(super) input: Value,
    pub(super) keeps: Option<(&'static str, &'static str)>,
}

pub(super) fn case(action: &'static str, input: Value) -> Case {
    Case { action, input, keeps: None }
}

impl Case {
    /// Keeps a member of the answer under a name.
    fn keep(mut self, name: &'static str, member: &'static str) -> Self {
        self.keeps = Some((name, member));
        self
    }
}

fn lifecycle() -> String {
    let selection = json!({ "tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 10 });
    json!({ "rules": [{ "rulePriority": 1, "selection": selection, "action": { "type": "expire" } }] })
        .to_string()
}

pub(super) fn policy(principal: Option<&str>, action: &str, resource: Option<&str>) -> String {
    let mut statement = json!({ "Sid": "One", "Effect": "Allow", "Action": action });
    if let Some(principal) = principal {
        statement["Principal"] = json!({ "AWS": principal });
    }
    if let Some(resource) = resource {
        statement["Resource"] = resource.into();
    }
    json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string()
}

/// SDKs send one with every change of a secret's value.
const TOKEN: &str = "00000000-0000-4000-8000-000000000001";

const ROOT: &str = "arn:aws:iam::210987654321:root";

pub(super) fn cases() -> Vec<Case> {
    let app = || json!({ "repositoryName": "app" });
    let with = |mut input: Value, name: &str, value: Value| {
        input[name] = value;
        input
    };
    let image = json!([{ "imageTag": "v1" }]);
    let secret = || json!({ "SecretId": "ecr-pullthroughcache/ghcr" });
    let role = || json!({ "RoleName": "node" });
    let managed = || json!({ "PolicyArn": "$policy" });
    let provider = || json!({ "OpenIDConnectProviderArn": "$provider" });
    let trust = policy(Some("*"), "sts:AssumeRole", None);
    let read = policy(None, "ecr:BatchGetImage", Some("*"));
    let tags = || json!([{ "Key": "a", "Value": "b" }]);
    let scanning = json!([{ "scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": [{ "filter": "*", "filterType": "WILDCARD" }] }]);
    let replication =
        json!({ "rules": [{ "destinations": [{ "region": "us-east-1", "registryId": "210987654321" }] }] });
    vec![
        case("sts:GetCallerIdentity", json!({})),
        // Secrets, which rules need.
        case("secretsmanager:CreateSecret", json!({ "Name": "ecr-pullthroughcache/ghcr", "SecretString": "{\"username\":\"u\",\"accessToken\":\"t\"}" })).keep("secret", "ARN"),
        case("secretsmanager:DescribeSecret", secret()),
        case("secretsmanager:GetSecretValue", secret()),
        case("secretsmanager:PutSecretValue", with(secret(), "SecretString", "{\"username\":\"u\",\"accessToken\":\"v\"}".into())),
        case("secretsmanager:UpdateSecret", with(with(secret(), "Description", "cached".into()), "ClientRequestToken", TOKEN.into())),
        case("secretsmanager:TagResource", with(secret(), "Tags", tags())),
        case("secretsmanager:UntagResource", with(secret(), "TagKeys", json!(["a"]))),
        case("secretsmanager:ListSecrets", json!({ "Filters": [{ "Key": "name", "Values": ["ecr-pullthroughcache/"] }] })),
        case("secretsmanager:PutResourcePolicy", with(secret(), "ResourcePolicy", policy(Some(ROOT), "secretsmanager:GetSecretValue", Some("*")).into())),
        case("secretsmanager:GetResourcePolicy", secret()),
        // Rules and templates.
        case("ecr:CreatePullThroughCacheRule", json!({ "ecrRepositoryPrefix": "ghcr", "upstreamRegistryUrl": "ghcr.io", "credentialArn": "$secret" })),
        case("ecr:DescribePullThroughCacheRules", json!({ "ecrRepositoryPrefixes": ["ghcr"] })),
        case("ecr:UpdatePullThroughCacheRule", json!({ "ecrRepositoryPrefix": "ghcr", "credentialArn": "$secret" })),
        case("ecr:ValidatePullThroughCacheRule", json!({ "ecrRepositoryPrefix": "ghcr" })),
        case("ecr:DeletePullThroughCacheRule", json!({ "ecrRepositoryPrefix": "ghcr" })),
        case("ecr:CreateRepositoryCreationTemplate", json!({ "prefix": "ghcr", "appliedFor": ["PULL_THROUGH_CACHE"] })),
        case("ecr:DescribeRepositoryCreationTemplates", json!({ "prefixes": ["ghcr"] })),
        case("ecr:UpdateRepositoryCreationTemplate", json!({ "prefix": "ghcr", "lifecyclePolicy": lifecycle() })),
        case("ecr:DeleteRepositoryCreationTemplate", json!({ "prefix": "ghcr" })),
        // The registry.
        case("ecr:PutRegistryScanningConfiguration", json!({ "scanType": "BASIC", "rules": scanning })),
        case("ecr:GetRegistryScanningConfiguration", json!({})),
        case("ecr:PutRegistryPolicy", json!({ "policyText": policy(Some(ROOT), "ecr:BatchImportUpstreamImage", Some("arn:aws:ecr:eu-central-1:123456789012:repository/ghcr/*")) })),
        case("ecr:GetRegistryPolicy", json!({})),
        case("ecr:DeleteRegistryPolicy", json!({})),
        case("ecr:PutReplicationConfiguration", json!({ "replicationConfiguration": replication })),
        case("ecr:DescribeRegistry", json!({})),
        case("ecr:PutAccountSetting", json!({ "name": "REGISTRY_POLICY_SCOPE", "value": "V2" })),
        case("ecr:GetAccountSetting", json!({ "name": "REGISTRY_POLICY_SCOPE" })),
        case("ecr:GetAuthorizationToken", json!({})),
        // Repositories.
        case("ecr:CreateRepository", app()).keep("repository", "repositoryArn"),
        case("ecr:DescribeRepositories", json!({ "repositoryNames": ["app"] })),
        case("ecr:PutImageTagMutability", with(app(), "imageTagMutability", "IMMUTABLE".into())),
        case("ecr:PutImageScanningConfiguration", with(app(), "imageScanningConfiguration", json!({ "scanOnPush": true }))),
        case("ecr:PutLifecyclePolicy", with(app(), "lifecyclePolicyText", lifecycle().into())),
        case("ecr:GetLifecyclePolicy", app()),
        case("ecr:StartLifecyclePolicyPreview", app()),
        case("ecr:GetLifecyclePolicyPreview", app()),
        case("ecr:DeleteLifecyclePolicy", app()),
        case("ecr:SetRepositoryPolicy", with(app(), "policyText", policy(Some(ROOT), "ecr:BatchGetImage", None).into())),
        case("ecr:GetRepositoryPolicy", app()),
        case("ecr:DeleteRepositoryPolicy", app()),
        case("ecr:TagResource", json!({ "resourceArn": "$repository", "tags": tags() })),
        case("ecr:ListTagsForResource", json!({ "resourceArn": "$repository" })),
        case("ecr:UntagResource", json!({ "resourceArn": "$repository", "tagKeys": ["a"] })),
        case("ecr:DescribeImages", app()),
        case("ecr:ListImages", app()),
        case("ecr:BatchGetImage", with(app(), "imageIds", image.clone())),
        case("ecr:BatchDeleteImage", with(app(), "imageIds", image)),
        case("ecr:DeleteRepository", with(app(), "force", true.into())),
        case("secretsmanager:DeleteSecret", with(secret(), "RecoveryWindowInDays", 7.into())),
        case("secretsmanager:RestoreSecret", secret()),
        // Keys.
        // Roles and policies.
        case("iam:CreateRole", with(role(), "AssumeRolePolicyDocument", trust.clone().into())).keep("role", "Arn"),
        case("iam:GetRole", role()),
        case("iam:ListRoles", json!({})),
        case("iam:UpdateAssumeRolePolicy", with(role(), "PolicyDocument", trust.into())),
        case("iam:TagRole", with(role(), "Tags", tags())),
        case("iam:ListRoleTags", role()),
        case("iam:UntagRole", with(role(), "TagKeys", json!(["a"]))),
        case("iam:PutRolePolicy", with(with(role(), "PolicyName", "pull".into()), "PolicyDocument", read.clone().into())),
        case("iam:GetRolePolicy", with(role(), "PolicyName", "pull".into())),
        case("iam:ListRolePolicies", role()),
        case("iam:DeleteRolePolicy", with(role(), "PolicyName", "pull".into())),
        case("sts:AssumeRole", json!({ "RoleArn": "$role", "RoleSessionName": "test" })),
        case("iam:CreatePolicy", json!({ "PolicyName": "pull", "PolicyDocument": read })).keep("policy", "Arn"),
        case("iam:GetPolicy", managed()),
        case("iam:ListPolicies", json!({ "Scope": "Local" })),
        case("iam:CreatePolicyVersion", with(managed(), "PolicyDocument", policy(None, "ecr:*", Some("*")).into())),
        case("iam:SetDefaultPolicyVersion", with(managed(), "VersionId", "v2".into())),
        case("iam:GetPolicyVersion", with(managed(), "VersionId", "v1".into())),
        case("iam:ListPolicyVersions", managed()),
        case("iam:DeletePolicyVersion", with(managed(), "VersionId", "v1".into())),
        case("iam:TagPolicy", with(managed(), "Tags", tags())),
        case("iam:ListPolicyTags", managed()),
        case("iam:UntagPolicy", with(managed(), "TagKeys", json!(["a"]))),
        case("iam:AttachRolePolicy", with(role(), "PolicyArn", "$policy".into())),
        case("iam:ListAttachedRolePolicies", role()),
        case("iam:ListEntitiesForPolicy", managed()),
        case("iam:SimulatePrincipalPolicy", json!({ "PolicySourceArn": "$role", "ActionNames": ["ecr:BatchGetImage"] })),
        case("iam:DetachRolePolicy", with(role(), "PolicyArn", "$policy".into())),
        case("iam:DeletePolicy", managed()),
        case("iam:DeleteRole", role()),
        case("iam:CreateServiceLinkedRole", json!({ "AWSServiceName": "inspector2.amazonaws.com" })),
        case("iam:CreateOpenIDConnectProvider", json!({ "Url": "https://token.actions.githubusercontent.com", "ClientIDList": ["sts.amazonaws.com"], "ThumbprintList": ["6938fd4d98bab03faadb97b34396831e3780aea1"] })).keep("provider", "OpenIDConnectProviderArn"),
        case("iam:GetOpenIDConnectProvider", provider()),
        case("iam:ListOpenIDConnectProviders", json!({})),
        case("iam:TagOpenIDConnectProvider", with(provider(), "Tags", tags())),
        case("iam:DeleteOpenIDConnectProvider", provider()),
    ]
}

/// Bad requests: what is wrong, the call, and how AWS answers.
pub(super) fn refusals() -> Vec<(&'static str, Case, &'static str)> {
    let rule = |prefix: &str, url: &str| json!({ "ecrRepositoryPrefix": prefix, "upstreamRegistryUrl": url });
    let ghcr = |arn: &str| json!({ "ecrRepositoryPrefix": "ghcr", "upstreamRegistryUrl": "ghcr.io", "credentialArn": arn });
    let absent = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:ecr-pullthroughcache/absent-abcdef";
    let badly_named = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:some-other-name/ghcr-abcdef";
    let template = |name: &str, value: Value| {
        let mut input = json!({ "prefix": "quay", "appliedFor": ["PULL_THROUGH_CACHE"] });
        input[name] = value;
        input
    };
    let bad_scan = json!({ "scanType": "FAST", "rules": [] });
    let bad_trust = json!({ "RoleName": "bad", "AssumeRolePolicyDocument": "{" });
    vec![
        (
            "rule: prefix pattern",
            case("ecr:CreatePullThroughCacheRule", rule("Quay", "quay.io")),
            "InvalidParameterException",
        ),
        (
            "rule: unsupported upstream",
            case("ecr:CreatePullThroughCacheRule", rule("gcr", "gcr.io")),
            "UnsupportedUpstreamRegistryException",
        ),
        (
            "rule: ghcr.io without credential",
            case("ecr:CreatePullThroughCacheRule", rule("ghcr", "ghcr.io")),
            "UnsupportedUpstreamRegistryException",
        ),
        (
            "rule: secret's name",
            case("ecr:CreatePullThroughCacheRule", ghcr(badly_named)),
            "InvalidParameterException",
        ),
        (
            "rule: secret absent",
            case("ecr:CreatePullThroughCacheRule", ghcr(absent)),
            "SecretNotFoundException",
        ),
        (
            "rule: none to delete",
            case("ecr:DeletePullThroughCacheRule", json!({ "ecrRepositoryPrefix": "none" })),
            "PullThroughCacheRuleNotFoundException",
        ),
        (
            "template: lifecycle is no policy",
            case("ecr:CreateRepositoryCreationTemplate", template("lifecyclePolicy", "{}".into())),
            "InvalidParameterException",
        ),
        (
            "scanning: type",
            case("ecr:PutRegistryScanningConfiguration", bad_scan),
            "InvalidParameterException",
        ),
        (
            "replication to itself",
            case(
                "ecr:PutReplicationConfiguration",
                json!({ "replicationConfiguration": { "rules": [{ "destinations": [{ "region": REGION, "registryId": "$account" }] }] } }),
            ),
            "InvalidParameterException",
        ),
        (
            "repository: name",
            case("ecr:CreateRepository", json!({ "repositoryName": "App" })),
            "InvalidParameterException",
        ),
        (
            "repository: absent",
            case("ecr:DescribeRepositories", json!({ "repositoryNames": ["none"] })),
            "RepositoryNotFoundException",
        ),
        (
            "repository: key absent",
            case(
                "ecr:CreateRepository",
                json!({ "repositoryName": "keyed", "encryptionConfiguration": { "encryptionType": "KMS", "kmsKey": "alias/none" } }),
            ),
            "KmsException",
        ),
        (
            "registry policy: not JSON",
            case("ecr:PutRegistryPolicy", json!({ "policyText": "{" })),
            "InvalidParameterException",
        ),
        (
            "secret: created while it waits for deletion",
            case("secretsmanager:CreateSecret", json!({ "Name": "waiting" })),
            "InvalidRequestException",
        ),
        (
            "secret: absent",
            case("secretsmanager:GetSecretValue", json!({ "SecretId": "none" })),
            "ResourceNotFoundException",
        ),
        ("role: trust policy not JSON", case("iam:CreateRole", bad_trust), "MalformedPolicyDocument"),
        ("role: absent", case("iam:GetRole", json!({ "RoleName": "none" })), "NoSuchEntity"),
        (
            "policy: attached but absent",
            case(
                "iam:AttachRolePolicy",
                json!({ "RoleName": "AWSServiceRoleForSupport", "PolicyArn": "arn:aws:iam::210987654321:policy/none" }),
            ),
            "NoSuchEntity",
        ),
    ]
}
