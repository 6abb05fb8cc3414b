//! Programs that write the names of images into a repository or an Application, by the objects that tell them to:
//! Argo CD Image Updater (`ImageUpdater` objects, annotations of Applications) and promotion steps of Kargo.
//!
//! What they look tags up for and what they write is one name: where that is the upstream's, the cache's name is lost.

use std::collections::HashMap;
use std::ops::Range;

use super::blank;
use super::context;
use super::file_kind::FileClass;
use super::parsed::Parsed;
use super::site::Object;
use crate::image::Name;
use crate::tree::Position;
use crate::yaml::set::is_settable;
use crate::yaml::{self, FieldPath, Holder, Kind, NodeId, Span, Stream};

/// Files without any of these name no updater.
const SIGNS: [&str; 2] = [IMAGE_UPDATER, "kargo.akuity.io"];

/// In an item of `images` of an ImageUpdater: the image that a kustomization matches.
pub(crate) const KUSTOMIZE_NAME: [&str; 3] = ["manifestTargets", "kustomize", "name"];

/// The API group of ImageUpdater objects, and what annotations begin with
/// (argocd-image-updater.readthedocs.io, "Application configuration").
const IMAGE_UPDATER: &str = "argocd-image-updater.argoproj.io";

/// One image that an updater writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdatedImage {
    pub object: Object,
    pub name: Name,
    pub write: Write,
    /// Of the text that names the image.
    pub span: Span,
    pub position: Position,
    /// Where another name can be written; else what keeps a program from it.
    pub place: Result<Place, String>,
}

/// Where another name is written for an updater.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The name itself; of [`Write::YamlUpdate`] its expression.
    pub name: Span,
    /// The mapping that takes the other keys.
    pub keys: Holder,
}

/// How an updater knows what to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Write {
    /// An item of `spec.applicationRefs[].images` of an ImageUpdater.
    Object {
        /// Behind the name: the versions that are allowed.
        constraint: String,
        target: Target,
    },
    /// An item of an Application's annotation `…/image-list`.
    Annotation {
        alias: Option<String>,
        constraint: String,
        target: Target,
        /// The other items of the list.
        before: String,
        after: String,
    },
    /// Kargo's step `kustomize-set-image`, which writes the entry `matched` anew, with this `newName` or without any
    /// (akuity/kargo, `pkg/promotion/runner/builtin/kustomize_image_setter.go`).
    KustomizeSetImage { matched: String, new_name: Option<String> },
    /// Kargo's step `helm-update-image`, which writes the name that it found with its tag or digest, both in `key`.
    HelmUpdateImage { key: String, by_digest: bool },
    /// Kargo's step `yaml-update`, whose expression takes the name from the image that it found.
    YamlUpdate { value: String, expression: Expression },
}

/// `imageFrom("NAME").RepoURL` in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    /// In the text: the whole `${{ … }}` where it holds nothing else.
    pub range: Range<usize>,
    /// The quote of a text in its place, within a longer expression.
    pub quote: Option<char>,
}

impl Expression {
    /// What stands in its place.
    pub fn replacement(&self, name: &str) -> String {
        self.quote.map_or(name.to_owned(), |quote| format!("{quote}{name}{quote}"))
    }
}

/// Where Argo CD Image Updater writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `images:` of a kustomization, for the image of this name; without one for that of the image's own.
    Kustomize(Option<String>),
    /// Values of a chart.
    Helm,
}

/// Kargo keeps the name that the entry has.
const KEPT: &str = "*";

impl UpdatedImage {
    /// Is it configured to write the cache's name already, or to keep it?
    pub(crate) fn is_of_cache(&self, cached: &str) -> bool {
        matches!(&self.write, Write::KustomizeSetImage { new_name: Some(name), .. } if name == cached || name == KEPT)
    }

    /// Whose writing it is.
    pub fn tool(&self) -> &'static str {
        match self.write {
            Write::Object { .. } | Write::Annotation { .. } => "Argo CD Image Updater",
            _ => "Kargo",
        }
    }
}

/// What the annotation of an image's alias is called.
pub fn annotation(key: &str) -> String {
    format!("{IMAGE_UPDATER}/{key}")
}

/// What an image without an alias is called in annotations, when it gets one.
pub(crate) fn own_alias(name: &str) -> String {
    name.rsplit('/').next().unwrap_or_default().replace('.', "-")
}

/// All images that updaters write by this file.
pub(super) fn read(class: FileClass, objects: &Parsed<'_>) -> Vec<UpdatedImage> {
    let text = objects.text;
    if !SIGNS.iter().any(|sign| text.contains(sign)) {
        return Vec::new();
    }
    let (blanked, template);
    let stream = match class {
        FileClass::Manifest => objects.stream(),
        FileClass::Template => {
            blanked = blank::blanked(text);
            template = yaml::parse_without_comments(&blanked);
            &template
        }
        FileClass::Other(_) => return Vec::new(),
    };
    let template = matches!(class, FileClass::Template);
    let mut reader = Reader { stream, template, images: Vec::new() };
    for root in context::object_roots(stream) {
        let Some(object) = context::object_at(stream, root) else { continue };
        let group = object.api_version.split('/').next().unwrap_or_default();
        match (group, object.kind.as_str()) {
            (IMAGE_UPDATER, "ImageUpdater") => reader.image_updater(&object, root),
            ("argoproj.io", "Application") => reader.annotations(&object, root, &["metadata", "annotations"]),
            ("argoproj.io", "ApplicationSet") => {
                reader.annotations(&object, root, &["spec", "template", "metadata", "annotations"]);
            }
            ("kargo.akuity.io", "Stage") => {
                reader.promotion(&object, root, &[&["spec"], &["spec", "promotionTemplate", "spec"]]);
            }
            ("kargo.akuity.io", "PromotionTask" | "ClusterPromotionTask") => {
                reader.promotion(&object, root, &[&["spec"]]);
            }
            _ => {}
        }
    }
    reader.images.sort_by_key(|image| image.span);
    reader.images
}

struct Reader<'s, 'a> {
    stream: &'s Stream<'a>,
    template: bool,
    images: Vec<UpdatedImage>,
}

impl Reader<'_, '_> {
    fn text(&self, at: NodeId, path: &[&str]) -> Option<&str> {
        self.stream.value(self.stream.get_path(at, path)?)
    }

    fn items(&self, at: NodeId, path: &[&str]) -> &[NodeId] {
        self.stream.get_path(at, path).map(|list| self.stream.items(list)).unwrap_or_default()
    }

    fn push(&mut self, object: &Object, name: &str, write: Write, named: &Named<'_>) {
        let span = self.stream.node(named.at).map(|node| node.span);
        if let (Ok(name), Some(span)) = (Name::parse(name), span) {
            self.images.push(UpdatedImage {
                object: object.clone(),
                name,
                write,
                span,
                position: Position::START,
                place: self.place(named),
            });
        }
    }

    fn place(&self, named: &Named<'_>) -> Result<Place, String> {
        let stream = self.stream;
        if self.template {
            return Err("it stands in a text template".to_owned());
        }
        if let Some(variable) = named.variable {
            return Err(format!(
                "the variable `{variable}` holds the name, and what promotes may set another"
            ));
        }
        if !stream.errors.is_empty() {
            return Err("a part of the file is no YAML".to_owned());
        }
        let is_shared =
            |id| stream.node(id).is_none_or(|node| node.anchored || matches!(node.kind, Kind::Alias(_)));
        if stream.ancestors(named.at).any(is_shared) {
            return Err("it has an anchor: other places would change with it".to_owned());
        }
        let name = stream.content(named.at).and_then(|content| content.map.outer(named.name));
        let Some(name) = name.filter(|name| !name.is_empty()) else {
            return Err("the name is written with escapes, or over several lines".to_owned());
        };
        let document = stream.node(named.within).map_or(0, |node| node.document);
        let keys = Holder::new(document, stream.path(named.within));
        for path in named.keys {
            let way = keys.path.clone().join(path);
            is_settable(stream, document, way.steps()).map_err(|error| error.to_string())?;
        }
        Ok(Place { name, keys })
    }

    fn image_updater(&mut self, object: &Object, root: NodeId) {
        let stream = self.stream;
        for &application in self.items(root, &["spec", "applicationRefs"]).to_vec().iter() {
            for &image in self.items(application, &["images"]).to_vec().iter() {
                let Some(at) = stream.get(image, "imageName") else { continue };
                let Some(text) = stream.value(at) else { continue };
                let (name, constraint) = split_constraint(text);
                let target = match stream.get_path(image, &["manifestTargets", "helm"]) {
                    Some(_) => Target::Helm,
                    None => {
                        let name = self.text(image, &["manifestTargets", "kustomize", "name"]);
                        Target::Kustomize(name.map(str::to_owned))
                    }
                };
                let keys = match target {
                    Target::Helm => Vec::new(),
                    Target::Kustomize(_) => vec![FieldPath::from(&KUSTOMIZE_NAME)],
                };
                let span = Span::new(0, name.len());
                let named = Named { at, name: span, within: image, keys: &keys, variable: None };
                let write = Write::Object { constraint: constraint.to_owned(), target };
                self.push(object, name, write, &named);
            }
        }
    }

    fn annotations(&mut self, object: &Object, root: NodeId, way: &[&str]) {
        let stream = self.stream;
        let Some(annotations) = stream.get_path(root, way) else { return };
        let of = |key: &str| stream.get(annotations, &annotation(key));
        let Some(at) = of("image-list") else { return };
        let list = stream.value(at).unwrap_or_default();
        let mut start = 0;
        for item in list.split(',') {
            let end = start + item.len();
            let trimmed = item.trim();
            let (alias, image) = match trimmed.split_once('=') {
                Some((alias, image)) if is_alias(alias) => (Some(alias.to_owned()), image),
                _ => (None, trimmed),
            };
            let (name, constraint) = split_constraint(image);
            let of_alias = |key: &str| {
                let alias = alias.as_deref()?;
                stream.value(of(&format!("{alias}.{key}"))?).map(str::to_owned)
            };
            let helm = ["helm.image-name", "helm.image-tag", "helm.image-spec"];
            let target = match helm.iter().any(|key| of_alias(key).is_some()) {
                true => Target::Helm,
                false => Target::Kustomize(of_alias("kustomize.image-name")),
            };
            let around = |text: Option<&str>| text.unwrap_or_default().split_whitespace().collect::<String>();
            let first = start + item.find(image).unwrap_or_default();
            let key = alias.clone().unwrap_or_else(|| own_alias(name)) + ".kustomize.image-name";
            let keys = match target {
                Target::Helm => Vec::new(),
                Target::Kustomize(_) => vec![FieldPath::from(vec![annotation(&key).as_str().into()])],
            };
            let span = Span::new(first, first + name.len());
            let named = Named { at, name: span, within: annotations, keys: &keys, variable: None };
            let write = Write::Annotation {
                alias: alias.clone(),
                constraint: constraint.to_owned(),
                target,
                before: around(list.get(..start)),
                after: around(list.get(end..)),
            };
            self.push(object, name, write, &named);
            start = end + 1;
        }
    }

    /// The steps in the last of these mappings, with the variables of all and of each step.
    fn promotion(&mut self, object: &Object, root: NodeId, ways: &[&[&str]]) {
        let mut variables = Variables::new();
        for way in ways {
            self.variables(root, &[way, ["vars"].as_slice()].concat(), &mut variables);
        }
        let steps = ways.last().map(|way| [way, ["steps"].as_slice()].concat()).unwrap_or_default();
        for &step in self.items(root, &steps).to_vec().iter() {
            let mut variables = variables.clone();
            self.variables(step, &["vars"], &mut variables);
            self.step(object, step, &variables);
        }
    }

    /// Adds those of a list whose values are written there.
    fn variables(&self, at: NodeId, way: &[&str], variables: &mut Variables) {
        for &item in self.items(at, way) {
            if let (Some(name), Some(value)) = (self.text(item, &["name"]), self.text(item, &["value"])) {
                variables.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    fn step(&mut self, object: &Object, step: NodeId, variables: &Variables) {
        let items = |key: &str| self.items(step, &["config", key]).to_vec();
        match self.text(step, &["uses"]) {
            Some("kustomize-set-image") => {
                items("images").into_iter().for_each(|image| self.set_image(object, image, variables));
            }
            Some("helm-update-image") => {
                items("images").into_iter().for_each(|image| self.helm_image(object, image, variables));
            }
            Some("yaml-update") => {
                items("updates").into_iter().for_each(|update| self.yaml_update(object, update, variables));
            }
            _ => {}
        }
    }

    fn set_image(&mut self, object: &Object, image: NodeId, variables: &Variables) {
        let stream = self.stream;
        let keys = ["name", "newName"].map(|key| FieldPath::from(&[key]));
        let Some(at) = stream.get(image, "image") else { return };
        let Some(text) = stream.value(at) else { return };
        let Some(name) = value_of(text, variables) else { return };
        let matched = self.text(image, &["name"]).filter(|matched| !matched.is_empty());
        let Some(matched) = matched.map_or(Some(name), |matched| value_of(matched, variables)) else {
            return;
        };
        let new_name = self.text(image, &["newName"]).map(str::to_owned);
        let write = Write::KustomizeSetImage { matched: matched.to_owned(), new_name };
        let named = Named {
            at,
            name: Span::new(0, text.len()),
            within: image,
            keys: &keys,
            variable: variable(text),
        };
        self.push(object, name, write, &named);
    }

    fn helm_image(&mut self, object: &Object, image: NodeId, variables: &Variables) {
        let stream = self.stream;
        let Some(at) = stream.get(image, "image") else { return };
        let Some(text) = stream.value(at) else { return };
        let Some(name) = value_of(text, variables) else { return };
        let by_digest = match self.text(image, &["value"]) {
            Some("ImageAndTag") => false,
            Some("ImageAndDigest") => true,
            _ => return,
        };
        let key = self.text(image, &["key"]).unwrap_or("KEY").to_owned();
        let named =
            Named { at, name: Span::new(0, text.len()), within: image, keys: &[], variable: variable(text) };
        self.push(object, name, Write::HelmUpdateImage { key, by_digest }, &named);
    }

    fn yaml_update(&mut self, object: &Object, update: NodeId, variables: &Variables) {
        let stream = self.stream;
        let Some(at) = stream.get(update, "value") else { return };
        let Some(value) = stream.value(at) else { return };
        for (expression, argument) in expressions(value) {
            let Range { start, end } = expression.range;
            let variable = argument.strip_prefix(VARIABLES);
            let known = |of: &str| variables.get(of).map(String::as_str);
            let Some(name) = variable.map_or(Some(argument), known) else { continue };
            let named = Named { at, name: Span::new(start, end), within: update, keys: &[], variable };
            self.push(object, name, Write::YamlUpdate { value: value.to_owned(), expression }, &named);
        }
    }
}

/// Variables of a promotion whose values are written in the file.
type Variables = HashMap<String, String>;

/// How expressions of Kargo name a variable.
const VARIABLES: &str = "vars.";

/// The variable that a text is, and nothing else: `${{ vars.image }}`.
fn variable(text: &str) -> Option<&str> {
    text.trim().strip_prefix("${{")?.strip_suffix("}}")?.trim().strip_prefix(VARIABLES)
}

/// A text, or what the variable holds that it is; `None` where that is not written here.
fn value_of<'v>(text: &'v str, variables: &'v Variables) -> Option<&'v str> {
    variable(text).map_or(Some(text), |of| variables.get(of).map(String::as_str))
}

/// What names an image for an updater.
struct Named<'k> {
    at: NodeId,
    /// In the value.
    name: Span,
    /// The mapping that takes other keys, and those that may be needed.
    within: NodeId,
    keys: &'k [FieldPath],
    /// The variable that holds the name, which others may use and set.
    variable: Option<&'k str>,
}

/// Each `imageFrom("NAME").RepoURL` within `${{ … }}`, with its name.
fn expressions(text: &str) -> Vec<(Expression, &str)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = text.get(at..).and_then(|rest| rest.find("${{")).map(|found| at + found) {
        let Some(length) = text.get(start..).and_then(|rest| rest.find("}}")) else { break };
        let block = start..start + length + 2;
        let mut from = start;
        while let Some(call) =
            text.get(from..block.end).and_then(|rest| rest.find(CALL)).map(|found| from + found)
        {
            from = call + CALL.len();
            let Some((name, quote, end)) = argument(text, from, block.end) else { continue };
            let alone = text.get(start + 3..call).is_some_and(|before| before.trim().is_empty())
                && text.get(end..block.end - 2).is_some_and(|after| after.trim().is_empty());
            let expression = match alone {
                true => Expression { range: block.clone(), quote: None },
                false => Expression { range: call..end, quote: Some(quote) },
            };
            found.push((expression, name));
            from = end;
        }
        at = block.end;
    }
    found
}

const CALL: &str = "imageFrom(";
const URL: &str = ".RepoURL";

/// The name that a call is given, or the variable that holds it, its quote, and where `.RepoURL` ends behind the call; none where something else follows.
fn argument(text: &str, from: usize, end: usize) -> Option<(&str, char, usize)> {
    let rest = text.get(from..end)?;
    let inner = rest.trim_start();
    let quoted = inner.chars().next().filter(|quote| matches!(quote, '"' | '\''));
    let (name, quote, quotes) = match quoted {
        Some(quote) => (inner.get(1..)?.split(quote).next()?, quote, 2),
        None => (inner.split([',', ')', ' ']).next().filter(|name| name.starts_with(VARIABLES))?, '"', 0),
    };
    let behind = rest.len() - inner.len() + name.len() + quotes;
    let url = rest.get(behind..)?.find(URL)?;
    let between = rest.get(behind..behind + url)?.trim();
    let is_call = between == ")"
        || between.starts_with(',')
            && between.ends_with(')')
            && !between.contains(CALL)
            && !between.contains('+');
    is_call.then_some((name, quote, from + behind + url + URL.len()))
}

fn is_alias(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// `ghcr.io/org/app:~1.2` is a name with the versions that are allowed.
fn split_constraint(text: &str) -> (&str, &str) {
    let last = text.rfind('/').map_or(0, |slash| slash + 1);
    let colon = text.get(last..).and_then(|name| name.find([':', '@'])).map_or(text.len(), |at| last + at);
    text.split_at(colon)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_of_kargo_that_take_the_name_are_distinguished() {
        let found = |text| -> Vec<(String, String)> {
            let replaced = |(expression, name): (Expression, &str)| {
                let mut text = str::to_owned(text);
                text.replace_range(expression.range.clone(), &expression.replacement("CACHE"));
                (name.to_owned(), text)
            };
            expressions(text).into_iter().map(replaced).collect()
        };
        let one = |name: &str, text: &str| vec![(name.to_owned(), text.to_owned())];
        assert_eq!(
            found("${{ vars.host }}/x:${{ imageFrom('ghcr.io/o/a').RepoURL }}:v"),
            one("ghcr.io/o/a", "${{ vars.host }}/x:CACHE:v")
        );
        // The rest of a longer expression stays.
        assert_eq!(
            found(
                "${{ imageFrom('ghcr.io/o/a', warehouse('w')).RepoURL + ':' + imageFrom('ghcr.io/o/a').Tag }}"
            ),
            one("ghcr.io/o/a", "${{ 'CACHE' + ':' + imageFrom('ghcr.io/o/a').Tag }}")
        );
        assert_eq!(
            found("${{ imageFrom('quay.io/o/b').Tag + imageFrom(\"ghcr.io/o/a\").RepoURL }}"),
            one("ghcr.io/o/a", "${{ imageFrom('quay.io/o/b').Tag + \"CACHE\" }}")
        );
        for text in [
            "${{ imageFrom('ghcr.io/o/a').Tag }}",
            "imageFrom('a').RepoURL",
            "${{ imageFrom(",
            "${{ imageFrom('",
            "",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }
}
