//! The way through a text of YAML or JSON: which of its documents, comments and scalars are looked at, and the texts
//! inside of scalars in turn.

use super::context::{self, Outer, Place};
use super::deny::{self, Tools};
use super::explorer::{Explorer, Layer};
use super::hosts::Owner;
use super::scalar::{Scalar, raw_content};
use super::site::{IgnoreReason, Ignored, Object, Obstacle};
use super::{SUBSTITUTE_FROM, computed, deployers, docker_hub, lexical, pruned, releases, unparsed};
use crate::kustomization;
use crate::yaml::{self, NodeId, Span, SpanMap, Stream};

impl Explorer<'_> {
    /// `objects`: the text without what only says what others may hold ([`super::parsed`]).
    pub(super) fn manifest(&mut self, text: &str, objects: &str) {
        let original = text;
        let blanked = self.without_json_comments(text);
        let text = blanked.as_deref().unwrap_or(original);
        self.found.chart_sources = self.deployers && text.contains(releases::SOURCES);
        if self.outlined(text, objects) {
            return;
        }
        let stream = yaml::parse_without_comments(text);
        let layer = SpanMap::identity(0, text.len());
        if kustomization::is_kustomization(self.path) && has_statement(&stream) {
            return self.templated_kustomization(text);
        }
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
    fn outlined(&mut self, text: &str, objects: &str) -> bool {
        if text.len() < self.outlined_from
            || text.contains(SUBSTITUTE_FROM)
            || computed::SIGNS.iter().any(|sign| text.contains(sign))
            || kustomization::is_kustomization(self.path)
            || releases::is_chart(self.path)
            || deployers::overridden_application(self.path).is_some()
        {
            return false;
        }
        let (found, values) = (self.hosts.find(text), self.are_values(&Outer::default()));
        let outline = pruned::around(text, objects, self.hosts, &found, values, self.deployers);
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
    pub(super) fn explore(&mut self, stream: &Stream<'_>, layer: &SpanMap, outer: &Outer, depth: usize) {
        for error in &stream.errors {
            lexical::region(self, stream.text, error.lost, layer, outer);
        }
        let mut done: Option<NodeId> = None;
        let mut tools = Tools::default();
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
        let around = Layer { stream, layer, outer, depth };
        if self.hosts.short_names() {
            self.short_names(&around, &mut tools);
        }
        self.computed_registries(&around, &mut tools);
    }

    fn short_names(&mut self, around: &Layer<'_, '_>, tools: &mut Tools) {
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

    pub(super) fn with_scalar(
        &mut self,
        around: &Layer<'_, '_>,
        id: NodeId,
        tools: &mut Tools,
        judge: impl FnOnce(&mut Self, &Scalar<'_, '_, '_>),
    ) {
        let &Layer { stream, layer, outer, depth } = around;
        let Some(node) = stream.node(id) else { return };
        let decoded = stream.content(id);
        let (content, decoded) = match decoded {
            Some(content) => (content, true),
            None => (raw_content(stream.text, node.span), false),
        };
        let mut place = Place::new(stream, id, outer);
        place.tool = tools.of(stream, id, self.are_values(outer));
        let map = content.map.within(layer);
        judge(self, &Scalar { place: &place, content, map, decoded, layer, depth });
    }

    /// Reads a text inside a scalar; false when it is no YAML of its own.
    pub(super) fn explore_inner(&mut self, text: &str, map: &SpanMap, outer: &Outer, depth: usize) -> bool {
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
}

/// Does a statement of a template stand outside of all scalars and comments? What is in them, kustomize takes as it is.
fn has_statement(stream: &Stream<'_>) -> bool {
    let mut statements = ["{{", "{%"].iter().flat_map(|open| stream.text.match_indices(open));
    statements.any(|(at, _)| {
        !stream.errors.is_empty() || stream.scalar_at(at).is_none() && !stream.lines().hash_before(at)
    })
}

/// What the Flux Kustomizations of a stream take variables from.
fn substituted(stream: &Stream<'_>) -> Vec<Object> {
    if !stream.text.contains(SUBSTITUTE_FROM) {
        return Vec::new();
    }
    let roots = context::object_roots(stream).into_iter();
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
