//! One look at the repository: what `check` finds, and what it fixes.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;

use super::{Args, write_file};
use crate::cli::charts_args::How;
use crate::cli::migrate::write;
use crate::cli::repository::ReadRepository;
use crate::cli::{CliError, Outcome, problem};
use crate::config::RuleId;
use crate::find::Finder;
use crate::kustomize::Model;
use crate::lint::{self, Baseline, Checked, Request, fix};
use crate::migrate::{self, Direction, Mode, Written, prove};
use crate::report::covered::Covered;
use crate::report::{Paint, migrate as diffs};
use crate::tree::RepoPath;

/// One look at the repository.
pub(super) struct Run<'a> {
    pub(super) args: &'a Args,
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
    pub(super) fn new(args: &'a Args, baseline: Option<&Baseline>) -> Result<Run<'a>, CliError> {
        let (mut read, finder, text) = args.repository.read_for_check(args.since.as_deref())?;
        if !read.config.has_registry() {
            return Err(CliError::usage(
                "no registry is configured",
                "give `--account` and `--region`, or write `registry:` into pullthru.yaml (`pullthru init` makes one)",
            ));
        }
        let mut charts = None;
        if args.wants_charts(&read) {
            if !read.is_whole() {
                args.repository.read_context(&mut read, &finder)?;
            }
            let whole = read.whole();
            let model = Model::new(&whole, &read.config);
            charts = args.charts.or(How::Lock).known(&read, &model, &args.repository, &args.registries)?;
        }
        let in_caches = args.in_caches(&read.repository.root)?;
        let request = Request {
            strategy: args.strategy.into(),
            strict: args.strict,
            whole: read.is_whole() && !args.repository.is_stdin(),
            baseline: baseline.filter(|_| !args.write_baseline),
            usages: args.makes_a_page(),
            charts: charts.as_ref(),
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
            args.repository.read_context(&mut read, &finder)?;
            (checked, covered) = look(&read);
        }
        let unknown = args.charts.or(How::Lock).fails(charts.as_ref());
        Ok(Run { args, read, finder, text, checked, covered, unknown })
    }

    pub(super) fn bypassing(&self) -> usize {
        self.checked.findings.iter().filter(|finding| finding.rule == RuleId::BypassesCache).count()
    }

    /// Has the plan of a migration carried out, or shown. Tells whether anything changes, and which files could not, with
    /// the reason.
    pub(super) fn fix(&self, out: &mut dyn Write) -> Result<(bool, BTreeMap<RepoPath, String>), CliError> {
        let safety = self.args.safety();
        if fix::fixable(&self.checked, safety) == 0 {
            return Ok((false, BTreeMap::new()));
        }
        let inventory = fix::held_back(self.read.whole().into_owned(), &self.checked, safety);
        let strategy: migrate::Strategy = self.args.strategy.into();
        let mode = Mode { direction: Direction::ToCache, strategy, component: None };
        let within = |path: &RepoPath| self.read.is_named(path);
        let (repository, config) = (&self.read.repository, &self.read.config);
        let model = Model::new(&inventory, config);
        let mut proved = prove(&model, &mode, within, repository, &self.finder);
        let mut written = Written::default();
        if self.args.diff {
            diffs::diff(&proved.files, out, Paint::for_stdout())?;
        } else if !proved.files.is_empty() {
            let submodules =
                self.args.protect.check(repository, proved.files.iter().map(|file| &file.path))?;
            if !submodules.is_empty() {
                let within =
                    |path: &RepoPath| within(path) && !submodules.iter().any(|one| path.is_within(one));
                proved = prove(&model, &mode, within, repository, &self.finder);
            }
            written = write(repository, &proved);
        }
        for error in &proved.errors {
            problem(&format!("error: {error}"));
        }
        let unprepared = proved.errors.iter().map(|error| (error.path().clone(), error.to_string()));
        let unwritten = written.failed.iter().map(|(path, error)| (path.clone(), error.to_string()));
        Ok((!proved.files.is_empty(), unprepared.chain(unwritten).collect()))
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
