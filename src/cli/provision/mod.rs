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

use super::{Outcome, RepositoryArgs, Stop};
use crate::aws::desired::Sources;
use crate::aws::{Desired, Registry};
use crate::kustomize::Model;
use crate::pulls::Pulls;
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

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<Outcome, Stop> {
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

    /// Provision the registry of this target of pullthru.yaml. Default: that of the whole repository
    #[arg(long, value_name = "NAME", help_heading = "Configuration")]
    target: Option<String>,
}

impl DesiredArgs {
    /// What each Region is to have: the registry's own first, then those of `provision.regions`.
    pub(super) fn desired(&self) -> Result<Vec<Desired>, Stop> {
        Ok(self.read()?.0)
    }

    /// The same, and the directory that paths in the configuration are relative to.
    pub(super) fn read(&self) -> Result<(Vec<Desired>, PathBuf), Stop> {
        let read = self.repository.read()?;
        let target = super::aws::target(&read.config, self.target.as_deref())?;
        let Some((routes, CacheHost::Ecr(host))) =
            target.routes.as_ref().map(|routes| (routes, routes.cache()))
        else {
            return Err(Stop::usage(
                "no account and Region are configured to provision",
                "add `registry: { account: …, region: … }` to pullthru.yaml, or `--account` and `--region`",
            ));
        };
        let home = Registry { account: host.account.clone(), region: host.region.clone() };
        let used = Pulls::of(&Model::new(&read.whole(), &read.config), true).prefixes(routes);
        let provision = read.config.provision();
        let sources = Sources { provision, routes, credentials: &target.credentials, used: &used };
        let mut regions: Vec<&Region> = vec![&home.region];
        regions.extend(provision.regions.iter().filter(|region| **region != home.region));
        let each = regions.into_iter().map(|region| Desired::new(sources, &home, region));
        let each: Result<Vec<Desired>, _> = each.collect();
        let each = each.map_err(|errors| {
            let all: Vec<String> = errors.iter().map(ToString::to_string).collect();
            Stop::usage(all.join("\n"), "mend `provision:` in pullthru.yaml")
        })?;
        Ok((each, read.repository.root))
    }
}
