//! The price file: what it overrides, and how each mistake is reported.

use std::fs;
use std::path::Path;

use miette::{GraphicalReportHandler, GraphicalTheme};
use pullthru::cost::{Item, Prices};

use super::{GB, World, manifest, single};
use crate::golden::assert_same;

fn with(text: &str) -> Result<Prices, String> {
    Prices::default().with_file("prices.yaml", text).map_err(|error| {
        let mut out = String::new();
        let handler = GraphicalReportHandler::new_themed(GraphicalTheme::none()).with_width(100);
        for error in &error.errors {
            handler.render_report(&mut out, error).unwrap();
        }
        out
    })
}

#[test]
fn every_mistake_points_into_the_file() {
    let cases = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/prices");
    let mut names: Vec<_> = fs::read_dir(&cases).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    names.sort();
    assert!(names.len() >= 6, "fixtures are missing");
    for path in names {
        let name = path.file_stem().unwrap().to_str().unwrap();
        let error = with(&fs::read_to_string(&path).unwrap()).expect_err(name);
        assert!(error.contains("prices.yaml:"), "{name} does not say where:\n{error}");
        assert_same(&format!("testdata/prices/{name}.txt"), &error);
    }
}

#[test]
fn a_file_lies_over_the_table() {
    let prices =
        with("region: ca-central-1\nbytes-per-gb: 1000000000\nprices: { storage: 0.11, secret: 0 }\n")
            .unwrap();
    assert_eq!(prices.bytes_per_gb, 1_000_000_000);
    // What the file leaves out is still of where the table is of.
    let regions: Vec<&str> = prices.table().iter().take(3).map(|price| price.region.as_str()).collect();
    assert_eq!(regions, ["ca-central-1", "us-east-1", "us-east-1"]);
    assert_eq!([Item::Storage, Item::Secret, Item::Nat].map(|item| prices.of(item)), [0.11, 0.0, 0.045]);
    let own: Vec<Item> = prices.table().iter().filter(|price| price.own).map(|price| price.item).collect();
    assert_eq!(own, [Item::Storage, Item::Secret]);
    // JSON is YAML; and nothing said leaves all as it is.
    assert_eq!(with(r#"{"prices": {"storage": 0.5}}"#).unwrap().of(Item::Storage), 0.5);
    assert_eq!(with("{}").unwrap(), Prices::default());
}

/// A price that nobody can trace is a guess.
#[test]
fn every_price_of_the_table_says_where_and_when_it_was_read() {
    let prices = Prices::default();
    assert_eq!(prices.table().len(), 10);
    for price in prices.table() {
        assert!(price.origin.source.starts_with("https://"), "{price:?}");
        assert!(price.origin.date.as_ref().is_some_and(|date| date.starts_with("2026-")), "{price:?}");
    }
    let ids: std::collections::BTreeSet<&str> = prices.table().iter().map(|price| price.item.id()).collect();
    assert_eq!(ids.len(), 10);
    // The name in JSON and in files is one.
    for price in prices.table() {
        let file = format!("prices: {{ {}: 7.5 }}", price.item.id());
        assert_eq!(with(&file).unwrap().of(price.item), 7.5);
    }
}

#[test]
fn they_are_printed_on_request_and_reckoned_with() {
    let app = single(manifest("app", &[("app", GB)]));
    let world = World::new(&[("o/app", &app, &["v1"])]).pulling(&["ghcr.io/o/app:v1"]);
    world.scratch.write(
        "prices.yaml",
        b"region: ca-central-1\ndate: 2026-11-20\norigin: our contract\nprices: { storage: 0.25 }\n",
    );
    let shown = world.run(&["--show-prices", "--prices", "prices.yaml"]);
    assert_eq!((shown.code, world.upstream.requests()), (0, 0));
    let storage = shown.out.lines().find(|line| line.starts_with("storage ")).unwrap();
    assert!(storage.contains("$0.25/GB-month") && storage.ends_with("2026-11-20  our contract"), "{storage}");
    assert!(shown.out.ends_with("in US dollars; a GB is 1073741824 bytes\n"), "{}", shown.out);
    let (code, report) = world.cost(&["--prices", "prices.yaml"]);
    assert_eq!((code, report.lines(0)[0].as_str()), (0, "storage 1.000001 0.25"));
    let cache = ["--account", "123456789012", "--region", "ca-central-1"];
    let (_, report) = world.cost(&[&cache[..], &["--prices", "prices.yaml"]].concat());
    assert!(!report.says("assumptions", "may charge otherwise"));
    let (_, report) = world.cost(&cache);
    assert!(report.says("assumptions", "us-east-1; ca-central-1 may charge otherwise"), "{report:#?}");
}

#[test]
fn a_file_that_is_wrong_is_wrong_usage() {
    let world = World::new(&[]).pulling(&["ghcr.io/o/app:v1"]);
    world.scratch.write("prices.yaml", b"prices: { storag: 0.25 }\n");
    let run = world.run(&["--prices", "prices.yaml"]);
    assert_eq!((run.code, world.upstream.requests()), (2, 0));
    assert!(run.err.contains("did you mean `storage`?"), "{}", run.err);
}
