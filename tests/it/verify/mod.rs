//! `pullthru verify`, the built binary, against a registry that behaves like ghcr.io and a cache that behaves like ECR.

pub(crate) mod artifacts;
mod chosen;
mod denied;
mod formats;
mod guide;
mod lists;
mod locks;
mod outcomes;
mod stops;
mod terminal;
mod wire;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;

use registry_sim::{
    Cache, CacheSettings, Content, Image, Request, Rule, Store, Upstream, UpstreamSettings, media,
};
use serde_json::Value;

use crate::scratch::{Run, Scratch};

pub(crate) const ECR: &str = "123456789012.dkr.ecr.ca-central-1.amazonaws.com";
pub(crate) const BOTH: [&str; 2] = ["linux/amd64", "linux/arm64"];

/// ghcr.io, an ECR with a rule for it below `ghcr`, and a repository of files.
pub(crate) struct World {
    pub(crate) upstream: Upstream,
    pub(crate) cache: Cache,
    pub(crate) scratch: Scratch,
}

pub(crate) fn image(name: &str) -> Content {
    Image::new(name).platforms(BOTH).build()
}

/// A pod a name, each with one container an image.
pub(crate) fn pods(images: &[&str]) -> String {
    let mut text = "apiVersion: v1\nkind: Pod\nmetadata:\n  name: pod\nspec:\n  containers:\n".to_owned();
    for (number, image) in images.iter().enumerate() {
        text.push_str(&format!("  - name: c{number}\n    image: {image}\n"));
    }
    text
}

/// GET at a cache, as a node does; the status.
pub(crate) fn get(cache: &Cache, path: &str) -> u16 {
    let mut stream = TcpStream::connect(cache.host()).unwrap();
    let (host, login, accept) = (cache.host(), cache.authorization(), media::MANIFESTS.join(", "));
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: {login}\r\nAccept: {accept}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let text = String::from_utf8_lossy(&answer);
    text.split(' ').nth(1).unwrap().parse().unwrap()
}

impl World {
    pub(crate) fn new(content: &[(&str, &Content, &[&str])]) -> World {
        let settings = CacheSettings { region: "ca-central-1".to_owned(), ..CacheSettings::default() };
        World::with(content, settings)
    }

    pub(crate) fn with(content: &[(&str, &Content, &[&str])], settings: CacheSettings) -> World {
        let mut store = Store::new();
        for (repository, content, tags) in content {
            store.push(repository, content, tags.iter().copied());
        }
        let upstream = Upstream::start(store, UpstreamSettings::default()).unwrap();
        let cache = Cache::start(vec![Rule::new("ghcr", "ghcr.io", &upstream)], settings).unwrap();
        World { upstream, cache, scratch: Scratch::new(&[]) }
    }

    /// One file with these images.
    pub(crate) fn pulling(self, images: &[&str]) -> World {
        self.scratch.write("apps/pod.yaml", pods(images).as_bytes());
        self
    }

    /// Imports a tag, as a node's pull does, and forgets that it happened.
    pub(crate) fn warm(&self, repository: &str, tag: &str) {
        let path = format!("/v2/ghcr/{repository}/manifests/{tag}");
        assert_eq!(self.get(&path), 200, "{path}");
        self.forget();
    }

    pub(crate) fn forget(&self) {
        self.cache.clear_log();
        self.upstream.clear_log();
    }

    /// GET at the cache, as a node does; the status.
    pub(crate) fn get(&self, path: &str) -> u16 {
        get(&self.cache, path)
    }

    /// `pullthru verify` with AWS credentials, a cache that is configured, and the registries of this world.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.command_of("verify", arguments)
    }

    /// The same of another command.
    pub(crate) fn command_of(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = self.bare_of(name, arguments);
        command.args(["--account", "123456789012", "--region", "ca-central-1"]);
        command.env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE").env("AWS_SECRET_ACCESS_KEY", "secret");
        command
    }

    /// The same without credentials and without a cache.
    pub(crate) fn bare(&self, arguments: &[&str]) -> Command {
        self.bare_of("verify", arguments)
    }

    pub(crate) fn bare_of(&self, name: &str, arguments: &[&str]) -> Command {
        let mut command = self.scratch.command(&[name]);
        command.args(arguments);
        command.arg("--served-at").arg(format!("ghcr.io={}", self.upstream.host()));
        command.arg("--served-at").arg(format!("{ECR}={}", self.cache.host()));
        command
            .env("AWS_ENDPOINT_URL", self.cache.api_url())
            .env("AWS_ENDPOINT_URL_ECR", self.cache.api_url());
        command.env("AWS_REGION", "ca-central-1").env("AWS_EC2_METADATA_DISABLED", "true");
        command.env("HOME", self.scratch.path());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        Run::from(self.command(arguments).output().unwrap())
    }

    /// Exit code and report.
    pub(crate) fn verify(&self, arguments: &[&str]) -> (i32, Report) {
        report(self.command(&[arguments, &["--format", "json"]].concat()))
    }

    /// Nothing was imported: the cache has no repository, and never asked the upstream.
    pub(crate) fn assert_nothing_imported(&self) {
        assert_eq!(self.cache.repositories(), Vec::<String>::new());
        assert!(self.upstream.imports().is_empty(), "{:?}", self.upstream.imports());
    }
}

pub(crate) fn report(mut command: Command) -> (i32, Report) {
    let run = Run::from(command.output().unwrap());
    let value = serde_json::from_str(&run.out);
    (run.code, Report(value.unwrap_or_else(|error| panic!("{error}: {}{}", run.out, run.err))))
}

#[derive(Debug)]
pub(crate) struct Report(pub(crate) Value);

impl Report {
    /// The row of an image, by its reference at the upstream.
    pub(crate) fn row(&self, reference: &str) -> &Value {
        let rows = self.0["images"].as_array().unwrap();
        rows.iter()
            .find(|row| row["reference"] == reference)
            .unwrap_or_else(|| panic!("no {reference}: {self:#?}"))
    }

    /// The only row.
    pub(crate) fn only(&self) -> &Value {
        assert_eq!(self.0["images"].as_array().unwrap().len(), 1, "{self:#?}");
        &self.0["images"][0]
    }

    /// Reference and outcome of every row, in order.
    pub(crate) fn outcomes(&self) -> Vec<(&str, &str)> {
        let rows = self.0["images"].as_array().unwrap().iter();
        rows.map(|row| (row["reference"].as_str().unwrap(), row["outcome"].as_str().unwrap())).collect()
    }
}

/// Does a field of a row hold this text?
#[track_caller]
pub(crate) fn assert_says(row: &Value, field: &str, text: &str) {
    assert!(row[field].as_str().unwrap_or_default().contains(text), "{field} lacks `{text}`: {row:#}");
}

/// How often each operation of the ECR API was called.
pub(crate) fn operations(log: &[Request], name: &str) -> usize {
    log.iter().filter(|request| request.operation() == Some(name)).count()
}

/// What miette prints, without its lines and breaks.
pub(crate) fn flat(text: &str) -> String {
    text.split_whitespace().filter(|word| !matches!(*word, "×" | "│")).collect::<Vec<_>>().join(" ")
}

/// Requests for manifests, those without a login left out: they ask where to log in.
pub(crate) fn manifests(log: &[Request]) -> Vec<String> {
    let asked = log
        .iter()
        .filter(|request| request.path.contains("/manifests/") && request.header("authorization").is_some());
    asked.map(|request| format!("{} {}", request.method, request.path)).collect()
}
