//! Real charts: each gets a HelmRelease without values, `migrate --write` sets what puts its images behind the cache, and helm
//! renders it with what then stands in the file. The two renders are compared field by field, as another parser reads them.
//!
//! `PULLTHRU_CHART_CORPUS=DIR cargo test --test it -- --ignored --nocapture helm_real_charts` prints the table of docs/charts.md.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use rayon::prelude::*;
use serde_json::{Value, json};

use crate::golden::root;

const CACHE: &str = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/";

/// Registries, as charts write them, with their rules in the cache.
const UPSTREAMS: [(&str, &str); 5] = [
    ("ghcr.io", "ghcr"),
    ("quay.io", "quay"),
    ("registry.k8s.io", "k8s"),
    ("docker.io", "docker-hub"),
    ("public.ecr.aws", "ecr-public"),
];

/// One chart and what became of its release.
#[derive(Default)]
struct Row {
    name: String,
    version: String,
    /// Fields that name an image which the cache can serve.
    places: usize,
    by_values: usize,
    by_post_renderers: usize,
    /// The other places: in test hooks, and elsewhere.
    in_tests: usize,
    left: Vec<String>,
    keys: usize,
    renders: usize,
    seconds: f64,
    /// Why it is not rendered, or why nothing is written.
    note: Option<String>,
    /// What is wrong with what stands in the file.
    wrong: Vec<String>,
}

#[test]
#[ignore = "needs helm (.ci/peers), and PULLTHRU_CHART_CORPUS: a directory of charts"]
fn helm_real_charts_pull_through_the_cache_with_what_is_written() {
    let Some(corpus) = std::env::var_os("PULLTHRU_CHART_CORPUS") else { return };
    let mut charts = Vec::new();
    charts_below(Path::new(&corpus), 0, &mut charts);
    charts.sort();
    assert!(!charts.is_empty(), "no chart in {}", corpus.display());
    let mut rows: Vec<Row> = charts.par_iter().filter_map(|chart| row(chart)).collect();
    rows.sort_by(|a, b| (&a.name, &a.version).cmp(&(&b.name, &b.version)));
    println!("{}", table(&rows));
    let wrong: Vec<&String> = rows.iter().flat_map(|row| &row.wrong).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Charts that are in no other chart.
fn charts_below(directory: &Path, depth: usize, into: &mut Vec<PathBuf>) {
    if directory.join("Chart.yaml").is_file() {
        return into.push(directory.to_owned());
    }
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten().filter(|_| depth < 3) {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            charts_below(&entry.path(), depth + 1, into);
        }
    }
}

/// `None` for a chart that is no application.
fn row(chart: &Path) -> Option<Row> {
    let definition: Value = read(&fs::read_to_string(chart.join("Chart.yaml")).ok()?)?;
    if definition["type"] == "library" {
        return None;
    }
    let text = |key: &str| Some(definition[key].as_str()?.to_owned());
    let mut row = Row { name: text("name")?, version: text("version")?, ..Row::default() };
    let repository = tempfile::tempdir().unwrap();
    write_repository(repository.path(), &row.name, &row.version);
    let started = Instant::now();
    let (report, renders) = migrate(repository.path(), chart);
    (row.seconds, row.renders) = (started.elapsed().as_secs_f64(), renders);
    let report = match report {
        Ok(report) => report,
        Err(error) => {
            row.wrong.push(format!("{}: {error}", row.name));
            return Some(row);
        }
    };
    row.keys = report["overrides"].as_array().unwrap().len();
    let unknown = report["releases"].as_array().unwrap().iter().filter_map(|row| row["because"].as_str());
    row.note = unknown.map(str::to_owned).next();
    let failed = report["notOverridden"].as_array().unwrap().iter().filter(|row| row["image"].is_null());
    row.note = row
        .note
        .take()
        .or_else(|| failed.filter_map(|row| row["because"].as_str()).map(str::to_owned).next());
    let release = fs::read_to_string(repository.path().join("release.yaml")).unwrap();
    let spec = read(&release).unwrap()["spec"].clone();
    for (number, helm) in ["helm3", "helm4"].into_iter().enumerate() {
        if let Err(error) = judge(chart, helm, &spec, number == 0, &report, &mut row) {
            // A chart that does not render says so in the report.
            if row.note.is_none() {
                row.wrong.push(format!("{} by {helm}: {error}", row.name));
            }
        }
    }
    Some(row)
}

fn write_repository(directory: &Path, name: &str, version: &str) {
    let mut settings = "registry: {account: '123456789012', region: eu-west-1}\nupstreams:\n".to_owned();
    for (host, prefix) in UPSTREAMS {
        _ = writeln!(settings, "  {host}: {{prefix: {prefix}}}");
    }
    fs::write(directory.join("pullthru.yaml"), settings).unwrap();
    let release = format!(
        "apiVersion: helm.toolkit.fluxcd.io/v2\nkind: HelmRelease\nmetadata:\n  name: shop\n  namespace: shop\nspec:\n  interval: 10m\n  chart:\n    \
         spec:\n      chart: {name}\n      version: \"{version}\"\n      sourceRef:\n        kind: HelmRepository\n        name: shop\n"
    );
    fs::write(directory.join("release.yaml"), release).unwrap();
}

/// Writes the values; gives the report, and how often helm rendered.
fn migrate(repository: &Path, chart: &Path) -> (Result<Value, String>, usize) {
    let (outside, store) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (program, runs) = (outside.path().join("helm"), outside.path().join("runs"));
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = template ] && echo run >> '{}'\nexec '{}' \"$@\"\n",
        runs.display(),
        peer("helm3").display()
    );
    // Written by another process: see the tests of the crate `pullthru-charts`.
    let mut shell = Command::new("sh");
    shell.args(["-c", "printf %s \"$1\" > \"$0\" && chmod 755 \"$0\""]).arg(&program).arg(script);
    assert!(shell.status().unwrap().success());
    let mut command = Command::new(env!("CARGO_BIN_EXE_pullthru"));
    command.args([
        "migrate",
        "--write",
        "--allow-no-vcs",
        "--charts",
        "required",
        "--offline",
        "--format",
        "json",
    ]);
    command.arg("--chart-dir").arg(chart).arg("--helm").arg(&program).current_dir(repository).env_clear();
    command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("PULLTHRU_CHART_CACHE", store.path());
    let output = command.output().unwrap();
    let report = serde_json::from_slice(&output.stdout)
        .map_err(|_| format!("{}{}", output.status, String::from_utf8_lossy(&output.stderr)));
    (report, fs::read_to_string(runs).unwrap_or_default().lines().count())
}

fn peer(name: &str) -> PathBuf {
    let program = root().join("target/peers/bin").join(name);
    assert!(program.exists(), "{} is not there: run .ci/peers", program.display());
    program
}

fn read(text: &str) -> Option<Value> {
    let last_wins = serde_saphyr::options! { duplicate_keys: serde_saphyr::options::DuplicateKeyPolicy::LastWins, budget: None };
    serde_saphyr::from_str_with_options(text, last_wins).ok()
}

/// A field of an object that helm printed: which object, and where.
type Field = (String, String);

/// Every field, and the objects that are hooks, each with its events.
#[derive(Default)]
struct Objects {
    fields: BTreeMap<Field, Value>,
    hooks: BTreeMap<String, String>,
}

impl Objects {
    fn of(rendered: &str) -> Objects {
        let mut objects = Objects::default();
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for document in format!("\n{rendered}").split("\n---") {
            let Some(object @ Value::Object(_)) = read(document) else { continue };
            if object["kind"] == "CustomResourceDefinition" {
                continue;
            }
            let metadata = &object["metadata"];
            let source =
                document.lines().find_map(|line| line.strip_prefix("# Source: ")).unwrap_or_default();
            let name =
                format!("{} {} {} of {source}", object["kind"], metadata["namespace"], metadata["name"]);
            let count = seen.entry(name.clone()).or_default();
            *count += 1;
            let name = format!("{name} {count}");
            if let Some(events) = metadata["annotations"]["helm.sh/hook"].as_str() {
                objects.hooks.insert(name.clone(), events.to_owned());
            }
            objects.add(&name, "", &object);
        }
        objects
    }

    fn add(&mut self, object: &str, at: &str, value: &Value) {
        match value {
            Value::Object(map) => {
                map.iter().for_each(|(key, below)| self.add(object, &format!("{at}.{key}"), below))
            }
            Value::Array(items) => {
                items
                    .iter()
                    .enumerate()
                    .for_each(|(index, below)| self.add(object, &format!("{at}[{index}]"), below));
            }
            leaf => _ = self.fields.insert((object.to_owned(), at.to_owned()), leaf.clone()),
        }
    }

    /// Fields with an image that the cache can serve.
    fn cacheable(&self) -> BTreeMap<&Field, &str> {
        let fields = self.fields.iter().filter_map(|(field, value)| Some((field, value.as_str()?)));
        fields.filter(|(field, text)| is_cacheable(&field.1, text)).collect()
    }

    fn is_test(&self, field: &Field) -> bool {
        self.hooks
            .get(&field.0)
            .is_some_and(|events| events.split(',').all(|one| one.trim().starts_with("test")))
    }
}

/// The image of a container, or a text with a whole reference to a registry of the cache.
fn is_cacheable(field: &str, text: &str) -> bool {
    if is_container(field) {
        let first = text.split_once('/').map(|(first, _)| first);
        return match first.filter(|first| first.contains(['.', ':'])) {
            Some(host) => is_upstream(host),
            None => !text.is_empty(),
        };
    }
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || "._-/:@".contains(c)));
    words.filter_map(|word| word.split_once('/')).any(|(host, path)| {
        let last = path.rsplit('/').next().unwrap_or_default();
        is_upstream(host) && last.trim_end_matches([':', '.']).contains([':', '@'])
    })
}

fn is_upstream(host: &str) -> bool {
    UPSTREAMS.iter().any(|(upstream, _)| host == *upstream)
        || ["index.docker.io", "registry-1.docker.io", "ecr-public.aws.com"].contains(&host)
}

fn is_container(field: &str) -> bool {
    let Some((list, rest)) = field.rsplit_once('[') else { return false };
    rest.ends_with("].image") && ["ontainers", "Containers"].iter().any(|end| list.ends_with(end))
}

/// A text with the cached names replaced by those of the upstreams, and Docker Hub's in one spelling.
fn plain(text: &str) -> String {
    let mut text = text.to_owned();
    for (host, prefix) in UPSTREAMS {
        text = text.replace(&format!("{CACHE}{prefix}/"), &format!("{host}/"));
    }
    let aliases = [("index.docker.io/", "docker.io/"), ("registry-1.docker.io/", "docker.io/")];
    for (from, to) in aliases
        .into_iter()
        .chain([("ecr-public.aws.com/", "public.ecr.aws/"), ("docker.io/library/", "docker.io/")])
    {
        text = text.replace(from, to);
    }
    text.replace("docker.io/", "")
}

/// A text without words of 64 hexadecimal digits that are no digest of an image.
fn without_checksums(text: &str) -> String {
    let pattern = regex::Regex::new("(^|[^:0-9a-zA-Z])[0-9a-f]{64}\\b").unwrap();
    pattern.replace_all(text, "$1").into_owned()
}

fn template(chart: &Path, helm: &str, values: &Value) -> Result<String, String> {
    let mut command = Command::new(peer(helm));
    command.args([
        "template",
        "shop",
        "--namespace",
        "shop",
        "--kube-version",
        "1.34.0",
        "--skip-schema-validation",
    ]);
    command
        .arg(chart)
        .args(["--values", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    serde_json::to_writer(child.stdin.take().unwrap(), values).unwrap();
    let output = child.wait_with_output().unwrap();
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).chars().take(500).collect()),
    }
}

/// Renders the chart as it is, and with what stands in the file: only images may differ, and those as planned.
fn judge(
    chart: &Path,
    helm: &str,
    spec: &Value,
    counts: bool,
    report: &Value,
    row: &mut Row,
) -> Result<(), String> {
    let values = if spec["values"].is_null() { json!({}) } else { spec["values"].clone() };
    let before = Objects::of(&template(chart, helm, &json!({}))?);
    let after = Objects::of(&template(chart, helm, &values)?);
    // Last: by then a clock has gone on, too.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    let other = Objects::of(&template(chart, helm, &json!({}))?);
    let unstable = |field: &Field| before.fields.get(field) != other.fields.get(field);
    let templates = unstable_templates(&before, &other);
    let fields: BTreeSet<&Field> = before.fields.keys().chain(after.fields.keys()).collect();
    let (cacheable, mut moved) = (before.cacheable(), 0);
    for field in fields {
        let (old, new) = (before.fields.get(field), after.fields.get(field));
        if old == new || unstable(field) || templates.contains(template_of(&field.0)) {
            continue;
        }
        let is_image = match (old.and_then(Value::as_str), new.and_then(Value::as_str)) {
            (Some(old), Some(new)) => {
                new.contains(CACHE) && without_checksums(&plain(old)) == without_checksums(&plain(new))
            }
            _ => false,
        };
        let name = field.1.to_ascii_lowercase();
        match is_image {
            // A name without its tag moves, too, and is no image.
            true => moved += usize::from(cacheable.contains_key(field)),
            false
                if old.is_some() && new.is_some() && (name.contains("checksum") || name.contains("hash")) => {
            }
            false => row
                .wrong
                .push(format!("{} by {helm}: {} of {}: {old:?} -> {new:?}", row.name, field.1, field.0)),
        }
    }
    let renamed = post_renderer(&spec["postRenderers"]);
    let left: BTreeMap<&Field, &str> = after.cacheable();
    let is_renamed = |(field, text): &(&&Field, &&str)| {
        is_container(&field.1)
            && !after.hooks.contains_key(&field.0)
            && renamed.iter().any(|name| {
                text.strip_prefix(name.as_str())
                    .is_some_and(|rest| rest.starts_with([':', '@']) || rest.is_empty())
            })
    };
    let by_post_renderers = left.iter().filter(is_renamed).count();
    let named: BTreeSet<&str> =
        report["notOverridden"].as_array().unwrap().iter().filter_map(|row| row["image"].as_str()).collect();
    let stays: Vec<(&&Field, &&str)> = left.iter().filter(|one| !is_renamed(one)).collect();
    for (field, text) in &stays {
        if row.note.is_none() && is_container(&field.1) && !named.contains(**text) {
            row.wrong.push(format!("{} by {helm}: nobody says that `{text}` stays in {}", row.name, field.0));
        }
    }
    if counts {
        row.places = cacheable.len();
        (row.by_values, row.by_post_renderers) = (moved, by_post_renderers);
        let (tests, others): (Vec<_>, Vec<_>) =
            stays.into_iter().partition(|(field, _)| after.is_test(field));
        row.in_tests = tests.len();
        row.left = others.into_iter().map(|(_, text)| (*text).to_owned()).collect();
    }
    Ok(())
}

/// The templates of objects whose names differ each time.
fn unstable_templates(before: &Objects, other: &Objects) -> BTreeSet<String> {
    let names =
        |objects: &Objects| objects.fields.keys().map(|(name, _)| name.clone()).collect::<BTreeSet<_>>();
    let (before, other) = (names(before), names(other));
    before.symmetric_difference(&other).map(|name| template_of(name).to_owned()).collect()
}

fn template_of(object: &str) -> &str {
    object.split_once(" of ").map_or(object, |(_, template)| template.split(' ').next().unwrap_or_default())
}

/// The names that a post-renderer renames.
fn post_renderer(renderers: &Value) -> Vec<String> {
    let lists = renderers.as_array().into_iter().flatten().map(|one| &one["kustomize"]["images"]);
    let entries = lists.flat_map(|list| list.as_array().into_iter().flatten());
    entries.filter_map(|entry| Some(entry["name"].as_str()?.to_owned())).collect()
}

fn table(rows: &[Row]) -> String {
    let mut text = "| chart | version | places | by values | by post-renderers | test hooks | others | keys | renders | s |\n|---|---|---|---|---|---|---|---|---|---|\n".to_owned();
    for row in rows {
        let numbers = [
            row.places,
            row.by_values,
            row.by_post_renderers,
            row.in_tests,
            row.left.len(),
            row.keys,
            row.renders,
        ];
        let numbers = numbers.map(|number| number.to_string()).join(" | ");
        _ = writeln!(text, "| {} | {} | {numbers} | {:.1} |", row.name, row.version, row.seconds);
    }
    for row in rows {
        if let Some(note) = &row.note {
            _ = writeln!(text, "{} {}: {note}", row.name, row.version);
        }
        if !row.left.is_empty() {
            _ = writeln!(text, "{} {} keeps {}", row.name, row.version, row.left.join(", "));
        }
    }
    let sum = |of: fn(&Row) -> usize| rows.iter().map(of).sum::<usize>();
    _ = writeln!(
        text,
        "{} charts, {} places: {} by values, {} by post-renderers, {} in test hooks; {} keys, {} renders, {:.0} s",
        rows.len(),
        sum(|row| row.places),
        sum(|row| row.by_values),
        sum(|row| row.by_post_renderers),
        sum(|row| row.in_tests),
        sum(|row| row.keys),
        sum(|row| row.renders),
        rows.iter().map(|row| row.seconds).sum::<f64>()
    );
    text
}
