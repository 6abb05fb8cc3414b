//! [`Charts`]: releases in, what helm prints for each out. Renders are kept in the store by all that decides about them,
//! helm's version among it, so that the second run starts no program.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use pullthru_core::releases::Release;
use pullthru_core::releases::lock::Capabilities;
use serde_json::{Map, Value, json};
use tokio::sync::{OnceCell, Semaphore};
use tokio::task::JoinSet;

use crate::directory;
use crate::failure::{Failure, blocking};
use crate::fetch::{Chart, Fetch};
use crate::given::Given;
use crate::helm::{Helm, Template};
use crate::remote::Remote;
use crate::schema;
use crate::settings::{Settings, SetupError};
use crate::store::{Store, digest_of};

/// Charts that are fetched at a time; requests to one host are limited by the client.
const FETCHES: usize = 16;

/// A template that prints the merged values. Patterns of `.helmignore` rarely begin with this name; where one takes it, that is
/// noticed.
const VALUES_FILE: &str = "templates/pullthru-values.yaml";
const VALUES_TEMPLATE: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: pullthru-values\n#pullthru-values:{{ .Values | toJson }}\n";
const VALUES_MARK: &str = "#pullthru-values:";

/// What became of a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The chart, where it could be had.
    pub chart: Option<Arc<Chart>>,
    /// What helm printed: documents of YAML, hooks and tests among them.
    pub rendered: Result<String, Failure>,
}

/// The charts of a repository's releases.
#[derive(Clone)]
pub struct Charts {
    inner: Arc<Inner>,
}

struct Inner {
    settings: Arc<Settings>,
    fetch: Fetch,
    helm: OnceCell<Result<Helm, Failure>>,
    fetches: Semaphore,
    workers: Semaphore,
    /// Renders of this run, by their key: two releases may be the same but for their cluster.
    renders: Mutex<HashMap<String, Arc<OnceCell<Option<Failure>>>>>,
}

impl Charts {
    /// Opens the store and lists `--chart-dir`. Nothing is fetched, and no program is started. The charts are fetched as
    /// `client` does it, from addresses of the internet and from hosts that the user has named to it.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn new(settings: Settings, client: pullthru_registry::Client) -> Result<Self, SetupError> {
        let store = Store::open(&settings.store)?;
        let given = Given::read(&settings.chart_dirs)?;
        let processors = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        let workers = Semaphore::new(settings.workers.unwrap_or(processors).max(1));
        let settings = Arc::new(settings);
        let remote = Remote::new(&client, Arc::clone(&settings), store.clone())?;
        let fetch = Fetch::new(Arc::clone(&settings), store, given, remote);
        let (helm, fetches, renders) = (OnceCell::new(), Semaphore::new(FETCHES), Mutex::default());
        Ok(Self { inner: Arc::new(Inner { settings, fetch, helm, fetches, workers, renders }) })
    }

    /// What releases are rendered for where they say nothing.
    pub fn capabilities(&self) -> &Capabilities {
        &self.inner.settings.capabilities
    }

    /// The values that the chart's templates see, merged by helm itself: those of the chart and of the charts in it, and over
    /// them the release's. One render, which is not kept.
    ///
    /// # Errors
    /// [`Failure`], as for a render.
    pub async fn values(&self, release: &Release) -> Result<Value, Failure> {
        let trial = Trial::new(self, release).await?;
        trial.merged_values(&trial.render(&release.values).await?)
    }

    /// Renders the releases, several at a time, and gives each with its index as soon as it is there.
    pub async fn render(&self, releases: Vec<Release>, on: impl FnMut(usize, Outcome)) {
        self.each(releases, |_, outcome| outcome, on).await;
    }

    /// The same, with work on each outcome that is done side by side, too.
    pub(crate) async fn each<T: Send + 'static>(
        &self,
        releases: Vec<Release>,
        work: impl Fn(&Release, Outcome) -> T + Send + Sync + 'static,
        mut on: impl FnMut(usize, T),
    ) {
        let work = Arc::new(work);
        let mut under_way = JoinSet::new();
        for (index, release) in releases.into_iter().enumerate() {
            let (inner, work) = (Arc::clone(&self.inner), Arc::clone(&work));
            under_way.spawn(async move {
                let outcome = inner.release(&release).await;
                (index, work(&release, outcome))
            });
        }
        while let Some(joined) = under_way.join_next().await {
            if let Ok((index, result)) = joined {
                on(index, result);
            }
        }
    }
}

impl Inner {
    async fn release(&self, release: &Release) -> Outcome {
        let failed = |failure| Outcome { chart: None, rendered: Err(failure) };
        if let Some(gap) = release.unknown.first() {
            return failed(Failure::Unknown { reason: gap.reason.clone() });
        }
        let (helm, chart) = match self.helm_and_chart(release).await {
            Ok(both) => both,
            Err(failure) => return failed(failure),
        };
        let rendered = self.render(helm, &chart, release, Variant::default()).await;
        Outcome { chart: Some(chart), rendered }
    }

    /// What a release is rendered with. Nothing is fetched for a helm that is not there.
    async fn helm_and_chart(&self, release: &Release) -> Result<(&Helm, Arc<Chart>), Failure> {
        let helm = self.helm().await?;
        let Ok(_permit) = self.fetches.acquire().await else { return Err(closed()) };
        Ok((helm, self.fetch.chart(&release.chart).await?))
    }

    /// What helm is asked for.
    fn template<'a>(
        &'a self,
        chart: &Chart,
        prepared: &'a Prepared,
        release: &'a Release,
        values: &'a str,
    ) -> Template<'a> {
        let capabilities = &self.settings.capabilities;
        let kubernetes = release.kubernetes_version.as_deref();
        Template {
            chart: prepared.chart(),
            release: &release.release_name,
            namespace: &release.namespace,
            kubernetes: kubernetes.unwrap_or(&capabilities.kubernetes_version),
            api_versions: chart.asks.seen(release, capabilities).into_iter().collect(),
            files: prepared.files.clone(),
            values,
            validates: false,
        }
    }

    async fn helm(&self) -> Result<&Helm, Failure> {
        let start = || async {
            let path = self.settings.path.as_deref();
            let program = Helm::find(self.settings.helm.as_deref(), path)?;
            Helm::start(program, self.settings.helm_timeout, path).await
        };
        self.helm.get_or_init(start).await.as_ref().map_err(Clone::clone)
    }

    async fn render(
        &self,
        helm: &Helm,
        chart: &Chart,
        release: &Release,
        variant: Variant,
    ) -> Result<String, Failure> {
        let capabilities = &self.settings.capabilities;
        let kubernetes = release.kubernetes_version.as_ref().unwrap_or(&capabilities.kubernetes_version);
        let values = json!(release.values).to_string();
        let key = digest_of(
            json!([
                helm.version(),
                chart.digest,
                release.release_name,
                release.namespace,
                kubernetes,
                // What a chart does not ask for does not change its render.
                chart.asks.seen(release, capabilities),
                release.values_files,
                values,
                variant.without_values_file,
                variant.run,
            ])
            .to_string()
            .as_bytes(),
        );
        let store = &self.fetch.store;
        let cell = {
            let mut renders = self.renders.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(renders.entry(key.clone()).or_default())
        };
        let mut text = None;
        let work = async {
            if let Some(kept) = store.render(&key) {
                text = Some(kept);
                return None;
            }
            let Ok(_permit) = self.workers.acquire().await else { return Some(closed()) };
            let prepared = match Prepared::of_variant(helm, chart, release, variant).await {
                Ok(prepared) => prepared,
                Err(failure) => return Some(failure),
            };
            let template = self.template(chart, &prepared, release, &values);
            match helm.template(&template).await {
                Ok(printed) => {
                    store.keep_render(&key, &printed);
                    text = Some(printed);
                    None
                }
                Err(failure) => Some(failure),
            }
        };
        if let Some(failure) = cell.get_or_init(|| work).await {
            return Err(failure.clone());
        }
        text.or_else(|| store.render(&key)).ok_or_else(|| Failure::System {
            what: "reading the store",
            reason: "a render is gone from it".to_owned(),
        })
    }
}

/// Another render of the same release.
#[derive(Clone, Copy, Debug, Default)]
struct Variant {
    /// The chart's `values.yaml` is left out, since the release's values hold what it says.
    without_values_file: bool,
    /// Which of several renders of the same: charts may print another password in each.
    run: u8,
}

/// One release, to be rendered with fewer values than its own. Its renders are kept, so that the second run of this program starts
/// no other.
pub(crate) struct Reduced<'t> {
    inner: &'t Inner,
    helm: &'t Helm,
    chart: Arc<Chart>,
    release: &'t Release,
    without_values_file: bool,
}

impl<'t> Reduced<'t> {
    /// `without_values_file`: the chart's `values.yaml` is left out.
    pub(crate) async fn new(
        charts: &'t Charts,
        release: &'t Release,
        without_values_file: bool,
    ) -> Result<Reduced<'t>, Failure> {
        let inner = charts.inner.as_ref();
        if let Some(gap) = release.unknown.first() {
            return Err(Failure::Unknown { reason: gap.reason.clone() });
        }
        let (helm, chart) = inner.helm_and_chart(release).await?;
        Ok(Reduced { inner, helm, chart, release, without_values_file })
    }

    pub(crate) fn chart_directory(&self) -> &Path {
        &self.chart.directory
    }

    /// The values files of the chart that it is rendered with, where there are some.
    pub(crate) fn values_files(&self) -> Option<&[String]> {
        (!self.without_values_file).then_some(self.release.values_files.as_slice())
    }

    /// The same values rendered with another `run` are rendered once more.
    pub(crate) async fn render(&self, values: Map<String, Value>, run: u8) -> Result<String, Failure> {
        let release = Release { values, ..self.release.clone() };
        let variant = Variant { without_values_file: self.without_values_file, run };
        self.inner.render(self.helm, &self.chart, &release, variant).await
    }
}

/// One release, to be rendered with other values than its own; no render is kept. Its chart has a template more, which prints
/// the merged values.
pub(crate) struct Trial<'t> {
    inner: &'t Inner,
    helm: &'t Helm,
    chart: Arc<Chart>,
    prepared: Prepared,
    release: &'t Release,
    /// The chart has a schema that helm can validate values by, and the release's own values pass.
    validates: bool,
}

impl<'t> Trial<'t> {
    pub(crate) async fn new(charts: &'t Charts, release: &'t Release) -> Result<Trial<'t>, Failure> {
        Trial::of_variant(charts, release, Variant::default()).await
    }

    /// The same without the chart's `values.yaml`: what it says stands in the release's values.
    pub(crate) async fn without_values_file(
        charts: &'t Charts,
        release: &'t Release,
    ) -> Result<Trial<'t>, Failure> {
        Trial::of_variant(charts, release, Variant { without_values_file: true, run: 0 }).await
    }

    async fn of_variant(
        charts: &'t Charts,
        release: &'t Release,
        variant: Variant,
    ) -> Result<Trial<'t>, Failure> {
        let inner = charts.inner.as_ref();
        if let Some(gap) = release.unknown.first() {
            return Err(Failure::Unknown { reason: gap.reason.clone() });
        }
        let (helm, chart) = inner.helm_and_chart(release).await?;
        let mut prepared = Prepared::of_variant(helm, &chart, release, variant).await?;
        prepared.put(&chart, VALUES_FILE, VALUES_TEMPLATE).await?;
        Ok(Trial { inner, helm, chart, prepared, release, validates: false })
    }

    /// The same with another release of the chart.
    pub(crate) async fn with<'o>(
        &self,
        charts: &'o Charts,
        release: &'o Release,
    ) -> Result<Trial<'o>, Failure> {
        Ok(Trial { validates: self.validates, ..Trial::new(charts, release).await? })
    }

    pub(crate) fn release(&self) -> &Release {
        self.release
    }

    pub(crate) fn chart_directory(&self) -> &Path {
        &self.chart.directory
    }

    /// A render by which nothing is decided: the chart's schema is not asked.
    pub(crate) async fn render(&self, values: &Map<String, Value>) -> Result<String, Failure> {
        self.run(values, false).await
    }

    /// A render of what is written: the values have to pass the chart's schema, as they do in the cluster.
    pub(crate) async fn render_valid(&self, values: &Map<String, Value>) -> Result<String, Failure> {
        self.run(values, self.validates).await
    }

    /// The release as it is, twice. Whether its schema can be used is known afterwards.
    pub(crate) async fn render_twice(&mut self) -> Result<(String, String), Failure> {
        let first = self.render(&self.release.values).await?;
        if schema::is_usable(&self.chart.directory)
            && let Ok(second) = self.run(&self.release.values, true).await
        {
            self.validates = true;
            return Ok((first, second));
        }
        let second = self.render(&self.release.values).await?;
        Ok((first, second))
    }

    /// Does the chart's schema decide about values?
    pub(crate) fn validates(&self) -> bool {
        self.validates
    }

    async fn run(&self, values: &Map<String, Value>, validates: bool) -> Result<String, Failure> {
        let Ok(_permit) = self.inner.workers.acquire().await else { return Err(closed()) };
        let values = json!(values).to_string();
        let template = self.inner.template(&self.chart, &self.prepared, self.release, &values);
        self.helm.template(&Template { validates, ..template }).await
    }

    /// The merged values, of a render of this.
    pub(crate) fn merged_values(&self, printed: &str) -> Result<Value, Failure> {
        let line = printed.lines().find_map(|line| line.strip_prefix(VALUES_MARK));
        let unusable = |reason: &str| Failure::Chart {
            chart: format!("`{}`", self.chart.source),
            reason: reason.to_owned(),
        };
        let line =
            line.ok_or_else(|| unusable("its `.helmignore` leaves out a template that is added to it"))?;
        serde_json::from_str(line).map_err(|_| unusable("its values are no JSON"))
    }
}

fn closed() -> Failure {
    Failure::System { what: "rendering", reason: "it was stopped".to_owned() }
}

/// A chart as helm is given it: the one in the store, or a copy where something has to be changed.
struct Prepared {
    directory: PathBuf,
    copy: Option<tempfile::TempDir>,
    files: Vec<PathBuf>,
}

impl Prepared {
    /// `values_files` are files of the chart, the first in the place of its `values.yaml` (Flux's `valuesFiles`).
    async fn new(helm: &Helm, chart: &Chart, values_files: &[String]) -> Result<Self, Failure> {
        let unusable = |reason: String| Failure::Chart { chart: format!("`{}`", chart.source), reason };
        let mut files = Vec::new();
        for name in values_files {
            let path = chart.directory.join(name);
            // Nothing in the store is a link, so that the words decide.
            let inside = Path::new(name)
                .components()
                .all(|part| matches!(part, std::path::Component::Normal(_) | std::path::Component::CurDir));
            if !inside || !path.is_file() {
                return Err(unusable(format!("it has no values file `{name}`")));
            }
            files.push(path);
        }
        let base = (!files.is_empty()).then(|| files.remove(0));
        let base = base.filter(|base| *base != chart.directory.join("values.yaml"));
        let without_schema = !helm.skips_schema();
        let directory = chart.directory.clone();
        if base.is_none() && !without_schema {
            return Ok(Self { directory, copy: None, files });
        }
        let copied = blocking(move || -> Result<tempfile::TempDir, String> {
            let copy = copy_of(&directory)?;
            if let Some(base) = base {
                fs::copy(base, copy.path().join("values.yaml")).map_err(|error| error.to_string())?;
            }
            if without_schema {
                remove_schemas(copy.path()).map_err(|error| error.to_string())?;
            }
            Ok(copy)
        });
        let copy = copied.await?.map_err(unusable)?;
        Ok(Self { directory: chart.directory.clone(), copy: Some(copy), files })
    }

    async fn of_variant(
        helm: &Helm,
        chart: &Chart,
        release: &Release,
        variant: Variant,
    ) -> Result<Self, Failure> {
        let mut prepared = Prepared::new(helm, chart, &release.values_files).await?;
        if variant.without_values_file {
            prepared.put(chart, "values.yaml", "").await?;
        }
        Ok(prepared)
    }

    /// Writes a file of the copy, which is made where there is none.
    async fn put(&mut self, chart: &Chart, path: &'static str, text: &'static str) -> Result<(), Failure> {
        let unusable = |reason: String| Failure::Chart { chart: format!("`{}`", chart.source), reason };
        let (directory, copy) = (self.directory.clone(), self.copy.take());
        let written = blocking(move || -> Result<tempfile::TempDir, String> {
            let copy = match copy {
                Some(copy) => copy,
                None => copy_of(&directory)?,
            };
            let path = copy.path().join(path);
            let above = path.parent().unwrap_or(copy.path());
            fs::create_dir_all(above).map_err(|error| error.to_string())?;
            fs::write(path, text).map_err(|error| error.to_string())?;
            Ok(copy)
        });
        self.copy = Some(written.await?.map_err(unusable)?);
        Ok(())
    }

    fn chart(&self) -> &Path {
        self.copy.as_ref().map_or(&self.directory, tempfile::TempDir::path)
    }
}

fn copy_of(directory: &Path) -> Result<tempfile::TempDir, String> {
    let copy = tempfile::tempdir().map_err(|error| error.to_string())?;
    directory::copy(directory, directory, copy.path()).map_err(|error| error.to_string())?;
    Ok(copy)
}

/// Takes every `values.schema.json` out of a chart: it may name others by URL, and an old helm has no flag to ignore it.
fn remove_schemas(directory: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_schemas(&entry.path())?;
        } else if entry.file_name() == OsStr::new("values.schema.json") {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
