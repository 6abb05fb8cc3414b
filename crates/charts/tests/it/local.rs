//! Charts of the repository, without network: what is rendered once, what is kept, and what a failure costs.

use std::fs;
use std::path::Path;

use pullthru_charts::{Failure, Settings};
use pullthru_core::releases::ChartRef;
use serde_json::json;

use crate::support::{charts, helm, no_values, path, release, render, runs, settings, with_api_versions};

fn write(root: &Path, name: &str, text: &str) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn local(name: &str) -> ChartRef {
    ChartRef::Local(path(name))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_render_is_kept_until_something_that_decides_changes() {
    let (root, bin, store) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(root.path(), "charts/web/Chart.yaml", "name: web\nversion: 1.2.3");
    write(root.path(), "charts/web/templates/a.yaml", "a");
    let program = helm(bin.path(), "cat; cat \"$chart/templates/a.yaml\"");
    let base = Settings { helm: Some(program), ..settings(root.path(), store.path()) };
    let one = release("web", local("charts/web"), json!({"a": 1}));
    let run = |settings: Settings, releases: Vec<_>| async move { render(&charts(settings), releases).await };
    let first = run(base.clone(), vec![one.clone(), one.clone(), one.clone()]).await;
    assert_eq!(runs(bin.path()), 1, "three equal releases are one render");
    assert!(first.iter().all(|outcome| outcome.rendered.as_deref() == Ok("{\"a\":1}a")));
    let chart = first[0].chart.as_ref().unwrap();
    assert_eq!(
        (chart.name.as_str(), chart.version.as_str(), chart.source.as_str()),
        ("web", "1.2.3", "charts/web")
    );
    assert!(chart.is_local && chart.asks.is_empty());

    assert_eq!(run(base.clone(), vec![one.clone()]).await, first[..1]);
    // An API version that the chart does not ask for.
    let with_api = Settings { capabilities: with_api_versions(&["a.example/v1"]), ..base.clone() };
    run(with_api.clone(), vec![one.clone()]).await;
    assert_eq!(runs(bin.path()), 1, "in the store");

    for (count, other) in [
        (2, release("web", local("charts/web"), json!({"a": 2}))),
        (3, release("other", local("charts/web"), json!({"a": 1}))),
        (
            4,
            pullthru_core::releases::Release { kubernetes_version: Some("1.30.0".to_owned()), ..one.clone() },
        ),
    ] {
        run(base.clone(), vec![other]).await;
        assert_eq!(runs(bin.path()), count);
    }
    write(root.path(), "charts/web/templates/a.yaml", "{{ .Capabilities.APIVersions.Has \"a.example/v1\" }}");
    let asks = run(base.clone(), vec![one.clone()]).await;
    assert!(!asks[0].chart.as_ref().unwrap().asks.is_empty());
    run(with_api, vec![one.clone()]).await;
    assert_eq!(runs(bin.path()), 6);
    // Another definition in the repository is nothing to it.
    let more = with_api_versions(&["a.example/v1", "b.example/v1"]);
    run(Settings { capabilities: more, ..base }, vec![one]).await;
    assert_eq!(runs(bin.path()), 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_release_that_fails_costs_itself() {
    let (root, bin, store) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(root.path(), "charts/web/Chart.yaml", "name: web\nversion: 1.2.3");
    write(root.path(), "charts/broken/Chart.yaml", "name: [");
    let program = helm(bin.path(), "case $(cat) in *bad*) echo 'Error: set `a`' >&2; exit 1;; esac; echo ok");
    let settings = Settings { helm: Some(program), ..settings(root.path(), store.path()) };
    let mut unknown = release("unknown", local("charts/web"), no_values());
    unknown
        .unknown
        .push(pullthru_core::releases::Gap::new(unknown.place.clone(), "replacements are not evaluated"));
    let releases = vec![
        release("good", local("charts/web"), no_values()),
        release("bad", local("charts/web"), json!({"bad": true})),
        release("gone", local("charts/gone"), no_values()),
        release("broken", local("charts/broken"), no_values()),
        release(
            "elsewhere",
            ChartRef::Git { url: "https://git.example/a".into(), path: "c".into(), revision: None },
            no_values(),
        ),
        unknown,
    ];
    let outcomes = render(&charts(settings), releases).await;
    let texts: Vec<String> = outcomes
        .iter()
        .map(|outcome| outcome.rendered.as_ref().map_or_else(|failure| failure.to_string(), Clone::clone))
        .collect();
    assert_eq!(texts[0], "ok\n");
    assert_eq!(texts[1], "helm cannot render it: set `a`");
    assert!(
        texts[2].starts_with("the chart `charts/gone` cannot be used: ")
            && texts[2].contains("cannot be read")
    );
    assert!(
        texts[3].starts_with("the chart `charts/broken` cannot be used: `Chart.yaml` is not valid: "),
        "{}",
        texts[3]
    );
    assert!(texts[4].contains("give a copy with `--chart-dir DIR`"));
    assert_eq!(texts[5], "replacements are not evaluated");
}

/// Take helm away, and every release is unknown, also those whose render is in the store.
#[tokio::test(flavor = "multi_thread")]
async fn without_helm_every_release_is_unknown() {
    let (root, bin, store) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(root.path(), "charts/web/Chart.yaml", "name: web\nversion: 1.2.3");
    let with = Settings { helm: Some(helm(bin.path(), "echo ok")), ..settings(root.path(), store.path()) };
    let releases = vec![release("web", local("charts/web"), no_values())];
    assert!(render(&charts(with), releases.clone()).await[0].rendered.is_ok());
    let without = Settings { path: Some("/nowhere".into()), ..settings(root.path(), store.path()) };
    let outcomes = render(&charts(without), releases).await;
    assert_eq!(outcomes[0].rendered, Err(Failure::NoHelm));
    assert!(Failure::NoHelm.to_string().contains("https://helm.sh/docs/intro/install/"));
}

/// What a chart of the repository needs is added to a copy: from beside it, as an archive, from `charts/`.
#[tokio::test(flavor = "multi_thread")]
async fn needed_charts_are_added_to_a_copy() {
    let (root, bin, store) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(
        root.path(),
        "charts/app/Chart.yaml",
        "name: app\nversion: 1.0.0\ndependencies:\n- {name: beside, version: 1.x, repository: 'file://../beside'}\n\
         - {name: inside, version: 1.x, repository: 'https://unused.example'}\n- {name: given, version: '2', repository: 'https://unused.example'}\n",
    );
    write(root.path(), "charts/app/charts/inside/Chart.yaml", "name: inside\nversion: 1.0.0");
    write(root.path(), "charts/beside/Chart.yaml", "name: beside\nversion: 1.4.0");
    let given = tempfile::tempdir().unwrap();
    write(given.path(), "given/Chart.yaml", "name: given\nversion: 2.0.0");
    let program = helm(bin.path(), "cd \"$chart\" && cat charts/*/Chart.yaml");
    let settings = Settings {
        helm: Some(program),
        chart_dirs: vec![given.path().to_owned()],
        ..settings(root.path(), store.path())
    };
    let charts = charts(settings);
    let outcomes = render(&charts, vec![release("app", local("charts/app"), no_values())]).await;
    let text = outcomes[0].rendered.as_ref().unwrap();
    for name in ["name: beside", "name: inside", "name: given"] {
        assert_eq!(text.matches(name).count(), 1, "{name} in {text}");
    }
    assert!(!root.path().join("charts/app/charts/given-1").exists(), "the repository is not touched");

    write(
        root.path(),
        "charts/evil/Chart.yaml",
        "name: evil\nversion: 1.0.0\ndependencies:\n- {name: x, version: 1.x, repository: 'file://../../../x'}\n",
    );
    write(root.path(), "../x/Chart.yaml", "name: x\nversion: 1.0.0");
    let outcomes = render(&charts, vec![release("evil", local("charts/evil"), no_values())]).await;
    let text = outcomes[0].rendered.as_ref().unwrap_err().to_string();
    assert!(text.contains("lies outside the repository"), "{text}");
    fs::remove_dir_all(root.path().join("../x")).unwrap();
}

/// Flux's `valuesFiles`: the first takes the place of the chart's `values.yaml`, the others are merged over it.
#[tokio::test(flavor = "multi_thread")]
async fn values_files_of_the_chart() {
    let (root, bin, store) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(root.path(), "web/Chart.yaml", "name: web\nversion: 1.2.3");
    for name in ["values", "values-a", "values-b"] {
        write(root.path(), &format!("web/{name}.yaml"), &format!("{name}\n"));
    }
    let program = helm(
        bin.path(),
        "cat \"$chart/values.yaml\"; for word; do case $word in */values-*) cat \"$word\";; esac; done",
    );
    let settings = Settings { helm: Some(program), ..settings(root.path(), store.path()) };
    let with = |files: &[&str]| pullthru_core::releases::Release {
        values_files: files.iter().map(|file| (*file).to_owned()).collect(),
        ..release("web", local("web"), no_values())
    };
    let releases = vec![
        with(&[]),
        with(&["values.yaml", "values-a.yaml"]),
        with(&["values-a.yaml", "values-b.yaml"]),
        with(&["../../secret.yaml"]),
        with(&["/etc/hostname"]),
        with(&["gone.yaml"]),
    ];
    let outcomes = render(&charts(settings), releases).await;
    let texts: Vec<_> = outcomes.iter().map(|outcome| outcome.rendered.clone().ok()).collect();
    assert_eq!(
        texts[..3],
        [Some("values\n"), Some("values\nvalues-a\n"), Some("values-a\nvalues-b\n")]
            .map(|text| text.map(str::to_owned))
    );
    assert_eq!(texts[3..], [None, None, None]);
}
