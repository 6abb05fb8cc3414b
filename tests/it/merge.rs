//! Shards of a repository, and reports merged: nothing is lost, nothing counts twice.

use serde_json::Value;

use crate::golden::{assert_same, copy_of};
use crate::scratch::{Run, Scratch, run_in};

const CACHE: [&str; 4] = ["--account", "123456789012", "--region", "ca-central-1"];

/// A copy of the sample repository beside the reports that are made of it.
struct Fleet {
    tree: tempfile::TempDir,
    reports: Scratch,
}

impl Fleet {
    fn new() -> Fleet {
        Fleet { tree: copy_of("testdata/fleet"), reports: Scratch::new(&[]) }
    }

    fn report(&self, name: &str, arguments: &[&str]) {
        let (out, err) = run_in(self.tree.path(), &[arguments, &CACHE, &["--format", "json"]].concat());
        assert_eq!(err, "");
        self.reports.write(name, out.as_bytes());
    }

    fn merge(&self, arguments: &[&str]) -> Run {
        Run::from(self.reports.command(&[&["report", "merge"], arguments].concat()).output().unwrap())
    }
}

/// Names of repositories are all that a merged report has more.
fn without_names(mut report: Value) -> Value {
    for rows in report.as_object_mut().unwrap().values_mut().filter_map(Value::as_array_mut) {
        for row in rows.iter_mut().filter_map(Value::as_object_mut) {
            row.remove("repository");
            row.remove("repositories");
        }
    }
    report.as_object_mut().unwrap().remove("repositories");
    report
}

/// Every shard decides as the whole does, though an override and what it matches are in different ones.
#[test]
fn shards_put_together_are_the_whole() {
    let fleet = Fleet::new();
    fleet.report("whole.json", &["scan", "--hidden"]);
    let whole: Value = serde_json::from_str(&fleet.reports.read("whole.json")).unwrap();
    assert!(
        whole["summary"]["skipped"].as_object().unwrap().len() >= 2,
        "nothing skipped: {}",
        whole["summary"]
    );
    for count in [1, 2, 5, 40] {
        let names: Vec<String> = (1..=count).map(|index| format!("{index}.json")).collect();
        let mut sizes = Vec::new();
        for (index, name) in names.iter().enumerate() {
            let shard = format!("{}/{count}", index + 1);
            fleet.report(name, &["scan", "--hidden", "--shard", &shard]);
            let part: Value = serde_json::from_str(&fleet.reports.read(name)).unwrap();
            sizes.push(part["summary"]["files_read"].as_u64().unwrap());
        }
        assert_eq!(sizes.iter().sum::<u64>(), whole["summary"]["files_read"].as_u64().unwrap());
        assert!(count == 1 || sizes.iter().all(|size| *size < sizes.iter().sum()), "{sizes:?}");
        let parts: Vec<String> = names.iter().map(|name| format!("fleet={name}")).collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let run = fleet.merge(&[&["--format", "json"][..], &parts].concat());
        assert_eq!((run.code, run.err.as_str()), (0, ""));
        let merged: Value = serde_json::from_str(&run.out).unwrap();
        assert_eq!(merged["repositories"][0]["summary"], whole["summary"], "{count}");
        assert_eq!(without_names(merged), whole, "{count}");
    }
}

/// Below a directory that is named, too.
#[test]
fn shards_of_some_paths() {
    let fleet = Fleet::new();
    fleet.report("whole.json", &["scan", "apps", "clusters"]);
    fleet.report("1.json", &["scan", "apps", "clusters", "--shard", "1/2"]);
    fleet.report("2.json", &["scan", "apps", "clusters", "--shard", "2/2"]);
    let merged = fleet.merge(&["--format", "json", "f=1.json", "f=2.json"]).out;
    let whole: Value = serde_json::from_str(&fleet.reports.read("whole.json")).unwrap();
    assert_eq!(without_names(serde_json::from_str(&merged).unwrap()), whole);
}

fn two_repositories(command: &[&str]) -> Fleet {
    let fleet = Fleet::new();
    fleet.report("org--fleet.json", command);
    let deployment = "apiVersion: v1\nkind: Pod\nmetadata: { name: a }\nspec:\n  containers:\n    - image: ghcr.io/amerintlxperts/my-app:v1.0.0\n";
    let small = Scratch::new(&[("pod.yaml", deployment.as_bytes())]);
    let run = small.run(&[command, &["--format", "json"]].concat());
    fleet.reports.write("small.json", run.out.as_bytes());
    fleet
}

#[test]
fn reports_of_scan_in_every_format() {
    let fleet = two_repositories(&["scan"]);
    let names = ["org--fleet.json", "org/small=small.json"];
    for (format, file) in [("human", "scan.txt"), ("markdown", "scan.md")] {
        let run = fleet.merge(&[&["--format", format][..], &names].concat());
        assert_eq!((run.code, run.err.as_str()), (0, ""));
        assert_same(&format!("testdata/expected/merge/{file}"), &run.out);
    }
    let merged: Value =
        serde_json::from_str(&fleet.merge(&[&["--format", "json"][..], &names].concat()).out).unwrap();
    assert_eq!(merged["schema"], "pullthru/scan/v1");
    let app = |row: &&Value| row["reference"] == "ghcr.io/amerintlxperts/my-app:v1.0.0";
    let image = merged["images"].as_array().unwrap().iter().find(app).unwrap();
    assert_eq!(image["repositories"], serde_json::json!(["org--fleet", "org/small"]));
    let places = merged["sites"].as_array().unwrap().iter().filter(app);
    assert_eq!(image["occurrences"], places.clone().count());
    assert_eq!(places.clone().filter(|row| row["repository"] == "org/small").count(), 1);
    // One image of both is one image, in all and in each.
    let images = |at: &Value| at["summary"]["images"].as_u64().unwrap();
    let [first, second] = merged["repositories"].as_array().unwrap().as_slice() else { panic!() };
    assert_eq!(images(&merged), images(first) + images(second) - 1);
}

#[test]
fn reports_of_check_in_every_format() {
    let fleet = two_repositories(&["check"]);
    let names = ["org--fleet.json", "org/small=small.json"];
    for (format, file) in [("human", "check.txt"), ("markdown", "check.md")] {
        let run = fleet.merge(&[&["--format", format][..], &names].concat());
        assert_eq!((run.code, run.err.as_str()), (0, ""));
        assert_same(&format!("testdata/expected/merge/{file}"), &run.out);
    }
    let merged = fleet.merge(&[&["--format", "json"][..], &names].concat()).out;
    let value: Value = serde_json::from_str(&merged).unwrap();
    assert_eq!(value["schema"], "pullthru/check/v1");
    let of = |name: &str| -> Value { serde_json::from_str(&fleet.reports.read(name)).unwrap() };
    let (fleet_alone, small) = (of("org--fleet.json"), of("small.json"));
    for number in ["errors", "warnings", "fixable"] {
        let sum =
            fleet_alone["summary"][number].as_u64().unwrap() + small["summary"][number].as_u64().unwrap();
        assert_eq!(value["summary"][number], sum, "{number}");
    }
    let found =
        fleet_alone["findings"].as_array().unwrap().len() + small["findings"].as_array().unwrap().len();
    assert_eq!(value["findings"].as_array().unwrap().len(), found);
}

/// A merged report is a report: with others it makes what all of them make at once.
#[test]
fn merging_can_be_done_in_steps() {
    for command in ["scan", "check"] {
        let fleet = two_repositories(&[command]);
        fleet.reports.write("third.json", fleet.reports.read("small.json").as_bytes());
        let json = |arguments: &[&str]| fleet.merge(&[&["--format", "json"][..], arguments].concat()).out;
        fleet.reports.write("two.json", json(&["org--fleet.json", "small.json"]).as_bytes());
        assert_eq!(json(&["two.json", "third.json"]), json(&["third.json", "small.json", "org--fleet.json"]));
    }
}

#[test]
fn what_cannot_be_merged_is_reported() {
    let fleet = two_repositories(&["scan"]);
    fleet.report("check.json", &["check"]);
    fleet.reports.write("copy.json", fleet.reports.read("small.json").as_bytes());
    fleet.reports.write("empty.json", b"");
    fleet.reports.write("other.json", b"{\"schema\":\"pullthru/lock/v1\"}");
    fleet.reports.write("a=b.json", fleet.reports.read("small.json").as_bytes());
    for (arguments, code, message) in [
        (&["small.json", "check.json"][..], 2, "reports of `scan` and of `check` cannot be merged"),
        (&["o=small.json", "o=copy.json"], 2, "two reports of `o` tell of `pod.yaml`"),
        (&["small.json", "x=small.json"], 2, "`small.json` is given twice"),
        (&["empty.json"], 2, "`empty.json`: it is no report"),
        (&["other.json"], 2, "its schema is `pullthru/lock/v1`"),
        (&["nowhere.json"], 2, "cannot read `nowhere.json`"),
        (&[], 2, "required"),
    ] {
        let run = fleet.merge(arguments);
        assert_eq!((run.code, run.out.as_str()), (code, ""), "{arguments:?}: {}", run.err);
        assert!(run.err.contains(message), "{arguments:?}: {}", run.err);
    }
    assert!(fleet.merge(&["a=b.json"]).out.contains("a=b  "), "the name of a file may hold the sign");
    let run = Scratch::new(&[]).run(&["scan", "--shard", "0/3"]);
    assert_eq!(run.code, 2);
    assert!(run.err.contains("write it as 1/8"), "{}", run.err);
    let run = Scratch::new(&[]).run(&["scan", "-", "--shard", "1/3"]);
    assert_eq!(run.code, 2);
}

/// A report is a file like any other: it cannot move a terminal's cursor.
#[test]
fn control_characters_of_reports_are_not_printed() {
    let fleet = two_repositories(&["check"]);
    let report = fleet.reports.read("small.json").replace("ghcr.io/amerintlxperts", "ghcr.io/\\u001b[2J|`o");
    fleet.reports.write("forged.json", report.as_bytes());
    for format in ["human", "markdown"] {
        let run = fleet.merge(&["--format", format, "\u{1b}[2J=forged.json"]);
        assert_eq!(run.code, 0, "{}", run.err);
        assert!(!run.out.chars().any(|c| c.is_control() && c != '\n'), "{:?}", run.out);
    }
}
