//! Releases, settings and programs of tests.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use pullthru_charts::{Charts, Outcome, Settings};
use pullthru_core::releases::lock::Capabilities;
use pullthru_core::releases::{ChartRef, Release, ReleaseId, ReleaseKind};
use pullthru_core::tree::{Place, Position, RepoPath};
use pullthru_registry::{Client, Credentials};
use registry_sim::Request;
use registry_sim::serve::{Front, Handler, Listener, Reply, Server};
use serde_json::{Map, Value};

/// The repository that these tests are in.
pub(crate) fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

pub(crate) fn path(text: &str) -> RepoPath {
    RepoPath::new(text).unwrap()
}

/// A release of this chart, with these values.
pub(crate) fn release(name: &str, chart: ChartRef, values: Value) -> Release {
    let Value::Object(values) = values else { panic!("no values: {values}") };
    let file = path("apps/release.yaml");
    Release {
        id: ReleaseId {
            root: None,
            kind: ReleaseKind::HelmRelease,
            namespace: Some("shop".to_owned()),
            name: name.to_owned(),
            rendered_by: None,
        },
        place: Place { path: file.clone(), position: Position { line: 1, column: 1 } },
        chart,
        values_files: Vec::new(),
        release_name: name.to_owned(),
        namespace: "shop".to_owned(),
        values,
        layers: Vec::new(),
        own_values: None,
        kubernetes_version: None,
        api_versions: BTreeSet::new(),
        post_renderers: Vec::new(),
        has_post_renderers: false,
        local_chart: None,
        inputs: BTreeSet::from([file]),
        variables: BTreeSet::new(),
        substitution: pullthru_core::releases::Substitution::default(),
        assumed: Vec::new(),
        unknown: Vec::new(),
        output_namespace: None,
        output_gaps: Vec::new(),
    }
}

/// Kubernetes 1.34.0 with these besides its own.
pub(crate) fn with_api_versions(versions: &[&str]) -> Capabilities {
    let api_versions = versions.iter().map(|&version| version.to_owned()).collect();
    Capabilities { kubernetes_version: pullthru_charts::DEFAULT_KUBERNETES.to_owned(), api_versions }
}

pub(crate) fn no_values() -> Value {
    Value::Object(Map::new())
}

/// Settings with a store of their own.
pub(crate) fn settings(root: &Path, store: &Path) -> Settings {
    Settings { store: store.to_owned(), ..Settings::new(root.to_owned(), PathBuf::new()) }
}

/// Charts whose client may ask these hosts besides those of the internet, and none but them in these tests.
pub(crate) fn charts_of(settings: Settings, hosts: &[&str], credentials: Credentials) -> Charts {
    let quick = pullthru_registry::Settings {
        named: hosts.iter().map(|host| (*host).to_owned()).collect(),
        retries: pullthru_registry::Retries {
            attempts: 2,
            base: std::time::Duration::from_millis(1),
            ..Default::default()
        },
        ..pullthru_registry::Settings::default()
    };
    Charts::new(settings, Client::new(quick, credentials).unwrap()).unwrap()
}

/// Charts that ask nobody.
pub(crate) fn charts(settings: Settings) -> Charts {
    charts_of(settings, &[], Credentials::none())
}

/// An archive of a chart with these files.
pub(crate) fn packed(name: &str, version: &str, files: &[(&str, &str)]) -> Vec<u8> {
    let definition = format!("apiVersion: v2\nname: {name}\nversion: {version}\n");
    let encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut archive = tar::Builder::new(encoder);
    for (path, text) in [("Chart.yaml", definition.as_str())].iter().chain(files) {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, format!("{name}/{path}"), text.as_bytes()).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

/// What answers for a path.
#[derive(Clone)]
pub(crate) enum Answer {
    File(Vec<u8>),
    Redirect(String),
}

/// A plain HTTP server on loopback, as chart repositories are.
pub(crate) struct Files {
    pub(crate) host: String,
    answers: Arc<Mutex<BTreeMap<String, Answer>>>,
    requests: Arc<Mutex<Vec<Request>>>,
    _server: Server,
}

impl Files {
    /// Serves these paths; with a login, only to who has it.
    pub(crate) fn start(login: Option<(&str, &str)>) -> Self {
        let listener = Listener::bind().unwrap();
        let host = listener.host().to_owned();
        let answers: Arc<Mutex<BTreeMap<String, Answer>>> = Arc::default();
        let requests: Arc<Mutex<Vec<Request>>> = Arc::default();
        let login = login.map(|(user, password)| (user.to_owned(), password.to_owned()));
        let handler: Handler = {
            let (answers, requests) = (Arc::clone(&answers), Arc::clone(&requests));
            Arc::new(move |request| {
                let answer = answers.lock().unwrap().get(&request.path).cloned();
                let refused = login.is_some() && request.basic() != login;
                requests.lock().unwrap().push(request);
                let reply = match answer {
                    _ if refused => Reply::new(401, Vec::new()),
                    Some(Answer::File(bytes)) => Reply::new(200, bytes),
                    Some(Answer::Redirect(to)) => Reply::new(302, Vec::new()).header("Location", to),
                    None => Reply::new(404, "<html>not here</html>".to_owned()),
                };
                Box::pin(std::future::ready(reply))
            })
        };
        let server = Server::start("files", &Arc::new(Front::default()), vec![(listener, handler)]).unwrap();
        Self { host, answers, requests, _server: server }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.host)
    }

    pub(crate) fn put(&self, path: &str, answer: Answer) {
        self.answers.lock().unwrap().insert(path.to_owned(), answer);
    }

    pub(crate) fn file(&self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.put(path, Answer::File(bytes.into()));
    }

    /// The paths that were asked for, in order.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.requests.lock().unwrap().iter().map(|request| request.path.clone()).collect()
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

/// The outcomes, in the order of the releases.
pub(crate) async fn render(charts: &Charts, releases: Vec<Release>) -> Vec<Outcome> {
    let mut outcomes: Vec<Option<Outcome>> = releases.iter().map(|_| None).collect();
    charts.render(releases, |index, outcome| outcomes[index] = Some(outcome)).await;
    outcomes.into_iter().map(Option::unwrap).collect()
}

/// A program that stands for helm: it counts its runs in a file, and prints what the script says.
pub(crate) fn helm(directory: &Path, script: &str) -> PathBuf {
    let (program, runs) = (directory.join("helm"), directory.join("runs"));
    let text = format!(
        "#!/bin/sh\n[ \"$1\" = version ] && {{ printf v3.22.0; exit; }}\necho run >> '{}'\nfor chart; do :; done\n{script}\n",
        runs.display()
    );
    write_program(&program, &text);
    program
}

/// Written by another process: this one forks for other tests, and a child that has the file open for writing keeps it from
/// being run ("Text file busy").
fn write_program(program: &Path, text: &str) {
    let script = "cat > \"$0\" && chmod 755 \"$0\"";
    let mut child = std::process::Command::new("sh")
        .args(["-c", script])
        .arg(program)
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

/// How often [`helm`] has rendered.
pub(crate) fn runs(directory: &Path) -> usize {
    fs::read_to_string(directory.join("runs")).unwrap_or_default().lines().count()
}

/// The real programs, of both generations.
pub(crate) fn real_helms() -> Vec<PathBuf> {
    let found: Vec<PathBuf> =
        ["helm3", "helm4"].iter().map(|name| project().join("target/peers/bin").join(name)).collect();
    for program in &found {
        assert!(program.exists(), "{} is not there: run .ci/peers", program.display());
    }
    found
}
