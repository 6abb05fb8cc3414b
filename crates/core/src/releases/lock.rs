//! The image lock, `pullthru-images.lock.json`: the images of every release, as they were rendered.
//!
//! One file, committed: a block a release, one image a line, sorted, so that a review shows which images a change brings
//! and two branches meet only where they change the same release. It holds no totals, routes, times or paths of a machine.
//! A block is [fresh](ImageLock::state) while the evaluated release has the hash that it was rendered with.
//!
//! The block of a chart that renders releases in turn holds their objects, so that these are evaluated again without helm: while
//! that block is fresh, the block of each of them is judged by its own hash.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::ops::Bound;

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::rendered_deployers::RenderedDeployers;
use super::{ChartRef, Release, ReleaseId, ReleaseKind};
use crate::image::Digest;
use crate::reasons::of_json;
use crate::tree::RepoPath;

/// The file's name, at the root of the repository.
pub const LOCK_NAME: &str = "pullthru-images.lock.json";

const SCHEMA: &str = "pullthru/image-lock/v1";

/// The images of the releases of a repository.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageLock {
    pub releases: BTreeMap<ReleaseId, LockedRelease>,
    /// Releases whose blocks stand at the markers of a merge conflict: nothing of them is known.
    pub conflicting: BTreeSet<ReleaseId>,
    /// There are such markers.
    pub has_conflict: bool,
}

/// A block of the lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedRelease {
    pub chart: LockedChart,
    /// [`hash`] of the release that was rendered.
    pub hash: String,
    /// [`Release::inputs`].
    pub inputs: BTreeSet<RepoPath>,
    pub images: BTreeSet<LockedImage>,
    /// The objects in the render that deploy charts in turn. The releases that they are have blocks of their own.
    pub deploys: RenderedDeployers,
    /// The last attempt to render it failed: the images are those of the render before.
    pub render_failed: bool,
}

/// The chart that was rendered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct LockedChart {
    /// Without a version: `oci://…`, `https://…/NAME`, a directory of the repository.
    pub source: String,
    /// The version that was rendered; of a chart in the repository that of its `Chart.yaml`.
    pub version: String,
    /// The range that the version was chosen from: the images are those of `version` and may be others tomorrow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<String>,
    /// Of the archive or the manifest; none for a chart in the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The API versions that its templates ask for.
    #[serde(default, skip_serializing_if = "AskedVersions::is_empty")]
    pub asks: AskedVersions,
}

/// What clusters tell charts (`.Capabilities`), where a release says nothing itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    pub kubernetes_version: String,
    /// Those besides Kubernetes' own.
    pub api_versions: BTreeSet<String>,
}

/// The API versions that a chart asks for (`.Capabilities.APIVersions`): another CRD in the repository changes nothing about it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AskedVersions(BTreeSet<String>);

impl AskedVersions {
    /// It asks by a name that it computes, or for all.
    const ANY: &'static str = "*";

    /// Reads a template of the chart.
    pub fn add_template(&mut self, text: &str) {
        for (at, name) in text.match_indices(".APIVersions") {
            let rest = text.get(at + name.len()..).unwrap_or_default();
            let asked = rest.strip_prefix(".Has").and_then(|rest| {
                let rest = rest.trim_start();
                let quote = rest.chars().next().filter(|first| matches!(first, '"' | '`'))?;
                rest.get(1..)?.split_once(quote).map(|(asked, _)| asked)
            });
            self.0.insert(asked.unwrap_or(Self::ANY).to_owned());
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those of the release and of its cluster that the chart can see.
    pub fn seen<'v>(&self, release: &'v Release, capabilities: &'v Capabilities) -> BTreeSet<&'v str> {
        let all = release.api_versions.union(&capabilities.api_versions).map(String::as_str);
        all.filter(|version| self.0.contains(*version) || self.0.contains(Self::ANY)).collect()
    }
}

/// An image of a release.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LockedImage {
    /// As it is rendered.
    pub image: String,
    pub role: RenderedRole,
    /// The values key that sets it, where one was found.
    pub key: Option<String>,
}

/// What a rendered image is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum RenderedRole {
    Container,
    InitContainer,
    EphemeralContainer,
    ImageVolume,
    /// A field of a custom resource that an operator reads.
    CustomResource,
    Argument,
    Environment,
    /// Text of a ConfigMap or a Secret.
    Config,
    Annotation,
    /// Of a Helm hook: pulled at an installation or an upgrade.
    Hook,
    /// Of a test hook: pulled by `helm test` alone.
    Test,
}

impl RenderedRole {
    /// As the lock and the reports spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            RenderedRole::Container => "container",
            RenderedRole::InitContainer => "init-container",
            RenderedRole::EphemeralContainer => "ephemeral-container",
            RenderedRole::ImageVolume => "image-volume",
            RenderedRole::CustomResource => "custom-resource",
            RenderedRole::Argument => "argument",
            RenderedRole::Environment => "environment",
            RenderedRole::Config => "config",
            RenderedRole::Annotation => "annotation",
            RenderedRole::Hook => "hook",
            RenderedRole::Test => "test",
        }
    }
}

/// Why a text is no image lock.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("it is no image lock: {}", of_json(.0))]
    Json(#[from] serde_json::Error),
    #[error("it has the schema `{0}`, and this version reads `{SCHEMA}`")]
    Schema(String),
    #[error("`{0}` is no path of a repository")]
    Path(String),
    #[error("it holds the release {0} twice")]
    Twice(String),
}

/// What the lock says about a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LockState<'l> {
    /// Its images are those that the release pulls.
    Fresh(&'l LockedRelease),
    /// The release was rendered, and has changed since.
    Stale(&'l LockedRelease, Stale),
    /// Markers of a merge conflict stand in its block.
    Conflict,
    /// It was never rendered.
    Missing,
}

/// Why a block is stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stale {
    /// Chart, values, variables or Kubernetes version are others.
    Changed,
    /// The last render failed.
    RenderFailed,
}

/// The hash of an evaluated release: `sha256:…` of what decides which manifests helm renders, and what is made of their images.
/// Neither helm's version nor comments, files, or fields of the object that the chart does not see are in it.
pub fn hash(release: &Release, capabilities: &Capabilities, asks: &AskedVersions) -> String {
    let chart = match &release.chart {
        ChartRef::Oci { url, version } => json!([url, version.to_string()]),
        ChartRef::Http { repository, name, version } => json!([repository, name, version.to_string()]),
        ChartRef::Local(path) => json!([path.as_str(), release.local_chart]),
        ChartRef::Git { url, path, revision } => json!([url, path, revision]),
        ChartRef::Named { name, version, .. } => json!(["", name, version.to_string()]),
        ChartRef::Unknown => json!(null),
    };
    let images: Vec<_> = release
        .post_renderers
        .iter()
        .map(|entry| json!([entry.name, entry.new_name, entry.new_tag, entry.digest, entry.tag_suffix]))
        .collect();
    let evaluated = json!({
        "chart": chart,
        "valuesFiles": release.values_files,
        "release": [release.release_name, release.namespace],
        "values": release.values,
        "kubernetes": release.kubernetes_version.as_ref().unwrap_or(&capabilities.kubernetes_version),
        "apis": asks.seen(release, capabilities),
        "images": images,
    });
    Digest::sha256(evaluated.to_string().as_bytes()).to_string()
}

impl ImageLock {
    /// Reads the file. Blocks at the markers of a merge conflict are left out and named in [`ImageLock::conflicting`].
    ///
    /// # Errors
    /// [`LockError`].
    pub fn read(text: &str) -> Result<ImageLock, LockError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let conflict = without_conflicts(text);
        let file: LockFile = serde_json::from_str(conflict.as_ref().map_or(text, |whole| &whole.text))?;
        if file.schema != SCHEMA {
            return Err(LockError::Schema(file.schema));
        }
        let mut lock = ImageLock { has_conflict: conflict.is_some(), ..ImageLock::default() };
        for id in conflict.into_iter().flat_map(|whole| whole.releases) {
            lock.conflicting.insert(id.read()?);
        }
        for block in file.releases {
            let id = block.release.read()?;
            let path = |text: &String| RepoPath::new(text).ok_or_else(|| LockError::Path(text.clone()));
            let locked = LockedRelease {
                chart: block.chart,
                hash: block.hash,
                inputs: block.inputs.iter().map(path).collect::<Result<_, _>>()?,
                images: block.images,
                deploys: block.deploys,
                render_failed: block.render_failed,
            };
            if lock.conflicting.contains(&id) {
                continue;
            }
            if lock.releases.contains_key(&id) {
                return Err(LockError::Twice(id.to_string()));
            }
            lock.releases.insert(id, locked);
        }
        Ok(lock)
    }

    /// The file's text: the same bytes for the same lock.
    pub fn text(&self) -> String {
        let line = |value: &serde_json::Value| value.to_string();
        let mut text = format!("{{\n  \"schema\": {},\n  \"releases\": [", line(&json!(SCHEMA)));
        for (number, (id, release)) in self.releases.iter().enumerate() {
            text.push_str(if number == 0 { "\n    {\n" } else { ",\n    {\n" });
            _ = writeln!(text, "      \"release\": {},", IdLine::of(id).line());
            _ = writeln!(text, "      \"chart\": {},", line(&json!(release.chart)));
            _ = writeln!(text, "      \"hash\": {},", line(&json!(release.hash)));
            if release.render_failed {
                text.push_str("      \"renderFailed\": true,\n");
            }
            list(&mut text, "inputs", release.inputs.iter().map(|path| line(&json!(path.as_str()))));
            text.push_str(",\n");
            if !release.deploys.is_empty() {
                list(&mut text, "deploys", release.deploys.lines());
                text.push_str(",\n");
            }
            list(&mut text, "images", release.images.iter().map(|image| line(&json!(image))));
            text.push_str("\n    }");
        }
        text.push_str(if self.releases.is_empty() { "]\n}\n" } else { "\n  ]\n}\n" });
        text
    }

    /// Does a chart ask for API versions?
    pub fn asks_for_api_versions(&self) -> bool {
        self.releases.values().any(|block| !block.chart.asks.is_empty())
    }

    /// What the lock says about a release.
    pub fn state(&self, release: &Release, capabilities: &Capabilities) -> LockState<'_> {
        let is_fresh = |block: &LockedRelease| block.hash == hash(release, capabilities, &block.chart.asks);
        match self.releases.get(&release.id) {
            _ if self.conflicting.contains(&release.id) => LockState::Conflict,
            None => LockState::Missing,
            Some(block) if !is_fresh(block) => LockState::Stale(block, Stale::Changed),
            Some(block) if block.render_failed => LockState::Stale(block, Stale::RenderFailed),
            Some(block) => LockState::Fresh(block),
        }
    }

    /// Keeps what was locked for a release that could not be rendered now, marked: a failure is no removal of images.
    pub fn keep_failed(&mut self, id: &ReleaseId, old: &ImageLock) {
        if let Some(block) = old.releases.get(id) {
            self.releases.insert(id.clone(), LockedRelease { render_failed: true, ..block.clone() });
        }
    }

    /// The releases that a change of these files may make stale.
    pub fn touched_by<'l>(&'l self, paths: &'l BTreeSet<RepoPath>) -> impl Iterator<Item = &'l ReleaseId> {
        let is_touched = |block: &LockedRelease| {
            block.inputs.iter().any(|input| {
                let first = paths.range::<str, _>(from(input.as_str())).next();
                // A chart's directory: in the order of bytes what lies in it begins at `directory/`.
                let below = format!("{input}/");
                let within = paths.range::<str, _>(from(below.as_str())).next();
                first == Some(input) || within.is_some_and(|path| path.is_within(input))
            })
        };
        self.releases.iter().filter(move |(_, block)| is_touched(block)).map(|(id, _)| id)
    }
}

/// All from this one on, in the order of bytes.
fn from(text: &str) -> (Bound<&str>, Bound<&str>) {
    (Bound::Included(text), Bound::Unbounded)
}

fn list(text: &mut String, name: &str, lines: impl Iterator<Item = String>) {
    let lines: Vec<String> = lines.map(|line| format!("        {line}")).collect();
    let (open, close) = if lines.is_empty() { ("", "") } else { ("\n", "\n      ") };
    _ = write!(text, "      \"{name}\": [{open}{}{close}]", lines.join(",\n"));
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LockFile {
    schema: String,
    releases: Vec<Block>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Block {
    release: IdLine,
    chart: LockedChart,
    hash: String,
    #[serde(default)]
    render_failed: bool,
    inputs: Vec<String>,
    #[serde(default)]
    deploys: RenderedDeployers,
    images: BTreeSet<LockedImage>,
}

/// A [`ReleaseId`] as the file has it, on one line: what is left of a block in a conflict.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct IdLine {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    root: Option<String>,
    kind: ReleaseKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    namespace: Option<String>,
    name: String,
    #[serde(default, rename = "renderedBy", skip_serializing_if = "Option::is_none")]
    rendered_by: Option<String>,
}

impl IdLine {
    fn of(id: &ReleaseId) -> IdLine {
        IdLine {
            root: id.root.as_ref().map(ToString::to_string),
            kind: id.kind,
            namespace: id.namespace.clone(),
            name: id.name.clone(),
            rendered_by: id.rendered_by.clone(),
        }
    }

    fn line(&self) -> String {
        json!(self).to_string()
    }

    fn read(self) -> Result<ReleaseId, LockError> {
        let path = |text: String| match text.as_str() {
            "." => Ok(RepoPath::root()),
            _ => RepoPath::new(&text).ok_or(LockError::Path(text)),
        };
        let root = self.root.map(path).transpose()?;
        let IdLine { kind, namespace, name, rendered_by, .. } = self;
        Ok(ReleaseId { root, kind, namespace, name, rendered_by })
    }
}

/// A lock with the blocks at conflict markers taken out, and the releases that they name.
struct Whole {
    text: String,
    releases: Vec<IdLine>,
}

/// `None` for a text without markers.
fn without_conflicts(text: &str) -> Option<Whole> {
    let marker = |line: &&str| ["<<<<<<<", "|||||||", ">>>>>>>"].iter().any(|m| line.starts_with(m));
    text.lines().find(marker)?;
    let mut whole =
        Whole { text: format!("{{\"schema\": {}, \"releases\": [", json!(SCHEMA)), releases: Vec::new() };
    // From the line that opens a block to the next one: between two sides the closing line may be missing.
    let (mut block, mut is_broken, mut in_conflict): (Vec<&str>, bool, bool) = (Vec::new(), false, false);
    let mut blocks: Vec<(Vec<&str>, bool)> = Vec::new();
    for line in text.lines() {
        let begins = line.starts_with("<<<<<<<");
        if begins || marker(&line) || in_conflict && line.starts_with("=======") {
            is_broken = true;
            in_conflict = !line.starts_with(">>>>>>>");
            continue;
        }
        if line == "    {" {
            blocks.push((std::mem::take(&mut block), is_broken));
            is_broken = in_conflict;
        }
        block.push(line);
    }
    blocks.push((block, is_broken));
    let mut is_first = true;
    for (lines, is_broken) in blocks.iter().filter(|(lines, _)| lines.first() == Some(&"    {")) {
        let end = lines.iter().position(|line| matches!(*line, "    }" | "    },"));
        let body = end.and_then(|end| lines.get(1..end)).filter(|_| !is_broken).map(|body| body.join("\n"));
        let body = body.filter(|body| serde_json::from_str::<Block>(&format!("{{{body}}}")).is_ok());
        match body {
            Some(body) => {
                whole.text.push_str(if is_first { "{" } else { ",{" });
                whole.text.push_str(&body);
                whole.text.push('}');
                is_first = false;
            }
            None => whole.releases.extend(lines.iter().filter_map(|line| id_of(line))),
        }
    }
    whole.text.push_str("]}");
    Some(whole)
}

fn id_of(line: &str) -> Option<IdLine> {
    let line = line.trim().strip_prefix("\"release\": ")?;
    serde_json::from_str(line.strip_suffix(',').unwrap_or(line)).ok()
}
