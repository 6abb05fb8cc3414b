//! Reverts `overrides`: removes values of releases that put their images behind the cache, where the chart gives the same
//! image without them. Each release that changes is rendered; where anything else would change its values stay.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use pullthru_core::releases::rendered::RenderReader;
use pullthru_core::releases::value_edit::Texts;
use pullthru_core::releases::{Release, ReleaseId, ReleaseKind, Sources};
use pullthru_core::tree::RepoPath;
use pullthru_core::yaml::{FieldPath, Step};
use serde_json::{Map, Value};

use crate::keys::{Base, OverrideError};
use crate::overrides::{EditedTexts, Route, parts};
use crate::render::{Charts, Trial};

/// What is removed.
#[derive(Clone, Debug, Default)]
pub struct RemovalPlan {
    /// Files with their new texts.
    pub files: EditedTexts,
    /// The values, by release.
    pub removed: Vec<RemovedValue>,
}

/// A value that is removed from its file.
#[derive(Clone, Debug, PartialEq)]
pub struct RemovedValue {
    pub release: ReleaseId,
    pub path: RepoPath,
    pub key: FieldPath,
}

/// What is planned with.
pub struct RemovalRequest<'r> {
    /// All releases of the repository, as they are.
    pub before: &'r [Release],
    /// The same with the names of upstreams in place of cached ones, as far as references were mapped back.
    pub reverted: &'r [Release],
    /// Whose values are looked at.
    pub wanted: &'r dyn Fn(&Release) -> bool,
    /// The files, with references mapped back.
    pub sources: &'r Sources<'r>,
    /// The files that may change.
    pub may_write: &'r dyn Fn(&RepoPath) -> bool,
    /// All releases, with more texts over these files.
    pub evaluate: &'r dyn Fn(&EditedTexts) -> Vec<Release>,
    /// The kustomization of a directory that is built.
    pub kustomization: &'r dyn Fn(&RepoPath) -> Option<RepoPath>,
    pub reader: &'r RenderReader,
    /// Hosts of caches.
    pub cache_hosts: &'r [String],
    /// The cached reference of an upstream's image.
    pub route: &'r Route,
}

/// One release with values that may be removed.
struct Entry<'r> {
    release: &'r Release,
    /// In the order in which they are removed.
    keys: Vec<FieldPath>,
    paths: Vec<RepoPath>,
    /// Patches in the kustomization of the root, and the keys that they set.
    patched: Option<(RepoPath, BTreeSet<FieldPath>)>,
}

impl Charts {
    /// Removes the values of the wanted releases that were added for the cache.
    pub async fn plan_removals(&self, request: &RemovalRequest<'_>) -> RemovalPlan {
        let before: BTreeMap<&ReleaseId, &Release> =
            request.before.iter().map(|release| (&release.id, release)).collect();
        let mut entries: Vec<Entry<'_>> = request
            .reverted
            .iter()
            .filter(|release| (request.wanted)(release) && release.unknown.is_empty())
            .filter_map(|release| entry(release, parts(&before, &release.id).first()?, request))
            .collect();
        let mut proved = HashMap::new();
        // Each round takes a release out at least.
        loop {
            let mut texts = texts(request);
            entries.retain_mut(|entry| {
                let keys: Vec<&[Step]> = entry.keys.iter().map(FieldPath::steps).collect();
                entry.paths = texts.remove(entry.release, &keys).unwrap_or_default();
                if let Some((path, keys)) = &entry.patched
                    && texts.remove_patches(entry.release, path, keys).is_ok()
                {
                    entry.paths.push(path.clone());
                }
                !entry.paths.is_empty()
            });
            let after = (request.evaluate)(texts.edited());
            let failed = self.unproved(request, &before, &after, &mut proved).await;
            if failed.is_empty() || entries.is_empty() {
                return finish(entries, &texts);
            }
            let inputs: BTreeSet<&RepoPath> = failed.iter().flat_map(|release| &release.inputs).collect();
            let count = entries.len();
            entries.retain(|entry| !entry.paths.iter().any(|path| inputs.contains(path)));
            if entries.len() == count {
                // What failed has none of their files: nothing says which of them is at fault.
                return RemovalPlan::default();
            }
        }
    }

    /// The releases that would not be the same with the new texts.
    async fn unproved<'r>(
        &self,
        request: &RemovalRequest<'r>,
        before: &BTreeMap<&'r ReleaseId, &'r Release>,
        after: &[Release],
        proved: &mut HashMap<(ReleaseId, String), bool>,
    ) -> Vec<&'r Release> {
        let after: BTreeMap<&ReleaseId, &Release> =
            after.iter().map(|release| (&release.id, release)).collect();
        let mut failed = Vec::new();
        for reverted in request.reverted {
            let before = parts(before, &reverted.id);
            let Some(after) = after.get(&reverted.id).filter(|_| !before.is_empty()) else {
                failed.push(reverted);
                continue;
            };
            if after.values == reverted.values && after.unknown == reverted.unknown {
                continue;
            }
            for before in before {
                let key = (before.id.clone(), Value::Object(after.values.clone()).to_string());
                let is_same = match proved.get(&key) {
                    Some(is_same) => *is_same,
                    None => {
                        let is_same = self.is_same(request, before, reverted, after).await.unwrap_or(false);
                        proved.insert(key, is_same);
                        is_same
                    }
                };
                if !is_same {
                    failed.push(reverted);
                    break;
                }
            }
        }
        failed
    }

    /// Does the chart give the upstreams' images without the values, at least as many as with them, and all else as before?
    async fn is_same(
        &self,
        request: &RemovalRequest<'_>,
        before: &Release,
        reverted: &Release,
        after: &Release,
    ) -> Result<bool, OverrideError> {
        // The file that changes is also what the chart brings.
        let trial = match before.id.kind {
            ReleaseKind::UmbrellaChart => Trial::without_values_file(self, before).await?,
            _ => Trial::new(self, before).await?,
        };
        let cached = trial.render(&before.values).await?;
        let moves_from = async |values: &Map<String, Value>| -> Result<usize, OverrideError> {
            let (first, second) = (trial.render(values).await?, trial.render(values).await?);
            let route = |image: &str| before.substitution.replace(&(request.route)(&before.id, image)?);
            let mut base = Base::new(request.reader, before, &first, &second, route);
            let tree = base.tree_of(request.reader, before, &cached);
            let moved = base.judge(&trial, request.reader, values, &tree).await;
            Ok(moved.map_err(OverrideError::Differs)?.len())
        };
        let without = moves_from(&after.values).await?;
        // Values that were mapped back alone may be no whole images, and fit nothing.
        Ok(without > 0 && without >= moves_from(&reverted.values).await.unwrap_or(0))
    }
}

/// The files without edits.
fn texts<'r>(request: &RemovalRequest<'r>) -> Texts<'r> {
    let of_variable = request.cache_hosts.iter().any(|host| host.contains('$'));
    Texts::new(request.sources, request.may_write).with_quotes(of_variable)
}

/// The values of a release that name the cache, or did, and stand where `overrides` writes them.
fn entry<'r>(reverted: &'r Release, before: &Release, request: &RemovalRequest<'r>) -> Option<Entry<'r>> {
    let mut keys = BTreeSet::new();
    for (key, value) in &before.values {
        collect(value, &mut vec![Step::Key(key.clone())], request.cache_hosts, &mut keys);
    }
    let mut texts = texts(request);
    let mut open: Vec<FieldPath> = keys.into_iter().collect();
    let kustomization = reverted.id.root.as_ref().and_then(|root| (request.kustomization)(root));
    let patched = kustomization.and_then(|path| {
        let keys: BTreeSet<FieldPath> = open.iter().cloned().collect();
        let removed = texts.remove_patches(reverted, &path, &keys).ok()?;
        Some((path, removed.into_iter().collect::<BTreeSet<FieldPath>>()))
    });
    open.retain(|key| patched.as_ref().is_none_or(|(_, keys)| !keys.contains(key)));
    let mut kept = Vec::new();
    // The last key of a mapping first: then the one before it is the last.
    while let Some(at) = open.iter().rposition(|key| texts.remove(reverted, &[key.steps()]).is_ok()) {
        kept.push(open.remove(at));
    }
    (!kept.is_empty() || patched.is_some()).then(|| Entry {
        release: reverted,
        keys: kept,
        paths: Vec::new(),
        patched,
    })
}

/// Keys with a text that names a cache, of a list the key of the list; and what goes with them: `library/`, and Bitnami's
/// `allowInsecureImages`.
fn collect(value: &Value, at: &mut Vec<Step>, hosts: &[String], keys: &mut BTreeSet<FieldPath>) {
    let is_named = |name: &str| matches!(at.last(), Some(Step::Key(last)) if last == name);
    match value {
        Value::Object(map) => below(map, at, hosts, keys),
        Value::Array(_) if names_cache(value, hosts) => _ = keys.insert(FieldPath::from(at.clone())),
        Value::String(text) if text.starts_with("library/") => _ = keys.insert(FieldPath::from(at.clone())),
        Value::String(_) if names_cache(value, hosts) => _ = keys.insert(FieldPath::from(at.clone())),
        Value::Bool(true) if is_named("allowInsecureImages") => {
            _ = keys.insert(FieldPath::from(at.clone()));
        }
        _ => {}
    }
}

fn below(map: &Map<String, Value>, at: &mut Vec<Step>, hosts: &[String], keys: &mut BTreeSet<FieldPath>) {
    for (key, value) in map {
        at.push(Step::Key(key.clone()));
        collect(value, at, hosts, keys);
        at.pop();
    }
}

fn names_cache(value: &Value, hosts: &[String]) -> bool {
    match value {
        Value::String(text) => hosts.iter().any(|host| text.contains(host.as_str())),
        Value::Array(items) => items.iter().any(|item| names_cache(item, hosts)),
        Value::Object(map) => map.values().any(|value| names_cache(value, hosts)),
        _ => false,
    }
}

fn finish(entries: Vec<Entry<'_>>, texts: &Texts<'_>) -> RemovalPlan {
    let removed = entries.into_iter().flat_map(|entry| {
        let release = entry.release.id.clone();
        let of_patches = entry
            .patched
            .into_iter()
            .flat_map(|(path, keys)| keys.into_iter().map(move |key| (key, path.clone())));
        let values = entry.keys.into_iter().zip(entry.paths).chain(of_patches);
        values.map(move |(key, path)| RemovedValue { release: release.clone(), path, key })
    });
    RemovalPlan { removed: removed.collect(), files: texts.edited().clone() }
}
