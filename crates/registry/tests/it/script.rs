//! A server that keeps every request byte for byte and answers what the test wants, bytes and all.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// What a connection is given.
pub(crate) enum Act {
    /// These bytes; the connection stays open.
    Bytes(Vec<u8>),
    /// These bytes, and the connection is closed.
    BytesThenClose(Vec<u8>),
    /// The first bytes at once, the others one by one with a pause before each.
    Drip(Vec<u8>, Vec<u8>, Duration),
    /// Nothing, for this long.
    Silence(Duration),
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) raw: String,
    pub(crate) at: Instant,
}

impl Request {
    /// `GET /v2/…`
    pub(crate) fn line(&self) -> String {
        let line = self.raw.lines().next().unwrap_or_default();
        line.trim_end_matches(" HTTP/1.1").to_owned()
    }

    pub(crate) fn path(&self) -> String {
        self.line().split(' ').nth(1).unwrap_or_default().to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.raw.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    }

    pub(crate) fn authorization(&self) -> String {
        self.header("authorization").unwrap_or_default()
    }

    pub(crate) fn body(&self) -> &str {
        self.raw.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }
}

type Play = dyn Fn(&Request, usize) -> Act + Send + Sync;

pub(crate) struct Script {
    port: u16,
    log: Arc<Mutex<Vec<Request>>>,
    stop: Arc<std::sync::atomic::AtomicBool>,
}

impl Script {
    /// `play` gets each request and how many came before it.
    pub(crate) fn start(play: impl Fn(&Request, usize) -> Act + Send + Sync + 'static) -> Script {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let log = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let play: Arc<Play> = Arc::new(play);
        let (kept, stopped) = (Arc::clone(&log), Arc::clone(&stop));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(std::sync::atomic::Ordering::SeqCst) {
                    return;
                }
                let (play, log) = (Arc::clone(&play), Arc::clone(&kept));
                thread::spawn(move || serve(stream.unwrap(), &play, &log));
            }
        });
        Script { port, log, stop }
    }

    pub(crate) fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub(crate) fn log(&self) -> Vec<Request> {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.log().iter().map(Request::line).collect()
    }

    /// Every byte that was received.
    pub(crate) fn wire(&self) -> String {
        self.log().iter().map(|request| request.raw.as_str()).collect()
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.stop.store(true, std::sync::atomic::Ordering::SeqCst);
        let _ = TcpStream::connect(self.host());
    }
}

fn serve(mut stream: TcpStream, play: &Arc<Play>, log: &Arc<Mutex<Vec<Request>>>) {
    let _ = stream.set_nodelay(true);
    while let Some(raw) = read_request(&mut stream) {
        let request = Request { raw, at: Instant::now() };
        let before = {
            let mut log = log.lock().unwrap();
            log.push(request.clone());
            log.len() - 1
        };
        match play(&request, before) {
            Act::Bytes(bytes) => {
                if stream.write_all(&bytes).is_err() {
                    return;
                }
            }
            Act::BytesThenClose(bytes) => {
                let _ = stream.write_all(&bytes);
                let _ = stream.shutdown(Shutdown::Both);
                return;
            }
            Act::Drip(first, rest, pause) => {
                let _ = stream.write_all(&first);
                for byte in rest {
                    thread::sleep(pause);
                    if stream.write_all(&[byte]).is_err() {
                        return;
                    }
                }
            }
            Act::Silence(pause) => {
                thread::sleep(pause);
                return;
            }
        }
    }
}

fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut raw = Vec::new();
    let mut byte = [0_u8; 1];
    while !raw.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        raw.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&raw).into_owned();
    let length = head
        .lines()
        .find_map(|line| {
            line.to_ascii_lowercase().strip_prefix("content-length:").map(|n| n.trim().parse().unwrap())
        })
        .unwrap_or(0_usize);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    raw.extend(body);
    Some(String::from_utf8_lossy(&raw).into_owned())
}

/// A whole answer with its length.
pub(crate) fn answer(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Act {
    Act::Bytes(bytes(status, headers, body))
}

pub(crate) fn bytes(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut out = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        out.push_str(&format!("{name}: {value}\r\n"));
    }
    out.push_str("\r\n");
    let mut out = out.into_bytes();
    out.extend_from_slice(body);
    out
}

/// The answer to a HEAD: the length of a body that does not come.
pub(crate) fn head(status: &str, headers: &[(&str, &str)], length: usize) -> Act {
    let mut out = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n");
    for (name, value) in headers {
        out.push_str(&format!("{name}: {value}\r\n"));
    }
    Act::Bytes(format!("{out}\r\n").into_bytes())
}

/// The OCI error envelope.
pub(crate) fn error(status: &str, code: &str, message: &str) -> Act {
    let body = format!(r#"{{"errors":[{{"code":"{code}","message":"{message}"}}]}}"#);
    answer(status, &[("Content-Type", "application/json")], body.as_bytes())
}

pub(crate) fn basic() -> Act {
    let realm =
        r#"Basic realm="https://123456789012.dkr.ecr.us-east-1.amazonaws.com/",service="ecr.amazonaws.com""#;
    answer("401 Unauthorized", &[("WWW-Authenticate", realm)], b"Not Authorized\n")
}

pub(crate) fn bearer(realm: &str) -> Act {
    let value = format!(r#"Bearer realm="{realm}",service="s.example",scope="repository:user/image:pull""#);
    let body = br#"{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"#;
    answer("401 Unauthorized", &[("WWW-Authenticate", &value)], body)
}
