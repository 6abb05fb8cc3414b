//! `docs/aws-coverage.md`: what our simulation and two emulators do with every operation, and with bad requests.
//!
//! Each operation is called once with little but valid input, in an order in which what it needs is there. Our own
//! column is measured on every test run; those of ministack and moto by `aws_peers_coverage`, which needs
//! `.ci/peers aws`. `PULLTHRU_BLESS=1` writes what was measured into the page.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aws_sdk_ecr::error::ProvideErrorMetadata as _;
use aws_sim::{AwsSim, Settings};
use serde_json::{Value, json};

use super::config;
use super::peers::{exchange, ministack, moto};

const REGION: &str = "eu-central-1";

/// What fakecloud 0.51.0 was seen to do on 2026-11-20, by hand with boto3; whatever is not here was not tried.
const FAKECLOUD: [(&str, &str); 8] = [
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
         secretsmanager:RestoreSecret sts:GetCallerIdentity kms:CreateAlias kms:CreateKey kms:GetKeyPolicy",
    ),
    (
        "works",
        "iam:AttachRolePolicy iam:CreatePolicy iam:CreatePolicyVersion iam:CreateRole iam:GetRolePolicy \
         iam:PutRolePolicy iam:SimulatePrincipalPolicy ec2:DescribeVpcEndpoints",
    ),
    ("works; not under its real name", "iam:CreateServiceLinkedRole"),
];

/// A call: action, input, and what of its answer later calls need (`$name` in their input).
struct Case {
    action: &'static str,
    input: Value,
    keeps: Option<(&'static str, &'static str)>,
}

fn case(action: &'static str, input: Value) -> Case {
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

fn policy(principal: Option<&str>, action: &str, resource: Option<&str>) -> String {
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

fn cases() -> Vec<Case> {
    let app = || json!({ "repositoryName": "app" });
    let with = |mut input: Value, name: &str, value: Value| {
        input[name] = value;
        input
    };
    let image = json!([{ "imageTag": "v1" }]);
    let secret = || json!({ "SecretId": "ecr-pullthroughcache/ghcr" });
    let key = || json!({ "KeyId": "$key" });
    let role = || json!({ "RoleName": "node" });
    let managed = || json!({ "PolicyArn": "$policy" });
    let provider = || json!({ "OpenIDConnectProviderArn": "$provider" });
    let trust = policy(Some("*"), "sts:AssumeRole", None);
    let read = policy(None, "ecr:BatchGetImage", Some("*"));
    let key_tags = json!([{ "TagKey": "a", "TagValue": "b" }]);
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
        case("kms:CreateKey", json!({ "Description": "repositories" })).keep("key", "KeyId"),
        case("kms:DescribeKey", key()),
        case("kms:GetKeyPolicy", with(key(), "PolicyName", "default".into())).keep("keypolicy", "Policy"),
        case("kms:PutKeyPolicy", with(with(key(), "PolicyName", "default".into()), "Policy", "$keypolicy".into())),
        case("kms:EnableKeyRotation", key()),
        case("kms:GetKeyRotationStatus", key()),
        case("kms:TagResource", with(key(), "Tags", key_tags)),
        case("kms:ListResourceTags", key()),
        case("kms:UntagResource", with(key(), "TagKeys", json!(["a"]))),
        case("kms:CreateAlias", json!({ "AliasName": "alias/app", "TargetKeyId": "$key" })),
        case("kms:ListAliases", json!({})),
        case("kms:DeleteAlias", json!({ "AliasName": "alias/app" })),
        case("kms:DisableKey", key()),
        case("kms:EnableKey", key()),
        case("kms:ScheduleKeyDeletion", with(key(), "PendingWindowInDays", 7.into())),
        case("kms:CancelKeyDeletion", key()),
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
        case("ec2:DescribeVpcEndpoints", json!({ "Filter": [{ "Name": "service-name", "Value": ["com.amazonaws.eu-central-1.ecr.api"] }] })),
    ]
}

/// Bad requests: what is wrong, the call, and how AWS answers.
fn refusals() -> Vec<(&'static str, Case, &'static str)> {
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
        (
            "key: absent",
            case("kms:DescribeKey", json!({ "KeyId": "00000000-0000-4000-8000-000000000000" })),
            "NotFoundException",
        ),
    ]
}

/// Something that speaks AWS's protocols.
struct Endpoint {
    host: String,
    kept: BTreeMap<String, String>,
}

impl Endpoint {
    /// The status and body of a call.
    fn call(&mut self, case: &Case) -> (u16, String) {
        let mut input = case.input.to_string();
        for (name, value) in &self.kept {
            // As a JSON string, without its quotes.
            let quoted = Value::from(value.as_str()).to_string();
            input = input.replace(&format!("\"${name}\""), &quoted);
        }
        let input: Value = serde_json::from_str(&input).unwrap();
        let (service, operation) = case.action.split_once(':').unwrap();
        let target = match service {
            "ecr" => Some("AmazonEC2ContainerRegistry_V20150921"),
            "secretsmanager" => Some("secretsmanager"),
            "kms" => Some("TrentService"),
            _ => None,
        };
        let mut headers = format!(
            "Authorization: AWS4-HMAC-SHA256 Credential=test/20261121/{REGION}/{service}/aws4_request, \
             SignedHeaders=host, Signature=0\r\nX-Amz-Date: 20261121T000000Z\r\n"
        );
        let body = match target {
            Some(target) => {
                headers.push_str(&format!(
                    "X-Amz-Target: {target}.{operation}\r\nContent-Type: application/x-amz-json-1.1\r\n"
                ));
                input.to_string()
            }
            None => {
                headers.push_str("Content-Type: application/x-www-form-urlencoded\r\n");
                let version = match service {
                    "iam" => "2010-05-08",
                    "sts" => "2011-06-15",
                    _ => "2016-11-15",
                };
                let mut form = format!("Action={operation}&Version={version}");
                flatten(&input, "", if service == "ec2" { "" } else { ".member" }, &mut form);
                form
            }
        };
        let reply = exchange(&self.host, "POST", "/", &headers, &body).unwrap_or_default();
        if let Some((name, member)) = case.keeps
            && let Some(value) = member_of(&reply.1, member)
        {
            self.kept.insert(name.to_owned(), value);
        }
        reply
    }

    /// What it does with every operation, by action.
    fn coverage(&mut self) -> BTreeMap<&'static str, String> {
        cases().iter().map(|case| (case.action, outcome(&self.call(case)))).collect()
    }

    /// What it does with every bad request, by what is wrong.
    fn refusals(&mut self) -> BTreeMap<&'static str, String> {
        let identity = self.call(&case("sts:GetCallerIdentity", json!({})));
        let account = member_of(&identity.1, "Account").unwrap_or_default();
        self.kept.insert("account".to_owned(), account);
        self.call(&case("secretsmanager:CreateSecret", json!({ "Name": "waiting" })));
        self.call(&case("secretsmanager:DeleteSecret", json!({ "SecretId": "waiting" })));
        let refusals = refusals();
        let told = refusals.iter().map(|(what, case, wanted)| {
            let (status, body) = self.call(case);
            let found = code(&body).unwrap_or_default();
            let told = match outcome(&(status, body)).as_str() {
                "works" => "accepted".to_owned(),
                "not implemented" => "not implemented".to_owned(),
                _ if found == *wanted => "as AWS".to_owned(),
                other => other.to_owned(),
            };
            (*what, told)
        });
        told.collect()
    }
}

/// Puts a value into a form: members by `.`, items of a list by their number after `list`.
fn flatten(value: &Value, at: &str, list: &str, form: &mut String) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let at = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                flatten(value, &at, list, form);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                flatten(item, &format!("{at}{list}.{}", index + 1), list, form);
            }
        }
        other => {
            let text = other.as_str().map_or_else(|| other.to_string(), str::to_owned);
            let bytes = text.bytes().map(|byte| format!("%{byte:02X}"));
            form.push_str(&format!("&{at}={}", bytes.collect::<String>()));
        }
    }
}

/// The first member or element of that name, at any depth.
fn member_of(body: &str, name: &str) -> Option<String> {
    fn search(value: &Value, name: &str) -> Option<String> {
        match value {
            Value::Object(members) => {
                let own = members.get(name).and_then(Value::as_str).map(str::to_owned);
                own.or_else(|| members.values().find_map(|value| search(value, name)))
            }
            Value::Array(items) => items.iter().find_map(|item| search(item, name)),
            _ => None,
        }
    }
    match serde_json::from_str::<Value>(body) {
        Ok(value) => search(&value, name),
        Err(_) => {
            let (_, rest) = body.split_once(&format!("<{name}>"))?;
            Some(rest.split_once(&format!("</{name}>"))?.0.to_owned())
        }
    }
}

/// The code of an error: JSON's `__type` without its namespace, XML's `Code`.
fn code(body: &str) -> Option<String> {
    let code = member_of(body, "__type").or_else(|| member_of(body, "Code"))?;
    Some(code.rsplit('#').next().unwrap_or_default().to_owned())
}

/// What an answer says about the operation.
fn outcome((status, body): &(u16, String)) -> String {
    let unknown = ["InvalidAction", "UnknownOperationException", "NotImplemented", "UnsupportedOperation"];
    match (status, code(body)) {
        (200..=299, _) => "works".to_owned(),
        (_, Some(code)) if unknown.contains(&code.as_str()) => "not implemented".to_owned(),
        (_, Some(code)) => format!("refuses: `{code}`"),
        // moto's, of an operation that it has not: a page of HTML with the Python error.
        (500.., None) | (404, None) => "not implemented".to_owned(),
        (status, None) => format!("refuses: {status}"),
    }
}

fn own() -> AwsSim {
    AwsSim::start(Settings::default()).unwrap()
}

fn endpoint(url: &str) -> Endpoint {
    Endpoint { host: url.replace("http://", ""), kept: BTreeMap::new() }
}

fn page() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/aws-coverage.md")
}

/// The rows of a table of the page, by their first cell.
fn rows(mark: &str) -> BTreeMap<String, Vec<String>> {
    let text = std::fs::read_to_string(page()).unwrap();
    let (_, rest) = text.split_once(&format!("<!-- {mark} -->\n")).unwrap();
    let (table, _) = rest.split_once(&format!("<!-- end of {mark} -->\n")).unwrap();
    let cells = |line: &str| -> Vec<String> {
        line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect()
    };
    let rows = table.lines().skip(2).map(cells);
    rows.map(|row| (row[0].trim_matches('`').to_owned(), row[1..].to_vec())).collect()
}

/// Puts lines between two marks of the page.
fn bless(mark: &str, lines: &[String]) {
    let text = std::fs::read_to_string(page()).unwrap();
    let (start, end) = (format!("<!-- {mark} -->\n"), format!("<!-- end of {mark} -->\n"));
    let (before, rest) = text.split_once(&start).unwrap();
    let (_, after) = rest.split_once(&end).unwrap();
    std::fs::write(page(), format!("{before}{start}{}\n{end}{after}", lines.join("\n"))).unwrap();
}

#[test]
fn aws_coverage_own_works_throughout() {
    let aws = own();
    let measured = endpoint(&aws.url()).coverage();
    let simulated = aws_sim::actions();
    assert_eq!(
        measured.keys().collect::<Vec<_>>(),
        simulated.iter().collect::<Vec<_>>(),
        "a case for every action"
    );
    let failing: Vec<_> = measured.iter().filter(|(_, outcome)| *outcome != "works").collect();
    assert!(failing.is_empty(), "{failing:?}");
    let aws = own();
    let told = endpoint(&aws.url()).refusals();
    assert!(told.values().all(|outcome| outcome == "as AWS"), "{told:?}");
    if std::env::var_os("PULLTHRU_BLESS").is_none() {
        let listed: Vec<String> = rows("operations").into_keys().collect();
        assert_eq!(listed, simulated, "PULLTHRU_BLESS=1 and `aws_peers_coverage` renew the page");
    }
}

#[test]
#[ignore = "needs target/peers/aws"]
fn aws_peers_coverage() {
    let (aws, second) = (own(), own());
    let (mini, moto) = (ministack(false), moto());
    let own = endpoint(&aws.url()).coverage();
    let columns = [own, endpoint(&mini.url()).coverage(), endpoint(&moto.url()).coverage()];
    mini.reset();
    moto.reset();
    let refused =
        [endpoint(&second.url()), endpoint(&mini.url()), endpoint(&moto.url())].map(|mut one| one.refusals());
    if std::env::var_os("PULLTHRU_BLESS").is_some() {
        let mut lines = vec![
            "| operation | aws-sim | ministack | moto | fakecloud |".to_owned(),
            "|---|---|---|---|---|".to_owned(),
        ];
        for action in aws_sim::actions() {
            let cells: Vec<&str> = columns.iter().map(|column| column[action.as_str()].as_str()).collect();
            let known = FAKECLOUD.iter().find(|(_, actions)| actions.split(' ').any(|one| one == action));
            lines.push(format!(
                "| `{action}` | {} | {} |",
                cells.join(" | "),
                known.map_or("not tried", |(told, _)| told)
            ));
        }
        bless("operations", &lines);
        let mut lines = vec![
            "| bad request | AWS | aws-sim | ministack | moto |".to_owned(),
            "|---|---|---|---|---|".to_owned(),
        ];
        for (what, _, wanted) in refusals() {
            let cells: Vec<&str> = refused.iter().map(|column| column[what].as_str()).collect();
            lines.push(format!("| {what} | `{wanted}` | {} |", cells.join(" | ")));
        }
        bless("refusals", &lines);
    }
    for (action, cells) in rows("operations") {
        let measured: Vec<&String> = columns.iter().map(|column| &column[action.as_str()]).collect();
        assert_eq!(cells[..3].iter().collect::<Vec<_>>(), measured, "{action}");
    }
    let listed = rows("refusals");
    for (what, _, _) in refusals() {
        let measured: Vec<&String> = refused.iter().map(|column| &column[what]).collect();
        assert_eq!(listed[what][1..4].iter().collect::<Vec<_>>(), measured, "{what}");
    }
    println!("{} operations, {} bad requests", columns[0].len(), refused[0].len());
}

/// With `AUTH=true` ministack enforces policies on ECR: what a role has no right to is refused.
#[tokio::test]
#[ignore = "needs target/peers/aws"]
async fn aws_peers_ministack_enforces_policies() {
    let peer = ministack(true);
    let admin = config(&peer.url(), ["test", "test"], None).await;
    let iam = aws_sdk_iam::Client::new(&admin);
    let trust = policy(Some("*"), "sts:AssumeRole", None);
    let role = iam.create_role().role_name("reader").assume_role_policy_document(trust).send().await.unwrap();
    let read = policy(None, "ecr:Describe*", Some("*"));
    iam.put_role_policy().role_name("reader").policy_name("read").policy_document(read).send().await.unwrap();
    let sts = aws_sdk_sts::Client::new(&admin);
    let arn = role.role.unwrap().arn;
    let taken = sts.assume_role().role_arn(arn).role_session_name("test").send().await.unwrap();
    let taken = taken.credentials.unwrap();
    let keys = [taken.access_key_id.as_str(), taken.secret_access_key.as_str()];
    let reader = config(&peer.url(), keys, Some(taken.session_token.clone())).await;
    let ecr = aws_sdk_ecr::Client::new(&reader);
    ecr.describe_repositories().send().await.unwrap();
    let refused = ecr.create_repository().repository_name("app").send().await.unwrap_err();
    assert_eq!(refused.code(), Some("AccessDeniedException"));
    aws_sdk_ecr::Client::new(&admin).create_repository().repository_name("app").send().await.unwrap();
}
