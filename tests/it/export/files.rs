//! Files that are there: ours are renewed, others are not touched unless asked, and `--check` only looks.

use super::{FIXTURES, Fixture, TOKEN};

const TERRAFORM: [&str; 3] = ["terraform", "--out", "modules/ecr"];

#[test]
fn a_second_export_changes_nothing() {
    for name in FIXTURES {
        for arguments in [TERRAFORM, ["cloudformation", "--out", "ecr.json"], ["iam", "--out", "modules/iam"]]
        {
            let fixture = Fixture::new(name);
            let first = fixture.exported(&arguments);
            assert!(first.lines().all(|line| line.starts_with("wrote ")), "{first}");
            let second = fixture.exported(&arguments);
            assert!(second.ends_with(" up to date\n"), "{name}: {second}");
            let check = fixture.export(&[&arguments[..], &["--check"]].concat());
            assert_eq!((check.code, check.out.as_str()), (0, ""), "{name}");
        }
    }
}

/// CloudFormation refuses a template without a resource.
#[test]
fn no_template_is_written_without_a_resource() {
    let fixture = Fixture::new("empty");
    let config = "registry: { account: '123456789012', region: ca-central-1 }\nupstreams: {}\n";
    std::fs::write(fixture.path("pullthru.yaml"), config).unwrap();
    let run = fixture.export(&["cloudformation", "--out", "ecr.json"]);
    assert_eq!((run.code, run.out.as_str()), (2, ""));
    assert!(run.err.contains("there is nothing to export"), "{}", run.err);
    assert!(!fixture.path("ecr.json").exists());
    // A module without a rule is one.
    fixture.exported(&TERRAFORM);
}

#[test]
fn a_check_shows_the_difference_and_writes_nothing() {
    let fixture = Fixture::new("empty");
    let check = [&TERRAFORM[..], &["--check"]].concat();
    let run = fixture.export(&check);
    assert_eq!(run.code, 1);
    assert!(run.out.contains("+++ b/main.tf") && run.out.contains("new file mode"), "{}", run.out);
    assert!(!fixture.path("modules").exists());
    fixture.exported(&TERRAFORM);
    // Somebody edited, and the configuration moved on: both are seen.
    let config = fixture.read("pullthru.yaml").replace("ghcr.io: ghcr", "ghcr.io: cache");
    std::fs::write(fixture.path("pullthru.yaml"), config).unwrap();
    let run = fixture.export(&check);
    assert_eq!(run.code, 1);
    let lines = ["-  ecr_repository_prefix = \"ghcr\"", "+  ecr_repository_prefix = \"cache\""];
    assert!(lines.iter().all(|line| run.out.lines().any(|found| found == *line)), "{}", run.out);
    assert!(fixture.read("modules/ecr/main.tf").contains("\"ghcr\""));
    let written = fixture.exported(&TERRAFORM);
    // What is as it should be is not written again.
    assert!(written.contains("wrote modules/ecr/main.tf") && !written.contains("registry.tf"), "{written}");
}

#[test]
fn files_of_others_are_replaced_only_when_asked() {
    for (arguments, file) in [
        (TERRAFORM, "modules/ecr/main.tf"),
        (["cloudformation", "--out", "ecr.json"], "ecr.json"),
        (["iam", "--out", "iam"], "iam/node-pull.json"),
    ] {
        let fixture = Fixture::new("empty");
        std::fs::create_dir_all(fixture.path(file).parent().unwrap()).unwrap();
        std::fs::write(fixture.path(file), "# ours, by hand\n").unwrap();
        let refused = fixture.export(&arguments);
        assert_eq!(refused.code, 2, "{}", refused.err);
        assert!(refused.err.contains("pullthru did not write it"), "{}", refused.err);
        assert_eq!(fixture.read(file), "# ours, by hand\n");
        // Nothing beside it either.
        assert!(!fixture.path("modules/ecr/secrets.tf").exists() && !fixture.path("iam/scan.json").exists());
        let shown = fixture.export(&[&arguments[..], &["--check"]].concat());
        assert_eq!(shown.code, 1);
        assert!(shown.out.contains("-# ours, by hand"), "{}", shown.out);
        fixture.exported(&[&arguments[..], &["--force"]].concat());
        assert_ne!(fixture.read(file), "# ours, by hand\n");
    }
}

#[test]
fn wrong_usage_is_reported() {
    let fixture = Fixture::new("empty");
    for (arguments, expected) in [
        (&["iam"][..], "required"),
        (&["iam", "--out", "-", "--policy", "scan"], "cannot be used with"),
        (&["iam", "--policy", "scan", "--check"], "`--check` and `--force` are about files"),
        (&["cloudformation", "--out", "-", "--force"], "`--check` and `--force` are about files"),
        (&["cloudformation", "--out", "/"], "`/` names no file"),
        (&["terraform"], "required"),
    ] {
        let run = fixture.export(arguments);
        assert_eq!(run.code, 2, "{arguments:?}: {}{}", run.out, run.err);
        assert!(run.err.contains(expected), "{arguments:?}: {}", run.err);
    }
    // A file where the directory should be.
    std::fs::write(fixture.path("taken"), "").unwrap();
    let run = fixture.export(&["terraform", "--out", "taken"]);
    assert_eq!(run.code, 3, "{}", run.err);
}

/// The token that the environment holds is in nothing that any export writes or prints.
#[test]
fn no_token_is_written_anywhere() {
    for name in FIXTURES {
        let fixture = Fixture::new(name);
        let before = files(fixture.place.path()).len();
        std::fs::write(fixture.path("token.txt"), format!("{TOKEN}\n")).unwrap();
        let mut printed = String::new();
        for arguments in [
            &["terraform", "--out", "module"][..],
            &["terraform", "--out", "module", "--check", "--force"],
            &["cloudformation", "--out", "ecr.json"],
            &["cloudformation", "--out", "-"],
            &["iam", "--out", "iam"],
            &["iam", "--out", "-"],
        ] {
            let run = fixture.export(arguments);
            printed += &(run.out + &run.err);
        }
        assert!(!printed.contains(TOKEN), "{name}");
        std::fs::remove_file(fixture.path("token.txt")).unwrap();
        let written = files(fixture.place.path());
        assert!(written.len() > before + 10, "{name}: {}", written.len());
        for (path, text) in written {
            assert!(!text.contains(TOKEN), "{name}: {}", path.display());
        }
    }
}

fn files(directory: &std::path::Path) -> Vec<(std::path::PathBuf, String)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            found.push((path, text));
        }
    }
    found
}
