//! Charts from a registry and from HTTP repositories on loopback: what is fetched how often, who is asked, and who is not.

use pullthru_charts::{Charts, Outcome, Settings};
use pullthru_core::releases::{ChartRef, Release, VersionRef};
use pullthru_registry::{Credentials, Variables};
use registry_sim::{Artifact, Blob, Store, Upstream, UpstreamSettings, digest_of};
use tempfile::TempDir;

use crate::support::{Answer, Files, charts_of, helm, no_values, packed, path, release, render, settings};

/// A repository, a store and a helm that prints the chart's version and values.
struct Place {
    root: TempDir,
    store: TempDir,
    bin: TempDir,
}

impl Place {
    fn new() -> Self {
        let new = || tempfile::tempdir().unwrap();
        Self { root: new(), store: new(), bin: new() }
    }

    fn settings(&self) -> Settings {
        let program = helm(self.bin.path(), "cat \"$chart/templates/image.yaml\"");
        Settings { helm: Some(program), ..settings(self.root.path(), self.store.path()) }
    }

    fn charts(&self, hosts: &[&str]) -> Charts {
        charts_of(self.settings(), hosts, Credentials::none())
    }
}

fn web(version: &str) -> Vec<u8> {
    packed("web", version, &[("templates/image.yaml", &format!("image of {version}"))])
}

fn oci(host: &str, version: VersionRef) -> Release {
    release("web", ChartRef::Oci { url: format!("oci://{host}/charts/web"), version }, no_values())
}

fn http(files: &Files, version: &str) -> Release {
    let version = VersionRef::of(Some(version));
    release(
        "web",
        ChartRef::Http { repository: format!("{}/charts", files.url()), name: "web".to_owned(), version },
        no_values(),
    )
}

fn texts(outcomes: &[Outcome]) -> Vec<String> {
    let text = |outcome: &Outcome| match &outcome.rendered {
        Ok(text) => text.clone(),
        Err(failure) => failure.to_string(),
    };
    outcomes.iter().map(text).collect()
}

/// A registry with versions 1.2.0, 1.10.0, 2.0.0-rc.1 and 1.11.0+build of a chart, and an image.
fn registry(settings: UpstreamSettings) -> Upstream {
    let mut store = Store::new();
    for (version, tag) in [
        ("1.2.0", "1.2.0"),
        ("1.10.0", "1.10.0"),
        ("2.0.0-rc.1", "2.0.0-rc.1"),
        ("1.11.0+build", "1.11.0_build"),
    ] {
        store.push("charts/web", &Artifact::chart_of("web", version, Blob::new(web(version))), [tag]);
    }
    store.push("charts/image", &registry_sim::Image::new("image").build(), ["1.0.0"]);
    Upstream::start(store, settings).unwrap()
}

/// An HTTP repository with two versions of a chart.
fn repository(login: Option<(&str, &str)>) -> Files {
    let files = Files::start(login);
    let (old, new) = (web("1.2.0"), web("1.10.0"));
    let digest = |bytes: &[u8]| digest_of(bytes).trim_start_matches("sha256:").to_owned();
    let index = format!(
        "apiVersion: v1\nentries:\n  web:\n  - {{version: 1.10.0, digest: {}, urls: ['{}/elsewhere/web.tgz']}}\n  - {{version: 1.2.0, \
         digest: {}, urls: [web-1.2.0.tgz]}}\n  - {{version: 1.1.0, digest: {}, urls: [web-1.2.0.tgz]}}\n",
        digest(&new),
        files.url(),
        digest(&old),
        digest(&new),
    );
    files.file("/charts/index.yaml", index);
    files.file("/elsewhere/web.tgz", new);
    files.file("/charts/web-1.2.0.tgz", old);
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_gives_versions_ranges_and_digests() {
    let (registry, place) = (registry(UpstreamSettings::default()), Place::new());
    let host = registry.host();
    let charts = place.charts(&[&host, &registry.storage_host()]);
    let digest = Artifact::chart_of("web", "1.2.0", Blob::new(web("1.2.0"))).manifest().digest().to_owned();
    let image =
        ChartRef::Oci { url: format!("oci://{host}/charts/image"), version: VersionRef::of(Some("1.0.0")) };
    let releases = vec![
        oci(&host, VersionRef::of(Some("1.2.0"))),
        oci(&host, VersionRef::of(Some("1.x"))),
        oci(&host, VersionRef::Latest),
        oci(&host, VersionRef::of(Some(">=2.0.0-0"))),
        oci(&host, VersionRef::of(Some("1.11.0+build"))),
        oci(&host, VersionRef::Digest(digest)),
        oci(&host, VersionRef::of(Some("3.0.0"))),
        oci(&host, VersionRef::of(Some("3.x"))),
        release("image", image, no_values()),
    ];
    let outcomes = render(&charts, releases).await;
    let texts = texts(&outcomes);
    assert_eq!(
        texts[..6],
        [
            "image of 1.2.0",
            "image of 1.11.0+build",
            "image of 1.11.0+build",
            "image of 2.0.0-rc.1",
            "image of 1.11.0+build",
            "image of 1.2.0"
        ]
    );
    assert!(texts[6].contains("is not there") && texts[6].contains("404"), "{}", texts[6]);
    assert!(texts[7].contains("none of its 4 versions is `3.x`"), "{}", texts[7]);
    assert!(texts[8].contains("is no Helm chart"), "{}", texts[8]);
    let chart = outcomes[1].chart.as_ref().unwrap();
    assert_eq!(
        (chart.version.as_str(), chart.source.as_str()),
        ("1.11.0+build", &*format!("oci://{host}/charts/web"))
    );
    assert_eq!(chart.digest, digest_of(&web("1.11.0+build")), "of the archive");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_gives_what_its_index_names() {
    let (files, place) = (repository(None), Place::new());
    let charts = place.charts(&[&files.host]);
    let releases = ["1.2.0", "^1.2.0", "", "1.1.0", "2.x"].map(|version| http(&files, version));
    let other = ChartRef::Http {
        repository: files.url() + "/charts/",
        name: "none".into(),
        version: VersionRef::Latest,
    };
    let outcomes =
        render(&charts, [releases.to_vec(), vec![release("none", other, no_values())]].concat()).await;
    let texts = texts(&outcomes);
    assert_eq!(texts[..3], ["image of 1.2.0", "image of 1.10.0", "image of 1.10.0"]);
    assert!(texts[3].contains("`index.yaml` has another digest"), "{}", texts[3]);
    assert!(texts[4].contains("none of its 3 versions is `2.x`"), "{}", texts[4]);
    assert!(texts[5].contains("the repository has no such chart"), "{}", texts[5]);
}

/// Each URL and version once, however many ask for it, in this run and in others at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn everything_is_fetched_once() {
    let (files, registry, place) =
        (repository(None), registry(UpstreamSettings { open: true, ..Default::default() }), Place::new());
    let hosts = [files.host.clone(), registry.host(), registry.storage_host()];
    let hosts: Vec<&str> = hosts.iter().map(String::as_str).collect();
    let releases = |_| {
        (0..10)
            .flat_map(|_| {
                [
                    http(&files, "1.x"),
                    http(&files, "1.10.0"),
                    oci(hosts[1], VersionRef::of(Some("1.2.0"))),
                    oci(hosts[1], VersionRef::Latest),
                ]
            })
            .collect::<Vec<_>>()
    };
    // Each with its own client and its own memory, as processes have.
    let settings = place.settings();
    let runs: Vec<_> = (0..4)
        .map(|number| {
            let charts = charts_of(settings.clone(), &hosts, Credentials::none());
            let releases = releases(number);
            tokio::spawn(async move { render(&charts, releases).await })
        })
        .collect();
    for run in runs {
        let outcomes = run.await.unwrap();
        assert!(outcomes.iter().all(|outcome| outcome.rendered.is_ok()), "{:?}", texts(&outcomes));
    }
    let mut asked = files.asked();
    asked.sort();
    assert_eq!(asked, ["/charts/index.yaml", "/elsewhere/web.tgz"]);
    let mut of_registry: Vec<String> = registry.log().into_iter().map(|request| request.path).collect();
    of_registry.retain(|path| !path.contains("/blobs/"));
    of_registry.sort();
    assert_eq!(
        of_registry,
        [
            "/v2/charts/web/manifests/1.11.0_build",
            "/v2/charts/web/manifests/1.2.0",
            "/v2/charts/web/tags/list"
        ]
    );

    // A later run asks nobody, and neither does one without a network.
    let before = files.asked().len() as u64 + registry.requests();
    let offline = Settings { offline: true, fresh: std::time::Duration::ZERO, ..settings };
    let charts = charts_of(offline, &hosts, Credentials::none());
    let missing = oci(hosts[1], VersionRef::of(Some("1.10.0")));
    let outcomes = render(&charts, [releases(0), vec![missing]].concat()).await;
    let (last, others) = outcomes.split_last().unwrap();
    assert!(others.iter().all(|outcome| outcome.rendered.is_ok()), "{:?}", texts(others));
    assert!(texts(std::slice::from_ref(last))[0].contains("`--offline` asks nobody"));
    assert_eq!(files.asked().len() as u64 + registry.requests(), before);
}

/// What the files of a repository say is fetched leads to no address that the user has not named, not by a redirect, and not
/// by an index.
#[tokio::test(flavor = "multi_thread")]
async fn only_named_hosts_of_this_machine_are_asked() {
    let (files, secret, place) = (repository(None), Files::start(None), Place::new());
    secret.file("/web.tgz", web("6.6.6"));
    secret.file("/charts/index.yaml", "entries: {web: [{version: 1.0.0, urls: [web.tgz]}]}");
    let index = format!(
        "entries:\n  moved: [{{version: 1.0.0, urls: [moved.tgz]}}]\n  elsewhere: [{{version: 1.0.0, urls: ['{}/web.tgz']}}]\n  metadata: \
         [{{version: 1.0.0, urls: ['http://169.254.169.254/latest/meta-data']}}]\n  private: [{{version: 1.0.0, urls: \
         ['https://10.0.0.1/x.tgz']}}]\n  file: [{{version: 1.0.0, urls: ['file:///etc/passwd']}}]\n",
        secret.url()
    );
    files.file("/evil/index.yaml", index);
    files.put("/evil/moved.tgz", Answer::Redirect(format!("{}/web.tgz", secret.url())));
    let of = |name: &str| {
        let chart = ChartRef::Http {
            repository: files.url() + "/evil",
            name: name.into(),
            version: VersionRef::Latest,
        };
        release("web", chart, no_values())
    };
    let releases = vec![
        of("moved"),
        of("elsewhere"),
        of("metadata"),
        of("private"),
        of("file"),
        http(&secret, ""),
        oci(&secret.host, VersionRef::of(Some("1.0.0"))),
        oci("localhost:1", VersionRef::of(Some("1.0.0"))),
        oci("10.0.0.1:5000", VersionRef::of(Some("1.0.0"))),
    ];
    let charts = place.charts(&[&files.host]);
    let found = texts(&render(&charts, releases).await);
    for text in found.iter().take(4).chain(found.iter().skip(5)) {
        assert!(text.contains("no address of the internet") && text.contains("name the host"), "{text}");
    }
    assert!(found[4].contains("only https:// and http:// are fetched"), "{}", found[4]);
    assert_eq!(secret.asked(), [""; 0], "nobody came");

    // Named, it is asked.
    let charts = place.charts(&[&files.host, &secret.host]);
    let found = texts(&render(&charts, vec![of("moved"), of("elsewhere")]).await);
    assert_eq!(found, ["image of 6.6.6", "image of 6.6.6"]);
}

/// Logins: of the variable for the host, and of helm's file for its repository; never for another host, and in no message.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_goes_to_its_own_host() {
    let (files, other, place) =
        (repository(Some(("me", "hunter2-secret"))), Files::start(None), Place::new());
    other.file("/web.tgz", web("1.10.0"));
    let hosts = [files.host.as_str(), other.host.as_str()];
    let variable = |password: &str| {
        let name = pullthru_registry::auth::variable_for(&files.host);
        Credentials::of(Variables::of([(name, format!("me:{password}"))]))
    };
    let one = || vec![http(&files, "1.2.0")];
    let without = texts(&render(&charts_of(place.settings(), &hosts, Credentials::none()), one()).await);
    assert!(without[0].contains("needs a login"), "{}", without[0]);
    let wrong = texts(&render(&charts_of(place.settings(), &hosts, variable("wrong-password")), one()).await);
    assert!(wrong[0].contains("needs a login") && !wrong[0].contains("wrong-password"), "{}", wrong[0]);
    let right = texts(&render(&charts_of(place.settings(), &hosts, variable("hunter2-secret")), one()).await);
    assert_eq!(right, ["image of 1.2.0"]);

    // The archive moves to another host, and the login stays.
    files.put("/charts/web-1.2.0.tgz", Answer::Redirect(format!("{}/web.tgz", other.url())));
    let index = format!(
        "entries: {{web: [{{version: 3.0.0, urls: ['{}/web.tgz']}}, {{version: 1.2.0, urls: [web-1.2.0.tgz]}}]}}",
        other.url()
    );
    files.file("/charts/index.yaml", index);
    let place = Place::new();
    let file = place.root.path().join("repositories.yaml");
    let text = format!(
        "repositories:\n- {{name: shop, url: '{}/charts', username: me, password: hunter2-secret}}\n",
        files.url()
    );
    std::fs::write(&file, text).unwrap();
    let settings = Settings { helm_repositories: Some(file), ..place.settings() };
    std::fs::create_dir_all(place.root.path().join("app")).unwrap();
    std::fs::write(
        place.root.path().join("app/Chart.yaml"),
        "name: app\nversion: 1.0.0\ndependencies:\n- {name: web, version: 1.2.0, repository: '@shop'}\n",
    )
    .unwrap();
    let app = release("app", ChartRef::Local(path("app")), no_values());
    let charts = charts_of(settings, &hosts, Credentials::none());
    let outcomes = render(&charts, vec![http(&files, "3.0.0"), http(&files, "1.2.0"), app]).await;
    assert_eq!(texts(&outcomes)[..2], ["image of 1.10.0", "image of 1.10.0"]);
    assert!(outcomes[2].chart.is_some(), "{:?}", outcomes[2]);
    assert!(other.requests().iter().all(|request| request.header("authorization").is_none()));
    assert!(!other.requests().is_empty());
}

/// One failing host costs its releases, and is not waited for again.
#[tokio::test(flavor = "multi_thread")]
async fn a_failing_host_costs_its_releases() {
    let (files, place) = (repository(None), Place::new());
    let gone = "127.0.0.1:1";
    let mut releases: Vec<Release> =
        (0..40).map(|number| oci(gone, VersionRef::of(Some(&format!("1.{number}.0"))))).collect();
    releases.push(http(&files, "1.2.0"));
    let of = |name: &str| {
        let chart = ChartRef::Http {
            repository: format!("http://{gone}"),
            name: name.into(),
            version: VersionRef::Latest,
        };
        release(name, chart, no_values())
    };
    releases.extend([of("one"), of("two")]);
    let begin = std::time::Instant::now();
    let outcomes = render(&place.charts(&[gone, &files.host]), releases).await;
    let texts = texts(&outcomes);
    assert!(
        texts[..40]
            .iter()
            .all(|text| text.contains("cannot be fetched") && text.contains("could not be reached"))
    );
    assert!(texts[7].contains("1.7.0"), "each names its own chart: {}", texts[7]);
    assert_eq!(texts[40], "image of 1.2.0");
    assert!(texts[41].contains("/one *`") && texts[42].contains("/two *`"), "{} {}", texts[41], texts[42]);
    assert!(begin.elapsed() < std::time::Duration::from_secs(20));
}
