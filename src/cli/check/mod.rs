//! `pullthru check`.

mod run;

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};

use run::{Fixed, Run};

use super::charts_args::{ChartsArgs, How};
use super::digest_lock;
use super::migrate::Strategy;
use super::protect::remove_stale_temp_files;
use super::registries::RegistryArgs;
use super::repository::ReadRepository;
use super::{CliError, Outcome, ProtectArgs, RepositoryArgs, messages, note};
use crate::lint::{self, Baseline, Checked, Safety, Usage, fix};
use crate::report::Paint;
use crate::report::check::{self as report, CheckReport, Detail, Fixes};
use crate::report::covered::Covered;
use crate::report::html::{self, Verification};
use pullthru_core::reasons::of_io;

/// Say what bypasses the cache, and what a migration could not do.
///
/// For hooks and pull requests: it fails when an image goes to its upstream that could go through the cache, and
/// changes files with --fix alone. `pullthru explain` explains the rules.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  pullthru check                                      the whole repository
  pullthru check --fix apps/                          fix what can be fixed safely, below apps/
  pullthru check --since origin/main...               what a branch changed
  pullthru check --format github                      annotations on a pull request, and a step summary
  kustomize build apps/prod | pullthru check -        what one cluster is given

Exit codes: 0 clean, 1 an error was found (see --fail-on), 2 wrong usage or configuration, 3 a file that could not be
read or written")]
pub(super) struct Args {
    #[command(flatten)]
    repository: RepositoryArgs,

    /// Only files that differ from this revision, such as `main` or `origin/main...`
    #[arg(long, value_name = "REV", help_heading = "Files")]
    since: Option<String>,

    /// Fix what can be fixed safely
    #[arg(long, help_heading = "Fixes")]
    fix: bool,

    /// With --fix: fix as well what a program may undo, or what has to change elsewhere too
    #[arg(long, requires = "fix", help_heading = "Fixes")]
    unsafe_fixes: bool,

    /// With --fix: show the change and write nothing; exit with 1 when there is one
    #[arg(long, requires = "fix", help_heading = "Fixes")]
    diff: bool,

    /// How references are moved
    #[arg(long, value_enum, default_value_t = Strategy::Auto, help_heading = "Fixes")]
    strategy: Strategy,

    #[command(flatten)]
    protect: ProtectArgs,

    /// Known findings, which are not reported
    #[arg(long, value_name = "FILE", help_heading = "Silence")]
    baseline: Option<PathBuf>,

    /// Write all findings into the file that --baseline names
    #[arg(long, requires = "baseline", conflicts_with_all = ["fix", "strict"], help_heading = "Silence")]
    write_baseline: bool,

    /// Report everything: comments, `lint-ignore:` and the baseline silence nothing
    #[arg(long, conflicts_with = "fix", help_heading = "Silence")]
    strict: bool,

    #[command(flatten)]
    charts: ChartsArgs,

    #[command(flatten)]
    registries: RegistryArgs,

    /// What makes the exit code 1
    #[arg(long, value_enum, value_name = "LEVEL", default_value_t = FailOn::Error)]
    fail_on: FailOn,

    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,

    /// Print how many findings each rule has, and how many of them can be fixed, instead of the findings
    #[arg(long)]
    statistics: bool,

    /// Write the result to a file as well, in a format of its own, such as sarif=results.sarif
    #[arg(long, value_name = "FORMAT=FILE", value_parser = Output::parse)]
    output: Vec<Output>,

    /// The digest lock that `verify --lock` wrote: pinned images that it holds for their cache are not cold. Default:
    /// pullthru-digests.lock.json at the repository's root
    #[arg(long, value_name = "FILE", help_heading = "Silence")]
    lock: Option<PathBuf>,

    /// For html: what the registries said, as `pullthru verify --format json` wrote it
    #[arg(long, value_name = "FILE")]
    verify_report: Option<PathBuf>,
}

/// A file beside standard output.
#[derive(Clone, Debug)]
struct Output {
    format: Format,
    path: PathBuf,
}

impl Output {
    fn parse(text: &str) -> Result<Output, String> {
        let (format, path) = text
            .split_once('=')
            .filter(|(_, path)| !path.is_empty())
            .ok_or("write a format and a file, such as `sarif=results.sarif`")?;
        let format = Format::from_str(format, false).map_err(|_| {
            let names = Format::value_variants().iter().filter_map(ValueEnum::to_possible_value);
            let names: Vec<String> = names.map(|value| value.get_name().to_owned()).collect();
            format!("`{format}` is not a format; write one of {}", names.join(", "))
        })?;
        Ok(Output { format, path: PathBuf::from(path) })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FailOn {
    Error,
    /// Warnings, too
    Warn,
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A summary, and findings by rule: of what repeats the first places
    Human,
    /// A finding a line: `file:line:column: rule: message`
    Concise,
    Json,
    /// A finding a line, as JSON
    Jsonl,
    /// Annotations; the step summary, too, where GITHUB_STEP_SUMMARY is set
    Github,
    Sarif,
    /// For a comment on a pull request
    Markdown,
    Junit,
    /// Numbers alone, as `name=value`: for GITHUB_OUTPUT, or a dotenv file
    Values,
    /// A self-contained page for a browser
    Html,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<Outcome, CliError> {
    let stdin = args.repository.is_stdin();
    if stdin && (args.fix || args.since.is_some()) {
        return Err(CliError::usage("`-` is no file of the repository", "name files or directories"));
    }
    if args.statistics && args.format != Format::Human {
        return Err(CliError::usage(
            "`--statistics` is a table for people",
            "leave `--format` out; `--format values` prints numbers for programs",
        ));
    }
    let baseline = args.known()?;
    let verification = args.verification()?;
    let mut run = Run::new(args, baseline.as_ref())?;
    if args.write_baseline {
        return run.write_baseline(out);
    }
    let mut outcome = if run.read.inventory.has_failures() { Outcome::Failure } else { Outcome::Clean };
    let mut fixes = Fixes::default();
    if args.fix {
        if !args.diff {
            remove_stale_temp_files(&run.read.repository, &run.read.inventory.directories);
        }
        let before = run.open();
        let Fixed { changed, failed, images_of_charts } = run.fix(out)?;
        if !failed.is_empty() {
            outcome = outcome.max(Outcome::Failure);
        }
        if args.diff {
            let fixed = fix::fixable(&run.checked, args.safety()) + images_of_charts;
            let left = run.checked.findings.len().saturating_sub(fixed);
            if left > 0 {
                note(&format!("{left} more findings are not fixed by this: `pullthru check` lists them"));
            }
            let changed = if changed { Outcome::Findings } else { Outcome::Clean };
            return Ok(outcome.max(changed).max(args.failing(&run.checked)));
        }
        if changed {
            // What is there now is what counts.
            run = Run::new(args, baseline.as_ref())?;
            fixes.fixed = before.saturating_sub(run.open());
        }
        fix::say_failed(&mut run.checked, &failed);
        fixes.failed = failed.len();
    }
    let report = CheckReport::new(&run.checked, fixes, &run.texts());
    let rendered = Rendered {
        report: &report,
        covered: run.covered,
        statistics: args.statistics,
        prefix: &run.prefix(),
        usages: &run.checked.usages,
        verification: verification.as_ref(),
    };
    rendered.write(args.format, out, Paint::for_stdout())?;
    if args.format == Format::Github {
        step_summary(&report)?;
    }
    for Output { format, path } in &args.output {
        let mut text = Vec::new();
        rendered.write(*format, &mut text, Paint::never())?;
        write_file(path, &text)?;
    }
    let outcome = if run.unknown { outcome.max(Outcome::Findings) } else { outcome };
    Ok(outcome.max(args.failing(&run.checked)))
}

/// What formats tell.
struct Rendered<'a> {
    report: &'a CheckReport,
    covered: Covered,
    /// Numbers in place of findings, for people.
    statistics: bool,
    /// Leads from the work tree to the repository's root.
    prefix: &'a str,
    usages: &'a [Usage],
    verification: Option<&'a Verification>,
}

impl Rendered<'_> {
    fn write(&self, format: Format, out: &mut dyn Write, paint: Paint) -> std::io::Result<()> {
        let Rendered { report, covered, statistics, prefix, usages, verification } = *self;
        match format {
            Format::Human if statistics => report::statistics(report, covered, out, paint),
            Format::Human => {
                let detail = if messages::is_verbose() { Detail::All } else { Detail::First };
                report::human(report, covered, detail, out, paint)
            }
            Format::Concise => report::concise(report, out),
            Format::Json => report::json(report, out),
            Format::Jsonl => report::jsonl(report, out),
            Format::Github => report::github(report, prefix, out),
            Format::Sarif => report::sarif(report, prefix, out),
            Format::Markdown => report::markdown(report, out),
            Format::Junit => report::junit(report, out),
            Format::Values => report::values(report, out),
            Format::Html => html::write(report, usages, verification, out),
        }
    }
}

impl Args {
    /// The baseline, where there is one.
    fn known(&self) -> Result<Option<Baseline>, CliError> {
        let Some(path) = &self.baseline else { return Ok(None) };
        let shown = path.display();
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(_) if self.write_baseline && !path.exists() => return Ok(None),
            Err(error) => {
                let help = "write it with `--write-baseline`";
                return Err(CliError::usage(
                    format!("cannot read the baseline `{shown}`: {}", of_io(&error)),
                    help,
                ));
            }
        };
        let parsed = Baseline::parse(&text);
        parsed.map(Some).map_err(|error| {
            CliError::usage(format!("`{shown}`: {error}"), "write it again with `--write-baseline`")
        })
    }

    /// Images that a cache had when `verify` asked it.
    fn in_caches(&self, root: &Path) -> Result<BTreeSet<String>, CliError> {
        let lock = digest_lock::read(self.lock.as_deref(), root)?;
        Ok(lock.map(|lock| lock.in_caches()).unwrap_or_default())
    }

    /// Does standard output hold commands for GitHub Actions?
    pub(super) fn prints_commands(&self) -> bool {
        self.format == Format::Github
    }

    fn makes_a_page(&self) -> bool {
        let mut formats = self.output.iter().map(|output| output.format).chain([self.format]);
        formats.any(|format| format == Format::Html)
    }

    /// What the registries said, where it is given.
    fn verification(&self) -> Result<Option<Verification>, CliError> {
        let Some(path) = &self.verify_report else { return Ok(None) };
        let shown = path.display();
        if !self.makes_a_page() {
            return Err(CliError::usage(
                "only the page shows what `--verify-report` holds",
                "add `--format html`",
            ));
        }
        let help = "write it with `pullthru verify --format json`";
        let text = fs::read_to_string(path).map_err(|error| {
            CliError::usage(format!("cannot read the report `{shown}`: {}", of_io(&error)), help)
        })?;
        let parsed = Verification::parse(&text);
        parsed.map(Some).map_err(|error| CliError::usage(format!("`{shown}`: {error}"), help))
    }

    /// Do the named files bear on releases? A hook looks at a few files, again and again.
    fn wants_charts(&self, read: &ReadRepository) -> bool {
        let charts = self.charts.or(How::Lock);
        if self.repository.is_stdin() || !charts.has_answers(&read.repository) {
            return false;
        }
        read.is_whole() || charts.are_touched(read)
    }

    fn safety(&self) -> Safety {
        if self.unsafe_fixes { Safety::Unsafe } else { Safety::Safe }
    }

    fn failing(&self, checked: &Checked) -> Outcome {
        let error = |finding: &lint::Finding| finding.severity == crate::config::Severity::Error;
        let fails = match self.fail_on {
            FailOn::Error => checked.findings.iter().any(error),
            FailOn::Warn => !checked.findings.is_empty(),
            FailOn::Never => false,
        };
        if fails { Outcome::Findings } else { Outcome::Clean }
    }
}

fn write_file(path: &Path, text: &[u8]) -> Result<(), CliError> {
    match fs::write(path, text) {
        // It is a pipe, whose reader has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written.map_err(|error| {
            let message = format!("cannot write `{}`: {}", path.display(), of_io(&error));
            CliError::Output(std::io::Error::new(error.kind(), message))
        }),
    }
}

/// The page that GitHub shows of a run, behind what other steps wrote.
fn step_summary(report: &CheckReport) -> Result<(), CliError> {
    let Some(path) = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty()) else {
        return Ok(());
    };
    let mut file = fs::OpenOptions::new().append(true).create(true).open(path)?;
    report::markdown(report, &mut file)?;
    writeln!(file)?;
    Ok(())
}
