//! Every format of one result, as reviewed: `testdata/expected/cost/`.

use std::process::Command;

use super::{GB, World, index, manifest, single};
use crate::golden::assert_same;
use crate::scratch::Run;

const FLAGS: [&str; 15] = [
    "--account",
    "123456789012",
    "--region",
    "ca-central-1",
    "--upstream",
    "ghcr.io",
    "--upstream",
    "quay.io",
    "--scanning",
    "enhanced",
    "--rescans=2",
    "--replicate=eu-west-1",
    "--nat",
    "--endpoints=2",
    "--pulls-gb=100",
];

/// Everything at once: two upstreams, shared layers, an index, a missing image, one of another registry, one computed.
fn world() -> World {
    let platform = |name: &str, own| manifest(name, &[("base", GB / 2), (name, own)]);
    let v1 = index(&[
        ("linux/amd64", platform("v1 amd64", GB / 4)),
        ("linux/arm64", platform("v1 arm64", GB / 8)),
    ]);
    let v2 = index(&[
        ("linux/amd64", platform("v2 amd64", GB / 4)),
        ("linux/arm64", platform("v2 arm64", GB / 8)),
    ]);
    let tool = single(manifest("tool", &[("tool", 90_000_000)]));
    let world = World::new(&[("o/app", &v1, &["v1"]), ("o/app", &v2, &["v2"]), ("o/tool", &tool, &["v1"])]);
    world.pulling(&[
        "ghcr.io/o/app:v1",
        "ghcr.io/o/app:v2",
        "ghcr.io/o/app:v9",
        "quay.io/o/tool:v1",
        "ghcr.io/o/app:${VERSION}",
        "210987654321.dkr.ecr.us-east-1.amazonaws.com/team/app:v1",
    ])
}

#[test]
fn every_format_of_one_result() {
    let world = world();
    for (format, file) in
        [("human", "human.txt"), ("json", "report.json"), ("markdown", "report.md"), ("csv", "report.csv")]
    {
        let run = world.run(&[&FLAGS[..], &["--format", format]].concat());
        assert_eq!(run.code, 1, "{}", run.err);
        assert_same(&format!("testdata/expected/cost/{file}"), &run.out);
        let prices = world.run(&["--show-prices", "--format", format]);
        assert_eq!((prices.code, prices.err.as_str()), (0, ""));
        assert_same(
            &format!(
                "testdata/expected/cost/{}",
                file.replace("report", "prices").replace("human", "prices-human")
            ),
            &prices.out,
        );
    }
}

#[test]
fn the_same_at_any_order_of_answers() {
    let world = world();
    let first = world.run(&FLAGS).out;
    world.upstream.faults().add(
        registry_sim::On::path("/v2/o/app/*").times(3),
        registry_sim::Fault::Latency(std::time::Duration::from_millis(60)),
    );
    assert_eq!(world.run(&FLAGS).out, first);
    assert_eq!(world.run(&[&FLAGS[..], &["--concurrency", "1"]].concat()).out, first);
}

/// The lines of each month make its sum, and the table has the same lines in each.
#[test]
fn lines_add_up() {
    let (_, report) = world().cost(&FLAGS);
    let months = report.0["months"].as_array().unwrap();
    assert_eq!(months.len(), 3);
    for month in months {
        let lines = month["lines"].as_array().unwrap();
        assert!(lines.len() >= 9, "{month:#}");
        let sum: f64 = lines.iter().map(|line| line["usd"].as_f64().unwrap()).sum();
        assert!((sum - month["usd"].as_f64().unwrap()).abs() < 1e-5, "{month:#}");
        for line in lines {
            let product = line["quantity"].as_f64().unwrap() * line["unitUsd"].as_f64().unwrap();
            assert!((product - line["usd"].as_f64().unwrap()).abs() < 1e-5, "{line:#}");
        }
    }
}

#[test]
fn nothing_in_use_costs_nothing_and_is_no_error() {
    let world = World::new(&[]);
    world.scratch.write("apps/empty.yaml", b"a: 1\n");
    let (code, report) = world.cost(&[]);
    assert_eq!((code, &report.0["complete"], &report.0["months"][0]["usd"]), (0, &true.into(), &0.0.into()));
    assert_eq!(world.run(&[]).code, 0);
}

/// All that the sample repository uses, at all upstreams: nothing is left out, and nothing is imported.
#[test]
fn the_sample_repository() {
    let world = pullthru::demo::World::start().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_pullthru"));
    command.args(["cost", "--upstream", "all", "--format", "json"]);
    let run = Run::from(command.current_dir(world.root()).envs(world.variables()).output().unwrap());
    let value: serde_json::Value = serde_json::from_str(&run.out).unwrap();
    let names = |list: &str, field: &str| -> Vec<String> {
        let rows = value[list].as_array().unwrap().iter();
        rows.map(|row| row[field].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("notSized", "reference"), Vec::<String>::new());
    // Charts of releases that nobody has seen.
    let not_seen =
        value["unknown"].as_array().unwrap().iter().filter(|row| row["release"].is_string()).count();
    assert_eq!((run.code, not_seen, &value["complete"]), (0, 9, &false.into()), "{}", run.err);
    let sizes = value["repositories"].as_array().unwrap();
    assert!(sizes.len() >= 25, "{}", sizes.len());
    // Two platforms with layers of 40 and 12 kB, and their configurations.
    for row in sizes.iter().filter(|row| row["versions"] == 1) {
        let bytes = row["bytes"].as_u64().unwrap();
        assert!((104_000..106_000).contains(&bytes), "{row:#}");
    }
    assert!(names("upstreams", "upstream").len() >= 4);
}
