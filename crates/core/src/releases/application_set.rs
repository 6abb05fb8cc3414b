//! ApplicationSets: the Applications that their generators make, as far as the repository shows.
//!
//! Lists and directories of Git are evaluated, and products of them (`matrix`). Of any other generator nothing is known: its
//! placeholders stay in the one Application that stands for all.

use serde_json::{Map, Value};

use super::object::Object;
use super::sources::Sources;
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
    for parameters in generators.iter().flat_map(|generator| of_generator(generator, model, 0)) {
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
        if at(&object.value, &["spec", "templatePatch"]).is_some() {
            let place = sources.place(object.path(), &object.holder(&["spec", "templatePatch"]));
            application.doubt(place, "`templatePatch` is not evaluated");
        }
        applications.push(application);
    }
    applications
}

type Parameters = Map<String, Value>;

fn of_generator(generator: &Value, model: &Model<'_>, depth: usize) -> Vec<Parameters> {
    let list = |keys: &[&str]| list_at(generator, keys);
    let mut all: Vec<Parameters> = if at(generator, &["list"]).is_some() {
        let elements = list(&["list", "elements"]).iter().filter_map(Value::as_object);
        let elements: Vec<Parameters> = elements.cloned().collect();
        match at(generator, &["list", "elementsYaml"]) {
            Some(_) if elements.is_empty() => vec![Parameters::new()],
            _ => elements,
        }
    } else if !list(&["git", "directories"]).is_empty() {
        directories(list(&["git", "directories"]), model)
    } else if at(generator, &["matrix"]).is_some() && depth < 3 {
        let sides = list(&["matrix", "generators"]).iter().map(|inner| of_generator(inner, model, depth + 1));
        sides.fold(vec![Parameters::new()], |all, side| {
            let pairs = all.iter().flat_map(|left| side.iter().map(move |right| joined(left, right)));
            pairs.take(MAX_APPLICATIONS).collect()
        })
    } else {
        vec![Parameters::new()]
    };
    let own = generator.as_object().into_iter().flatten().find_map(|(_, inner)| map_at(inner, &["values"]));
    if let Some(values) = own {
        for parameters in &mut all {
            parameters.insert("values".to_owned(), Value::Object(values.clone()));
        }
    }
    all
}

fn joined(left: &Parameters, right: &Parameters) -> Parameters {
    let mut all = left.clone();
    super::helm_values::merge(&mut all, right);
    all
}

/// The directories of the repository that a Git generator lists.
fn directories(entries: &[Value], model: &Model<'_>) -> Vec<Parameters> {
    let globs = |excluded: bool| {
        let one = move |entry: &Value| {
            let exclude = at(entry, &["exclude"]) == Some(&Value::Bool(true));
            let path = text_at(entry, &["path"])?.trim_start_matches("./").trim_end_matches('/');
            let glob = globset::GlobBuilder::new(path).literal_separator(true).build().ok()?;
            (exclude == excluded).then(|| glob.compile_matcher())
        };
        entries.iter().filter_map(one).collect::<Vec<_>>()
    };
    let (included, excluded) = (globs(false), globs(true));
    let all = model.inventory.directories.iter().filter(|directory| {
        let is = |globs: &[globset::GlobMatcher]| globs.iter().any(|glob| glob.is_match(directory.as_str()));
        !directory.is_root() && is(&included) && !is(&excluded)
    });
    all.map(of_directory).collect()
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
        _ => {
            if let Some(value) = parameters.get(name) {
                return as_text(value);
            }
            let mut keys = name.split('.');
            let first = parameters.get(keys.next()?)?;
            as_text(keys.try_fold(first, |at, key| at.get(key))?)
        }
    }
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
