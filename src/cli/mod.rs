//! The command line: arguments in, library call, report out, exit code. No logic of its own.

mod aws;
mod charts;
mod charts_args;
mod check;
mod completions;
mod cost;
#[cfg(feature = "demo")]
mod demo;
mod digest_lock;
mod doctor;
mod emit;
mod evaluated;
mod explain;
mod init;
mod list;
mod man;
mod messages;
mod migrate;
mod override_problems;
mod overrides;
mod protect;
mod provision;
mod registries;
mod render_args;
mod report;
mod repository;
mod scan;
mod signals;
mod stream;
mod updaters;
mod values;
mod verify;
mod warm;

use std::io::{self, BufWriter, IsTerminal, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use messages::{detail, note, printable, problem, say};
use protect::ProtectArgs;
use repository::RepositoryArgs;
use stream::Stream;

use crate::report::Paint;
use crate::report::escaped::{Escaped, Own};
use crate::tree::TreeError;

/// Move a GitOps repository's container images behind Amazon ECR pull through cache.
///
/// pullthru finds every reference to an upstream registry, routes it to the cache, and renames it: with an `images:`
/// entry in the root kustomizations, or edited in place. It lists every reference that it does not change, with the reason.
#[derive(Debug, Parser)]
#[command(name = "pullthru", version, max_term_width = 100)]
#[command(after_help = "Exit codes: 0 clean, 1 findings (or a plan with changes under --exit-code), \
                        2 wrong usage or configuration, 3 a file or a registry that could not be read, \
                        130 stopped by Ctrl-C, 143 by SIGTERM")]
pub struct Cli {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    messages: messages::MessageArgs,
}

#[derive(Debug, Subcommand)]
#[allow(clippy::large_enum_variant, reason = "there is one of it, for the whole run")]
enum Command {
    /// List every image reference, its route, and why a reference is skipped
    Scan(scan::Args),
    /// Report what bypasses the cache, and fix it with --fix: for hooks and pull requests
    Check(check::Args),
    /// Explain a rule of `check`: why it matters, and what to do
    Explain(explain::Args),
    /// Move references to the cache: print the diff, and change the files with --write
    Migrate(migrate::Args),
    /// List the charts that the repository deploys, and the images that they bring
    Charts(charts::Args),
    /// Write new objects for other tools: Flux image automation, a list, a Kustomize overlay, Renovate aliases
    Emit(emit::Args),
    /// Check with the registries that every image resolves, in the cache and upstream
    Verify(verify::Args),
    /// Pull images through the cache by tag, before a node asks for them
    Warm(warm::Args),
    /// Set up the AWS side: rules, secrets, templates, registry settings, repositories, policies
    Provision(provision::Args),
    /// Estimate the monthly cost of the cache
    Cost(cost::Args),
    /// Find why a pull through the cache fails, step by step, and how to fix it
    Doctor(doctor::Args),
    /// Merge reports of other runs: of shards, of many repositories
    Report(report::Args),
    /// Run all steps on a sample repository with simulated registries: no account, no network
    #[cfg(feature = "demo")]
    Demo(demo::Args),
    /// Write pullthru.yaml from what the repository shows
    Init(init::Args),
    /// Print a completion script for a shell
    Completions(completions::Args),
    /// Print the manual page, or write one for each command
    Man(man::Args),
}

/// How a run ended; the worst, which is the last here, wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    Clean,
    Findings,
    Failure,
    /// A line of a list that names no image: what was asked for is not what was meant.
    WrongInput,
    /// By a signal, with the exit code that shells give it: 130 for SIGINT, 143 for SIGTERM.
    Stopped(u8),
}

impl Outcome {
    fn code(self) -> u8 {
        match self {
            Outcome::Clean => 0,
            Outcome::Findings => 1,
            Outcome::WrongInput => 2,
            Outcome::Failure => 3,
            Outcome::Stopped(code) => code,
        }
    }
}

/// What stops a run before it has a result.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
enum CliError {
    #[error(transparent)]
    #[diagnostic(transparent)]
    Config(#[from] crate::config::ConfigErrors),
    #[error("{message}")]
    #[diagnostic(help("{help}"))]
    Usage { message: String, help: String },
    /// AWS refused, or could not be asked.
    #[error("{message}")]
    #[diagnostic(help("{help}"))]
    #[cfg_attr(not(feature = "aws"), expect(dead_code, reason = "only AWS fails like this"))]
    Aws { message: String, help: String },
    #[error(transparent)]
    Tree(#[from] TreeError),
    #[error(transparent)]
    Output(#[from] io::Error),
}

impl CliError {
    fn usage(message: impl Into<String>, help: impl Into<String>) -> CliError {
        CliError::Usage { message: printable(&message.into()), help: printable(&help.into()) }
    }

    /// On standard error: each error with its own place.
    fn say(self) {
        let print = |report: miette::Report| say(format!("{report:?}").trim_end());
        match self {
            CliError::Config(errors) => {
                errors.errors.into_iter().for_each(|error| print(miette::Report::new(error)));
            }
            other => print(miette::Report::new(other)),
        }
    }

    fn code(&self) -> u8 {
        match self {
            CliError::Config(_) | CliError::Usage { .. } => 2,
            CliError::Tree(
                TreeError::Root { .. } | TreeError::Revision { .. } | TreeError::Pattern { .. },
            ) => 2,
            CliError::Aws { .. } | CliError::Tree(_) | CliError::Output(_) => 3,
        }
    }
}

/// Parses the arguments of the process, runs, and reports.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return say_wrong_arguments(&error),
    };
    cli.messages.apply();
    // It is the only hook.
    let _ = miette::set_hook(Box::new(|_| Box::new(printed_errors())));
    let mut out = Stream::new(BufWriter::new(io::stdout().lock()));
    let result = run(cli.command, &mut out);
    let printed = out.finish();
    let code = match result {
        Ok(outcome) => outcome.code(),
        Err(stop) => {
            let code = stop.code();
            stop.say();
            code
        }
    };
    match printed {
        Ok(()) => ExitCode::from(code),
        Err(error) => {
            problem(&format!("error: cannot write to standard output: {error}"));
            ExitCode::from(if code <= Outcome::Findings.code() { Outcome::Failure.code() } else { code })
        }
    }
}

/// Help on standard output, or what is wrong with the arguments, which may be names of files.
fn say_wrong_arguments(error: &clap::Error) -> ExitCode {
    let text = error.render();
    if !error.use_stderr() {
        error.exit();
    }
    let text = if io::stderr().is_terminal() { text.ansi().to_string() } else { text.to_string() };
    say(text.trim_end());
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2))
}

/// How errors are printed. A terminal wraps long lines itself, and keeps names whole when they are copied.
fn printed_errors() -> miette::MietteHandler {
    let options = miette::MietteHandlerOpts::new().wrap_lines(false);
    match Paint::chosen() {
        Some(color) => options.color(color).build(),
        None => options.build(),
    }
}

fn run(command: Command, out: &mut dyn Write) -> Result<Outcome, CliError> {
    let colour = Paint::for_stdout().enabled;
    let own = match &command {
        Command::Check(args) => Own { colour, commands: args.prints_commands(), characters: false },
        Command::Verify(args) => Own { colour, commands: args.prints_commands(), characters: false },
        Command::Scan(_)
        | Command::Charts(_)
        | Command::Warm(_)
        | Command::Cost(_)
        | Command::Doctor(_)
        | Command::Report(_) => Own { colour, ..Own::default() },
        Command::Migrate(args) if args.is_report() => Own { colour, ..Own::default() },
        Command::Provision(args) if args.is_report() => Own { colour, ..Own::default() },
        // What else prints objects, diffs and code, which programs take byte for byte. A terminal is shown no such thing, and
        // neither is a log that is searched for commands.
        _ if io::stdout().is_terminal() => Own { colour, ..Own::default() },
        _ if is_log_of_ci() => Own { characters: true, ..Own::default() },
        _ => return dispatch(command, out),
    };
    let mut out = Escaped::new(out, own);
    let outcome = dispatch(command, &mut out);
    let finished = out.finish();
    let outcome = outcome?;
    if finished? && own.characters {
        note(
            "what this CI system would obey was printed as text: send the output to a file (`> FILE`) to have it byte for byte",
        );
    }
    Ok(outcome)
}

/// Is standard output what GitHub Actions or Azure Pipelines read line by line? A file is for a program.
fn is_log_of_ci() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    (is_set("GITHUB_ACTIONS") || is_set("TF_BUILD")) && !is_file(&io::stdout())
}

#[cfg(unix)]
fn is_file(out: &io::Stdout) -> bool {
    use std::os::fd::AsFd;
    let file = out.as_fd().try_clone_to_owned().map(std::fs::File::from);
    file.and_then(|file| file.metadata()).is_ok_and(|found| found.is_file())
}

#[cfg(windows)]
fn is_file(out: &io::Stdout) -> bool {
    use std::os::windows::io::AsHandle;
    let file = out.as_handle().try_clone_to_owned().map(std::fs::File::from);
    file.and_then(|file| file.metadata()).is_ok_and(|found| found.is_file())
}

fn dispatch(command: Command, out: &mut dyn Write) -> Result<Outcome, CliError> {
    match command {
        Command::Scan(args) => scan::run(&args, out),
        Command::Check(args) => check::run(&args, out),
        Command::Explain(args) => explain::run(&args, out),
        Command::Migrate(args) => migrate::run(&args, out),
        Command::Charts(args) => charts::run(&args, out),
        Command::Emit(args) => emit::run(&args, out),
        Command::Verify(args) => verify::run(&args, out),
        Command::Warm(args) => warm::run(&args, out),
        Command::Provision(args) => provision::run(&args, out),
        Command::Cost(args) => cost::run(&args, out),
        Command::Doctor(args) => doctor::run(&args, out),
        Command::Report(args) => report::run(&args, out),
        #[cfg(feature = "demo")]
        Command::Demo(args) => demo::run(&args, out),
        Command::Init(args) => init::run(&args, out),
        Command::Completions(args) => completions::run(&args, out),
        Command::Man(args) => man::run(&args, out),
    }
}
