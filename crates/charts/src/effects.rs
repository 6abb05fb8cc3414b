//! What the overrides of releases do: each that may do nothing is left out of a render, and each that holds a tag.
//!
//! A value that the chart knows is in use, or waits for a part of the chart that is off: neither costs a render. The others are left
//! out together, and one by one where that changes anything, so that the number of renders is linear in them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use pullthru_core::image::{Name, Reference};
use pullthru_core::releases::overrides::{
    JudgedOverrides, StaleReason, WholeRelease, begins_with_cache, cached_values, setting_key, without,
};
use pullthru_core::releases::rendered::RenderReader;
use pullthru_core::releases::value_tree::value_at;
use pullthru_core::releases::{Release, ReleaseId, ReleaseKind};
use pullthru_core::yaml::FieldPath;
use serde_json::{Map, Value};
use tokio::task::JoinSet;

use crate::failure::Failure;
use crate::keys::{Base, Declared, Tree, compare, holds_tag, names};
use crate::render::{Charts, Reduced};

/// The upstream's reference of a cached image of a release; `None` for what is not in its cache.
pub type Upstream = Arc<dyn Fn(&ReleaseId, &str) -> Option<String> + Send + Sync>;

/// Values by their keys, as helm is given them.
type Values = Map<String, Value>;

/// Images by their objects and their names at the upstream.
type Named = BTreeMap<(String, String), Vec<String>>;

/// What overrides are judged with.
#[derive(Clone)]
pub struct JudgeRequest {
    pub reader: RenderReader,
    /// Hosts of caches.
    pub cache_hosts: Vec<String>,
    pub upstream: Upstream,
}

impl Charts {
    /// Judges the overrides of releases, several at a time. Releases that cannot be rendered are left out. `on` is called for each
    /// release that is settled.
    pub async fn judge_overrides(
        &self,
        releases: Vec<WholeRelease>,
        request: &JudgeRequest,
        mut on: impl FnMut(),
    ) -> BTreeMap<ReleaseId, JudgedOverrides> {
        let mut under_way = JoinSet::new();
        for whole in releases {
            let (charts, request) = (self.clone(), request.clone());
            under_way.spawn(async move {
                let judged = charts.judge(&whole, &request).await;
                (whole.release.id, judged)
            });
        }
        let mut found = BTreeMap::new();
        while let Some(joined) = under_way.join_next().await {
            on();
            if let Ok((id, Ok(judged))) = joined {
                found.insert(id, judged);
            }
        }
        found
    }

    async fn judge(&self, whole: &WholeRelease, request: &JudgeRequest) -> Result<JudgedOverrides, Failure> {
        let release = &whole.release;
        let cached = cached_values(&release.values, &request.cache_hosts);
        let reduced = Reduced::new(self, release, whole.has_chart_values).await?;
        // Post-renderers are behind what the values decide about.
        let bare = Release { post_renderers: Vec::new(), ..release.clone() };
        let judge = Judge { reduced, release: &bare, reader: &request.reader };
        let base = judge.reduced.render(release.values.clone(), 0).await?;
        let mut judged = JudgedOverrides::default();
        if release.id.kind == ReleaseKind::HelmRelease {
            let names_cache = |number: &usize| {
                let new_name =
                    release.post_renderers.get(*number).and_then(|entry| entry.new_name.as_deref());
                new_name.is_some_and(|name| begins_with_cache(name, &request.cache_hosts))
            };
            let unmatched = request.reader.unmatched_entries(release, &base);
            judged.unmatched = unmatched.into_iter().filter(names_cache).collect();
        }
        let upstream = |text: &str| (request.upstream)(&release.id, text);
        judged.freezing = judge.freezing(&base, &cached, &upstream).await?;
        judged.stale = judge.stale(&base, &cached).await?;
        Ok(judged)
    }
}

/// One release at work.
struct Judge<'j> {
    reduced: Reduced<'j>,
    /// Without post-renderers.
    release: &'j Release,
    reader: &'j RenderReader,
}

/// A value that names an image with its tag.
struct Tagged<'t> {
    key: &'t FieldPath,
    text: &'t str,
    /// At the upstream.
    name: Name,
}

impl Judge<'_> {
    /// The values without which the same is rendered.
    async fn stale(
        &self,
        base: &str,
        cached: &BTreeMap<FieldPath, String>,
    ) -> Result<BTreeMap<FieldPath, StaleReason>, Failure> {
        let mut stale = BTreeMap::new();
        let keys: BTreeSet<FieldPath> = cached.keys().map(setting_key).collect();
        if keys.is_empty() {
            return Ok(stale);
        }
        let declared = Declared::of(self.reduced.chart_directory(), self.reduced.values_files());
        let mut suspects = Vec::new();
        for key in keys {
            let value = value_at(&self.release.values, key.steps());
            if value.is_some() && declared.default(key.steps()) == value {
                stale.insert(key, StaleReason::Default);
            } else if !declared.knows(&key) {
                suspects.push(key);
            }
        }
        if suspects.is_empty() {
            return Ok(stale);
        }
        let again = self.reduced.render(self.release.values.clone(), 1).await?;
        let base = Base::new(self.reader, self.release, base, &again, |_| None);
        let none = suspects.iter().fold(self.release.values.clone(), |values, key| without(&values, key));
        if self.is_same(&base, none).await? {
            stale.extend(suspects.into_iter().map(|key| (key, StaleReason::Undeclared)));
            return Ok(stale);
        }
        // One behind the other: without all that are named here the same is rendered.
        let mut kept = self.release.values.clone();
        for key in suspects {
            let fewer = without(&kept, &key);
            if self.is_same(&base, fewer.clone()).await? {
                kept = fewer;
                stale.insert(key, StaleReason::Undeclared);
            }
        }
        Ok(stale)
    }

    /// Is the same rendered with these values, but for checksums and what differs in any two renders?
    async fn is_same(&self, base: &Base, values: Values) -> Result<bool, Failure> {
        match self.reduced.render(values, 0).await {
            Ok(text) => Ok(compare(base, &base.tree_of(self.reader, self.release, &text)).is_ok()),
            // The chart asks for it.
            Err(Failure::Template { .. }) => Ok(false),
            Err(failure) => Err(failure),
        }
    }

    /// The values that hold the tag of an image of the chart, each with the image that the chart has without it.
    async fn freezing(
        &self,
        base: &str,
        cached: &BTreeMap<FieldPath, String>,
        upstream: &(dyn Fn(&str) -> Option<String> + Send + Sync),
    ) -> Result<BTreeMap<FieldPath, String>, Failure> {
        let tagged: Vec<Tagged<'_>> = cached
            .iter()
            .filter(|(_, text)| holds_tag(text))
            .filter_map(|(key, text)| {
                let name = Reference::parse(&upstream(text)?).ok()?.name();
                Some(Tagged { key, text, name })
            })
            .collect();
        if tagged.is_empty() {
            return Ok(BTreeMap::new());
        }
        let all: Vec<&Tagged<'_>> = tagged.iter().collect();
        match self.render_without(&all).await {
            Ok(text) => Ok(self.defaults(base, &text, &all, upstream)),
            Err(Failure::Template { .. }) => {
                let mut found = BTreeMap::new();
                for one in all {
                    match self.render_without(&[one]).await {
                        Ok(text) => found.extend(self.defaults(base, &text, &[one], upstream)),
                        Err(Failure::Template { .. }) => {}
                        Err(failure) => return Err(failure),
                    }
                }
                Ok(found)
            }
            Err(failure) => Err(failure),
        }
    }

    async fn render_without(&self, tagged: &[&Tagged<'_>]) -> Result<String, Failure> {
        let keys: BTreeSet<FieldPath> = tagged.iter().map(|one| setting_key(one.key)).collect();
        let values = keys.iter().fold(self.release.values.clone(), |values, key| without(&values, key));
        self.reduced.render(values, 0).await
    }

    /// What the chart has in the places of these images: the same image with a tag of its own.
    fn defaults(
        &self,
        base: &str,
        text: &str,
        tagged: &[&Tagged<'_>],
        upstream: &(dyn Fn(&str) -> Option<String> + Send + Sync),
    ) -> BTreeMap<FieldPath, String> {
        let objects = [base, text].map(|text| self.reader.objects(self.release, text));
        let [stable, others] = objects.each_ref().map(|objects| names(objects));
        let stable: BTreeSet<String> = stable.intersection(&others).cloned().collect();
        let [with, without] = objects.map(|objects| Tree::new(objects, &stable));
        // By the image's name at its upstream, in one object: containers before it may come and go.
        let named = |tree: &Tree| -> Named {
            let mut named = Named::new();
            for (place, images) in &tree.images {
                for image in images {
                    let image = upstream(image).unwrap_or_else(|| image.clone());
                    let Ok(reference) = Reference::parse(&image) else { continue };
                    let key = (place.object.clone(), reference.name().to_string());
                    named.entry(key).or_default().push(image);
                }
            }
            named
        };
        let (before, after) = (named(&with), named(&without));
        let mut objects_of: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (place, images) in &with.images {
            for image in images {
                objects_of.entry(image).or_default().insert(&place.object);
            }
        }
        let has_tag = |image: &&String| {
            Reference::parse(image).is_ok_and(|image| image.tag().is_some() || image.digest().is_some())
        };
        let default = |one: &&Tagged<'_>| {
            let name = one.name.to_string();
            let found = objects_of.get(one.text)?.iter().find_map(|object| {
                let key = ((*object).to_owned(), name.clone());
                let images = after.get(&key)?;
                // Fewer: what is left is another container's.
                (images.len() >= before.get(&key)?.len()).then(|| images.iter().find(has_tag))?
            });
            Some((one.key.clone(), found?.clone()))
        };
        tagged.iter().filter_map(default).collect()
    }
}
