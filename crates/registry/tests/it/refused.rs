//! A login that is refused is tried once, whatever the number of images, of requests at a time, and the kind of login:
//! accounts get locked by more. 37 images, as somebody's cluster had them.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pullthru_registry::{Client, Credentials, Failure, Settings, Variables};

use super::docker::docker;
use super::logins::{ENCODED, PASSWORD, bearer_registry, good};
use super::script::{Act, Request, Script, answer, basic, error};
use super::support::{at, quick};

const IMAGES: usize = 37;

/// A server that takes its time, so that requests overlap.
fn slow(play: impl Fn(&Request) -> Act + Send + Sync + 'static) -> Script {
    Script::start(move |request, _| {
        std::thread::sleep(Duration::from_millis(15));
        play(request)
    })
}

fn with_login(script: &Script) -> usize {
    script.log().iter().filter(|request| is_login(request)).count()
}

fn is_login(request: &Request) -> bool {
    request.raw.contains(ENCODED) || request.raw.contains("refresh-me")
}

fn own(host: &str) -> Credentials {
    Credentials::none().with(host, "me", PASSWORD)
}

/// Asks for all images at the same time, of so many repositories; what came of each.
async fn ask(client: &Client, host: &str, repositories: usize) -> Vec<Result<(), Failure>> {
    let mut tasks = tokio::task::JoinSet::new();
    for image in 0..IMAGES {
        let place = at(host, &format!("org/app{}:{image}", image % repositories));
        let client = client.clone();
        tasks.spawn(async move { client.manifest(&place).await.map(|_| ()) });
    }
    tasks.join_all().await
}

fn clients(credentials: &Credentials) -> Vec<Client> {
    [None, Some(1), Some(8), Some(64)]
        .map(|concurrency| Client::new(Settings { concurrency, ..quick() }, credentials.clone()).unwrap())
        .into()
}

/// Every failure says where the login came from, and so does one note.
fn assert_refused(client: &Client, results: &[Result<(), Failure>], source: &str) {
    for result in results {
        let failure = result.as_ref().unwrap_err();
        assert!(matches!(failure, Failure::Unauthorized(_) | Failure::Denied(_)), "{failure}");
        assert!(failure.to_string().contains(&format!("the login from {source} was refused")), "{failure}");
    }
    let notes: Vec<String> = client.notes().iter().map(ToString::to_string).collect();
    assert!(notes.len() == 1 && notes[0].contains(&format!("from {source} was refused (401")), "{notes:?}");
}

#[tokio::test]
async fn a_password_that_basic_refuses_is_tried_once() {
    for concurrency in [None, Some(1), Some(8), Some(64)] {
        let registry = slow(|_| basic());
        let settings = Settings { concurrency, ..quick() };
        let client = Client::new(settings, own(&registry.host())).unwrap();
        let results = ask(&client, &registry.host(), 10).await;
        assert_refused(&client, &results, "the caller");
        assert_eq!(with_login(&registry), 1, "{concurrency:?}");
        // One asked twice, the others once and without.
        assert_eq!(registry.log().len(), IMAGES + 1);
        ask(&client, &registry.host(), 10).await;
        assert_eq!(with_login(&registry), 1, "{concurrency:?}");
    }
}

#[tokio::test]
async fn wherever_the_password_came_from() {
    let registry = slow(|_| basic());
    let host = registry.host();
    let variable = pullthru_registry::auth::variable_for(&host);
    let of_variable = Variables::of([(variable.clone(), format!("me:{PASSWORD}"))]);
    let inline = format!(r#"{{"auths":{{"{host}":{{"auth":"{ENCODED}"}}}}}}"#);
    let (files, of_file) = docker(&inline, &[]);
    let helper = format!(r#"{{"credHelpers":{{"{host}":"same"}}}}"#);
    let text = format!(r#"cat > /dev/null; echo '{{"Username":"me","Secret":"{PASSWORD}"}}'"#);
    let (_programs, of_helper) = docker(&helper, &[("same", &text)]);
    let file = files.path().join("docker/config.json").display().to_string();
    for (variables, source) in [
        (of_variable, format!("`{variable}`")),
        (of_file, format!("`{file}`")),
        (of_helper, "`docker-credential-same`".to_owned()),
    ] {
        for client in clients(&Credentials::of(variables)) {
            let before = with_login(&registry);
            let results = ask(&client, &host, 10).await;
            assert_refused(&client, &results, &source);
            assert_eq!(with_login(&registry) - before, 1, "{source}");
        }
    }
}

#[tokio::test]
async fn a_good_password_is_not_waited_for() {
    let registry = slow(|request| if request.authorization().is_empty() { basic() } else { good() });
    let client = Client::new(Settings { concurrency: Some(64), ..quick() }, own(&registry.host())).unwrap();
    let results = ask(&client, &registry.host(), 10).await;
    assert!(results.iter().all(Result::is_ok));
    assert_eq!((registry.log().len(), with_login(&registry)), (IMAGES + 1, IMAGES));
}

#[tokio::test]
async fn public_images_are_had_without_a_password_that_is_refused() {
    let registry = slow(|request| match request.path().contains("/app0/") {
        true if request.authorization().is_empty() => good(),
        _ => basic(),
    });
    for client in clients(&own(&registry.host())) {
        let before = with_login(&registry);
        // A registry that asks for a login first, and then has a public image.
        client.manifest(&at(&registry.host(), "org/app1:1")).await.unwrap_err();
        let results = ask(&client, &registry.host(), 2).await;
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), IMAGES.div_ceil(2));
        assert_eq!(with_login(&registry) - before, 1);
    }
}

#[tokio::test]
async fn a_token_server_is_shown_a_password_that_it_refuses_once() {
    for (status, body, repositories, most) in [
        // Nobody may read, and the server says that the login is bad.
        ("401 Unauthorized", None, 37, 1),
        ("401 Unauthorized", None, 1, 1),
        // Everybody may read without the login: it is no good to anybody, whatever the server calls it.
        ("403 Forbidden", Some(r#"{"token":"tok-1"}"#), 37, 1),
        ("401 Unauthorized", Some(r#"{"token":"tok-1"}"#), 37, 1),
        // The server does not say whether it is the login or the repository: once for each repository.
        ("403 Forbidden", None, 37, 37),
        ("403 Forbidden", None, 5, 5),
    ] {
        for concurrency in [None, Some(1), Some(8), Some(64)] {
            let server = slow(move |request| match body {
                Some(body) if request.authorization().is_empty() => answer("200 OK", &[], body.as_bytes()),
                _ if request.authorization().is_empty() => {
                    error("401 Unauthorized", "UNAUTHORIZED", "log in")
                }
                _ => error(status, "DENIED", "denied"),
            });
            let registry = bearer_registry(format!("http://{}/token", server.host()));
            let settings = Settings { concurrency, ..quick() };
            let client = Client::new(settings, own(&registry.host())).unwrap();
            let results = ask(&client, &registry.host(), repositories).await;
            assert_eq!(results.iter().all(Result::is_ok), body.is_some());
            for failure in results.iter().filter_map(|result| result.as_ref().err()) {
                assert!(failure.to_string().contains("the login from the caller was refused"), "{failure}");
            }
            assert_eq!(with_login(&server), most, "{status} {repositories} {concurrency:?}");
            let scopes: BTreeSet<String> =
                server.log().iter().filter(|request| is_login(request)).map(Request::path).collect();
            assert_eq!(scopes.len(), most, "no scope twice");
            let notes = client.notes();
            assert_eq!(notes.len(), usize::from(most == 1), "{notes:?}");
        }
    }
}

#[tokio::test]
async fn an_identity_token_that_is_refused_is_sent_once() {
    let server = slow(|request| match request.line().starts_with("POST") {
        true => answer("400 Bad Request", &[], br#"{"error":"invalid_grant"}"#),
        false => error("401 Unauthorized", "UNAUTHORIZED", "log in"),
    });
    let registry = bearer_registry(format!("http://{}/token", server.host()));
    let config = format!(
        r#"{{"auths":{{"{}":{{"auth":"{ENCODED}","identitytoken":"refresh-me"}}}}}}"#,
        registry.host()
    );
    let (_scratch, variables) = docker(&config, &[]);
    for client in clients(&Credentials::of(variables)) {
        let before = with_login(&server);
        let results = ask(&client, &registry.host(), 37).await;
        assert!(results.iter().all(Result::is_err));
        assert_eq!(with_login(&server) - before, 1);
    }
}

#[tokio::test]
async fn a_token_of_the_registry_that_is_refused_is_sent_once() {
    let server = slow(|_| error("401 Unauthorized", "UNAUTHORIZED", "log in"));
    let realm = format!("http://{}/token", server.host());
    let registry = slow(move |_| super::script::bearer(&realm));
    let config = format!(r#"{{"auths":{{"{}":{{"registrytoken":"refresh-me"}}}}}}"#, registry.host());
    let (_scratch, variables) = docker(&config, &[]);
    for client in clients(&Credentials::of(variables)) {
        let before = with_login(&registry);
        let results = ask(&client, &registry.host(), 10).await;
        assert!(results.iter().all(Result::is_err));
        assert_eq!(with_login(&registry) - before, 1);
        assert!(!server.wire().contains("refresh-me"));
    }
}

#[tokio::test]
async fn tokens_that_are_refused_are_not_asked_for_again() {
    let server = Script::start(|request, before| {
        let who = if request.authorization().is_empty() { "anonymous" } else { "login" };
        answer("200 OK", &[], format!(r#"{{"token":"{who}-{before}"}}"#).as_bytes())
    });
    let realm = format!("http://{}/token", server.host());
    let registry = Script::start(move |request, _| {
        if request.authorization().starts_with("Bearer anonymous") {
            good()
        } else {
            super::script::bearer(&realm)
        }
    });
    let client = Client::new(Settings { concurrency: Some(1), ..quick() }, own(&registry.host())).unwrap();
    let results = ask(&client, &registry.host(), 1).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert!(with_login(&server) <= 2, "{:?}", server.lines());
    assert_eq!(client.notes().len(), 1, "{:?}", client.notes());
}

#[tokio::test]
async fn one_repository_that_a_good_password_may_not_read_costs_the_others_nothing() {
    let registry = slow(|request| match request.path().contains("/app3/") {
        false if !request.authorization().is_empty() => good(),
        _ => basic(),
    });
    for client in clients(&own(&registry.host())) {
        client.manifest(&at(&registry.host(), "org/app0:first")).await.unwrap();
        let before = registry.log().len();
        let results = ask(&client, &registry.host(), 37).await;
        assert_eq!(results.iter().filter(|result| result.is_err()).count(), 1);
        let refused =
            registry.log()[before..].iter().filter(|r| r.path().contains("/app3/") && is_login(r)).count();
        assert_eq!(refused, 1);
    }
}

#[tokio::test]
async fn a_password_that_ends_in_the_middle_is_given_up() {
    let good_for = std::sync::Arc::new(AtomicUsize::new(10));
    let left = std::sync::Arc::clone(&good_for);
    let registry = slow(move |request| {
        let is_good = is_login(request)
            && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if is_good { good() } else { basic() }
    });
    let client = Client::new(quick(), own(&registry.host())).unwrap();
    for image in 0..IMAGES {
        let result = client.manifest(&at(&registry.host(), &format!("org/app{image}:1"))).await;
        assert_eq!(result.is_ok(), image < 10, "{image}");
    }
    // Three in a row: one may be of a repository that it may not read.
    assert_eq!(with_login(&registry), 10 + 3);
}

#[tokio::test]
async fn a_fault_is_no_refusal() {
    let registry = Script::start(|request, before| match before {
        _ if request.authorization().is_empty() => basic(),
        1 => answer("503 Service Unavailable", &[], b""),
        _ => good(),
    });
    let client = Client::new(quick(), own(&registry.host())).unwrap();
    let results = ask(&client, &registry.host(), 10).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
}
