//! The registry client against scripted servers, byte for byte, and against real registries.

mod asks;
mod aws;
mod beside;
mod canary;
mod credentials;
mod docker;
mod faults;
mod logins;
mod lookalike;
mod proxies;
mod real;
mod refused;
pub(crate) mod script;
mod seed;

use std::time::Duration;

use pullthru::image::{Digest, Name};
use pullthru::registry::{Client, Credentials, Location, Retries, Settings, Timeouts};
use sha2::{Digest as _, Sha256};

/// Runs one of this module's ignored tests in a process with this environment and no other: what reads the
/// environment of its process cannot be tested in one that is shared.
fn child(test: &str, variables: &[(&str, &str)]) {
    let output = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("registry::{test}"), "--ignored", "--nocapture"])
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
fn quick() -> Settings {
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

fn client(credentials: Credentials) -> Client {
    Client::new(quick(), credentials).unwrap()
}

fn at(host: &str, rest: &str) -> Location {
    Location::parse(&format!("{host}/{rest}")).unwrap()
}

fn name(host: &str, path: &str) -> Name {
    Name::parse(&format!("{host}/{path}")).unwrap()
}

fn sha256(bytes: &[u8]) -> Digest {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    Digest::parse(&format!("sha256:{hex}")).unwrap()
}

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// A manifest with one configuration and one layer.
fn manifest(config_type: &str, config: &[u8], layer_type: &str, layer: &[u8]) -> Vec<u8> {
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
fn index(children: &[(&str, &[u8])]) -> Vec<u8> {
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
