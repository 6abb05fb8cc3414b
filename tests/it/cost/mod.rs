//! `pullthru cost`, the built binary, against a registry that behaves like ghcr.io: what is counted, and what it makes of it.

mod formats;
mod guide;
mod prices;
mod provisioned;
mod sizes;

use std::process::Command;

use registry_sim::{Content, Manifest, Store, Upstream, UpstreamSettings, digest_of, media};
use serde_json::{Value, json};

use crate::scratch::{Run, Scratch};
use crate::verify::pods;

pub(crate) const GB: u64 = 1 << 30;

/// A digest of that name's own.
fn digest(name: &str) -> String {
    digest_of(name.as_bytes())
}

/// A manifest with a configuration of 1,000 bytes and these layers, by name and size, of any size: nobody reads them.
fn manifest(name: &str, layers: &[(&str, u64)]) -> Manifest {
    manifest_of(name, media::OCI_MANIFEST, media::OCI_CONFIG, media::OCI_LAYER, layers)
}

fn manifest_of(
    name: &str,
    media_type: &str,
    config_type: &str,
    layer_type: &str,
    layers: &[(&str, u64)],
) -> Manifest {
    let layer =
        |(name, size): &(&str, u64)| json!({ "mediaType": layer_type, "digest": digest(name), "size": size });
    let config =
        json!({ "mediaType": config_type, "digest": digest(&format!("config of {name}")), "size": 1000 });
    let layers: Vec<Value> = layers.iter().map(layer).collect();
    let text = json!({ "schemaVersion": 2, "mediaType": media_type, "config": config, "layers": layers })
        .to_string();
    Manifest::new(media_type, text)
}

/// One manifest.
fn single(manifest: Manifest) -> Content {
    Content::of_manifests(manifest, Vec::new())
}

/// An index over these platforms.
fn index(children: &[(&str, Manifest)]) -> Content {
    index_of(media::OCI_INDEX, children)
}

fn index_of(media_type: &str, children: &[(&str, Manifest)]) -> Content {
    let descriptor = |(platform, manifest): &(&str, Manifest)| {
        let (os, architecture) = platform.split_once('/').unwrap();
        json!({
            "mediaType": manifest.media_type(), "digest": manifest.digest(), "size": manifest.bytes().len(),
            "platform": { "os": os, "architecture": architecture },
        })
    };
    let manifests: Vec<Value> = children.iter().map(descriptor).collect();
    let text = json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": manifests }).to_string();
    let children = children.iter().map(|(platform, manifest)| ((*platform).to_owned(), manifest.clone()));
    Content::of_manifests(Manifest::new(media_type, text), children.collect())
}

/// One server for every upstream, and a repository of files.
struct World {
    upstream: Upstream,
    scratch: Scratch,
}

impl World {
    fn new(content: &[(&str, &Content, &[&str])]) -> World {
        let mut store = Store::new();
        for (repository, content, tags) in content {
            store.push(repository, content, tags.iter().copied());
        }
        World {
            upstream: Upstream::start(store, UpstreamSettings::default()).unwrap(),
            scratch: Scratch::new(&[]),
        }
    }

    /// One file with these images.
    fn pulling(self, images: &[&str]) -> World {
        self.scratch.write("apps/pod.yaml", pods(images).as_bytes());
        self
    }

    fn command(&self, arguments: &[&str]) -> Command {
        self.command_of("cost", arguments)
    }

    fn command_of(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = self.scratch.command(&[name]);
        for host in ["ghcr.io", "quay.io", "docker.io", "registry.k8s.io"] {
            command.arg("--served-at").arg(format!("{host}={}", self.upstream.host()));
        }
        command.args(arguments).env("HOME", self.scratch.path());
        command
    }

    fn run(&self, arguments: &[&str]) -> Run {
        Run::from(self.command(arguments).output().unwrap())
    }

    /// Exit code and report.
    fn cost(&self, arguments: &[&str]) -> (i32, Report) {
        let run = self.run(&[arguments, &["--format", "json"]].concat());
        let value = serde_json::from_str(&run.out);
        (run.code, Report(value.unwrap_or_else(|error| panic!("{error}: {}{}", run.out, run.err))))
    }
}

#[derive(Debug)]
struct Report(Value);

impl Report {
    /// Repository, versions, images that are scanned, and bytes of all, the largest first.
    fn repositories(&self) -> Vec<(&str, u64, u64, u64)> {
        let number = |row: &Value, field: &str| row[field].as_u64().unwrap();
        let rows = self.0["repositories"].as_array().unwrap().iter();
        rows.map(|row| {
            let name = row["repository"].as_str().unwrap();
            (name, number(row, "versions"), number(row, "scanned"), number(row, "bytes"))
        })
        .collect()
    }

    /// What, quantity and US dollars of a month: 0 is the first, 1 the last without and 2 with the policy.
    fn lines(&self, month: usize) -> Vec<String> {
        let rows = self.0["months"][month]["lines"].as_array().unwrap().iter();
        rows.map(|row| format!("{} {} {}", row["what"].as_str().unwrap(), row["quantity"], row["usd"]))
            .collect()
    }

    fn says(&self, list: &str, text: &str) -> bool {
        self.0[list].as_array().unwrap().iter().any(|row| row.to_string().contains(text))
    }
}
