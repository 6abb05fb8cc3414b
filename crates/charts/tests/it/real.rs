//! The real helm, of both generations, as it is run here: without a cluster and without a network, and with the charts of a
//! corpus that brings what helm printed for them.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pullthru_charts::{Failure, Renew, Settings};
use pullthru_core::config::{Config, Overrides};
use pullthru_core::find::{Finder, Hosts};
use pullthru_core::inventory;
use pullthru_core::kustomize::Model;
use pullthru_core::releases::lock::ImageLock;
use pullthru_core::releases::rendered::RenderReader;
use pullthru_core::releases::{self, ChartRef, Release, Sources};
use pullthru_core::tree::{RepoPath, Repository, WalkOptions};
use serde_json::{Value, json};

use crate::support::{
    Files, charts, no_values, path, project, real_helms, release, render, settings, with_api_versions,
};

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A schema that names another one by URL is what makes helm go to a network; the control shows that it would.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs helm: .ci/peers"]
async fn helm_goes_to_no_network() {
    for program in real_helms() {
        let (root, store, files) =
            (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), Files::start(None));
        files.file("/schema.json", "{}");
        write(root.path(), "web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n");
        write(
            root.path(),
            "web/values.schema.json",
            &format!("{{\"$ref\": \"{}/schema.json\"}}", files.url()),
        );
        let template = "a: {{ getHostByName \"localhost\" | quote }}\nb: {{ lookup \"v1\" \"Pod\" \"\" \"\" | toJson }}\nc: {{ .Values.password }}\n";
        write(root.path(), "web/templates/a.yaml", template);

        let control =
            Command::new(&program).arg("template").arg("x").arg(root.path().join("web")).output().unwrap();
        assert!(control.status.success(), "{}", String::from_utf8_lossy(&control.stderr));
        assert!(!files.asked().is_empty(), "helm by itself asks for the schema");

        let before = files.asked().len();
        let settings = Settings { helm: Some(program), ..settings(root.path(), store.path()) };
        let one = release("web", ChartRef::Local(path("web")), json!({"password": "p"}));
        let outcomes = render(&charts(settings), vec![one]).await;
        let text = outcomes[0].rendered.as_ref().unwrap();
        assert!(text.ends_with("a: \"\"\nb: {}\nc: p\n"), "{text}");
        assert_eq!(files.asked().len(), before, "nobody was asked");
    }
}

/// The values that templates see: the chart's, those of a chart in it under its name, and the release's over them.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs helm: .ci/peers"]
async fn helm_merges_the_values() {
    for program in real_helms() {
        let store = tempfile::tempdir().unwrap();
        let settings = Settings { helm: Some(program), ..settings(&project(), store.path()) };
        let of = |name: &str, values: Value| {
            release("shop", ChartRef::Local(path(&format!("testdata/charts/{name}"))), values)
        };
        let charts = charts(settings);
        let values = json!({"replica": {"image": {"tag": "18"}}, "text": "a\nb #\"", "primary": {"image": {"tag": "19"}}});
        let merged = charts.values(&of("subchart-alias", values)).await.unwrap();
        assert_eq!(merged["replica"]["image"], json!({"repository": "quay.io/shop/db-replica", "tag": "18"}));
        assert_eq!(merged["primary"]["image"], json!({"repository": "quay.io/shop/db", "tag": "19"}));
        assert_eq!(merged["text"], "a\nb #\"");
        assert_eq!(
            charts.values(&of("helmignore", no_values())).await.unwrap(),
            json!({"image": "ghcr.io/shop/kept:1"})
        );
        let refused = charts.values(&of("companion", json!({"image": {"registry": "quay.io"}}))).await;
        assert!(refused.unwrap_err().to_string().contains("allowInsecureImages"));
    }
}

/// What a chart refuses is its release's finding, in helm's words; the Kubernetes version is always given.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs helm: .ci/peers"]
async fn helm_says_why_a_chart_is_refused() {
    for program in real_helms() {
        let (root, store) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        write(
            root.path(),
            "web/Chart.yaml",
            "apiVersion: v2\nname: web\nversion: 1.0.0\nkubeVersion: '>=1.30.0'\n",
        );
        let template = "{{ if .Values.bad }}{{ fail \"set `image.tag`\" }}{{ end }}kube: {{ .Capabilities.KubeVersion.Version }}\n\
                        has: {{ .Capabilities.APIVersions.Has \"a.example/v1\" }}\nname: {{ .Release.Name }}.{{ .Release.Namespace }}\n";
        write(root.path(), "web/templates/a.yaml", template);
        write(root.path(), "loop/Chart.yaml", "apiVersion: v2\nname: loop\nversion: 1.0.0\n");
        write(root.path(), "loop/templates/a.yaml", "a: {{ range until 1000000000 }}{{ . }}{{ end }}\n");
        let settings = Settings {
            helm: Some(program),
            helm_timeout: std::time::Duration::from_secs(5),
            capabilities: with_api_versions(&["a.example/v1"]),
            ..settings(root.path(), store.path())
        };
        let web = |values: Value| release("shop", ChartRef::Local(path("web")), values);
        let old = Release { kubernetes_version: Some("1.29.3".to_owned()), ..web(no_values()) };
        let endless = release("shop", ChartRef::Local(path("loop")), no_values());
        let outcomes =
            render(&charts(settings), vec![web(no_values()), web(json!({"bad": true})), old, endless]).await;
        let text = outcomes[0].rendered.as_ref().unwrap();
        assert!(text.ends_with("kube: v1.34.0\nhas: true\nname: shop.shop\n"), "{text}");
        let text = |at: usize| outcomes[at].rendered.as_ref().unwrap_err().to_string();
        assert!(
            text(1).contains("set `image.tag`") && text(1).contains("web/templates/a.yaml"),
            "{}",
            text(1)
        );
        assert!(text(2).contains("1.29.3"), "{}", text(2));
        // By the time limit, or by the limit of memory before it.
        assert!(outcomes[3].rendered.is_err());
        assert!(!matches!(outcomes[3].rendered, Err(Failure::Chart { .. })), "{}", text(3));
    }
}

/// The examples of the OpenTelemetry charts, whose authors have committed what helm printed for them. In all of these, the
/// images of containers are the lines that name one; and where the corpus has the whole chart, our render has the same images.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs helm: .ci/peers, and PULLTHRU_CORPUS"]
async fn helm_renders_the_corpus() {
    let Some(corpus) = std::env::var_os("PULLTHRU_CORPUS") else { return };
    let root = PathBuf::from(corpus).join("open-telemetry__opentelemetry-helm-charts");
    let reader = RenderReader::new(&[], &[]);
    let (mut releases, mut committed, mut read) = (Vec::new(), Vec::new(), 0);
    for example in examples(&root) {
        let chart = example.strip_prefix(&root).unwrap().components().take(2).collect::<PathBuf>();
        let is_whole = root.join(&chart).join("templates/_helpers.tpl").is_file();
        let chart = ChartRef::Local(RepoPath::new(chart.to_str().unwrap()).unwrap());
        let values = fs::read_to_string(example.join("values.yaml")).unwrap_or_default();
        let values: Value = serde_saphyr::from_str(&values).unwrap_or(Value::Null);
        let values = if values.is_null() { no_values() } else { values };
        let one = Release { namespace: "default".to_owned(), ..release("example", chart, values) };
        let text = text_below(&example.join("rendered"));
        let found = reader.read(&one, &text).images;
        let images: BTreeSet<&str> = found.iter().map(|one| one.image.as_str()).collect();
        for line in text.lines().map(str::trim) {
            let Some(image) = line.trim_start_matches("- ").strip_prefix("image: ") else { continue };
            let image = image.trim_matches(['"', '\'']);
            // Of names without a host only those in a Pod's own fields are images.
            assert!(
                images.contains(image) || !image.contains('/'),
                "{}: {image} of {images:?}",
                example.display()
            );
            read += usize::from(images.contains(image));
        }
        if is_whole && example.join("values.yaml").is_file() {
            committed.push(text);
            releases.push((example, one));
        }
    }
    assert!(read > 50, "only {read} images");
    println!("{read} places of images; {} examples with their whole chart", releases.len());
    for program in real_helms() {
        let store = tempfile::tempdir().unwrap();
        let settings =
            Settings { helm: Some(program.clone()), offline: true, ..settings(&root, store.path()) };
        let outcomes = render(&charts(settings), releases.iter().map(|(_, one)| one.clone()).collect()).await;
        let (mut same, mut unknown) = (0, BTreeSet::new());
        for (((example, one), outcome), committed) in releases.iter().zip(outcomes).zip(&committed) {
            let images = |text: &str| -> BTreeSet<String> {
                let found = reader.read(one, text).images;
                found
                    .into_iter()
                    .map(|one| format!("{} {} {}", one.image, one.role.as_str(), one.field))
                    .collect()
            };
            match outcome.rendered {
                Ok(text) => {
                    assert_eq!(images(&text), images(committed), "{}", example.display());
                    same += 1;
                }
                // Charts that nobody has brought are unknown, and nothing else is.
                Err(failure) => {
                    assert!(matches!(failure, Failure::Offline { .. }), "{}: {failure}", example.display());
                    unknown.insert(failure.to_string());
                }
            }
        }
        println!("{}: {same} of {} have the committed images", program.display(), releases.len());
        unknown.iter().for_each(|why| println!("  unknown: {why}"));
    }
}

/// The repositories of the corpus with releases, offline: what cannot be had is unknown, each with its reason.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs helm: .ci/peers, and PULLTHRU_CORPUS"]
async fn helm_renders_the_corpus_repositories() {
    let Some(corpus) = std::env::var_os("PULLTHRU_CORPUS") else { return };
    for name in ["bjw-s-labs__home-ops", "vehagn__homelab"] {
        let root = PathBuf::from(&corpus).join(name);
        let repository = Repository::at(&root).unwrap();
        let config = Config::load(None, &Overrides::default()).unwrap();
        let finder = Finder::new(Hosts::new(&config.upstream_hosts(), &config.cache_hosts()).unwrap());
        let inventory = inventory::take(&repository, &[], &WalkOptions::default(), &finder).unwrap();
        let releases = releases::of(&Model::new(&inventory, &config), &Sources::new(&repository));
        assert!(releases.len() > 5, "{name}: {}", releases.len());
        let store = tempfile::tempdir().unwrap();
        let settings =
            Settings { helm: Some(real_helms()[0].clone()), offline: true, ..settings(&root, store.path()) };
        let count = releases.len();
        let reader = RenderReader::new(&[], &[]);
        let renewed =
            charts(settings).renew_lock(releases, &ImageLock::default(), Renew::Stale, &reader, |_| ()).await;
        assert_eq!(renewed.rendered.len() + renewed.unknown.len(), count);
        println!("{name}: {count} releases, {} rendered", renewed.rendered.len());
        renewed.unknown.iter().for_each(|(id, failure)| println!("  {id}: {failure}"));
    }
}

fn examples(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for chart in fs::read_dir(root.join("charts")).unwrap() {
        let Ok(entries) = fs::read_dir(chart.unwrap().path().join("examples")) else { continue };
        found
            .extend(entries.map(|entry| entry.unwrap().path()).filter(|path| path.join("rendered").is_dir()));
    }
    found.sort();
    found
}

fn text_below(directory: &Path) -> String {
    let mut entries: Vec<PathBuf> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    let text = |path: PathBuf| {
        if path.is_dir() { text_below(&path) } else { format!("{}\n", fs::read_to_string(path).unwrap()) }
    };
    entries.into_iter().map(text).collect()
}
