//! What other tools need to know of a registry. None of it is secret.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use super::Desired;
#[cfg(feature = "sdk")]
use super::account::Current;
use super::names::{Case, Names};
use super::resource::Ref;

/// `pullthru/outputs/v1`.
#[derive(Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outputs {
    schema: &'static str,
    account: String,
    region: String,
    /// The host that images are pulled from.
    registry_url: String,
    /// Prefix by upstream, as a rule names it.
    prefixes: BTreeMap<String, String>,
    /// ARN by name of the secret.
    credential_secret_arns: BTreeMap<String, String>,
    /// By name.
    repository_urls: BTreeMap<String, String>,
    /// By name.
    repository_arns: BTreeMap<String, String>,
    /// Logs docker in for 12 hours.
    docker_login_command: String,
}

impl Outputs {
    /// Everything that is known without asking AWS.
    pub fn new(desired: &Desired) -> Outputs {
        let registry = &desired.registry;
        let host = registry.host().to_string();
        let names = || desired.repositories.iter().map(|repository| repository.name.clone());
        let prefixes = desired.rules.iter().map(|rule| {
            let upstream = match rule.upstream_prefix.as_str() {
                "ROOT" => rule.upstream_url.clone(),
                prefix => format!("{}/{prefix}", rule.upstream_url),
            };
            (upstream, rule.prefix.clone())
        });
        let given = desired.rules.iter().filter_map(|rule| match &rule.credential {
            Some(Ref::Given(arn)) => Some((arn.secret_name()?.to_owned(), arn.to_string())),
            _ => None,
        });
        Outputs {
            schema: "pullthru/outputs/v1",
            account: registry.account.to_string(),
            region: registry.region.to_string(),
            prefixes: prefixes.collect(),
            credential_secret_arns: given.collect(),
            repository_urls: names().map(|name| (name.clone(), format!("{host}/{name}"))).collect(),
            repository_arns: names()
                .map(|name| (name.clone(), registry.repository(&name).to_string()))
                .collect(),
            docker_login_command: format!(
                "aws ecr get-login-password --region {} | docker login --username AWS --password-stdin {host}",
                registry.region
            ),
            registry_url: host,
        }
    }

    /// The ARNs that only AWS knows: they end in six characters of its own.
    #[cfg(feature = "sdk")]
    pub fn add_secrets(&mut self, desired: &Desired, current: &Current) {
        for secret in &desired.secrets {
            if let Some(Ok(Some(found))) = current.secrets.get(&secret.name) {
                self.credential_secret_arns.insert(secret.name.clone(), found.arn.to_string());
            }
        }
    }

    pub fn json(&self, out: &mut dyn Write) -> io::Result<()> {
        serde_json::to_writer_pretty(&mut *out, self)?;
        writeln!(out)
    }

    pub fn human(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "registry    {}", self.registry_url)?;
        for (upstream, prefix) in &self.prefixes {
            writeln!(out, "prefix      {upstream} → {prefix}")?;
        }
        for (name, arn) in &self.credential_secret_arns {
            writeln!(out, "secret      {name}: {arn}")?;
        }
        for (name, url) in &self.repository_urls {
            let arn = self.repository_arns.get(name).map_or("", String::as_str);
            writeln!(out, "repository  {url}  {arn}")?;
        }
        writeln!(out, "login       {}", self.docker_login_command)
    }

    /// One variable a line, as files of variables have them (`$GITHUB_OUTPUT`, `docker --env-file`): the value is the rest
    /// of the line, and quotes would be part of it. No value has a line end.
    pub fn env(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "ECR_REGISTRY_URL={}", self.registry_url)?;
        writeln!(out, "AWS_ACCOUNT_ID={}", self.account)?;
        writeln!(out, "AWS_REGION={}", self.region)?;
        // Names that come to the same variable are distinguished: the second would overwrite the first.
        let prefixes = Names::new(Case::Snake, self.prefixes.values().map(String::as_str));
        for prefix in self.prefixes.values() {
            writeln!(out, "{}_PREFIX={prefix}", prefixes.of(prefix).to_uppercase())?;
        }
        let short = |name: &'_ String| {
            name.strip_prefix(pullthru_core::config::SECRET_PREFIX).unwrap_or(name).to_owned()
        };
        let shorts: Vec<String> = self.credential_secret_arns.keys().map(short).collect();
        let secrets = Names::new(Case::Snake, shorts.iter().map(String::as_str));
        for (name, arn) in shorts.iter().zip(self.credential_secret_arns.values()) {
            writeln!(out, "{}_CREDENTIAL_SECRET_ARN={arn}", secrets.of(name).to_uppercase())?;
        }
        let repositories = Names::new(Case::Snake, self.repository_urls.keys().map(String::as_str));
        for (name, url) in &self.repository_urls {
            writeln!(out, "{}_REPOSITORY_URL={url}", repositories.of(name).to_uppercase())?;
        }
        writeln!(out, "DOCKER_LOGIN_COMMAND={}", self.docker_login_command)
    }
}
