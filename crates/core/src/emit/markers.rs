//! Setter markers of Flux, `# {"$imagepolicy": "namespace:policy:tag"}`: which fields could take one, and which of
//! those that exist would write the upstream's name back.
//!
//! Flux replaces the whole scalar that a marker stands behind: with `:tag` by the tag, with `:name` by `spec.image` of
//! the repository that the policy reads, without a suffix by both. So `:tag` is right for a tag in a field of its own
//! wherever tags are looked up; the other two are right only where the cache is scanned and the field names it.

use std::collections::{BTreeMap, BTreeSet};

use super::flux::{Wanted, quoted};
use super::object::end_of_line;
use super::{FileChange, Followed};
use crate::config::{Config, Discovery};
use crate::find::{Form, Obstacle, Shape, Site};
use crate::image::Name;
use crate::images::names;
use crate::inventory::{FileInventory, Inventory};
use crate::tree::RepoPath;
use crate::yaml::{self, Edit, Kind, NodeId, Span, Stream, Style, edit};

const NEW_TAG: &str = "newTag";

/// Where `flux bootstrap` writes.
const FLUX_DIRECTORY: &str = "flux-system";

/// What the markers are made from.
#[derive(Clone, Debug)]
pub struct Request<'r> {
    pub inventory: &'r Inventory,
    pub config: &'r Config,
    pub wanted: &'r [Wanted],
    pub policies: &'r [Followed],
    pub discovery: Discovery,
    /// The texts of the files with sites.
    pub files: &'r BTreeMap<RepoPath, String>,
    /// Write them; else only those that revert are looked for.
    pub write: bool,
}

/// The edited files, and what was found or could not be marked.
pub fn plan(request: &Request<'_>) -> (Vec<FileChange>, Vec<String>) {
    let (mut changes, mut notes) = (Vec::new(), Vec::new());
    let renamed = renamed(request);
    for file in &request.inventory.files {
        let Some(text) = request.files.get(&file.path) else { continue };
        let stream = yaml::parse(text);
        if !stream.errors.is_empty() {
            continue;
        }
        let mut edits: Vec<Edit> = Vec::new();
        for site in &file.found.sites {
            let marking = Marking { request, renamed: &renamed, file, stream: &stream, site };
            match marking.edits() {
                Ok(more) => edits.extend(more.into_iter().filter(|_| request.write)),
                Err(note) => notes.push(note),
            }
        }
        edits.sort();
        edits.dedup();
        if edits.is_empty() {
            continue;
        }
        match edit::apply(text, &edits) {
            Ok(new) if same_values(&stream, &new, &edits) => {
                changes.push(FileChange::Replace { path: file.path.clone(), old: text.clone(), new });
            }
            _ => notes
                .push(format!("{}: markers would change what the file says: none were written", file.path)),
        }
    }
    (changes, notes)
}

/// The upstreams' names that entries of kustomizations lead to the cache: those entries take the markers.
fn renamed(request: &Request<'_>) -> BTreeSet<Name> {
    let mut renamed = BTreeSet::new();
    for file in &request.inventory.files {
        let routes = request.config.routes(file.path.as_str());
        for site in file.found.sites.iter().filter(|site| site.form == Form::KustomizeNewName) {
            if let Some((upstream, Some(cached))) = names(site, routes, request.config)
                && cached == site.name
            {
                renamed.insert(upstream);
            }
        }
    }
    renamed
}

/// Only comments may differ, and entries of Kustomize may have the `newTag` that an edit gives them.
fn same_values(old: &Stream<'_>, new: &str, edits: &[Edit]) -> bool {
    let new = yaml::parse(new);
    let mut added = edits.iter().filter(|edit| edit.text.contains(NEW_TAG)).count();
    let (before, after) = (tokens(old), tokens(&new));
    let (mut before, mut after) = (before.iter().peekable(), after.iter());
    while let Some(token) = after.next() {
        if before.next_if_eq(&token).is_some() {
            continue;
        }
        if added == 0 || token != &Token::Scalar(NEW_TAG) || after.next().is_none() {
            return false;
        }
        added -= 1;
    }
    new.errors.is_empty() && before.next().is_none() && added == 0
}

/// What a file says, in its order.
#[derive(PartialEq, Eq)]
enum Token<'a> {
    Scalar(&'a str),
    Mapping,
    Sequence,
    Alias,
}

fn tokens<'a>(stream: &'a Stream<'_>) -> Vec<Token<'a>> {
    let token = |kind: &'a Kind<'_>| match kind {
        Kind::Scalar { value, .. } => Token::Scalar(value),
        Kind::Mapping { .. } => Token::Mapping,
        Kind::Sequence { .. } => Token::Sequence,
        Kind::Alias(_) => Token::Alias,
    };
    stream.nodes().map(|(_, node)| token(&node.kind)).collect()
}

struct Marking<'m, 's> {
    request: &'m Request<'m>,
    renamed: &'m BTreeSet<Name>,
    file: &'m FileInventory,
    stream: &'m Stream<'s>,
    site: &'m Site,
}

/// A marker that stands in the file.
struct Existing<'s> {
    /// `namespace:policy`, where it stands.
    span: Span,
    reference: &'s str,
    suffix: &'s str,
}

impl Marking<'_, '_> {
    /// The edits for one site; an error is a note for people.
    fn edits(&self) -> Result<Vec<Edit>, String> {
        let routes = self.request.config.routes(self.file.path.as_str());
        let Some((upstream, cached)) = names(self.site, routes, self.request.config) else {
            return Ok(Vec::new());
        };
        if !is_read_by_flux(&self.file.path) {
            // A marker there does nothing.
            return Ok(Vec::new());
        }
        let scan = match self.request.discovery {
            Discovery::Cache => cached.clone(),
            Discovery::Upstream => Some(upstream),
        };
        let wanted = self.request.wanted.iter().find(|wanted| Some(&wanted.scan) == scan.as_ref());
        let (Some(wanted), true) = (wanted, self.site.inside.is_none()) else { return Ok(Vec::new()) };
        let Some(name) = self.stream.scalar_at(self.site.start()) else { return Ok(Vec::new()) };
        let moved = cached.as_ref() == Some(&self.site.name);
        let mut edits = Vec::new();
        if let Some(existing) = self.marker(name)
            && ["", ":name"].contains(&existing.suffix)
        {
            edits = self.reverting(&existing, moved, wanted)?;
        }
        if self.request.write {
            edits.extend(self.missing(name, moved, wanted)?);
        }
        Ok(edits)
    }

    /// A marker that writes a name: right when its policy reads what the field says.
    fn reverting(&self, existing: &Existing<'_>, moved: bool, wanted: &Wanted) -> Result<Vec<Edit>, String> {
        if !moved {
            return Ok(Vec::new());
        }
        let policy = self.request.policies.iter().find(|policy| policy.reference == existing.reference);
        if policy.is_some_and(|policy| is(&policy.scan, &self.site.name)) {
            return Ok(Vec::new());
        }
        let what = match policy {
            Some(policy) => format!("writes {} back at the next automation run", policy.scan),
            None => "names a policy that is not in this repository, which may write the upstream's name"
                .to_owned(),
        };
        let found = format!(
            "{}: updater-reverts: the marker `{}{}` {what}",
            self.place(),
            existing.reference,
            existing.suffix
        );
        // Ours that does as the marker's policy does, or the one that the tag asks for.
        let does_as = |policy: &&Followed| policy.copied.as_deref() == Some(existing.reference);
        let ours = match self.request.policies.iter().find(does_as) {
            Some(ours) => Some(ours),
            None => tag(self.site).and_then(|tag| self.only_policy(wanted, tag).ok()),
        };
        let ours = ours.filter(|_| self.request.discovery == Discovery::Cache);
        match ours {
            Some(ours) if self.request.write => {
                Ok(vec![Edit { span: existing.span, text: ours.reference.clone() }])
            }
            Some(_) => Err(format!("{found}; `--markers` points it at the cache's policy")),
            None => Err(format!("{found}; remove it, or look for tags in the cache")),
        }
    }

    /// New markers, where there is none.
    fn missing(&self, name: NodeId, moved: bool, wanted: &Wanted) -> Result<Vec<Edit>, String> {
        let is_entry = self.site.form == Form::KustomizeNewName && self.site.suffix.is_empty();
        let tag = match tag(self.site) {
            Some(tag) => tag,
            None if is_entry && moved => match &wanted.only_tag {
                Some(tag) => tag,
                None => return self.out("what it renames has several tags, or none, or pins"),
            },
            None => return Ok(Vec::new()),
        };
        let mut unfollowed = wanted.others.iter().chain(wanted.unordered.iter().map(|(tag, _)| tag));
        if unfollowed.any(|other| other == tag) && self.only_policy(wanted, tag).is_err() {
            // It would be replaced by a tag that is not meant. The objects say so.
            return Ok(Vec::new());
        }
        if matches!(self.site.obstacle, Some(Obstacle::Sops | Obstacle::MultiLine | Obstacle::Template)) {
            return self.out("the field is not written in a way that Flux could set");
        }
        if self.file.path.parent().is_some_and(|parent| parent.file_name() == Some(FLUX_DIRECTORY)) {
            return self.out("it is in Flux's own directory, which `flux bootstrap` writes anew");
        }
        let policy = self.only_policy(wanted, tag)?;
        if is_entry {
            return self.new_tag(name, tag, &policy.reference);
        }
        let digest = self.site.suffix.split_once('@').map(|(_, digest)| digest);
        if digest.is_some() && !policy.reads_digests() {
            return self.out("it is pinned, and the policy does not read digests (`digestReflectionPolicy`)");
        }
        if self.stream.value(name) == Some(self.site.reference().as_str()) {
            return self.whole(name, moved, wanted, policy);
        }
        self.parts(name, moved, (tag, digest), policy)
    }

    /// A note for people in place of a marker.
    fn out<T>(&self, why: &str) -> Result<T, String> {
        Err(format!("{}: no marker: {why}", self.place()))
    }

    /// The one policy that reads the image and could choose the tag: any other would lead the field to another line.
    fn only_policy(&self, wanted: &Wanted, tag: &str) -> Result<&Followed, String> {
        let reading = self.request.policies.iter().filter(|policy| is(&policy.scan, &wanted.scan));
        let mut choosing = reading.clone().filter(|policy| policy.accepts(tag));
        match (choosing.next(), choosing.next()) {
            (Some(policy), None) => Ok(policy),
            (None, _) if reading.count() == 0 => self.out("no policy reads this image"),
            (None, _) => self.out("no policy that reads this image accepts this tag"),
            (Some(_), Some(_)) => self.out("several policies that read this image accept this tag"),
        }
    }

    /// The marker of a field that is the whole reference: Flux writes name and tag.
    fn whole(
        &self,
        name: NodeId,
        moved: bool,
        wanted: &Wanted,
        policy: &Followed,
    ) -> Result<Vec<Edit>, String> {
        if self.marker(name).is_some() {
            return Ok(Vec::new());
        }
        match (self.request.discovery, moved) {
            (Discovery::Cache, true) => self.append(name, &policy.reference, ""),
            (Discovery::Cache, false) if self.renamed.contains(&wanted.upstream) => Ok(Vec::new()),
            (Discovery::Cache, false) => self.out(
                "the field does not name the cache: `pullthru migrate` first, or rename it in place (`--strategy inline`)",
            ),
            (Discovery::Upstream, _) => {
                self.out("one field holds name and tag, and the policy knows the upstream's name")
            }
        }
    }

    /// The markers of fields beside each other: of the tag, of the digest, and of the name where it may be written.
    fn parts(
        &self,
        name: NodeId,
        moved: bool,
        (tag, digest): (&str, Option<&str>),
        policy: &Followed,
    ) -> Result<Vec<Edit>, String> {
        let own_name = self.site.name.to_string();
        let written = self.stream.value(name);
        if written.is_some_and(|written| written != own_name && written.contains(tag)) {
            return self.out("it is a part of a longer text, all of which Flux would replace");
        }
        let Some(field) = self.beside(name, tag) else {
            return self.out("its tag stands in no field beside it");
        };
        let mut edits = self.append(field, &policy.reference, ":tag")?;
        if let Some(digest) = digest {
            // The old digest behind a new tag would be pulled.
            let Some(field) = self.beside(name, digest) else {
                return self.out("its digest stands in no field beside it");
            };
            edits.extend(self.append(field, &policy.reference, ":digest")?);
        }
        let is_repository =
            matches!(self.site.shape, Shape::Name(_)) && self.stream.key_of(name) != Some("name");
        let is_cached = self.request.discovery == Discovery::Cache && moved;
        if is_cached && is_repository && written == Some(own_name.as_str()) {
            edits.extend(self.append(name, &policy.reference, ":name")?);
        }
        Ok(edits)
    }

    /// The tag that everything has which an entry renames, as a field of the entry that Flux can set.
    fn new_tag(&self, new_name: NodeId, tag: &str, policy: &str) -> Result<Vec<Edit>, String> {
        let entry = self.stream.node(new_name).and_then(|node| node.parent);
        let Some((key, value)) = entry.and_then(|entry| {
            self.stream.entries(entry).iter().find(|(_, value)| *value == new_name).copied()
        }) else {
            return Ok(Vec::new());
        };
        let (Some(key), Some(value)) = (self.stream.node(key), self.stream.node(value)) else {
            return Ok(Vec::new());
        };
        if self.is_in_flow(new_name) || value.anchored || value.span.slice(self.stream.text).contains('\n') {
            return self.out("the entry stands within brackets, over several lines, or behind an anchor");
        }
        let line = self.stream.text.get(..key.span.start).and_then(|before| before.rfind('\n'));
        let column = key.span.start - line.map_or(0, |at| at + 1);
        let (end, ending) = end_of_line(self.stream.text, value.span.end);
        let (indent, tag) = (" ".repeat(column), quoted(tag));
        let marker = |suffix: &str| format!(" # {{\"$imagepolicy\": \"{policy}{suffix}\"}}");
        let rest = self.stream.text.get(value.span.end..end).unwrap_or_default();
        let named = self.request.discovery == Discovery::Cache && rest.trim().is_empty();
        let name = if named { marker(":name") } else { String::new() };
        let text = format!("{name}{ending}{indent}{NEW_TAG}: {tag}{}", marker(":tag"));
        Ok(vec![Edit { span: Span::new(end, end), text }])
    }

    fn is_in_flow(&self, node: NodeId) -> bool {
        self.stream.ancestors(node).filter_map(|id| self.stream.node(id)).any(|node| {
            matches!(node.kind, Kind::Mapping { flow: true, .. } | Kind::Sequence { flow: true, .. })
        })
    }

    /// The field beside the name that holds its tag or digest.
    fn beside(&self, name: NodeId, text: &str) -> Option<NodeId> {
        let mapping = self.stream.node(name)?.parent?;
        let named = |key: &str| {
            let key = key.to_ascii_lowercase();
            ["tag", "version", "digest", "sha"].iter().any(|part| key.contains(part))
        };
        let found = self.stream.entries(mapping).iter().find(|(key, value)| {
            self.stream.value(*key).is_some_and(named) && self.stream.value(*value) == Some(text)
        });
        found.map(|(_, value)| *value)
    }

    /// A marker behind a scalar, at the end of its line; nothing where one stands.
    fn append(&self, scalar: NodeId, policy: &str, suffix: &str) -> Result<Vec<Edit>, String> {
        if self.marker(scalar).is_some() {
            return Ok(Vec::new());
        }
        let Some(node) = self.stream.node(scalar) else { return Ok(Vec::new()) };
        let plain = match &node.kind {
            Kind::Scalar { style: Style::Literal | Style::Folded, .. } => false,
            Kind::Scalar { .. } => !node.span.slice(self.stream.text).contains('\n'),
            _ => false,
        };
        if self.is_in_flow(scalar) || !plain || node.anchored {
            return self.out("the field stands within brackets, over several lines, or behind an anchor");
        }
        let (end, _) = end_of_line(self.stream.text, node.span.end);
        let rest = self.stream.text.get(node.span.end..end).unwrap_or_default();
        if !rest.trim().is_empty() {
            // Flux reads the whole comment as JSON.
            return self.out("the line has a comment already, and Flux takes no other beside its own");
        }
        let text = format!(" # {{\"$imagepolicy\": \"{policy}{suffix}\"}}");
        Ok(vec![Edit { span: Span::new(node.span.end, node.span.end), text }])
    }

    /// The marker behind a scalar.
    fn marker(&self, scalar: NodeId) -> Option<Existing<'_>> {
        const KEY: &str = "\"$imagepolicy\"";
        let node = self.stream.node(scalar)?;
        let (end, _) = end_of_line(self.stream.text, node.span.end);
        let rest = self.stream.text.get(node.span.end..end)?;
        let key = rest.find(KEY)? + KEY.len();
        let open = key + rest.get(key..)?.find('"')? + 1;
        let value = rest.get(open..)?.split('"').next()?;
        let colons: Vec<usize> = value.match_indices(':').map(|(at, _)| at).collect();
        let length = colons.get(1).copied().unwrap_or(value.len());
        let (reference, suffix) = value.split_at_checked(length)?;
        let start = node.span.end + open;
        Some(Existing { span: Span::new(start, start + length), reference, suffix })
    }

    fn place(&self) -> String {
        format!(
            "{}:{}:{}: {}",
            self.file.path,
            self.site.position.line,
            self.site.position.column,
            self.site.reference()
        )
    }
}

/// The files that the setter reads (image-automation-controller, `internal/update/filereader.go`).
fn is_read_by_flux(path: &RepoPath) -> bool {
    let name = path.file_name().unwrap_or_default();
    name.ends_with(".yaml") || name.ends_with(".yml") || name == "Kustomization"
}

fn tag(site: &Site) -> Option<&str> {
    let tag = site.suffix.strip_prefix(':')?;
    Some(tag.split_once('@').map_or(tag, |(tag, _)| tag))
}

fn is(scan: &str, name: &Name) -> bool {
    scan == name.to_string() || Name::parse(scan).is_ok_and(|scanned| scanned == *name)
}
