//! The result of `check` as one page for a browser, which asks for nothing from elsewhere: how far the migration is,
//! by cluster, application and upstream; the images; the findings; and what the registries said, where that is given.
//!
//! [`write`] assembles it. It reads the same without its script, which only filters and sorts. Its policy admits
//! the style and the script by their digests, so that nothing else runs, whatever the files say.

mod chart;
mod escape;
mod findings;
mod groups;
mod table;
mod verified;

use std::fmt::Write as _;
use std::io::{self, Write};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest, Sha256};

use super::check::{CheckReport, sentence};
use super::count;
use crate::lint::{Status, Usage};
use chart::Chart;
pub use verified::{Verification, VerificationError};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");

/// Patterns for bars, so that their parts differ without colour.
const PATTERNS: &str = "<svg width=\"0\" height=\"0\" class=\"patterns\" aria-hidden=\"true\"><defs>\
    <pattern id=\"hatch\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\" patternTransform=\"rotate(45)\">\
    <rect class=\"ground\" width=\"6\" height=\"6\"/><rect class=\"mark\" width=\"4\" height=\"6\"/></pattern>\
    <pattern id=\"dots\" width=\"6\" height=\"6\" patternUnits=\"userSpaceOnUse\">\
    <rect class=\"ground\" width=\"6\" height=\"6\"/><circle class=\"mark\" cx=\"3\" cy=\"3\" r=\"2\"/></pattern>\
    </defs></svg>\n";

/// The page.
///
/// # Errors
/// When `out` cannot be written to.
pub fn write(
    report: &CheckReport,
    usages: &[Usage],
    verification: Option<&Verification>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let images = groups::images(usages);
    let mut page = head(report);
    page.push_str("<main>\n");
    shares(report, &mut page);
    charts(usages, &mut page);
    let verified = verification.map(Verification::by_name);
    page.push_str("<section><h2 id=\"all-images\">Images</h2>\n");
    table::write(&images, verified.as_ref(), &mut page);
    page.push_str("</section>\n");
    if let (Some(verification), Some(verified)) = (verification, &verified) {
        let known: std::collections::BTreeSet<&str> = images.iter().map(|image| image.name).collect();
        let others = verified.iter().filter(|(name, _)| !known.contains(name.as_str()));
        verification.write(others.map(|(_, references)| references.len()).sum(), &mut page);
    }
    page.push_str("<section><h2 id=\"findings\">Findings</h2>\n");
    let _ = writeln!(page, "<p>{}.</p>", escape::Marked(&sentence(&report.summary)));
    findings::write(&report.findings, &mut page);
    page.push_str("</section>\n</main>\n");
    let _ = write!(
        page,
        "<footer><p>pullthru {}, <code>pullthru check --format html</code></p></footer>\n<script>{SCRIPT}</script>\n</body>\n</html>\n",
        env!("CARGO_PKG_VERSION")
    );
    out.write_all(page.as_bytes())
}

fn head(report: &CheckReport) -> String {
    let digest = |text: &str| BASE64_STANDARD.encode(Sha256::digest(text));
    let (style, script) = (digest(STYLE), digest(SCRIPT));
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-{style}'; \
         script-src 'sha256-{script}'; base-uri 'none'; form-action 'none'\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta name=\"referrer\" content=\"no-referrer\">\n\
         <title>pullthru: {}</title>\n\
         <style>{STYLE}</style>\n</head>\n<body>\n<a class=\"skip\" href=\"#all-images\">To the images</a>\n{PATTERNS}\
         <header><h1>Images through the cache</h1></header>\n",
        report.summary.coverage.words()
    )
}

/// How many images and references have which status.
fn shares(report: &CheckReport, page: &mut String) {
    page.push_str("<div class=\"shares\">\n");
    let coverage = &report.summary.coverage;
    let rows = [
        ("images", "image", "Images", "each once for each root that builds it", &coverage.images),
        ("references", "reference", "References", "places that name an image", &coverage.references),
    ];
    for (id, one, title, note, counted) in rows {
        let bar = chart::bar(counted, &count(counted.total(), one));
        let _ = writeln!(page, "<section id=\"share-{id}\"><h2>{title} <small>{note}</small></h2>");
        if id == "images" {
            let _ = write!(
                page,
                "<p class=\"percent\">{}</p>\n<p>{}</p>\n",
                coverage.figure(),
                escape::Text(&coverage.words())
            );
        }
        let _ = write!(page, "{bar}\n<dl>");
        for status in Status::ALL {
            let (class, words, number) = (status.id(), status.words(), counted.of(status));
            let _ = write!(page, "<div><dt class=\"{class}\">{words}</dt><dd>{number}</dd></div>");
        }
        page.push_str("</dl>\n</section>\n");
    }
    page.push_str("</div>\n");
}

fn charts(usages: &[Usage], page: &mut String) {
    page.push_str("<section><h2>References by</h2>\n<div class=\"charts\">\n");
    let chart = |id, of, title, note| Chart { id, of, title, note };
    chart(
        "clusters",
        "Cluster",
        "Cluster",
        "What is built from one place: the directory that Flux begins with, else that of the root kustomization. \
         A place counts for each cluster that is given it.",
    )
    .write(&groups::clusters(usages), page);
    chart("upstreams", "Upstream", "Upstream", "Where the image comes from, by the cache or past it.")
        .write(&groups::upstreams(usages), page);
    chart("applications", "Application", "Application", "The directory that holds the reference.")
        .write(&groups::applications(usages), page);
    page.push_str("</div>\n</section>\n");
}
