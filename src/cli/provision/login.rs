//! `pullthru provision login`.

use std::io::Write;
use std::process::{Command, Stdio};

use clap::Parser;

use super::DesiredArgs;
use crate::cli::aws::{AwsArgs, of_aws};
use crate::cli::{CliError, Outcome, note, registries};

/// Log a container tool in at the registry, for 12 hours.
///
/// The password goes from AWS to the tool's standard input, and nowhere else.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  pullthru provision login                            docker, or the first that is here of podman, nerdctl, helm, crane
  pullthru provision login --with helm")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    desired: DesiredArgs,

    #[command(flatten)]
    aws: AwsArgs,

    /// The tool to log in: docker, podman, nerdctl, buildah, skopeo, helm, crane, oras, regctl
    #[arg(long = "with", value_name = "TOOL")]
    tool: Option<String>,
}

/// Tools, with what comes before `--username AWS --password-stdin HOST`.
const TOOLS: [(&str, &[&str]); 9] = [
    ("docker", &["login"]),
    ("podman", &["login"]),
    ("nerdctl", &["login"]),
    ("buildah", &["login"]),
    ("skopeo", &["login"]),
    ("helm", &["registry", "login"]),
    ("crane", &["auth", "login"]),
    ("oras", &["login"]),
    ("regctl", &["registry", "login"]),
];

pub(super) fn run(args: &Args, _: &mut dyn Write) -> Result<Outcome, CliError> {
    let (tool, words) = tool(args.tool.as_deref())?;
    let desired = args.desired.desired()?;
    let Some(desired) = desired.first() else { return Ok(Outcome::Clean) };
    let password = registries::runtime()?.block_on(async {
        let session = args.aws.session(desired.registry.clone(), None).await?;
        session.registry_password().await.map_err(of_aws)
    })?;
    let host = desired.registry.host().to_string();
    // regctl has no long name for the user that others have.
    let (user, stdin) = match tool {
        "regctl" => ("--user", "--pass-stdin"),
        _ => ("--username", "--password-stdin"),
    };
    let mut child = Command::new(tool);
    let child = child.args(words).args([user, "AWS", stdin]).arg(&host).stdin(Stdio::piped());
    let could_not = |error: std::io::Error| CliError::Aws {
        message: format!("`{tool}` cannot be run: {error}"),
        help: "install it, or name another tool with `--with`".to_owned(),
    };
    // What the tool prints is no result of ours.
    let mut child = child.stdout(Stdio::null()).spawn().map_err(could_not)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A tool that has gone says so by its exit code.
        let _ = stdin.write_all(password.reveal().as_bytes());
    }
    let status = child.wait().map_err(could_not)?;
    if !status.success() {
        return Err(CliError::Aws {
            message: format!("`{tool}` did not log in at {host}: {status}"),
            help: "what it says is above".to_owned(),
        });
    }
    note(&format!("{tool} is logged in at {host} for 12 hours"));
    Ok(Outcome::Clean)
}

fn tool(named: Option<&str>) -> Result<(&'static str, &'static [&'static str]), CliError> {
    let names = || TOOLS.map(|(name, _)| name).join(", ");
    match named {
        Some(named) => TOOLS.into_iter().find(|(name, _)| *name == named).ok_or_else(|| {
            CliError::usage(
                format!("`{named}` is no tool that is known here"),
                format!("there are {}", names()),
            )
        }),
        None => TOOLS.into_iter().find(|(name, _)| is_installed(name)).ok_or_else(|| {
            CliError::usage("no container tool is installed here", format!("install one of {}", names()))
        }),
    }
}

fn is_installed(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(name).is_file())
}
