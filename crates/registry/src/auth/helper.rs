//! Docker's credential helpers: programs named `docker-credential-<name>` that are asked on standard input and
//! answer on standard output (docker docs, "docker login", credential helper protocol).
//!
//! They talk to keychains and to clouds, so they may hang, and what they print may hold a password: there is a
//! time limit, the answer is bounded, and neither output is ever shown. Many are scripts around other programs, so each
//! has a process group of its own, which is ended as a whole.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use super::environment::Variables;
use crate::credential::Credential;
use crate::secret::Secret;

/// The longest answer that is read.
const ANSWER_MAX: u64 = 64 * 1024;

/// Why a helper gave no login.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HelperError {
    #[error("`{0}` is not the name of a credential helper")]
    Name(String),
    #[error("`{0}` is not on the PATH")]
    Missing(String),
    #[error("`{0}` could not be run: {1}")]
    Run(String, std::io::ErrorKind),
    #[error("`{0}` did not answer in {1} s")]
    Slow(String, u64),
    #[error("`{0}` failed")]
    Failed(String),
    #[error("`{0}` did not print a login")]
    Garbage(String),
}

#[derive(Deserialize)]
struct Answer {
    #[serde(rename = "Username", default)]
    user: String,
    #[serde(rename = "Secret", default)]
    secret: String,
}

/// Asks `docker-credential-<name> get` for `server`; `None` when it has no login for it.
pub(super) async fn ask(
    name: &str,
    server: &str,
    variables: &Variables,
    limit: Duration,
) -> Result<Option<Credential>, HelperError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || !name.chars().all(is_plain) {
        return Err(HelperError::Name(pullthru_core::printable::printable(name, 60)));
    }
    let program = format!("docker-credential-{name}");
    let path = find(&program, variables).ok_or_else(|| HelperError::Missing(program.clone()))?;
    match tokio::time::timeout(limit, run(&path, &program, server, variables)).await {
        Ok(result) => result,
        // The child is killed when it is dropped.
        Err(_) => Err(HelperError::Slow(program, limit.as_secs())),
    }
}

async fn run(
    path: &Path,
    program: &str,
    server: &str,
    variables: &Variables,
) -> Result<Option<Credential>, HelperError> {
    let failed = |error: std::io::Error| HelperError::Run(program.to_owned(), error.kind());
    let mut command = Command::new(path);
    command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    if let Some(path) = variables.path("PATH") {
        command.env("PATH", path);
    }
    #[cfg(unix)]
    command.process_group(0);
    let mut child = command.spawn().map_err(failed)?;
    let group = Group(child.id());
    if let Some(mut stdin) = child.stdin.take() {
        // A helper that does not read its question may still answer.
        let _ = stdin.write_all(server.as_bytes()).await;
    }
    let mut output = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(ANSWER_MAX + 1).read_to_end(&mut output).await.map_err(failed)?;
    }
    if output.len() as u64 > ANSWER_MAX {
        return Err(HelperError::Garbage(program.to_owned()));
    }
    let status = child.wait().await.map_err(failed)?;
    // What it leaves to run on purpose, such as an agent that keeps a key open, runs on.
    group.answered();
    if !status.success() {
        // The one failure with a meaning (docker-credential-helpers, `credentials/error.go`).
        let nothing = String::from_utf8_lossy(&output).contains("credentials not found");
        return if nothing { Ok(None) } else { Err(HelperError::Failed(program.to_owned())) };
    }
    let answer: Answer =
        serde_json::from_slice(&output).map_err(|_| HelperError::Garbage(program.to_owned()))?;
    if answer.secret.is_empty() {
        return Ok(None);
    }
    // The name that stands for an identity token (docker CLI, `config/credentials/native_store.go`).
    Ok(Some(if answer.user == "<token>" {
        Credential::Identity(Secret::new(answer.secret))
    } else {
        Credential::Password { user: answer.user, password: Secret::new(answer.secret) }
    }))
}

/// The processes of a helper, which end with the question: one that waits for a program below it would leave that behind.
struct Group(Option<u32>);

impl Group {
    fn answered(mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The helper itself has not been waited for, so that its number is still its own.
        #[cfg(unix)]
        if let Some(leader) =
            self.0.and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw)
        {
            // They may have ended by now.
            let _ = rustix::process::kill_process_group(leader, rustix::process::Signal::KILL);
        }
    }
}

/// The program on the PATH; never one of the working directory, which may be a stranger's repository.
fn find(program: &str, variables: &Variables) -> Option<PathBuf> {
    let path = variables.path("PATH")?;
    std::env::split_paths(&path)
        .filter(|directory| directory.is_absolute())
        .map(|directory| directory.join(program))
        .find(|candidate| candidate.is_file())
}
