//! ApplicationSets: the Applications that their generators make, as far as the repository shows.
//!
//! Lists, directories and files of Git are evaluated, and products and merges of them (`matrix`, `merge`). Of any other generator
//! nothing is known: its placeholders stay in the one Application that stands for all.

use std::collections::HashMap;

use globset::{GlobBuilder, GlobMatcher};
use serde_json::{Map, Value};

use super::object::Object;
use super::sources::{Entry, Sources};
use super::value::{as_text, at, list_at, map_at, text_at};
use crate::kustomize::Model;
use crate::tree::RepoPath;

/// The key that marks a mapping with a placeholder that was not replaced.
pub(super) const UNRESOLVED: &str = "pullthru-unresolved";

/// Applications that one set may make here.
const MAX_APPLICATIONS: usize = 10_000;

/// The Applications of a set.
pub(super) fn applications(object: &Object, model: &Model<'_>, sources: &Sources<'_>) -> Vec<Object> {
    let Some(template) = at(&object.value, &["spec", "template"]) else { return Vec::new() };
    let go = at(&object.value, &["spec", "goTemplate"]) == Some(&Value::Bool(true));
    let generators = list_at(&object.value, &["spec", "generators"]);
    let mut applications = Vec::new();
    let reader = Generators { model, sources, go };
    for parameters in generators.iter().flat_map(|generator| reader.parameters(generator, 0)) {
        if applications.len() >= MAX_APPLICATIONS {
            break;
        }
        let mut application = object.clone();
        application.former.clear();
        let mut value = template.clone();
        render(&mut value, &parameters, go);
        mark(&mut value);
        if let Value::Object(map) = &mut value {
            map.insert("apiVersion".to_owned(), Value::String("argoproj.io/v1alpha1".to_owned()));
            map.insert("kind".to_owned(), Value::String("Application".to_owned()));
            let metadata = map.entry("metadata").or_insert_with(|| Value::Object(Map::new()));
            if let (Value::Object(metadata), Some(namespace)) = (metadata, object.namespace()) {
                metadata.entry("namespace").or_insert_with(|| Value::String(namespace.to_owned()));
            }
        }
        application.changed |= value != *template;
        application.value = value.into();
        let mut origin = (*object.origin).clone();
        origin.holder = object.holder(&["spec", "template"]);
        application.origin = origin.into();
        let place = parameters.get("path");
        let part = |key: &str| place.and_then(|place| text_at(place, &[key]));
        if let (Some(directory), Some(name)) = (part("path"), part("filename")) {
            application.inputs.extend(RepoPath::new(&format!("{directory}/{name}")));
        }
        if at(&object.value, &["spec", "templatePatch"]).is_some() {
            let place = sources.place(object.path(), &object.holder(&["spec", "templatePatch"]));
            application.doubt(place, "`templatePatch` is not evaluated");
        }
        applications.push(application);
    }
    applications
}

type Parameters = Map<String, Value>;

/// What the generators of a set are evaluated with.
struct Generators<'g> {
    model: &'g Model<'g>,
    sources: &'g Sources<'g>,
    /// `goTemplate`.
    go: bool,
}

impl Generators<'_> {
    /// One mapping for each Application; an empty one for all that are not known.
    fn parameters(&self, generator: &Value, depth: usize) -> Vec<Parameters> {
        let list = |keys: &[&str]| list_at(generator, keys);
        let entries = |kind: &str| list(&["git", kind]);
        let is_resolved = |entries: &[Value]| !entries.iter().any(|entry| entry.to_string().contains("{{"));
        let mut all: Vec<Parameters> = if at(generator, &["list"]).is_some() {
            let elements = list(&["list", "elements"]).iter().filter_map(Value::as_object);
            let elements: Vec<Parameters> = elements.cloned().collect();
            match at(generator, &["list", "elementsYaml"]) {
                Some(_) if elements.is_empty() => vec![Parameters::new()],
                _ => elements,
            }
        } else if !entries("directories").is_empty() && is_resolved(entries("directories")) {
            known(directories(entries("directories"), self.model))
        } else if !entries("files").is_empty() && is_resolved(entries("files")) {
            known(self.files(entries("files")))
        } else if at(generator, &["matrix"]).is_some() && depth < MAX_DEPTH {
            self.matrix(list(&["matrix", "generators"]), depth)
        } else if at(generator, &["merge"]).is_some() && depth < MAX_DEPTH {
            let keys = list(&["merge", "mergeKeys"]).iter().filter_map(Value::as_str).collect();
            self.merge(list(&["merge", "generators"]), keys, depth)
        } else {
            vec![Parameters::new()]
        };
        let own =
            generator.as_object().into_iter().flatten().find_map(|(_, inner)| map_at(inner, &["values"]));
        if let Some(values) = own {
            for parameters in &mut all {
                let mut values = Value::Object(values.clone());
                render(&mut values, parameters, self.go);
                parameters.insert("values".to_owned(), values);
            }
        }
        all
    }

    /// Each of one side with each of the other, which may use the parameters of the first.
    fn matrix(&self, sides: &[Value], depth: usize) -> Vec<Parameters> {
        sides.iter().fold(vec![Parameters::new()], |all, side| {
            let pairs = all.iter().flat_map(|left| {
                let mut side = side.clone();
                render(&mut side, left, self.go);
                let side = self.parameters(&side, depth + 1).into_iter();
                side.map(|right| joined(left, &right)).collect::<Vec<_>>()
            });
            pairs.take(MAX_APPLICATIONS).collect()
        })
    }

    /// Those of the first, with what the others say for the same keys.
    fn merge(&self, sides: &[Value], keys: Vec<&str>, depth: usize) -> Vec<Parameters> {
        let mut sides = sides.iter().map(|side| self.parameters(side, depth + 1));
        let mut all = sides.next().unwrap_or_default();
        let of = |parameters: &Parameters| {
            keys.iter().map(|key| parameter_at(key, parameters)).collect::<Option<Vec<String>>>()
        };
        for side in sides {
            // What is not known may be said for any of them.
            if side.iter().any(Parameters::is_empty) {
                return vec![Parameters::new()];
            }
            let said: HashMap<Vec<String>, &Parameters> =
                side.iter().filter_map(|one| Some((of(one)?, one))).collect();
            for one in &mut all {
                if let Some(over) = of(one).and_then(|key| said.get(&key)) {
                    *one = joined(one, over);
                }
            }
        }
        all
    }

    /// The parameters in files of the repository, and where they lie.
    fn files(&self, entries: &[Value]) -> Vec<Parameters> {
        let (included, excluded) = (globs(entries, false), globs(entries, true));
        let mut all = Vec::new();
        for directory in &self.model.inventory.directories {
            for entry in self.sources.entries(directory).iter() {
                let Entry::File(path) = entry else { continue };
                let is = |globs: &[GlobMatcher]| globs.iter().any(|glob| glob.is_match(path.as_str()));
                if !is(&included) || is(&excluded) {
                    continue;
                }
                let documents = self.sources.documents(path);
                // One mapping, or a list of them. What cannot be read is not known.
                let items: Vec<Parameters> = match documents.as_ref().and_then(|all| all.first()) {
                    Some(Value::Object(one)) => vec![one.clone()],
                    Some(Value::Array(all)) => all.iter().filter_map(Value::as_object).cloned().collect(),
                    _ => vec![Parameters::new()],
                };
                let mut place = of_directory(directory);
                if let Some(Value::Object(place)) = place.get_mut("path") {
                    let name = path.file_name().unwrap_or_default();
                    place.insert("filename".to_owned(), Value::String(name.to_owned()));
                }
                all.extend(items.iter().map(|one| joined(one, &place)));
            }
        }
        all
    }
}

/// Nothing that matches here may be another repository's: what is not there is not known.
fn known(all: Vec<Parameters>) -> Vec<Parameters> {
    if all.is_empty() { vec![Parameters::new()] } else { all }
}

/// Generators in generators.
const MAX_DEPTH: usize = 3;

fn joined(left: &Parameters, right: &Parameters) -> Parameters {
    let mut all = left.clone();
    super::helm_values::merge(&mut all, right);
    all
}

/// The directories of the repository that a Git generator lists.
fn directories(entries: &[Value], model: &Model<'_>) -> Vec<Parameters> {
    let (included, excluded) = (globs(entries, false), globs(entries, true));
    let all = model.inventory.directories.iter().filter(|directory| {
        let is = |globs: &[GlobMatcher]| globs.iter().any(|glob| glob.is_match(directory.as_str()));
        !directory.is_root() && is(&included) && !is(&excluded)
    });
    all.map(of_directory).collect()
}

/// The patterns of a Git generator: those that are excluded, or the others.
fn globs(entries: &[Value], excluded: bool) -> Vec<GlobMatcher> {
    let one = |entry: &Value| {
        let exclude = at(entry, &["exclude"]) == Some(&Value::Bool(true));
        let path = text_at(entry, &["path"])?.trim_start_matches("./").trim_end_matches('/');
        let glob = GlobBuilder::new(path).literal_separator(true).build().ok()?;
        (exclude == excluded).then(|| glob.compile_matcher())
    };
    entries.iter().filter_map(one).collect()
}

fn of_directory(directory: &RepoPath) -> Parameters {
    let segments = directory.as_str().split('/').map(|segment| Value::String(segment.to_owned()));
    let name = directory.file_name().unwrap_or_default();
    let normalized = name.to_ascii_lowercase().replace(['_', '.'], "-");
    let path = serde_json::json!({
        "path": directory.as_str(), "basename": name, "basenameNormalized": normalized,
        "segments": segments.collect::<Vec<_>>(),
    });
    Parameters::from_iter([("path".to_owned(), path)])
}

fn render(value: &mut Value, parameters: &Parameters, go: bool) {
    match value {
        Value::String(text) if text.contains("{{") => *text = rendered(text, parameters, go),
        Value::Array(items) => items.iter_mut().for_each(|item| render(item, parameters, go)),
        Value::Object(map) => map.iter_mut().for_each(|(_, item)| render(item, parameters, go)),
        _ => {}
    }
}

/// A text with the placeholders replaced that are known.
fn rendered(text: &str, parameters: &Parameters, go: bool) -> String {
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((placeholder, after)) = after.split_once("}}") else { break };
        out.push_str(before);
        match parameter(placeholder.trim_matches(['-', ' ']), parameters, go) {
            Some(value) => out.push_str(&value),
            None => {
                out.push_str("{{");
                out.push_str(placeholder);
                out.push_str("}}");
            }
        }
        rest = after;
    }
    out + rest
}

fn parameter(name: &str, parameters: &Parameters, go: bool) -> Option<String> {
    let path = parameters.get("path");
    let segment = |number: &str| as_text(path?.get("segments")?.get(number.parse::<usize>().ok()?)?);
    if go {
        if let Some(number) = name.strip_prefix("index .path.segments ") {
            return segment(number.trim());
        }
        let mut keys = name.strip_prefix('.')?.split('.');
        let first = parameters.get(keys.next()?)?;
        return as_text(keys.try_fold(first, |at, key| at.get(key))?);
    }
    if let Some(number) = name.strip_prefix("path[").and_then(|rest| rest.strip_suffix(']')) {
        return segment(number);
    }
    match name {
        "path" => as_text(path?.get("path")?),
        _ => parameter_at(name, parameters),
    }
}

/// A key, or a way of keys: `metadata.name`.
fn parameter_at(name: &str, parameters: &Parameters) -> Option<String> {
    if let Some(value) = parameters.get(name) {
        return as_text(value);
    }
    let mut keys = name.split('.');
    let first = parameters.get(keys.next()?)?;
    as_text(keys.try_fold(first, |at, key| at.get(key))?)
}

/// Marks the `helm` of each source in which a placeholder was not replaced: there it decides about the images.
fn mark(application: &mut Value) {
    let Some(spec) = application.get_mut("spec").and_then(Value::as_object_mut) else { return };
    let mut sources: Vec<&mut Value> = Vec::new();
    for (key, value) in spec.iter_mut() {
        match (key.as_str(), value) {
            ("source", value) => sources.push(value),
            ("sources", Value::Array(all)) => sources.extend(all.iter_mut()),
            _ => {}
        }
    }
    for source in sources {
        let Some(helm) = source.get_mut("helm") else { continue };
        let unresolved = ["values", "valuesObject", "valueFiles", "parameters", "fileParameters"]
            .iter()
            .any(|key| helm.get(key).is_some_and(|value| value.to_string().contains("{{")));
        if let (true, Value::Object(helm)) = (unresolved, helm) {
            helm.insert(UNRESOLVED.to_owned(), Value::Bool(true));
        }
    }
}
