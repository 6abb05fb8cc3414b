//! The search, stage by stage: keys that hold something, then empty ones, a stage each so that they do not stand in each
//! other's way; then Docker Hub's `library/`; at last one key of `global` in the place of several.

use std::collections::{BTreeMap, BTreeSet};

use pullthru_core::releases::rendered::RenderReader;
use pullthru_core::yaml::{FieldPath, Step};
use serde_json::{Map, Value};

use super::candidates::{self, Candidate, CandidateKind, holds_tag, is_global};
use super::tree::{Tree, begins_reference, is_of_reference};
use super::values::{is_set, keys_holding, set, text_at};
use super::{
    Base, Difference, Image, Override, OverrideError, OverrideValue, RemainingImage, RemainingReason,
};
use crate::failure::Failure;
use crate::render::Trial;

/// Renders of one release: no chart that was seen needed more than ten.
const MOST_RENDERS: usize = 60;

/// Numbers of images that begin with the text of a key, each with the value that the key must have for it.
type Behind = Vec<(usize, Option<String>)>;

pub(super) struct Search<'s> {
    trial: &'s Trial<'s>,
    reader: &'s RenderReader,
    base: Base,
    /// Merged by helm.
    values: &'s Value,
    candidates: Vec<Candidate>,
    /// Keys that hold a name with its tag, and are not used.
    frozen: Vec<Candidate>,
    /// Empty keys that would have to hold the tag, too, by the images that they would move.
    would_freeze: BTreeMap<usize, FieldPath>,
    allow_frozen_tags: bool,
    /// Keys that the chart's schema does not allow, each with the images that it would move.
    refused: BTreeMap<FieldPath, Vec<usize>>,
    chosen: BTreeMap<FieldPath, String>,
    /// The images that each key moves, by their numbers.
    moved: BTreeMap<FieldPath, Vec<usize>>,
    required: BTreeSet<FieldPath>,
    /// Numbers in [`Base::images`].
    covered: BTreeSet<usize>,
    renders: usize,
}

impl<'s> Search<'s> {
    pub(super) fn new(
        trial: &'s Trial<'s>,
        reader: &'s RenderReader,
        base: Base,
        values: &'s Value,
        allow_frozen_tags: bool,
    ) -> Search<'s> {
        let all = candidates::all(values, &base.images, trial.chart_directory());
        // A tag that the repository itself sets is not the chart's to move.
        let freezes =
            |one: &Candidate| holds_tag(&one.value) && !is_set(&trial.release().values, one.key.steps());
        let (frozen, candidates) =
            all.into_iter().partition(|candidate| !allow_frozen_tags && freezes(candidate));
        Search {
            trial,
            reader,
            base,
            values,
            candidates,
            frozen,
            would_freeze: BTreeMap::new(),
            allow_frozen_tags,
            refused: BTreeMap::new(),
            chosen: BTreeMap::new(),
            moved: BTreeMap::new(),
            required: BTreeSet::new(),
            covered: BTreeSet::new(),
            renders: 2,
        }
    }

    pub(super) async fn run(mut self) -> Result<Override, OverrideError> {
        self.stages().await;
        if self.leave_out_refused().await {
            // What they would move may be in reach of another key.
            self.stages().await;
            self.leave_out_refused().await;
        }
        self.library().await;
        self.one_global().await;
        self.finish().await
    }

    async fn stages(&mut self) {
        for kind in [
            CandidateKind::Set,
            CandidateKind::Set,
            CandidateKind::EmptyRegistry,
            CandidateKind::EmptyRepository,
        ] {
            self.stage(self.numbers(kind)).await;
        }
        for number in self.numbers(CandidateKind::EmptyGlobal) {
            self.stage(vec![number]).await;
        }
    }

    fn is_done(&self) -> bool {
        self.covered.len() == self.base.images.len() || self.renders >= MOST_RENDERS
    }

    /// Those of a kind that nothing was chosen for yet.
    fn numbers(&self, kind: CandidateKind) -> Vec<usize> {
        let open = |(_, one): &(usize, &Candidate)| {
            one.kind == kind && !self.chosen.contains_key(&one.key) && !self.refused.contains_key(&one.key)
        };
        self.candidates.iter().enumerate().filter(open).map(|(number, _)| number).collect()
    }

    /// The release's values with what is chosen, and these over it.
    fn values_with(&self, over: &[(&[Step], Value)]) -> Map<String, Value> {
        let mut values = self.trial.release().values.clone();
        for (key, value) in &self.chosen {
            set(&mut values, key.steps(), Value::String(value.clone()), self.values);
        }
        for key in &self.required {
            set(&mut values, key.steps(), Value::Bool(true), self.values);
        }
        for (key, value) in over {
            set(&mut values, key, value.clone(), self.values);
        }
        values
    }

    async fn render(&mut self, values: &Map<String, Value>) -> Result<Tree, Failure> {
        self.renders += 1;
        Ok(self.base.tree_of(self.reader, self.trial.release(), &self.trial.render(values).await?))
    }

    /// The same with values that have to pass the chart's schema.
    async fn render_valid(&mut self, values: &Map<String, Value>) -> Result<Tree, Failure> {
        self.renders += 1;
        Ok(self.base.tree_of(self.reader, self.trial.release(), &self.trial.render_valid(values).await?))
    }

    /// The images that a render with the chosen values has behind the cache.
    async fn judge(&mut self, tree: &Tree) -> Result<BTreeSet<usize>, Difference> {
        let values = &self.trial.release().values;
        self.base.judge(self.trial, self.reader, values, tree).await
    }

    /// Renders with a sentinel in each of these keys. Where the chart refuses them together they are tried by halves.
    async fn tried(&mut self, numbers: Vec<usize>) -> Vec<(Vec<usize>, Tree)> {
        let mut done = Vec::new();
        let mut open = vec![numbers];
        while let Some(numbers) = open.pop() {
            if numbers.is_empty() || self.renders >= MOST_RENDERS {
                continue;
            }
            let over: Vec<(&[Step], Value)> = numbers
                .iter()
                .filter_map(|number| {
                    let candidate = self.candidates.get(*number)?;
                    Some((candidate.key.steps(), Value::String(candidate.sentinel(*number))))
                })
                .collect();
            let values = self.values_with(&over);
            match self.render(&values).await {
                Ok(tree) => done.push((numbers, tree)),
                Err(Failure::Template { reason }) => {
                    if required_key(&reason).is_some_and(|key| self.required.insert(key)) {
                        open.push(numbers);
                    } else if numbers.len() > 1 {
                        let (first, second) = numbers.split_at(numbers.len() / 2);
                        open.extend([second.to_vec(), first.to_vec()]);
                    }
                }
                Err(_) => {}
            }
        }
        done
    }

    /// Takes the keys whose sentinels stand at the front of images that nothing covers yet.
    async fn stage(&mut self, numbers: Vec<usize>) {
        if self.is_done() {
            return;
        }
        for (numbers, tree) in self.tried(numbers).await {
            let mut found: Vec<(usize, Behind)> = Vec::new();
            for number in numbers {
                let images = self.images_behind(number, &tree);
                if !images.is_empty() {
                    found.push((number, images));
                }
            }
            // The key that most images stand behind first.
            found.sort_by_key(|(number, images)| (usize::MAX - images.len(), *number));
            for (number, images) in found {
                self.choose(number, images);
            }
        }
    }

    /// The images in whose places the sentinel of a key stands at the front, each with the value that the key must have.
    fn images_behind(&self, number: usize, tree: &Tree) -> Behind {
        let Some(candidate) = self.candidates.get(number) else { return Vec::new() };
        let sentinel = candidate.sentinel(number);
        let images = self.base.images.iter().enumerate();
        images
            .filter_map(|(image, wanted)| {
                let text = tree.text(&wanted.place).filter(|text| text.contains(&sentinel))?;
                Some((image, self.value_for(&sentinel, wanted, text)))
            })
            .collect()
    }

    /// The cached reference without what follows the sentinel; `None` where they do not fit together.
    fn value_for(&self, sentinel: &str, image: &Image, text: &str) -> Option<String> {
        let mut values = BTreeSet::new();
        for (at, _) in text.match_indices(sentinel) {
            if !begins_reference(text.get(..at)?) {
                continue;
            }
            let rest = text.get(at + sentinel.len()..)?;
            let end = rest.find(|c| !is_of_reference(c)).unwrap_or(rest.len());
            let behind = self.without_sentinels(rest.get(..end)?);
            if let Some(value) = image.routed.strip_suffix(behind.as_str()) {
                values.insert(value.to_owned());
            }
        }
        (values.len() == 1).then(|| values.pop_first()).flatten().filter(|value| !value.is_empty())
    }

    /// Other sentinels taken back.
    fn without_sentinels(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (number, candidate) in self.candidates.iter().enumerate() {
            if !text.contains(".example.com/q") {
                break;
            }
            text = text.replace(&candidate.sentinel(number), &candidate.value);
        }
        text
    }

    /// Gives a key the value that most of the open images behind it need.
    fn choose(&mut self, number: usize, images: Behind) {
        let Some(candidate) = self.candidates.get(number) else { return };
        let touches_covered = images.iter().any(|(image, _)| self.covered.contains(image));
        if touches_covered && candidate.kind != CandidateKind::Set {
            // It would undo what is reached.
            return;
        }
        let mut by_value: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (image, value) in images {
            if let (false, Some(value)) = (self.covered.contains(&image), value) {
                by_value.entry(value).or_default().push(image);
            }
        }
        if candidate.value.is_empty() && !self.allow_frozen_tags {
            // The chart has name and tag of its own where nothing is set.
            let freezing = by_value.extract_if(.., |value, _| holds_tag(value));
            let images = freezing.flat_map(|(_, images)| images);
            self.would_freeze.extend(images.map(|image| (image, candidate.key.clone())));
        }
        let most = by_value.into_iter().max_by_key(|(_, images)| images.len());
        if let Some((value, images)) = most {
            self.chosen.insert(candidate.key.clone(), value);
            self.covered.extend(&images);
            self.moved.insert(candidate.key.clone(), images);
        }
    }

    /// Leaves out the keys that the chart's schema does not allow; says whether there are some.
    async fn leave_out_refused(&mut self) -> bool {
        if self.chosen.is_empty() || !self.trial.validates() {
            return false;
        }
        let values = self.values_with(&[]);
        if !matches!(self.render_valid(&values).await, Err(Failure::Template { .. })) {
            return false;
        }
        let chosen = std::mem::take(&mut self.chosen);
        for (key, value) in &chosen {
            let values = self.values_with(&[(key.steps(), Value::String(value.clone()))]);
            if matches!(self.render_valid(&values).await, Err(Failure::Template { .. })) {
                self.refused.insert(key.clone(), self.moved.remove(key).unwrap_or_default());
            }
        }
        self.covered.clear();
        self.chosen = chosen.into_iter().filter(|(key, _)| !self.refused.contains_key(key)).collect();
        let values = self.values_with(&[]);
        if let Ok(tree) = self.render_valid(&values).await
            && let Ok(reached) = self.judge(&tree).await
        {
            self.covered = reached;
        }
        !self.refused.is_empty()
    }

    /// Docker Hub's names of one segment below a registry key that others share: their repository gains `library/`.
    async fn library(&mut self) {
        if self.is_done() || self.chosen.is_empty() {
            return;
        }
        let open = self.base.images.iter().enumerate().filter(|(image, _)| !self.covered.contains(image));
        let short: BTreeSet<String> = open
            .filter_map(|(_, image)| {
                let last = image.reference.rsplit('/').next()?;
                let name = last.split([':', '@']).next()?.to_owned();
                image.routed.contains(&format!("/library/{name}")).then_some(name)
            })
            .collect();
        for key in keys_holding(self.values, &short) {
            if self.is_done() {
                return;
            }
            let Some(name) = text_at(self.values, key.steps()) else { continue };
            let value = format!("library/{name}");
            let values = self.values_with(&[(key.steps(), Value::String(value.clone()))]);
            let Ok(tree) = self.render_valid(&values).await else { continue };
            let Ok(reached) = self.judge(&tree).await else { continue };
            if reached.is_superset(&self.covered) && reached.len() > self.covered.len() {
                self.covered = reached;
                self.chosen.insert(key, value);
            }
        }
    }

    /// One key of `global` that gives the same as several.
    async fn one_global(&mut self) {
        if self.chosen.len() < 2 || self.renders >= MOST_RENDERS {
            return;
        }
        let is_registry = |candidate: &&Candidate| {
            let Some(Step::Key(last)) = candidate.key.steps().last() else { return false };
            let last = last.to_ascii_lowercase();
            is_global(candidate.key.steps()) && (last.ends_with("registry") || last.ends_with("hub"))
        };
        let globals: Vec<FieldPath> =
            self.candidates.iter().filter(is_registry).map(|candidate| candidate.key.clone()).collect();
        let values: BTreeSet<&String> = self.chosen.values().collect();
        let [value] = values.into_iter().collect::<Vec<_>>()[..] else { return };
        let value = value.clone();
        for key in globals {
            let before = std::mem::take(&mut self.chosen);
            self.chosen.insert(key, value.clone());
            let values = self.values_with(&[]);
            if let Ok(tree) = self.render_valid(&values).await
                && self.judge(&tree).await.is_ok_and(|reached| reached.is_superset(&self.covered))
            {
                return;
            }
            self.chosen = before;
        }
    }

    /// Renders what was chosen once more, which decides what is reached.
    async fn finish(mut self) -> Result<Override, OverrideError> {
        let mut reached = BTreeSet::new();
        if !self.chosen.is_empty() {
            let mut values = self.values_with(&[]);
            let mut rendered = self.render_valid(&values).await;
            while let Err(Failure::Template { reason }) = &rendered
                && required_key(reason).is_some_and(|key| self.required.insert(key))
            {
                values = self.values_with(&[]);
                rendered = self.render_valid(&values).await;
            }
            reached = self.judge(&rendered?).await.map_err(OverrideError::Differs)?;
        }
        let remaining = self.base.images.iter().enumerate().filter(|(image, _)| !reached.contains(image));
        let remaining: BTreeSet<RemainingImage> =
            remaining.map(|(number, image)| self.remaining(number, image)).collect();
        let images = self.base.images.iter();
        let images = images.map(|image| (image.reference.clone(), image.place.object.clone())).collect();
        Ok(Override {
            reached: reached.len(),
            images,
            merged: self.values.clone(),
            remaining: remaining.into_iter().collect(),
            renders: self.renders,
            values: if reached.is_empty() { Vec::new() } else { self.values_chosen() },
        })
    }

    fn remaining(&self, number: usize, image: &Image) -> RemainingImage {
        let refused = self.refused.iter().find(|(_, images)| images.contains(&number));
        let frozen = self.frozen.iter().find(|candidate| {
            candidate.value == image.reference || image.reference.starts_with(&candidate.value)
        });
        let frozen = frozen.map(|candidate| &candidate.key).or(self.would_freeze.get(&number));
        let reason = match (refused, frozen) {
            (Some((key, _)), _) => RemainingReason::Refused(key.to_string()),
            (None, Some(key)) => RemainingReason::FreezesTag(key.to_string()),
            (None, None) => RemainingReason::NoKey,
        };
        RemainingImage { image: image.reference.clone(), object: image.place.object.clone(), reason }
    }

    fn values_chosen(&self) -> Vec<OverrideValue> {
        let chosen = self.chosen.iter().map(|(key, value)| OverrideValue {
            key: key.clone(),
            value: Value::String(value.clone()),
            was: text_at(self.values, key.steps()).filter(|text| !text.is_empty()).map(str::to_owned),
            is_required: false,
            freezes_tag: self.candidates.iter().any(|one| {
                let holds_tag = if one.value.is_empty() { holds_tag(value) } else { holds_tag(&one.value) };
                one.key == *key && holds_tag && !is_set(&self.trial.release().values, key.steps())
            }),
        });
        let required = self.required.iter().map(|key| OverrideValue {
            key: key.clone(),
            value: Value::Bool(true),
            was: None,
            is_required: true,
            freezes_tag: false,
        });
        let mut values: Vec<OverrideValue> = chosen.chain(required).collect();
        values.sort_by(|a, b| a.key.cmp(&b.key));
        values
    }
}

/// The key that an error asks for: Bitnami's "set 'global.security.allowInsecureImages' to true".
fn required_key(reason: &str) -> Option<FieldPath> {
    let (before, _) = reason.split_once("' to true")?;
    let key = before.rsplit('\'').next()?;
    let is_key =
        |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    let parts: Vec<&str> = key.split('.').collect();
    parts.iter().all(|part| is_key(part)).then(|| FieldPath::from(parts.as_slice()))
}
