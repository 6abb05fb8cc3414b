//! What values keys do that hold the tag of an image: each is set to another tag, and the render may differ by that tag alone.
//!
//! An equal tag is no proof: it may be that of another image, of several, or a text. The number of renders is linear in the keys.

use std::collections::{BTreeMap, BTreeSet};

use pullthru_core::image::Reference;
use pullthru_core::releases::overrides::WholeRelease;
use pullthru_core::releases::rendered::{RenderReader, Rendered, RenderedImage};
use pullthru_core::releases::{Release, ReleaseId};
use pullthru_core::yaml::{FieldPath, Step};
use serde_json::{Map, Value};
use tokio::task::JoinSet;

use crate::failure::Failure;
use crate::keys::{Base, Difference, compare_but};
use crate::render::{Charts, Reduced};

/// A release, and the keys of its values that hold the tag of one of its images, each with the tag.
#[derive(Clone, Debug)]
pub struct TagKeys {
    pub whole: WholeRelease,
    pub keys: BTreeMap<FieldPath, String>,
}

/// What a key sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TagEffect {
    /// The tag of the image with this name, as it is deployed, and of no other.
    Tag(String),
    /// The tags of several images, with these names.
    Several(Vec<String>),
    /// The tag of an image that is pinned by digest, so that another tag changes nothing.
    Pinned(String),
    /// No tag of an image.
    Nothing,
    /// Something else besides.
    Differs(Difference),
    /// The chart cannot be rendered with another tag there.
    Refused(Failure),
}

impl std::fmt::Display for TagEffect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            TagEffect::Tag(name) => write!(f, "it sets the tag of {name}"),
            TagEffect::Several(names) => {
                write!(f, "it sets the tag of several images ({})", names.join(", "))
            }
            TagEffect::Pinned(name) => {
                write!(f, "{name} is pinned by digest, and another tag pulls nothing else")
            }
            TagEffect::Nothing => f.write_str("it sets no tag of an image"),
            TagEffect::Differs(difference) => write!(f, "with another tag there, {difference}"),
            TagEffect::Refused(failure) => write!(f, "with another tag there, {failure}"),
        }
    }
}

impl Charts {
    /// What keys do that hold tags, release by release, several at a time. `on` is called for each release that is settled.
    pub async fn effects_of_tags(
        &self,
        releases: Vec<TagKeys>,
        reader: &RenderReader,
        mut on: impl FnMut(),
    ) -> BTreeMap<ReleaseId, Result<BTreeMap<FieldPath, TagEffect>, Failure>> {
        let mut under_way = JoinSet::new();
        for asked in releases {
            let (charts, reader) = (self.clone(), reader.clone());
            under_way.spawn(async move {
                let effects = charts.effects_in_release(&asked, &reader).await;
                (asked.whole.release.id, effects)
            });
        }
        let mut found = BTreeMap::new();
        while let Some(joined) = under_way.join_next().await {
            on();
            if let Ok((id, effects)) = joined {
                found.insert(id, effects);
            }
        }
        found
    }

    async fn effects_in_release(
        &self,
        asked: &TagKeys,
        reader: &RenderReader,
    ) -> Result<BTreeMap<FieldPath, TagEffect>, Failure> {
        let release = &asked.whole.release;
        let reduced = Reduced::new(self, release, asked.whole.has_chart_values).await?;
        let base = reduced.render(release.values.clone(), 0).await?;
        let again = reduced.render(release.values.clone(), 1).await?;
        let mut effects = BTreeMap::new();
        for (key, tag) in &asked.keys {
            let change =
                TagChange { reader, release, base: &base, again: &again, tag, new: other_tag(tag, &base) };
            let effect = match reduced.render(with_tag(&release.values, key, &change.new), 0).await {
                Ok(text) => change.effect(&text),
                Err(failure @ Failure::Template { .. }) => TagEffect::Refused(failure),
                Err(failure) => return Err(failure),
            };
            effects.insert(key.clone(), effect);
        }
        Ok(effects)
    }
}

/// One key of a release with another tag.
struct TagChange<'c> {
    reader: &'c RenderReader,
    release: &'c Release,
    base: &'c str,
    again: &'c str,
    tag: &'c str,
    new: String,
}

impl TagChange<'_> {
    fn effect(&self, text: &str) -> TagEffect {
        let before = self.reader.read(self.release, self.base);
        let after = self.reader.read(self.release, text);
        match self.moved(&before, &after) {
            Err(effect) => effect,
            Ok(names) if names.len() > 1 => TagEffect::Several(names.into_iter().collect()),
            Ok(names) => match (names.into_iter().next(), self.beside(text)) {
                (None, _) => TagEffect::Nothing,
                (Some(_), Some(difference)) => TagEffect::Differs(difference),
                (Some(name), None) => TagEffect::Tag(name),
            },
        }
    }

    /// The names of the images whose tags have changed; the effect where something else about images has.
    fn moved(&self, before: &Rendered, after: &Rendered) -> Result<BTreeSet<String>, TagEffect> {
        let mut added: BTreeSet<&RenderedImage> = after.images.difference(&before.images).collect();
        let mut names = BTreeSet::new();
        for old in before.images.difference(&after.images) {
            let reference = Reference::parse(&old.image).ok();
            let name = reference.as_ref().map(|reference| reference.name().to_string());
            let is_pinned = reference.as_ref().is_some_and(|reference| reference.digest().is_some());
            let written = old.image.strip_suffix(self.tag).filter(|written| written.ends_with(':'));
            let new = written
                .map(|written| RenderedImage { image: format!("{written}{}", self.new), ..old.clone() });
            match (name, new) {
                (Some(name), _) if is_pinned => return Err(TagEffect::Pinned(name)),
                (Some(name), Some(new)) if added.remove(&new) => _ = names.insert(name),
                _ => return Err(TagEffect::Differs(of_image(old, after))),
            }
        }
        match added.first() {
            Some(new) => Err(TagEffect::Differs(of_image(new, after))),
            None if before.unknown != after.unknown => {
                let one = before.unknown.symmetric_difference(&after.unknown).next();
                let (object, field) =
                    one.map(|one| (one.object.clone(), one.field.clone())).unwrap_or_default();
                let text = one.map(|one| one.text.clone()).unwrap_or_default();
                let after = "another".to_owned();
                Err(TagEffect::Differs(Difference { object, field, before: text, after }))
            }
            None => Ok(names),
        }
    }

    /// The first thing besides that is another one with it. Texts that name the tag alone may follow it, as labels do.
    fn beside(&self, text: &str) -> Option<Difference> {
        // Post-renderers rename what the chart has named.
        let bare = Release { post_renderers: Vec::new(), ..self.release.clone() };
        let route = |image: &str| {
            let written = image.strip_suffix(self.tag).filter(|written| written.ends_with(':'))?;
            Some(format!("{written}{}", self.new))
        };
        let base = Base::new(self.reader, &bare, self.base, self.again, route);
        let after = base.tree_of(self.reader, &bare, text);
        // In a longer text a tag may be that of an image which nobody knows there.
        let follows =
            |old: &str, new: &str| !old.contains([':', '/']) && old.replace(self.tag, &self.new) == new;
        compare_but(&base, &after, follows).err()
    }
}

/// What stands in the place of an image now.
fn of_image(image: &RenderedImage, after: &Rendered) -> Difference {
    let is_there = |one: &&RenderedImage| one.object == image.object && one.field == image.field;
    let now = after.images.iter().find(is_there).map_or("nothing", |one| one.image.as_str());
    Difference {
        object: image.object.clone(),
        field: image.field.clone(),
        before: image.image.clone(),
        after: now.to_owned(),
    }
}

/// A tag that the render does not hold, and that charts which compare versions take as well: the next one by its last number.
fn other_tag(tag: &str, text: &str) -> String {
    let end = tag.rfind(|c: char| c.is_ascii_digit()).map_or(0, |at| at + 1);
    let (head, tail) = tag.split_at(end);
    let start = head.rfind(|c: char| !c.is_ascii_digit()).map_or(0, |at| at + 1);
    let (front, digits) = head.split_at(start);
    let next = |by: u64| {
        let number = digits.parse::<u64>().ok().and_then(|number| number.checked_add(by));
        match number {
            Some(number) => format!("{front}{number:0width$}{tail}", width = digits.len()),
            None => format!("{tag}-{by}"),
        }
    };
    let is_new = |tag: &String| !text.contains(tag.as_str());
    (1..1000).map(next).find(is_new).unwrap_or_else(|| format!("{tag}-another"))
}

/// The values with another tag at a key; a number stays one.
fn with_tag(values: &Map<String, Value>, key: &FieldPath, tag: &str) -> Map<String, Value> {
    let mut values = values.clone();
    let Some((Step::Key(first), rest)) = key.steps().split_first() else { return values };
    let mut at = values.get_mut(first);
    for step in rest {
        at = at.and_then(|at| match step {
            Step::Key(key) => at.get_mut(key),
            Step::Item(index) => at.get_mut(index),
        });
    }
    if let Some(at) = at {
        let number = tag.parse::<u64>().ok().filter(|number| at.is_number() && number.to_string() == tag);
        *at = number.map_or_else(|| Value::from(tag), Value::from);
    }
    values
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn other_tags_are_those_of_a_next_version() {
        for (tag, text, other) in [
            ("1.2.3", "", "1.2.4"),
            ("1.2.3", "quay.io/o/n:1.2.4 1.2.5", "1.2.6"),
            ("v1.9-alpine", "", "v1.10-alpine"),
            ("2024.09", "", "2024.10"),
            ("007", "", "008"),
            ("main", "", "main-1"),
            ("99999999999999999999", "", "99999999999999999999-1"),
        ] {
            assert_eq!(other_tag(tag, text), other);
        }
    }

    #[test]
    fn a_tag_is_set_where_it_stands() {
        let values = json!({"a": {"tag": "1"}, "list": [{"tag": 17}]});
        let set = |key: FieldPath, tag: &str| Value::Object(with_tag(values.as_object().unwrap(), &key, tag));
        assert_eq!(
            set(FieldPath::from(&["a", "tag"]), "2"),
            json!({"a": {"tag": "2"}, "list": [{"tag": 17}]})
        );
        let key = FieldPath::from(&["list"]).child(0).child("tag");
        assert_eq!(set(key.clone(), "18"), json!({"a": {"tag": "1"}, "list": [{"tag": 18}]}));
        assert_eq!(set(key, "018"), json!({"a": {"tag": "1"}, "list": [{"tag": "018"}]}));
    }
}
