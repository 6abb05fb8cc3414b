//! A login is for the hosts that the user has named: the list of images may be a stranger's, as in
//! `kubectl get pods … | pullthru verify --list -`.

use std::io::Write;
use std::process::Stdio;

use super::script::{Script, answer, basic};
use super::{CONFIG, LAYER, MANIFEST, manifest};
use crate::scratch::{Run, Scratch};

const PASSWORD: &str = "hunter2-password";
/// `me:hunter2-password`
const ENCODED: &str = "bWU6aHVudGVyMi1wYXNzd29yZA==";

/// A registry that wants a login and takes any.
fn registry() -> Script {
    let body = manifest(CONFIG, b"{}", LAYER, b"layer");
    Script::start(move |request, _| match request.authorization().is_empty() {
        true => basic(),
        false => answer("200 OK", &[("Content-Type", MANIFEST)], &body),
    })
}

/// `pullthru verify --list -`, as of a cluster's pods.
fn verify_pods(variables: &[(&str, &str)], images: &[&str], served: &[(&str, &Script)]) -> Run {
    let scratch = Scratch::new(&[]);
    let mut command = scratch.command(&["verify", "--list", "-", "--at", "upstream"]);
    for (host, script) in served {
        command.args(["--served-at", &format!("{host}={}", script.host())]);
    }
    command
        .envs(variables.iter().copied())
        .env("HOME", scratch.path())
        .env("AWS_EC2_METADATA_DISABLED", "true");
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(images.join("\n").as_bytes()).unwrap();
    Run::from(child.wait_with_output().unwrap())
}

#[test]
fn a_pod_of_a_stranger_collects_no_login() {
    let login = format!("me:{PASSWORD}");
    let (own, stranger) = (registry(), registry());
    let served = [("registry.acme.example", &own), ("registry-acme.example", &stranger)];
    let images = ["registry.acme.example/a/b:1", "registry-acme.example/a/b:1"];
    // By its old name the variable is for nobody, and nobody is asked.
    let run = verify_pods(&[("PULLTHRU_AUTH_REGISTRY_ACME_EXAMPLE", &login)], &images, &served);
    assert_eq!((run.code, run.out.as_str()), (2, ""), "{}", run.err);
    let text: String = run.err.split_whitespace().filter(|word| !matches!(*word, "×" | "│")).collect();
    assert!(text.contains("`PULLTHRU_AUTH_REGISTRY_dot_ACME_dot_EXAMPLE`"), "{}", run.err);
    assert!(!run.err.contains(PASSWORD));
    assert_eq!((own.log().len(), stranger.log().len()), (0, 0));
    // By its new name it is for its host.
    let run = verify_pods(&[("PULLTHRU_AUTH_REGISTRY_dot_ACME_dot_EXAMPLE", &login)], &images, &served);
    assert_eq!(run.code, 1, "{}{}", run.out, run.err);
    assert!(own.wire().contains(ENCODED));
    assert!(!stranger.log().is_empty() && !stranger.wire().to_ascii_lowercase().contains("authorization"));
}
