//! Findings of the page: by rule, as the rules are listed, each with its place, what it is about, and what to do.

use std::fmt::Write;

use super::escape::{Link, Marked, Text};
use crate::lint::rules;
use crate::report::check::{FindingRow, RelatedRow};

/// A rule with more findings than this begins closed.
const OPEN: usize = 50;

pub(super) fn write(findings: &[FindingRow], page: &mut String) {
    for rule in rules::ALL {
        let id = rule.id.id();
        let of_rule: Vec<&FindingRow> = findings.iter().filter(|finding| finding.rule == rule.id).collect();
        if of_rule.is_empty() {
            continue;
        }
        let open = if of_rule.len() <= OPEN { " open" } else { "" };
        let _ = write!(
            page,
            "<details{open} id=\"rule-{id}\"><summary><h3>{id}</h3> <b>{}</b></summary>\n<p>{}</p>\n<ol class=\"findings\">\n",
            of_rule.len(),
            Marked(rule.summary)
        );
        for finding in of_rule {
            item(finding, page);
        }
        page.push_str("</ol>\n</details>\n");
    }
}

fn item(finding: &FindingRow, page: &mut String) {
    let class = if finding.severity == "error" { "bypassing" } else { "open" };
    let _ = write!(
        page,
        "<li><p><strong class=\"{class}\">{}</strong> {}</p><p>{}</p>",
        finding.severity,
        Link { path: &finding.path, line: finding.line },
        Marked(&finding.message)
    );
    if let Some(cached) = &finding.cached {
        let _ = write!(page, "<p>through the cache: <code>{}</code></p>", Text(cached));
    }
    if !finding.next.is_empty() {
        let _ = write!(page, "<p class=\"next\">{}</p>", Marked(&finding.next));
    }
    if !finding.related.is_empty() {
        page.push_str("<ul>");
        for RelatedRow { path, line, text, .. } in &finding.related {
            let _ = write!(page, "<li>{} {}</li>", Link { path, line: *line }, Marked(text));
        }
        page.push_str("</ul>");
    }
    page.push_str("</li>\n");
}
