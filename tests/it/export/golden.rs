//! What is exported, in full: `testdata/export/<fixture>/`.

use super::Fixture;
use crate::golden::assert_same;

const MODULE: [&str; 10] = [
    "versions.tf",
    "main.tf",
    "secrets.tf",
    "registry.tf",
    "variables.tf",
    "outputs.tf",
    "tests/module.tftest.hcl",
    "examples/basic/main.tf",
    "terraform.tfvars.example",
    "README.md",
];

#[test]
fn exports_are_those_of_the_golden_files() {
    for name in ["empty", "full"] {
        let fixture = Fixture::new(name);
        fixture.exported(&["terraform", "--out", "module"]);
        for file in MODULE {
            let found = fixture.read(&format!("module/{file}"));
            assert_same(&format!("testdata/export/{name}/terraform/{file}"), &found);
        }
        let template = fixture.exported(&["cloudformation", "--out", "-"]);
        assert_same(&format!("testdata/export/{name}/cloudformation.json"), &template);
        let documents = fixture.exported(&["iam", "--out", "-"]);
        assert_same(&format!("testdata/export/{name}/iam.json"), &documents);
    }
}

/// An empty section: a rule, its secret, and nothing of the registry's.
#[test]
fn nothing_is_written_for_what_was_not_asked_for() {
    let fixture = Fixture::new("empty");
    fixture.exported(&["terraform", "--out", "module"]);
    let mut resources = Vec::new();
    for file in MODULE {
        let text = fixture.read(&format!("module/{file}"));
        assert!(text.contains("Written by `pullthru provision export terraform`"), "{file}");
        let kinds = text.lines().filter_map(|line| line.strip_prefix("resource \""));
        resources.extend(kinds.map(|rest| rest.split('"').next().unwrap().to_owned()));
    }
    assert_eq!(
        resources,
        ["aws_ecr_pull_through_cache_rule", "aws_secretsmanager_secret", "aws_secretsmanager_secret_version"]
    );
    assert_eq!(fixture.read("module/registry.tf").lines().count(), 3);
    let template: serde_json::Value =
        serde_json::from_str(&fixture.exported(&["cloudformation", "--out", "-"])).unwrap();
    let found: Vec<&String> = template["Resources"].as_object().unwrap().keys().collect();
    assert_eq!(found, ["GhcrRule", "GhcrSecret"]);
}

/// What the five modules that people copy from each other give to others.
#[test]
fn outputs_are_those_that_other_modules_ask_for() {
    let names = |text: &str, start: &str| -> Vec<String> {
        let named = text.lines().filter_map(|line| line.strip_prefix(start)?.split('"').next());
        named.map(str::to_owned).collect()
    };
    let fixture = Fixture::new("full");
    fixture.exported(&["terraform", "--out", "module"]);
    let full = names(&fixture.read("module/outputs.tf"), "output \"");
    for name in [
        "registry_id",
        "ecr_registry_url",
        "ghcr_prefix",
        "ghcr_credential_secret_arn",
        "repository_urls",
        "repository_arns",
        "kms_key_arn",
        "kms_key_arns",
        "github_actions_push_policy_arn",
        "eks_node_pull_policy_arn",
        "policy_arns",
        "role_arns",
        "docker_login_command",
    ] {
        assert!(full.contains(&name.to_owned()), "{name}: {full:?}");
        assert!(fixture.read("module/README.md").contains(&format!("| `{name}` |")), "{name}");
    }
    assert!(!full.contains(&"repository_url".to_owned()), "there are three");
    let one = Fixture::new("regions");
    one.exported(&["terraform", "--out", "module"]);
    let one = names(&one.read("module/outputs.tf"), "output \"");
    for name in ["repository_name", "repository_url", "repository_arn"] {
        assert!(one.contains(&name.to_owned()), "{name}: {one:?}");
    }
    let stack: serde_json::Value =
        serde_json::from_str(&fixture.exported(&["cloudformation", "--out", "-"])).unwrap();
    for name in ["RegistryId", "EcrOwnKeyArn", "CacheCiPushPolicyArn", "GithubPushRoleArn", "RepositoryArns"]
    {
        assert!(!stack["Outputs"][name].is_null(), "{name}");
    }
}

/// One module for development and production: the account and the Region stand in the defaults of variables alone.
#[test]
fn the_account_and_the_region_are_variables() {
    for name in ["full", "odd", "regions"] {
        let fixture = Fixture::new(name);
        fixture.exported(&["terraform", "--out", "module"]);
        for file in ["main.tf", "secrets.tf", "registry.tf", "outputs.tf"] {
            let text = fixture.read(&format!("module/{file}"));
            // Comments name what is looked after elsewhere.
            let text: String =
                text.lines().filter(|line| !line.starts_with('#')).map(|line| format!("{line}\n")).collect();
            assert!(!text.contains("123456789012"), "{name} {file}: {text}");
            let region = text.lines().filter(|line| line.contains("ca-central-1"));
            // Replication to the same Region of another account is a destination, and no place of the module.
            let region: Vec<&str> =
                region.filter(|line| line.trim() != "region      = \"ca-central-1\"").collect();
            assert_eq!(region, Vec::<&str>::new(), "{name} {file}");
        }
        let variables = fixture.read("module/variables.tf");
        for text in ["default     = \"123456789012\"", "default     = \"ca-central-1\"", "^[0-9]{12}$"] {
            assert!(variables.contains(text), "{name}: {text}");
        }
    }
    let fixture = Fixture::new("full");
    fixture.exported(&["terraform", "--out", "module"]);
    let main = fixture.read("module/main.tf");
    for text in [
        "\"arn:aws:ecr:${local.region}:${local.account_id}:repository/ghcr/*\"",
        "\"arn:aws:iam::${local.account_id}:role/ecr-to-ecr\"",
        "registry   = \"${var.account_id}.dkr.ecr.${var.region}.amazonaws.com\"",
        "\"aws:RequestedRegion\" = [local.region]",
    ] {
        assert!(main.contains(text), "{text}");
    }
}

#[test]
fn the_module_takes_the_lowest_provider_that_has_its_arguments() {
    for (name, version) in [("empty", "6.0.0"), ("regions", "6.0.0"), ("given", "6.10.0"), ("full", "6.28.0")]
    {
        let fixture = Fixture::new(name);
        fixture.exported(&["terraform", "--out", "module"]);
        let versions = fixture.read("module/versions.tf");
        assert!(versions.contains(&format!("version = \">= {version}, < 7.0.0\"")), "{name}: {versions}");
    }
}

/// Tokens are in no example, and what has to be given is in each.
#[test]
fn examples_have_what_has_to_be_given_and_no_token() {
    let fixture = Fixture::new("empty");
    fixture.exported(&["terraform", "--out", "module"]);
    let values = fixture.read("module/terraform.tfvars.example");
    assert!(values.contains("\nghcr_username = \"…\"\n") && !values.contains("\nghcr_token"), "{values}");
    assert!(values.contains("\n# ghcr_token_version = 1\n"), "{values}");
    let example = fixture.read("module/examples/basic/main.tf");
    for line in
        ["  ghcr_username = var.ghcr_username", "  ghcr_token    = var.ghcr_token", "  ephemeral   = true"]
    {
        assert!(example.lines().any(|found| found == line), "{line}\n{example}");
    }
    let readme = fixture.read("module/README.md");
    for text in [
        "| `ghcr_token` | string | has to be given |",
        "| `docker_login_command` |",
        "## Cost",
        "## When something fails",
        "`ecr:CreateRepository`",
        "a personal access token (classic)",
    ] {
        assert!(readme.contains(text), "{text}\n{readme}");
    }
    assert!(fixture.read("module/secrets.tf").contains("# checkov:skip=CKV_AWS_149:ECR reads no secret"));
}

/// The further Region has rules, secrets, templates and their keys; what is global stays at home.
#[test]
fn another_region_has_an_export_of_its_own() {
    let fixture = Fixture::new("regions");
    let home = fixture.export(&["terraform", "--out", "home"]);
    assert!(
        home.err.contains("provisioned too, each with an export of its own (`--for REGION`): eu-west-1"),
        "{}",
        home.err
    );
    let away = fixture.export(&["terraform", "--out", "away", "--for", "eu-west-1"]);
    assert_eq!((home.code, away.code), (0, 0));
    assert!(!away.err.contains("provisioned too"), "{}", away.err);
    let main = fixture.read("away/main.tf");
    assert!(fixture.read("away/variables.tf").contains("default     = \"eu-west-1\""), "{main}");
    for kind in ["aws_iam_role\"", "aws_iam_policy\"", "aws_ecr_repository\""] {
        assert!(fixture.read("home/main.tf").contains(kind), "{kind}");
        assert!(!main.contains(kind), "{kind}");
    }
    assert!(
        main.contains("custom_role_arn      = \"arn:aws:iam::${local.account_id}:role/ecr-templates\""),
        "{main}"
    );
    let nowhere = fixture.export(&["terraform", "--out", "x", "--for", "us-east-1"]);
    assert_eq!(nowhere.code, 2);
    assert!(nowhere.err.contains("`us-east-1` is not provisioned"), "{}", nowhere.err);
}

/// IAM would refuse it: better said now.
#[test]
fn a_policy_that_is_too_long_is_said() {
    let fixture = Fixture::new("regions");
    let regions = "eu-west-1, eu-west-2, eu-west-3, eu-north-1, eu-central-1, us-east-1, us-east-2, us-west-1, us-west-2, ap-south-1, ap-northeast-1, ap-northeast-2, ap-southeast-1, ap-southeast-2, sa-east-1";
    let config = fixture.read("pullthru.yaml");
    let names: Vec<String> = (0..8).map(|number| format!("team/app-{number}")).collect();
    let config = config.replace("[eu-west-1]", &format!("[{regions}]"));
    let config = config.replace("[team/app]", &format!("[{}]", names.join(", ")));
    std::fs::write(fixture.path("pullthru.yaml"), config).unwrap();
    let run = fixture.export(&["iam", "--out", "-"]);
    assert_eq!(run.code, 0);
    assert!(run.err.contains("the policy `pullthru-node-pull` has "), "{}", run.err);
    assert!(run.err.contains("characters, and IAM takes 6144"), "{}", run.err);
    assert!(!Fixture::new("full").export(&["iam", "--out", "-"]).err.contains("6144"));
}

/// Who pulls first has to be allowed to tag where templates tag (Amazon ECR user guide, "IAM permissions required to sync an
/// upstream registry").
#[test]
fn who_pulls_may_tag_where_templates_do() {
    for (name, tags) in [("empty", false), ("full", true)] {
        let fixture = Fixture::new(name);
        for (kind, pulls) in [("node-pull", true), ("scan", true), ("pull-only", false), ("ci-push", false)] {
            let document = fixture.exported(&["iam", "--policy", kind]);
            assert_eq!(document.contains("ecr:TagResource"), tags && pulls, "{name} {kind}: {document}");
        }
    }
}

/// One more repository, or one more template, is one more entry: no resource is written twice.
#[test]
fn repositories_and_templates_are_entries_of_tables() {
    let fixture = Fixture::new("full");
    fixture.exported(&["terraform", "--out", "module"]);
    let main = fixture.read("module/main.tf");
    for (kind, table) in [
        ("aws_ecr_repository", "repositories"),
        ("aws_ecr_lifecycle_policy", "lifecycle_policies"),
        ("aws_ecr_repository_policy", "repository_policies"),
        ("aws_ecr_repository_creation_template", "templates"),
    ] {
        assert_eq!(main.matches(&format!("resource \"{kind}\"")).count(), 1, "{kind}");
        assert!(
            main.contains(&format!("resource \"{kind}\" \"this\" {{\n  for_each = local.{table}\n")),
            "{kind}"
        );
        assert!(main.contains(&format!("  {table} = {{\n")), "{table}");
    }
    let config =
        fixture.read("pullthru.yaml").replace("[team/app, team/worker]", "[team/app, team/web, team/worker]");
    std::fs::write(fixture.path("pullthru.yaml"), config).unwrap();
    let check = fixture.export(&["terraform", "--out", "module", "--check"]);
    assert_eq!(check.code, 1);
    assert!(!check.out.contains("+resource"), "{}", check.out);
    assert!(check.out.lines().any(|line| line == "+    \"team/web\" = {"), "{}", check.out);
    // What no entry has is no argument: the module takes the lowest provider that has what is used.
    let plain = Fixture::new("regions");
    plain.exported(&["terraform", "--out", "module"]);
    let main = plain.read("module/main.tf");
    assert!(
        main.contains("resource \"aws_ecr_repository\" \"this\"") && !main.contains("exclusion"),
        "{main}"
    );
}
