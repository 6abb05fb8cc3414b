//! The objects that leave a kustomization, layer by layer, as kustomize builds them.
//!
//! Resources and bases first, then components, generators and transformers (kustomize, `api/internal/target/kusttarget.go`,
//! `configureBuiltinTransformers`). Only the kinds that releases are made of are built. What is not evaluated (replacements,
//! transformers of one's own) is a gap of each object that it may change.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::{Value, json};

use super::generate;
use super::object::{HELM_CHARTS, Object, Origin};
use super::patch::{Change, Patch, Selector};
use super::sources::{Entry, Sources, documents_of};
use super::transform::{Transforms, transform};
use super::value::{at, list_at, map_at, text_at};
use crate::inventory::MAX_LAYERS;
use crate::kustomization::{image_entries, is_remote};
use crate::kustomize::Graph;
use crate::tree::RepoPath;
use crate::yaml::{FieldPath, Holder};

/// Builds directories; a lower layer is built once.
pub(super) struct Builder<'b> {
    graph: &'b Graph<'b>,
    sources: &'b Sources<'b>,
    known: HashMap<RepoPath, Arc<Vec<Object>>>,
    /// Directories that are being built.
    open: BTreeSet<RepoPath>,
    /// Directories that were built, by themselves or for another.
    built: BTreeSet<RepoPath>,
    /// Files of patches.
    used: RefCell<BTreeSet<RepoPath>>,
}

impl<'b> Builder<'b> {
    pub(super) fn new(graph: &'b Graph<'b>, sources: &'b Sources<'b>) -> Builder<'b> {
        Builder {
            graph,
            sources,
            known: HashMap::new(),
            open: BTreeSet::new(),
            built: BTreeSet::new(),
            used: RefCell::default(),
        }
    }

    /// Was this directory a part of what was built?
    pub(super) fn was_built(&self, directory: &RepoPath) -> bool {
        self.built.contains(directory)
    }

    /// Is this the file of a patch? What it holds is a part of an object.
    pub(super) fn is_used(&self, file: &RepoPath) -> bool {
        self.used.borrow().contains(file)
    }

    pub(super) fn has_kustomization(&self, directory: &RepoPath) -> bool {
        self.graph.at(directory).is_some()
    }

    /// What kustomize makes of a directory. Flux makes a kustomization for one that has none.
    pub(super) fn build(&mut self, directory: &RepoPath, transforms: &Transforms) -> Vec<Object> {
        let mut objects = Vec::new();
        if self.has_kustomization(directory) {
            self.accumulate(directory, &mut objects, Some(transforms));
            return objects;
        }
        self.generated(directory, &mut objects, 0);
        for component in &transforms.components {
            self.accumulate(component, &mut objects, None);
        }
        transform(&mut objects, transforms, self.sources);
        objects
    }

    /// The manifests of a directory without kustomization, and of those below it when `recurse`.
    pub(super) fn plain(&self, directory: &RepoPath, recurse: bool) -> Vec<Object> {
        let mut objects = Vec::new();
        let mut open = vec![(directory.clone(), 0)];
        while let Some((directory, depth)) = open.pop() {
            for entry in self.sources.entries(&directory).iter() {
                match entry {
                    Entry::File(path) if is_manifest(path) => {
                        objects.extend(self.sources.objects(path).iter().cloned());
                    }
                    Entry::Directory(below) if recurse && depth < MAX_LAYERS => {
                        open.push((below.clone(), depth + 1));
                    }
                    _ => {}
                }
            }
        }
        objects
    }

    fn generated(&mut self, directory: &RepoPath, objects: &mut Vec<Object>, depth: usize) {
        for entry in self.sources.entries(directory).iter() {
            match entry {
                Entry::File(path) if is_manifest(path) => {
                    objects.extend(self.sources.objects(path).iter().cloned());
                }
                Entry::Directory(below) if self.has_kustomization(below) => {
                    let component = self.graph.at(below).is_some_and(|(_, below)| below.component);
                    if !component {
                        objects.extend(self.lower(below).iter().cloned());
                    }
                }
                Entry::Directory(below) if depth < MAX_LAYERS => self.generated(below, objects, depth + 1),
                _ => {}
            }
        }
    }

    fn lower(&mut self, directory: &RepoPath) -> Arc<Vec<Object>> {
        if let Some(known) = self.known.get(directory) {
            return known.clone();
        }
        let mut objects = Vec::new();
        self.accumulate(directory, &mut objects, None);
        let objects = Arc::new(objects);
        self.known.insert(directory.clone(), objects.clone());
        objects
    }

    /// Adds what a kustomization draws from and makes, and transforms everything that is there by then: for a component that
    /// is what those that list it have gathered, too.
    fn accumulate(
        &mut self,
        directory: &RepoPath,
        objects: &mut Vec<Object>,
        transforms: Option<&Transforms>,
    ) {
        let Some((path, _)) = self.graph.at(directory) else { return };
        if self.open.len() > MAX_LAYERS || !self.open.insert(directory.clone()) {
            return;
        }
        self.built.insert(directory.clone());
        if let Some(kustomization) = self.sources.kustomization(path) {
            self.layer(directory, path, &kustomization, objects, transforms);
        }
        for object in objects {
            object.inputs.insert(path.clone());
        }
        self.open.remove(directory);
    }

    fn layer(
        &mut self,
        directory: &RepoPath,
        path: &RepoPath,
        kustomization: &Value,
        objects: &mut Vec<Object>,
        transforms: Option<&Transforms>,
    ) {
        let listed = |key: &'static str| list_at(kustomization, &[key]).iter().filter_map(Value::as_str);
        for to in listed("resources").chain(listed("bases")).filter(|to| !is_remote(to)) {
            let Some(target) = directory.join(to) else { continue };
            if self.has_kustomization(&target) {
                objects.extend(self.lower(&target).iter().cloned());
            } else {
                objects.extend(self.sources.objects(&target).iter().cloned());
            }
        }
        for to in listed("components").filter(|to| !is_remote(to)) {
            if let Some(target) = directory.join(to) {
                self.accumulate(&target, objects, None);
            }
        }
        for component in transforms.map(|transforms| transforms.components.as_slice()).unwrap_or_default() {
            self.accumulate(component, objects, None);
        }
        generate::run(self.sources, directory, path, kustomization, objects);
        self.charts(directory, path, kustomization, objects);
        let own = self.own(directory, path, kustomization);
        match transforms {
            // Flux and Argo CD write their fields into the kustomization.
            Some(transforms) => {
                let namespace = transforms.namespace.clone().or(own.namespace.clone());
                let patches = own.patches.iter().chain(&transforms.patches).cloned().collect();
                let images = own.images.iter().chain(&transforms.images).cloned().collect();
                transform(objects, &Transforms { patches, namespace, images, ..own }, self.sources);
                let rest = Transforms {
                    patches: Vec::new(),
                    namespace: None,
                    images: Vec::new(),
                    ..transforms.clone()
                };
                transform(objects, &rest, self.sources);
            }
            None => transform(objects, &own, self.sources),
        }
        let patches = self.patches(directory, path, kustomization, "patchesJson6902");
        if !patches.is_empty() {
            transform(objects, &Transforms { patches, ..Transforms::default() }, self.sources);
        }
        self.doubts(directory, path, kustomization, objects);
    }

    /// `patchesStrategicMerge`: files, or texts.
    fn earlier(&self, directory: &RepoPath, path: &RepoPath, kustomization: &Value) -> Vec<Patch> {
        let mut patches = Vec::new();
        for (number, item) in list_at(kustomization, &["patchesStrategicMerge"]).iter().enumerate() {
            let Some(text) = item.as_str() else { continue };
            let written =
                (path.clone(), Holder::new(0, FieldPath::from(&["patchesStrategicMerge"]).child(number)));
            let (documents, file) = if text.contains('\n') {
                (documents_of(text), None)
            } else {
                let file = directory.join(text);
                let documents = file.as_ref().and_then(|file| self.sources.documents(file));
                (documents.map(|documents| documents.to_vec()), file)
            };
            patches.extend(self.all(None, documents, file, &written));
        }
        patches
    }

    /// `patches` or `patchesJson6902`: files, or texts, with a target or without.
    fn patches(
        &self,
        directory: &RepoPath,
        path: &RepoPath,
        kustomization: &Value,
        field: &str,
    ) -> Vec<Patch> {
        let mut patches = Vec::new();
        for (number, item) in list_at(kustomization, &[field]).iter().enumerate() {
            let written = (path.clone(), Holder::new(0, FieldPath::from(&[field]).child(number)));
            let file = text_at(item, &["path"]).and_then(|path| directory.join(path));
            let documents = match (&file, text_at(item, &["patch"])) {
                (Some(file), _) => self.sources.documents(file).map(|documents| documents.to_vec()),
                (None, text) => documents_of(text.unwrap_or_default()),
            };
            let target =
                at(item, &["target"]).filter(|target| target.as_object().is_some_and(|t| !t.is_empty()));
            patches.extend(self.all(target.map(Selector::of), documents, file, &written));
        }
        patches
    }

    fn all(
        &self,
        target: Option<Selector>,
        documents: Option<Vec<Value>>,
        file: Option<RepoPath>,
        written: &(RepoPath, Holder),
    ) -> Vec<Patch> {
        self.used.borrow_mut().extend(file.clone());
        let changes = documents.map_or_else(|| vec![Change::Unread], |documents| Change::of(&documents));
        let patch =
            |change| Patch { target: target.clone(), change, written: written.clone(), file: file.clone() };
        changes.into_iter().map(patch).collect()
    }

    /// The transformers of a kustomization that are fields.
    fn own(&self, directory: &RepoPath, path: &RepoPath, kustomization: &Value) -> Transforms {
        let text =
            |key: &str| text_at(kustomization, &[key]).filter(|text| !text.is_empty()).map(str::to_owned);
        let map = |key: &str| map_at(kustomization, &[key]).cloned().unwrap_or_default();
        let mut labels = map("commonLabels");
        for entry in list_at(kustomization, &["labels"]) {
            labels.extend(map_at(entry, &["pairs"]).cloned().unwrap_or_default());
        }
        let mut patches = self.earlier(directory, path, kustomization);
        patches.extend(self.patches(directory, path, kustomization, "patches"));
        patches.extend(self.transformer_patches(directory, path, kustomization));
        Transforms {
            patches,
            components: Vec::new(),
            namespace: text("namespace"),
            prefix: text("namePrefix"),
            suffix: text("nameSuffix"),
            labels,
            annotations: map("commonAnnotations"),
            // Of the text as it would be, which the graph does not know.
            images: self.sources.text(path).map(|text| image_entries(&text)).unwrap_or_default(),
        }
    }

    /// Built-in patch transformers among `transformers`.
    fn transformer_patches(
        &self,
        directory: &RepoPath,
        path: &RepoPath,
        kustomization: &Value,
    ) -> Vec<Patch> {
        let mut patches = Vec::new();
        for (transformer, file) in self.transformers(directory, kustomization) {
            if !is_patch_transformer(&transformer) {
                continue;
            }
            let written = match &file {
                Some(file) => (file.clone(), Holder::new(0, &["patch"])),
                None => (path.clone(), Holder::new(0, &["transformers"])),
            };
            let documents = documents_of(text_at(&transformer, &["patch"]).unwrap_or_default());
            let target = at(&transformer, &["target"]).map(Selector::of);
            patches.extend(self.all(target, documents, file.clone(), &written));
        }
        patches
    }

    /// The configurations in `transformers`: files, directories with a kustomization that lists files, and texts.
    fn transformers(&self, directory: &RepoPath, kustomization: &Value) -> Vec<(Value, Option<RepoPath>)> {
        let mut all = Vec::new();
        for item in list_at(kustomization, &["transformers"]).iter().filter_map(Value::as_str) {
            if item.contains('\n') {
                all.extend(documents_of(item).into_iter().flatten().map(|document| (document, None)));
                continue;
            }
            let Some(target) = directory.join(item) else { continue };
            let mut files = vec![target.clone()];
            if let Some((below, _)) = self.graph.at(&target) {
                let documents = self.sources.documents(below);
                let resources = documents.as_ref().and_then(|documents| documents.first());
                let resources = resources.map(|below| list_at(below, &["resources"])).unwrap_or_default();
                files = resources.iter().filter_map(|to| target.join(to.as_str()?)).collect();
            }
            for file in files {
                match self.sources.documents(&file) {
                    Some(documents) => {
                        all.extend(documents.iter().map(|document| (document.clone(), Some(file.clone()))));
                    }
                    None => all.push((json!({"kind": item}), Some(file))),
                }
            }
        }
        all
    }

    /// Entries of `helmCharts`, and of generators that inflate a chart.
    fn charts(
        &self,
        directory: &RepoPath,
        path: &RepoPath,
        kustomization: &Value,
        objects: &mut Vec<Object>,
    ) {
        let home = text_at(kustomization, &["helmGlobals", "chartHome"]).unwrap_or("charts");
        let namespace = at(kustomization, &["namespace"]);
        let mut push = |entry: &Value, path: &RepoPath, holder: Holder| {
            let name = text_at(entry, &["releaseName"]).or_else(|| text_at(entry, &["name"]));
            let value = json!({
                "apiVersion": "v1", "kind": HELM_CHARTS, "entry": entry, "home": home, "directory": directory.as_str(),
                "metadata": {"name": name.unwrap_or_default(), "namespace": at(entry, &["namespace"]).or(namespace)},
                "namespace": at(entry, &["namespace"]).or(namespace),
            });
            let place = self.sources.place(path, &holder);
            objects.push(Object::new(value, Origin { place, holder }));
        };
        for (number, entry) in list_at(kustomization, &["helmCharts"]).iter().enumerate() {
            push(entry, path, Holder::new(0, FieldPath::from(&["helmCharts"]).child(number)));
        }
        for (number, entry) in list_at(kustomization, &["helmChartInflationGenerator"]).iter().enumerate() {
            // The field of kustomize 4.0: other names for the same.
            let mut entry = entry.clone();
            if let Value::Object(map) = &mut entry {
                for (old, new) in [
                    ("chartName", "name"),
                    ("chartRepoUrl", "repo"),
                    ("chartVersion", "version"),
                    ("values", "valuesFile"),
                ] {
                    if let Some(value) = map.remove(old) {
                        map.insert(new.to_owned(), value);
                    }
                }
            }
            push(
                &entry,
                path,
                Holder::new(0, FieldPath::from(&["helmChartInflationGenerator"]).child(number)),
            );
        }
        for item in list_at(kustomization, &["generators"]).iter().filter_map(Value::as_str) {
            let file = if item.contains('\n') { None } else { directory.join(item) };
            let documents = match &file {
                Some(file) => self.sources.documents(file).map(|documents| documents.to_vec()),
                None => documents_of(item),
            };
            for (number, document) in documents.unwrap_or_default().iter().enumerate() {
                if text_at(document, &["kind"]) == Some("HelmChartInflationGenerator") {
                    push(document, file.as_ref().unwrap_or(path), Holder::new(number, FieldPath::default()));
                }
            }
        }
    }

    /// What is not evaluated, as gaps of what it may change.
    fn doubts(&self, directory: &RepoPath, path: &RepoPath, kustomization: &Value, objects: &mut [Object]) {
        for (number, entry) in list_at(kustomization, &["replacements"]).iter().enumerate() {
            let place = || self.sources.place_of(path, FieldPath::from(&["replacements"]).child(number));
            let file = text_at(entry, &["path"]).and_then(|path| directory.join(path));
            let read = file.as_ref().map(|file| self.sources.documents(file));
            let entries: Vec<Value> = match read {
                None => vec![entry.clone()],
                Some(Some(documents)) => documents
                    .iter()
                    .flat_map(|document| match document {
                        Value::Array(list) => list.clone(),
                        one => vec![one.clone()],
                    })
                    .collect(),
                Some(None) => vec![json!({"targets": [{"select": {}}]})],
            };
            for target in entries.iter().flat_map(|entry| list_at(entry, &["targets"])) {
                let select = Selector::of(target.get("select").unwrap_or(&Value::Null));
                let rejected: Vec<Selector> = list_at(target, &["reject"]).iter().map(Selector::of).collect();
                for object in objects.iter_mut().filter(|object| select.matches(object)) {
                    if !rejected.iter().any(|reject| reject.matches(object)) {
                        object.inputs.extend(file.clone());
                        object.doubt(place(), "`replacements` of this object are not evaluated");
                    }
                }
            }
        }
        for (transformer, file) in self.transformers(directory, kustomization) {
            let kind = text_at(&transformer, &["kind"]).unwrap_or_default();
            if is_harmless(kind) || is_patch_transformer(&transformer) {
                continue;
            }
            for object in objects.iter_mut().filter(|object| object.kind() != "ConfigMap") {
                object.inputs.extend(file.clone());
                let place = self.sources.place_of(path, &["transformers"]);
                object.doubt(place, format!("the transformer `{kind}` is not evaluated"));
            }
        }
    }
}

/// Transformers that change no chart and no value.
fn is_harmless(kind: &str) -> bool {
    matches!(
        kind,
        "LabelTransformer"
            | "AnnotationsTransformer"
            | "ImageTagTransformer"
            | "ReplicaCountTransformer"
            | "HashTransformer"
            | "PrefixTransformer"
            | "SuffixTransformer"
            | "PrefixSuffixTransformer"
            | "NamespaceTransformer"
    )
}

fn is_patch_transformer(transformer: &Value) -> bool {
    let kind = text_at(transformer, &["kind"]).unwrap_or_default();
    kind == "PatchTransformer" && text_at(transformer, &["patch"]).is_some()
}

/// The file of a manifest, and not one of a tool.
fn is_manifest(path: &RepoPath) -> bool {
    matches!(path.extension(), Some("yaml" | "yml" | "json"))
}
