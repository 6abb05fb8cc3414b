//! One look at the repository: what `check` finds, and what it fixes.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use super::{Args, write_file};
use crate::cli::charts_args::How;
use crate::cli::migrate::write;
use crate::cli::override_problems::FoundProblems;
use crate::cli::overrides;
use crate::cli::repository::ReadRepository;
use crate::cli::{CliError, Outcome, problem};
use crate::config::{RuleId, Severity};
use crate::find::Finder;
use crate::kustomize::Model;
use crate::lint::{self, Baseline, Checked, Request, Updaters, fix};
use crate::migrate::{self, Direction, Mode, Written, prove};
use crate::report::covered::Covered;
use crate::report::{Paint, migrate as diffs};
use crate::tree::RepoPath;
use pullthru_charts::OverridePlan;
use pullthru_core::releases::ReleaseId;

/// What `--fix` does.
#[derive(Default)]
pub(super) struct Fixed {
    pub(super) changed: bool,
    /// Files that could not be changed, with the reason.
    pub(super) failed: BTreeMap<RepoPath, String>,
    /// How many images of charts are moved by values.
    pub(super) images_of_charts: usize,
}

/// One look at the repository.
pub(super) struct Run<'a> {
    pub(super) args: &'a Args,
    baseline: Option<&'a Baseline>,
    pub(super) read: ReadRepository,
    pub(super) finder: Finder,
    /// Of standard input.
    pub(super) text: String,
    pub(super) checked: Checked,
    pub(super) covered: Covered,
    /// Releases are not known that had to be.
    pub(super) unknown: bool,
}

impl<'a> Run<'a> {
    pub(super) fn new(args: &'a Args, baseline: Option<&'a Baseline>) -> Result<Run<'a>, CliError> {
        let (mut read, finder, text) = args.repository.read_for_check(args.since.as_deref())?;
        if !read.config.has_registry() {
            return Err(CliError::usage(
                "no registry is configured",
                "give `--account` and `--region`, or write `registry:` into pullthru.yaml (`pullthru init` makes one)",
            ));
        }
        let (mut charts, mut overrides) = (None, FoundProblems::default());
        if args.wants_charts(&read) {
            if !read.is_whole() {
                args.repository.read_context_for_check(&mut read, &finder)?;
            }
            let whole = read.whole();
            let model = Model::new(&whole, &read.config);
            let how = args.charts.or(How::Lock);
            let known = how.known_releases(&read, &model, &args.repository, &args.registries)?;
            let is_on =
                |rule: &RuleId| rule.needs_renders() && read.config.severity(*rule) != Some(Severity::Off);
            if RuleId::ALL.iter().any(is_on) {
                overrides = how.override_problems(&read, &known, &args.repository, &args.registries)?;
            }
            charts = known.charts;
        }
        let in_caches = args.in_caches(&read.repository.root)?;
        let request = Request {
            strategy: args.strategy.into(),
            strict: args.strict,
            whole: read.is_whole() && !args.repository.is_stdin(),
            baseline: baseline.filter(|_| !args.write_baseline),
            usages: args.makes_a_page(),
            charts: charts.as_ref(),
            overrides: &overrides.problems,
            all_overrides_judged: overrides.is_complete,
            in_caches: Some(&in_caches),
        };
        let look = |read: &ReadRepository| {
            let whole = read.whole();
            let model = Model::new(&whole, &read.config);
            let within = |path: &RepoPath| read.is_named(path);
            let checked = lint::check(&model, request, within);
            (checked, read.covered(&model, charts.as_ref()))
        };
        let (mut checked, mut covered) = look(&read);
        // What builds the files decides about what was found in them, and about overrides. Where nothing was found
        // nothing else is read: a hook looks at a few files, again and again.
        if !read.is_whole() && charts.is_none() && (decides(&checked) || read.overrides()) {
            args.repository.read_context_for_check(&mut read, &finder)?;
            (checked, covered) = look(&read);
        }
        let unknown = args.charts.or(How::Lock).fails(charts.as_ref());
        Ok(Run { args, baseline, read, finder, text, checked, covered, unknown })
    }

    /// Findings of the rules that `--fix` fixes.
    pub(super) fn open(&self) -> usize {
        let rules = [RuleId::BypassesCache, RuleId::ChartBypassesCache, RuleId::UpdaterReverts];
        self.checked.findings.iter().filter(|finding| rules.contains(&finding.rule)).count()
    }

    /// Has the plan of a migration carried out, or shown.
    pub(super) fn fix(&self, out: &mut dyn Write) -> Result<Fixed, CliError> {
        let safety = self.args.safety();
        let images = self.images_of_charts();
        if fix::fixable(&self.checked, safety) == 0 && images.is_empty() {
            return Ok(Fixed::default());
        }
        let inventory = fix::held_back(self.read.whole().into_owned(), &self.checked, safety);
        let strategy: migrate::Strategy = self.args.strategy.into();
        let mode = Mode { direction: Direction::ToCache, strategy, component: None };
        let within = |path: &RepoPath| self.read.is_named(path);
        let (repository, config) = (&self.read.repository, &self.read.config);
        let model = Model::new(&inventory, config);
        let overrides = overrides::Request {
            charts: self.args.charts.or(How::Lock),
            read: &self.read,
            model: &model,
            repository: &self.args.repository,
            registries: &self.args.registries,
            mode: &mode,
            finder: &self.finder,
            allow_frozen_tags: false,
            is_wanted: {
                let images = images.clone();
                Arc::new(move |release, image| images.contains(&(release.clone(), image.to_owned())))
            },
        };
        let request =
            Request { strategy, strict: self.args.strict, baseline: self.baseline, ..Request::default() };
        let updaters = Updaters { repository, finder: &self.finder, request, safety };
        let planned = |within: &dyn Fn(&RepoPath) -> bool| {
            let mut proved = prove(&model, &mode, within, repository, &self.finder);
            let plan = match images.is_empty() {
                true => OverridePlan::default(),
                false => overrides.add_to(&mut proved, within)?,
            };
            updaters.add_to(&mut proved, &model, within);
            Ok::<_, CliError>((proved, plan))
        };
        let (mut proved, mut plan) = planned(&within)?;
        let mut written = Written::default();
        if self.args.diff {
            diffs::diff(&proved.files, out, Paint::for_stdout())?;
        } else if !proved.files.is_empty() {
            let submodules =
                self.args.protect.check(repository, proved.files.iter().map(|file| &file.path))?;
            if !submodules.is_empty() {
                let within =
                    |path: &RepoPath| within(path) && !submodules.iter().any(|one| path.is_within(one));
                (proved, plan) = planned(&within)?;
            }
            written = write(repository, &proved);
        }
        for error in &proved.errors {
            problem(&format!("error: {error}"));
        }
        let unprepared = proved.errors.iter().map(|error| (error.path().clone(), error.to_string()));
        let unwritten = written.failed.iter().map(|(path, error)| (path.clone(), error.to_string()));
        let by_id: BTreeMap<_, _> = plan.releases.iter().map(|one| (&one.id, one)).collect();
        let is_moved = |(release, image): &&(ReleaseId, String)| {
            by_id.get(release).is_some_and(|one| {
                (!one.written.is_empty() || one.post_renderer.is_some())
                    && one.remaining.iter().all(|remaining| remaining.image != *image)
            })
        };
        Ok(Fixed {
            changed: !proved.files.is_empty(),
            failed: unprepared.chain(unwritten).collect(),
            images_of_charts: images.iter().filter(is_moved).count(),
        })
    }

    /// Images of charts that are reported, with their releases, where they are rendered: values are written for these alone.
    fn images_of_charts(&self) -> BTreeSet<(ReleaseId, String)> {
        if !self.args.charts.or(How::Lock).renders() {
            return BTreeSet::new();
        }
        let findings = self.checked.findings.iter().filter(|one| one.rule == RuleId::ChartBypassesCache);
        findings.filter_map(|finding| Some((finding.release.clone()?, finding.image.clone()?))).collect()
    }

    pub(super) fn write_baseline(&self, out: &mut dyn Write) -> Result<Outcome, CliError> {
        let Some(path) = &self.args.baseline else { return Ok(Outcome::Clean) };
        let older = self.args.known()?;
        let baseline = Baseline::of(&self.checked.findings, older.as_ref(), |path| self.read.is_named(path));
        write_file(path, baseline.text().map_err(std::io::Error::from)?.as_bytes())?;
        writeln!(out, "wrote {}: {} findings", path.display(), baseline.findings.len())?;
        Ok(Outcome::Clean)
    }

    /// Where the root lies in its Git work tree, which is what GitHub's paths are relative to; empty or with `/` behind.
    pub(super) fn prefix(&self) -> String {
        let root = &self.read.repository.root;
        let top = root.ancestors().find(|above| above.join(".git").exists());
        let within =
            top.and_then(|top| root.strip_prefix(top).ok()).filter(|within| *within != Path::new(""));
        let names = within.into_iter().flat_map(Path::components);
        names.map(|name| format!("{}/", name.as_os_str().to_string_lossy())).collect()
    }

    /// The files that have findings. One that cannot be read again is reported without its line.
    pub(super) fn texts(&self) -> BTreeMap<RepoPath, String> {
        let mut texts = BTreeMap::new();
        for finding in &self.checked.findings {
            if self.args.repository.is_stdin() {
                texts.insert(finding.path.clone(), self.text.clone());
            } else if !texts.contains_key(&finding.path)
                && let Ok(text) = fs::read_to_string(self.read.repository.absolute(&finding.path))
            {
                texts.insert(finding.path.clone(), text);
            }
        }
        texts
    }
}

/// Do findings depend on files that were not read? A pin is one whatever a kustomization makes of it: a repository
/// that pins everything would be read whole for every commit.
fn decides(checked: &Checked) -> bool {
    let found = checked.findings.iter().chain(&checked.silenced.ignored).chain(&checked.silenced.baselined);
    let alone = [RuleId::ColdDigest, RuleId::CachedTagsOnly, RuleId::UnparsedFile, RuleId::UnusedIgnore];
    found.into_iter().any(|finding| !alone.contains(&finding.rule))
}
