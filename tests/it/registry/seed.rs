//! Real registries as child processes, and a pusher in plain HTTP to fill one. Storage is a directory, so what
//! was pushed without a login is there behind one, behind TLS, and behind a proxy.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::sha256;

/// The program, when `.ci/peers` has installed it.
pub(super) fn peer(name: &str) -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers/bin").join(name);
    path.is_file().then_some(path)
}

/// Each registry that is installed; there has to be one.
pub(super) fn registries() -> Vec<(&'static str, PathBuf)> {
    let found: Vec<_> = ["docker-registry", "distribution"]
        .into_iter()
        .filter_map(|name| Some((name, peer(name)?)))
        .collect();
    assert!(!found.is_empty(), "`.ci/peers` installs the registries");
    found
}

/// A running registry.
pub(super) struct Server {
    child: Child,
    port: u16,
    log: PathBuf,
}

impl Server {
    /// With the storage in `directory`, and more configuration below `http:` and at the top.
    pub(super) fn start(program: &Path, directory: &Path, http: &str, top: &str) -> Server {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let config = directory.join(format!("{port}.yml"));
        let log = directory.join(format!("{port}.log"));
        let storage = directory.join("storage");
        std::fs::write(
            &config,
            format!(
                "version: 0.1\nlog: {{level: error}}\nstorage: {{filesystem: {{rootdirectory: '{}'}}, delete: {{enabled: true}}}}\n\
                 http:\n  addr: 127.0.0.1:{port}\n{http}{top}",
                storage.display()
            ),
        )
        .unwrap();
        let child = Command::new(program)
            .arg("serve")
            .arg(&config)
            .env("OTEL_TRACES_EXPORTER", "none")
            .stdout(std::fs::File::create(&log).unwrap())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let start = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(start.elapsed() < Duration::from_secs(10), "{} did not start", program.display());
            std::thread::sleep(Duration::from_millis(20));
        }
        Server { child, port, log }
    }

    pub(super) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Requests as the registry saw them.
    pub(super) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    pub(super) fn push_blob(&self, repository: &str, bytes: &[u8]) {
        let (status, head) = self.send("POST", &format!("/v2/{repository}/blobs/uploads/"), "", b"");
        assert_eq!(status, 202, "{head}");
        let place = head
            .lines()
            .find_map(|line| line.split_once(": ").filter(|(name, _)| name.eq_ignore_ascii_case("location")))
            .unwrap()
            .1
            .to_owned();
        let path = place.strip_prefix(&format!("http://{}", self.host())).unwrap_or(&place).to_owned();
        let path = format!("{path}&digest={}", sha256(bytes));
        let (status, head) = self.send("PUT", &path, "application/octet-stream", bytes);
        assert_eq!(status, 201, "{head}");
    }

    pub(super) fn push_manifest(&self, repository: &str, reference: &str, media_type: &str, bytes: &[u8]) {
        let path = format!("/v2/{repository}/manifests/{reference}");
        let (status, head) = self.send("PUT", &path, media_type, bytes);
        assert_eq!(status, 201, "{head}");
    }

    fn send(&self, method: &str, path: &str, media_type: &str, body: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(self.host()).unwrap();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Type: {media_type}\r\nContent-Length: {}\r\n\r\n",
            self.host(),
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `openssl`, quietly.
pub(super) fn openssl(directory: &Path, arguments: &[&str]) {
    let output = Command::new("openssl").args(arguments).current_dir(directory).output().unwrap();
    assert!(output.status.success(), "openssl {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A certificate authority (`ca.pem`) and a certificate of it for this machine (`tls.pem`, `tls.key`).
pub(super) fn authority(directory: &Path) {
    let ca = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test-authority -keyout ca.key -out ca.pem \
              -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign";
    openssl(directory, &ca.split_whitespace().collect::<Vec<_>>());
    let request = "req -newkey rsa:2048 -nodes -subj /CN=localhost -keyout tls.key -out tls.csr";
    openssl(directory, &request.split_whitespace().collect::<Vec<_>>());
    std::fs::write(
        directory.join("ext"),
        "subjectAltName=DNS:localhost,IP:127.0.0.1\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n",
    )
    .unwrap();
    let sign =
        "x509 -req -in tls.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out tls.pem";
    openssl(directory, &sign.split_whitespace().collect::<Vec<_>>());
}
