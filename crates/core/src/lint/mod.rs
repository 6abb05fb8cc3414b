//! What is wrong with a repository's references, as a migration would see it: one engine for both.
//!
//! [`check`] is pure over an [`crate::inventory::Inventory::without_comments`]. [`references`] says what each
//! reference is, [`coverage`] counts them, each of [`rules`] reads them and the inventory and returns [`Finding`]s, [`silence`] takes out
//! what comments, the configuration and a [`baseline`] leave, and [`fix`] makes of the rest what a migration is to
//! leave alone when `check --fix` carries it out; [`Updaters`] adds what [`updates`] has for updaters. [`usage`] lists the places themselves.

pub mod another_cache;
mod baseline;
pub mod coverage;
mod edits;
pub mod fix;
mod fix_updaters;
pub mod references;
pub mod rules;
mod silence;
mod updates;
mod usage;

use std::collections::{BTreeSet, HashMap};

use crate::config::{Config, RuleId, Severity};
use crate::images::{Charts, ReleaseImages};
use crate::inventory::Inventory;
use crate::kustomize::Model;
use crate::migrate::Strategy;
use crate::releases::ReleaseId;
use crate::releases::overrides::OverrideProblem;
use crate::tree::{Position, RepoPath};
use crate::yaml::{FieldPath, Span};

pub use baseline::Baseline;
pub use coverage::{Count, Counter, Coverage, Status, Unseen, UpstreamCount};
pub use edits::Edits;
pub use fix_updaters::Updaters;
pub use references::{Built, Planned, Plans, Reference};
pub use rules::{Rule, rule};
pub use usage::{Given, Usage};

/// A rule that fired at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub path: RepoPath,
    pub position: Position,
    /// Bytes of the file.
    pub span: Span,
    pub rule: RuleId,
    /// Never off.
    pub severity: Severity,
    pub confidence: Confidence,
    /// What is so: one line.
    pub message: String,
    /// The reference as a node would pull it, where it is about one.
    pub image: Option<String>,
    /// The same through the cache.
    pub cached: Option<String>,
    /// The release whose chart brings it.
    pub release: Option<ReleaseId>,
    /// What distinguishes it from others of its rule in its file, whatever the line and the tag.
    pub subject: String,
    /// What to do: one line.
    pub next: String,
    pub related: Vec<Related>,
    pub fix: Option<Fix>,
    /// Rule, path and subject, and a number where that is not enough: stable when lines move.
    pub fingerprint: String,
}

impl Finding {
    fn new(rule: &Rule, path: &RepoPath, position: Position, span: Span, message: String) -> Finding {
        Finding {
            path: path.clone(),
            position,
            span,
            rule: rule.id,
            severity: rule.severity,
            confidence: Confidence::High,
            message,
            image: None,
            cached: None,
            release: None,
            subject: String::new(),
            next: String::new(),
            related: Vec::new(),
            fix: None,
            fingerprint: String::new(),
        }
    }
}

/// How sure it is that something is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confidence {
    /// It depends on what is outside the repository.
    Low,
    /// It depends on something that is usual.
    Medium,
    /// The files say it.
    High,
}

impl Confidence {
    pub fn id(self) -> &'static str {
        match self {
            Confidence::Low => "low",
            Confidence::Medium => "medium",
            Confidence::High => "high",
        }
    }
}

/// Another place that a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Related {
    pub path: RepoPath,
    pub position: Position,
    pub text: String,
}

/// How a finding can be fixed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fix {
    pub safety: Safety,
    /// What is done.
    pub title: String,
    /// In the finding's own file; empty where kustomizations rename it.
    pub edits: Vec<crate::yaml::Edit>,
    /// Keys that are set in the finding's own file, besides.
    pub keys: Vec<NewKey>,
    /// Files that change instead.
    pub by: Vec<RepoPath>,
    /// References have to move before it; it is made when they have.
    pub follows: bool,
}

impl Fix {
    /// Edits of the finding's own file alone.
    fn by_edits(safety: Safety, title: String, edits: Vec<crate::yaml::Edit>) -> Fix {
        Fix { safety, title, edits, keys: Vec::new(), by: Vec::new(), follows: false }
    }
}

/// A key that gets a text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NewKey {
    /// Its number in the file.
    pub document: usize,
    pub path: FieldPath,
    pub value: String,
}

/// What a fix may lose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Safety {
    /// The same image by another way.
    Safe,
    /// A program may undo it, or something that is not in the repository has to change with it.
    Unsafe,
}

impl Safety {
    pub fn id(self) -> &'static str {
        match self {
            Safety::Safe => "safe",
            Safety::Unsafe => "unsafe",
        }
    }
}

/// What rules look at.
pub(crate) struct Context<'a> {
    inventory: &'a Inventory,
    config: &'a Config,
    model: &'a Model<'a>,
    references: &'a [Reference<'a>],
    /// Releases in the paths asked for.
    charts: &'a [ReleaseImages],
    overrides: &'a [OverrideProblem],
    /// See [`Request::in_caches`].
    in_caches: Option<&'a BTreeSet<String>>,
    /// What a migration would edit in place.
    changes: HashMap<references::Place<'a>, &'a crate::migrate::Change>,
}

/// What is asked for.
#[derive(Clone, Copy, Default)]
pub struct Request<'a> {
    /// How a migration would fix it.
    pub strategy: Strategy,
    /// Comments, `lint-ignore:` and the baseline silence nothing.
    pub strict: bool,
    /// The whole repository was read, so that what silences nothing can be reported.
    pub whole: bool,
    pub baseline: Option<&'a Baseline>,
    /// Every place is listed, too: [`Checked::usages`].
    pub usages: bool,
    /// What is known of releases in the paths asked for; without it the images of charts are unknown.
    pub charts: Option<&'a Charts>,
    /// What renders found wrong with overrides of releases.
    pub overrides: &'a [OverrideProblem],
    /// The overrides of all releases in the paths asked for were judged.
    pub all_overrides_judged: bool,
    /// Images that are known to be in a cache: `<registry>/<prefix>/<repository>@sha256:…`.
    pub in_caches: Option<&'a BTreeSet<String>>,
}

/// The result of a run.
#[derive(Clone, Debug, Default)]
pub struct Checked {
    /// By place.
    pub findings: Vec<Finding>,
    /// What was silenced, for a baseline to be written and for a fix to leave alone.
    pub silenced: Silenced,
    pub coverage: Coverage,
    /// Every place that [`Coverage`] counts, on request; by place.
    pub usages: Vec<Usage>,
    /// Fingerprints of the baseline that nothing answers to any more, within the paths asked for.
    pub stale: Vec<String>,
}

/// Findings that are not reported.
#[derive(Clone, Debug, Default)]
pub struct Silenced {
    /// By a comment or by `lint-ignore:`.
    pub ignored: Vec<Finding>,
    pub baselined: Vec<Finding>,
}

/// All findings below the paths that `within` accepts. The configuration's severities hold.
pub fn check(model: &Model<'_>, request: Request<'_>, within: impl Fn(&RepoPath) -> bool) -> Checked {
    let &Model { inventory, config, .. } = model;
    let plans = Plans::new(model, request.strategy);
    let references = references::references(model, &plans);
    let charts = request.charts.map(|charts| charts.releases.as_slice()).unwrap_or_default();
    let changes = plans.changes();
    let context = Context {
        inventory,
        config,
        model,
        references: &references,
        charts,
        overrides: request.overrides,
        in_caches: request.in_caches,
        changes,
    };
    let mut findings: Vec<Finding> = Vec::new();
    for rule in rules::ALL {
        if config.severity(rule.id) != Some(Severity::Off) {
            findings.extend((rule.find)(&context));
        }
    }
    // Another file than the release's own may have changed it.
    findings.retain(|finding| finding.rule.is_about_charts() || within(&finding.path));
    let mut checked = silence::apply(inventory, config, request, &within, identified(findings));
    for finding in &mut checked.findings {
        if let Some(severity) = config.severity(finding.rule) {
            finding.severity = severity;
        }
    }
    checked.findings.sort_by(|a, b| order(a).cmp(&order(b)));
    let counted = references::counted(&references, config, &within);
    checked.coverage = references::coverage(&counted, request.charts, inventory, config, &within);
    if request.usages {
        let here: Vec<ReleaseImages> =
            charts.iter().filter(|release| within(&release.place.path)).cloned().collect();
        checked.usages = usage::list(&counted, &here, model);
    }
    checked
}

/// By place; then by what cannot be the same twice.
fn order(finding: &Finding) -> (&RepoPath, Position, RuleId, &str) {
    (&finding.path, finding.position, finding.rule, &finding.fingerprint)
}

/// The findings, each once, with their fingerprints.
fn identified(mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by(|a, b| {
        order(a).cmp(&order(b)).then_with(|| (&a.subject, &a.message).cmp(&(&b.subject, &b.message)))
    });
    findings.dedup_by(|a, b| order(a) == order(b) && a.subject == b.subject && a.message == b.message);
    let mut seen: HashMap<String, usize> = HashMap::new();
    for finding in &mut findings {
        let fingerprint = format!("{}:{}:{}", finding.rule.id(), finding.path, finding.subject);
        let times = seen.entry(fingerprint.clone()).or_default();
        *times += 1;
        // Two places of one file are two findings.
        finding.fingerprint = if *times > 1 { format!("{fingerprint}:{times}") } else { fingerprint };
    }
    findings
}
