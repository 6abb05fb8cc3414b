//! The charts of `testdata/charts`, one for each pitfall of real charts: what they pull by default, by both generations of
//! helm. `testdata/charts/expected.txt` has a block a chart; `PULLTHRU_BLESS=1` writes it anew.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use pullthru_charts::{Renew, Settings};
use pullthru_core::releases::ChartRef;
use pullthru_core::releases::lock::ImageLock;
use pullthru_core::releases::rendered::RenderReader;

use crate::support::{charts, no_values, path, project, real_helms, release, render, settings};

pub(crate) fn names() -> Vec<String> {
    let entries = fs::read_dir(project().join("testdata/charts")).unwrap();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok().filter(|entry| entry.path().is_dir()))
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs helm: .ci/peers"]
async fn helm_renders_the_charts_of_every_pitfall() {
    let file = project().join("testdata/charts/expected.txt");
    let mut locks = BTreeSet::new();
    for program in real_helms() {
        let store = tempfile::tempdir().unwrap();
        let settings = Settings { helm: Some(program.clone()), ..settings(&project(), store.path()) };
        let names = names();
        assert!(names.len() >= 16);
        let releases: Vec<_> = names
            .iter()
            .map(|name| {
                let chart = ChartRef::Local(path(&format!("testdata/charts/{name}")));
                let mut one = release("shop", chart, no_values());
                one.id.name.clone_from(name);
                one
            })
            .collect();
        let outcomes = render(&charts(settings.clone()), releases.clone()).await;
        let reader = RenderReader::new(&[], &[]);
        let mut text = String::new();
        for ((name, release), outcome) in names.iter().zip(&releases).zip(outcomes) {
            let found = reader.read(release, &outcome.rendered.unwrap());
            _ = writeln!(text, "{name}");
            for image in found.images {
                // Names that differ in each render.
                let object = if name == "random-names" { "Job/…".to_owned() } else { image.object };
                _ = writeln!(
                    text,
                    "  {} · {} · {object} · {}",
                    image.image,
                    image.role.as_str(),
                    image.field
                );
            }
            for one in found.unknown {
                _ = writeln!(text, "  ? {} · {} · {} · {}", one.text, one.object, one.field, one.reason);
            }
        }
        if std::env::var_os("PULLTHRU_BLESS").is_some() {
            fs::write(&file, &text).unwrap();
        }
        assert_eq!(text, fs::read_to_string(&file).unwrap_or_default(), "{}", program.display());
        // The lock has the same bytes in every run, from the store or not, and by either helm.
        for run in 0..50 {
            if run == 25 {
                fs::remove_dir_all(store.path()).unwrap();
            }
            let charts = charts(settings.clone());
            let renewed = charts
                .renew_lock(releases.clone(), &ImageLock::default(), Renew::Stale, &reader, |_| ())
                .await;
            assert!(renewed.unknown.is_empty(), "{:?}", renewed.unknown);
            locks.insert(renewed.lock.text());
        }
    }
    assert_eq!(locks.len(), 1);
    assert!(locks.first().unwrap().contains("\"quay.io/shop/worker:5.1\""));
}
