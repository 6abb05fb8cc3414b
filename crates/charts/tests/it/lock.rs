//! The image lock as charts are rendered: what is taken from it, what is rendered anew, and what a failure leaves in it.

use std::fs;

use pullthru_charts::{Charts, Renew, RenewedLock, Settings};
use pullthru_core::releases::lock::ImageLock;
use pullthru_core::releases::rendered::RenderReader;
use pullthru_core::releases::{ChartRef, Release, VersionRef};
use pullthru_registry::Credentials;
use serde_json::json;

use crate::support::{Files, charts_of, helm, no_values, packed, path, release, runs, settings};

const POD: &str = "cat <<E\n---\n# Source: c/templates/a.yaml\napiVersion: v1\nkind: Pod\nmetadata:\n  name: a\nspec:\n  containers:\n  - {name: a, image: \
                   \"quay.io/shop/web:$(grep ^version $chart/Chart.yaml | cut -d' ' -f2)\"}\nE\n\
                   case $(cat) in *bad*) exit 1;; esac";

async fn images(charts: &Charts, releases: &[Release], lock: &ImageLock, renew: Renew) -> RenewedLock {
    charts.renew_lock(releases.to_vec(), lock, renew, &RenderReader::new(&[], &[]), |_| ()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lock_is_renewed_where_something_has_changed() {
    let (root, bin, store, files) = (
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
        tempfile::tempdir().unwrap(),
        Files::start(None),
    );
    fs::create_dir_all(root.path().join("own")).unwrap();
    fs::write(root.path().join("own/Chart.yaml"), "name: own\nversion: 0.1.0\n").unwrap();
    let publish = |versions: &[&str]| {
        let entries: String =
            versions.iter().map(|v| format!("  - {{version: {v}, urls: [web-{v}.tgz]}}\n")).collect();
        files.file("/index.yaml", format!("entries:\n  web:\n{entries}"));
        versions.iter().for_each(|v| files.file(&format!("/web-{v}.tgz"), packed("web", v, &[])));
    };
    publish(&["1.0.0"]);
    let settings = Settings {
        helm: Some(helm(bin.path(), POD)),
        fresh: std::time::Duration::ZERO,
        ..settings(root.path(), store.path())
    };
    let charts = || charts_of(settings.clone(), &[&files.host], Credentials::none());
    let web = |version: &str| ChartRef::Http {
        repository: files.url(),
        name: "web".into(),
        version: VersionRef::of(Some(version)),
    };
    let mut releases = vec![
        release("exact", web("1.0.0"), no_values()),
        release("floating", web("1.x"), no_values()),
        release("own", ChartRef::Local(path("own")), json!({"a": 1})),
    ];
    let releases_ids: Vec<_> = releases.iter().map(|release| release.id.clone()).collect();
    let first = images(&charts(), &releases, &ImageLock::default(), Renew::Stale).await;
    assert!(first.unknown.is_empty(), "{:?}", first.unknown);
    let text = first.lock.text();
    let digest = registry_sim::digest_of(&packed("web", "1.0.0", &[]));
    let images_of = |found: &RenewedLock, at: usize| {
        let block = &found.lock.releases[&releases_ids[at]];
        let images: Vec<String> =
            block.images.iter().map(|one| format!("{} {}", one.image, one.role.as_str())).collect();
        (
            block.chart.version.clone(),
            block.chart.range.clone(),
            block.chart.digest.is_some(),
            images.join(", "),
        )
    };
    let of = |version: &str, range: Option<&str>, digest| {
        (
            version.to_owned(),
            range.map(str::to_owned),
            digest,
            format!("quay.io/shop/web:{version} container"),
        )
    };
    assert_eq!(images_of(&first, 0), of("1.0.0", None, true));
    assert_eq!(images_of(&first, 1), of("1.0.0", Some("1.x"), true));
    assert_eq!(images_of(&first, 2), of("0.1.0", None, false));
    assert!(text.contains(&digest) && !text.contains(root.path().to_str().unwrap()));
    assert_eq!(ImageLock::read(&text).unwrap(), first.lock);

    // Nothing has changed: nothing is asked, and nothing runs.
    let (before, asked) = (runs(bin.path()), files.asked().len());
    let again = images(&charts(), &releases, &first.lock, Renew::Stale).await;
    assert_eq!((again.lock.text(), again.rendered.len()), (text.clone(), 0));
    assert_eq!((runs(bin.path()), files.asked().len()), (before, asked));

    // A new version is seen where it is asked for.
    publish(&["1.1.0", "1.0.0"]);
    assert_eq!(images(&charts(), &releases, &first.lock, Renew::Stale).await.lock.text(), text);
    let renewed = images(&charts(), &releases, &first.lock, Renew::Floating).await;
    assert_eq!(renewed.rendered.len(), 1);
    assert_eq!(images_of(&renewed, 1), of("1.1.0", Some("1.x"), true));
    for unchanged in [0, 2].map(|at| &releases_ids[at]) {
        assert_eq!(renewed.lock.releases[unchanged], first.lock.releases[unchanged]);
    }

    // A value that changes makes one release stale; a failing render keeps its images, marked.
    releases[2].values = json!({"a": "bad"}).as_object().unwrap().clone();
    let failed = images(&charts(), &releases, &first.lock, Renew::Stale).await;
    assert_eq!(failed.unknown.len(), 1);
    let block = &failed.lock.releases[&releases[2].id];
    assert!(block.render_failed && block.images == first.lock.releases[&releases[2].id].images);
    // It is tried again, and a release that was never rendered has nothing to keep.
    let twice = images(&charts(), &releases, &failed.lock, Renew::Stale).await;
    assert_eq!((twice.unknown.len(), twice.lock.text()), (1, failed.lock.text()));
    let never = images(&charts(), &releases, &ImageLock::default(), Renew::Stale).await;
    assert!(
        !never.lock.releases.contains_key(&releases[2].id) && never.unknown.contains_key(&releases[2].id)
    );

    // A release that is gone is gone from the lock.
    let fewer = images(&charts(), &releases[..1], &first.lock, Renew::Stale).await;
    assert_eq!(fewer.lock.releases.len(), 1);
}
