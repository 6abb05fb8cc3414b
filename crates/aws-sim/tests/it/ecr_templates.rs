//! Repository creation templates.

use serde_json::{Value, json};

use crate::client::{call, code, start};

const CREATE: &str = "ecr:CreateRepositoryCreationTemplate";
const UPDATE: &str = "ecr:UpdateRepositoryCreationTemplate";
const DESCRIBE: &str = "ecr:DescribeRepositoryCreationTemplates";

fn template() -> Value {
    json!({ "prefix": "ghcr", "appliedFor": ["PULL_THROUGH_CACHE"] })
}

fn with(name: &str, value: Value) -> Value {
    let mut input = template();
    input[name] = value;
    input
}

fn lifecycle() -> String {
    let selection = json!({ "tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 10 });
    json!({ "rules": [{ "rulePriority": 1, "selection": selection, "action": { "type": "expire" } }] })
        .to_string()
}

#[test]
fn a_template_has_the_defaults_of_a_repository() {
    let aws = start();
    let created = call(&aws, CREATE, template()).unwrap();
    let made = &created["repositoryCreationTemplate"];
    assert_eq!(made["imageTagMutability"], "MUTABLE");
    assert_eq!(made["encryptionConfiguration"], json!({ "encryptionType": "AES256" }));
    assert_eq!(code(&aws, CREATE, template()), "TemplateAlreadyExistsException");
    let described = call(&aws, DESCRIBE, json!({ "prefixes": ["ghcr", "other"] })).unwrap();
    assert_eq!(
        described["repositoryCreationTemplates"].as_array().unwrap().len(),
        1,
        "no error for the other"
    );
    call(&aws, "ecr:DeleteRepositoryCreationTemplate", json!({ "prefix": "ghcr" })).unwrap();
    assert_eq!(aws.snapshot(), json!({}));
    let gone = code(&aws, "ecr:DeleteRepositoryCreationTemplate", json!({ "prefix": "ghcr" }));
    assert_eq!(gone, "TemplateNotFoundException");
}

#[test]
fn what_is_not_said_stays_in_an_update() {
    let aws = start();
    let mut input = with("lifecyclePolicy", lifecycle().into());
    input["description"] = "cached".into();
    call(&aws, CREATE, input).unwrap();
    let tags = json!([{ "Key": "team", "Value": "platform" }]);
    let update = json!({ "prefix": "ghcr", "resourceTags": tags, "description": "" });
    let updated = call(&aws, UPDATE, update).unwrap()["repositoryCreationTemplate"].clone();
    assert_eq!(updated["lifecyclePolicy"], lifecycle());
    assert_eq!(updated["resourceTags"], tags);
    assert_eq!(updated["description"], Value::Null, "an empty text takes it away");
    assert_eq!(code(&aws, UPDATE, json!({ "prefix": "quay" })), "TemplateNotFoundException");
}

#[test]
fn exclusion_filters_go_with_their_mutability() {
    let aws = start();
    let filters = json!([{ "filterType": "WILDCARD", "filter": "latest*" }]);
    let without = with("imageTagMutability", "IMMUTABLE_WITH_EXCLUSION".into());
    assert_eq!(code(&aws, CREATE, without.clone()), "InvalidParameterException");
    assert_eq!(
        code(&aws, CREATE, with("imageTagMutabilityExclusionFilters", filters.clone())),
        "InvalidParameterException"
    );
    let mut both = without;
    both["imageTagMutabilityExclusionFilters"] = filters;
    call(&aws, CREATE, both).unwrap();
    let mutable = json!({ "prefix": "ghcr", "imageTagMutability": "MUTABLE" });
    let updated = call(&aws, UPDATE, mutable).unwrap()["repositoryCreationTemplate"].clone();
    assert_eq!(updated["imageTagMutabilityExclusionFilters"], Value::Null);
}

#[test]
fn what_ecr_could_not_apply_is_refused() {
    let aws = start();
    for input in [
        with("prefix", "Ghcr".into()),
        with("appliedFor", json!(["PUSH"])),
        with("lifecyclePolicy", "{}".into()),
        with("repositoryPolicy", "{".into()),
        with("customRoleArn", "arn:aws:iam::210987654321:role/other".into()),
        with("encryptionConfiguration", json!({ "encryptionType": "KMS", "kmsKey": "alias/mine" })),
        with("encryptionConfiguration", json!({ "encryptionType": "KMS_DSSE" })),
        json!({ "prefix": "ghcr" }),
    ] {
        assert_eq!(code(&aws, CREATE, input.clone()), "InvalidParameterException", "{input}");
    }
}

#[test]
fn tags_or_kms_without_a_role_are_taken() {
    let aws = start();
    let mut input = with("encryptionConfiguration", json!({ "encryptionType": "KMS" }));
    input["resourceTags"] = json!([{ "Key": "team", "Value": "platform" }]);
    call(&aws, CREATE, input).unwrap();
}
