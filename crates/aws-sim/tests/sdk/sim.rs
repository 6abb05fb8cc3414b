//! The simulation of AWS through the real SDK: what its own tests do not see is whether the SDK reads it.

use aws_config::SdkConfig;
use aws_sdk_ecr::error::ProvideErrorMetadata as _;
use aws_sim::{AwsSim, Fault, On, Settings};
use serde_json::json;

fn start() -> AwsSim {
    AwsSim::start(Settings::default()).unwrap()
}

async fn config(aws: &AwsSim) -> SdkConfig {
    super::config(&aws.url(), ["AKIAIOSFODNN7EXAMPLE", "secret"], None).await
}

#[tokio::test]
async fn aws_sim_serves_rules_and_secrets() {
    let aws = start();
    let config = config(&aws).await;
    let secrets = aws_sdk_secretsmanager::Client::new(&config);
    let secret = secrets
        .create_secret()
        .name("ecr-pullthroughcache/ghcr")
        .secret_string(r#"{"username":"octocat","accessToken":"ghp_1"}"#)
        .send()
        .await
        .unwrap();
    let ecr = aws_sdk_ecr::Client::new(&config);
    let rule = ecr
        .create_pull_through_cache_rule()
        .ecr_repository_prefix("ghcr")
        .upstream_registry_url("ghcr.io")
        .set_credential_arn(secret.arn)
        .send()
        .await
        .unwrap();
    assert_eq!(rule.upstream_registry.unwrap().as_str(), "github-container-registry");
    assert!(rule.created_at.unwrap().secs() > 1_700_000_000);
    let valid = ecr.validate_pull_through_cache_rule().ecr_repository_prefix("ghcr").send().await.unwrap();
    assert!(valid.is_valid);
    let described = secrets.describe_secret().secret_id("ecr-pullthroughcache/ghcr").send().await.unwrap();
    assert_eq!(described.version_ids_to_stages.unwrap().len(), 1);
    let missing =
        ecr.delete_pull_through_cache_rule().ecr_repository_prefix("quay").send().await.unwrap_err();
    assert!(missing.into_service_error().is_pull_through_cache_rule_not_found_exception());
}

#[tokio::test]
async fn aws_sim_serves_identities_roles_and_simulations() {
    let aws = start();
    let config = config(&aws).await;
    let identity = aws_sdk_sts::Client::new(&config).get_caller_identity().send().await.unwrap();
    assert_eq!(identity.account.unwrap(), "123456789012");
    let iam = aws_sdk_iam::Client::new(&config);
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{ "Effect": "Allow", "Principal": { "Service": "ec2.amazonaws.com" }, "Action": "sts:AssumeRole" }],
    });
    let tag = aws_sdk_iam::types::Tag::builder().key("managed-by").value("pullthru").build().unwrap();
    let created = iam
        .create_role()
        .role_name("node")
        .assume_role_policy_document(trust.to_string())
        .tags(tag)
        .send()
        .await
        .unwrap();
    assert!(created.role.unwrap().assume_role_policy_document.unwrap().starts_with("%7B%22"));
    let pull_only = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly";
    iam.attach_role_policy().role_name("node").policy_arn(pull_only).send().await.unwrap();
    let simulated = iam
        .simulate_principal_policy()
        .policy_source_arn("arn:aws:iam::123456789012:role/node")
        .action_names("ecr:BatchImportUpstreamImage")
        .action_names("ecr:CreateRepository")
        .send()
        .await
        .unwrap();
    let decisions: Vec<String> = simulated
        .evaluation_results()
        .iter()
        .map(|result| result.eval_decision.as_str().to_owned())
        .collect();
    assert_eq!(decisions, ["allowed", "implicitDeny"]);
    let missing = iam.get_role().role_name("other").send().await.unwrap_err();
    assert!(missing.into_service_error().is_no_such_entity_exception());
}

#[tokio::test]
async fn aws_sim_faults_are_what_the_sdk_takes_them_for() {
    let aws = start();
    let config = config(&aws).await;
    let ecr = aws_sdk_ecr::Client::new(&config);
    // Retried by the SDK: throttling, a server's error, a reset.
    for fault in [Fault::Throttle, Fault::ServerError, Fault::Unavailable, Fault::Reset] {
        aws.clear_requests();
        aws.faults().add(On::action("ecr:DescribeRegistry").times(2), fault.clone());
        ecr.describe_registry().send().await.unwrap_or_else(|error| panic!("{fault:?}: {error:?}"));
        assert_eq!(aws.actions().len(), 3, "{fault:?}");
        aws.faults().clear();
    }
    for (fault, code) in [(Fault::Deny, "AccessDeniedException"), (Fault::Expired, "ExpiredTokenException")] {
        aws.clear_requests();
        aws.faults().add(On::any(), fault);
        let error = ecr.describe_registry().send().await.unwrap_err();
        assert_eq!(error.code(), Some(code));
        assert_eq!(aws.actions().len(), 1, "{code} is not retried");
        aws.faults().clear();
    }
    // The same in XML.
    aws.faults().add(On::action("iam:*"), Fault::Deny);
    let error = aws_sdk_iam::Client::new(&config).get_role().role_name("node").send().await.unwrap_err();
    assert_eq!(error.code(), Some("AccessDenied"));
    let wording = "User: arn:aws:iam::123456789012:user/sim is not authorized to perform: iam:GetRole on resource: \
                   arn:aws:iam::123456789012:role/node because no identity-based policy allows the iam:GetRole action";
    assert_eq!(error.message(), Some(wording));
}
