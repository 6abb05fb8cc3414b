//! Emulators of AWS that `.ci/peers aws` has installed: started on a free port of 127.0.0.1, stopped on drop.
//!
//! For tests that are `#[ignore]`d and named `aws_peers_…`; `.ci/run` runs them.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running emulator.
#[derive(Debug)]
pub(crate) struct Peer {
    process: Child,
    port: u16,
    reset: &'static str,
    _directory: tempfile::TempDir,
}

/// ministack (MIT); account 000000000000. `auth`: IAM is enforced and signatures are checked, but for the keys
/// `test`/`test`, which may everything.
pub(crate) fn ministack(auth: bool) -> Peer {
    let port = free_port();
    let mut command = python("ministack");
    command
        .env("BIND_HOST", "127.0.0.1")
        .env("GATEWAY_PORT", port.to_string())
        .env("AUTH", auth.to_string())
        .env("SERVICES", "ecr,iam,secretsmanager,sts,cloudformation")
        // Both would listen on ports of their own, on every address.
        .env("IOT_MTLS_ENABLED", "0")
        .env("SFTP_ENABLED", "0");
    Peer::start(command, port, "/_ministack/health", "/_ministack/reset")
}

/// moto (Apache-2.0); account 123456789012.
pub(crate) fn moto() -> Peer {
    let port = free_port();
    let mut command = python("moto.server");
    command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
    Peer::start(command, port, "/moto-api/", "/moto-api/reset")
}

impl Peer {
    fn start(mut command: Command, port: u16, health: &str, reset: &'static str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let log = std::fs::File::create(directory.path().join("log")).unwrap();
        command.current_dir(directory.path()).env("TMPDIR", directory.path());
        // Nothing of the machine's AWS settings.
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AWS_")) {
            command.env_remove(name);
        }
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let process = command.spawn().unwrap();
        let mut peer = Self { process, port, reset, _directory: directory };
        let start = Instant::now();
        while peer.request("GET", health, "", "").is_none_or(|(status, _)| status != 200) {
            let ended = peer.process.try_wait().unwrap();
            let log = || std::fs::read_to_string(peer._directory.path().join("log")).unwrap_or_default();
            assert!(ended.is_none() && start.elapsed() < Duration::from_secs(60), "{ended:?}: {}", log());
            std::thread::sleep(Duration::from_millis(50));
        }
        peer
    }

    /// `http://127.0.0.1:PORT`, for `AWS_ENDPOINT_URL`.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Empties every account.
    pub(crate) fn reset(&self) {
        let (status, body) = self.request("POST", self.reset, "", "").unwrap();
        assert_eq!(status, 200, "{body}");
    }

    /// Status and body of a request; `headers` end in `\r\n` each. `None` when there is no answer.
    pub(crate) fn request(
        &self,
        method: &str,
        path: &str,
        headers: &str,
        body: &str,
    ) -> Option<(u16, String)> {
        exchange(&format!("127.0.0.1:{}", self.port), method, path, headers, body)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// One request on a connection of its own.
pub(crate) fn exchange(
    host: &str,
    method: &str,
    path: &str,
    headers: &str,
    body: &str,
) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(host).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
    let length = body.len();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{headers}Content-Length: {length}\r\n");
    write!(stream, "{head}Connection: close\r\n\r\n{body}").ok()?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    Some((status, if chunked { joined(body) } else { body.to_owned() }))
}

/// The pieces of a chunked body.
fn joined(body: &str) -> String {
    let (mut out, mut rest) = (String::new(), body);
    while let Some((size, after)) = rest.split_once("\r\n") {
        let Ok(size) = usize::from_str_radix(size.trim(), 16) else { break };
        let Some(piece) = after.get(..size).filter(|piece| !piece.is_empty()) else { break };
        out.push_str(piece);
        rest = after.get(size + 2..).unwrap_or_default();
    }
    out
}

/// A module of the environment that `.ci/peers aws` makes. Not its scripts: they hold the path that it was made at.
fn python(module: &str) -> Command {
    // The project, from the crate that uses this file.
    let mut above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let project = above.find(|directory| directory.join("testdata").is_dir()).unwrap();
    let python = project.join("target/peers/aws/bin/python");
    assert!(python.exists(), "{} is missing: `.ci/peers aws` makes it", python.display());
    let mut command = Command::new(python);
    command.args(["-m", module]);
    command
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
