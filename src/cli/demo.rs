//! `pullthru demo`.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use clap::Parser;

use super::signals::StopSignal;
use super::{CliError, Outcome};
use crate::demo::{ACCOUNT, REGION, World};
use crate::report::{self, Paint};

/// Run all steps on a sample repository with simulated registries on loopback: no account, no network.
///
/// Both registries are simulated on free ports of this machine; the commands are the real ones.
#[derive(Debug, Parser)]
pub(super) struct Args {
    /// Leave the migrated repository behind
    #[arg(long)]
    keep: bool,
}

/// What is said before each command, and its arguments.
const STEPS: [(&str, &[&str]); 7] = [
    (
        "The cache: an account, a Region, and the upstreams that the repository uses.",
        &["init", "--allow-no-vcs", "--account", ACCOUNT, "--region", REGION],
    ),
    ("What do the applications pull, and where would it come from?", &["scan", "apps"]),
    (
        "Behind the cache, by the smallest change that does it (without --write: the diff; this copy is not in Git).",
        &["migrate", "--write", "--allow-no-vcs"],
    ),
    (
        "Does anything still bypass it? A chart brings an image that no file names; the image lock knows it.",
        &["check"],
    ),
    ("Does everything resolve? The cache is empty, and ECR imports nothing by digest.", &["verify"]),
    ("So every image is pulled through the cache by its tag, before a node asks.", &["warm"]),
    ("And now?", &["verify"]),
];

/// Between two looks at a command.
const LOOK: Duration = Duration::from_millis(20);

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<Outcome, CliError> {
    if cfg!(not(feature = "aws")) {
        return Err(CliError::usage(
            "this build has no AWS support, which the demo shows",
            "build with the feature `aws`, which is on by default",
        ));
    }
    let failed = |error: &dyn std::fmt::Display| {
        CliError::usage(
            error.to_string(),
            "is there room in the temporary directory, and may servers listen on 127.0.0.1?",
        )
    };
    // A signal ends the demo between two looks at its command: what it made is removed.
    let stop = StopSignal::default();
    stop.watch()?;
    let world = World::start().map_err(|error| failed(&error))?;
    let program = std::env::current_exe()?;
    let paint = Paint::for_stdout();
    let mut codes = Vec::new();
    for (what, arguments) in STEPS {
        writeln!(
            out,
            "{}\n{}",
            paint.dim(&format!("# {what}")),
            paint.bold(&format!("$ pullthru {}", arguments.join(" ")))
        )?;
        // The command writes to the same place, in its turn.
        out.flush()?;
        let mut command = Command::new(&program)
            .args(arguments)
            .current_dir(world.root())
            .env_clear()
            .envs(
                ["PATH", "NO_COLOR", "TERM", "SystemRoot"]
                    .iter()
                    .filter_map(|key| Some((key, std::env::var_os(key)?))),
            )
            .envs(world.variables())
            .stdin(Stdio::null())
            .spawn()?;
        let status = loop {
            if let Some(outcome) = stop.outcome() {
                // It writes nowhere but into the copy. One that has ended already cannot be killed, which is as good.
                let _ = command.kill();
                command.wait()?;
                return Ok(outcome);
            }
            match command.try_wait()? {
                Some(status) => break status,
                None => std::thread::sleep(LOOK),
            }
        };
        codes.push(status.code());
        writeln!(out)?;
    }
    let expected = [Some(0), Some(0), Some(0), Some(1), Some(1), Some(0), Some(0)];
    if codes != expected {
        return Err(CliError::usage(
            format!("the demo ended otherwise than it should: {codes:?}"),
            "please report it",
        ));
    }
    report::next("`pullthru init` in a repository of your own", out, paint)?;
    if args.keep {
        writeln!(out, "{}", paint.dim(&format!("# The migrated repository: {}", world.keep().display())))?;
    }
    Ok(Outcome::Clean)
}
