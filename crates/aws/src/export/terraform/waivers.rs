//! Comments by which checkov and trivy leave out what ECR gives no choice about, each with its reason. Which findings these are
//! was asked of both programs (`export_terraform_passes_…`).

use serde_json::Value;

/// In a secret's block, for checkov.
pub(super) const SECRET: &str = "checkov:skip=CKV_AWS_149:ECR reads no secret under a customer's key
checkov:skip=CKV2_AWS_57:upstreams have no rotation by AWS; raise the token's version";

/// Above a secret.
pub(super) const SECRET_KEY: &str =
    "With the key that AWS manages for Secrets Manager: ECR cannot read secrets under another one.
trivy:ignore:AVD-AWS-0098";

/// Above a policy by which templates and rules get their roles.
pub(super) const PASS_ROLE: &str =
    "ECR takes a role only from who may pass it: these roles alone, and to ECR alone.
trivy:ignore:AVD-AWS-0342";

/// Above the policies of repositories.
pub(super) const ORGANIZATION: &str =
    "An organization is a condition on every principal: scanners see the principal alone.
trivy:ignore:AVD-AWS-0032";

/// Does a document let its holder pass a role?
pub(super) fn passes_a_role(document: &Value) -> bool {
    let passes = |action: &Value| action == "iam:PassRole";
    statements(document).any(|statement| match statement.get("Action") {
        Some(Value::Array(actions)) => actions.iter().any(passes),
        action => action.is_some_and(passes),
    })
}

/// Are some of these documents open to everybody of an organization, and none to everybody else?
pub(super) fn is_for_an_organization<'d>(documents: impl Iterator<Item = &'d Value>) -> bool {
    let is_star = |value: &Value| value == "*";
    let everybody = |principal: &Value| match principal.get("AWS") {
        Some(Value::Array(principals)) => principals.iter().any(is_star),
        Some(one) => is_star(one),
        None => is_star(principal),
    };
    let is_open = |statement: &&Value| statement.get("Principal").is_some_and(everybody);
    let mut open = documents.flat_map(statements).filter(is_open).peekable();
    let of_organization = |statement: &Value| {
        statement.pointer("/Condition/StringEquals/aws:PrincipalOrgID").is_some_and(Value::is_string)
    };
    open.peek().is_some() && open.all(of_organization)
}

fn statements(document: &Value) -> impl Iterator<Item = &Value> {
    document.get("Statement").and_then(Value::as_array).into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_condition_of_an_organization_waives_a_public_principal() {
        let organization = json!({ "StringEquals": { "aws:PrincipalOrgID": "o-abcde12345" } });
        let of = |principal: Value, condition: Value| json!({ "Statement": [{ "Principal": principal, "Action": "ecr:BatchGetImage", "Condition": condition }] });
        let accounts = of(json!({ "AWS": ["arn:aws:iam::210987654321:root"] }), json!({}));
        for everybody in [json!("*"), json!({ "AWS": "*" }), json!({ "AWS": ["*"] })] {
            let (guarded, open) = (
                of(everybody.clone(), organization.clone()),
                of(everybody, json!({ "Bool": { "aws:SecureTransport": "true" } })),
            );
            assert!(is_for_an_organization([&accounts, &guarded].into_iter()));
            assert!(!is_for_an_organization([&guarded, &open].into_iter()));
        }
        assert!(!is_for_an_organization([&accounts].into_iter()));
    }
}
