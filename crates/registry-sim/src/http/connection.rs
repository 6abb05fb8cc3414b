//! One connection: requests are read and answered in turn until somebody closes it.

use std::io;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::octets::Octets;
use super::reply::{Delivery, Reply};
use super::request::Request;

/// Longest head and longest body of a request; neither registries nor ECR take more.
const HEAD: usize = 64 * 1024;
const BODY: usize = 1024 * 1024;

/// A multiple of 8, as [`Octets::piece`] asks for.
const PIECE: usize = 64 * 1024;

/// Answers requests on `stream` with `answer` until the connection ends.
pub(crate) async fn serve<F>(
    mut stream: TcpStream,
    host: &str,
    answer: impl Fn(Request) -> F,
) -> io::Result<()>
where
    F: Future<Output = Reply>,
{
    let mut buffer = Vec::with_capacity(4096);
    let mut scratch = Vec::new();
    while let Some(incoming) = read(&mut stream, &mut buffer, host).await? {
        let head_only = incoming.request.is_head();
        let reply = answer(incoming.request).await;
        let keep = incoming.keep && !matches!(reply.delivery, Delivery::Length(_));
        match reply.delivery {
            Delivery::Reset => return stream.set_zero_linger(),
            _ => write(&mut stream, &reply, head_only, keep, &mut scratch).await?,
        }
        if reply.delivery == Delivery::ResetMidBody {
            // What was written is on its way before the reset overtakes it.
            tokio::time::sleep(Duration::from_millis(20)).await;
            return stream.set_zero_linger();
        }
        if !keep {
            return stream.shutdown().await;
        }
    }
    Ok(())
}

struct Incoming {
    request: Request,
    keep: bool,
}

/// The next request; `None` when the client has closed the connection.
async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>, host: &str) -> io::Result<Option<Incoming>> {
    loop {
        if let Some((incoming, used)) = parse(buffer, host)? {
            buffer.drain(..used);
            return Ok(Some(incoming));
        }
        if buffer.len() > HEAD + BODY {
            return Err(io::ErrorKind::InvalidData.into());
        }
        if stream.read_buf(buffer).await? == 0 {
            return Ok(None);
        }
    }
}

/// A whole request at the start of `buffer`, and its length.
fn parse(buffer: &[u8], host: &str) -> io::Result<Option<(Incoming, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; 100];
    let mut head = httparse::Request::new(&mut headers);
    let parsed = head.parse(buffer).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    let httparse::Status::Complete(length) = parsed else { return Ok(None) };
    let headers: Vec<(String, String)> = head
        .headers
        .iter()
        .map(|header| (header.name.to_ascii_lowercase(), String::from_utf8_lossy(header.value).into_owned()))
        .collect();
    let of = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let body_length = match of("content-length") {
        Some(text) => text.parse::<usize>().ok().filter(|length| *length <= BODY),
        None if of("transfer-encoding").is_some() => None,
        None => Some(0),
    };
    let body_length = body_length.ok_or(io::ErrorKind::InvalidData)?;
    let end = length.saturating_add(body_length);
    let Some(body) = buffer.get(length..end) else { return Ok(None) };
    let target = head.path.unwrap_or("/");
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let keep =
        head.version == Some(1) && of("connection").is_none_or(|value| !value.eq_ignore_ascii_case("close"));
    let request = Request {
        host: host.to_owned(),
        method: head.method.unwrap_or("GET").to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        body: Bytes::copy_from_slice(body),
        headers,
    };
    Ok(Some((Incoming { request, keep }, end)))
}

async fn write(
    stream: &mut TcpStream,
    reply: &Reply,
    head_only: bool,
    keep: bool,
    scratch: &mut Vec<u8>,
) -> io::Result<()> {
    let len = reply.body.len();
    let mut out = head(reply, len, keep).into_bytes();
    let end = match reply.delivery {
        _ if head_only => 0,
        Delivery::ResetMidBody => len / 2,
        _ => len,
    };
    if let Delivery::Drip(pause) = reply.delivery {
        return drip(stream, &out, &reply.body, end, pause).await;
    }
    let mut offset = 0;
    while offset < end {
        let most = usize::try_from(end - offset).unwrap_or(PIECE).min(PIECE);
        let piece = reply.body.piece(offset, most, scratch);
        if reply.delivery == Delivery::Chunked {
            out.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
        }
        let start = out.len();
        out.extend_from_slice(piece);
        if reply.corrupt
            && let Some(place) = (len / 2).checked_sub(offset).and_then(|place| usize::try_from(place).ok())
            && let Some(byte) = out.get_mut(start.saturating_add(place))
        {
            *byte ^= 1;
        }
        if reply.delivery == Delivery::Chunked {
            out.extend_from_slice(b"\r\n");
        }
        offset += most as u64;
        stream.write_all(&out).await?;
        out.clear();
    }
    if reply.delivery == Delivery::Chunked && !head_only {
        out.extend_from_slice(b"0\r\n\r\n");
    }
    stream.write_all(&out).await
}

/// The status line and the headers.
fn head(reply: &Reply, len: u64, keep: bool) -> String {
    let mut head = format!("HTTP/1.1 {} {}\r\n", reply.status, reason(reply.status));
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("Date: {}\r\n", httpdate::fmt_http_date(SystemTime::now())));
    match reply.delivery {
        Delivery::Chunked => head.push_str("Transfer-Encoding: chunked\r\n"),
        Delivery::Length(by) => {
            head.push_str(&format!("Content-Length: {}\r\n", len.saturating_add_signed(by)));
        }
        _ => head.push_str(&format!("Content-Length: {len}\r\n")),
    }
    if !keep {
        head.push_str("Connection: close\r\n");
    }
    head.push_str("\r\n");
    head
}

/// A slow loris on the side of the server: head and body, a byte and a pause.
async fn drip(
    stream: &mut TcpStream,
    head: &[u8],
    body: &Octets,
    end: u64,
    pause: Duration,
) -> io::Result<()> {
    let (mut scratch, mut offset) = (Vec::new(), 0);
    let mut piece = head;
    while !piece.is_empty() {
        for byte in piece {
            stream.write_all(&[*byte]).await?;
            tokio::time::sleep(pause).await;
        }
        let most = usize::try_from(end.saturating_sub(offset)).unwrap_or(PIECE).min(PIECE);
        piece = body.piece(offset, most, &mut scratch);
        offset += piece.len() as u64;
    }
    Ok(())
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        307 => "Temporary Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Status",
    }
}
