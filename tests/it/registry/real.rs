//! The client against real registries: Debian's docker-registry 2.8 and distribution 3, open, behind htpasswd,
//! behind a token server, in front of one another as a pull-through cache, and over TLS.
//!
//! `.ci/peers` installs them; `cargo test --test it -- --ignored registry_real_` asks them.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::time::{Duration, Instant, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use pullthru::image::Digest;
use pullthru::registry::{Client, Credentials, Failure, Kind, Network, Settings};

use super::script::{Script, answer};
use super::seed::{Server, authority, openssl, registries};
use super::{CONFIG, INDEX, LAYER, MANIFEST, at, index, manifest, name, sha256};
use crate::scratch::Scratch;

const AMD: &[u8] = br#"{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":[]}}"#;
const ARM: &[u8] = br#"{"os":"linux","architecture":"arm64","rootfs":{"type":"layers","diff_ids":[]}}"#;
const CHART: &str = "application/vnd.cncf.helm.config.v1+json";
const CHART_LAYER: &str = "application/vnd.cncf.helm.chart.content.v1.tar+gzip";

/// An index with two images under three tags, one image, one chart, one signature by its tag.
fn fill(server: &Server) -> Digest {
    let amd = manifest(CONFIG, AMD, LAYER, b"layer of amd64");
    let arm = manifest(CONFIG, ARM, LAYER, b"layer of arm64, longer");
    let top = index(&[("amd64", &amd), ("arm64", &arm)]);
    for blob in [AMD, ARM, b"layer of amd64", b"layer of arm64, longer"] {
        server.push_blob("org/app", blob);
    }
    for one in [&amd, &arm] {
        server.push_manifest("org/app", &sha256(one).to_string(), MANIFEST, one);
    }
    for tag in ["1.0", "1.1", "latest"] {
        server.push_manifest("org/app", tag, INDEX, &top);
    }
    server.push_manifest("org/app", "single", MANIFEST, &amd);
    server.push_blob("org/chart", b"{}");
    server.push_blob("org/chart", b"chart");
    server.push_manifest("org/chart", "6.5.0", MANIFEST, &manifest(CHART, b"{}", CHART_LAYER, b"chart"));
    let refers = index(&[("amd64", &amd)]);
    let fallback = format!("sha256-{}", sha256(&top).encoded());
    server.push_manifest("org/app", &fallback, INDEX, &refers);
    sha256(&top)
}

/// The same questions to every registry, whatever it takes to be let in.
async fn ask_everything(client: &Client, host: &str, top: &Digest) {
    let app = name(host, "org/app");
    for reference in ["org/app:1.0", &format!("org/app@{top}")] {
        assert_eq!(client.digest(&at(host, reference)).await.unwrap(), *top, "{reference}");
    }
    let head = client.head(&at(host, "org/app:latest")).await.unwrap();
    assert_eq!((head.digest.as_ref(), head.media_type.as_deref()), (Some(top), Some(INDEX)));
    let found = client.resolve(&at(host, "org/app:1.1")).await.unwrap();
    let platforms: Vec<_> = found.platforms.iter().map(|p| (p.name(), p.stored_size())).collect();
    let sizes = [AMD.len() as u64 + 14, ARM.len() as u64 + 22].map(Some);
    assert_eq!(platforms, [("linux/amd64".to_owned(), sizes[0]), ("linux/arm64".to_owned(), sizes[1])]);
    let single = client.resolve(&at(host, "org/app:single")).await.unwrap();
    assert_eq!((single.platforms[0].name().as_str(), single.is_index), ("linux/amd64", false));
    let chart = client.resolve(&at(host, "org/chart:6.5.0")).await.unwrap();
    assert_eq!(chart.kind, Some(Kind::HelmChart));
    let blob = client.blob(&app, &sha256(b"layer of amd64")).await.unwrap();
    assert_eq!(blob.size, 14);
    let refers = client.referrers(&app, top).await.unwrap();
    assert_eq!(refers.len(), 1);
    let missing = client.digest(&at(host, "org/app:nope")).await.unwrap_err();
    assert!(matches!(missing, Failure::NotFound(_)), "{missing}");
    assert_eq!(missing.detail().code.as_deref(), Some("MANIFEST_UNKNOWN"));
    let unknown = client.tags(&name(host, "org/nope")).await.unwrap_err();
    assert!(matches!(unknown, Failure::NotFound(_)), "{unknown}");
}

async fn tags(client: &Client, host: &str) {
    let mut tags = client.tags(&name(host, "org/app")).await.unwrap();
    tags.retain(|tag| !tag.starts_with("sha256-"));
    tags.sort();
    assert_eq!(tags, ["1.0", "1.1", "latest", "single"]);
}

#[tokio::test]
#[ignore = "needs target/peers"]
async fn registry_real_open() {
    for (_, program) in registries() {
        let scratch = Scratch::new(&[]);
        let server = Server::start(&program, scratch.path(), "", "");
        let top = fill(&server);
        let client = Client::new(Settings::default(), Credentials::none()).unwrap();
        ask_everything(&client, &server.host(), &top).await;
        tags(&client, &server.host()).await;
    }
}

#[tokio::test]
#[ignore = "needs target/peers"]
async fn registry_real_with_a_password() {
    for (_, program) in registries() {
        // bcrypt of `secret`, as `htpasswd -B` writes it.
        let line = b"AWS:$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n";
        let scratch = Scratch::new(&[("htpasswd", line)]);
        let top = fill(&Server::start(&program, scratch.path(), "", ""));
        let auth = format!(
            "auth: {{htpasswd: {{realm: r, path: '{}'}}}}\n",
            scratch.path().join("htpasswd").display()
        );
        let server = Server::start(&program, scratch.path(), "", &auth);
        let host = server.host();
        let client =
            Client::new(Settings::default(), Credentials::none().with(&host, "AWS", "secret")).unwrap();
        ask_everything(&client, &host, &top).await;
        tags(&client, &host).await;
        for credentials in [Credentials::none(), Credentials::none().with(&host, "AWS", "wrong-secret")] {
            let client = Client::new(Settings::default(), credentials).unwrap();
            let failure = client.digest(&at(&host, "org/app:1.0")).await.unwrap_err();
            assert!(matches!(failure, Failure::Unauthorized(_)), "{failure}");
            assert!(!failure.to_string().contains("wrong-secret"), "{failure}");
        }
    }
}

/// A token server as the distribution project describes one: RS256, signed by `openssl`, certificate in `x5c`.
/// The number is for how many seconds a token is good; the client reads 300.
fn token_server(directory: &Path) -> (Script, Arc<AtomicI64>) {
    let make = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=issuer -keyout token.key -out token.pem";
    openssl(directory, &make.split_whitespace().collect::<Vec<_>>());
    openssl(directory, &["x509", "-in", "token.pem", "-outform", "DER", "-out", "token.der"]);
    let certificate = STANDARD.encode(std::fs::read(directory.join("token.der")).unwrap());
    let key = directory.join("token.key");
    let lasts = Arc::new(AtomicI64::new(300));
    let shared = Arc::clone(&lasts);
    let script = Script::start(move |request, count| {
        let password = STANDARD.encode("me:secret");
        if !request.authorization().is_empty() && request.authorization() != format!("Basic {password}") {
            return answer("403 Forbidden", &[], br#"{"errors":[{"code":"DENIED","message":"denied"}]}"#);
        }
        let path = request.path();
        let scope = path.split("scope=").nth(1).unwrap_or_default().replace("%3A", ":").replace("%2F", "/");
        let parts: Vec<&str> = scope.split(':').collect();
        let lasts = shared.load(SeqCst);
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
        let header = format!(r#"{{"typ":"JWT","alg":"RS256","x5c":["{certificate}"]}}"#);
        let claims = format!(
            r#"{{"iss":"issuer","sub":"me","aud":"registry","exp":{},"nbf":{},"iat":{now},"jti":"{count}","access":[{{"type":"repository","name":"{}","actions":["pull"]}}]}}"#,
            now.saturating_add_signed(lasts),
            now - 5,
            parts.get(1).unwrap_or(&""),
        );
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let place = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(place.path(), &signed).unwrap();
        let signature = Command::new("openssl")
            .args(["dgst", "-sha256", "-sign"])
            .args([key.as_os_str(), place.path().as_os_str()])
            .output()
            .unwrap()
            .stdout;
        let token = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature));
        answer("200 OK", &[], format!(r#"{{"token":"{token}","expires_in":300}}"#).as_bytes())
    });
    (script, lasts)
}

fn token_auth(tokens: &Script, directory: &Path) -> String {
    format!(
        "auth: {{token: {{realm: 'http://{}/token', service: registry, issuer: issuer, rootcertbundle: '{}'}}}}\n",
        tokens.host(),
        directory.join("token.pem").display()
    )
}

#[tokio::test]
#[ignore = "needs target/peers"]
async fn registry_real_with_tokens() {
    for (which, program) in registries() {
        let scratch = Scratch::new(&[]);
        let top = fill(&Server::start(&program, scratch.path(), "", ""));
        let (tokens, lasts) = token_server(scratch.path());
        let server = Server::start(&program, scratch.path(), "", &token_auth(&tokens, scratch.path()));
        let host = server.host();
        let client =
            Client::new(Settings::default(), Credentials::none().with(&host, "me", "secret")).unwrap();
        ask_everything(&client, &host, &top).await;
        tags(&client, &host).await;
        assert!(client.notes().is_empty(), "{:?}", client.notes());
        assert_eq!(tokens.log().len(), 3, "{which}: one for each of org/app, org/chart, org/nope");
        // A bad login is reported, and the images are read without one.
        let stale = Client::new(Settings::default(), Credentials::none().with(&host, "me", "old")).unwrap();
        assert_eq!(stale.digest(&at(&host, "org/app:1.0")).await.unwrap(), top);
        assert_eq!(stale.notes().len(), 1);
        // A token that gets too old for the registry, which allows a minute for clocks that differ.
        lasts.store(-57, SeqCst);
        let before = tokens.log().len();
        let client = Client::new(Settings::default(), Credentials::none()).unwrap();
        client.digest(&at(&host, "org/app:1.0")).await.unwrap();
        lasts.store(300, SeqCst);
        tokio::time::sleep(Duration::from_secs(5)).await;
        client.digest(&at(&host, "org/app:1.1")).await.unwrap();
        client.digest(&at(&host, "org/app:1.0")).await.unwrap();
        assert_eq!(tokens.log().len() - before, 2, "{which}");
    }
}

#[tokio::test]
#[ignore = "needs target/peers"]
async fn registry_real_as_a_cache_of_another() {
    for (_, program) in registries() {
        let (behind, before) = (Scratch::new(&[]), Scratch::new(&[]));
        let upstream = Server::start(&program, behind.path(), "", "");
        let top = fill(&upstream);
        let proxy = format!("proxy: {{remoteurl: 'http://{}'}}\n", upstream.host());
        let cache = Server::start(&program, before.path(), "", &proxy);
        let client = Client::new(Settings::default(), Credentials::none()).unwrap();
        ask_everything(&client, &cache.host(), &top).await;
        // What was pulled is there without the upstream; what was not is missing.
        let host = cache.host();
        drop(upstream);
        client.manifest(&at(&host, &format!("org/app@{top}"))).await.unwrap();
        let failure = client.digest(&at(&host, "org/other:1")).await.unwrap_err();
        assert!(matches!(failure, Failure::NotFound(_) | Failure::Server(_)), "{failure}");
    }
}

#[tokio::test]
#[ignore = "needs target/peers"]
async fn registry_real_over_tls() {
    for (_, program) in registries() {
        let scratch = Scratch::new(&[]);
        authority(scratch.path());
        let top = fill(&Server::start(&program, scratch.path(), "", ""));
        let tls =
            format!("  tls: {{certificate: '{0}/tls.pem', key: '{0}/tls.key'}}\n", scratch.path().display());
        let server = Server::start(&program, scratch.path(), &tls, "");
        let port = server.host().rsplit(':').next().unwrap().to_owned();
        let settings = |file: Option<&str>, host: &str| {
            let mut settings =
                Settings { ca_file: file.map(|file| scratch.path().join(file)), ..Settings::default() };
            settings.hosts.insert("registry.example".to_owned(), format!("https://{host}:{port}"));
            settings.retries.attempts = 1;
            settings
        };
        for host in ["localhost", "127.0.0.1"] {
            let client = Client::new(settings(Some("ca.pem"), host), Credentials::none()).unwrap();
            ask_everything(&client, "registry.example", &top).await;
        }
        assert!(server.log().contains("HTTP/2.0"), "{}", server.log());
        assert!(!server.log().contains("HTTP/1.1"), "{}", server.log());
        // Another authority, and none.
        authority(&{
            let other = scratch.path().join("other");
            std::fs::create_dir(&other).unwrap();
            other
        });
        for file in [Some("other/ca.pem"), None] {
            let client = Client::new(settings(file, "localhost"), Credentials::none()).unwrap();
            let failure = client.digest(&at("registry.example", "org/app:1.0")).await.unwrap_err();
            assert!(matches!(failure, Failure::Network(_, Network::Tls)), "{failure}");
            assert!(failure.to_string().contains("--ca-file"), "{failure}");
        }
        // Plain HTTP to a TLS port gives nothing that could be taken for an answer.
        let client = Client::new(Settings::default(), Credentials::none()).unwrap();
        let failure = client.digest(&at(&format!("localhost:{port}"), "org/app:1.0")).await.unwrap_err();
        assert_eq!(failure.id(), "broken", "{failure}");
    }
}

/// The figures of `docs/dependencies.md`. Meant for a release build:
/// `cargo test --release --test it -- --ignored --nocapture registry_speed`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs target/peers; a measurement"]
async fn registry_speed() {
    const IMAGES: usize = 2000;
    let (which, program) = registries().remove(0);
    let scratch = Scratch::new(&[]);
    let server = Server::start(&program, scratch.path(), "", "");
    for repository in 0..10 {
        let repository = format!("org/app{repository}");
        server.push_blob(&repository, AMD);
        for tag in 0..20 {
            let layer = format!("layer {tag}");
            server.push_blob(&repository, layer.as_bytes());
            let bytes = manifest(CONFIG, AMD, LAYER, layer.as_bytes());
            server.push_manifest(&repository, &tag.to_string(), MANIFEST, &bytes);
        }
    }
    for concurrency in [1, 32, 64] {
        let settings = Settings { concurrency: Some(concurrency), ..Settings::default() };
        let client = Client::new(settings, Credentials::none()).unwrap();
        let (start, used) = (Instant::now(), cpu_seconds());
        digests(&client, &server.host(), IMAGES).await;
        let (wall, cpu) = (start.elapsed().as_secs_f64(), cpu_seconds() - used);
        println!(
            "{which}, concurrency {concurrency}: {:.0} digests/s, {:.2} ms of client CPU each",
            IMAGES as f64 / wall,
            cpu * 1000.0 / IMAGES as f64
        );
    }
    drop(server);
    let (tokens, _) = token_server(scratch.path());
    let server = Server::start(&program, scratch.path(), "", &token_auth(&tokens, scratch.path()));
    let client =
        Client::new(Settings { concurrency: Some(32), ..Settings::default() }, Credentials::none()).unwrap();
    digests(&client, &server.host(), 100).await;
    let requests = server.log().lines().filter(|line| line.contains("HTTP/1.1")).count();
    println!(
        "100 digests over 10 repositories: {} token requests, {requests} to the registry",
        tokens.log().len()
    );
    assert_eq!((tokens.log().len(), requests), (10, 101));
}

async fn digests(client: &Client, host: &str, count: usize) {
    let mut tasks = tokio::task::JoinSet::new();
    for image in 0..count {
        let place = at(host, &format!("org/app{}:{}", image % 10, image / 10 % 20));
        let client = client.clone();
        tasks.spawn(async move { client.digest(&place).await });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap().unwrap();
    }
}

/// User and system time of this process, from `/proc` in ticks of 10 ms.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    [11, 12].iter().filter_map(|&field| fields.get(field)?.parse::<f64>().ok()).sum::<f64>() / 100.0
}
