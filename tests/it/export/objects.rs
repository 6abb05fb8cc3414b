//! Objects of ACK and Crossplane: what is written, by the fields of their CRDs, and what is said of the rest.
//!
//! `testdata/export/crds` has the fields, types and requirements of each kind, as the CRDs that `source` names have them.

use serde_json::Value;

use super::Fixture;
use crate::golden::assert_same;

/// What a kind's schema does not take of a value. A field that it does not know is dropped by the API server: here it is
/// a mistake.
fn mistakes(schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    let is = match schema["type"].as_str().unwrap() {
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" | "integer" => value.is_number(),
        "array" => value.is_array(),
        _ => value.is_object(),
    };
    if !is {
        return found.push(format!("{place} is no {}", schema["type"]));
    }
    for (number, element) in value.as_array().into_iter().flatten().enumerate() {
        mistakes(&schema["items"], element, &format!("{place}[{number}]"), found);
    }
    for (name, member) in value.as_object().into_iter().flatten() {
        let place = format!("{place}.{name}");
        match (schema["properties"].get(name), schema.get("additionalProperties")) {
            (Some(schema), _) | (None, Some(schema)) => mistakes(schema, member, &place, found),
            (None, None) => found.push(format!("{place} is unknown")),
        }
    }
    for required in schema["required"].as_array().into_iter().flatten() {
        if value.get(required.as_str().unwrap()).is_none() {
            found.push(format!("{place}.{} is missing", required.as_str().unwrap()));
        }
    }
}

/// The objects of a text, and what their CRDs do not take.
fn judged(tool: &str, text: &str) -> (Vec<Value>, Vec<String>) {
    let path = super::project().join(format!("testdata/export/crds/{tool}.json"));
    let crds: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let documents = text.split("---\n").skip(1).map(|document| serde_saphyr::from_str(document).unwrap());
    let objects: Vec<Value> = documents.collect();
    let mut found = Vec::new();
    for object in &objects {
        let kind = format!("{} {}", object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap());
        match crds["kinds"].get(&kind) {
            Some(schema) => mistakes(schema, &object["spec"], &kind, &mut found),
            None => found.push(format!("{kind} does not exist")),
        }
        let name = object["metadata"]["name"].as_str().unwrap();
        let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(name.chars().all(is_name) && !name.starts_with('-') && !name.ends_with('-'), "{name}");
    }
    (objects, found)
}

fn names(objects: &[Value]) -> Vec<String> {
    let name = |object: &Value| {
        format!("{} {}", object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap())
    };
    let names: Vec<String> = objects.iter().map(name).collect();
    let unique: std::collections::BTreeSet<&String> = names.iter().collect();
    assert_eq!(unique.len(), names.len(), "{names:?}");
    names
}

#[test]
fn objects_of_ack_are_those_of_the_golden_files_and_have_the_fields_of_its_crds() {
    for name in ["empty", "full", "odd", "regions", "given"] {
        let text = Fixture::new(name).exported(&["ack", "--out", "-", "--namespace", "ack-system"]);
        let (objects, found) = judged("ack", &text);
        assert_eq!(found, Vec::<String>::new(), "{name}");
        names(&objects);
        assert!(objects.iter().all(|object| object["metadata"]["namespace"] == "ack-system"));
        if ["empty", "full"].contains(&name) {
            assert_same(&format!("testdata/export/{name}/ack.yaml"), &text);
        }
    }
}

#[test]
fn objects_of_crossplane_are_those_of_the_golden_file_and_have_the_fields_of_its_crds() {
    let text = Fixture::new("given").exported(&["crossplane", "--out", "-", "--provider-config", "prod"]);
    assert_same("testdata/export/given/crossplane.yaml", &text);
    let (objects, found) = judged("crossplane", &text);
    assert_eq!(found, Vec::<String>::new());
    for kind in [
        "RepositoryCreationTemplate ghcr-io-cache-my-org",
        "PullThroughCacheRule ghcr-io-cache",
        "Repository team-app",
        "LifecyclePolicy team-app",
        "RepositoryPolicy team-app",
        "RegistryScanningConfiguration registry",
        "RegistryPolicy registry",
        "ReplicationConfiguration registry",
    ] {
        assert!(names(&objects).contains(&kind.to_owned()), "{kind}: {:?}", names(&objects));
    }
    let rule = objects
        .iter()
        .find(|object| object["metadata"]["name"] == "base" && object["kind"] == "PullThroughCacheRule");
    let provided = &rule.unwrap()["spec"]["forProvider"];
    assert_eq!(provided["upstreamRepositoryPrefix"], "team/base");
    assert_eq!(provided["customRoleArn"], "arn:aws:iam::123456789012:role/ecr-to-ecr");
}

/// Each is a mistake that one could make here.
#[test]
fn wrong_fields_are_seen() {
    let ack = Fixture::new("full").exported(&["ack", "--out", "-"]);
    let crossplane = Fixture::new("given").exported(&["crossplane", "--out", "-"]);
    for (tool, text, right, wrong, expected) in [
        ("ack", &ack, "upstreamRegistryURL:", "upstreamRegistryUrl:", "upstreamRegistryUrl is unknown"),
        ("ack", &ack, "  ecrRepositoryPrefix: \"ghcr\"\n", "", "ecrRepositoryPrefix is missing"),
        (
            "ack",
            &ack,
            "kind: \"PullThroughCacheRule\"",
            "kind: \"PullThroughRule\"",
            "PullThroughRule does not exist",
        ),
        ("ack", &ack, "key: \"value\"", "key: 1", "secretString.key is no \"string\""),
        (
            "crossplane",
            &crossplane,
            "upstreamRegistryUrl:",
            "upstreamRegistryURL:",
            "upstreamRegistryURL is unknown",
        ),
        ("crossplane", &crossplane, "    region: \"ca-central-1\"\n", "", "forProvider.region is missing"),
        (
            "crossplane",
            &crossplane,
            "appliedFor: [\"PULL_THROUGH_CACHE\"]",
            "appliedFor: \"PULL_THROUGH_CACHE\"",
            "appliedFor is no \"array\"",
        ),
    ] {
        assert!(text.contains(right), "{tool} has no {right}\n{text}");
        let (_, found) = judged(tool, &text.replace(right, wrong));
        assert!(found.iter().any(|found| found.contains(expected)), "{wrong}: {found:?}");
    }
}

/// The login is a Secret of Kubernetes that somebody else makes, and the rule waits for the secret of AWS by reference.
#[test]
fn a_login_of_ack_is_a_reference() {
    let fixture = Fixture::new("empty");
    let run = fixture.export(&["ack", "--out", "-", "--namespace", "infra"]);
    assert!(
        run.err.contains("the Secret `ghcr-login` of the namespace `infra` has to hold the login at ghcr.io"),
        "{}",
        run.err
    );
    let (objects, _) = judged("ack", &run.out);
    let [secret, rule] = objects.as_slice() else { panic!("{objects:?}") };
    assert_eq!(secret["spec"]["name"], "ecr-pullthroughcache/ghcr");
    assert_eq!(secret["spec"]["secretString"]["name"], "ghcr-login");
    assert_eq!(secret["spec"]["secretString"]["namespace"], "infra");
    assert!(secret["spec"].get("kmsKeyID").is_none(), "ECR reads no secret under another key");
    assert_eq!(rule["spec"]["credentialRef"]["from"]["name"], secret["metadata"]["name"]);
    assert_eq!(rule["spec"]["registryID"], "123456789012");
}

/// Without an ARN the rule would be refused by ECR: nothing is written.
#[test]
fn a_login_of_crossplane_has_to_be_named_by_its_arn() {
    let fixture = Fixture::new("full");
    let run = fixture.export(&["crossplane", "--out", "ecr.yaml"]);
    assert_eq!(run.code, 2, "{}", run.err);
    assert!(run.err.contains("a secret that is not there: dockerhub, ghcr, gitlab"), "{}", run.err);
    assert!(run.err.contains("arn: …"), "{}", run.err);
    assert!(!fixture.path("ecr.yaml").exists());
}

#[test]
fn what_has_no_object_is_named_with_the_export_that_writes_it() {
    let ack = Fixture::new("full").export(&["ack", "--out", "-"]);
    for note in [
        "keys ecr-own: not in this file, `provision export terraform|cloudformation` writes it",
        "repositories with a new key team/app, team/worker: not in this file",
        "roles github-push: not in this file, `provision export terraform|cloudformation|iam` writes it",
        "policies cache-ci-push, cache-node-pull, cache-provision, cache-pull-only, cache-scan: not in",
        "the registry's policy PullthruImport, Replicate: not in this file",
        "scanning of team/*, docker-hub/*, ghcr/*: not in this file",
        "replication ghcr/my-org",
    ] {
        assert!(ack.err.contains(note), "{note}\n{}", ack.err);
    }
    // A repository without the key that was asked for could never get it.
    assert!(!ack.out.contains("team/app\"\n") && ack.out.contains("name: \"sandbox\""), "{}", ack.out);
    let given = Fixture::new("given").export(&["crossplane", "--out", "-"]);
    assert!(given.err.contains("repositories with a new key team/vault: not in this file"), "{}", given.err);
    assert!(!given.err.contains("registry's policy") && !given.out.contains("vault"), "{}", given.err);
}

/// Two Regions in one namespace do not overwrite each other, and each says where it is.
#[test]
fn each_region_has_objects_of_its_own() {
    let fixture = Fixture::new("regions");
    let home = judged("ack", &fixture.exported(&["ack", "--out", "-"])).0;
    let away = judged("ack", &fixture.exported(&["ack", "--out", "-", "--for", "eu-west-1"])).0;
    assert!(names(&home).contains(&"PullThroughCacheRule ghcr".to_owned()));
    assert!(names(&away).contains(&"PullThroughCacheRule ghcr-eu-west-1".to_owned()));
    assert!(names(&home).iter().all(|name| !names(&away).contains(name)));
    let region = |object: &Value| object["metadata"]["annotations"]["services.k8s.aws/region"].clone();
    assert!(away.iter().all(|object| region(object) == "eu-west-1"), "{away:?}");
    let rule = away.iter().find(|object| object["kind"] == "PullThroughCacheRule").unwrap();
    assert_eq!(rule["spec"]["credentialRef"]["from"]["name"], "ghcr-eu-west-1");
}

/// Objects lie beside the manifests that are scanned: hosts in them are no images.
#[test]
fn objects_are_no_images_of_the_repository() {
    for (name, tool) in [("full", "ack"), ("given", "crossplane")] {
        let fixture = Fixture::new(name);
        let run = |arguments: &[&str]| {
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_pullthru"));
            let output = command.args(arguments).current_dir(fixture.place.path()).output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        let before = run(&["emit", "list"]);
        assert!(before.contains("ghcr.io/"), "{before}");
        let written = fixture.export(&[tool, "--out", "infrastructure/ecr.yaml"]);
        assert_eq!((written.code, written.out.as_str()), (0, "wrote infrastructure/ecr.yaml\n"));
        assert!(written.err.lines().last().unwrap().starts_with("next: "), "{}", written.err);
        assert_eq!(run(&["emit", "list"]), before, "{tool}");
        assert_eq!(fixture.exported(&[tool, "--out", "infrastructure/ecr.yaml"]), "1 file up to date\n");
        let check = fixture.export(&[tool, "--out", "infrastructure/ecr.yaml", "--check"]);
        assert_eq!((check.code, check.out.as_str()), (0, ""), "{tool}");
    }
}
