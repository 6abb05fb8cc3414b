//! Servers that misbehave: each case says what the client makes of it, and how often it asks.

use std::time::{Duration, Instant, SystemTime};

use pullthru_registry::{Broken, Client, Credentials, Failure, Network};

use super::script::{Act, Script, answer, bearer, bytes, error};
use super::support::{CONFIG, LAYER, MANIFEST, at, client, manifest, name, quick, sha256};

fn image() -> Vec<u8> {
    manifest(CONFIG, b"{}", LAYER, b"layer")
}

fn good() -> Act {
    answer("200 OK", &[("Content-Type", MANIFEST)], &image())
}

/// The failure of one GET of a manifest, and how many requests it took.
async fn failure(
    play: impl Fn(&super::script::Request, usize) -> Act + Send + Sync + 'static,
) -> (Failure, usize) {
    let script = Script::start(play);
    let failure = client(Credentials::none()).manifest(&at(&script.host(), "a/b:1")).await.unwrap_err();
    (failure, script.log().len())
}

fn kind(failure: &Failure) -> String {
    match failure {
        Failure::Network(_, kind) => format!("{kind:?}"),
        Failure::Broken(_, kind) => format!("{kind:?}"),
        other => other.id().to_owned(),
    }
}

#[tokio::test]
async fn one_500_and_then_fine() {
    let script = Script::start(|_, before| if before == 0 { answer("500 Oops", &[], b"") } else { good() });
    client(Credentials::none()).manifest(&at(&script.host(), "a/b:1")).await.unwrap();
    assert_eq!(script.log().len(), 2);
}

#[tokio::test]
async fn a_registry_that_stays_broken_is_given_up() {
    let (found, requests) = failure(|_, _| error("503 Down", "UNAVAILABLE", "maintenance")).await;
    assert_eq!((found.id(), requests), ("server", 3));
    assert_eq!(found.detail().message, "maintenance");
    assert!(found.is_transient());
    let (found, requests) = failure(|_, _| answer("501 No", &[], b"")).await;
    assert_eq!((found.id(), requests), ("server", 1));
}

#[tokio::test]
async fn a_connection_that_ends_in_the_middle_is_tried_again() {
    let cut = || {
        let mut whole = bytes("200 OK", &[], &image());
        whole.truncate(whole.len() - 50);
        Act::BytesThenClose(whole)
    };
    let script = Script::start(move |_, before| if before < 2 { cut() } else { good() });
    client(Credentials::none()).manifest(&at(&script.host(), "a/b:1")).await.unwrap();
    assert_eq!(script.log().len(), 3);
    let (found, requests) = failure(move |_, _| cut()).await;
    assert_eq!((kind(&found).as_str(), requests), ("Reset", 3));
    // A blob starts again from its beginning, and its hash too.
    let script = Script::start(|_, before| {
        if before == 0 {
            Act::BytesThenClose(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nlay".to_vec())
        } else {
            answer("200 OK", &[], b"layer")
        }
    });
    let read =
        client(Credentials::none()).blob(&name(&script.host(), "a/b"), &sha256(b"layer")).await.unwrap();
    assert_eq!((read.size, script.log().len()), (5, 2));
}

#[tokio::test]
async fn a_connection_that_is_reset_is_tried_again() {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    let server = std::thread::spawn(move || {
        for served in 0..3 {
            let (mut stream, _) = listener.accept().unwrap();
            if served < 2 {
                // What is left unread makes the kernel send a reset, not an end.
                stream.read_exact(&mut [0; 10]).unwrap();
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"schema").unwrap();
            } else {
                let _ = stream.read(&mut [0; 4096]).unwrap();
                stream.write_all(&bytes("200 OK", &[], &image())).unwrap();
            }
        }
    });
    client(Credentials::none()).manifest(&at(&host, "a/b:1")).await.unwrap();
    server.join().unwrap();
}

#[tokio::test]
async fn a_wrong_length_is_never_taken() {
    // Longer than said: what is read has another digest.
    let body = image();
    let digest = sha256(&body);
    let short = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len() - 5);
    let script = Script::start(move |_, _| Act::BytesThenClose([short.as_bytes(), &body].concat()));
    let place = at(&script.host(), &format!("a/b@{digest}"));
    let found = client(Credentials::none()).manifest(&place).await.unwrap_err();
    assert_eq!(kind(&found), "Digest");
    // Two lengths at once.
    let (found, _) = failure(|_, _| {
        Act::BytesThenClose(
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef".to_vec(),
        )
    })
    .await;
    assert!(matches!(found, Failure::Network(..) | Failure::Broken(..)), "{found}");
}

#[tokio::test]
async fn slow_servers_meet_a_time_limit() {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", image().len());
    let slow_head = || Act::Drip(Vec::new(), b"HTTP/1.1 200 OK".repeat(9), Duration::from_millis(50));
    let slow_body = move || Act::Drip(head.clone().into_bytes(), image(), Duration::from_millis(40));
    let silent = || Act::Silence(Duration::from_secs(60));
    let acts: [(Make, &str); 3] =
        [(Box::new(slow_head), "0.8 s"), (Box::new(silent), "0.8 s"), (Box::new(slow_body), "1.2 s")];
    let mut tasks = tokio::task::JoinSet::new();
    for (act, limit) in acts {
        tasks.spawn(limited(act, limit));
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

/// A layer may take its time, and a body that drips has an end all the same.
#[tokio::test]
async fn a_blob_that_drips_meets_a_limit() {
    let blob = vec![b'x'; 4_000];
    let digest = sha256(&blob);
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", blob.len());
    let script = Script::start(move |_, _| {
        Act::Drip(head.clone().into_bytes(), blob.clone(), Duration::from_millis(20))
    });
    let mut settings = quick();
    settings.timeouts.whole = Duration::from_millis(500);
    settings.retries.attempts = 1;
    let client = Client::new(settings, Credentials::none()).unwrap();
    let name = at(&script.host(), "a/b:1").name().clone();
    let found = client.blob(&name, &digest).await.unwrap_err();
    assert_eq!(kind(&found).as_str(), "Timeout");
    assert!(found.to_string().contains("the next 65536 bytes of the body took more than 0.5 s"), "{found}");
}

type Make = Box<dyn Fn() -> Act + Send + Sync>;

async fn limited(act: Make, limit: &'static str) {
    let script = Script::start(move |_, _| act());
    let mut settings = quick();
    settings.timeouts.first_byte = Duration::from_millis(800);
    settings.timeouts.whole = Duration::from_millis(1200);
    settings.retries.attempts = 2;
    let client = Client::new(settings, Credentials::none()).unwrap();
    let found = client.manifest(&at(&script.host(), "a/b:1")).await.unwrap_err();
    assert_eq!((kind(&found).as_str(), script.log().len()), ("Timeout", 2));
    assert!(found.to_string().contains(limit), "{found}");
}

#[tokio::test]
async fn a_body_with_another_digest_is_refused() {
    let other = sha256(b"other").to_string();
    let script = Script::start(move |_, _| answer("200 OK", &[("Docker-Content-Digest", &other)], &image()));
    let found = client(Credentials::none()).manifest(&at(&script.host(), "a/b:1")).await.unwrap_err();
    assert!(matches!(found, Failure::Broken(_, Broken::Digest)), "{found}");
    assert_eq!(script.log().len(), 1);
    let script = Script::start(|_, _| good());
    let pin = sha256(b"pinned");
    let found =
        client(Credentials::none()).manifest(&at(&script.host(), &format!("a/b:1@{pin}"))).await.unwrap_err();
    assert!(matches!(found, Failure::Broken(_, Broken::Digest)), "{found}");
    assert!(found.to_string().contains(&pin.to_string()), "{found}");
}

/// The manifests of `count` repositories, all at once; the failures.
async fn ask_for(client: &Client, script: &Script, count: usize) -> Vec<Failure> {
    let mut tasks = tokio::task::JoinSet::new();
    for image in 0..count {
        let (client, place) = (client.clone(), at(&script.host(), &format!("a/b{image}:1")));
        tasks.spawn(async move { client.manifest(&place).await });
    }
    let mut failures = Vec::new();
    while let Some(done) = tasks.join_next().await {
        failures.extend(done.unwrap().err());
    }
    failures
}

#[tokio::test]
async fn a_storm_of_429s_is_weathered() {
    // For a while everyone is turned away for a second.
    let first = std::sync::OnceLock::new();
    let script = Script::start(move |request, _| {
        if request.at - *first.get_or_init(|| request.at) < Duration::from_millis(1500) {
            answer("429 Too Many Requests", &[("Retry-After", "1")], b"")
        } else {
            good()
        }
    });
    let start = Instant::now();
    assert_eq!(ask_for(&client(Credentials::none()), &script, 40).await, []);
    assert!(start.elapsed() > Duration::from_millis(1500), "{:?}", start.elapsed());
    // The pause is kept by all: the first goes alone, and the second round is half as wide.
    let log = script.log();
    let early = log.iter().filter(|request| request.at - log[0].at < Duration::from_millis(950)).count();
    assert_eq!(early, 1);
    assert!(log.len() <= 40 + 1 + 8, "{}", log.len());
}

#[tokio::test]
async fn a_limit_that_no_answer_names_is_found() {
    // More than six at a time are turned away, without a word about when to come back.
    let inside = std::sync::atomic::AtomicUsize::new(0);
    let script = Script::start(move |_, _| {
        use std::sync::atomic::Ordering::SeqCst;
        let now = inside.fetch_add(1, SeqCst) + 1;
        std::thread::sleep(Duration::from_millis(10));
        inside.fetch_sub(1, SeqCst);
        if now > 6 { answer("429 Too Many Requests", &[], b"") } else { good() }
    });
    let mut settings = quick();
    settings.retries.attempts = 6;
    let client = Client::new(settings, Credentials::none()).unwrap();
    assert_eq!(ask_for(&client, &script, 300).await, []);
    let refused = script.log().len() - 300;
    assert!((1..150).contains(&refused), "{refused}");
}

#[tokio::test]
async fn retry_after_in_both_forms() {
    let date = |offset: i64| {
        let at =
            SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000_u64.saturating_add_signed(offset));
        httpdate(at)
    };
    // The server's clock is years behind: only the difference of its own two dates counts.
    let (now, then) = (date(0), date(1));
    let script = Script::start(move |_, before| {
        if before == 0 { answer("429 Slow", &[("Date", &now), ("Retry-After", &then)], b"") } else { good() }
    });
    let start = Instant::now();
    client(Credentials::none()).manifest(&at(&script.host(), "a/b:1")).await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(1), "{:?}", start.elapsed());
    // Too long to wait for: reported at once, with the time.
    let (found, requests) = failure(|_, _| {
        answer(
            "429 Slow",
            &[("Retry-After", "3600")],
            br#"{"errors":[{"code":"TOOMANYREQUESTS","message":"toomanyrequests: later"}]}"#,
        )
    })
    .await;
    assert_eq!((found.id(), requests), ("too-many-requests", 1));
    assert_eq!(found.detail().retry_after, Some(Duration::from_secs(3600)));
}

/// IMF-fixdate of RFC 9110 for the days around 2001-09-09 that the test uses.
fn httpdate(at: SystemTime) -> String {
    let seconds = at.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs() - 1_000_000_000;
    // 1,000,000,000 s is Sun, 09 Sep 2001 01:46:40 GMT.
    format!("Sun, 09 Sep 2001 01:46:{:02} GMT", 40 + seconds)
}

#[tokio::test]
async fn a_loop_of_401s_ends() {
    let (found, requests) = failure(|_, _| super::script::basic()).await;
    assert_eq!((found.id(), requests), ("unauthorized", 1));
    assert!(found.to_string().contains("PULLTHRU_AUTH_127_dot_0_dot_0_dot_1"), "{found}");

    let script = Script::start(|_, _| super::script::basic());
    let credentials = Credentials::none().with(&script.host(), "AWS", "hunter2");
    let found = client(credentials).manifest(&at(&script.host(), "a/b:1")).await.unwrap_err();
    assert_eq!(found.id(), "unauthorized");
    assert!(script.log().len() <= 3, "{}", script.log().len());
    assert!(!found.to_string().contains("hunter2"), "{found}");

    let tokens =
        Script::start(|_, before| answer("200 OK", &[], format!(r#"{{"token":"t{before}"}}"#).as_bytes()));
    let realm = format!("http://{}/token", tokens.host());
    let script = Script::start(move |_, _| bearer(&realm));
    let credentials = Credentials::none().with(&script.host(), "me", "hunter2");
    let found = client(credentials).manifest(&at(&script.host(), "a/b:1")).await.unwrap_err();
    assert_eq!(found.id(), "unauthorized");
    assert!(script.log().len() <= 4, "{:?}", script.lines());
    assert!(tokens.log().len() <= 3, "{:?}", tokens.lines());
}

#[tokio::test]
async fn redirects_that_lead_nowhere() {
    let found = |location: &'static str| async move {
        failure(move |request, before| {
            let next = location.replace("{n}", &before.to_string()).replace("{path}", &request.path());
            answer("302 Found", &[("Location", &next)], b"")
        })
        .await
    };
    let (failure, requests) = found("{path}").await;
    assert_eq!((kind(&failure).as_str(), requests), ("Redirect", 1));
    let (failure, requests) = found("/{n}").await;
    assert_eq!((kind(&failure).as_str(), requests), ("Redirect", 11));
    let (failure, _) = found("http://registry.example/").await;
    assert!(matches!(failure, Failure::Network(_, Network::Refused)), "{failure}");
    // Nothing but HTTP is followed, and a file of this machine least of all.
    for (location, scheme) in [("file:///etc/passwd", "file"), ("ftp://registry.example/", "ftp")] {
        let (failure, requests) = found(location).await;
        assert_eq!((kind(&failure).as_str(), requests), ("Redirect", 1));
        let said = format!("a redirect to `{scheme}:`, which is not followed: only HTTPS and HTTP are");
        assert!(failure.to_string().contains(&said), "{failure}");
    }
    let (failure, _) = found("http://[bad").await;
    assert_eq!(kind(&failure), "Redirect");
}

/// Where this machine has a way to the address, there is nothing to be seen of it.
#[tokio::test]
async fn a_host_without_a_route_is_said_to_have_none() {
    use std::io::ErrorKind;
    // The discard prefix (RFC 6666): nobody answers there.
    let gone = "[100::1]:5000";
    let wait = Duration::from_secs(2);
    let kind = std::net::TcpStream::connect_timeout(&gone.parse().unwrap(), wait).unwrap_err().kind();
    let found = client(Credentials::none()).manifest(&at(gone, "a/b:1")).await.unwrap_err();
    let has_none = matches!(kind, ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable);
    assert!(matches!(found, Failure::Network(..)) && found.is_transient(), "{found}");
    let said = "this network has no route to `[100::1]:5000`: is a VPN or a proxy (`HTTPS_PROXY`) missing?";
    assert_eq!(found.to_string().contains(said), has_none, "{kind}: {found}");
}

/// A registry that says how long to wait is quoted, where the wait is longer than ours.
#[tokio::test]
async fn the_wait_that_is_asked_for_is_shown() {
    let (found, requests) = failure(|_, _| answer("429 Slow", &[("Retry-After", "3600")], b"")).await;
    assert_eq!(requests, 1, "no second request within the hour");
    assert!(found.to_string().ends_with("was asked too often: 429, it asks to wait 60 min"), "{found}");
    let (found, _) = failure(|_, _| answer("503 Down", &[("Retry-After", "7200")], b"")).await;
    assert!(found.to_string().ends_with(": 503, it asks to wait 120 min"), "{found}");
}

#[tokio::test]
async fn bodies_that_are_too_large_are_not_read() {
    let fifty = 50 * 1024 * 1024;
    let declared = format!("HTTP/1.1 200 OK\r\nContent-Length: {fifty}\r\n\r\n{{");
    let (found, requests) = failure(move |_, _| Act::Bytes(declared.clone().into_bytes())).await;
    assert_eq!((kind(&found).as_str(), requests), ("TooLarge", 1));
    // Without a length, what comes is counted.
    let (found, _) = failure(move |_, _| {
        let mut body = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n".to_vec();
        body.resize(fifty, b' ');
        Act::BytesThenClose(body)
    })
    .await;
    assert_eq!(kind(&found), "TooLarge");
    assert!(found.to_string().contains("4194304"), "{found}");
}

#[tokio::test]
async fn malformed_answers_are_refused() {
    for body in ["", "{", "null", "[]", "<html>", r#"{"schemaVersion":2,"manifests":7}"#] {
        let (found, requests) = failure(move |_, _| answer("200 OK", &[], body.as_bytes())).await;
        assert!(matches!(found, Failure::Broken(_, Broken::Json | Broken::MediaType)), "{body}: {found}");
        assert_eq!(requests, 1);
    }
    let (found, _) = failure(|_, _| Act::BytesThenClose(b"SSH-2.0-OpenSSH_9.2\r\n\r\n".to_vec())).await;
    assert!(matches!(found, Failure::Broken(..) | Failure::Network(..)), "{found}");
    let (found, _) = failure(|_, _| answer("204 No Content", &[], b"")).await;
    assert_eq!(found.id(), "broken");
}

#[tokio::test]
async fn what_a_registry_says_is_made_safe() {
    let (found, _) = failure(|_, _| {
        error(
            "403 Forbidden",
            "DENIED",
            &format!("\\u001b[2J\\u202eevil\\r\\nfake: line {}", "x".repeat(9000)),
        )
    })
    .await;
    let text = found.to_string();
    assert!(!text.chars().any(char::is_control) && !text.contains('\u{202e}'), "{text:?}");
    assert!(text.len() < 600, "{}", text.len());
}

#[tokio::test]
async fn nobody_there() {
    let gone = { std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string() };
    let found = client(Credentials::none()).manifest(&at(&gone, "a/b:1")).await.unwrap_err();
    assert_eq!(kind(&found), "Connect");
    let found = client(Credentials::none()).manifest(&at("nothing.invalid", "a/b:1")).await.unwrap_err();
    assert!(
        matches!(found, Failure::Network(_, Network::Dns | Network::Connect | Network::Timeout)),
        "{found}"
    );
}

#[tokio::test]
async fn tls_where_there_is_none() {
    let script = Script::start(|_, _| good());
    let mut settings = quick();
    settings.hosts.insert("ghcr.io".to_owned(), format!("https://{}", script.host()));
    settings.timeouts.connect = Duration::from_millis(300);
    let client = Client::new(settings, Credentials::none()).unwrap();
    let found = client.manifest(&at("ghcr.io", "a/b:1")).await.unwrap_err();
    assert_eq!(found.id(), "network");
}

#[tokio::test]
async fn the_deadline_ends_everything() {
    let script = Script::start(|_, _| answer("429 Slow", &[("Retry-After", "60")], b""));
    let mut settings = quick();
    settings.retries.patience = Duration::from_secs(120);
    settings.deadline = Some(Duration::from_millis(300));
    let client = Client::new(settings, Credentials::none()).unwrap();
    let start = Instant::now();
    for _ in 0..3 {
        let found = client.manifest(&at(&script.host(), "a/b:1")).await.unwrap_err();
        assert_eq!(found.id(), "deadline");
    }
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    assert_eq!(script.log().len(), 1);
}

#[tokio::test]
async fn concurrency_is_kept() {
    let inside = std::sync::Arc::new(std::sync::Mutex::new((0_usize, 0_usize)));
    let counted = std::sync::Arc::clone(&inside);
    let script = Script::start(move |_, _| {
        {
            let mut inside = counted.lock().unwrap();
            inside.0 += 1;
            inside.1 = inside.1.max(inside.0);
        }
        std::thread::sleep(Duration::from_millis(20));
        counted.lock().unwrap().0 -= 1;
        good()
    });
    let mut settings = quick();
    settings.concurrency = Some(4);
    let client = Client::new(settings, Credentials::none()).unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let (client, place) = (client.clone(), at(&script.host(), "a/b:1"));
        tasks.spawn(async move { client.manifest(&place).await });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap().unwrap();
    }
    assert_eq!(inside.lock().unwrap().1, 4);
}
