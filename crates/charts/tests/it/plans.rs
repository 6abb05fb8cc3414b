//! Plans of overrides end, whatever the repository does.

use std::cell::Cell;
use std::sync::Arc;

use pullthru_charts::{EditedTexts, OverrideRequest, Route, Settings};
use pullthru_core::releases::rendered::RenderReader;
use pullthru_core::releases::{ChartRef, Sources, VersionRef};
use pullthru_core::tree::Repository;

use crate::keys;
use crate::support::{charts, helm, no_values, packed, path, release, settings};

/// A release that is another one each time it is evaluated, with nothing written at all: a file that changes meanwhile.
#[tokio::test]
async fn a_plan_ends_where_releases_change_by_themselves() {
    let (root, store) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let repository = Repository::at(root.path()).unwrap();
    let releases = [release("web", ChartRef::Local(path("web")), no_values())];
    let evaluated = Cell::new(0);
    let evaluate = |_: &_| {
        evaluated.set(evaluated.get() + 1);
        assert!(evaluated.get() < 10, "the plan does not end");
        Vec::new()
    };
    let route: Route = Arc::new(|_, _| None);
    let request = OverrideRequest {
        releases: &releases,
        wanted: &|_| false,
        sources: &Sources::new(&repository),
        may_write: &|_| true,
        evaluate: &evaluate,
        reader: &RenderReader::new(&[], &[]),
        route: &route,
        kustomization: &|_| None,
        is_built: &|_, _| false,
        in_added: &|_| EditedTexts::default(),
        allow_frozen_tags: false,
    };
    let plan = charts(settings(root.path(), store.path())).plan_overrides(&request, || {}).await;
    assert!(plan.files.is_empty() && plan.releases.is_empty(), "{plan:?}");
}

/// What stands for helm prints another time from its fourth run on: a clock that stood still in the first renders.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_clock_decides_is_no_difference() {
    let (root, store, programs) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::create_dir_all(root.path().join("web/templates")).unwrap();
    std::fs::write(root.path().join("web/Chart.yaml"), "apiVersion: v2\nname: web\nversion: 1.0.0\n")
        .unwrap();
    let script = "values=$(cat)\nruns=$(wc -l < \"${0%/*}/runs\")\n[ \"$runs\" -gt 3 ] && time=later || time=now\n\
        registry=$(printf %s \"$values\" | sed -n 's/.*\"registry\":\"\\([^\"]*\\)\".*/\\1/p')\n\
        printf '#pullthru-values:{\"registry\":\"%s\"}\\n' \"${registry:-quay.io}\"\n\
        printf 'kind: Pod\\napiVersion: v1\\nmetadata: {name: web, annotations: {made: %s}}\\n' \"$time\"\n\
        printf 'spec: {containers: [{name: web, image: \"%s/shop/web:1\"}]}\\n' \"${registry:-quay.io}\"";
    let settings =
        Settings { helm: Some(helm(programs.path(), script)), ..settings(root.path(), store.path()) };
    let one = release("web", ChartRef::Local(path("web")), no_values());
    let reader = RenderReader::new(&[], &[]);
    let found = charts(settings).override_for(&one, &reader, keys::route, false).await.unwrap();
    assert_eq!((found.reached, found.remaining.len()), (1, 0), "{found:?}");
    assert_eq!(found.values[0].key.to_string(), "registry");
}

/// A registry that the templates of a packed chart read, in a chart of `--chart-dir`: its values have the name of that chart.
#[tokio::test(flavor = "multi_thread")]
async fn keys_of_packed_charts_are_found() {
    let (root, store, programs) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let below = root.path().join("given/outer/charts");
    std::fs::create_dir_all(&below).unwrap();
    std::fs::write(root.path().join("given/outer/Chart.yaml"), "name: outer\nversion: 1.0.0\n").unwrap();
    let inner = packed("inner", "1.0.0", &[("templates/a.yaml", "{{ .Values.image.registry }}")]);
    std::fs::write(below.join("inner-1.0.0.tgz"), inner).unwrap();
    let script = "registry=$(sed -n 's/.*\"registry\":\"\\([^\"]*\\)\".*/\\1/p')\n\
        printf '#pullthru-values:{\"inner\":{}}\\nkind: Pod\\napiVersion: v1\\nmetadata: {name: web}\\n'\n\
        printf 'spec: {containers: [{name: web, image: \"%s/shop/web:1\"}]}\\n' \"${registry:-quay.io}\"";
    let settings = Settings {
        helm: Some(helm(programs.path(), script)),
        chart_dirs: vec![root.path().join("given")],
        ..settings(root.path(), store.path())
    };
    let chart = ChartRef::Named {
        name: "outer".to_owned(),
        version: VersionRef::Latest,
        reason: "its source is elsewhere".to_owned(),
    };
    let reader = RenderReader::new(&[], &[]);
    let one = release("web", chart, no_values());
    let found = charts(settings).override_for(&one, &reader, keys::route, false).await.unwrap();
    let set: Vec<String> = found.values.iter().map(|value| value.key.to_string()).collect();
    assert_eq!(set, ["inner.image.registry"], "{found:?}");
}
