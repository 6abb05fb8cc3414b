//! Logins: where they come from, who gets to see them, and what happens when they are old. What must not be
//! sent is looked for in the bytes that arrived.

use std::collections::BTreeSet;
use std::time::Duration;

use pullthru_registry::{Client, Credentials, Failure, Network, Settings, Variables};

use super::script::{Act, Script, answer, basic, bearer, error};
use super::support::{CONFIG, LAYER, MANIFEST, at, client, manifest, quick};

pub(super) const PASSWORD: &str = "hunter2-password";
/// `me:hunter2-password`
pub(super) const ENCODED: &str = "bWU6aHVudGVyMi1wYXNzd29yZA==";

pub(super) fn good() -> Act {
    answer("200 OK", &[("Content-Type", MANIFEST)], &manifest(CONFIG, b"{}", LAYER, b"layer"))
}

/// A token server: the token is `tok-` and the scope.
fn tokens(expires_in: u32) -> Script {
    Script::start(move |request, _| {
        let path = request.path();
        let scope = path.split("scope=").nth(1).unwrap_or_default().replace("%3A", "-").replace("%2F", "-");
        answer("200 OK", &[], format!(r#"{{"token":"tok-{scope}","expires_in":{expires_in}}}"#).as_bytes())
    })
}

/// A registry that takes any `tok-` and sends everyone else to `realm`.
pub(super) fn bearer_registry(realm: String) -> Script {
    Script::start(
        move |request, _| {
            if request.authorization().starts_with("Bearer tok-") { good() } else { bearer(&realm) }
        },
    )
}

pub(super) async fn all(client: &Client, script: &Script, images: usize, repositories: usize) {
    let mut tasks = tokio::task::JoinSet::new();
    for image in 0..images {
        let place = at(&script.host(), &format!("org/app{}:{image}", image % repositories));
        let client = client.clone();
        tasks.spawn(async move { client.manifest(&place).await });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap().unwrap();
    }
}

#[tokio::test]
async fn one_token_a_repository() {
    let server = tokens(300);
    let registry = bearer_registry(format!("http://{}/token", server.host()));
    let client = client(Credentials::none());
    all(&client, &registry, 100, 10).await;
    // One challenge, a hundred answers, ten tokens.
    assert_eq!((registry.log().len(), server.log().len()), (101, 10));
    all(&client, &registry, 100, 10).await;
    assert_eq!((registry.log().len(), server.log().len()), (201, 10));
    let asked: BTreeSet<String> = server.lines().into_iter().collect();
    assert!(asked.contains("GET /token?service=s.example&scope=repository%3Aorg%2Fapp0%3Apull"), "{asked:?}");
    assert_eq!(asked.len(), 10);
    assert!(server.log().iter().all(|request| request.authorization().is_empty()));
}

#[tokio::test]
async fn a_token_that_expires_in_the_middle_is_fetched_again_once() {
    // By its own time.
    let server = tokens(4);
    let registry = bearer_registry(format!("http://{}/token", server.host()));
    let one = client(Credentials::none());
    all(&one, &registry, 20, 1).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    all(&one, &registry, 20, 1).await;
    assert_eq!(server.log().len(), 2);
    // And when the registry finds it too old before that.
    let server = Script::start(|_, before| {
        answer("200 OK", &[], format!(r#"{{"access_token":"t{before}"}}"#).as_bytes())
    });
    let realm = format!("http://{}/token", server.host());
    let registry = Script::start(move |request, before| {
        let wanted = if before < 30 { "Bearer t0" } else { "Bearer t1" };
        if request.authorization() == wanted { good() } else { bearer(&realm) }
    });
    let two = client(Credentials::none());
    all(&two, &registry, 20, 1).await;
    all(&two, &registry, 40, 1).await;
    assert_eq!(server.log().len(), 2, "{:?}", server.lines());
}

/// Requests wait for their place longer than a token lives: what they are sent with is made when it is their turn, so that
/// none is refused, and a token is renewed as often as one ends.
#[tokio::test]
async fn a_token_that_ends_while_requests_wait_costs_no_refusal() {
    let begin = std::time::Instant::now();
    let server = Script::start(move |_, _| {
        let now = begin.elapsed().as_millis();
        answer("200 OK", &[], format!(r#"{{"token":"made-at-{now}","expires_in":2}}"#).as_bytes())
    });
    let realm = format!("http://{}/token", server.host());
    let registry = Script::start(move |request, _| {
        let age = request
            .authorization()
            .strip_prefix("Bearer made-at-")
            .and_then(|made| Some(begin.elapsed().as_millis() - made.parse::<u128>().ok()?));
        std::thread::sleep(Duration::from_millis(120));
        if age.is_some_and(|age| age < 2_000) { good() } else { bearer(&realm) }
    });
    let settings = Settings { concurrency: Some(2), ..quick() };
    let client = Client::new(settings, Credentials::none()).unwrap();
    all(&client, &registry, 80, 1).await;
    assert_eq!(registry.log().len(), 81, "one challenge, and no refusal");
    assert!((3..=6).contains(&server.log().len()), "{} tokens", server.log().len());
}

#[tokio::test]
async fn clocks_that_are_off_change_nothing() {
    for issued in ["1999-01-01T00:00:00Z", "2199-01-01T00:00:00Z", "nonsense"] {
        let server = Script::start(move |_, _| {
            answer(
                "200 OK",
                &[],
                format!(r#"{{"token":"tok-1","expires_in":300,"issued_at":"{issued}"}}"#).as_bytes(),
            )
        });
        let registry = bearer_registry(format!("http://{}/token", server.host()));
        let client = client(Credentials::none());
        all(&client, &registry, 20, 1).await;
        assert_eq!(server.log().len(), 1, "{issued}");
    }
}

#[tokio::test]
async fn basic_as_ecr_wants_it() {
    let registry =
        Script::start(|request, _| if request.authorization().is_empty() { basic() } else { good() });
    let client = client(Credentials::none().with(&registry.host(), "me", PASSWORD));
    all(&client, &registry, 20, 5).await;
    let log = registry.log();
    assert_eq!(log.len(), 21);
    assert!(log[1..].iter().all(|request| request.authorization() == format!("Basic {ENCODED}")));
}

#[tokio::test]
async fn a_login_goes_to_the_token_server_and_not_further() {
    let server = tokens(300);
    let registry = bearer_registry(format!("http://{}/token", server.host()));
    let client = client(Credentials::none().with(&registry.host(), "me", PASSWORD));
    all(&client, &registry, 5, 1).await;
    assert_eq!(server.log()[0].authorization(), format!("Basic {ENCODED}"));
    assert!(!registry.wire().contains(ENCODED));
}

#[tokio::test]
async fn a_redirect_takes_no_login_along() {
    let elsewhere = Script::start(|_, _| good());
    let there = format!("http://{}/x", elsewhere.host());
    let registry = Script::start(move |request, _| match request.path().as_str() {
        _ if request.authorization().is_empty() => basic(),
        "/v2/a/b/manifests/away" => answer("307 Temporary Redirect", &[("Location", &there)], b""),
        "/v2/a/b/manifests/near" => answer("302 Found", &[("Location", "/moved")], b""),
        "/moved" => good(),
        other => panic!("{other}"),
    });
    let client = client(Credentials::none().with(&registry.host(), "me", PASSWORD));
    client.manifest(&at(&registry.host(), "a/b:away")).await.unwrap();
    client.manifest(&at(&registry.host(), "a/b:near")).await.unwrap();
    let wire = elsewhere.wire().to_ascii_lowercase();
    assert!(wire.starts_with("get /x"), "{wire}");
    assert!(!wire.contains("authorization") && !wire.contains("cookie"), "{wire}");
    assert_eq!(registry.log().last().unwrap().authorization(), format!("Basic {ENCODED}"));
}

#[tokio::test]
async fn a_redirect_there_and_back_stays_without() {
    let back = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
    let to = std::sync::Arc::clone(&back);
    let elsewhere = Script::start(move |_, _| answer("302 Found", &[("Location", &to.lock().unwrap())], b""));
    let there = format!("http://u:p@{}/x", elsewhere.host());
    let registry = Script::start(move |request, _| match request.path().as_str() {
        "/back" => good(),
        _ if request.authorization().is_empty() => basic(),
        _ => answer("302 Found", &[("Location", &there)], b""),
    });
    *back.lock().unwrap() = format!("http://{}/back", registry.host());
    let client = client(Credentials::none().with(&registry.host(), "me", PASSWORD));
    client.manifest(&at(&registry.host(), "a/b:1")).await.unwrap();
    assert_eq!(registry.log().last().unwrap().authorization(), "");
    // A login in the redirect's address is not one either.
    assert_eq!(elsewhere.log()[0].authorization(), "");
}

#[tokio::test]
async fn a_foreign_token_server_gets_no_password() {
    // The same machine under another name is another host.
    let server = tokens(300);
    let port = server.host().rsplit(':').next().unwrap().to_owned();
    let realm = format!("http://localhost:{port}/token");
    let registry = bearer_registry(realm);
    let credentials = Credentials::none().with(&registry.host(), "me", PASSWORD);
    let strict = client(credentials.clone());
    strict.manifest(&at(&registry.host(), "a/b:1")).await.unwrap();
    assert!(server.log().len() == 1 && !server.wire().to_ascii_lowercase().contains("authorization"));
    let notes: Vec<String> = strict.notes().iter().map(ToString::to_string).collect();
    assert!(notes.len() == 1 && notes[0].contains(&format!("localhost:{port}")), "{notes:?}");
    // Unless the user says that it belongs.
    let mut settings = quick();
    settings.realms.insert(registry.host(), vec![format!("localhost:{port}")]);
    let rendered = Client::new(settings, credentials).unwrap();
    rendered.manifest(&at(&registry.host(), "a/b:1")).await.unwrap();
    assert_eq!(server.log().last().unwrap().authorization(), format!("Basic {ENCODED}"));
}

#[tokio::test]
async fn a_token_server_in_the_clear_is_not_asked() {
    let registry = bearer_registry("http://registry.example/token".to_owned());
    let client = client(Credentials::none().with(&registry.host(), "me", PASSWORD));
    let failure = client.manifest(&at(&registry.host(), "a/b:1")).await.unwrap_err();
    assert!(matches!(failure, Failure::Network(_, Network::Refused)), "{failure}");
}

#[tokio::test]
async fn a_token_server_that_is_down() {
    let gone = { std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap() };
    let registry = bearer_registry(format!("http://{gone}/token"));
    let client = client(Credentials::none());
    let mut tasks = tokio::task::JoinSet::new();
    for image in 0..20 {
        let (client, place) = (client.clone(), at(&registry.host(), &format!("a/b:{image}")));
        tasks.spawn(async move { client.manifest(&place).await });
    }
    while let Some(done) = tasks.join_next().await {
        let failure = done.unwrap().unwrap_err();
        assert!(matches!(failure, Failure::Network(_, Network::Connect)), "{failure}");
        assert!(failure.to_string().contains(&gone.to_string()), "{failure}");
    }
    for body in ["", "{}", r#"{"token":""}"#, r#"{"token":"a\nb"}"#, "<html>"] {
        let server = Script::start(move |_, _| answer("200 OK", &[], body.as_bytes()));
        let registry = bearer_registry(format!("http://{}/token", server.host()));
        let failure = super::support::client(Credentials::none())
            .manifest(&at(&registry.host(), "a/b:1"))
            .await
            .unwrap_err();
        assert_eq!(failure.id(), "broken", "{body}");
    }
}

#[tokio::test]
async fn a_stale_login_is_reported_and_not_used() {
    // As ghcr.io: 403 for a bad login, also for public images.
    let server = Script::start(|request, _| {
        if request.authorization().is_empty() {
            answer("200 OK", &[], br#"{"token":"tok-anonymous"}"#)
        } else {
            error("403 Forbidden", "DENIED", &format!("denied for {}", request.authorization()))
        }
    });
    let registry = bearer_registry(format!("http://{}/token", server.host()));
    let variable = pullthru_registry::auth::variable_for(&registry.host());
    let variables = Variables::of([(variable.clone(), format!("me:{PASSWORD}"))]);
    let client = client(Credentials::of(variables));
    client.manifest(&at(&registry.host(), "a/b:1")).await.unwrap();
    let notes: Vec<String> = client.notes().iter().map(ToString::to_string).collect();
    assert_eq!(
        notes,
        [format!(
            "the login for `{}` from `{variable}` was refused (403 DENIED): went on without it; renew or remove it",
            registry.host()
        )]
    );
}

#[tokio::test]
async fn a_refusal_quotes_no_credential() {
    // The servers repeat what they were sent.
    let server = Script::start(|request, _| {
        error("401 Unauthorized", "UNAUTHORIZED", &format!("bad {} {PASSWORD}", request.authorization()))
    });
    let registry = bearer_registry(format!("http://{}/token", server.host()));
    let repeating = Script::start(|request, _| {
        if request.authorization().is_empty() {
            basic()
        } else {
            error("403 Forbidden", "DENIED", &request.raw.replace("\r\n", " ").replace('"', ""))
        }
    });
    for registry in [&registry, &repeating] {
        let client = client(Credentials::none().with(&registry.host(), "me", PASSWORD));
        let failure = client.manifest(&at(&registry.host(), "a/b:1")).await.unwrap_err();
        assert!(matches!(failure, Failure::Unauthorized(_) | Failure::Denied(_)), "{failure}");
        let shown = format!("{failure} {failure:?} {client:?} {:?}", client.notes());
        assert!(!shown.contains(PASSWORD) && !shown.contains(ENCODED), "{shown}");
        assert!(shown.contains("***"), "{shown}");
    }
    // A password that is refused as such is not tried on each repository.
    let client = client(Credentials::none().with(&registry.host(), "me", PASSWORD));
    let before = server.log().len();
    for repository in ["a", "b", "c"] {
        client.manifest(&at(&registry.host(), &format!("{repository}:1"))).await.unwrap_err();
    }
    let with = server.log()[before..].iter().filter(|request| !request.authorization().is_empty()).count();
    assert_eq!(with, 1);
}

#[tokio::test]
async fn a_scope_as_the_registry_wants_it() {
    let server = tokens(300);
    let challenge =
        format!(r#"Bearer realm="http://{}/token",service="public.ecr.aws",scope="aws""#, server.host());
    let registry = Script::start(move |request, _| {
        if request.authorization() == "Bearer tok-aws" {
            good()
        } else {
            answer("401 Unauthorized", &[("WWW-Authenticate", &challenge)], b"")
        }
    });
    all(&client(Credentials::none()), &registry, 10, 5).await;
    assert_eq!(server.lines(), ["GET /token?service=public.ecr.aws&scope=aws"]);
}

#[tokio::test]
async fn github_tokens_are_for_ghcr_alone() {
    let server = tokens(300);
    let registry = bearer_registry(format!("http://{}/token", server.host()));
    let variables = || Variables::of([("GITHUB_TOKEN", PASSWORD), ("GITHUB_ACTOR", "me")]);
    for (name, sent) in [("ghcr.io", format!("Basic {ENCODED}")), ("quay.io", String::new())] {
        let mut settings = quick();
        settings.hosts.insert(name.to_owned(), registry.host());
        let client = Client::new(settings, Credentials::of(variables())).unwrap();
        client.manifest(&at(name, "a/b:1")).await.unwrap();
        assert_eq!(server.log().last().unwrap().authorization(), sent, "{name}");
    }
}

#[tokio::test]
async fn an_ecr_token_that_is_too_old_is_renewed() {
    let registry = Script::start(|request, before| match before {
        _ if request.authorization().is_empty() => basic(),
        2 => error(
            "403 Forbidden",
            "DENIED",
            "Your authorization token has expired. Reauthenticate and try again.",
        ),
        _ => good(),
    });
    // From a source that has another one when it is asked again.
    let config = format!(r#"{{"credHelpers":{{"{}":"next"}}}}"#, registry.host());
    let text = r#"cat > /dev/null; f="$(dirname "$0")/n"; echo x >> "$f"; echo "{\"Username\":\"AWS\",\"Secret\":\"token-$(wc -l < "$f" | tr -d ' ')\"}""#;
    let (_scratch, variables) = super::docker::docker(&config, &[("next", text)]);
    let client = client(Credentials::of(variables));
    client.manifest(&at(&registry.host(), "a/b:1")).await.unwrap();
    client.manifest(&at(&registry.host(), "a/b:2")).await.unwrap();
    assert_eq!(registry.log().len(), 4);
    let sent: BTreeSet<String> =
        registry.log()[1..].iter().map(super::script::Request::authorization).collect();
    assert_eq!(sent.len(), 2, "{sent:?}");
}

#[tokio::test]
async fn a_scope_under_another_name_is_learned_by_all() {
    // As behind a mirror: the registry knows its repositories under other names than it is asked for.
    let server = tokens(300);
    let realm = format!("http://{}/token", server.host());
    let registry = Script::start(move |request, _| {
        if request.authorization() == "Bearer tok-repository-mirror-org-app0-pull" {
            return good();
        }
        let value =
            format!(r#"Bearer realm="{realm}",service="s",scope="repository:mirror/org/app0:pull,push""#);
        answer("401 Unauthorized", &[("WWW-Authenticate", &value)], b"")
    });
    all(&client(Credentials::none().with(&registry.host(), "me", PASSWORD)), &registry, 20, 1).await;
    assert!(server.log().iter().all(|request| !request.path().contains("push")), "{:?}", server.lines());
    assert_eq!(server.log().len(), 1);
}

#[tokio::test]
async fn a_challenge_of_another_host_teaches_nothing() {
    let elsewhere = Script::start(|_, _| basic());
    let there = format!("http://{}/x", elsewhere.host());
    let registry = Script::start(move |request, _| match request.path().as_str() {
        "/v2/away/manifests/1" => answer("307 Temporary Redirect", &[("Location", &there)], b""),
        _ => good(),
    });
    let client = client(Credentials::none().with(&registry.host(), "me", PASSWORD));
    let failure = client.manifest(&at(&registry.host(), "away:1")).await.unwrap_err();
    assert!(failure.to_string().contains(&elsewhere.host()), "{failure}");
    client.manifest(&at(&registry.host(), "near:1")).await.unwrap();
    assert!(!format!("{}{}", registry.wire(), elsewhere.wire()).contains(ENCODED));
}
