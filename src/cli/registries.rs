//! Arguments of commands that ask registries, and what they lead to: a client, a runtime, a progress bar.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::repository::RepositoryArgs;
use super::values::{duration, number};
use super::{CliError, note};
use crate::image::DOCKER_HUB;
use crate::images::Image;
use crate::registry::{Client, Credentials, Settings, SetupError};

#[derive(Debug, Args)]
pub(super) struct RegistryArgs {
    /// PEM file of certificates to trust besides the system's
    #[arg(long, value_name = "FILE", help_heading = "Registries")]
    ca_file: Option<PathBuf>,

    /// Use plain HTTP for this host; hosts of this machine always use it
    #[arg(long, value_name = "HOST", help_heading = "Registries")]
    insecure: Vec<String>,

    /// Send requests for a registry's images to this address: a mirror, or a test registry
    #[arg(
        long,
        value_name = "HOST=ADDRESS",
        value_parser = served_at,
        value_delimiter = ',',
        env = "PULLTHRU_SERVED_AT",
        help_heading = "Registries"
    )]
    served_at: Vec<(String, String)>,

    /// Concurrent requests to one registry. Default: adaptive
    #[arg(long, value_name = "N", value_parser = number(1..=65_535), help_heading = "Registries")]
    concurrency: Option<u32>,

    /// End after this time, with what is known until then: 90s, 5m, 1h
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = "Registries")]
    deadline: Option<Duration>,
}

fn served_at(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((host, address)) if !host.is_empty() && !address.is_empty() => {
            Ok((host.to_owned(), address.to_owned()))
        }
        _ => Err("write `ghcr.io=mirror.example:5000`".to_owned()),
    }
}

impl RegistryArgs {
    /// How registries are reached.
    pub(super) fn settings(&self) -> Settings {
        Settings {
            ca_file: self.ca_file.clone(),
            insecure: self.insecure.clone(),
            concurrency: self.concurrency.and_then(|number| usize::try_from(number).ok()),
            deadline: self.deadline,
            hosts: self.served_at.iter().cloned().collect::<BTreeMap<_, _>>(),
            ..Settings::default()
        }
    }

    /// A client with the logins of this process, which knows the registries that the configuration names.
    pub(super) fn client(&self, repository: &RepositoryArgs) -> Result<Client, CliError> {
        let (_, config, _) = repository.open()?;
        let named = [config.upstream_hosts(), config.cache_hosts()].concat();
        let credentials = Credentials::of_process();
        #[cfg(feature = "aws")]
        let credentials =
            credentials.with_ecr(std::sync::Arc::new(crate::aws::Ecr::of_process(self.ca_file.clone())));
        Client::new(Settings { named, ..self.settings() }, credentials).map_err(|error| {
            let help = match error {
                SetupError::Variable(_) => "rename the variable, or unset it",
                _ => "correct the flag that names it",
            };
            CliError::usage(error.to_string(), help)
        })
    }
}

/// What runs requests side by side.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

/// How long what is cancelled gets to end.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// Requests that nobody waits for any more are not waited for either; credential helpers that they started are ended.
pub(super) fn end_requests(runtime: tokio::runtime::Runtime) {
    runtime.shutdown_timeout(LAST_WORDS);
}

/// A bar on standard error when that is a terminal, else nothing.
pub(super) fn bar(total: usize, what: &str) -> ProgressBar {
    if !super::messages::is_progress_shown() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(total as u64);
    let style = ProgressStyle::with_template("{prefix} {bar:30} {pos}/{len} {per_sec} {wide_msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_prefix(what.to_owned());
    bar
}

/// What the client noticed about logins.
pub(super) fn say_notes(client: &Client) -> Vec<String> {
    let notes: Vec<String> = client.notes().iter().map(ToString::to_string).collect();
    notes.iter().for_each(|text| note(text));
    notes
}

/// GETs of manifests that Docker Hub gives in 6 hours to an address without a login (Docker's documentation, "Docker Hub usage and
/// limits").
const DOCKER_HUB_LIMIT: usize = 100;

/// Says how many of them a run costs that reads the manifests of these images, where that comes near the limit.
pub(super) fn note_docker_hub_limit<'i>(images: impl IntoIterator<Item = &'i Image>) {
    let of_hub = images
        .into_iter()
        .filter(|image| image.upstream.as_ref().is_some_and(|upstream| upstream.host == DOCKER_HUB));
    let requests = of_hub.map(Image::reference).collect::<BTreeSet<_>>().len();
    if requests >= DOCKER_HUB_LIMIT * 8 / 10 {
        note(&format!(
            "reads the manifests of {requests} images at Docker Hub, at least one request each that counts there: without a login it \
             gives {DOCKER_HUB_LIMIT} in 6 hours (`docker login` raises that)"
        ));
    }
}
