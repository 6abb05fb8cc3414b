//! `pullthru provision export`.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand, ValueEnum};

use super::DesiredArgs;
use crate::aws::Desired;
#[cfg(feature = "aws")]
use crate::aws::account::existing;
use crate::aws::export::{self, Existing, File, Objects};
#[cfg(feature = "aws")]
use crate::cli::aws::{AwsArgs, of_aws};
use crate::cli::protect::remove_stale_temp_files;
#[cfg(feature = "aws")]
use crate::cli::registries;
use crate::cli::{CliError, Outcome, ProtectArgs, note, problem};
use crate::config::PolicyKind;
use crate::migrate::Prepared;
use crate::report::{Paint, count, migrate as report};
use crate::tree::{RepoPath, Repository};

/// Write what the registry is to have for another tool, which then sets it up: no account is asked.
#[derive(Debug, Parser)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Write a Terraform module, with its README, example and test
    Terraform(TerraformArgs),
    /// Write a CloudFormation template
    Cloudformation(CloudformationArgs),
    /// Write objects of AWS Controllers for Kubernetes
    Ack(AckArgs),
    /// Write objects of Crossplane
    Crossplane(CrossplaneArgs),
    /// Print the documents of IAM, as JSON
    Iam(IamArgs),
}

/// Write a Terraform module, with its README, example and test.
///
/// Tokens are variables that go into write-only arguments: they are in no file, plan or state.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  pullthru provision export terraform --out terraform/modules/ecr
  pullthru provision export terraform --out terraform/modules/ecr --check    in a pipeline: is it up to date?
  pullthru provision export terraform --out terraform/modules/ecr --import   hand over what is there")]
struct TerraformArgs {
    #[command(flatten)]
    desired: DesiredArgs,

    #[command(flatten)]
    writing: Writing,

    /// Directory of the module; it is made when it is not there
    #[arg(long, value_name = "DIR")]
    out: PathBuf,

    /// Ask the account what is there, and write import blocks for it into examples/basic/import.tf
    #[cfg(feature = "aws")]
    #[arg(long)]
    import: bool,

    #[cfg(feature = "aws")]
    #[command(flatten)]
    aws: AwsArgs,
}

/// Write a CloudFormation template, in JSON.
///
/// No token goes through it: it makes secrets with a random value, and the real one is written into them afterwards.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  pullthru provision export cloudformation --out ecr.json
  pullthru provision export cloudformation --out - | cfn-lint -")]
struct CloudformationArgs {
    #[command(flatten)]
    desired: DesiredArgs,

    #[command(flatten)]
    writing: Writing,

    /// File of the template; `-` prints it
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Write objects of AWS Controllers for Kubernetes: secrets, templates, rules and repositories, in one file.
///
/// No token is written: each secret takes its value from a Secret of Kubernetes, which is named and made elsewhere.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  pullthru provision export ack --out infrastructure/ecr.yaml --namespace ack-system
  pullthru provision export ack --out - | kubectl apply --dry-run=server -f -")]
struct AckArgs {
    #[command(flatten)]
    objects: ObjectsArgs,
}

/// Write objects of Crossplane: templates, rules, repositories and settings of the registry, in one file.
///
/// Logins have to be named by the ARN of their secret: a rule of Crossplane cannot refer to a secret that is made with it.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  pullthru provision export crossplane --out infrastructure/ecr.yaml --namespace crossplane
  pullthru provision export crossplane --out ecr.yaml --provider-config prod")]
struct CrossplaneArgs {
    #[command(flatten)]
    objects: ObjectsArgs,

    /// Name of the ClusterProviderConfig
    #[arg(long, value_name = "NAME", default_value = "default")]
    provider_config: String,
}

#[derive(Debug, clap::Args)]
struct ObjectsArgs {
    #[command(flatten)]
    desired: DesiredArgs,

    #[command(flatten)]
    writing: Writing,

    /// File of the objects; `-` prints them
    #[arg(long, value_name = "FILE")]
    out: PathBuf,

    /// Namespace of the objects
    #[arg(long, value_name = "NAME", default_value = "default")]
    namespace: String,
}

/// Print the documents of IAM, as JSON: the six policies that pullthru knows, and those of roles, keys and the registry.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  pullthru provision export iam --policy node-pull > node-pull.json
  pullthru provision export iam --out iam")]
struct IamArgs {
    #[command(flatten)]
    desired: DesiredArgs,

    #[command(flatten)]
    writing: Writing,

    /// Directory of the files; `-` prints all documents as one object
    #[arg(long, value_name = "DIR", required_unless_present = "policy", conflicts_with = "policy")]
    out: Option<PathBuf>,

    /// Print this policy alone
    #[arg(long, value_enum, value_name = "KIND")]
    policy: Option<PolicyArg>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum PolicyArg {
    NodePull,
    PullOnly,
    CiPush,
    Scan,
    Provision,
    Doctor,
}

impl From<PolicyArg> for PolicyKind {
    fn from(argument: PolicyArg) -> PolicyKind {
        match argument {
            PolicyArg::NodePull => PolicyKind::NodePull,
            PolicyArg::PullOnly => PolicyKind::PullOnly,
            PolicyArg::CiPush => PolicyKind::CiPush,
            PolicyArg::Scan => PolicyKind::Scan,
            PolicyArg::Provision => PolicyKind::Provision,
            PolicyArg::Doctor => PolicyKind::Doctor,
        }
    }
}

#[derive(Debug, clap::Args)]
struct Writing {
    /// Export for this Region of `provision.regions`. Default: the registry's own
    #[arg(long = "for", value_name = "REGION")]
    for_region: Option<String>,

    /// Write nothing; show what would change, and exit with 1 when anything would
    #[arg(long)]
    check: bool,

    /// Replace files that pullthru did not write
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    protect: ProtectArgs,
}

pub(super) fn run(args: &Args, out: &mut dyn Write) -> Result<Outcome, CliError> {
    match &args.what {
        What::Terraform(args) => {
            let desired = one(&args.desired, &args.writing)?;
            let existing = args.existing(&desired)?;
            args.writing.write(&args.out, export::terraform(&desired, existing.as_ref()), out)
        }
        What::Cloudformation(args) => {
            let desired = one(&args.desired, &args.writing)?;
            let template = export::cloudformation(&desired).ok_or_else(|| {
                CliError::usage(
                    "there is nothing to export, and CloudFormation takes no template without a resource",
                    "name what to make under `upstreams:` or `provision:`",
                )
            })?;
            args.writing.write_one(&args.out, template, out)
        }
        What::Ack(AckArgs { objects: args }) => {
            let desired = one(&args.desired, &args.writing)?;
            args.write(export::ack(&desired, &args.namespace), out)
        }
        What::Crossplane(CrossplaneArgs { objects: args, provider_config }) => {
            let desired = one(&args.desired, &args.writing)?;
            let settings = export::Crossplane { namespace: &args.namespace, provider_config };
            let objects = export::crossplane(&desired, settings).map_err(|credentials| {
                CliError::usage(
                    format!(
                        "Crossplane cannot refer to a secret that is not there: {}",
                        credentials.join(", ")
                    ),
                    "make the secret, and name it: `provision: { credentials: { NAME: { arn: … } } }`",
                )
            })?;
            args.write(objects, out)
        }
        What::Iam(args) => {
            let desired = one(&args.desired, &args.writing)?;
            let documents = export::iam(&desired);
            let json = match (&args.policy, &args.out) {
                (Some(kind), _) => serde_json::to_string_pretty(&desired.document((*kind).into())),
                (None, Some(directory)) if !is_stdout(directory) => {
                    return args.writing.write(directory, documents.files(), out);
                }
                _ => serde_json::to_string_pretty(&documents),
            };
            args.writing.nothing_to_check()?;
            writeln!(out, "{}", json.map_err(std::io::Error::from)?)?;
            Ok(Outcome::Clean)
        }
    }
}

/// As a person would write it.
fn joined(directory: &Path, name: &str) -> PathBuf {
    if directory == Path::new(".") { PathBuf::from(name) } else { directory.join(name) }
}

fn is_stdout(path: &Path) -> bool {
    path == Path::new("-")
}

/// What one Region is to have, with what a person should know said.
fn one(args: &DesiredArgs, writing: &Writing) -> Result<Desired, CliError> {
    let mut all = args.desired()?;
    let names: Vec<String> = all.iter().map(|desired| desired.registry.region.to_string()).collect();
    let index = match &writing.for_region {
        None => 0,
        Some(region) => names.iter().position(|name| name == region).ok_or_else(|| {
            let message = format!("`{region}` is not provisioned");
            CliError::usage(message, format!("`provision:` is for {}", names.join(", ")))
        })?,
    };
    if index >= all.len() {
        return Err(CliError::usage("there is no Region to export for", "add `--region`"));
    }
    let desired = all.swap_remove(index);
    for text in export::notes(&desired) {
        note(&format!("note: {text}"));
    }
    if writing.for_region.is_none()
        && let [_, others @ ..] = names.as_slice()
        && !others.is_empty()
    {
        let others = others.join(", ");
        note(&format!("note: provisioned too, each with an export of its own (`--for REGION`): {others}"));
    }
    Ok(desired)
}

impl TerraformArgs {
    #[cfg(not(feature = "aws"))]
    fn existing(&self, _: &Desired) -> Result<Option<Existing>, CliError> {
        Ok(None)
    }

    /// What is to be imported, on request. What could not be read is an error: a plan without its block would make it again.
    #[cfg(feature = "aws")]
    fn existing(&self, desired: &Desired) -> Result<Option<Existing>, CliError> {
        if !self.import {
            return Ok(None);
        }
        registries::runtime()?.block_on(async {
            let session = self.aws.session(desired.registry.clone(), None).await?;
            existing(&session, desired).await.map(Some).map_err(of_aws)
        })
    }
}

impl ObjectsArgs {
    fn write(&self, objects: Objects, out: &mut dyn Write) -> Result<Outcome, CliError> {
        for text in &objects.notes {
            note(&format!("note: {text}"));
        }
        self.writing.write_one(&self.out, objects.file, out)
    }
}

impl Writing {
    /// One file, whose name the caller chose; `-` prints it.
    fn write_one(&self, path: &Path, file: File, out: &mut dyn Write) -> Result<Outcome, CliError> {
        if is_stdout(path) {
            self.nothing_to_check()?;
            out.write_all(file.text.as_bytes())?;
            return Ok(Outcome::Clean);
        }
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else {
            let message = format!("`{}` names no file", path.display());
            return Err(CliError::usage(message, format!("name one, such as {}", file.name)));
        };
        let directory = match path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        self.write(directory, vec![File { name: name.to_owned(), ..file }], out)
    }

    fn nothing_to_check(&self) -> Result<(), CliError> {
        if self.check || self.force {
            return Err(CliError::usage(
                "`--check` and `--force` are about files, and none is written",
                "name one with `--out`",
            ));
        }
        Ok(())
    }

    /// Files that are as they should be stay; those that pullthru did not write are not touched unless asked.
    fn write(&self, directory: &Path, files: Vec<File>, out: &mut dyn Write) -> Result<Outcome, CliError> {
        let total = files.len();
        let mut changes = Vec::new();
        let mut foreign = Vec::new();
        for file in files {
            let old = match std::fs::read(directory.join(&file.name)) {
                Ok(bytes) => Some(bytes),
                Err(error) if error.kind() == ErrorKind::NotFound => None,
                Err(error) => {
                    let path = directory.join(&file.name);
                    return Err(
                        std::io::Error::new(error.kind(), format!("`{}`: {error}", path.display())).into()
                    );
                }
            };
            if old.as_deref() == Some(file.text.as_bytes()) {
                continue;
            }
            let old = old.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
            if old.as_ref().is_some_and(|old| !old.contains(file.mark)) {
                foreign.push(format!("`{}`", joined(directory, &file.name).display()));
            }
            let path = RepoPath::new(&file.name)
                .ok_or_else(|| CliError::usage(format!("`{}` is no file name", file.name), "name another"))?;
            changes.push(Prepared { path, old, new: Some(file.text) });
        }
        if self.check {
            report::diff(&changes, out, Paint::for_stdout())?;
            return Ok(if changes.is_empty() { Outcome::Clean } else { Outcome::Findings });
        }
        if !foreign.is_empty() && !self.force {
            return Err(CliError::usage(
                format!("{} exists, and pullthru did not write it", foreign.join(", ")),
                "look at the difference with `--check`; move it, or replace it with `--force`",
            ));
        }
        if let Ok(place) = Repository::at(directory) {
            remove_stale_temp_files(&place, [&RepoPath::root()]);
        }
        if changes.is_empty() {
            writeln!(out, "{} up to date", count(total, "file"))?;
            note("next: nothing is left to do");
            return Ok(Outcome::Clean);
        }
        // What pullthru did not write is reported above; here only whether the change can be reverted at all.
        let above = directory.ancestors().find(|above| above.is_dir()).unwrap_or(Path::new("."));
        self.protect.check(&Repository::at(above)?, [])?;
        for change in &changes {
            let path = directory.join(change.path.as_str());
            std::fs::create_dir_all(path.parent().unwrap_or(directory))?;
        }
        let place = Repository::at(directory)?;
        let mut outcome = Outcome::Clean;
        for change in &changes {
            match change.write(&place) {
                Ok(()) => writeln!(out, "wrote {}", joined(directory, change.path.as_str()).display())?,
                Err(error) => {
                    problem(&format!("error: {error}"));
                    outcome = Outcome::Failure;
                }
            }
        }
        let text = match outcome {
            Outcome::Clean => "look at the files and commit them; `--check` says when they are out of date",
            _ => "run it again, when what is named above is corrected",
        };
        note(&format!("next: {text}"));
        Ok(outcome)
    }
}
