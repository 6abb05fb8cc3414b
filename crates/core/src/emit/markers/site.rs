//! The markers of a site: which it may take, and which of those that it has would write the upstream's name back.

use std::collections::BTreeSet;

use super::NEW_TAG;
use super::field::{Existing, Fields, is, is_read_by_flux};
use crate::config::Discovery;
use crate::emit::Followed;
use crate::emit::flux::{Wanted, quoted};
use crate::emit::object::end_of_line;
use crate::find::{Form, Obstacle, Shape, Site};
use crate::image::Name;
use crate::images::names;
use crate::yaml::{Edit, NodeId, Span};

/// One site at work.
pub(super) struct Marking<'m, 's> {
    pub(super) fields: Fields<'m, 's>,
    pub(super) renamed: &'m BTreeSet<Name>,
    pub(super) site: &'m Site,
}

impl Marking<'_, '_> {
    /// The edits for one site; an error is a note for people.
    pub(super) fn edits(&self) -> Result<Vec<Edit>, String> {
        let routes = self.fields.request.config.routes(self.fields.path.as_str());
        let Some((upstream, cached)) = names(self.site, routes, self.fields.request.config) else {
            return Ok(Vec::new());
        };
        if !is_read_by_flux(self.fields.path) {
            // A marker there does nothing.
            return Ok(Vec::new());
        }
        let scan = match self.fields.request.discovery {
            Discovery::Cache => cached.clone(),
            Discovery::Upstream => Some(upstream),
        };
        let wanted = self.fields.request.wanted.iter().find(|wanted| Some(&wanted.scan) == scan.as_ref());
        let (Some(wanted), true) = (wanted, self.site.inside.is_none()) else { return Ok(Vec::new()) };
        let Some(name) = self.fields.stream.scalar_at(self.site.start()) else { return Ok(Vec::new()) };
        let moved = cached.as_ref() == Some(&self.site.name);
        let mut edits = Vec::new();
        if let Some(existing) = self.fields.marker(name)
            && ["", ":name"].contains(&existing.suffix)
        {
            edits = self.reverting(&existing, moved, wanted)?;
        }
        if self.fields.request.write {
            edits.extend(self.missing(name, moved, wanted)?);
        }
        Ok(edits)
    }

    /// A marker that writes a name: right when its policy reads what the field says.
    fn reverting(&self, existing: &Existing<'_>, moved: bool, wanted: &Wanted) -> Result<Vec<Edit>, String> {
        if !moved {
            return Ok(Vec::new());
        }
        let policy =
            self.fields.request.policies.iter().find(|policy| policy.reference == existing.reference);
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
            self.fields.place, existing.reference, existing.suffix
        );
        // Ours that does as the marker's policy does, or the one that the tag asks for.
        let does_as = |policy: &&Followed| policy.copied.as_deref() == Some(existing.reference);
        let ours = match self.fields.request.policies.iter().find(does_as) {
            Some(ours) => Some(ours),
            None => tag(self.site).and_then(|tag| self.fields.only_policy(wanted, tag).ok()),
        };
        let ours = ours.filter(|_| self.fields.request.discovery == Discovery::Cache);
        match ours {
            Some(ours) if self.fields.request.write => {
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
                None => return self.fields.out("what it renames has several tags, or none, or pins"),
            },
            None => return Ok(Vec::new()),
        };
        let mut unfollowed = wanted.others.iter().chain(wanted.unordered.iter().map(|(tag, _)| tag));
        if unfollowed.any(|other| other == tag) && self.fields.only_policy(wanted, tag).is_err() {
            // It would be replaced by a tag that is not meant. The objects say so.
            return Ok(Vec::new());
        }
        if matches!(self.site.obstacle, Some(Obstacle::Sops | Obstacle::MultiLine | Obstacle::Template)) {
            return self.fields.out("the field is not written in a way that Flux could set");
        }
        self.fields.may_be_marked()?;
        let policy = self.fields.only_policy(wanted, tag)?;
        if is_entry {
            return self.new_tag(name, tag, &policy.reference);
        }
        let digest = self.site.suffix.split_once('@').map(|(_, digest)| digest);
        if digest.is_some() && !policy.reads_digests() {
            return self
                .fields
                .out("it is pinned, and the policy does not read digests (`digestReflectionPolicy`)");
        }
        if self.fields.stream.value(name) == Some(self.site.reference().as_str()) {
            return self.whole(name, moved, wanted, policy);
        }
        self.parts(name, moved, (tag, digest), policy)
    }

    /// The marker of a field that is the whole reference: Flux writes name and tag.
    fn whole(
        &self,
        name: NodeId,
        moved: bool,
        wanted: &Wanted,
        policy: &Followed,
    ) -> Result<Vec<Edit>, String> {
        if self.fields.marker(name).is_some() {
            return Ok(Vec::new());
        }
        match (self.fields.request.discovery, moved) {
            (Discovery::Cache, true) => self.fields.append(name, &policy.reference, ""),
            (Discovery::Cache, false) if self.renamed.contains(&wanted.upstream) => Ok(Vec::new()),
            (Discovery::Cache, false) => self.fields.out(
                "the field does not name the cache: `pullthru migrate` first, or rename it in place (`--strategy inline`)",
            ),
            (Discovery::Upstream, _) => {
                self.fields.out("one field holds name and tag, and the policy knows the upstream's name")
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
        let written = self.fields.stream.value(name);
        if written.is_some_and(|written| written != own_name && written.contains(tag)) {
            return self.fields.out("it is a part of a longer text, all of which Flux would replace");
        }
        let Some(field) = self.beside(name, tag) else {
            return self.fields.out("its tag stands in no field beside it");
        };
        let mut edits = self.fields.append(field, &policy.reference, ":tag")?;
        if let Some(digest) = digest {
            // The old digest behind a new tag would be pulled.
            let Some(field) = self.beside(name, digest) else {
                return self.fields.out("its digest stands in no field beside it");
            };
            edits.extend(self.fields.append(field, &policy.reference, ":digest")?);
        }
        let is_repository =
            matches!(self.site.shape, Shape::Name(_)) && self.fields.stream.key_of(name) != Some("name");
        let is_cached = self.fields.request.discovery == Discovery::Cache && moved;
        if is_cached && is_repository && written == Some(own_name.as_str()) {
            edits.extend(self.fields.append(name, &policy.reference, ":name")?);
        }
        Ok(edits)
    }

    /// The tag that everything has which an entry renames, as a field of the entry that Flux can set.
    fn new_tag(&self, new_name: NodeId, tag: &str, policy: &str) -> Result<Vec<Edit>, String> {
        let entry = self.fields.stream.node(new_name).and_then(|node| node.parent);
        let Some((key, value)) = entry.and_then(|entry| {
            self.fields.stream.entries(entry).iter().find(|(_, value)| *value == new_name).copied()
        }) else {
            return Ok(Vec::new());
        };
        let (Some(key), Some(value)) = (self.fields.stream.node(key), self.fields.stream.node(value)) else {
            return Ok(Vec::new());
        };
        if self.fields.is_in_flow(new_name)
            || value.anchored
            || value.span.slice(self.fields.stream.text).contains('\n')
        {
            return self
                .fields
                .out("the entry stands within brackets, over several lines, or behind an anchor");
        }
        let line = self.fields.stream.text.get(..key.span.start).and_then(|before| before.rfind('\n'));
        let column = key.span.start - line.map_or(0, |at| at + 1);
        let (end, ending) = end_of_line(self.fields.stream.text, value.span.end);
        let (indent, tag) = (" ".repeat(column), quoted(tag));
        let marker = |suffix: &str| format!(" # {{\"$imagepolicy\": \"{policy}{suffix}\"}}");
        let rest = self.fields.stream.text.get(value.span.end..end).unwrap_or_default();
        let named = self.fields.request.discovery == Discovery::Cache && rest.trim().is_empty();
        let name = if named { marker(":name") } else { String::new() };
        let text = format!("{name}{ending}{indent}{NEW_TAG}: {tag}{}", marker(":tag"));
        Ok(vec![Edit { span: Span::new(end, end), text }])
    }

    /// The field beside the name that holds its tag or digest.
    fn beside(&self, name: NodeId, text: &str) -> Option<NodeId> {
        let mapping = self.fields.stream.node(name)?.parent?;
        let named = |key: &str| {
            let key = key.to_ascii_lowercase();
            ["tag", "version", "digest", "sha"].iter().any(|part| key.contains(part))
        };
        let found = self.fields.stream.entries(mapping).iter().find(|(key, value)| {
            self.fields.stream.value(*key).is_some_and(named)
                && self.fields.stream.value(*value) == Some(text)
        });
        found.map(|(_, value)| *value)
    }
}

fn tag(site: &Site) -> Option<&str> {
    let tag = site.suffix.strip_prefix(':')?;
    Some(tag.split_once('@').map_or(tag, |(tag, _)| tag))
}
