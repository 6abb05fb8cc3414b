//! Docker's and podman's configuration, with real helper programs: shell scripts on a PATH of the test's own.

use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::time::{Duration, Instant};

use pullthru_registry::{Credentials, Variables};

use super::logins::{ENCODED, PASSWORD, all, bearer_registry, good};
use super::script::{Script, answer, basic};
#[cfg(target_os = "linux")]
use super::support::{assert_ends, is_alive};
use super::support::{at, client};
use crate::scratch::Scratch;

/// A configuration of Docker's in a directory of its own, and helpers beside it.
pub(super) fn docker(config: &str, helpers: &[(&str, &str)]) -> (Scratch, Variables) {
    let scratch = Scratch::new(&[("docker/config.json", config.as_bytes())]);
    std::fs::create_dir_all(scratch.path().join("bin")).unwrap();
    for (name, text) in helpers {
        let path = scratch.path().join(format!("bin/docker-credential-{name}"));
        // Written by another process: this one forks while the file would be open for writing.
        let script = format!("cat > '{}' <<'END'\n#!/bin/sh\n{text}\nEND\n", path.display());
        assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}", scratch.path().join("bin").display(), std::env::var("PATH").unwrap());
    let variables = Variables::of([
        ("DOCKER_CONFIG".to_owned(), scratch.path().join("docker").display().to_string()),
        ("PATH".to_owned(), path),
    ]);
    (scratch, variables)
}

fn basic_registry() -> Script {
    Script::start(
        |request, _| {
            if request.authorization() == format!("Basic {ENCODED}") { good() } else { basic() }
        },
    )
}

#[tokio::test]
async fn docker_configuration_with_a_login_in_it() {
    let registry = basic_registry();
    let config = format!(r#"{{"auths":{{"{}":{{"auth":"{ENCODED}"}}}}}}"#, registry.host());
    let (_scratch, variables) = docker(&config, &[]);
    client(Credentials::of(variables)).manifest(&at(&registry.host(), "a/b:1")).await.unwrap();
    // podman's file is found by its variable.
    let scratch = Scratch::new(&[("auth.json", config.as_bytes())]);
    let variables = Variables::of([("REGISTRY_AUTH_FILE", scratch.path().join("auth.json"))]);
    client(Credentials::of(variables)).manifest(&at(&registry.host(), "a/b:1")).await.unwrap();
}

#[tokio::test]
async fn helper_programs_are_asked_once() {
    let registry = basic_registry();
    let text = format!(
        r#"read server; echo "$1 $server" >> "$(dirname "$0")/asked"; echo "{{\"ServerURL\":\"$server\",\"Username\":\"me\",\"Secret\":\"{PASSWORD}\"}}""#
    );
    for config in [
        format!(r#"{{"credHelpers":{{"{}":"fine"}}}}"#, registry.host()),
        format!(r#"{{"auths":{{"{}":{{}}}},"credsStore":"fine"}}"#, registry.host()),
    ] {
        let (scratch, variables) = docker(&config, &[("fine", &text)]);
        let client = client(Credentials::of(variables));
        all(&client, &registry, 10, 5).await;
        assert_eq!(scratch.read("bin/asked"), format!("get {}\n", registry.host()));
        assert!(client.notes().is_empty(), "{:?}", client.notes());
    }
}

#[tokio::test]
async fn a_store_without_this_login_leaves_the_file_its_say() {
    let registry = basic_registry();
    let config =
        format!(r#"{{"auths":{{"{}":{{"auth":"{ENCODED}"}}}},"credsStore":"empty"}}"#, registry.host());
    let (_scratch, variables) =
        docker(&config, &[("empty", "echo 'credentials not found in native keychain'; exit 1")]);
    let client = client(Credentials::of(variables));
    client.manifest(&at(&registry.host(), "a/b:1")).await.unwrap();
    assert!(client.notes().is_empty(), "{:?}", client.notes());
}

#[tokio::test]
async fn helpers_that_misbehave_are_named_and_never_quoted() {
    let leak = "leaked-secret-0123";
    for (name, text, words) in [
        ("hangs", "exec sleep 60".to_owned(), "did not answer"),
        ("hangs-on", format!("echo {leak}; sleep 60"), "did not answer"),
        ("garbage", format!("echo 'not json {leak}'; echo {leak} >&2"), "did not print a login"),
        ("fails", format!("echo {leak}; echo {leak} >&2; exit 3"), "failed"),
        ("floods", format!("yes {leak}"), "did not print a login"),
        ("gone", String::new(), "not on the PATH"),
        ("../evil", String::new(), "not the name of a credential helper"),
    ] {
        let open = Script::start(|_, _| basic());
        let config = format!(r#"{{"credHelpers":{{"{}":"{name}"}}}}"#, open.host());
        let helpers = [(name, text.as_str())];
        let (_scratch, variables) = docker(&config, if text.is_empty() { &[] } else { &helpers });
        let client = client(Credentials::of(variables).helper_limit(Duration::from_millis(700)));
        let start = Instant::now();
        let failure = client.manifest(&at(&open.host(), "a/b:1")).await.unwrap_err();
        assert!(start.elapsed() < Duration::from_secs(30), "{name}: {:?}", start.elapsed());
        assert_eq!(failure.id(), "unauthorized", "{name}");
        let notes: Vec<String> = client.notes().iter().map(ToString::to_string).collect();
        assert!(notes.len() == 1 && notes[0].contains(words), "{name}: {notes:?}");
        assert!(!format!("{notes:?} {failure} {failure:?}").contains(leak), "{name}: {notes:?}");
    }
}

/// What a helper that hangs has started would go on without it.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_a_helper_started_ends_with_it() {
    let open = Script::start(|_, _| basic());
    let config = format!(r#"{{"credHelpers":{{"{}":"hangs"}}}}"#, open.host());
    let text = r#"sleep 600 & echo $! > "$(dirname "$0")/below"; wait"#;
    let (scratch, variables) = docker(&config, &[("hangs", text)]);
    let client = client(Credentials::of(variables).helper_limit(Duration::from_secs(10)));
    client.manifest(&at(&open.host(), "a/b:1")).await.unwrap_err();
    let below = scratch.read("bin/below").trim().to_owned();
    assert!(below.parse::<u32>().is_ok(), "{below}");
    assert_ends(&below);
}

/// An agent that a helper leaves to run on purpose runs on.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_a_helper_leaves_to_run_runs_on() {
    let registry = basic_registry();
    let config = format!(r#"{{"credHelpers":{{"{}":"agent"}}}}"#, registry.host());
    let text = format!(
        "sleep 600 > /dev/null & echo $! > \"$(dirname \"$0\")/below\"; echo '{{\"Username\":\"me\",\"Secret\":\"{PASSWORD}\"}}'"
    );
    let (scratch, variables) = docker(&config, &[("agent", &text)]);
    client(Credentials::of(variables)).manifest(&at(&registry.host(), "a/b:1")).await.unwrap();
    let below = scratch.read("bin/below").trim().to_owned();
    assert!(is_alive(&below));
    let ended = std::process::Command::new("kill").arg(&below).status().unwrap();
    assert!(ended.success());
}

#[tokio::test]
async fn a_configuration_that_cannot_be_read_is_said_and_not_quoted() {
    let open = Script::start(|_, _| basic());
    for config in [r#"{"auths":{"a":{"auth":"bGVha2VkOnNlY3JldA==""#, r#"{"auths":"bGVha2VkOnNlY3JldA=="}"#] {
        let (_scratch, variables) = docker(config, &[]);
        let client = client(Credentials::of(variables));
        client.manifest(&at(&open.host(), "a/b:1")).await.unwrap_err();
        let notes: Vec<String> = client.notes().iter().map(ToString::to_string).collect();
        assert!(notes.len() == 1 && notes[0].contains("config.json` is not valid: line 1"), "{notes:?}");
        assert!(!notes[0].contains("bGVha2Vk"), "{notes:?}");
    }
}

#[tokio::test]
async fn an_identity_token_is_exchanged_by_post() {
    let server = Script::start(|_, _| answer("200 OK", &[], br#"{"access_token":"tok-1","expires_in":300}"#));
    let registry = bearer_registry(format!("http://{}/oauth2/token", server.host()));
    let config = format!(r#"{{"credHelpers":{{"{}":"identity"}}}}"#, registry.host());
    let text = r#"cat > /dev/null; echo '{"Username":"<token>","Secret":"refresh/me+1"}'"#;
    let (_scratch, variables) = docker(&config, &[("identity", text)]);
    client(Credentials::of(variables)).manifest(&at(&registry.host(), "a/b:1")).await.unwrap();
    let log = server.log();
    assert_eq!(log.len(), 1);
    assert_eq!(log[0].line(), "POST /oauth2/token");
    assert_eq!(log[0].header("content-type").unwrap(), "application/x-www-form-urlencoded");
    assert_eq!(
        log[0].body(),
        "service=s.example&scope=repository%3Aa%2Fb%3Apull&grant_type=refresh_token&client_id=pullthru&refresh_token=refresh%2Fme%2B1"
    );
    assert!(!registry.wire().contains("refresh"));
}
