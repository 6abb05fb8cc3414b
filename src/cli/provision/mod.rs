//! `pullthru provision`: one file a subcommand; here is what they share, from arguments to [`Desired`].

#[cfg(feature = "aws")]
mod apply;
#[cfg(feature = "aws")]
mod destroy;
mod export;
#[cfg(feature = "aws")]
mod import;
#[cfg(feature = "aws")]
mod login;
#[cfg(feature = "aws")]
mod outputs;
#[cfg(feature = "aws")]
mod plan;

use std::io::Write;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use super::{CliError, Outcome, RepositoryArgs};
use crate::aws::desired::Sources;
use crate::aws::{Desired, Registry};
use crate::config::{Config, Target};
use crate::route::{CacheHost, Region};

/// Set up the AWS side of the cache: rules, secrets, templates and their registry settings.
///
/// What is set up is said by `provision:` in pullthru.yaml. Without it, that is a pull through cache rule for each
/// upstream that the repository uses, and a secret for each that wants a login. Repositories of your own, keys,
/// replication, roles and policies are for the tool that keeps their state: `export` writes them.
#[derive(Debug, Parser)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show what would change in the account
    #[cfg(feature = "aws")]
    Plan(plan::Args),
    /// Change the account to what the configuration says, after a question
    #[cfg(feature = "aws")]
    Apply(apply::Args),
    /// Remove what apply made, after a question
    #[cfg(feature = "aws")]
    Destroy(destroy::Args),
    /// Print registry, prefixes, secrets, repositories and the login command
    #[cfg(feature = "aws")]
    Outputs(outputs::Args),
    /// Log a container tool in at the registry
    #[cfg(feature = "aws")]
    Login(login::Args),
    /// Print the `provision:` section of what an account has today
    #[cfg(feature = "aws")]
    Import(import::Args),
    /// Write a Terraform module, a CloudFormation template, or the documents of IAM
    Export(export::Args),
}

impl Args {
    /// Not what is for other tools: modules, templates, policies.
    pub(super) fn is_report(&self) -> bool {
        !matches!(self.command, Command::Export(_))
    }
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<Outcome, CliError> {
    match &args.command {
        #[cfg(feature = "aws")]
        Command::Plan(args) => plan::run(args, out),
        #[cfg(feature = "aws")]
        Command::Apply(args) => apply::run(args, out),
        #[cfg(feature = "aws")]
        Command::Destroy(args) => destroy::run(args, out),
        #[cfg(feature = "aws")]
        Command::Outputs(args) => outputs::run(args, out),
        #[cfg(feature = "aws")]
        Command::Login(args) => login::run(args, out),
        #[cfg(feature = "aws")]
        Command::Import(args) => import::run(args, out),
        Command::Export(args) => export::run(args, out),
    }
}

/// Which registry, and from which repository.
#[derive(Debug, clap::Args)]
pub(super) struct DesiredArgs {
    #[command(flatten)]
    pub(super) repository: RepositoryArgs,

    /// Provision the registry of this target of pullthru.yaml; with several registries one has to be named
    #[arg(long, value_name = "NAME", help_heading = "Configuration")]
    target: Option<String>,
}

/// The name of what is made: from the configuration, else of the remote `origin`, else of the repository's directory; a
/// target adds its own.
fn stack(read: &super::repository::ReadRepository, target: &str) -> String {
    let root = &read.repository.root;
    let named = read.config.provision().name.as_ref().map(ToString::to_string);
    let remote = || {
        let mut git = std::process::Command::new("git");
        let output = git.arg("-C").arg(root).args(["config", "--get", "remote.origin.url"]).output().ok()?;
        let url = String::from_utf8(output.stdout).ok()?;
        let url = url.trim().trim_end_matches('/').trim_end_matches(".git");
        Some(url.rsplit(['/', ':']).next()?.to_owned()).filter(|name| !name.is_empty())
    };
    let directory = || {
        let root = std::fs::canonicalize(root).ok()?;
        Some(root.file_name()?.to_string_lossy().into_owned())
    };
    let name = named.or_else(remote).or_else(directory).unwrap_or_else(|| "pullthru".to_owned());
    let whole = if target.is_empty() { name } else { format!("{name}-{target}") };
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    whole.chars().map(plain).collect::<String>().trim_matches('-').to_owned()
}

impl DesiredArgs {
    /// The target that is named; one of several has to be.
    fn target<'a>(&self, config: &'a Config) -> Result<&'a Target, CliError> {
        let with_registry: Vec<&Target> =
            config.targets().iter().filter(|target| target.routes.is_some()).collect();
        if self.target.is_none() && with_registry.len() > 1 {
            let name = |target: &&Target| match target.name.as_str() {
                "" => "'' (the whole repository's)".to_owned(),
                name => name.to_owned(),
            };
            let names: Vec<String> = with_registry.iter().map(name).collect();
            return Err(CliError::usage(
                "pullthru.yaml has several registries, and this is about one",
                format!("name one with `--target`: {}", names.join(", ")),
            ));
        }
        super::aws::target(config, self.target.as_deref())
    }

    /// What each Region is to have: the registry's own first, then those of `provision.regions`.
    pub(super) fn desired(&self) -> Result<Vec<Desired>, CliError> {
        Ok(self.read()?.0)
    }

    /// The same, and the directory that paths in the configuration are relative to.
    pub(super) fn read(&self) -> Result<(Vec<Desired>, PathBuf), CliError> {
        let read = self.repository.read_with_context()?;
        let target = self.target(&read.config)?;
        let Some((routes, CacheHost::Ecr(host))) =
            target.routes.as_ref().map(|routes| (routes, routes.cache()))
        else {
            return Err(CliError::usage(
                "no account and Region are configured to provision",
                "add `registry: { account: …, region: … }` to pullthru.yaml, or `--account` and `--region`",
            ));
        };
        let home = Registry { account: host.account.clone(), region: host.region.clone() };
        let used = read.images(true).prefixes(routes);
        let provision = read.config.provision();
        let stack = stack(&read, &target.name);
        let sources =
            Sources { stack: &stack, provision, routes, credentials: &target.credentials, used: &used };
        let mut regions: Vec<&Region> = vec![&home.region];
        regions.extend(provision.regions.iter().filter(|region| **region != home.region));
        let each = regions.into_iter().map(|region| Desired::new(sources, &home, region));
        let each: Result<Vec<Desired>, _> = each.collect();
        let each = each.map_err(|errors| {
            let all: Vec<String> = errors.iter().map(ToString::to_string).collect();
            CliError::usage(all.join("\n"), "fix `provision:` in pullthru.yaml")
        })?;
        Ok((each, read.repository.root))
    }
}
