//! What `pullthru verify --format json` wrote, as far as the page shows it.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde::Deserialize;

use super::escape::{Marked, Text};
use crate::image::Reference;

/// `pullthru/verification/v1`, read again.
#[derive(Debug, Deserialize)]
pub struct Verification {
    at: Asked,
    images: Vec<Verified>,
    unknown: Vec<Unknown>,
    summary: Summary,
}

#[derive(Debug, Deserialize)]
struct Summary {
    unasked: usize,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Asked {
    Upstream,
    Cache,
    Both,
}

/// One image with its tag, its digest or both.
#[derive(Debug, Deserialize)]
pub(super) struct Verified {
    pub(super) reference: String,
    pub(super) outcome: String,
    pub(super) severity: Severity,
    pub(super) because: String,
    pub(super) next: Option<String>,
}

/// The worst last.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "lowercase")]
pub(super) enum Severity {
    Fine,
    Note,
    Open,
    Bad,
}

#[derive(Debug, Deserialize)]
struct Unknown {
    reference: String,
    because: String,
}

/// Why a file is no report.
#[derive(Debug, thiserror::Error)]
pub enum VerificationError {
    #[error("it is no report of `pullthru verify`: {}", pullthru_core::reasons::of_json(.0))]
    Shape(#[from] serde_json::Error),
    #[error("its schema is `{0}`, and not `pullthru/verification/v1`")]
    Schema(String),
}

impl Verification {
    pub fn parse(text: &str) -> Result<Verification, VerificationError> {
        /// Read first: another schema may have other fields.
        #[derive(Deserialize)]
        struct Head {
            schema: String,
        }
        let head: Head = serde_json::from_str(text)?;
        if head.schema != "pullthru/verification/v1" {
            return Err(VerificationError::Schema(head.schema));
        }
        Ok(serde_json::from_str(text)?)
    }

    /// By the image's name at the upstream.
    pub(super) fn by_name(&self) -> BTreeMap<String, Vec<&Verified>> {
        let mut names: BTreeMap<String, Vec<&Verified>> = BTreeMap::new();
        for verified in &self.images {
            let name = Reference::parse(&verified.reference).map(|reference| reference.name().to_string());
            names.entry(name.unwrap_or_else(|_| verified.reference.clone())).or_default().push(verified);
        }
        names
    }

    /// Each outcome once, the worst first, with how many images have it.
    pub(super) fn outcomes(&self) -> Vec<(&str, usize)> {
        let mut outcomes: BTreeMap<(std::cmp::Reverse<Severity>, &str), usize> = BTreeMap::new();
        for verified in &self.images {
            *outcomes.entry((std::cmp::Reverse(verified.severity), &verified.outcome)).or_default() += 1;
        }
        outcomes.into_iter().map(|((_, outcome), number)| (outcome, number)).collect()
    }

    /// The section; `others` are images that stand at no place of the page.
    pub(super) fn write(&self, others: usize, page: &mut String) {
        let asked = match self.at {
            Asked::Upstream => "their upstreams were asked",
            Asked::Cache => "the cache was asked",
            Asked::Both => "the cache and their upstreams were asked",
        };
        let _ = write!(
            page,
            "<section><h2 id=\"verified\">What the registries say</h2>\n<p>{} with their tags; {asked}.",
            crate::report::count(self.images.len(), "image")
        );
        if self.summary.unasked > 0 {
            let _ = write!(page, " {} were not asked about when it was stopped.", self.summary.unasked);
        }
        if others > 0 {
            let _ = write!(page, " At no place that counts here: {others}.");
        }
        page.push_str("</p>\n<table class=\"plain\" aria-labelledby=\"verified\">\n<thead><tr><th scope=\"col\">Outcome</th><th scope=\"col\">Images</th></tr></thead>\n<tbody>\n");
        for (outcome, number) in self.outcomes() {
            let _ = writeln!(page, "<tr><th scope=\"row\">{}</th><td>{number}</td></tr>", Text(outcome));
        }
        page.push_str("</tbody>\n</table>\n");
        let mut worst: Vec<&Verified> =
            self.images.iter().filter(|verified| verified.severity > Severity::Fine).collect();
        worst.sort_by_key(|verified| std::cmp::Reverse(verified.severity));
        if !worst.is_empty() || !self.unknown.is_empty() {
            page.push_str("<ul class=\"findings\">\n");
        }
        for verified in &worst {
            let Verified { reference, outcome, because, next, .. } = verified;
            let _ = write!(
                page,
                "<li><p><strong class=\"{}\">{}</strong> <code>{}</code>: {}</p>",
                verified.class(),
                Text(outcome),
                Text(reference),
                Marked(because)
            );
            if let Some(next) = next {
                let _ = write!(page, "<p class=\"next\">{}</p>", Marked(next));
            }
            page.push_str("</li>\n");
        }
        for Unknown { reference, because } in &self.unknown {
            let (reference, because) = (Text(reference), Marked(because));
            let _ = writeln!(
                page,
                "<li><p><strong>not asked</strong> <code>{reference}</code>: {because}</p></li>"
            );
        }
        if !worst.is_empty() || !self.unknown.is_empty() {
            page.push_str("</ul>\n");
        }
        page.push_str("</section>\n");
    }
}

impl Verified {
    /// The colour of its outcome.
    pub(super) fn class(&self) -> &'static str {
        match self.severity {
            Severity::Fine => "through",
            Severity::Note | Severity::Open => "open",
            Severity::Bad => "bypassing",
        }
    }
}
