//! What the five modules that people copy from each other set up, row by row, read from the exports as data: retention, encryption,
//! replication, scanning, who pulls and pushes. `full` asks for all of it.

use serde_json::{Value, json};

use super::Fixture;
use super::judges::{Terraform, terraforms};

/// One row: what it is about, and what an export has to say of it.
type Row = (&'static str, Value);

fn tagged(count: u64, key: &str, tags: &str, priority: u64) -> Value {
    json!({ "priority": priority, "tags": { key: [tags] }, "keep": count })
}

/// The rows, in words of neither tool.
fn rows() -> Vec<Row> {
    let by_template = json!([{ "priority": 1, "untaggedDays": 7 }, tagged(10, "tagPatternList", "*", 2)]);
    let own = json!([tagged(20, "tagPrefixList", "v", 1), tagged(20, "tagPrefixList", "release-", 2)]);
    let repository =
        json!({ "mutability": "IMMUTABLE", "scanOnPush": true, "key": "ecr-own", "forceDelete": false });
    vec![
        ("retention of cached repositories: docker-hub", by_template.clone()),
        ("retention of cached repositories: ghcr", by_template),
        ("retention of repositories: team/app", own.clone()),
        ("retention of repositories: team/worker", own),
        ("repository: team/app", repository.clone()),
        ("repository: team/worker", repository),
        (
            "repository: sandbox",
            json!({ "mutability": "MUTABLE", "scanOnPush": false, "key": "of AWS", "forceDelete": true }),
        ),
        ("key: ecr-own", json!({ "rotates": true, "window": 30 })),
        (
            "replication",
            json!([
                { "to": ["ca-central-1 210987654321", "us-west-2 123456789012"], "prefixes": ["ghcr/my-org"] },
                { "to": ["eu-west-1 123456789012"], "prefixes": ["team/app", "team/worker"] },
            ]),
        ),
        (
            "scanning",
            json!({ "type": "ENHANCED", "rules": [
                { "frequency": "CONTINUOUS_SCAN", "filters": ["team/*"] },
                { "frequency": "SCAN_ON_PUSH", "filters": ["docker-hub/*", "ghcr/*"] },
            ] }),
        ),
        (
            "push: cache-ci-push",
            json!({ "puts": true, "imports": false, "on": ["sandbox", "team/app", "team/worker"] }),
        ),
        (
            "pull: cache-node-pull",
            json!({ "puts": false, "imports": true, "on": [
                "cgr/*", "docker-hub/*", "ghcr/*", "gitlab/*", "k8s/*", "sandbox", "shared/*", "team/app", "team/worker",
            ] }),
        ),
        (
            "pull: cache-pull-only",
            json!({ "puts": false, "imports": false, "on": [
            "cgr/*", "docker-hub/*", "ghcr/*", "gitlab/*", "k8s/*", "sandbox", "shared/*", "team/app", "team/worker",
        ] }),
        ),
        (
            "login",
            json!(
                "aws ecr get-login-password --region ca-central-1 | docker login --username AWS --password-stdin 123456789012.dkr.ecr.ca-central-1.amazonaws.com"
            ),
        ),
    ]
}

/// An export that rows are looked up in.
trait Export {
    fn row(&self, name: &str) -> Value;
}

#[track_caller]
fn assert_rows(export: &impl Export, what: &str) {
    let rows = rows();
    assert_eq!(rows.len(), 14);
    for (name, expected) in rows {
        assert_eq!(export.row(name), expected, "{what}: {name}");
    }
}

/// A lifecycle policy in words of neither tool.
fn retention(policy: &Value) -> Value {
    let policy: Value = match policy {
        Value::String(text) => serde_json::from_str(text).unwrap(),
        other => other.clone(),
    };
    let rule = |rule: &Value| {
        assert_eq!(rule["action"]["type"], "expire");
        let selection = &rule["selection"];
        let priority = &rule["rulePriority"];
        if selection["tagStatus"] == "untagged" {
            assert_eq!(
                (&selection["countType"], &selection["countUnit"]),
                (&json!("sinceImagePushed"), &json!("days"))
            );
            return json!({ "priority": priority, "untaggedDays": selection["countNumber"] });
        }
        assert_eq!(selection["countType"], "imageCountMoreThan");
        let key =
            ["tagPatternList", "tagPrefixList"].into_iter().find(|key| selection[key].is_array()).unwrap();
        json!({ "priority": priority, "tags": { key: selection[key] }, "keep": selection["countNumber"] })
    };
    policy["rules"].as_array().unwrap().iter().map(rule).collect()
}

/// What a policy of an identity allows on repositories.
fn allowed(document: &Value) -> Value {
    let document: Value = match document {
        Value::String(text) => serde_json::from_str(text).unwrap(),
        other => other.clone(),
    };
    let statements = document["Statement"].as_array().unwrap();
    let allows = |action: &str| {
        statements.iter().any(|statement| statement["Action"].as_array().unwrap().contains(&json!(action)))
    };
    let resources = statements.iter().flat_map(|statement| statement["Resource"].as_array().unwrap());
    let names =
        resources.filter_map(|arn| arn.as_str().unwrap().split_once(":repository/").map(|(_, name)| name));
    let names: std::collections::BTreeSet<&str> = names.collect();
    json!({ "puts": allows("ecr:PutImage"), "imports": allows("ecr:BatchImportUpstreamImage"), "on": names })
}

struct Stack(Value);

impl Stack {
    /// The properties of the resource of a type that has this value.
    fn of(&self, kind: &str, key: &str, value: &str) -> &Value {
        let all = self.0["Resources"]
            .as_object()
            .unwrap()
            .values()
            .filter(|one| one["Type"] == format!("AWS::{kind}"));
        let mut found = all.map(|one| &one["Properties"]).filter(|one| key.is_empty() || one[key] == value);
        found.next().unwrap_or_else(|| panic!("no {kind} {value}"))
    }
}

impl Export for Stack {
    fn row(&self, name: &str) -> Value {
        let (what, of) = name.split_once(": ").unwrap_or((name, ""));
        match what {
            "retention of cached repositories" => {
                retention(&self.of("ECR::RepositoryCreationTemplate", "Prefix", of)["LifecyclePolicy"])
            }
            "retention of repositories" => retention(
                &self.of("ECR::Repository", "RepositoryName", of)["LifecyclePolicy"]["LifecyclePolicyText"],
            ),
            "repository" => {
                let repository = self.of("ECR::Repository", "RepositoryName", of);
                let cipher = &repository["EncryptionConfiguration"];
                assert_eq!(cipher["EncryptionType"], "KMS");
                let alias = cipher["KmsKey"]["Fn::GetAtt"][0].as_str().map(|key| {
                    let alias = self.of("KMS::Alias", "", "");
                    assert_eq!(alias["TargetKeyId"]["Ref"], key);
                    alias["AliasName"].as_str().unwrap().trim_start_matches("alias/").to_owned()
                });
                json!({
                    "mutability": repository["ImageTagMutability"], "forceDelete": repository["EmptyOnDelete"],
                    "scanOnPush": repository["ImageScanningConfiguration"]["ScanOnPush"],
                    "key": alias.unwrap_or_else(|| "of AWS".to_owned()),
                })
            }
            "key" => {
                let key = self.of("KMS::Key", "", "");
                json!({ "rotates": key["EnableKeyRotation"], "window": key["PendingWindowInDays"] })
            }
            "replication" => {
                let rules =
                    &self.of("ECR::ReplicationConfiguration", "", "")["ReplicationConfiguration"]["Rules"];
                let to = |to: &Value| {
                    format!("{} {}", to["Region"].as_str().unwrap(), to["RegistryId"].as_str().unwrap())
                };
                let rule = |rule: &Value| {
                    json!({
                        "to": list(&rule["Destinations"]).map(to).collect::<Vec<_>>(),
                        "prefixes": list(&rule["RepositoryFilters"]).map(|filter| &filter["Filter"]).collect::<Vec<_>>(),
                    })
                };
                list(rules).map(rule).collect()
            }
            "scanning" => {
                let scanning = self.of("ECR::RegistryScanningConfiguration", "", "");
                let rule = |rule: &Value| {
                    let filters: Vec<&Value> =
                        list(&rule["RepositoryFilters"]).map(|filter| &filter["Filter"]).collect();
                    json!({ "frequency": rule["ScanFrequency"], "filters": filters })
                };
                json!({ "type": scanning["ScanType"], "rules": list(&scanning["Rules"]).map(rule).collect::<Vec<_>>() })
            }
            "push" | "pull" => {
                allowed(&self.of("IAM::ManagedPolicy", "ManagedPolicyName", of)["PolicyDocument"])
            }
            "login" => self.0["Outputs"]["DockerLoginCommand"]["Value"].clone(),
            other => panic!("{other}"),
        }
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().unwrap().iter()
}

#[test]
fn a_stack_of_cloudformation_has_every_row() {
    let fixture = Fixture::new("full");
    let text = fixture.exported(&["cloudformation", "--out", "-"]);
    assert_rows(&Stack(serde_json::from_str(&text).unwrap()), "CloudFormation");
}

/// What people look up in a module's page.
#[test]
fn the_page_of_the_module_has_costs_and_what_goes_wrong() {
    let fixture = Fixture::new("full");
    fixture.exported(&["terraform", "--out", "module"]);
    let readme = fixture.read("module/README.md");
    let section = |title: &str| {
        let (_, rest) = readme.split_once(&format!("\n## {title}\n")).unwrap_or_else(|| panic!("no {title}"));
        let table =
            rest.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
        table
            .skip(2)
            .map(|row| row.split(" | ").next().unwrap().trim_start_matches("| ").to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(section("Cost"), ["storage", "secrets", "enhanced scanning", "replication", "keys"]);
    let trouble = section("When something fails").join("\n");
    for seen in [
        "The module is for account",
        "SecretNotFoundException",
        "The authentication to the upstream registry failed",
        "requested image not found",
        "does not exist",
        "without tags or lifecycle policy",
    ] {
        assert!(trouble.contains(seen), "{seen}: {trouble}");
    }
    assert!(section("Inputs").len() > 10 && section("Outputs").len() > 10);
}

/// A plan, as `terraform show -json` prints it.
struct Plan(Value);

impl Plan {
    /// The values of the resource of a type that has this value.
    fn of(&self, kind: &str, key: &str, value: &str) -> &Value {
        let all =
            list(&self.0["planned_values"]["root_module"]["resources"]).filter(|one| one["type"] == kind);
        let mut found = all.map(|one| &one["values"]).filter(|one| key.is_empty() || one[key] == value);
        found.next().unwrap_or_else(|| panic!("no {kind} {value}"))
    }

    /// The value of an argument that is known after an apply only: what it refers to.
    fn reference(&self, kind: &str, of: &str) -> String {
        let changes =
            list(&self.0["resource_changes"]).filter(|one| one["type"] == kind && one["index"] == of);
        let unknown: Vec<&Value> = changes.map(|one| &one["change"]["after_unknown"]).collect();
        unknown.first().map(|unknown| unknown["encryption_configuration"].to_string()).unwrap_or_default()
    }
}

impl Export for Plan {
    fn row(&self, name: &str) -> Value {
        let (what, of) = name.split_once(": ").unwrap_or((name, ""));
        match what {
            "retention of cached repositories" => {
                retention(&self.of("aws_ecr_repository_creation_template", "prefix", of)["lifecycle_policy"])
            }
            "retention of repositories" => {
                retention(&self.of("aws_ecr_lifecycle_policy", "repository", of)["policy"])
            }
            "repository" => {
                let repository = self.of("aws_ecr_repository", "name", of);
                assert_eq!(repository["encryption_configuration"][0]["encryption_type"], "KMS");
                // A key that is made has no ARN yet.
                let is_made = self.reference("aws_ecr_repository", of).contains("\"kms_key\":true");
                let alias =
                    self.of("aws_kms_alias", "", "")["name"].as_str().unwrap().trim_start_matches("alias/");
                let is_given = repository["encryption_configuration"][0]["kms_key"].is_string();
                assert!(!is_given, "{repository}");
                json!({
                    "mutability": repository["image_tag_mutability"], "forceDelete": repository["force_delete"],
                    "scanOnPush": repository["image_scanning_configuration"][0]["scan_on_push"],
                    "key": if is_made { alias } else { "of AWS" },
                })
            }
            "key" => {
                let key = self.of("aws_kms_key", "", "");
                json!({ "rotates": key["enable_key_rotation"], "window": key["deletion_window_in_days"] })
            }
            "replication" => {
                let whole =
                    &self.of("aws_ecr_replication_configuration", "", "")["replication_configuration"][0];
                let to = |to: &Value| {
                    format!("{} {}", to["region"].as_str().unwrap(), to["registry_id"].as_str().unwrap())
                };
                let rule = |rule: &Value| {
                    json!({
                        "to": list(&rule["destination"]).map(to).collect::<Vec<_>>(),
                        "prefixes": list(&rule["repository_filter"]).map(|filter| &filter["filter"]).collect::<Vec<_>>(),
                    })
                };
                list(&whole["rule"]).map(rule).collect()
            }
            "scanning" => {
                let scanning = self.of("aws_ecr_registry_scanning_configuration", "", "");
                let rule = |rule: &Value| {
                    let filters: Vec<&Value> =
                        list(&rule["repository_filter"]).map(|filter| &filter["filter"]).collect();
                    json!({ "frequency": rule["scan_frequency"], "filters": filters })
                };
                // A set: the provider sorts it as it likes.
                let mut rules: Vec<Value> = list(&scanning["rule"]).map(rule).collect();
                rules.sort_by_key(|rule| rule["frequency"].to_string());
                json!({ "type": scanning["scan_type"], "rules": rules })
            }
            "push" | "pull" => allowed(&self.of("aws_iam_policy", "name", of)["policy"]),
            "login" => self.0["planned_values"]["outputs"]["docker_login_command"]["value"].clone(),
            other => panic!("{other}"),
        }
    }
}

#[test]
#[ignore = "needs `.ci/peers aws-export`"]
fn export_terraform_plans_have_every_row() {
    for version in terraforms() {
        let terraform = Terraform::new(version);
        let fixture = Fixture::new("full");
        fixture.exported(&["terraform", "--out", "module"]);
        let (module, plan) = (fixture.path("module"), fixture.path("plan"));
        let out = format!("-out={}", plan.display());
        let region = "ca-central-1";
        let planned =
            terraform.run(&module, region, &["plan", "-input=false", "-lock=false", "-no-color", &out]);
        assert_eq!(planned.code, 0, "{version}: {}{}", planned.out, planned.err);
        let shown = terraform.run(&module, region, &["show", "-json", plan.to_str().unwrap()]);
        assert_rows(&Plan(serde_json::from_str(&shown.out).unwrap()), version);
    }
}
