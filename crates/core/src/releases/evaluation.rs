//! All releases of a repository: those of its own objects ([`Evaluation::of`]), and those of objects that charts render in
//! turn ([`Evaluation::render`]), level by level: an app of apps.
//!
//! An object that a chart renders is evaluated as one in a file: its sources, values files and charts may lie in the
//! repository or come from the same render. It is in the directory and the cluster of the release that renders it. A release
//! that is known already is not counted a second time, and circles of charts end.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::Value;

use super::built::{Built, Deployed};
use super::object::{self, Object, Origin};
use super::rendered_deployers::{self, RenderedDeployers, is_deployer};
use super::sources::Sources;
use super::{
    ChartRef, Gap, LayerKind, Release, ReleaseId, ReleaseKind, Remedy, application_set, argo, cluster,
    has_placeholder, helm_charts, helm_release, k3s, umbrella,
};
use crate::kustomize::Model;
use crate::tree::{Place, Position, RepoPath};

/// Charts that render releases that render releases: more levels than anybody has.
const MAX_DEPTH: usize = 5;

/// Releases that charts may render in one repository. What they print is untrusted.
const MAX_RENDERED: usize = 10_000;

/// The releases of a repository, as far as they are known.
pub struct Evaluation<'e> {
    model: &'e Model<'e>,
    sources: &'e Sources<'e>,
    deployed: Deployed,
    releases: Vec<Release>,
    /// In `releases`.
    by_id: HashMap<ReleaseId, usize>,
    /// In `releases`, by the name of the object.
    by_name: HashMap<(ReleaseKind, String), Vec<usize>>,
    /// The surroundings of objects in files, by their place and the directory that is built.
    surroundings: HashMap<(Place, Option<RepoPath>), Surroundings>,
    /// What was rendered, in this order.
    rendered: Vec<(ReleaseId, RenderedDeployers, Option<&'static str>)>,
    /// The release whose chart renders a release.
    parents: HashMap<ReleaseId, ReleaseId>,
    /// Releases that were read from templates as they are written, and that the chart renders otherwise.
    replaced: BTreeSet<ReleaseId>,
}

/// What an object is deployed with.
#[derive(Clone)]
struct Surroundings {
    git: Option<String>,
    cluster: usize,
    start: usize,
}

/// The releases that one render brings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ReleasesInTurn {
    /// Those that were not known before, sorted.
    pub releases: Vec<Release>,
    /// Objects that deploy something which cannot be evaluated at all: `Application/web`.
    pub unread: BTreeSet<String>,
}

impl<'e> Evaluation<'e> {
    /// The releases of the objects in files, sorted by [`ReleaseId`]. A release that several clusters build from one
    /// directory with the same values is one. Where they differ, each has the directory behind its name in which its cluster
    /// begins: `web@clusters/north`.
    pub fn of(model: &'e Model<'e>, sources: &'e Sources<'e>) -> Evaluation<'e> {
        let deployed = cluster::deployed(model, sources);
        let mut releases: Vec<(Release, RepoPath)> = Vec::new();
        let mut surroundings = HashMap::new();
        for built in &deployed.built {
            let found = read(built, &deployed, sources);
            if found.is_empty() {
                continue;
            }
            let entry = deployed.entry(built).cloned().unwrap_or_else(RepoPath::root);
            releases.extend(found.into_iter().map(|release| (release, entry.clone())));
            let Built { git, cluster, start, .. } = built.clone();
            let key = (built.object.origin.place.clone(), built.root.clone());
            surroundings.entry(key).or_insert(Surroundings { git, cluster, start });
        }
        let local = |(release, _): &(Release, RepoPath)| match &release.chart {
            ChartRef::Local(directory) => Some(directory.clone()),
            _ => None,
        };
        let charts: BTreeSet<RepoPath> = releases.iter().filter_map(local).collect();
        let umbrella = umbrella::all(model, sources, &charts);
        releases.extend(umbrella.into_iter().map(|release| (release, RepoPath::root())));
        let mut evaluation = Evaluation {
            model,
            sources,
            deployed,
            releases: Vec::new(),
            by_id: HashMap::new(),
            by_name: HashMap::new(),
            surroundings,
            rendered: Vec::new(),
            parents: HashMap::new(),
            replaced: BTreeSet::new(),
        };
        distinct(releases).into_iter().for_each(|release| evaluation.push(release));
        evaluation
    }

    pub fn model(&self) -> &'e Model<'e> {
        self.model
    }

    /// Those that were found so far.
    pub fn releases(&self) -> &[Release] {
        &self.releases
    }

    /// Leaves all others out.
    pub fn retain(&mut self, keeps: impl Fn(&Release) -> bool) {
        let releases = std::mem::take(&mut self.releases);
        self.by_id.clear();
        self.by_name.clear();
        releases.into_iter().filter(|release| keeps(release)).for_each(|release| self.push(release));
    }

    /// Those that were found so far, sorted, without those that a render has replaced.
    pub fn into_releases(mut self) -> Vec<Release> {
        self.releases.retain(|release| !self.replaced.contains(&release.id));
        self.releases.sort_by(|a, b| a.id.cmp(&b.id));
        self.releases
    }

    /// The same, of an evaluation that is used further.
    pub fn all(&self) -> Vec<Release> {
        let current = self.releases.iter().filter(|release| !self.replaced.contains(&release.id));
        let mut all: Vec<Release> = current.cloned().collect();
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all
    }

    /// Was it read from a template of a chart as it is written there, and the chart renders it otherwise?
    pub fn is_replaced(&self, id: &ReleaseId) -> bool {
        self.replaced.contains(id)
    }

    /// Renders releases from elsewhere than their objects say.
    pub fn set_charts(&mut self, chart: impl Fn(&Release) -> Option<ChartRef>) {
        for release in &mut self.releases {
            if let Some(chart) = chart(release) {
                release.chart = chart;
            }
        }
    }

    /// The same renders over other texts of the files.
    pub fn with_sources<'o>(&self, sources: &'o Sources<'o>) -> Evaluation<'o>
    where
        'e: 'o,
    {
        let mut evaluation = Evaluation::of(self.model, sources);
        for (parent, deployers, doubt) in &self.rendered {
            let parent = evaluation.by_id.get(parent).and_then(|at| evaluation.releases.get(*at)).cloned();
            if let Some(parent) = parent {
                evaluation.render(&parent, deployers, *doubt);
            }
        }
        evaluation
    }

    /// Takes in what the chart of a release renders. `doubt` says why it may not be what is deployed.
    pub fn render(
        &mut self,
        parent: &Release,
        deployers: &RenderedDeployers,
        doubt: Option<&'static str>,
    ) -> ReleasesInTurn {
        let mut found = ReleasesInTurn::default();
        if deployers.is_empty() {
            return found;
        }
        self.rendered.push((parent.id.clone(), deployers.clone(), doubt));
        let built: Vec<Result<Built, String>> =
            deployers.objects().iter().map(|object| self.built(parent, object)).collect();
        for object in built.iter().flatten() {
            self.deployed.push(object.clone());
        }
        let mut releases = Vec::new();
        for one in built {
            let built = match one {
                Ok(built) if is_deployer(&built.object.value) => built,
                Ok(_) => continue,
                Err(name) => {
                    found.unread.insert(name);
                    continue;
                }
            };
            let all = self.read_rendered(&built);
            if all.is_empty() && !argo::is_of_directories(&built.object, self.sources) {
                found.unread.insert(rendered_deployers::name(&built.object.value));
            }
            releases.extend(all);
        }
        let mut ids: BTreeMap<ReleaseId, usize> = BTreeMap::new();
        for mut release in releases {
            if self.parents.len() >= MAX_RENDERED {
                found.unread.insert(format!("{}/{}", release.id.kind.as_str(), release.id.name));
                continue;
            }
            finish(&mut release, parent);
            let count = ids.entry(release.id.clone()).or_insert(0);
            *count += 1;
            if *count > 1 {
                release.id.name = format!("{}#{count}", release.id.name);
            }
            if !self.is_known(&release, parent) {
                let doubt = doubt.map(|reason| (reason.to_owned(), Remedy::RenderParent));
                let reasons = doubt.into_iter().chain(self.end_of_chain(&release, parent));
                let place = || parent.place.clone();
                release.unknown.extend(parent.output_gaps.iter().cloned());
                let gaps = reasons.map(|(reason, remedy)| Gap { place: place(), reason, remedy });
                release.unknown.extend(gaps);
                self.parents.insert(release.id.clone(), parent.id.clone());
                self.push(release.clone());
                found.releases.push(release);
            }
        }
        found.releases.sort_by(|a, b| a.id.cmp(&b.id));
        found
    }

    fn push(&mut self, release: Release) {
        let at = self.releases.len();
        self.by_id.insert(release.id.clone(), at);
        self.by_name.entry((release.id.kind, object_name(&release.id).to_owned())).or_default().push(at);
        self.releases.push(release);
    }

    /// An object of a render as the cluster is given it; its name where it is not known.
    fn built(&self, parent: &Release, object: &Value) -> Result<Built, String> {
        if !object.is_object() {
            return Err(rendered_deployers::name(object));
        }
        let mut value = object.clone();
        if let Some(Value::Object(metadata)) = value.get_mut("metadata") {
            match &parent.output_namespace {
                Some(namespace) => {
                    metadata.insert("namespace".to_owned(), Value::String(namespace.clone()));
                }
                // helm and the controllers deploy it into the namespace of the release.
                None => {
                    let own = Value::String(parent.namespace.clone());
                    metadata.entry("namespace").or_insert(own);
                }
            }
        }
        let mut built = Object::new(value, Origin::rendered(parent.place.clone()));
        built.inputs.extend(parent.inputs.iter().cloned());
        built.variables.clone_from(&parent.variables);
        let Surroundings { git, cluster, start } = self.surroundings(parent);
        Ok(Built { object: built, root: parent.id.root.clone(), git, cluster, start })
    }

    /// Those of the object in a file from which all began.
    fn surroundings(&self, release: &Release) -> Surroundings {
        let known = self.surroundings.get(&(release.place.clone(), release.id.root.clone()));
        let alone = Surroundings { git: None, cluster: usize::MAX, start: usize::MAX };
        known.cloned().unwrap_or(alone)
    }

    fn read_rendered(&self, built: &Built) -> Vec<Release> {
        if built.object.kind() != "ApplicationSet" {
            return read(built, &self.deployed, self.sources);
        }
        let applications = application_set::applications(&built.object, self.model, self.sources);
        let all = applications.into_iter().flat_map(|object| {
            let built = Built { object, ..built.clone() };
            read(&built, &self.deployed, self.sources)
        });
        all.collect()
    }

    /// Why the chart of a release is not rendered, although it could be: charts that render each other have no end.
    fn end_of_chain(&self, release: &Release, parent: &Release) -> Option<(String, Remedy)> {
        let ancestors: Vec<&Release> = self.ancestors(parent).collect();
        let is_same = |one: &&&Release| {
            one.chart == release.chart
                && one.values == release.values
                && one.values_files == release.values_files
        };
        if let Some(same) = ancestors.iter().find(is_same) {
            let reason = format!(
                "{} has the same chart and values, and renders it: a circle, which is not followed",
                same.id
            );
            return Some((reason, Remedy::Circle));
        }
        (ancestors.len() > MAX_DEPTH).then(|| {
            let reason = format!(
                "charts that render releases are followed {MAX_DEPTH} levels deep, and this release is deeper"
            );
            (reason, Remedy::Depth)
        })
    }

    /// A release and those whose charts render it.
    pub fn ancestors<'a>(&'a self, release: &'a Release) -> impl Iterator<Item = &'a Release> {
        std::iter::successors(Some(release), |at| {
            let parent = self.parents.get(&at.id)?;
            self.releases.get(*self.by_id.get(parent)?)
        })
    }

    /// Is it a release that is known already? One that a template of the chart holds as it is written there is known only
    /// where it is the same; else the render takes its place.
    fn is_known(&mut self, release: &Release, parent: &Release) -> bool {
        let key = (release.id.kind, object_name(&release.id).to_owned());
        let named = self.by_name.get(&key).into_iter().flatten().filter_map(|at| self.releases.get(*at));
        let chart = match &parent.chart {
            ChartRef::Local(directory) => directory.join("templates"),
            _ => None,
        };
        let mut replaced = Vec::new();
        for known in named {
            let is_in_file = known.id.rendered_by.is_none();
            // Another directory that is built is another cluster, as far as anybody can see.
            let is_loose = is_in_file && (known.id.root.is_none() || release.id.root.is_none());
            let is_there = (known.id.root == release.id.root || is_loose)
                && (known.id.namespace.is_none() || known.id.namespace == release.id.namespace);
            if is_there && is_same(known, release) && !self.replaced.contains(&known.id) {
                return true;
            }
            if is_in_file && chart.as_ref().is_some_and(|chart| known.place.path.is_within(chart)) {
                replaced.push(known.id.clone());
            }
        }
        self.replaced.extend(replaced);
        false
    }
}

/// The releases of one object.
fn read(built: &Built, deployed: &Deployed, sources: &Sources<'_>) -> Vec<Release> {
    match built.object.kind() {
        "HelmRelease" => helm_release::read(built, deployed, sources).into_iter().collect(),
        "HelmChart" if built.object.group() == "helm.cattle.io" => {
            k3s::read(built, deployed, sources).into_iter().collect()
        }
        "Application" => argo::read(built, sources),
        object::HELM_CHARTS => helm_charts::read(built, sources).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// The name of the object, without what tells several releases of one name apart.
fn object_name(id: &ReleaseId) -> &str {
    id.name.split('@').next().unwrap_or_default()
}

/// What is true of every release that a chart renders.
fn finish(release: &mut Release, parent: &Release) {
    release.id.rendered_by = Some(format!("{} {}", parent.id.kind.as_str(), parent.id));
    // No file holds its values, unless they are in files that it names.
    release.own_values = None;
    for layer in release.layers.iter_mut().filter(|layer| object::is_rendered(&layer.holder)) {
        layer.kind = LayerKind::Rendered;
    }
    let at_start = Place { path: parent.place.path.clone(), position: Position::START };
    for gap in release.unknown.iter_mut().chain(&mut release.assumed).filter(|gap| gap.place == at_start) {
        gap.place = parent.place.clone();
    }
    release.assumed.extend(parent.assumed.iter().cloned());
    settle(release);
}

/// Says of a release what its values show.
fn settle(release: &mut Release) {
    let values = Value::Object(release.values.clone()).to_string();
    if release.assumed.is_empty() && has_placeholder(&values) {
        let reason = "values are encrypted: a placeholder stands for each".to_owned();
        release.assumed.push(Gap::new(release.place.clone(), reason));
    }
    for gaps in [&mut release.unknown, &mut release.assumed] {
        gaps.sort();
        gaps.dedup();
    }
}

/// Sorts, and gives each release an id of its own.
fn distinct(releases: Vec<(Release, RepoPath)>) -> Vec<Release> {
    let mut by_id: BTreeMap<ReleaseId, Vec<(Release, RepoPath)>> = BTreeMap::new();
    for (mut release, entry) in releases {
        settle(&mut release);
        let same_id = by_id.entry(release.id.clone()).or_default();
        match same_id.iter_mut().find(|(known, _)| is_same(known, &release)) {
            Some((known, _)) => known.inputs.extend(release.inputs),
            None => same_id.push((release, entry)),
        }
    }
    let mut all = Vec::new();
    for mut same_id in by_id.into_values() {
        if same_id.len() > 1 {
            same_id.sort_by(|(a, a_entry), (b, b_entry)| (a_entry, &a.place).cmp(&(b_entry, &b.place)));
            let mut taken: BTreeMap<String, usize> = BTreeMap::new();
            for (release, entry) in &mut same_id {
                let name = format!("{}@{entry}", release.id.name);
                let count = taken.entry(name.clone()).or_insert(0);
                *count += 1;
                release.id.name = if *count == 1 { name } else { format!("{name}#{count}") };
            }
        }
        all.extend(same_id.into_iter().map(|(release, _)| release));
    }
    all.sort_by(|a: &Release, b| a.id.cmp(&b.id));
    all
}

/// Would helm be asked the same?
fn is_same(a: &Release, b: &Release) -> bool {
    a.chart == b.chart
        && a.values == b.values
        && a.values_files == b.values_files
        && (&a.release_name, &a.namespace) == (&b.release_name, &b.namespace)
        && a.post_renderers == b.post_renderers
        && a.local_chart == b.local_chart
        && a.unknown == b.unknown
}
