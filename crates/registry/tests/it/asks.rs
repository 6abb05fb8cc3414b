//! Questions and answers when nothing goes wrong, as they are on the wire.

use pullthru_registry::{Client, Credentials, Kind, Settings};

use super::script::{Script, answer, error, head};
use super::support::{CONFIG, INDEX, LAYER, MANIFEST, at, client, index, manifest, name, quick, sha256};

const PLATFORM: &[u8] = br#"{"os":"linux","architecture":"arm64","variant":"v8"}"#;

fn image() -> Vec<u8> {
    manifest(CONFIG, PLATFORM, LAYER, b"layer")
}

#[tokio::test]
async fn head_then_get_with_all_four_types() {
    let body = image();
    let digest = sha256(&body);
    let said = digest.to_string();
    let script = Script::start(move |request, _| match request.line().as_str() {
        "HEAD /v2/a/b/manifests/1" => {
            head("200 OK", &[("Docker-Content-Digest", &said), ("Content-Type", MANIFEST)], 321)
        }
        // As ECR: no digest on HEAD here, and none on GET.
        "HEAD /v2/a/b/manifests/2" => head("200 OK", &[("Content-Type", MANIFEST)], 321),
        "GET /v2/a/b/manifests/2" => answer("200 OK", &[("Content-Type", MANIFEST)], &image()),
        other => panic!("{other}"),
    });
    let client = client(Credentials::none());
    let found = client.head(&at(&script.host(), "a/b:1")).await.unwrap();
    assert_eq!(found.digest.as_ref(), Some(&digest));
    assert_eq!((found.media_type.as_deref(), found.size), (Some(MANIFEST), Some(321)));
    assert_eq!(client.digest(&at(&script.host(), "a/b:1")).await.unwrap(), digest);
    assert_eq!(client.digest(&at(&script.host(), "a/b:2")).await.unwrap(), digest);
    assert_eq!(
        script.lines(),
        [
            "HEAD /v2/a/b/manifests/1",
            "HEAD /v2/a/b/manifests/1",
            "HEAD /v2/a/b/manifests/2",
            "GET /v2/a/b/manifests/2"
        ]
    );
    for request in script.log() {
        assert_eq!(
            request.header("accept").unwrap(),
            "application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, \
             application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json"
        );
        assert!(request.header("user-agent").unwrap().starts_with("pullthru/"));
        assert_eq!(request.authorization(), "");
    }
}

#[tokio::test]
async fn a_refused_head_is_explained_by_get() {
    let script = Script::start(|request, _| match request.line().split(' ').next().unwrap() {
        "HEAD" => head("404 Not Found", &[], 90),
        _ => error("404 Not Found", "NAME_UNKNOWN", "the repository is not here"),
    });
    let failure = client(Credentials::none()).digest(&at(&script.host(), "a/b:1")).await.unwrap_err();
    let detail = failure.detail();
    assert_eq!(
        (failure.id(), detail.status, detail.code.as_deref()),
        ("not-found", Some(404), Some("NAME_UNKNOWN"))
    );
    assert_eq!((detail.registry.as_str(), detail.repository.as_str()), (script.host().as_str(), "a/b"));
    assert_eq!(detail.message, "the repository is not here");
}

#[tokio::test]
async fn an_index_is_resolved_to_platforms_with_sizes() {
    let amd = manifest(CONFIG, b"{}", LAYER, b"four");
    let arm = manifest(CONFIG, b"{ }", LAYER, b"fives");
    let top = index(&[("amd64", &amd), ("arm64", &arm)]);
    let (top_digest, amd_digest, arm_digest) = (sha256(&top), sha256(&amd), sha256(&arm));
    let served = [
        ("1".to_owned(), top, INDEX),
        (amd_digest.to_string(), amd, MANIFEST),
        (arm_digest.to_string(), arm, MANIFEST),
    ];
    let script = Script::start(move |request, _| {
        let path = request.path();
        let asked = path.strip_prefix("/v2/a/b/manifests/").unwrap();
        let (_, body, media_type) = served.iter().find(|(key, ..)| key == asked).unwrap();
        answer("200 OK", &[("Content-Type", media_type)], body)
    });
    let client = client(Credentials::none());
    let place = at(&script.host(), "a/b:1");
    let seen = client.inspect(&place).await.unwrap();
    assert_eq!(script.log().len(), 1);
    assert!(seen.is_index && seen.platforms.iter().all(|platform| platform.content.is_none()));
    let found = client.resolve(&place).await.unwrap();
    assert_eq!((found.digest, found.media_type.as_str(), found.kind), (top_digest, INDEX, Some(Kind::Image)));
    let platforms: Vec<_> =
        found.platforms.iter().map(|p| (p.name(), p.digest.clone(), p.stored_size())).collect();
    assert_eq!(
        platforms,
        [("linux/amd64".to_owned(), amd_digest, Some(6)), ("linux/arm64".to_owned(), arm_digest, Some(8)),]
    );
    assert_eq!(script.log().len(), 4);
}

#[tokio::test]
async fn a_single_image_gets_its_platform_from_its_configuration() {
    let digest = sha256(PLATFORM);
    let script = Script::start(move |request, _| {
        if request.path() == format!("/v2/a/b/blobs/{digest}") {
            answer("200 OK", &[], PLATFORM)
        } else {
            answer("200 OK", &[("Content-Type", MANIFEST)], &image())
        }
    });
    let found = client(Credentials::none()).resolve(&at(&script.host(), "a/b:1")).await.unwrap();
    assert_eq!(found.platforms[0].name(), "linux/arm64/v8");
    assert_eq!((found.kind, found.is_index, script.log().len()), (Some(Kind::Image), false, 2));
}

#[tokio::test]
async fn a_chart_is_one_request() {
    let chart = manifest(
        "application/vnd.cncf.helm.config.v1+json",
        b"{}",
        "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
        b"c",
    );
    let script = Script::start(move |_, _| answer("200 OK", &[("Content-Type", MANIFEST)], &chart));
    let found =
        client(Credentials::none()).resolve(&at(&script.host(), "charts/podinfo:6.5.0")).await.unwrap();
    assert_eq!((found.kind, script.log().len()), (Some(Kind::HelmChart), 1));
}

#[tokio::test]
async fn tags_come_in_pages() {
    let script = Script::start(|request, _| match request.path().as_str() {
        "/v2/a/b/tags/list?n=1000" => answer(
            "200 OK",
            &[("Link", r#"</v2/a/b/tags/list?last=2&n=2>; rel="next""#)],
            br#"{"name":"a/b","tags":["1","2"]}"#,
        ),
        "/v2/a/b/tags/list?last=2&n=2" => answer("200 OK", &[], br#"{"name":"a/b","tags":["3","../bad"]}"#),
        "/v2/none/tags/list?n=1000" => answer("200 OK", &[], br#"{"name":"none","tags":null}"#),
        "/v2/away/tags/list?n=1000" => answer(
            "200 OK",
            &[("Link", r#"<http://127.0.0.1:1/v2/away/tags/list?n=1>; rel="next""#)],
            br#"{"tags":["1"]}"#,
        ),
        "/v2/round/tags/list?n=1000" | "/v2/round/tags/list?n=1" => {
            answer("200 OK", &[("Link", r#"<?n=1>; rel="next""#)], br#"{"tags":["1"]}"#)
        }
        other => panic!("{other}"),
    });
    let client = client(Credentials::none());
    assert_eq!(client.tags(&name(&script.host(), "a/b")).await.unwrap(), ["1", "2", "3"]);
    assert!(client.tags(&name(&script.host(), "none")).await.unwrap().is_empty());
    for path in ["away", "round"] {
        assert_eq!(client.tags(&name(&script.host(), path)).await.unwrap_err().id(), "broken", "{path}");
    }
}

#[tokio::test]
async fn referrers_by_the_api_or_by_the_tag() {
    let signature = manifest("application/vnd.cncf.notary.signature", b"{}", "application/jose+json", b"s");
    let list = index(&[("amd64", &signature)]);
    let subject = sha256(b"subject");
    let script = Script::start({
        let subject = subject.clone();
        move |request, _| {
            let path = request.path();
            if path == format!("/v2/with/referrers/{subject}") {
                return answer("200 OK", &[("Content-Type", INDEX)], &list);
            }
            if path == format!("/v2/without/manifests/sha256-{}", subject.encoded()) {
                return answer("200 OK", &[("Content-Type", INDEX)], &list);
            }
            answer("404 Not Found", &[], b"404 page not found")
        }
    });
    let client = client(Credentials::none());
    for (path, count) in [("with", 1), ("without", 1), ("neither", 0)] {
        let found = client.referrers(&name(&script.host(), path), &subject).await.unwrap();
        assert_eq!(found.len(), count, "{path}");
    }
}

#[tokio::test]
async fn a_blob_is_hashed_and_its_place_reported() {
    let store = Script::start(|_, _| answer("200 OK", &[], b"layer"));
    let there = format!("http://{}/bucket/x?signature=s3cr3t", store.host());
    let script = Script::start(move |_, _| answer("307 Temporary Redirect", &[("Location", &there)], b""));
    let client = client(Credentials::none());
    let read = client.blob(&name(&script.host(), "a/b"), &sha256(b"layer")).await.unwrap();
    assert_eq!((read.size, read.from), (5, store.host()));
    let failure = client.blob(&name(&script.host(), "a/b"), &sha256(b"other")).await.unwrap_err();
    assert_eq!(failure.id(), "broken");
    assert!(!failure.to_string().contains("s3cr3t"), "{failure}");
}

#[tokio::test]
async fn a_registry_may_be_served_elsewhere() {
    let script = Script::start(|_, _| answer("200 OK", &[], &image()));
    let mut settings = quick();
    settings.hosts.insert("docker.io".to_owned(), script.host());
    let client = Client::new(settings, Credentials::none()).unwrap();
    client.manifest(&at("docker.io", "nginx:1")).await.unwrap();
    assert_eq!(script.lines(), ["GET /v2/library/nginx/manifests/1"]);
}

#[test]
fn settings_that_cannot_be_used_are_refused() {
    let scratch = crate::scratch::Scratch::new(&[("empty.pem", b"no certificate")]);
    for (file, words) in [("empty.pem", "holds no certificate"), ("missing.pem", "cannot be read")] {
        let settings = Settings { ca_file: Some(scratch.path().join(file)), ..quick() };
        let error = Client::new(settings, Credentials::none()).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let mut settings = quick();
    settings.hosts.insert("ghcr.io".to_owned(), "not a host".to_owned());
    assert!(Client::new(settings, Credentials::none()).is_err());
}

#[tokio::test]
async fn without_the_feature_ecr_is_explained() {
    let registry = "123456789012.dkr.ecr.ca-central-1.amazonaws.com";
    let failure = client(Credentials::none()).cached(&at(registry, "ghcr/a/b:1")).await.unwrap_err();
    assert_eq!(failure.id(), "unauthorized");
    assert!(failure.to_string().contains("this build has no AWS support"), "{failure}");
    assert!(failure.to_string().contains("PULLTHRU_AUTH_123456789012_dot_DKR_dot_ECR"), "{failure}");
}
