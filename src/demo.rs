//! A world of its own for `pullthru demo`: the sample repository in a temporary directory, an upstream registry with
//! every image that it names, and a cache before it, both on loopback.
//!
//! The images are made up, so the copy's pinned digests are replaced by theirs; nothing else of it changes. One server
//! stands for every upstream.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};
use registry_sim::{Cache, CacheSettings, Image, Rule, Store, Upstream, UpstreamSettings};

use crate::config::{Config, Overrides};
use crate::find::{Finder, Hosts};
use crate::images::{Charts, Image as Pulled, Images};
use crate::inventory;
use crate::kustomize::Model;
use crate::route::upstreams;
use crate::tree::{Repository, WalkOptions};
use pullthru_charts::DEFAULT_KUBERNETES;
use pullthru_core::releases::lock::{Capabilities, ImageLock, LOCK_NAME};
use pullthru_core::releases::{Evaluation, Sources};

static FLEET: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/testdata/fleet");

/// The account and the Region of the cache.
pub const ACCOUNT: &str = "123456789012";
pub const REGION: &str = "ca-central-1";

/// Only loopback ever sees them.
const USER: &str = "demo";
const TOKEN: &str = "demo-token";

/// Everything that runs; it stops and goes when this is dropped.
pub struct World {
    directory: Option<tempfile::TempDir>,
    root: PathBuf,
    upstream: Upstream,
    cache: Cache,
}

/// Why there is no demo.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error("the sample repository could not be copied: {0}")]
    Copy(#[source] io::Error),
    #[error("no server could be started on 127.0.0.1: {0}")]
    Serve(#[source] io::Error),
    #[error("the sample repository could not be read: {0}")]
    Read(String),
}

impl World {
    /// Copies the sample repository and starts both registries.
    ///
    /// # Errors
    /// [`DemoError`].
    pub fn start() -> Result<World, DemoError> {
        let directory =
            tempfile::Builder::new().prefix("pullthru-demo-").tempdir().map_err(DemoError::Copy)?;
        let root = directory.path().join("fleet");
        fs::create_dir(&root).and_then(|()| FLEET.extract(&root)).map_err(DemoError::Copy)?;
        let mut store = Store::new();
        for pull in &images(&root)? {
            publish(pull, &root, &mut store).map_err(DemoError::Copy)?;
        }
        let settings = UpstreamSettings {
            credentials: vec![(USER.to_owned(), TOKEN.to_owned())],
            ..UpstreamSettings::default()
        };
        let upstream = Upstream::start(store, settings).map_err(DemoError::Serve)?;
        let rules = upstreams().iter().filter(|known| !known.host.contains('*'));
        let rules =
            rules.map(|known| Rule::new(known.default_prefix, known.host, &upstream).credential(USER, TOKEN));
        let settings = CacheSettings {
            account: ACCOUNT.to_owned(),
            region: REGION.to_owned(),
            ..CacheSettings::default()
        };
        let cache = Cache::start(rules.collect(), settings).map_err(DemoError::Serve)?;
        Ok(World { directory: Some(directory), root, upstream, cache })
    }

    /// The copy of the sample repository.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// What the commands have to know of this world, as variables of their environment.
    pub fn variables(&self) -> Vec<(&'static str, String)> {
        let mut served = vec![format!("{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com={}", self.cache.host())];
        let known = upstreams().iter().filter(|known| !known.host.contains('*'));
        served.extend(known.map(|known| format!("{}={}", known.host, self.upstream.host())));
        vec![
            ("PULLTHRU_SERVED_AT", served.join(",")),
            ("PULLTHRU_STORAGE_HOST", self.cache.storage_host()),
            ("AWS_ENDPOINT_URL_ECR", self.cache.api_url()),
            ("AWS_ACCESS_KEY_ID", "demo".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "demo".to_owned()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            // Charts are not fetched from the internet, whether there is a helm or not.
            ("PULLTHRU_CHARTS", "lock".to_owned()),
            // No configuration or login of whoever runs it is read.
            ("HOME", self.root.display().to_string()),
        ]
    }

    /// Leaves the directory behind.
    pub fn keep(mut self) -> PathBuf {
        if let Some(directory) = self.directory.take() {
            // From here on nobody removes it.
            let _ = directory.keep();
        }
        self.root.clone()
    }
}

/// What the sample repository pulls.
fn images(root: &Path) -> Result<Vec<Pulled>, DemoError> {
    let wrong = |error: &dyn std::fmt::Display| DemoError::Read(error.to_string());
    let overrides = Overrides { upstreams: vec!["all".to_owned()], ..Overrides::default() };
    let config = Config::load(None, &overrides).map_err(|error| wrong(&error))?;
    let hosts = Hosts::new(&config.upstream_hosts(), &config.cache_hosts()).map_err(|error| wrong(&error))?;
    let hosts = hosts.with_bases(config.cache_bases());
    let repository = Repository::at(root).map_err(|error| wrong(&error))?;
    let inventory = inventory::take(&repository, &[], &WalkOptions::default(), &Finder::new(hosts))
        .map_err(|error| wrong(&error))?;
    let model = Model::new(&inventory, &config);
    let sources = Sources::new(&repository);
    let mut evaluation = Evaluation::of(&model, &sources);
    let lock = fs::read_to_string(root.join(LOCK_NAME)).map_err(|error| wrong(&error))?;
    let lock = ImageLock::read(&lock).map_err(|error| wrong(&error))?;
    let capabilities =
        Capabilities { kubernetes_version: DEFAULT_KUBERNETES.to_owned(), ..Capabilities::default() };
    let charts = Charts::of_lock(&mut evaluation, &lock, &capabilities);
    Ok(Images::of(&model, Some(&charts), false, |_| true).images)
}

/// Makes an image for a pull, and pins its digest where the copy pins one.
fn publish(pull: &Pulled, root: &Path, store: &mut Store) -> io::Result<()> {
    let Some(name) = &pull.upstream else { return Ok(()) };
    let content = Image::new(&pull.reference())
        .platforms(["linux/amd64", "linux/arm64"])
        .layers([40_000, 12_000])
        .build();
    // A digest alone still has a tag at the upstream.
    store.push(&name.path, &content, [pull.tag_or_latest().unwrap_or("1.0.0")]);
    if let Some(pinned) = &pull.digest {
        for place in &pull.places {
            let path = root.join(place.path.as_str());
            let text = fs::read_to_string(&path)?;
            let (_, hex) = content.digest().split_once(':').unwrap_or_default();
            fs::write(&path, text.replace(pinned.encoded(), hex))?;
        }
    }
    Ok(())
}
