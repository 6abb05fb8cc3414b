//! Kustomizations that a program makes of a text template (`kustomization.yaml.j2`, one with `{% if %}` in it): what they
//! draw from, and the names that their entries compare. A name that kustomize compares must not move without the images
//! that it matches, whatever the template becomes.

use super::blank;
use super::context::Outer;
use super::explorer::Explorer;
use super::lexical;
use super::site::{Obstacle, Role, Scope, Site};
use super::template::{Blanked, has_repeated_keys};
use crate::kustomization::{self, ImageEntry, Kustomization};
use crate::yaml::{self, NodeId, Span, SpanMap, Stream};

impl Explorer<'_> {
    pub(super) fn templated_kustomization(&mut self, text: &str) {
        let statements = blank::statements(text);
        let blanked = Blanked::new(text, &statements);
        let shown = blanked.as_ref().map_or(text, |blanked| blanked.text.as_str());
        let stream = yaml::parse_without_comments(shown);
        let layer = SpanMap::identity(0, text.len());
        let root = root(&stream);
        let in_statement = |statement: &Span| !self.hosts.find_in(text, *statement).is_empty();
        if root.is_some() && !statements.iter().any(in_statement) {
            let first = self.found.sites.len();
            self.explore(&stream, &layer, &Outer::default(), 0);
            let sites = self.found.sites.iter_mut().skip(first);
            sites.for_each(|site| blanked.iter().for_each(|blanked| blanked.restore(site)));
        } else {
            lexical::region(self, text, Span::new(0, text.len()), &layer, &Outer::default());
            self.found.sites.iter_mut().for_each(compare);
        }
        let mut read = match root {
            Some(root) => {
                let read = kustomization::read(&stream, root);
                let unread = read.unread || has_repeated_keys(&stream);
                Kustomization { unread: unread || blanked.as_ref().is_some_and(|one| one.hides), ..read }
            }
            None => {
                Kustomization { images: entries_of_lines(text), unread: true, ..Kustomization::default() }
            }
        };
        read.template = true;
        blanked.iter().for_each(|blanked| restore(&mut read, blanked));
        self.found.kustomization = Some(read);
    }
}

/// The mapping of a text that is YAML without its statements.
fn root(stream: &Stream<'_>) -> Option<NodeId> {
    let root = stream.documents.iter().find_map(|document| document.root)?;
    (stream.errors.is_empty() && !stream.entries(root).is_empty()).then_some(root)
}

/// A name in a text that shows no lists is one that an entry compares.
fn compare(site: &mut Site) {
    if site.field.path.steps().last().and_then(|step| step.key()) == Some("name") {
        site.role = Role::Matcher(Scope::Kustomization);
        site.obstacle.get_or_insert(Obstacle::Template);
    }
}

fn restore(read: &mut Kustomization, blanked: &Blanked) {
    read.links.iter_mut().for_each(|link| link.to = blanked.restored(&link.to));
    for entry in &mut read.images {
        let ImageEntry { computed, new_name, new_tag, digest, tag_suffix, .. } = entry;
        for text in [computed, new_name, new_tag, digest, tag_suffix].into_iter().flatten() {
            *text = blanked.restored(text);
        }
    }
}

/// The names in the lines below `images:`.
fn entries_of_lines(text: &str) -> Vec<ImageEntry> {
    let mut within = false;
    let mut entries = Vec::new();
    for line in text.lines() {
        let body = line.trim_start().trim_start_matches("- ").trim_start();
        if line.starts_with(|c: char| c.is_ascii_alphabetic()) {
            within = line.starts_with("images:") || line.starts_with("imageTags:");
        }
        let name = body.strip_prefix("name:").filter(|_| within);
        let name = name.map(|name| name.split(" #").next().unwrap_or_default().trim());
        if let Some(name) = name.map(|name| name.trim_matches(['"', '\''])).filter(|name| !name.is_empty()) {
            entries.push(kustomization::named(name));
        }
    }
    entries
}
