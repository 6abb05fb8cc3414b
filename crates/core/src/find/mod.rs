//! Turns one file's text into [`Site`]s and [`Ignored`] occurrences: every occurrence of an upstream host is a part of the
//! one or one of the other, and nothing is left unexplained.
//!
//! [`Finder::find`] is pure: bytes in, [`Found`] out. The order of the work: [`file_kind`] says what kind of file it
//! is, [`hosts`] where hosts stand, [`classify`] judges the scalar around each of them by its value
//! ([`literal`]), its place ([`context`], [`deny`]) and its family of forms ([`workloads`], [`values`], [`kustomize`],
//! [`oci_artifacts`]); [`lexical`] does the same where there is no YAML to go by, [`docker_hub`] where there is no host.
//! Nothing here decides what happens to a site.

mod blank;
mod charts;
mod classify;
mod context;
mod deny;
mod deployers;
mod docker_hub;
mod field;
mod file_kind;
mod generators;
mod globals;
mod hosts;
mod ignores;
mod indentation;
mod injectors;
mod kustomize;
mod lexical;
mod lines;
mod literal;
mod oci_artifacts;
mod policies;
mod prefix;
mod pruned;
mod pull_secrets;
mod releases;
mod renovate;
mod schema;
mod site;
mod template;
mod updaters;
mod values;
mod workloads;

use classify::Scalar;
use context::{Outer, Place};
pub use deployers::{Deployer, Tool};
pub(crate) use deployers::{Overrides, overridden_application};
pub use field::Field;
use file_kind::FileClass;
pub use generators::TemplatedPath;
use hosts::Search;
pub use hosts::{Hosts, Occurrence, Owner};
pub use ignores::IgnoreComment;
pub(crate) use literal::placeholder;
pub(crate) use policies::unescaped;
pub use policies::{Matching, PolicyPattern, PolicyTool};
pub use pull_secrets::{Logins, PullSecret, RegistryLogin};
pub use releases::Release;
pub use renovate::Renovate;
pub use site::*;
pub use updaters::{Target, UpdatedImage, Write};

use aho_corasick::AhoCorasick;

use crate::kustomization::{self, Kustomization};
use crate::tree::{LineIndex, Position};
use crate::yaml::{self, NodeId, ParseError, Span, SpanMap, Stream};

/// Everything that one file holds.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// By place in the file.
    pub sites: Vec<Site>,
    /// By place in the file.
    pub ignored: Vec<Ignored>,
    /// Documents that do not parse, searched as text.
    pub errors: Vec<Unparsed>,
    /// Set for kustomizations, also those without any site: the graph needs them all.
    pub kustomization: Option<Kustomization>,
    /// Objects that deploy directories: their own images override what is built, and decide what a cluster pulls.
    pub deployers: Vec<Deployer>,
    /// Charts that are deployed, by place.
    pub releases: Vec<Release>,
    /// It says where charts come from: source objects of Flux, or the dependencies of a chart.
    pub chart_sources: bool,
    /// Patterns of policies, allow-lists and updaters that name an upstream; only for [`Finder::for_check`].
    pub policies: Vec<PolicyPattern>,
    /// Images whose names other programs write.
    pub updated: Vec<UpdatedImage>,
    /// Logins of registries; only for [`Finder::for_check`].
    pub logins: Logins,
    /// It is a configuration of Renovate.
    pub renovate: Option<Renovate>,
    /// `# pullthru: ignore` comments; only for [`Finder::for_check`].
    pub ignores: Vec<IgnoreComment>,
    /// ConfigMaps and Secrets whose values Flux puts into manifests (`substituteFrom`).
    pub substituted: Vec<Object>,
    /// A program writes this file, and will write it again.
    pub generated: bool,
    /// Aliases in the file; the scalars they stand for are found once, at their anchors.
    pub aliases: usize,
}

impl Found {
    pub fn is_empty(&self) -> bool {
        self.sites.is_empty()
            && self.ignored.is_empty()
            && self.kustomization.is_none()
            && self.deployers.is_empty()
            && self.releases.is_empty()
            && !self.chart_sources
            && self.policies.is_empty()
            && self.updated.is_empty()
            && self.logins == Logins::default()
            && self.renovate.is_none()
            && self.ignores.is_empty()
            && self.substituted.is_empty()
    }
}

/// A document that does not parse, and where the parser gave up.
#[derive(Clone, Debug)]
pub struct Unparsed {
    pub error: ParseError,
    pub position: Position,
}

fn unparsed(errors: Vec<ParseError>) -> Vec<Unparsed> {
    errors.into_iter().map(|error| Unparsed { error, position: Position::START }).collect()
}

impl Found {
    /// Gives each part the line and column at which it begins.
    fn locate(&mut self, index: &LineIndex<'_>) {
        let at = |span: Span| index.position(span.start);
        self.sites.iter_mut().for_each(|site| site.position = index.position(site.start()));
        self.ignored.iter_mut().for_each(|ignored| ignored.position = at(ignored.span));
        self.errors.iter_mut().for_each(|one| one.position = index.position(one.error.offset));
        self.deployers.iter_mut().for_each(|deployer| deployer.position = at(deployer.span));
        self.policies.iter_mut().for_each(|policy| policy.position = at(policy.span));
        self.updated.iter_mut().for_each(|image| image.position = at(image.span));
        self.logins.used.iter_mut().for_each(|secret| secret.position = at(secret.span));
        self.ignores.iter_mut().for_each(|comment| comment.position = at(comment.span));
        let links = self.kustomization.iter_mut().flat_map(|kustomization| &mut kustomization.links);
        links.for_each(|link| link.position = at(link.span));
    }
}

/// Finds sites in files of a repository.
#[derive(Clone, Debug)]
pub struct Finder {
    hosts: Hosts,
    /// Bytes from which an outline may stand in for a text.
    outlined_from: usize,
    /// Texts without any of these hold no object that deploys something.
    deployers: Option<Search>,
    /// Looks for policies and comments, too: texts without any of these hold none that names no host in clear.
    check: Option<AhoCorasick>,
}

impl Finder {
    pub fn new(hosts: Hosts) -> Finder {
        Finder {
            hosts,
            outlined_from: pruned::WORTH_IT,
            deployers: Search::new(&[&deployers::NEEDLES[..], &releases::NEEDLES].concat()).ok(),
            check: None,
        }
    }

    /// A finder that parses every text whole; for tests and measurements.
    pub fn without_outlines(self) -> Finder {
        Finder { outlined_from: usize::MAX, ..self }
    }

    /// A finder that parses no more of a text than it needs, however short it is; for tests.
    pub fn with_all_outlines(self) -> Finder {
        Finder { outlined_from: 0, ..self }
    }

    /// A finder that also reads [`Found::policies`] and [`Found::ignores`], and leaves it to its caller to heed the
    /// last.
    pub fn for_check(self) -> Finder {
        Finder { check: AhoCorasick::new(policies::needles(&self.hosts)).ok(), ..self }
    }

    pub fn hosts(&self) -> &Hosts {
        &self.hosts
    }

    /// The prefilter: can [`Finder::find`] return anything for this file? Errs on the side of yes.
    pub fn wants(&self, path: &str, bytes: &[u8]) -> bool {
        let has_words = || match file_kind::may_hold_manifests(path) {
            true => self.hosts.occur_in(bytes) || self.may_build(bytes),
            false => self.hosts.are_named_in(bytes),
        };
        kustomization::is_kustomization(path)
            || releases::is_chart(path)
            || deployers::overridden_application(path).is_some()
            || file_kind::is_renovate(path)
            || has_words()
            || self.check.as_ref().is_some_and(|needles| needles.is_match(bytes))
    }

    fn may_build(&self, bytes: &[u8]) -> bool {
        self.deployers.as_ref().is_none_or(|needles| needles.is_in(bytes))
    }

    /// `path` is relative to the repository with `/`, or `-` for standard input.
    pub fn find(&self, path: &str, bytes: &[u8]) -> Found {
        let mut found = self.search(path, bytes);
        found.locate(&LineIndex::new(bytes));
        found
    }

    fn search(&self, path: &str, bytes: &[u8]) -> Found {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(_) => {
                let found = self.hosts.upstream_search().find_iter(bytes);
                let span = |found: aho_corasick::Match| Span::new(found.start(), found.end());
                let ignored = found.map(|found| Ignored::new(span(found), IgnoreReason::NotUtf8)).collect();
                return Found { ignored, ..Found::default() };
            }
        };
        let mut explorer = Explorer {
            path,
            hosts: &self.hosts,
            outlined_from: self.outlined_from,
            deployers: self.may_build(bytes),
            heeds_ignores: self.check.is_none(),
            found: Found::default(),
        };
        let class = file_kind::classify(path, text);
        let policies = match self.check {
            Some(_) => policies::read(class, text, &self.hosts),
            None => Vec::new(),
        };
        match class {
            FileClass::Other(reason) => {
                let renovate = file_kind::is_renovate(path).then(|| renovate::configuration(text));
                return Found { policies, renovate, ..self.all_ignored(text, reason) };
            }
            FileClass::Template if file_kind::is_of_machines(path, text) => {
                return Found { policies, ..self.all_ignored(text, IgnoreReason::MachineConfig) };
            }
            FileClass::Template => {
                let whole = SpanMap::identity(0, text.len());
                lexical::region(&mut explorer, text, Span::new(0, text.len()), &whole, &Outer::default());
            }
            FileClass::Manifest => explorer.manifest(text),
        }
        let mut found = explorer.found;
        account_for_the_rest(&self.hosts, text, &mut found);
        found.policies = policies;
        found.updated = updaters::read(class, text);
        if self.check.is_some() {
            found.ignores = ignores::read(text);
            found.logins = pull_secrets::read(class, text);
        }
        found.generated = is_generated(text);
        found.sites.sort_by_key(Site::start);
        found.ignored.sort_by_key(|ignored| ignored.span);
        found
    }

    fn all_ignored(&self, text: &str, reason: IgnoreReason) -> Found {
        let upstream = |found: &Occurrence| found.owner == Owner::Upstream;
        let ignored = self.hosts.find(text).into_iter().filter(upstream).map(|found| {
            Ignored::new(found.needle, if found.exact { reason } else { IgnoreReason::OtherHost })
        });
        Found { ignored: ignored.collect(), ..Found::default() }
    }
}

/// A stream with what is around it.
struct Layer<'e, 'a> {
    stream: &'e Stream<'a>,
    layer: &'e SpanMap,
    outer: &'e Outer,
    depth: usize,
}

/// One file under way.
struct Explorer<'f> {
    path: &'f str,
    hosts: &'f Hosts,
    /// Bytes from which an outline may stand in for a text.
    outlined_from: usize,
    /// The text may hold objects that deploy something.
    deployers: bool,
    /// Comments take lines out of plans.
    heeds_ignores: bool,
    found: Found,
}

impl Explorer<'_> {
    fn manifest(&mut self, text: &str) {
        let original = text;
        let blanked = self.without_json_comments(text);
        let text = blanked.as_deref().unwrap_or(original);
        self.found.chart_sources = self.deployers && text.contains(releases::SOURCES);
        if self.outlined(text) {
            return;
        }
        let stream = yaml::parse_without_comments(text);
        let layer = SpanMap::identity(0, text.len());
        if !stream.errors.is_empty() && text.contains("{{") {
            // The documents of a template begin and end where its own statements say: none of them is trusted.
            self.found.errors = unparsed(stream.errors);
            let whole = Span::new(0, text.len());
            return lexical::region(self, text, whole, &layer, &Outer::default());
        }
        if is_schema(&stream) {
            for occurrence in self.hosts.find(text).iter().filter(|found| found.owner == Owner::Upstream) {
                self.found.ignored.push(Ignored::new(occurrence.needle, IgnoreReason::Schema));
            }
            return;
        }
        self.explore(&stream, &layer, &Outer::default(), 0);
        self.found.substituted = substituted(&stream);
        self.found.aliases = stream.aliases;
        self.read_kustomization(&stream);
        if self.deployers {
            self.found.deployers = deployers::read(&stream);
        }
        if releases::is_chart(self.path) {
            let mut roots = stream.documents.iter().filter_map(|document| document.root);
            self.found.chart_sources = roots.any(|root| stream.get(root, "dependencies").is_some());
        }
        if deployers::overridden_application(self.path).is_some() {
            self.found.deployers = deployers::read_overrides(&stream, self.path);
        }
        if self.deployers || kustomization::is_kustomization(self.path) {
            self.found.releases = releases::read(&stream, self.path);
        }
        if is_sops(&stream) {
            for site in &mut self.found.sites {
                site.obstacle.get_or_insert(Obstacle::Sops);
            }
        }
        self.found.errors = unparsed(stream.errors);
    }

    /// Explores no more of the text than its hosts need; false when the whole has to be read.
    fn outlined(&mut self, text: &str) -> bool {
        if text.len() < self.outlined_from
            || text.contains(SUBSTITUTE_FROM)
            || kustomization::is_kustomization(self.path)
            || releases::is_chart(self.path)
            || deployers::overridden_application(self.path).is_some()
        {
            return false;
        }
        let (found, values) = (self.hosts.find(text), self.are_values(&Outer::default()));
        let outline = pruned::around(text, self.hosts, &found, values, self.deployers);
        let Some(outline) = outline else { return false };
        let stream = yaml::parse_without_comments(&outline.text);
        if !stream.errors.is_empty() {
            return false;
        }
        self.explore(&stream, &outline.map, &Outer::default(), 0);
        true
    }

    /// JSON with comments (`devcontainer.json`, `tsconfig.json`) is none to a YAML parser: the comments are
    /// accounted for and blanked out, byte for byte, so that every place stays what it is.
    fn without_json_comments(&mut self, text: &str) -> Option<String> {
        let json = [".json", ".jsonc", ".json5"].iter().any(|ending| self.path.ends_with(ending));
        let comments = if json { json_comments(text) } else { Vec::new() };
        if comments.is_empty() {
            return None;
        }
        let mut blanked = String::with_capacity(text.len());
        let mut at = 0;
        for comment in comments {
            blanked.push_str(text.get(at..comment.start)?);
            blanked.extend(comment.slice(text).bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }));
            at = comment.end;
            for found in
                self.hosts.find_in(text, comment).iter().filter(|found| found.owner == Owner::Upstream)
            {
                self.found.ignored.push(Ignored::new(found.needle, IgnoreReason::Comment));
            }
        }
        blanked.push_str(text.get(at..)?);
        Some(blanked)
    }

    /// Judges every scalar of the stream that holds a host, and those that may hold a name without one.
    fn explore(&mut self, stream: &Stream<'_>, layer: &SpanMap, outer: &Outer, depth: usize) {
        for error in &stream.errors {
            lexical::region(self, stream.text, error.lost, layer, outer);
        }
        let mut done: Option<NodeId> = None;
        let mut tools = deny::Tools::default();
        for occurrence in self.hosts.find(stream.text) {
            let at = occurrence.needle.start;
            let lost = stream.errors.partition_point(|error| error.lost.start <= at);
            if lost
                .checked_sub(1)
                .and_then(|index| stream.errors.get(index))
                .is_some_and(|error| at < error.lost.end)
            {
                continue;
            }
            let scalar = stream.scalar_at(at);
            // What stands outside every scalar behind a `#` is a comment; before one it is an anchor, a tag or a
            // directive.
            if scalar.is_none() && stream.lines().hash_before(at) {
                if let (Owner::Upstream, Some(span)) = (occurrence.owner, layer.outer(occurrence.needle)) {
                    self.found.ignored.push(Ignored::new(span, IgnoreReason::Comment));
                }
                continue;
            }
            let Some(id) = scalar.filter(|&id| done != Some(id)) else { continue };
            done = Some(id);
            let around = Layer { stream, layer, outer, depth };
            self.with_scalar(&around, id, &mut tools, |explorer, scalar| explorer.classify(scalar));
        }
        if self.hosts.short_names() {
            self.short_names(&Layer { stream, layer, outer, depth }, &mut tools);
        }
    }

    fn short_names(&mut self, around: &Layer<'_, '_>, tools: &mut deny::Tools) {
        let stream = around.stream;
        for &id in stream.scalars() {
            let Some(value) = stream.value(id) else { continue };
            let nested = docker_hub::may_hold(value);
            if !nested && !docker_hub::may_be(stream, id) || !self.hosts.find(value).is_empty() {
                continue;
            }
            self.with_scalar(around, id, tools, |explorer, scalar| {
                if nested {
                    explorer.nested_short_names(scalar);
                } else {
                    explorer.short_name(scalar);
                }
            });
        }
    }

    /// Names without a host in a text that holds no host at all.
    fn nested_short_names(&mut self, scalar: &Scalar<'_, '_, '_>) {
        let place = scalar.place;
        if !place.is_key() && !docker_hub::is_other_text(place.key()) && deny::reason(place).is_none() {
            self.embedded(scalar, &scalar.content.text);
        }
    }

    fn with_scalar(
        &mut self,
        around: &Layer<'_, '_>,
        id: NodeId,
        tools: &mut deny::Tools,
        judge: impl FnOnce(&mut Self, &Scalar<'_, '_, '_>),
    ) {
        let &Layer { stream, layer, outer, depth } = around;
        let Some(node) = stream.node(id) else { return };
        let decoded = stream.content(id);
        let (content, decoded) = match decoded {
            Some(content) => (content, true),
            None => (classify::raw_content(stream.text, node.span), false),
        };
        let mut place = Place::new(stream, id, outer);
        place.tool = tools.of(stream, id, self.are_values(outer));
        let map = content.map.within(layer);
        judge(self, &Scalar { place: &place, content, map, decoded, layer, depth });
    }

    /// Are these the values of a chart: a file called so, or the text under such a key?
    fn are_values(&self, outer: &Outer) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        match outer.keys.first() {
            Some(key) => key.contains("values"),
            None => name.contains("values"),
        }
    }

    /// Reads a text inside a scalar; false when it is no YAML of its own.
    fn explore_inner(&mut self, text: &str, map: &SpanMap, outer: &Outer, depth: usize) -> bool {
        let stream = yaml::parse_without_comments(text);
        let statements = text.contains("{{");
        if !stream.errors.is_empty() && statements && self.explore_template(text, map, outer, depth) {
            return true;
        }
        let collection = |id: NodeId| stream.entries(id).len() + stream.items(id).len() > 0;
        let collection = stream.documents.iter().any(|document| document.root.is_some_and(collection));
        if !(collection || statements && is_mostly_keys(text)) {
            return false;
        }
        if !stream.errors.is_empty() {
            // A template of YAML (`<<- range … >>`): its lines are still lines of YAML.
            lexical::region(self, text, Span::new(0, text.len()), map, outer);
            return true;
        }
        self.explore(&stream, map, outer, depth);
        true
    }

    fn read_kustomization(&mut self, stream: &Stream<'_>) {
        for document in &stream.documents {
            let Some(root) = document.root else { continue };
            let object = context::object_at(stream, root).unwrap_or_default();
            let by_kind = object.api_version.starts_with("kustomize.config.k8s.io/");
            if by_kind || kustomization::is_kustomization(self.path) {
                self.found.kustomization = Some(kustomization::read(stream, root));
                return;
            }
        }
    }

    fn marker_at(&self, stream: &Stream<'_>, scalar: NodeId) -> Option<Marker> {
        stream.comment_behind(scalar).and_then(marker_in)
    }

    /// `# pullthru: ignore` behind the scalar, or alone on the line above.
    fn ignored_at(&self, stream: &Stream<'_>, scalar: NodeId) -> bool {
        self.heeds_ignores
            && (stream.comment_behind(scalar).is_some_and(|comment| ignores::holds_back(beginning(comment)))
                || stream.line_above(scalar).is_some_and(is_ignore_line))
    }
}

/// A comment that stands alone on its line and takes the next line out of every plan.
fn is_ignore_line(line: &str) -> bool {
    line.trim_start().starts_with('#') && ignores::holds_back(beginning(line))
}

/// As much of a comment as is read for every scalar of its line.
fn beginning(comment: &str) -> &str {
    comment.get(..comment.floor_char_boundary(2_000)).unwrap_or(comment)
}

/// Flux's setter comment: `{"$imagepolicy": "namespace:policy[:tag|:name|:digest]"}`.
fn marker_in(comment: &str) -> Option<Marker> {
    let (_, rest) = beginning(comment).split_once("$imagepolicy\"")?;
    let policy = rest.split('"').nth(1)?;
    match policy.split(':').nth(2) {
        None => Some(Marker::Full),
        Some("name") => Some(Marker::Name),
        Some("digest") => Some(Marker::Digest),
        Some(_) => Some(Marker::Tag),
    }
}

/// Where a Flux Kustomization names what it takes variables from.
const SUBSTITUTE_FROM: &str = "substituteFrom";

/// What the Flux Kustomizations of a stream take variables from.
fn substituted(stream: &Stream<'_>) -> Vec<Object> {
    if !stream.text.contains(SUBSTITUTE_FROM) {
        return Vec::new();
    }
    let roots = stream.documents.iter().filter_map(|document| document.root);
    let lists = roots.filter_map(|root| stream.get_path(root, &["spec", "postBuild", SUBSTITUTE_FROM]));
    let object = |&item: &NodeId| {
        let text = |key| stream.value(stream.get(item, key)?).map(str::to_owned);
        Some(Object {
            api_version: "v1".to_owned(),
            kind: text("kind")?,
            namespace: None,
            name: Some(text("name")?),
        })
    };
    lists.flat_map(|list| stream.items(list)).filter_map(object).collect()
}

/// Are most lines of a template keys of YAML, its statements left out?
fn is_mostly_keys(text: &str) -> bool {
    let (mut keys, mut others) = (0, 0);
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', '{'])) {
        let key = line.trim_start_matches("- ").split_once(':');
        match key.filter(|(key, value)| {
            !key.contains([' ', '(', ';']) && (value.is_empty() || value.starts_with(' '))
        }) {
            Some(_) => keys += 1,
            None => others += usize::from(!line.starts_with("- ")),
        }
    }
    keys > others
}

/// A JSON Schema says what values may be; it has none.
fn is_schema(stream: &Stream<'_>) -> bool {
    let [document] = stream.documents.as_slice() else { return false };
    let schema = document.root.and_then(|root| stream.get(root, "$schema"));
    schema.and_then(|id| stream.value(id)).is_some_and(|id| id.contains("json-schema.org"))
}

/// Encrypted with SOPS in such a way that any change breaks the file's MAC.
fn is_sops(stream: &Stream<'_>) -> bool {
    stream.documents.iter().filter_map(|document| document.root).any(|root| {
        let mac = stream.get_path(root, &["sops", "mac"]).is_some();
        let only = stream.get_path(root, &["sops", "mac_only_encrypted"]).and_then(|id| stream.value(id));
        mac && only != Some("true")
    })
}

/// The header of a file that a program writes: Go's convention, controller-gen's, Flux's, and `helm template`.
fn is_generated(text: &str) -> bool {
    let mut head = text.lines().take(20).filter(|line| line.trim_start().starts_with(['#', '/']));
    head.any(|line| {
        line.contains("DO NOT EDIT")
            || line.contains("do not edit")
            || line.contains("Code generated")
            || line.starts_with("# Source: ") && line.contains("/templates/")
    })
}

/// `//` and `/* */` outside strings.
fn json_comments(text: &str) -> Vec<Span> {
    let mut comments = Vec::new();
    let bytes = text.as_bytes();
    let (mut at, mut in_string) = (0, false);
    while let Some(&byte) = bytes.get(at) {
        match (byte, bytes.get(at + 1)) {
            (b'\\', _) if in_string => at += 1,
            (b'"', _) => in_string = !in_string,
            (b'/', Some(b'/')) if !in_string => {
                let end = text.get(at..).and_then(|rest| rest.find('\n')).map_or(text.len(), |len| at + len);
                comments.push(Span::new(at, end));
                at = end;
            }
            (b'/', Some(b'*')) if !in_string => {
                let end =
                    text.get(at..).and_then(|rest| rest.find("*/")).map_or(text.len(), |len| at + len + 2);
                comments.push(Span::new(at, end));
                at = end - 1;
            }
            _ => {}
        }
        at += 1;
    }
    comments
}

/// What no other part has explained: a host in an anchor, a directive, or behind an escape that cannot be
/// followed. It is text to us, and the report says so.
fn account_for_the_rest(hosts: &Hosts, text: &str, found: &mut Found) {
    let mut known: Vec<Span> = found.sites.iter().flat_map(|site| site.covers.iter().copied()).collect();
    known.extend(found.ignored.iter().map(|ignored| ignored.span));
    known.sort();
    for occurrence in hosts.find(text) {
        if occurrence.owner == Owner::Upstream && known.binary_search(&occurrence.needle).is_err() {
            found.ignored.push(Ignored::new(occurrence.needle, IgnoreReason::Text));
        }
    }
}
