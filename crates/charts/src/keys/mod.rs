//! Which values put the images of a release behind the cache: differential rendering.
//!
//! `candidates` are keys that may hold the front of a name. `search` writes a sentinel into each, renders, and sees in
//! `tree`, the texts of a render by their places, which image begins with it; the value follows from what stands behind the
//! sentinel. `compare` judges a render with values chosen: the planned images and nothing else. A release's own values are
//! below all that is tried, and nothing is written here. `values` are read and set by their keys, and `declared` says which of
//! them a chart knows.

mod candidates;
mod compare;
mod declared;
mod search;
mod tree;
mod values;

use std::collections::BTreeSet;

use pullthru_core::releases::rendered::RenderReader;
use pullthru_core::releases::{Release, RenderedDeployers};
use pullthru_core::yaml::{FieldPath, Step};
use serde_json::{Map, Value};

pub(crate) use candidates::holds_tag;
pub use compare::Difference;
pub(crate) use compare::{compare, compare_but};
pub(crate) use declared::Declared;
pub(crate) use tree::{RenderedPlace, Tree, names};

use crate::failure::Failure;
use crate::render::{Charts, Trial};

/// Values over those of a release that put its images behind the cache.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Override {
    /// Each key once, sorted.
    pub values: Vec<OverrideValue>,
    /// How many places of the render name the cache with them.
    pub reached: usize,
    /// The values that the chart sees without them.
    pub merged: Value,
    /// The images that are to move, each with its object.
    pub images: BTreeSet<(String, String)>,
    /// Images that no values key sets, and why.
    pub remaining: Vec<RemainingImage>,
    /// How often helm was run.
    pub renders: usize,
}

/// One value.
#[derive(Clone, Debug, PartialEq)]
pub struct OverrideValue {
    pub key: FieldPath,
    pub value: Value,
    /// What the key holds without it, where it holds something.
    pub was: Option<String>,
    /// The chart refuses other registries without it (`global.security.allowInsecureImages`).
    pub is_required: bool,
    /// Name and tag are one value: the chart no longer moves the tag.
    pub freezes_tag: bool,
}

impl OverrideValue {
    /// Does it stand in a list? Helm replaces lists whole, so that all of it has to be written.
    pub fn copies_list(&self) -> bool {
        self.key.steps().iter().any(|step| matches!(step, Step::Item(_)))
    }
}

/// An image that stays at its upstream.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RemainingImage {
    pub image: String,
    /// `Deployment/shop/web`.
    pub object: String,
    pub reason: RemainingReason,
}

/// Why no value moves it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RemainingReason {
    /// The chart writes it without asking its values.
    NoKey,
    /// This key of the chart holds name and tag in one.
    FreezesTag(String),
    /// A post-renderer renames it in containers, and it stands in other places, too.
    NotInContainers,
    /// A list of values sets it that is not copied, with the reason.
    Uncopied(String),
    /// A post-renderer would, but its object is also that of clusters with other registries.
    OtherClusters,
    /// `values.schema.json` of the chart does not allow this key, or the value.
    Refused(String),
}

impl RemainingReason {
    /// The key that would move it.
    pub fn key(&self) -> Option<&str> {
        match self {
            RemainingReason::NoKey
            | RemainingReason::NotInContainers
            | RemainingReason::Uncopied(_)
            | RemainingReason::OtherClusters => None,
            RemainingReason::FreezesTag(key) | RemainingReason::Refused(key) => Some(key),
        }
    }
}

impl std::fmt::Display for RemainingReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            RemainingReason::NoKey => f.write_str("no value of the chart sets its registry"),
            RemainingReason::NotInContainers => f.write_str(
                "`images:` renames it in containers; it also stands in a hook, an argument or a custom resource",
            ),
            RemainingReason::Uncopied(reason) => f.write_str(reason),
            RemainingReason::OtherClusters => f.write_str(
                "a post-renderer would rename it, but clusters with other registries build this release, too, and no patch in \
                 the kustomization of this one can add it: name the registry by a variable (`registry.host`)",
            ),
            RemainingReason::Refused(_) => {
                f.write_str("the chart's `values.schema.json` does not allow the value that sets its registry")
            }
            RemainingReason::FreezesTag(_) => f.write_str(
                "one value holds its name and its tag: set by the repository, the chart no longer moves the tag \
                 (`--allow-frozen-tags` sets it all the same)",
            ),
        }
    }
}

/// Why there are no values for a release.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OverrideError {
    #[error(transparent)]
    Render(#[from] Failure),
    #[error("with the values that set its images, {0}")]
    Differs(Difference),
    #[error("with the values that set its images, it would render another release than before in turn")]
    Deploys,
}

/// An image of a render, and what it has to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Image {
    pub(crate) place: RenderedPlace,
    pub(crate) reference: String,
    pub(crate) routed: String,
}

/// What is known of a release without changing anything: two renders, and what they have in common.
pub(crate) struct Base {
    pub(crate) tree: Tree,
    /// The names of objects that both have.
    pub(crate) stable: BTreeSet<String>,
    /// Places that differ in any two renders.
    pub(crate) noise: BTreeSet<RenderedPlace>,
    /// Those that the cache is to serve.
    pub(crate) images: Vec<Image>,
}

impl Base {
    pub(crate) fn new(
        reader: &RenderReader,
        release: &Release,
        first: &str,
        second: &str,
        route: impl Fn(&str) -> Option<String>,
    ) -> Base {
        let (first, second) = (reader.objects(release, first), reader.objects(release, second));
        let stable: BTreeSet<String> = names(&first).intersection(&names(&second)).cloned().collect();
        let (tree, other) = (Tree::new(first, &stable), Tree::new(second, &stable));
        let noise = tree.changes(&other);
        let places = tree.images.iter().filter(|(place, _)| !noise.contains(*place));
        let images = places.flat_map(|(place, references)| {
            references.iter().filter_map(|reference| {
                let (place, reference) = (place.clone(), reference.clone());
                route(&reference).map(|routed| Image { place, reference, routed })
            })
        });
        let images = images.collect();
        Base { images, tree, stable, noise }
    }

    /// As [`compare`]. Where anything but an image differs, a clock may have done it, which stood still between the first two
    /// renders: these `values` are rendered once more, and what then differs, too, counts no longer.
    pub(crate) async fn judge(
        &mut self,
        trial: &Trial<'_>,
        reader: &RenderReader,
        values: &Map<String, Value>,
        tree: &Tree,
    ) -> Result<BTreeSet<usize>, Difference> {
        let difference = match compare(self, tree) {
            Ok(reached) => return Ok(reached),
            Err(difference) => difference,
        };
        if self.images.iter().any(|image| difference.is_at(&image.place)) {
            return Err(difference);
        }
        let Ok(text) = trial.render(values).await else { return Err(difference) };
        let later = self.tree_of(reader, trial.release(), &text);
        self.noise.extend(self.tree.changes(&later));
        compare(self, tree)
    }

    pub(crate) fn tree_of(&self, reader: &RenderReader, release: &Release, text: &str) -> Tree {
        Tree::new(reader.objects(release, text), &self.stable)
    }
}

impl Charts {
    /// The values that put the images of a release behind the cache. `route` gives the cached reference of one, where there is
    /// one; `allow_frozen_tags` takes keys that hold name and tag in one, too.
    ///
    /// # Errors
    /// [`OverrideError`], when the release cannot be rendered, or when the values change anything but its images.
    pub async fn override_for(
        &self,
        release: &Release,
        reader: &RenderReader,
        route: impl Fn(&str) -> Option<String>,
        allow_frozen_tags: bool,
    ) -> Result<Override, OverrideError> {
        let mut trial = Trial::new(self, release).await?;
        let (first, second) = trial.render_twice().await?;
        let values = trial.merged_values(&first)?;
        let base = Base::new(reader, release, &first, &second, route);
        if base.images.is_empty() {
            return Ok(Override { renders: 2, merged: values, ..Override::default() });
        }
        search::Search::new(&trial, reader, base, &values, allow_frozen_tags).run().await
    }
}

impl Charts {
    /// Renders a release as it was and as it has become: how many images that were to move have, and that nothing else has
    /// changed.
    ///
    /// # Errors
    /// [`OverrideError`], when one of them cannot be rendered, or when anything else has changed.
    pub(crate) async fn prove_override(
        &self,
        before: &Release,
        after: &Release,
        reader: &RenderReader,
        route: impl Fn(&str) -> Option<String>,
    ) -> Result<usize, OverrideError> {
        let mut trial = Trial::new(self, before).await?;
        let (first, second) = trial.render_twice().await?;
        let mut base = Base::new(reader, before, &first, &second, route);
        let text = trial.with(self, after).await?.render_valid(&after.values).await?;
        // The releases that it renders are judged by the objects of the first render.
        let deployers = RenderedDeployers::read(&first);
        if deployers == RenderedDeployers::read(&second) && deployers != RenderedDeployers::read(&text) {
            return Err(OverrideError::Deploys);
        }
        let tree = base.tree_of(reader, after, &text);
        let reached = base.judge(&trial, reader, &before.values, &tree).await;
        Ok(reached.map_err(OverrideError::Differs)?.len())
    }
}
