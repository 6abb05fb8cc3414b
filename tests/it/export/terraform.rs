//! The real Terraform says of the modules what it thinks: `fmt`, `validate`, `plan`, `test`.

use std::fs;

use super::judges::{OPENTOFU, Terraform, checkov, terraforms, trivy, unpacked, values};
use super::{FIXTURES, Fixture, TOKEN, project};

const HOME: &str = "ca-central-1";

#[test]
#[ignore = "needs `.ci/peers aws-export`"]
fn export_terraform_formats_validates_and_plans_every_module() {
    for version in terraforms() {
        let terraform = Terraform::new(version);
        let further = [("regions", "eu-west-1")];
        for (name, region) in FIXTURES.map(|name| (name, HOME)).into_iter().chain(further) {
            let fixture = Fixture::new(name);
            fixture.exported(&["terraform", "--out", "module", "--for", region]);
            let module = fixture.path("module");
            let formatted = terraform.run(&module, region, &["fmt", "-check", "-diff", "-recursive"]);
            assert_eq!((formatted.code, formatted.out.as_str()), (0, ""), "{version} {name}");
            let valid = terraform.run(&module, region, &["validate", "-json"]);
            let report: serde_json::Value = serde_json::from_str(&valid.out).unwrap();
            assert_eq!(report["error_count"], 0, "{version} {name}: {}", valid.out);
            // That the provider is overridden is the one warning.
            assert_eq!(report["warning_count"], 1, "{version} {name}: {}", valid.out);
            let plan = fixture.path("plan");
            let out = format!("-out={}", plan.display());
            let planned =
                terraform.run(&module, region, &["plan", "-input=false", "-lock=false", "-no-color", &out]);
            assert_eq!(planned.code, 0, "{version} {name}: {}{}", planned.out, planned.err);
            let shown = terraform.run(&module, region, &["show", "-json", plan.to_str().unwrap()]);
            assert_eq!(shown.code, 0, "{}", shown.err);
            for text in [&planned.out, &planned.err, &shown.out, &unpacked(&plan)] {
                assert!(!text.contains(TOKEN), "{version} {name}: the plan holds the token");
            }
            fs::write(fixture.path("plan.json"), &shown.out).unwrap();
            let judged = values(&fixture.path("plan.json"));
            assert_eq!(judged.code, 0, "{version} {name}: {}{}", judged.out, judged.err);
            println!("{version} {name} {region}: {}", judged.out.trim());
        }
    }
}

#[test]
#[ignore = "needs `.ci/peers aws-export`"]
fn export_terraform_modules_do_what_their_tests_say() {
    for version in terraforms() {
        let terraform = Terraform::new(version);
        for name in ["empty", "full", "odd"] {
            let fixture = Fixture::new(name);
            fixture.exported(&["terraform", "--out", "module"]);
            // The module's own tests, then those of this project.
            let own = terraform.run(&fixture.path("module"), HOME, &["test", "-no-color"]);
            assert_eq!(own.code, 0, "{version} {name}: {}{}", own.out, own.err);
            for run in
                ["refuses_another_account", "takes_another_account_and_region", "refuses_what_is_no_account"]
            {
                assert!(own.out.contains(&format!("run \"{run}\"... pass")), "{}", own.out);
            }
            let example = fixture.path("module/examples/basic");
            let got = terraform.run(&example, HOME, &["get", "-no-color"]);
            assert_eq!(got.code, 0, "{version} {name}: {}{}", got.out, got.err);
            let valid = terraform.run(&example, HOME, &["validate", "-no-color"]);
            assert_eq!(valid.code, 0, "{version} {name}: {}{}", valid.out, valid.err);
            // Its provider for tests gives write-only arguments a value on apply, and then refuses that (1.11.5).
            if version == OPENTOFU {
                continue;
            }
            let test = project().join(format!("testdata/export/{name}/module.tftest.hcl"));
            fs::copy(test, fixture.path("module/module.tftest.hcl")).unwrap();
            let run = terraform.run(&fixture.path("module"), HOME, &["test", "-no-color"]);
            assert_eq!(run.code, 0, "{version} {name}: {}{}", run.out, run.err);
            let last = run.out.lines().last().unwrap();
            assert!(last.starts_with("Success!") && !last.contains(" 0 passed"), "{last}");
            println!("{version} {name}: {last}");
        }
    }
}

/// What scanners find is what the configuration asks for: movable tags, no scan on push, no key. What ECR leaves no choice
/// about is waived.
#[test]
#[ignore = "needs `.ci/peers aws-export`"]
fn export_terraform_passes_checkov() {
    for (name, expected) in [
        ("empty", &[][..]),
        (
            "full",
            &[
                "CKV_AWS_163 module.ecr.aws_ecr_repository.this[\"sandbox\"]",
                "CKV_AWS_51 module.ecr.aws_ecr_repository.this[\"sandbox\"]",
            ],
        ),
    ] {
        let fixture = Fixture::new(name);
        fixture.exported(&["terraform", "--out", "module"]);
        let mut found = checkov(&fixture.path("module"));
        found.sort();
        assert_eq!(found, expected, "{name}");
        // Without a waiver it is found.
        let path = fixture.path("module/secrets.tf");
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("checkov:skip=CKV_AWS_149", "checkov-skip=CKV_AWS_149")).unwrap();
        let found = checkov(&fixture.path("module"));
        assert!(found.iter().any(|found| found.starts_with("CKV_AWS_149 ")), "{name}: {found:?}");
    }
}

/// As with checkov: what is left is what the configuration asks for. Each waiver hides something, and nothing else does.
#[test]
#[ignore = "needs `.ci/peers trivy`"]
fn export_terraform_passes_trivy() {
    let key = |name: &str| format!("AWS-0098 aws_secretsmanager_secret.{name}");
    let policy = |name: &str| format!("AWS-0032 aws_ecr_repository_policy.this[\"{name}\"].policy");
    let pass_role = || "AWS-0342 aws_iam_policy.cache_provision.policy".to_owned();
    let sandbox = [
        "AWS-0030 image_scanning_configuration.scan_on_push",
        "AWS-0031 aws_ecr_repository.this[\"sandbox\"].image_tag_mutability",
        "AWS-0033 aws_ecr_repository.this[\"sandbox\"]",
    ];
    for (name, asked_for, waived) in [
        ("empty", &[][..], vec![key("ghcr")]),
        (
            "full",
            &sandbox[..],
            vec![
                policy("team/app"),
                policy("team/worker"),
                key("dockerhub"),
                key("ghcr"),
                key("gitlab"),
                pass_role(),
            ],
        ),
    ] {
        let fixture = Fixture::new(name);
        fixture.exported(&["terraform", "--out", "module"]);
        let module = fixture.path("module");
        let (found, ignored) = trivy(&module);
        assert_eq!(found, asked_for, "{name}");
        assert_eq!(ignored, waived, "{name}");
        // Without its comment each of them is found.
        for file in ["main.tf", "secrets.tf"] {
            let text = fixture.read(&format!("module/{file}"));
            fs::write(module.join(file), text.replace("trivy:ignore", "trivy-ignore")).unwrap();
        }
        let (found, ignored) = trivy(&module);
        assert_eq!(ignored, [""; 0], "{name}");
        let mut all: Vec<String> = asked_for.iter().map(|row| (*row).to_owned()).chain(waived).collect();
        all.sort();
        assert_eq!(found, all, "{name}");
    }
}

/// Each mistake is one that somebody could make in the exporter.
#[test]
#[ignore = "needs `.ci/peers aws-export`"]
fn export_terraform_judges_see_mistakes() {
    let terraform = Terraform::new("terraform");
    let fixture = Fixture::new("full");
    fixture.exported(&["terraform", "--out", "module"]);
    let module = fixture.path("module");
    for (file, right, wrong, expected) in [
        (
            "main.tf",
            "\"aws_ecr_pull_through_cache_rule\"",
            "\"aws_ecr_pull_through_rule\"",
            "Invalid resource type",
        ),
        ("main.tf", "  credential_arn ", "  credential_arm ", "Unsupported argument"),
        ("main.tf", "  upstream_registry_url = \"ghcr.io\"\n", "", "Missing required argument"),
        ("main.tf", "aws_kms_key.ecr_own.arn", "aws_kms_key.ecr_won.arn", "Reference to undeclared resource"),
        (
            "main.tf",
            "dynamic \"encryption_configuration\"",
            "dynamic \"encryption_config\"",
            "Unsupported block type",
        ),
        // A table without a column that the resource reads.
        ("main.tf", "      force_delete         = true\n", "", "Unsupported attribute"),
        ("registry.tf", "    repository_filter {", "    repository_filters {", "Unsupported block type"),
        ("outputs.tf", "local.registry", "local.registri", "Reference to undeclared local value"),
        // An ephemeral value may go into a write-only argument only: the token cannot land in a state.
        (
            "secrets.tf",
            "secret_string_wo = jsonencode",
            "secret_string = jsonencode",
            "Invalid use of ephemeral value",
        ),
    ] {
        let path = module.join(file);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(right), "{file} has no {right}");
        fs::write(&path, text.replacen(right, wrong, 1)).unwrap();
        let mut run = terraform.run(&module, HOME, &["validate", "-no-color"]);
        if run.code == 0 {
            run = terraform.run(&module, HOME, &["plan", "-input=false", "-lock=false", "-no-color"]);
        }
        assert!(run.code != 0 && run.err.contains(expected), "{wrong}: {} {}", run.code, run.err);
        fs::write(&path, text).unwrap();
    }
    let text = fixture.read("module/main.tf");
    fs::write(module.join("main.tf"), text.replacen("account_id = ", "account_id   = ", 1)).unwrap();
    assert_eq!(terraform.run(&module, HOME, &["fmt", "-check"]).code, 3);
    fs::write(module.join("main.tf"), &text).unwrap();
    // Another account's provider is stopped by the module itself.
    let elsewhere =
        terraform.run(&module, "us-east-1", &["plan", "-input=false", "-lock=false", "-no-color"]);
    assert!(
        elsewhere.code == 1 && elsewhere.err.contains("The module is for Region ca-central-1"),
        "{}",
        elsewhere.err
    );
}

/// Values that Terraform takes and AWS does not.
#[test]
#[ignore = "needs `.ci/peers aws-export`"]
fn export_terraform_values_are_judged_by_the_service_models() {
    let terraform = Terraform::new("terraform");
    let fixture = Fixture::new("full");
    fixture.exported(&["terraform", "--out", "module"]);
    let plan = fixture.path("plan");
    let out = format!("-out={}", plan.display());
    let module = fixture.path("module");
    terraform.run(&module, HOME, &["plan", "-input=false", "-lock=false", &out]);
    let right = terraform.run(&module, HOME, &["show", "-json", plan.to_str().unwrap()]).out;
    for (old, new, expected) in [
        (r#""ecr_repository_prefix":"ghcr""#, r#""ecr_repository_prefix":"Ghcr""#, "does not match"),
        (r#""ecr_repository_prefix":"k8s""#, r#""ecr_repository_prefix":"k""#, "is below 2"),
        (
            r#"secret:ecr-pullthroughcache/chainguard-AbCdEf""#,
            r#"secret:chainguard-AbCdEf""#,
            "does not match",
        ),
        (r#""applied_for":["PULL_THROUGH_CACHE""#, r#""applied_for":["PULLTHROUGH""#, "is none of"),
        (r#""image_tag_mutability":"IMMUTABLE""#, r#""image_tag_mutability":"FIXED""#, "is none of"),
        (r#""encryption_type":"KMS""#, r#""encryption_type":"kms""#, "is none of"),
        (r#""scan_type":"ENHANCED""#, r#""scan_type":"INSPECTOR""#, "is none of"),
        (r#""registry_id":"210987654321""#, r#""registry_id":"2109""#, "does not match"),
        (r#""name":"alias/ecr-own""#, r#""name":"alias/ecr own""#, "does not match"),
        (r#""role":"nodes-blue""#, r#""role":"nodes/blue""#, "does not match"),
        (r#""policy_arn":true"#, r#""policy_arn":false"#, "PolicyArn is missing"),
    ] {
        assert!(right.contains(old), "the plan has no {old}");
        fs::write(fixture.path("plan.json"), right.replace(old, new)).unwrap();
        let judged = values(&fixture.path("plan.json"));
        assert!(judged.code == 1 && judged.out.contains(expected), "{new}: {}{}", judged.out, judged.err);
    }
}
