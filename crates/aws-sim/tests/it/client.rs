//! Calls as an SDK sends them, on a plain socket.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use aws_sim::{AwsSim, Settings};
use serde_json::{Value, json};

pub(crate) const ACCOUNT: &str = "123456789012";
pub(crate) const REGION: &str = "eu-central-1";

pub(crate) fn start() -> AwsSim {
    AwsSim::start(Settings::default()).unwrap()
}

/// A reply: status and body.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: String,
}

/// `Err` when the connection was reset.
pub(crate) fn send(
    aws: &AwsSim,
    service: &str,
    region: &str,
    headers: &str,
    body: &str,
) -> std::io::Result<Reply> {
    let host = aws.url().replace("http://", "");
    let mut stream = TcpStream::connect(&host)?;
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential=AKIATEST/20261121/{region}/{service}/aws4_request, SignedHeaders=host, Signature=0"
    );
    write!(
        stream,
        "POST / HTTP/1.1\r\nHost: {host}\r\nAuthorization: {authorization}\r\n{headers}Content-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    if text.is_empty() {
        return Err(std::io::ErrorKind::ConnectionReset.into());
    }
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Ok(Reply { status, body: body.to_owned() })
}

/// A call of a JSON service in a Region; `Err` is `(code, message)`.
pub(crate) fn json_in(
    aws: &AwsSim,
    region: &str,
    action: &str,
    input: Value,
) -> Result<Value, (String, String)> {
    let (service, operation) = action.split_once(':').unwrap();
    let target = match service {
        "ecr" => "AmazonEC2ContainerRegistry_V20150921",
        "secretsmanager" => "secretsmanager",
        _ => panic!("no JSON service: {service}"),
    };
    let headers =
        format!("X-Amz-Target: {target}.{operation}\r\nContent-Type: application/x-amz-json-1.1\r\n");
    let reply = send(aws, service, region, &headers, &input.to_string()).unwrap();
    let body: Value = serde_json::from_str(&reply.body).unwrap();
    if reply.status == 200 {
        return Ok(body);
    }
    assert_ne!(reply.status, 501, "{body}");
    let text = |name: &str| body[name].as_str().unwrap().to_owned();
    Err((text("__type"), text("message")))
}

/// A call of a JSON service.
pub(crate) fn call(aws: &AwsSim, action: &str, input: Value) -> Result<Value, (String, String)> {
    json_in(aws, REGION, action, input)
}

/// The code of the error that a call ends in.
pub(crate) fn code(aws: &AwsSim, action: &str, input: Value) -> String {
    call(aws, action, input).unwrap_err().0
}

/// A call of a Query service, with its form; the XML.
pub(crate) fn query(aws: &AwsSim, service: &str, form: &str) -> Reply {
    let headers = "Content-Type: application/x-www-form-urlencoded\r\n";
    let reply = send(aws, service, REGION, headers, &format!("Version=2010-05-08&{form}")).unwrap();
    assert_ne!(reply.status, 501, "{}", reply.body);
    reply
}

/// The text of the first element of a name.
pub(crate) fn element(xml: &str, name: &str) -> String {
    let (_, rest) = xml.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("no {name} in {xml}"));
    rest.split_once(&format!("</{name}>")).unwrap().0.to_owned()
}

/// A secret that rules accept; its ARN.
pub(crate) fn secret(aws: &AwsSim, name: &str) -> String {
    let value = json!({ "username": "octocat", "accessToken": "ghp_1" }).to_string();
    let input = json!({ "Name": format!("ecr-pullthroughcache/{name}"), "SecretString": value });
    let created = call(aws, "secretsmanager:CreateSecret", input).unwrap();
    created["ARN"].as_str().unwrap().to_owned()
}
