//! AWS's own managed policies, those about ECR: their documents as zoph-io/MAMIP has them (snapshot of 2026-03-07).

use serde_json::{Value, json};

/// What a node needs to read.
const READ: [&str; 12] = [
    "ecr:GetAuthorizationToken",
    "ecr:BatchCheckLayerAvailability",
    "ecr:GetDownloadUrlForLayer",
    "ecr:GetRepositoryPolicy",
    "ecr:DescribeRepositories",
    "ecr:ListImages",
    "ecr:DescribeImages",
    "ecr:BatchGetImage",
    "ecr:GetLifecyclePolicy",
    "ecr:GetLifecyclePolicyPreview",
    "ecr:ListTagsForResource",
    "ecr:DescribeImageScanFindings",
];
const PUSH: [&str; 4] =
    ["ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:PutImage"];
const PULL: [&str; 4] = [
    "ecr:BatchGetImage",
    "ecr:BatchImportUpstreamImage",
    "ecr:GetAuthorizationToken",
    "ecr:GetDownloadUrlForLayer",
];
const TASK: [&str; 6] = [
    "ecr:GetAuthorizationToken",
    "ecr:BatchCheckLayerAvailability",
    "ecr:GetDownloadUrlForLayer",
    "ecr:BatchGetImage",
    "logs:CreateLogStream",
    "logs:PutLogEvents",
];

/// Paths and names.
const NAMES: [&str; 6] = [
    "AdministratorAccess",
    "AmazonEC2ContainerRegistryFullAccess",
    "AmazonEC2ContainerRegistryPowerUser",
    "AmazonEC2ContainerRegistryPullOnly",
    "AmazonEC2ContainerRegistryReadOnly",
    "service-role/AmazonECSTaskExecutionRolePolicy",
];

/// The ARNs of those that are known.
pub(super) fn arns() -> impl Iterator<Item = &'static str> {
    static ARNS: std::sync::OnceLock<Vec<String>> = std::sync::OnceLock::new();
    ARNS.get_or_init(|| NAMES.iter().map(|name| format!("arn:aws:iam::aws:policy/{name}")).collect())
        .iter()
        .map(String::as_str)
}

/// The document of one.
pub(super) fn document(arn: &str) -> Option<Value> {
    let (partition, name) = arn.split_once(":iam::aws:policy/")?;
    if !partition.starts_with("arn:aws") {
        return None;
    }
    let actions = match name {
        "AdministratorAccess" => json!("*"),
        "AmazonEC2ContainerRegistryFullAccess" => json!(["ecr:*", "cloudtrail:LookupEvents"]),
        "AmazonEC2ContainerRegistryPowerUser" => json!([&READ[..], &PUSH[..]].concat()),
        "AmazonEC2ContainerRegistryPullOnly" => json!(PULL),
        "AmazonEC2ContainerRegistryReadOnly" => json!(READ),
        "service-role/AmazonECSTaskExecutionRolePolicy" => json!(TASK),
        _ => return None,
    };
    Some(json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Action": actions, "Resource": "*" }],
    }))
}

/// As GetPolicy has it.
pub(super) fn detail(arn: &str) -> Value {
    let name = arn.split(":policy/").nth(1).unwrap_or_default();
    let (path, name) =
        name.rsplit_once('/').map_or(("/".to_owned(), name), |(path, name)| (format!("/{path}/"), name));
    json!({
        "Arn": arn,
        "AttachmentCount": 0,
        "CreateDate": 1_700_000_000,
        "DefaultVersionId": "v1",
        "IsAttachable": true,
        "Path": path,
        "PolicyId": "ANPASIMULATEDMANAGED1",
        "PolicyName": name,
        "UpdateDate": 1_700_000_000,
    })
}
