//! The `helm` program: found, asked for its version, run. A chart is untrusted input, and helm executes its templates, so
//! every run has an empty home, no cluster, no network, a time limit, an output limit, and on Linux limits of memory and
//! processor time (`prlimit`). Values go through standard input, since arguments are seen by everybody on the machine.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

use crate::Failure;

/// What helm may print: far more than any cluster would take.
const OUTPUT_MAX: usize = 64 * 1024 * 1024;

/// What is kept of its complaints.
const ERROR_MAX: usize = 64 * 1024;

/// The longest complaint in a message.
const REASON_MAX: usize = 1500;

/// Address space of one run. Go reserves far more than it uses.
const MEMORY_MAX: u64 = 8 << 30;

/// Nothing listens there: what tries to go through this proxy goes nowhere.
const CLOSED: &str = "http://127.0.0.1:9";

/// A helm that can be used.
#[derive(Debug)]
pub(crate) struct Helm {
    program: PathBuf,
    /// As it says, `v3.22.0`: part of the render cache's key, and of nothing else.
    version: String,
    /// Since 3.16.
    skips_schema: bool,
    prlimit: Option<PathBuf>,
    limit: Duration,
    /// Its caches and configuration; empty, and gone with it.
    home: tempfile::TempDir,
}

/// One render.
#[derive(Clone, Debug)]
pub(crate) struct Template<'a> {
    /// The chart's directory.
    pub(crate) chart: &'a Path,
    pub(crate) release: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) kubernetes: &'a str,
    pub(crate) api_versions: Vec<&'a str>,
    /// Values files in the chart, before `values`.
    pub(crate) files: Vec<PathBuf>,
    /// JSON.
    pub(crate) values: &'a str,
    /// The chart's `values.schema.json` decides, too. It has to stand for itself.
    pub(crate) validates: bool,
}

impl Helm {
    /// The program: `given`, or the first on the `path` variable. Relative directories there are passed over: the
    /// repository that is looked at may hold a `helm` of its own.
    pub(crate) fn find(given: Option<&Path>, path: Option<&OsStr>) -> Result<PathBuf, Failure> {
        match given {
            Some(given) => Ok(given.to_owned()),
            None => on_path("helm", path).ok_or(Failure::NoHelm),
        }
    }

    /// Asks the program for its version.
    pub(crate) async fn start(
        program: PathBuf,
        limit: Duration,
        path: Option<&OsStr>,
    ) -> Result<Self, Failure> {
        let home = tempfile::Builder::new()
            .prefix("pullthru-helm-")
            .tempdir()
            .map_err(|error| Failure::system("making a home for helm", &error))?;
        let prlimit = if cfg!(target_os = "linux") { on_path("prlimit", path) } else { None };
        let mut helm = Self { program, version: String::new(), skips_schema: false, prlimit, limit, home };
        let arguments = ["version", "--template", "{{.Version}}"].map(OsString::from);
        let wrong = |reason: String| Failure::Helm { program: helm.program.clone(), reason };
        let text = match helm.run(&arguments, "").await {
            Ok(text) => text,
            Err(Failure::Template { reason }) => return Err(wrong(reason)),
            Err(failure @ Failure::Timeout { .. }) => return Err(wrong(failure.to_string())),
            Err(failure) => return Err(failure),
        };
        let version = text.trim();
        let numbers = major_and_minor(version)
            .ok_or_else(|| wrong(format!("it answers `{}` for its version", cut(version, 80))))?;
        if !matches!(numbers.0, 3 | 4) {
            return Err(wrong(format!("it is version {version}")));
        }
        helm.version = version.to_owned();
        helm.skips_schema = numbers >= (3, 16);
        Ok(helm)
    }

    pub(crate) fn version(&self) -> &str {
        &self.version
    }

    /// Does it know `--skip-schema-validation`? Without, schemas must be taken out of a chart: they may name others by URL.
    pub(crate) fn skips_schema(&self) -> bool {
        self.skips_schema
    }

    /// `helm template`: all documents, hooks and tests among them.
    pub(crate) async fn template(&self, template: &Template<'_>) -> Result<String, Failure> {
        self.run(&self.arguments(template), template.values).await
    }

    fn arguments(&self, template: &Template<'_>) -> Vec<OsString> {
        let mut all: Vec<OsString> = vec!["template".into()];
        all.push(format!("--namespace={}", template.namespace).into());
        // A helm without a release's build settings takes the cluster for 1.20, and many charts refuse that.
        all.push(format!("--kube-version={}", template.kubernetes).into());
        all.extend(template.api_versions.iter().map(|version| format!("--api-versions={version}").into()));
        if self.skips_schema && !template.validates {
            all.push("--skip-schema-validation".into());
        }
        for file in &template.files {
            all.push("--values".into());
            all.push(file.into());
        }
        all.push("--values=-".into());
        // What follows is no option, whatever it begins with.
        all.push("--".into());
        all.push(template.release.into());
        all.push(template.chart.into());
        all
    }

    async fn run(&self, arguments: &[OsString], input: &str) -> Result<String, Failure> {
        let mut command = self.command();
        command.args(arguments);
        let failed = |error: std::io::Error| Failure::system("running helm", &error);
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(Failure::NoHelm),
            Err(error) => return Err(failed(error)),
        };
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let feed = async {
            if let Some(mut stdin) = stdin {
                // It may end without having read everything.
                let _ = stdin.write_all(input.as_bytes()).await;
            }
        };
        let work = async {
            let ((), printed, complaint) =
                tokio::join!(feed, read(stdout, OUTPUT_MAX), read(stderr, ERROR_MAX));
            let (printed, is_cut) = printed.map_err(failed)?;
            if is_cut {
                return Err(Failure::Output { limit: OUTPUT_MAX });
            }
            let status = child.wait().await.map_err(failed)?;
            if status.success() {
                return Ok(String::from_utf8_lossy(&printed).into_owned());
            }
            let complaint = complaint.map(|(bytes, _)| bytes).unwrap_or_default();
            Err(self.failure(status, &String::from_utf8_lossy(&complaint)))
        };
        // Dropped unfinished, the child is killed.
        tokio::time::timeout(self.limit, work).await.unwrap_or(Err(Failure::Timeout { limit: self.limit }))
    }

    fn command(&self) -> Command {
        let mut command = match &self.prlimit {
            Some(prlimit) => {
                let mut command = Command::new(prlimit);
                // More than one thread may work for the whole time.
                let seconds = self.limit.as_secs().max(1) * 4;
                command.arg(format!("--as={MEMORY_MAX}")).arg(format!("--cpu={seconds}")).arg("--core=0");
                command.arg(&self.program);
                command
            }
            None => Command::new(&self.program),
        };
        let home = self.home.path();
        command
            .env_clear()
            .current_dir(home)
            .env("HOME", home)
            .env("TMPDIR", home)
            .env("HELM_CACHE_HOME", home.join("cache"))
            .env("HELM_CONFIG_HOME", home.join("config"))
            .env("HELM_DATA_HOME", home.join("data"))
            .env("HELM_PLUGINS", home.join("plugins"))
            .env("HTTP_PROXY", CLOSED)
            .env("HTTPS_PROXY", CLOSED)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        // Without them nothing starts on Windows.
        for name in ["SYSTEMROOT", "SystemRoot"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
    }

    fn failure(&self, status: std::process::ExitStatus, complaint: &str) -> Failure {
        if is_out_of_time(status) {
            return Failure::Timeout { limit: self.limit };
        }
        let complaint = complaint.trim();
        // Warnings come before it; the last is what it ended with.
        let text = complaint.rsplit_once("Error: ").map_or(complaint, |(_, text)| text);
        let text = match text.split_once("\n\nUse --debug flag") {
            Some((text, _)) => text,
            None => text,
        };
        let reason = match text.trim() {
            "" => format!("it ended with {status} and said nothing"),
            text => cut(text, REASON_MAX),
        };
        Failure::Template { reason }
    }
}

/// Was it stopped by its limit of processor time?
#[cfg(unix)]
fn is_out_of_time(status: std::process::ExitStatus) -> bool {
    use std::os::unix::process::ExitStatusExt as _;
    // SIGXCPU.
    status.signal() == Some(24)
}

#[cfg(not(unix))]
fn is_out_of_time(_: std::process::ExitStatus) -> bool {
    false
}

/// The first program of that name in an absolute directory of the variable.
fn on_path(name: &str, path: Option<&OsStr>) -> Option<PathBuf> {
    std::env::split_paths(path?)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(name).with_extension(std::env::consts::EXE_EXTENSION))
        .find(|program| is_program(program))
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file()
}

/// `v3.22.0`, `v3.22`, `v4.0.0-rc.1`.
fn major_and_minor(version: &str) -> Option<(u64, u64)> {
    let mut parts = version.strip_prefix('v')?.split(['.', '-', '+']);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Reads up to `limit`; was there more?
async fn read(from: Option<impl AsyncRead + Unpin>, limit: usize) -> std::io::Result<(Vec<u8>, bool)> {
    let Some(mut from) = from else { return Ok((Vec::new(), false)) };
    let (mut bytes, mut piece) = (Vec::new(), vec![0; 64 * 1024]);
    loop {
        let count = from.read(&mut piece).await?;
        let Some(new) = piece.get(..count).filter(|new| !new.is_empty()) else { return Ok((bytes, false)) };
        let free = limit - bytes.len();
        bytes.extend_from_slice(new.get(..free.min(count)).unwrap_or_default());
        if count > free {
            return Ok((bytes, true));
        }
    }
}

/// The beginning of a text.
fn cut(text: &str, limit: usize) -> String {
    match text.char_indices().nth(limit) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use super::*;

    /// A program that stands for helm. Another process writes it: a child of this one that has it open for writing would
    /// keep it from being run.
    fn program(directory: &Path, name: &str, script: &str) -> PathBuf {
        let path = directory.join(name);
        let write = format!("printf '%s' \"$1\" > '{0}' && chmod 755 '{0}'", path.display());
        let text = format!("#!/bin/sh\n{script}\n");
        let status = std::process::Command::new("sh").args(["-c", &write, "sh", &text]).status().unwrap();
        assert!(status.success());
        path
    }

    async fn started(script: &str, limit: Duration) -> (tempfile::TempDir, Result<Helm, Failure>) {
        let directory = tempfile::tempdir().unwrap();
        let program = program(directory.path(), "helm", script);
        let path = std::env::var_os("PATH");
        let helm = Helm::start(program, limit, path.as_deref()).await;
        (directory, helm)
    }

    const LIMIT: Duration = Duration::from_secs(20);

    /// Answers for its version, and otherwise does what the script says.
    fn helm_that(does: &str) -> String {
        format!("[ \"$1\" = version ] && {{ printf v3.22.0; exit; }}\n{does}")
    }

    async fn rendered(does: &str, values: &str, limit: Duration) -> Result<String, Failure> {
        let (_directory, helm) = started(&helm_that(does), limit).await;
        let template = Template {
            chart: Path::new("/charts/x"),
            release: "-evil",
            namespace: "shop",
            kubernetes: "1.34.0",
            api_versions: vec!["monitoring.coreos.com/v1"],
            files: vec![PathBuf::from("/charts/x/values-a.yaml")],
            values,
            validates: false,
        };
        helm.unwrap().template(&template).await
    }

    #[test]
    fn a_helm_in_the_repository_is_not_run() {
        let directory = tempfile::tempdir().unwrap();
        let one = program(directory.path(), "helm", "");
        fs::create_dir(directory.path().join("empty")).unwrap();
        let all = std::env::join_paths([
            Path::new("."),
            Path::new(""),
            &directory.path().join("empty"),
            directory.path(),
        ]);
        assert_eq!(Helm::find(None, Some(&all.unwrap())), Ok(one));
        for path in [".", "", ".:bin"] {
            assert_eq!(Helm::find(None, Some(OsStr::new(path))), Err(Failure::NoHelm));
        }
        assert_eq!(Helm::find(None, None), Err(Failure::NoHelm));
        assert_eq!(Helm::find(Some(Path::new("bin/helm")), None), Ok(PathBuf::from("bin/helm")));
    }

    #[tokio::test]
    async fn versions_decide_what_is_asked() {
        for (answer, skips_schema) in [
            ("v3.22.0+g1", Some(true)),
            ("v4.3", Some(true)),
            ("v3.15.4", Some(false)),
            ("v2.17.0", None),
            ("what?", None),
        ] {
            let (_directory, helm) = started(&format!("printf '{answer}'"), LIMIT).await;
            assert_eq!(helm.as_ref().ok().map(Helm::skips_schema), skips_schema, "{answer} {helm:?}");
        }
        let (_directory, helm) = started("echo 'Error: broken' >&2; exit 1", LIMIT).await;
        assert!(helm.unwrap_err().to_string().contains("broken"));
        let gone = Helm::start(PathBuf::from("/nowhere/helm"), LIMIT, None).await;
        assert_eq!(gone.unwrap_err(), Failure::NoHelm);
    }

    /// What helm is given: no word of the chart or the release becomes an option, values are no argument, and nothing of
    /// the user's is in its environment.
    #[tokio::test]
    async fn it_sees_nothing_of_the_user() {
        let text = rendered("echo \"$@\"; cat; echo; env", r#"{"password":"hunter2"}"#, LIMIT).await.unwrap();
        let mut lines = text.lines();
        assert_eq!(
            lines.next().unwrap(),
            "template --namespace=shop --kube-version=1.34.0 --api-versions=monitoring.coreos.com/v1 \
             --skip-schema-validation --values /charts/x/values-a.yaml --values=- -- -evil /charts/x"
        );
        assert_eq!(lines.next().unwrap(), r#"{"password":"hunter2"}"#);
        let mut names: Vec<&str> = lines.filter_map(|line| Some(line.split_once('=')?.0)).collect();
        names.retain(|name| !matches!(*name, "PWD" | "_" | "SHLVL" | "OLDPWD"));
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "HELM_CACHE_HOME",
                "HELM_CONFIG_HOME",
                "HELM_DATA_HOME",
                "HELM_PLUGINS",
                "HOME",
                "HTTPS_PROXY",
                "HTTP_PROXY",
                "TMPDIR"
            ]
        );
    }

    #[tokio::test]
    async fn time_and_output_are_limited() {
        let begin = std::time::Instant::now();
        let short = Duration::from_millis(300);
        assert_eq!(rendered("exec /bin/sleep 30", "", short).await, Err(Failure::Timeout { limit: short }));
        let endless = rendered("exec /usr/bin/yes", "", LIMIT).await;
        assert_eq!(endless, Err(Failure::Output { limit: OUTPUT_MAX }));
        assert!(begin.elapsed() < LIMIT);
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn memory_and_processor_time_are_limited() {
        let text = rendered("ulimit -v; ulimit -t; ulimit -c", "", LIMIT).await.unwrap();
        assert_eq!(text, format!("{}\n80\n0\n", MEMORY_MAX / 1024));
    }

    #[tokio::test]
    async fn what_helm_complains_about_is_said() {
        let says = |text: &'static str| async move {
            let does = format!("printf '%s' '{text}' >&2; exit 1");
            rendered(&does, "x", LIMIT).await.unwrap_err().to_string()
        };
        let text = says("WARNING: x\nError: execution error at (a/templates/b.yaml:1:2): set `c`\n\nUse --debug flag to render").await;
        assert_eq!(text, "helm cannot render it: execution error at (a/templates/b.yaml:1:2): set `c`");
        assert!(says("").await.contains("exit status: 1"));
    }
}
