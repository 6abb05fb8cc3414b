//! `pullthru check --format html`: one page, whose numbers are those of the other formats, which asks for nothing from
//! elsewhere and runs nothing but its own script, whatever the files say.

#[cfg(feature = "aws")]
mod browser;
mod clusters;

use std::collections::BTreeSet;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::golden::{assert_same, copy_of};
use crate::scratch::{Scratch, run_in};

const FLAGS: [&str; 4] = ["--account", "123456789012", "--region", "ca-central-1"];

const STYLE: &str = include_str!("../../../src/report/html/style.css");
const SCRIPT: &str = include_str!("../../../src/report/html/script.js");

/// The sample repository in the middle of its migration: the applications are done.
fn halfway() -> tempfile::TempDir {
    let copy = copy_of("testdata/fleet");
    let run = |arguments: &[&str]| run_in(copy.path(), &[arguments, &["--root", "."], &FLAGS].concat());
    run(&["migrate", "--write", "apps"]);
    copy
}

/// Standard output of `check` in a directory.
fn check(directory: &std::path::Path, arguments: &[&str]) -> String {
    let (out, err) = run_in(directory, &[&["check", "--root", "."], arguments, &FLAGS].concat());
    assert_eq!(err, "");
    out
}

/// What is between two texts, the first time.
fn between<'a>(text: &'a str, before: &str, after: &str) -> &'a str {
    let (_, rest) = text.split_once(before).unwrap_or_else(|| panic!("no {before}"));
    rest.split_once(after).unwrap_or_else(|| panic!("no {after}")).0
}

#[test]
fn the_page_of_the_sample_repository() {
    let copy = halfway();
    let page = check(copy.path(), &["--format", "html"]);
    assert_eq!(page, check(copy.path(), &["--format", "html"]));
    let policy = between(&page, "content=\"default-src", "\">");
    let shown = page.replace(policy, "…").replace(STYLE, "…").replace(SCRIPT, "…");
    let shown = shown.replace(env!("CARGO_PKG_VERSION"), "<version>");
    assert_same("testdata/expected/check/halfway.html", &shown);
}

/// The policy admits the style and the script that are there, and nothing else; neither ends its element.
#[test]
fn the_policy_admits_what_is_there_alone() {
    let page = check(halfway().path(), &["--format", "html"]);
    let digest = |text: &str| BASE64_STANDARD.encode(Sha256::digest(text));
    let (style, script) = (between(&page, "<style>", "</style>"), between(&page, "<script>", "</script>"));
    assert_eq!((style, script), (STYLE, SCRIPT));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        digest(style),
        digest(script)
    );
    assert_eq!(between(&page, "Content-Security-Policy\" content=\"", "\""), policy);
    for part in ["@import", "url(http", "url(\"", "//", "fetch(", "XMLHttpRequest", "innerHTML"] {
        assert!(!style.contains(part), "{part}");
        assert!(part == "//" || !script.contains(part), "{part}");
    }
    for part in [" src=", "http:", "https:", " style="] {
        assert!(!page.replace(SCRIPT, "").contains(part), "{part}");
    }
}

/// An image that a chart brings has a row of its own, with the release as its place, and counts for the clusters of the release.
#[test]
fn images_of_charts_have_rows() {
    let page = check(copy_of("testdata/fleet").path(), &["--format", "html"]);
    let images = between(&page, "<table id=\"images\"", "</table>");
    let row = images.split("<tr").find(|row| row.contains("log-shipper")).unwrap();
    for part in [
        ">bypassing</strong>",
        "node-logs.yaml#L1",
        "brought by the chart",
        "clusters/<wbr>dev",
        "clusters/<wbr>prod",
    ] {
        assert!(row.contains(part), "{part}: {row}");
    }
    let without = check(copy_of("testdata/fleet").path(), &["--format", "html", "--charts", "off"]);
    assert!(!between(&without, "<table id=\"images\"", "</table>").contains("log-shipper"));
}

#[test]
fn the_numbers_are_those_of_the_other_formats() {
    let copy = halfway();
    let report: Value = serde_json::from_str(&check(copy.path(), &["--format", "json"])).unwrap();
    let page = check(copy.path(), &["--format", "html"]);
    let coverage = &report["summary"]["coverage"];
    let statuses = ["cached", "bypassing", "notCacheable", "excluded", "unknown"];
    let number = |count: &Value, status: &str| count[status].as_u64().unwrap();
    assert!(page.contains(&format!("<p class=\"percent\">at most {} %</p>", coverage["percent"])));
    for part in ["images", "references"] {
        let count = &coverage[part];
        let section = between(&page, &format!("<section id=\"share-{part}\">"), "</section>");
        let numbers: Vec<&str> =
            section.split("<dd>").skip(1).map(|rest| rest.split('<').next().unwrap()).collect();
        assert_eq!(numbers, statuses.map(|status| count[status].to_string()));
        assert!(number(count, "cached") > 0 && number(count, "bypassing") > 0);
    }
    // Each table adds up: by application and by upstream every reference counts once, in the table every image.
    for id in ["applications", "upstreams"] {
        let chart = between(&page, &format!("aria-labelledby=\"{id}\""), "</table>");
        let mut sums = [0; 3];
        for row in chart.split("<tr><th scope=\"row\">").skip(1) {
            let cells = row.split("<td>").skip(1).map(|cell| cell.split([' ', '<']).next().unwrap());
            let numbers = cells.map(|cell| cell.parse::<u64>().unwrap());
            sums.iter_mut().zip(numbers).for_each(|(sum, number)| *sum += number);
        }
        // The chart of `node-logs` brings an image that no file names.
        sums[1] -= 1;
        let count = &coverage["references"];
        let others: u64 = statuses[2..].iter().map(|status| number(count, status)).sum();
        assert_eq!(sums, [number(count, "cached"), number(count, "bypassing"), others], "{id}");
    }
    // An image that several roots build is counted for each, and has one row.
    let images = between(&page, "<table id=\"images\"", "</table>");
    for state in ["cached", "bypassing"] {
        let rows = images.matches(&format!("<strong class=\"{state}\">{state}</strong>")).count() as u64;
        assert!(rows > 0 && rows <= number(&coverage["images"], state), "{state}");
    }
    let findings = page.matches("<li><p><strong class=").count();
    assert_eq!(findings, report["findings"].as_array().unwrap().len());
}

#[test]
fn a_clean_repository_has_a_page() {
    let scratch = Scratch::new(&[("a.yaml", b"a: b\n")]);
    let run = scratch.run(&["check", "--format", "html"]);
    assert_eq!((run.code, run.err.as_str()), (0, ""));
    assert!(run.out.contains("<p class=\"percent\">no image</p>") && run.out.contains(">0 images</p>"));
    assert_eq!(tags(&run.out).iter().filter(|tag| tag.starts_with("rect")).count(), 3, "of the patterns");
}

/// Texts that would be elements, end what they stand in, or turn what is around them.
const HOSTILE: [&str; 6] = [
    "<script>window.injected=1</script>",
    "\"><img src=x onerror=window.injected=1>",
    "' autofocus onfocus='window.injected=1",
    "</style></title></table></svg>",
    "--><!--",
    "\u{202e}\u{2066}\u{feff}",
];

/// A repository whose files, objects and images are called like that.
fn hostile() -> Scratch {
    let scratch = Scratch::new(&[]);
    for (number, text) in HOSTILE.iter().enumerate() {
        let quoted = serde_json::to_string(text).unwrap();
        let tag = serde_json::to_string(&format!("ghcr.io/o/a{number}:{text}")).unwrap();
        let default = serde_json::to_string(&format!("${{X:=ghcr.io/o/b{number}}}{text}")).unwrap();
        let pattern = serde_json::to_string(&format!("ghcr.io/o/{text}*")).unwrap();
        let pod = format!(
            "apiVersion: v1\nkind: {quoted}\nmetadata: {{ name: {quoted}, namespace: {quoted} }}\nspec:\n  containers:\n\
             \x20 - {{ name: a, image: ghcr.io/o/n{number}:v1 }}\n  - {{ name: b, image: {tag} }}\n  - {{ name: c, image: {default} }}\n"
        );
        let policy = format!(
            "apiVersion: kyverno.io/v1\nkind: ClusterPolicy\nmetadata: {{ name: {quoted} }}\nspec:\n  rules:\n\
             \x20   - name: x\n      verifyImages:\n        - imageReferences: [{pattern}]\n"
        );
        scratch.write(&format!("d{number}{text}/pod.yaml"), pod.as_bytes());
        scratch.write(&format!("d{number}{text}/policy.yaml"), policy.as_bytes());
        scratch.write(&format!("d{number}{text}/kustomization.yaml"), b"resources: [pod.yaml]\n");
    }
    scratch.write("javascript:alert(1).yaml", b"image: ghcr.io/o/js:v1\n");
    let texts: Vec<Value> = HOSTILE
        .iter()
        .map(|text| {
            serde_json::json!({ "reference": format!("ghcr.io/o/n0:{text}"), "outcome": text, "severity": "bad",
                "because": format!("`{text}`"), "next": text })
        })
        .collect();
    let unknown = serde_json::json!([{ "reference": HOSTILE[0], "because": HOSTILE[1] }]);
    let report = serde_json::json!({ "schema": "pullthru/verification/v1", "at": "both",
        "summary": { "unasked": 0 }, "images": texts, "unknown": unknown });
    scratch.write("verify.json", report.to_string().as_bytes());
    scratch
}

/// What stands between `<` and `>` of a page, its script and its style left out.
fn tags(page: &str) -> Vec<String> {
    let mut tags = Vec::new();
    let page = page.replace(SCRIPT, "").replace(STYLE, "");
    let mut rest = page.as_str();
    while let Some((_, from)) = rest.split_once('<') {
        let mut quoted = false;
        let end = from.find(|c| {
            quoted ^= c == '"';
            c == '>' && !quoted
        });
        let (tag, behind) = from.split_at(end.expect("every tag ends"));
        tags.push(tag.to_owned());
        rest = behind;
    }
    tags
}

/// The names of elements and attributes.
fn vocabulary(page: &str) -> BTreeSet<String> {
    let mut words = BTreeSet::new();
    for tag in tags(page) {
        let mut outside = String::new();
        for (number, part) in tag.split('"').enumerate() {
            if number % 2 == 0 {
                outside.push_str(part);
            }
        }
        words.extend(outside.split_whitespace().map(str::to_owned));
    }
    words
}

/// A page of hostile texts has no element and no attribute that another page does not have.
#[test]
fn what_files_say_stays_text() {
    let scratch = hostile();
    let run = scratch.run(&["check", "--format", "html", "--verify-report", "verify.json"]);
    assert_eq!(run.code, 1, "{}", run.err);
    let plain = Scratch::new(&[
        ("a/pod.yaml", b"apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: ghcr.io/o/n0:v1\n"),
        ("verify.json", scratch.read("verify.json").as_bytes()),
        ("a/policy.yaml", scratch.read("d0<script>window.injected=1</script>/policy.yaml").as_bytes()),
        ("b/pod.yaml", b"apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: ghcr.io/o/n0:v1\n  - image: ghcr.io/${O}/x\n"),
        ("c/kustomization.yaml", b"images: [{ name: ghcr.io/o/gone, newTag: v1 }]\n"),
    ]);
    let known = vocabulary(&plain.run(&["check", "--format", "html", "--verify-report", "verify.json"]).out);
    let found = vocabulary(&run.out);
    let strange: Vec<&String> = found.difference(&known).collect();
    assert!(strange.is_empty(), "{strange:?}");
    assert!(!found.iter().any(|word| word.starts_with("on") || word.starts_with("img")), "{found:?}");
    assert!(run.out.contains("&lt;script&gt;window.injected=1&lt;/"), "it is shown, as text");
    for text in ['\u{202e}', '\u{2066}', '\u{feff}'] {
        assert!(!run.out.contains(text));
    }
    assert_eq!(run.out.matches("<script>").count(), 1);
    assert!(!run.out.contains("href=\"javascript:") && run.out.contains("href=\"./javascript%3Aalert"));
}

#[test]
fn a_report_of_verify_is_shown_with_its_images() {
    let pod = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: ghcr.io/o/app:v1\n";
    let report = include_str!("../../../testdata/expected/verify/report.json");
    let scratch = Scratch::new(&[("a.yaml", pod.as_bytes()), ("verify.json", report.as_bytes())]);
    let run = scratch.run(&["check", "--format", "html", "--verify-report", "verify.json"]);
    assert_eq!(run.code, 1, "{}", run.err);
    let row = between(&run.out, "<tr data-upstream", "</tr>");
    assert!(row.contains("v1: <strong class=\"open\">cold</strong>"), "{row}");
    assert!(row.contains("<strong class=\"bypassing\">cold-digest</strong>"), "{row}");
    let section = between(&run.out, "id=\"verified\"", "</section>");
    let report: Value = serde_json::from_str(report).unwrap();
    for (outcome, number) in report["summary"]["outcomes"].as_object().unwrap() {
        let row = format!("<th scope=\"row\">{outcome}</th><td>{number}</td>");
        assert!(section.contains(&row), "{row}");
    }
    let other = scratch.run(&["check", "--format", "html"]);
    assert!(!other.out.contains("id=\"verified\"") && !other.out.contains("Registries"));
}

/// A report in the repository that it is about names images, and nothing pulls them by it.
#[test]
fn reports_are_no_manifests() {
    let report = include_bytes!("../../../testdata/expected/verify/report.json");
    let scratch = Scratch::new(&[("reports/verify.json", report)]);
    let run = scratch.run(&["check", "--format", "json"]);
    assert_eq!(run.code, 0, "{}", run.out);
    assert!(run.out.contains("\"findings\": []"), "{}", run.out);
    let scan: Value = serde_json::from_str(&scratch.run(&["scan", "--format", "json"]).out).unwrap();
    let ignored = scan["ignored"].as_array().unwrap();
    assert!(scan["sites"].as_array().unwrap().is_empty() && ignored.len() > 5);
    assert!(ignored.iter().all(|ignored| ignored["reason"] == "report"), "{ignored:?}");
}

#[test]
fn what_is_no_report_of_verify_is_refused() {
    let scratch = Scratch::new(&[
        ("other.json", b"{\"schema\": \"pullthru/check/v1\", \"findings\": []}"),
        ("text.json", b"not json"),
        ("old.json", b"{\"images\": []}"),
        ("half.json", b"{\"schema\": \"pullthru/verification/v1\", \"images\": [{}]}"),
        ("good.json", include_bytes!("../../../testdata/expected/verify/report.json")),
    ]);
    for (file, part) in [
        ("other.json", "its schema is `pullthru/check/v1`, and not `pullthru/verification/v1`"),
        ("text.json", "`text.json`: it is no report of `pullthru verify`: it is not valid JSON"),
        ("old.json", "its keys are not those of one"),
        ("half.json", "its keys are not those of one"),
        ("gone.json", "cannot read the report `gone.json`"),
    ] {
        let run = scratch.run(&["check", "--format", "html", "--verify-report", file]);
        assert_eq!((run.code, run.out.as_str()), (2, ""), "{file}");
        // Lines are as wide as a terminal.
        let plain = |text: &str| text.replace([' ', '\n', '│'], "");
        let err = plain(&run.err);
        assert!(err.contains(&plain(part)) && err.contains("pullthruverify--formatjson"), "{file}: {err}");
    }
    // A page beside another format takes it, too.
    let run = scratch.run(&["check", "--output", "html=page.html", "--verify-report", "good.json"]);
    assert_eq!(run.code, 0, "{}", run.err);
    let alone = scratch.run(&["check", "--format", "html", "--verify-report", "good.json"]);
    assert_eq!(scratch.read("page.html"), alone.out);
    assert!(alone.out.contains("id=\"verified\""));
    let run = scratch.run(&["check", "--verify-report", "good.json"]);
    assert_eq!((run.code, run.out.as_str()), (2, ""));
    assert!(run.err.contains("--format html"), "{}", run.err);
}

/// Relative luminance and contrast, as WCAG 2.2 counts them.
fn contrast(a: &str, b: &str) -> f64 {
    let luminance = |colour: &str| {
        let channel = |at: usize| {
            let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    };
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn colours_can_be_distinguished_in_both_schemes() {
    assert!((contrast("#000000", "#ffffff") - 21.0).abs() < 1e-9);
    assert!((contrast("#767676", "#ffffff") - 4.54).abs() < 0.01);
    let (light, dark) = STYLE.split_once("@media screen and (prefers-color-scheme: dark)").unwrap();
    for (scheme, text) in [("light", light), ("dark", dark.split_once("\n}").unwrap().0)] {
        let colour = |name: &str| between(text, &format!("--{name}: "), ";").to_owned();
        for ground in ["ground", "panel"] {
            for (name, least) in [
                ("text", 4.5),
                ("muted", 4.5),
                ("link", 4.5),
                ("through", 4.5),
                ("bypassing", 4.5),
                ("open", 4.5),
                ("focus", 3.0),
                ("edge", 3.0),
            ] {
                let ratio = contrast(&colour(name), &colour(ground));
                assert!(ratio >= least, "{scheme}: --{name} on --{ground} is {ratio:.2}");
            }
        }
    }
    // No colour stands elsewhere.
    assert_eq!(
        STYLE.matches('#').count() - STYLE.matches(": #").count(),
        STYLE.matches("#images").count()
            + STYLE.matches("#filters").count()
            + STYLE.matches("#hatch").count()
            + STYLE.matches("#dots").count()
    );
}

/// Twice the images are twice the page, and no more than that in time.
#[test]
fn twenty_thousand_images_cost_what_they_weigh() {
    let page = |number: usize| {
        let scratch = Scratch::new(&[]);
        for file in 0..number / 20 {
            let containers: String = (0..20)
                .map(|n| format!("  - image: ghcr.io/team-{}/app-{file}-{n}:v1.2.3\n", file % 50))
                .collect();
            let pod = format!(
                "apiVersion: v1\nkind: Pod\nmetadata: {{ name: p{file} }}\nspec:\n  containers:\n{containers}"
            );
            scratch.write(&format!("apps/team-{}/app-{file}/pod.yaml", file % 50), pod.as_bytes());
        }
        let begin = std::time::Instant::now();
        let json = scratch.run(&["check", "--format", "json"]);
        let without = begin.elapsed();
        let begin = std::time::Instant::now();
        let html = scratch.run(&["check", "--format", "html"]);
        let with = begin.elapsed();
        assert!(html.out.contains(&format!(">{number} images</p>")), "{}", html.err);
        println!(
            "{number} images: {} bytes, JSON {} bytes; {with:?}, JSON {without:?}",
            html.out.len(),
            json.out.len()
        );
        (html.out.len(), with, without)
    };
    let (small, _, _) = page(5_000);
    let (large, with, without) = page(20_000);
    assert!(large < small * 41 / 10, "{small} {large}");
    assert!(large < 20_000 * 1_800, "{large}");
    // Machines are loaded: what a page costs beside the same check without one.
    assert!(with < without * 3 + std::time::Duration::from_secs(2), "{with:?} {without:?}");
}
