//! The programs that judge exports, as `.ci/peers aws-export` has installed them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{TOKEN, project};
use crate::scratch::Run;

/// Versions of Terraform: the oldest that the module is for, and a new one.
const TERRAFORMS: [&str; 2] = ["terraform-oldest", "terraform"];

/// Its file, which `.ci/peers opentofu` builds.
pub(super) const OPENTOFU: &str = "bin/tofu";

/// What `.ci/peers trivy` builds from `scanner/main.go`.
const TRIVY: &str = "bin/trivy-terraform";

/// Those that are there: OpenTofu is not where there is no Go.
pub(super) fn terraforms() -> Vec<&'static str> {
    let opentofu = project().join("target/peers").join(OPENTOFU).exists().then_some(OPENTOFU);
    TERRAFORMS.into_iter().chain(opentofu).collect()
}

fn peer(name: &str) -> PathBuf {
    let path = project().join("target/peers").join(name);
    assert!(path.exists(), "{} is missing: `.ci/peers aws-export` installs it", path.display());
    path
}

fn script(name: &str) -> PathBuf {
    project().join("tests/it/export/provider").join(name)
}

fn python(environment: &str) -> Command {
    let mut command = Command::new(peer(environment).join("bin/python"));
    command.env("PYTHONDONTWRITEBYTECODE", "1").stdin(Stdio::null());
    command
}

fn run(mut command: Command) -> Run {
    Run::from(command.output().unwrap())
}

/// Terraform with the provider that knows schemas only, and every login of the fixtures in its environment.
pub(super) struct Terraform {
    version: &'static str,
    place: tempfile::TempDir,
}

impl Terraform {
    pub(super) fn new(version: &'static str) -> Terraform {
        let place = tempfile::tempdir().unwrap();
        let provider = place.path().join("terraform-provider-aws");
        let python = peer("aws-export-venv").join("bin/python");
        let text =
            format!("#!/bin/sh\nexec '{}' '{}' \"$@\"\n", python.display(), script("provider.py").display());
        fs::write(&provider, text).unwrap();
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            fs::set_permissions(&provider, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let config = format!(
            "provider_installation {{\n  dev_overrides {{\n    \"hashicorp/aws\" = \"{}\"\n  }}\n  direct {{}}\n}}\n",
            place.path().display()
        );
        fs::write(place.path().join("terraformrc"), config).unwrap();
        Terraform { version, place }
    }

    /// `terraform …` in the module's directory, for an account's Region.
    pub(super) fn run(&self, module: &Path, region: &str, arguments: &[&str]) -> Run {
        let mut command = match self.version {
            OPENTOFU => Command::new(peer(OPENTOFU)),
            library => {
                let mut command = python(library);
                command.arg(script("terraform.py"));
                command
            }
        };
        command.stdin(Stdio::null()).arg(format!("-chdir={}", module.display())).args(arguments);
        command
            .env("TF_CLI_CONFIG_FILE", self.place.path().join("terraformrc"))
            .env("TF_IN_AUTOMATION", "1")
            .env("CHECKPOINT_DISABLE", "1")
            .env("STUB_SCHEMA", peer("terraform-aws").join("schema.json"))
            .env("STUB_REGION", region);
        for name in ["ghcr", "dockerhub", "hub", "gitlab", "ghcr_io_cache", "root"] {
            command.env(format!("TF_VAR_{name}_token"), TOKEN);
        }
        command.env("TF_VAR_ghcr_username", "somebody").env("TF_VAR_root_username", "somebody");
        run(command)
    }
}

/// Everything that a plan file, which is a ZIP archive, holds.
pub(super) fn unpacked(plan: &Path) -> String {
    let code = "import sys, zipfile; f = zipfile.ZipFile(sys.argv[1]); [sys.stdout.buffer.write(f.read(n)) for n in f.namelist()]";
    let mut command = python("aws-export-venv");
    command.args(["-c", code]).arg(plan);
    let run = run(command);
    assert_eq!(run.code, 0, "{}", run.err);
    run.out
}

/// A plan's values, by the models of AWS's services.
pub(super) fn values(plan: &Path) -> Run {
    let mut command = python("aws-export-venv");
    command.arg(script("judge_values.py")).arg(plan);
    run(command)
}

/// Checks that a module fails, each with its resource.
pub(super) fn checkov(module: &Path) -> Vec<String> {
    let mut command = python("checkov");
    command.arg(peer("checkov").join("bin/checkov")).arg("--directory").arg(module);
    command.args(["--framework", "terraform", "--skip-download", "--quiet", "--output", "json"]);
    let run = run(command);
    let report: serde_json::Value =
        serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error}: {}{}", run.out, run.err));
    // Without a failed check there is a summary alone, or lists that are empty.
    let failed = report["results"]["failed_checks"].as_array().into_iter().flatten();
    let text = |check: &serde_json::Value, key: &str| check[key].as_str().unwrap().to_owned();
    let passed = report["summary"]["passed"].as_u64().unwrap();
    assert!(passed > 0, "{}", run.out);
    failed.map(|check| format!("{} {}", text(check, "check_id"), text(check, "resource"))).collect()
}

/// Findings of trivy in a module, each as its check and what it found it in; those that a comment waives.
pub(super) fn trivy(module: &Path) -> (Vec<String>, Vec<String>) {
    let mut command = Command::new(peer(TRIVY));
    command.arg(module).stdin(Stdio::null());
    let run = run(command);
    let report: serde_json::Value =
        serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error}: {}{}", run.out, run.err));
    let report = &report[0];
    assert!(report["passed"].as_u64().unwrap() > 0, "{report}");
    let rows = |key: &str| -> Vec<String> {
        let text = |row: &serde_json::Value, key: &str| row[key].as_str().unwrap().to_owned();
        let row = |row| format!("{} {}", text(row, "id"), text(row, "resource"));
        let mut rows: Vec<String> = report[key].as_array().unwrap().iter().map(row).collect();
        rows.sort();
        rows
    };
    (rows("failed"), rows("ignored"))
}

/// Policies of identities.
pub(super) fn policies(files: &[PathBuf]) -> Run {
    let mut command = python("aws-export-venv");
    command.arg(script("judge_policies.py")).args(files);
    run(command)
}

/// A template, for a Region; warnings count.
pub(super) fn cfn_lint(template: &Path, region: &str) -> Run {
    // Not the script by itself: it holds the path that its environment was made at.
    let mut command = python("aws-export-venv");
    command.arg(peer("aws-export-venv").join("bin/cfn-lint"));
    command.arg(template).args(["--regions", region, "--format", "parseable"]);
    run(command)
}
