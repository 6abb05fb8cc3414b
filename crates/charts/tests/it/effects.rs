//! What overrides do is judged by as few renders as it takes.

use std::sync::Arc;

use pullthru_charts::{JudgeRequest, Settings};
use pullthru_core::releases::ChartRef;
use pullthru_core::releases::overrides::{JudgedOverrides, WholeRelease};
use pullthru_core::releases::rendered::RenderReader;
use serde_json::{Value, json};

use crate::support::{charts, helm, path, release, runs, settings};

const CACHE: &str = "1.dkr.ecr.eu-west-1.amazonaws.com";

/// What stands for helm puts a registry and a repository together, and has a password of each run.
const SCRIPT: &str = "values=$(cat)\nvalue() { printf %s \"$values\" | sed -n \"s|.*\\\"$1\\\":\\\"\\([^\\\"]*\\)\\\".*|\\1|p\"; }\n\
    registry=$(value registry); image=$(value image)\n\
    printf 'kind: Pod\\napiVersion: v1\\nmetadata: {name: web, annotations: {password: \"%s\"}}\\n' \"$$\"\n\
    printf 'spec: {containers: [{name: web, image: \"%s/shop/web:1\"}, ' \"${registry:-quay.io}\"\n\
    printf '{name: side, image: \"%s\"}]}\\n' \"${image:-quay.io/shop/side:2}\"";

/// Judges the values of a release twice; gives what was found and how often helm ran, in both runs.
async fn judged(values: Value) -> (JudgedOverrides, usize, usize) {
    let [root, store, programs] = [(); 3].map(|()| tempfile::tempdir().unwrap());
    std::fs::create_dir_all(root.path().join("web/templates")).unwrap();
    for (name, text) in [
        ("Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n"),
        ("values.yaml", "registry: quay.io\nimage: quay.io/shop/side:2\nother: {registry: quay.io}\n"),
    ] {
        std::fs::write(root.path().join("web").join(name), text).unwrap();
    }
    let program = helm(programs.path(), SCRIPT);
    let request = JudgeRequest {
        reader: RenderReader::new(&[], &[CACHE.to_owned()]),
        cache_hosts: vec![CACHE.to_owned()],
        upstream: Arc::new(|_, image| {
            image.strip_prefix(CACHE)?.strip_prefix("/quay/").map(|rest| format!("quay.io/{rest}"))
        }),
    };
    let mut found = Vec::new();
    for _ in 0..2 {
        let settings = Settings { helm: Some(program.clone()), ..settings(root.path(), store.path()) };
        let release = release("web", ChartRef::Local(path("web")), values.clone());
        let whole = WholeRelease { release, has_chart_values: false };
        let id = whole.release.id.clone();
        let judged = charts(settings).judge_overrides(vec![whole], &request, || {}).await;
        found.push((judged[&id].clone(), runs(programs.path())));
    }
    let [(first, once), (second, twice)] = <[_; 2]>::try_from(found).unwrap();
    assert_eq!(first, second);
    (first, once, twice - once)
}

fn names(found: &JudgedOverrides) -> (Vec<String>, Vec<String>) {
    let stale = found.stale.keys().map(ToString::to_string).collect();
    (stale, found.freezing.iter().map(|(key, default)| format!("{key} {default}")).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_a_chart_knows_cost_no_render_of_their_own() {
    let values = json!({"registry": format!("{CACHE}/quay"), "other": {"registry": format!("{CACHE}/quay")}});
    let (found, once, again) = judged(values).await;
    assert_eq!((found, once, again), (JudgedOverrides::default(), 1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn values_that_a_chart_does_not_know_are_left_out_of_a_render() {
    let value = format!("{CACHE}/quay");
    let values = json!({"registry": value, "old": {"repository": value}, "older": {"repository": value}});
    let (found, once, again) = judged(values).await;
    assert_eq!(names(&found).0, ["old.repository", "older.repository"]);
    assert_eq!((once, again), (3, 0), "as it is, once more, and without both");
    // One of them is read under another name: the chart's pod has it.
    let values = json!({"old": {"repository": value}, "below": {"registry": value}});
    let (found, once, again) = judged(values).await;
    assert_eq!(names(&found).0, ["old.repository"]);
    assert_eq!((once, again), (5, 0), "and without each");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_beside_the_name_of_the_cache_is_compared_with_that_of_the_chart() {
    let of = |image: &str| json!({"image": format!("{CACHE}/quay/shop/{image}")});
    let (found, once, again) = judged(of("side:1")).await;
    assert_eq!((names(&found).1, once, again), (vec!["image quay.io/shop/side:2".to_owned()], 2, 0));
    let (found, once, _) = judged(of("ours:1")).await;
    assert_eq!((found, once), (JudgedOverrides::default(), 2), "another image");
}
