//! The documents of IAM: those of identities by parliament, those with principals by cfn-lint, inside a template.

use std::fs;
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::judges::{cfn_lint, policies};
use super::{FIXTURES, Fixture};

/// The files of identity policies.
fn identity(fixture: &Fixture) -> Vec<PathBuf> {
    let entries = fs::read_dir(fixture.path("iam")).unwrap().map(|entry| entry.unwrap().path());
    let of_identity = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        !name.ends_with(".trust.json") && !name.ends_with(".resource.json")
    };
    entries.filter(of_identity).collect()
}

#[test]
fn a_file_for_each_document() {
    let fixture = Fixture::new("full");
    fixture.exported(&["iam", "--out", "iam"]);
    let mut names: Vec<String> = fs::read_dir(fixture.path("iam"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "ci-push.json",
            "doctor.json",
            "ecr-templates.repositories.json",
            "ecr-templates.trust.json",
            "github-push.trust.json",
            "key.ecr-own.resource.json",
            "node-pull.json",
            "provision.json",
            "pull-only.json",
            "registry.resource.json",
            "scan.json",
        ]
    );
    let all: Value = serde_json::from_str(&fixture.exported(&["iam", "--out", "-"])).unwrap();
    assert_eq!(all["schema"], "pullthru/iam/v1");
    let one: Value = serde_json::from_str(&fixture.exported(&["iam", "--policy", "node-pull"])).unwrap();
    assert_eq!(all["policies"]["node-pull"], one);
    assert_eq!(serde_json::from_str::<Value>(&fixture.read("iam/node-pull.json")).unwrap(), one);
}

#[test]
#[ignore = "needs `.ci/peers aws-export`"]
fn export_iam_policies_pass_parliament() {
    for name in FIXTURES {
        let fixture = Fixture::new(name);
        fixture.exported(&["iam", "--out", "iam"]);
        let files = identity(&fixture);
        assert!(files.len() >= 5);
        let run = policies(&files);
        assert_eq!((run.code, run.out.as_str()), (0, ""), "{name}: {}", run.err);
    }
}

#[test]
#[ignore = "needs `.ci/peers aws-export`"]
fn export_iam_mistakes_are_seen() {
    let fixture = Fixture::new("full");
    fixture.exported(&["iam", "--out", "iam"]);
    for (file, right, wrong, expected) in [
        ("node-pull", "ecr:BatchGetImage", "ecr:BatchGetImages", "UNKNOWN_ACTION"),
        ("provision", "ecr:ValidatePullThroughCacheRule", "ecr:ValidatePullThroughRule", "UNKNOWN_ACTION"),
        ("scan", "arn:aws:ecr:", "arn:aws:ecs:", "RESOURCE_MISMATCH"),
        ("provision", "iam:AWSServiceName", "iam:ServiceName", "UNKNOWN_CONDITION_FOR_ACTION"),
        ("ecr-templates.repositories", "kms:CreateGrant", "kms:CreateGrants", "UNKNOWN_ACTION"),
        ("ci-push", "\"Allow\"", "\"Alow\"", "MALFORMED"),
        ("pull-only", "2012-10-17", "2012-10-16", "INVALID_VERSION"),
    ] {
        let path = fixture.path(&format!("iam/{file}.json"));
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(right), "{file} has no {right}");
        fs::write(&path, text.replace(right, wrong)).unwrap();
        let run = policies(std::slice::from_ref(&path));
        assert!(run.code == 1 && run.out.contains(expected), "{wrong}: {}{}", run.out, run.err);
        fs::write(&path, text).unwrap();
    }
}

/// Each document where CloudFormation has it: policies, trust, keys and the registry.
#[test]
#[ignore = "needs `.ci/peers aws-export`"]
fn export_iam_documents_pass_cfn_lint() {
    for name in FIXTURES {
        let fixture = Fixture::new(name);
        let all: Value = serde_json::from_str(&fixture.exported(&["iam", "--out", "-"])).unwrap();
        let whole = template(&all);
        let judge = |template: &Value| {
            fs::write(fixture.path("t.json"), template.to_string()).unwrap();
            cfn_lint(&fixture.path("t.json"), "ca-central-1")
        };
        let run = judge(&whole);
        assert_eq!((run.code, run.out.as_str()), (0, ""), "{name}: {}", run.err);
        let text = if name == "full" { whole.to_string() } else { String::new() };
        for (right, wrong) in [
            ("sts:AssumeRole\"", "sts:AssumeRoll\""),
            ("\"Principal\"", "\"Principals\""),
            ("ecr:CreateRepository\"", "ecr:MakeRepository\""),
            ("\"kms:*\"", "\"kmz:*\""),
        ] {
            if name == "full" {
                assert!(text.contains(right), "no document has {right}");
                let run = judge(&serde_json::from_str(&text.replace(right, wrong)).unwrap());
                assert!(run.code != 0, "{wrong} passes");
            }
        }
    }
}

fn template(all: &Value) -> Value {
    let members = |key: &str| all[key].as_object().unwrap().clone();
    let mut resources = Map::new();
    let mut add = |kind: &str, properties: Value| {
        let id = format!("R{}", resources.len());
        resources.insert(id, json!({ "Type": kind, "Properties": properties }));
    };
    for (_, document) in members("policies") {
        add("AWS::IAM::ManagedPolicy", json!({ "PolicyDocument": document }));
    }
    for (_, document) in members("trust") {
        add("AWS::IAM::Role", json!({ "AssumeRolePolicyDocument": document }));
    }
    for (name, document) in members("resources") {
        match name.as_str() {
            "registry" => add("AWS::ECR::RegistryPolicy", json!({ "PolicyText": document })),
            _ => add("AWS::KMS::Key", json!({ "KeyPolicy": document })),
        }
    }
    json!({ "AWSTemplateFormatVersion": "2010-09-09", "Resources": resources })
}
