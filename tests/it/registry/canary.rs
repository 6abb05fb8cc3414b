//! Servers that send a credential back wherever they can, in every encoding: no output of any command shows it.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use pullthru::registry::auth::variable_for;
use pullthru::registry::{Credentials, Settings};

use super::script::{Act, Request, Script, answer};
use super::{INDEX, MANIFEST, client, name, sha256};
use crate::scratch::{Run, Scratch};

/// Of letters that stand in a host, a tag, a digest's algorithm and a header.
const CANARY: &str = "C4nary-Pa55word-Xyz";

const ECR: &str = "123456789012.dkr.ecr.ca-central-1.amazonaws.com";

/// How a server may write it. The escapes of JSON are for the reader to undo, or for the one after.
fn encodings() -> Vec<(&'static str, String)> {
    let percent = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let escaped = |text: &str| text.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect::<String>();
    let base64 = STANDARD.encode(CANARY);
    vec![
        ("plain", CANARY.to_owned()),
        ("upper", CANARY.to_uppercase()),
        ("lower", CANARY.to_lowercase()),
        ("url", percent(CANARY)),
        ("url2", percent(&percent(CANARY))),
        ("urlpart", CANARY.replace('-', "%2d")),
        ("b64", base64.clone()),
        ("b64upper", base64.to_uppercase()),
        ("b64login", STANDARD.encode(format!("me:{CANARY}"))),
        ("b64url", URL_SAFE_NO_PAD.encode(format!("x{CANARY}"))),
        ("b64percent", percent(&base64)),
        ("json", escaped(CANARY)),
        ("json2", escaped(CANARY).replace('\\', "\\\\")),
        ("jsonurl", escaped(&percent(CANARY))),
        ("split", CANARY.replace('-', "\\u200b-\\u200b")),
    ]
}

/// Does a text show it, in whatever encoding? Decoded here by other means than the program's own.
fn shows(text: &str) -> bool {
    let lower = text.to_lowercase();
    let canary = CANARY.to_lowercase();
    if lower.contains(&canary) {
        return true;
    }
    let bases = (0..3).map(|before| {
        let encoded = STANDARD.encode(format!("{}{CANARY}", "x".repeat(before)));
        encoded[4..encoded.len() - 4].to_lowercase()
    });
    let mut forms: Vec<String> = bases.collect();
    forms.push("%43%34%6e".to_owned());
    // Of the base64 itself.
    forms.push("%51%7a%52".to_owned());
    forms.push("\\u0043\\u0034".to_owned());
    forms.push("%25%34%33%25%33%34".to_owned());
    forms.push(CANARY.replace('-', "%2d").to_lowercase());
    forms.iter().any(|form| lower.contains(form))
}

#[test]
fn this_test_sees_every_encoding() {
    for (name, text) in encodings() {
        let read = text.replace("\\u200b", "");
        let read: String = match serde_json::from_str(&format!("\"{read}\"")) {
            Ok(read) => read,
            Err(_) => read,
        };
        assert!(shows(&text.replace("\\u200b", "")) || shows(&read), "{name}: {text}");
    }
    assert!(!shows("the manifest is unknown"));
}

/// What a server says in the place that the repository names, in the encoding that it names.
fn echo(request: &Request, host: &str) -> Act {
    let path = request.path();
    let repository = path.split("/o/").nth(1).unwrap_or_default().split('/').next().unwrap_or_default();
    let (place, encoding) = repository.split_once("--").unwrap_or((repository, "plain"));
    let text = encodings()
        .into_iter()
        .find(|(name, _)| *name == encoding)
        .map_or_else(String::new, |(_, text)| text);
    let plain = text.replace("\\u200b", "\u{200b}");
    let header = plain.replace('\u{200b}', "");
    let forbidden =
        |body: String| answer("403 Forbidden", &[("Content-Type", "application/json")], body.as_bytes());
    match place {
        "code" => forbidden(format!(r#"{{"errors":[{{"code":"{text}","message":"no"}}]}}"#)),
        "message" => forbidden(format!(r#"{{"errors":[{{"code":"DENIED","message":"no {text}, no"}}]}}"#)),
        "oauth" => forbidden(format!(r#"{{"error":"{text}","error_description":"{text}"}}"#)),
        "details" => forbidden(format!(r#"{{"details":"{text}"}}"#)),
        "text" => answer("403 Forbidden", &[], format!("you sent {plain}").as_bytes()),
        "missing" => answer(
            "404 Not Found",
            &[("WWW-Authenticate", &format!("Basic realm=\"{header}\""))],
            format!(r#"{{"errors":[{{"code":"{text}","message":"{text}"}}]}}"#).as_bytes(),
        ),
        "status" => answer(&format!("418 {header}"), &[("X-Echo", &header)], plain.as_bytes()),
        "type" => {
            answer("200 OK", &[("Content-Type", &header)], format!(r#"{{"mediaType":"{text}"}}"#).as_bytes())
        }
        "away" => {
            let away = format!("http://{CANARY}.example/{header}?{header}");
            answer("307 Temporary Redirect", &[("Location", &away)], plain.as_bytes())
        }
        "realm" => {
            let realm = format!(
                r#"Bearer realm="http://{CANARY}.example/{header}",service="{header}",scope="{header}""#
            );
            answer("401 Unauthorized", &[("WWW-Authenticate", &realm)], plain.as_bytes())
        }
        "own-realm" => {
            let realm =
                format!(r#"Bearer realm="http://{host}/o/oauth--{encoding}/token",service="{header}""#);
            answer("401 Unauthorized", &[("WWW-Authenticate", &realm)], plain.as_bytes())
        }
        "digest" => answer(
            "200 OK",
            &[
                ("Content-Type", MANIFEST),
                ("Docker-Content-Digest", &format!("{}:abc", CANARY.to_lowercase())),
            ],
            b"{}",
        ),
        "index" => answer("200 OK", &[("Content-Type", INDEX)], index(&text).as_bytes()),
        "image" => answer("200 OK", &[("Content-Type", MANIFEST)], image(&text).as_bytes()),
        _ => answer("404 Not Found", &[], b""),
    }
}

fn index(text: &str) -> String {
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{INDEX}","annotations":{{"{text}":"{text}"}},"artifactType":"application/{text}",
        "manifests":[{{"mediaType":"{MANIFEST}","digest":"{}","size":1,"annotations":{{"a":"{text}"}},
        "platform":{{"os":"{text}","architecture":"{text}","variant":"{text}","os.version":"{text}"}}}},
        {{"mediaType":"{MANIFEST}","digest":"{}:abc","size":1}}]}}"#,
        sha256(b"x"),
        CANARY.to_lowercase()
    )
}

fn image(text: &str) -> String {
    let digest = sha256(b"x");
    format!(
        r#"{{"schemaVersion":2,"mediaType":"{MANIFEST}","artifactType":"application/{text}",
        "config":{{"mediaType":"application/{text}","digest":"{digest}","size":1}},
        "layers":[{{"mediaType":"application/{text}","digest":"{digest}","size":1}}]}}"#
    )
}

const PLACES: [&str; 14] = [
    "code",
    "message",
    "oauth",
    "details",
    "text",
    "missing",
    "status",
    "type",
    "away",
    "realm",
    "own-realm",
    "digest",
    "index",
    "image",
];

/// A registry that wants a login, knows it, and says it to everybody from then on.
fn telling() -> Script {
    let own = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let host = std::sync::Arc::clone(&own);
    let script = Script::start(move |request, _| match request.authorization().is_empty() {
        true if !request.path().contains("realm") && !request.path().contains("/token") => {
            super::script::basic()
        }
        _ => echo(request, &host.lock().unwrap()),
    });
    *own.lock().unwrap() = script.host();
    script
}

fn images(host: &str) -> String {
    let names = PLACES.iter().flat_map(|place| encodings().into_iter().map(move |(name, _)| (*place, name)));
    names.map(|(place, encoding)| format!("{host}/o/{place}--{encoding}:1\n")).collect()
}

fn run(script: &Script, host: &str, arguments: &[&str]) -> Run {
    let scratch = Scratch::new(&[("images.txt", images(host).as_bytes())]);
    let mut command = scratch.command(arguments);
    command.args(["--list", "images.txt", "--served-at", &format!("{host}={}", script.host())]);
    command.env(variable_for(host), format!("me:{CANARY}")).env("HOME", scratch.path());
    // AWS's own, sent to its API.
    command.env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE").env("AWS_REGION", "ca-central-1");
    command.env("AWS_SECRET_ACCESS_KEY", CANARY).env("AWS_SESSION_TOKEN", CANARY);
    Run::from(command.output().unwrap())
}

#[test]
fn no_format_of_verify_shows_a_login() {
    let script = telling();
    for format in ["human", "json", "jsonl", "github", "markdown", "sarif"] {
        let found =
            run(&script, "acme.example", &["verify", "--at", "upstream", "--sizes", "--format", format]);
        assert!(matches!(found.code, 1 | 3), "{}", found.err);
        let text = format!("{}{}", found.out, found.err);
        assert!(text.contains("***"), "{format}: nothing was said back");
        let shown: Vec<&str> = text.lines().filter(|line| shows(line)).collect();
        assert!(shown.is_empty(), "{format}: {shown:#?}");
    }
    assert!(script.wire().contains(&STANDARD.encode(format!("me:{CANARY}"))));
}

/// What AWS's API says, with the key and the session's token in it.
fn api() -> Script {
    Script::start(|_, before| {
        let all = encodings();
        let (_, text) = &all[before % all.len()];
        let body = format!(r#"{{"__type":"{text}","message":"{text}"}}"#);
        answer("400 Bad Request", &[("Content-Type", "application/x-amz-json-1.1")], body.as_bytes())
    })
}

#[test]
fn warm_and_cost_show_no_login() {
    let (script, api) = (telling(), api());
    for arguments in [
        &["warm", "--format", "human"][..],
        &["warm", "--format", "json"],
        &["cost", "--format", "human"],
        &["cost", "--format", "json"],
        &["verify", "--at", "cache", "--format", "json"],
    ] {
        let scratch = Scratch::new(&[("images.txt", images(&format!("{ECR}/ghcr")).as_bytes())]);
        let mut command = scratch.command(arguments);
        command.args([
            "--list",
            "images.txt",
            "--served-at",
            &format!("{ECR}={0},ghcr.io={0}", script.host()),
        ]);
        command.env(variable_for("ghcr.io"), format!("me:{CANARY}"));
        command.args(["--account", "123456789012", "--region", "ca-central-1", "--upstream", "ghcr.io"]);
        command.env(variable_for(ECR), format!("me:{CANARY}")).env("HOME", scratch.path());
        command.env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE").env("AWS_REGION", "ca-central-1");
        command.env("AWS_SECRET_ACCESS_KEY", CANARY).env("AWS_SESSION_TOKEN", CANARY);
        command.env("AWS_ENDPOINT_URL", format!("http://{}", api.host()));
        let found = Run::from(command.output().unwrap());
        assert!(matches!(found.code, 1 | 3), "{arguments:?} {}: {}{}", found.code, found.out, found.err);
        let text = format!("{}{}", found.out, found.err);
        assert!(text.contains("***"), "{arguments:?}: nothing was said back: {text}");
        let shown: Vec<&str> = text.lines().filter(|line| shows(line)).collect();
        assert!(shown.is_empty(), "{arguments:?}: {shown:#?}");
    }
    assert!(script.wire().contains(&STANDARD.encode(format!("me:{CANARY}"))) && !api.log().is_empty());
}

#[tokio::test]
async fn a_tag_that_shows_a_login_is_left_out() {
    let script = Script::start(|request, _| match request.authorization().is_empty() {
        true => super::script::basic(),
        false => answer("200 OK", &[], format!(r#"{{"tags":["1.0","v-{CANARY}","2.0"]}}"#).as_bytes()),
    });
    let client = client(Credentials::none().with(&script.host(), "me", CANARY));
    assert_eq!(client.tags(&name(&script.host(), "a/b")).await.unwrap(), ["1.0", "2.0"]);
    assert!(!format!("{client:?} {:?}", Settings::default()).contains(CANARY));
}

/// A token is hidden as a password is, and stays hidden when later answers come without it.
#[tokio::test]
async fn tokens_are_hidden_too() {
    let own = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let host = std::sync::Arc::clone(&own);
    let script = Script::start(move |request, _| {
        let host = host.lock().unwrap().clone();
        if request.path().starts_with("/token") {
            return answer("200 OK", &[], format!(r#"{{"token":"{CANARY}"}}"#).as_bytes());
        }
        if request.authorization().is_empty() {
            return super::script::bearer(&format!("http://{host}/token"));
        }
        echo(request, &host)
    });
    *own.lock().unwrap() = script.host();
    let client = client(Credentials::none());
    for place in PLACES {
        for (encoding, _) in encodings() {
            let place = super::at(&script.host(), &format!("o/{place}--{encoding}:1"));
            let result = client.resolve(&place).await;
            let text = match &result {
                Ok(resolved) => format!("{resolved:?}"),
                Err(failure) => format!("{failure} {failure:?}"),
            };
            // The names of repositories are the test's own.
            assert!(!shows(&text), "{place}: {text}");
        }
    }
    let notes = format!("{:?}", client.notes());
    assert!(!shows(&notes), "{notes}");
}
