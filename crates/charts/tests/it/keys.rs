//! The values keys that put the images of a chart behind the cache, for each pitfall of real charts, by both generations of helm.
//! `testdata/charts/keys.txt` has a block a chart; `PULLTHRU_BLESS=1` writes it anew.

use std::fmt::Write as _;
use std::fs;

use pullthru_charts::Settings;
use pullthru_charts::keys::{Override, OverrideError};
use pullthru_core::image::Reference;
use pullthru_core::releases::rendered::RenderReader;
use pullthru_core::releases::{ChartRef, Release};
use pullthru_core::route::{Route, Routes};

use crate::support::{charts, no_values, path, project, real_helms, release, settings};
use crate::traps::names;

/// Rules for the registries of the charts here.
pub(crate) fn routes() -> Routes {
    let route = |(host, prefix): (&str, &str)| Route {
        host: host.to_owned(),
        prefix: prefix.parse().unwrap(),
        upstream_prefix: "ROOT".parse().unwrap(),
    };
    let hosts =
        [("docker.io", "docker-hub"), ("ghcr.io", "ghcr"), ("quay.io", "quay"), ("registry.k8s.io", "k8s")];
    Routes::new("cache.example.com".parse().unwrap(), hosts.map(route).to_vec()).unwrap()
}

pub(crate) fn route(reference: &str) -> Option<String> {
    routes().map_reference(&Reference::parse(reference).ok()?).ok()
}

fn shown(name: &str, found: Result<Override, OverrideError>) -> String {
    let mut text = format!("{name}\n");
    match found {
        Ok(found) => {
            for value in &found.values {
                let mut notes = Vec::new();
                notes.extend(value.was.as_ref().map(|was| format!("was {was}")));
                notes.extend(value.copies_list().then(|| "copies a list".to_owned()));
                notes.extend(value.freezes_tag.then(|| "freezes a tag".to_owned()));
                notes.extend(value.is_required.then(|| "asked for by the chart".to_owned()));
                let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join(", ")) };
                _ = writeln!(text, "  {} = {}{notes}", value.key, value.value);
            }
            _ = writeln!(text, "  {} reached, {} renders", found.reached, found.renders);
            for image in found.remaining {
                let object = if name == "random-names" { "…" } else { &image.object };
                _ = writeln!(text, "  - {} of {object}: {}", image.image, image.reason);
            }
        }
        Err(error) => _ = writeln!(text, "  error: {error}"),
    }
    text
}

fn of_chart(name: &str) -> Release {
    release("shop", ChartRef::Local(path(&format!("testdata/charts/{name}"))), no_values())
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs helm: .ci/peers"]
async fn helm_finds_the_keys_of_every_pitfall() {
    for (file, allow_frozen_tags) in [("keys.txt", false), ("keys-frozen.txt", true)] {
        let file = project().join("testdata/charts").join(file);
        for program in real_helms() {
            let store = tempfile::tempdir().unwrap();
            let charts =
                charts(Settings { helm: Some(program.clone()), ..settings(&project(), store.path()) });
            let reader = RenderReader::new(&[], &["cache.example.com".to_owned()]);
            let mut text = String::new();
            for name in names() {
                let found = charts.override_for(&of_chart(&name), &reader, route, allow_frozen_tags).await;
                text.push_str(&shown(&name, found));
            }
            if std::env::var_os("PULLTHRU_BLESS").is_some() {
                fs::write(&file, &text).unwrap();
            }
            assert_eq!(text, fs::read_to_string(&file).unwrap(), "{}", program.display());
        }
    }
}
