//! What the tests of the client have in common. The tests of the program use it too.

use std::time::Duration;

use pullthru_core::image::{Digest, Name};
use pullthru_registry::{Client, Credentials, Location, Retries, Settings, Timeouts};
use sha2::{Digest as _, Sha256};

/// Runs an ignored test of this binary, by its whole path, in a process with this environment and no other: what reads the
/// environment of its process cannot be tested in one that is shared.
pub(crate) fn child(test: &str, variables: &[(&str, &str)]) {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env_clear()
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("HOME", "/nonexistent")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

/// Short pauses, and limits that no busy machine reaches.
pub(crate) fn quick() -> Settings {
    Settings {
        timeouts: Timeouts {
            connect: Duration::from_secs(30),
            first_byte: Duration::from_secs(30),
            whole: Duration::from_secs(60),
            blob: Duration::from_secs(60),
        },
        retries: Retries {
            attempts: 3,
            base: Duration::from_millis(5),
            cap: Duration::from_millis(20),
            patience: Duration::from_secs(3),
        },
        ..Settings::default()
    }
}

pub(crate) fn client(credentials: Credentials) -> Client {
    Client::new(quick(), credentials).unwrap()
}

pub(crate) fn at(host: &str, rest: &str) -> Location {
    Location::parse(&format!("{host}/{rest}")).unwrap()
}

pub(crate) fn name(host: &str, path: &str) -> Name {
    Name::parse(&format!("{host}/{path}")).unwrap()
}

pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    Digest::parse(&format!("sha256:{hex}")).unwrap()
}

pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(crate) const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(crate) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// A manifest with one configuration and one layer.
pub(crate) fn manifest(config_type: &str, config: &[u8], layer_type: &str, layer: &[u8]) -> Vec<u8> {
    let descriptor = |media_type: &str, bytes: &[u8]| {
        format!(r#"{{"mediaType":"{media_type}","digest":"{}","size":{}}}"#, sha256(bytes), bytes.len())
    };
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","config":{},"layers":[{}]}}"#,
        descriptor(config_type, config),
        descriptor(layer_type, layer)
    )
    .into_bytes()
}

/// An index of manifests for linux.
pub(crate) fn index(children: &[(&str, &[u8])]) -> Vec<u8> {
    let children: Vec<String> = children
        .iter()
        .map(|(architecture, bytes)| {
            format!(
                r#"{{"mediaType":"{MANIFEST}","digest":"{}","size":{},"platform":{{"os":"linux","architecture":"{architecture}"}}}}"#,
                sha256(bytes),
                bytes.len()
            )
        })
        .collect();
    format!(r#"{{"schemaVersion":2,"mediaType":"{INDEX}","manifests":[{}]}}"#, children.join(","))
        .into_bytes()
}

/// Is the process there, and no corpse that nobody has collected yet?
#[cfg(target_os = "linux")]
pub(crate) fn is_alive(process: &str) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    !matches!(state.rsplit_once(") ").map(|(_, rest)| rest.chars().next()), None | Some(Some('Z' | 'X')))
}

#[cfg(target_os = "linux")]
#[track_caller]
pub(crate) fn assert_ends(process: &str) {
    let begin = std::time::Instant::now();
    while is_alive(process) {
        assert!(begin.elapsed() < Duration::from_secs(30), "{process} is still there");
        std::thread::sleep(Duration::from_millis(20));
    }
}
