//! IAM: roles, policies, providers, simulation. Through the wire where XML matters, past it elsewhere.

use aws_sim::AwsSim;
use serde_json::{Value, json};

use crate::client::{ACCOUNT, element, query, start};

fn trust() -> String {
    let statement = json!({ "Effect": "Allow", "Principal": { "Service": "ec2.amazonaws.com" }, "Action": "sts:AssumeRole" });
    json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string()
}

fn allow(actions: &[&str], resource: &str) -> String {
    let statement = json!({ "Effect": "Allow", "Action": actions, "Resource": resource });
    json!({ "Version": "2012-10-17", "Statement": [statement] }).to_string()
}

fn node(aws: &AwsSim) {
    aws.call("iam:CreateRole", json!({ "RoleName": "node", "AssumeRolePolicyDocument": trust() })).unwrap();
}

/// The code of the error that a call ends in.
fn code(aws: &AwsSim, action: &str, input: Value) -> String {
    aws.call(action, input).unwrap_err().split(':').next().unwrap().to_owned()
}

#[test]
fn roles_come_in_xml_with_their_trust_encoded() {
    let aws = start();
    let form = "Action=CreateRole&RoleName=node&Path=%2Fteam%2F&Tags.member.1.Key=a&Tags.member.1.Value=b+c\
                &AssumeRolePolicyDocument=%7B%22Statement%22%3A%7B%22Effect%22%3A%22Allow%22%2C%22Principal%22%3A%22*%22%2C%22Action%22%3A%22sts%3AAssumeRole%22%7D%7D";
    let created = query(&aws, "iam", form);
    assert_eq!(created.status, 200, "{}", created.body);
    assert_eq!(element(&created.body, "Arn"), format!("arn:aws:iam::{ACCOUNT}:role/team/node"));
    assert!(element(&created.body, "AssumeRolePolicyDocument").starts_with("%7B%22Statement%22"));
    assert!(element(&created.body, "CreateDate").ends_with('Z'));
    assert!(created.body.contains("<CreateRoleResult><Role>"), "{}", created.body);
    assert_eq!(
        aws.snapshot()[ACCOUNT]["iam"]["roles"]["node"]["Tags"],
        json!([{ "Key": "a", "Value": "b c" }])
    );
    let missing = query(&aws, "iam", "Action=GetRole&RoleName=other");
    assert_eq!((missing.status, element(&missing.body, "Code")), (404, "NoSuchEntity".to_owned()));
    let bad = query(&aws, "iam", "Action=GetRole&RoleName=a%20b");
    assert_eq!((bad.status, element(&bad.body, "Code")), (400, "ValidationError".to_owned()));
    let unknown = query(&aws, "iam", "Action=CreateUser&UserName=a");
    assert_eq!((unknown.status, element(&unknown.body, "Code")), (400, "InvalidAction".to_owned()));
}

#[test]
fn a_role_with_policies_is_not_deleted() {
    let aws = start();
    node(&aws);
    let inline = json!({ "RoleName": "node", "PolicyName": "pull", "PolicyDocument": allow(&["ecr:BatchGetImage"], "*") });
    aws.call("iam:PutRolePolicy", inline).unwrap();
    assert_eq!(code(&aws, "iam:DeleteRole", json!({ "RoleName": "node" })), "DeleteConflict");
    let listed = aws.call("iam:ListRolePolicies", json!({ "RoleName": "node" })).unwrap();
    assert_eq!(listed["PolicyNames"], json!(["pull"]));
    aws.call("iam:DeleteRolePolicy", json!({ "RoleName": "node", "PolicyName": "pull" })).unwrap();
    let attached = json!({ "RoleName": "node", "PolicyArn": "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly" });
    aws.call("iam:AttachRolePolicy", attached.clone()).unwrap();
    assert_eq!(code(&aws, "iam:DeleteRole", json!({ "RoleName": "node" })), "DeleteConflict");
    aws.call("iam:DetachRolePolicy", attached.clone()).unwrap();
    assert_eq!(code(&aws, "iam:DetachRolePolicy", attached), "NoSuchEntity");
    aws.call("iam:DeleteRole", json!({ "RoleName": "node" })).unwrap();
    assert_eq!(aws.snapshot(), json!({}));
}

#[test]
fn documents_that_are_none_are_malformed() {
    let aws = start();
    node(&aws);
    for document in [
        "{",
        r#"{"Statement":[]}"#,
        r#"{"Version":"2020-01-01","Statement":[{"Effect":"Allow","Action":"ecr:*","Resource":"*"}]}"#,
        r#"{"Statement":[{"Effect":"Permit","Action":"ecr:*","Resource":"*"}]}"#,
        r#"{"Statement":[{"Effect":"Allow","Resource":"*"}]}"#,
        r#"{"Statement":[{"Effect":"Allow","Action":"ecr:*"}]}"#,
        r#"{"Statement":[{"Effect":"Allow","Action":"BatchGetImage","Resource":"*"}]}"#,
        r#"{"Statement":[{"Effect":"Allow","Action":"ecr:*","Resource":"repository/ghcr"}]}"#,
        r#"{"Statement":[{"Effect":"Allow","Principal":"*","Action":"ecr:*","Resource":"*"}]}"#,
    ] {
        let input = json!({ "PolicyName": "bad", "PolicyDocument": document });
        assert_eq!(code(&aws, "iam:CreatePolicy", input), "MalformedPolicyDocument", "{document}");
    }
    let trust = json!({ "RoleName": "node", "PolicyDocument": allow(&["sts:AssumeRole"], "*") });
    assert_eq!(
        code(&aws, "iam:UpdateAssumeRolePolicy", trust),
        "MalformedPolicyDocument",
        "a trust policy without principal"
    );
}

#[test]
fn a_policy_has_five_versions_and_goes_with_its_last() {
    let aws = start();
    node(&aws);
    let made = json!({ "PolicyName": "pull", "PolicyDocument": allow(&["ecr:BatchGetImage"], "*"), "Path": "/team/" });
    let arn = aws.call("iam:CreatePolicy", made.clone()).unwrap()["Policy"]["Arn"].clone();
    assert_eq!(arn, format!("arn:aws:iam::{ACCOUNT}:policy/team/pull"));
    assert_eq!(code(&aws, "iam:CreatePolicy", made), "EntityAlreadyExists");
    let version = |action: &str| json!({ "PolicyArn": arn, "PolicyDocument": allow(&[action], "*"), "SetAsDefault": true });
    for action in ["ecr:A", "ecr:B", "ecr:C", "ecr:D"] {
        aws.call("iam:CreatePolicyVersion", version(action)).unwrap();
    }
    assert_eq!(code(&aws, "iam:CreatePolicyVersion", version("ecr:E")), "LimitExceeded");
    let named = |id: &str| json!({ "PolicyArn": arn, "VersionId": id });
    assert_eq!(code(&aws, "iam:DeletePolicyVersion", named("v5")), "DeleteConflict");
    let document =
        aws.call("iam:GetPolicyVersion", named("v5")).unwrap()["PolicyVersion"]["Document"].clone();
    assert!(document.as_str().unwrap().contains("ecr%3AD"), "{document}");
    assert_eq!(code(&aws, "iam:DeletePolicy", json!({ "PolicyArn": arn })), "DeleteConflict");
    for id in ["v1", "v2", "v3", "v4"] {
        aws.call("iam:DeletePolicyVersion", named(id)).unwrap();
    }
    aws.call("iam:AttachRolePolicy", json!({ "RoleName": "node", "PolicyArn": arn })).unwrap();
    assert_eq!(
        aws.call("iam:GetPolicy", json!({ "PolicyArn": arn })).unwrap()["Policy"]["AttachmentCount"],
        1
    );
    let entities = aws.call("iam:ListEntitiesForPolicy", json!({ "PolicyArn": arn })).unwrap();
    assert_eq!(entities["PolicyRoles"][0]["RoleName"], "node");
    assert_eq!(code(&aws, "iam:DeletePolicy", json!({ "PolicyArn": arn })), "DeleteConflict");
    aws.call("iam:DetachRolePolicy", json!({ "RoleName": "node", "PolicyArn": arn })).unwrap();
    aws.call("iam:DeletePolicy", json!({ "PolicyArn": arn })).unwrap();
    assert_eq!(code(&aws, "iam:GetPolicy", json!({ "PolicyArn": arn })), "NoSuchEntity");
}

#[test]
fn local_policies_are_listed_apart_from_those_of_aws() {
    let aws = start();
    aws.call("iam:CreatePolicy", json!({ "PolicyName": "pull", "PolicyDocument": allow(&["ecr:*"], "*") }))
        .unwrap();
    let count = |scope: &str| {
        let listed = aws.call("iam:ListPolicies", json!({ "Scope": scope })).unwrap();
        listed["Policies"].as_array().unwrap().len()
    };
    assert_eq!(count("Local"), 1);
    assert_eq!(count("All"), count("AWS") + 1);
    let page = aws.call("iam:ListPolicies", json!({ "MaxItems": 1 })).unwrap();
    assert_eq!(page["IsTruncated"], true);
    let rest = aws.call("iam:ListPolicies", json!({ "Marker": page["Marker"] })).unwrap();
    assert_eq!(rest["Policies"].as_array().unwrap().len(), count("All") - 1);
}

#[test]
fn service_linked_roles_are_aws_s() {
    let aws = start();
    let create = json!({ "AWSServiceName": "pullthroughcache.ecr.amazonaws.com" });
    aws.call("iam:CreateServiceLinkedRole", create.clone()).unwrap();
    let taken = aws.call("iam:CreateServiceLinkedRole", create).unwrap_err();
    assert!(
        taken.starts_with(
            "InvalidInput: Service role name AWSServiceRoleForECRPullThroughCache has been taken"
        ),
        "{taken}"
    );
    let name = json!({ "RoleName": "AWSServiceRoleForECRPullThroughCache" });
    assert_eq!(code(&aws, "iam:DeleteRole", name), "UnmodifiableEntity");
}

#[test]
fn providers_are_made_once() {
    let aws = start();
    let input = json!({ "Url": "https://token.actions.githubusercontent.com", "ClientIDList": ["sts.amazonaws.com"] });
    let arn = aws.call("iam:CreateOpenIDConnectProvider", input.clone()).unwrap()["OpenIDConnectProviderArn"]
        .clone();
    assert_eq!(arn, format!("arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com"));
    assert_eq!(code(&aws, "iam:CreateOpenIDConnectProvider", input), "EntityAlreadyExists");
    let got = aws.call("iam:GetOpenIDConnectProvider", json!({ "OpenIDConnectProviderArn": arn })).unwrap();
    assert_eq!(got["Url"], "token.actions.githubusercontent.com");
    let listed = query(&aws, "iam", "Action=ListOpenIDConnectProviders");
    assert_eq!(element(&listed.body, "Arn"), arn.as_str().unwrap());
}

#[test]
fn a_simulation_asks_inline_attached_and_given_policies() {
    let aws = start();
    node(&aws);
    let pull = allow(&["ecr:BatchGetImage"], &format!("arn:aws:ecr:*:{ACCOUNT}:repository/ghcr/*"));
    aws.call(
        "iam:PutRolePolicy",
        json!({ "RoleName": "node", "PolicyName": "pull", "PolicyDocument": pull }),
    )
    .unwrap();
    let role = format!("arn:aws:iam::{ACCOUNT}:role/node");
    let ask = |action: &str, resource: &str| {
        let input = json!({ "PolicySourceArn": role, "ActionNames": [action], "ResourceArns": [resource] });
        aws.call("iam:SimulatePrincipalPolicy", input).unwrap()["EvaluationResults"][0].clone()
    };
    let inside = format!("arn:aws:ecr:eu-central-1:{ACCOUNT}:repository/ghcr/org/app");
    let allowed = ask("ecr:BatchGetImage", &inside);
    assert_eq!(allowed["EvalDecision"], "allowed");
    assert_eq!(allowed["MatchedStatements"][0]["SourcePolicyId"], "pull");
    assert_eq!(ask("ecr:BatchGetImage", &inside.replace("ghcr", "quay"))["EvalDecision"], "implicitDeny");
    assert_eq!(ask("ecr:BatchGetImage", "*")["EvalDecision"], "implicitDeny");
    let deny = json!({ "Statement": { "Effect": "Deny", "Action": "ecr:*", "Resource": "*" } }).to_string();
    aws.call(
        "iam:PutRolePolicy",
        json!({ "RoleName": "node", "PolicyName": "deny", "PolicyDocument": deny }),
    )
    .unwrap();
    assert_eq!(ask("ecr:BatchGetImage", &inside)["EvalDecision"], "explicitDeny");
    let missing =
        json!({ "PolicySourceArn": role.replace("node", "other"), "ActionNames": ["ecr:BatchGetImage"] });
    assert_eq!(code(&aws, "iam:SimulatePrincipalPolicy", missing), "NoSuchEntity");
    let session = json!({ "PolicySourceArn": "arn:aws:sts::123456789012:assumed-role/node/s", "ActionNames": ["ecr:X"] });
    assert_eq!(code(&aws, "iam:SimulatePrincipalPolicy", session), "InvalidInput");
}

#[test]
fn the_default_caller_may_everything_until_a_policy_says_otherwise() {
    let aws = start();
    let ask = || {
        let user = format!("arn:aws:iam::{ACCOUNT}:user/sim");
        let input = json!({ "PolicySourceArn": user, "ActionNames": ["ecr:CreatePullThroughCacheRule"] });
        aws.call("iam:SimulatePrincipalPolicy", input).unwrap()["EvaluationResults"][0]["EvalDecision"]
            .clone()
    };
    assert_eq!(ask(), "allowed");
    aws.add_user_policy("sim", serde_json::from_str(&allow(&["ecr:Describe*"], "*")).unwrap());
    assert_eq!(ask(), "implicitDeny");
}

#[test]
fn size_quotas_hold() {
    let aws = start();
    node(&aws);
    let actions: Vec<String> = (0..400).map(|index| format!("ecr:AnActionWithALongName{index}")).collect();
    let actions: Vec<&str> = actions.iter().map(String::as_str).collect();
    let managed = json!({ "PolicyName": "big", "PolicyDocument": allow(&actions, "*") });
    assert_eq!(code(&aws, "iam:CreatePolicy", managed), "LimitExceeded");
    let inline = json!({ "RoleName": "node", "PolicyName": "big", "PolicyDocument": allow(&actions, "*") });
    assert_eq!(code(&aws, "iam:PutRolePolicy", inline), "LimitExceeded");
}
