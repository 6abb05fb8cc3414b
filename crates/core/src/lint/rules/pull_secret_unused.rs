//! `pull-secret-unused`.

use std::collections::{BTreeSet, HashMap};

use super::Rule;
use crate::config::{RuleId, Severity};
use crate::find::{PullSecret, RegistryLogin};
use crate::image::Name;
use crate::inventory::FileInventory;
use crate::kustomization::split;
use crate::lint::references::{Reference, upstream_name};
use crate::lint::{Confidence, Context, Finding, Status};

pub(crate) const RULE: Rule = Rule {
    id: RuleId::PullSecretUnused,
    summary: "A login of an upstream serves no image any more: all of them go through the cache.",
    severity: Severity::Warn,
    fix: "none: whether something else uses the Secret is for a person to say.",
    page: include_str!("pull_secret_unused.md"),
    find,
};

fn find(context: &Context<'_>) -> Vec<Finding> {
    let mut logins: HashMap<&str, Vec<&RegistryLogin>> = HashMap::new();
    for login in context.inventory.files.iter().flat_map(|file| &file.found.logins.held) {
        logins.entry(&login.name).or_default().push(login);
    }
    let is_asked = |file: &&FileInventory| !file.found.logins.used.is_empty();
    let asked: BTreeSet<&str> =
        context.inventory.files.iter().filter(is_asked).map(|file| file.path.as_str()).collect();
    let mut references: HashMap<&str, Vec<&Reference<'_>>> = HashMap::new();
    for reference in context.references.iter().filter(|one| asked.contains(one.file.path.as_str())) {
        references.entry(reference.file.path.as_str()).or_default().push(reference);
    }
    let mut findings = Vec::new();
    for file in context.inventory.files.iter().filter(is_asked) {
        let here = references.get(file.path.as_str()).map(Vec::as_slice).unwrap_or_default();
        for secret in &file.found.logins.used {
            let within: Vec<&Reference<'_>> = here
                .iter()
                .filter(|one| secret.document.range().contains(&one.site.start()))
                .copied()
                .collect();
            findings.extend(unused(context, file, secret, &within, &logins));
        }
    }
    findings
}

/// `within` are the references of its document.
fn unused(
    context: &Context<'_>,
    file: &FileInventory,
    secret: &PullSecret,
    within: &[&Reference<'_>],
    logins: &HashMap<&str, Vec<&RegistryLogin>>,
) -> Option<Finding> {
    let (object, name) = (&secret.object, &secret.name);
    let is_cached = |one: &&&Reference<'_>| one.status == Some(Status::Cached);
    let cached: Vec<&Reference<'_>> = within.iter().filter(is_cached).copied().collect();
    let first = cached.first()?;
    let written: BTreeSet<String> = cached.iter().map(|one| one.site.as_written()).collect();
    // Registries that nobody caches are no references: the texts have them.
    let others: Vec<&String> = secret.images.iter().filter(|image| !written.contains(*image)).collect();
    let uncached = || within.iter().filter(|one| !is_cached(one)).map(|one| one.site.name.host.clone());
    let routes = context.config.routes(file.path.as_str());
    let upstream_host = |one: &&Reference<'_>| {
        upstream_name(&one.site.name, routes).split('/').next().unwrap_or_default().to_owned()
    };
    let is_of_namespace = |login: &&&RegistryLogin| {
        login.namespace.is_none() || object.namespace.is_none() || login.namespace == object.namespace
    };
    let login = logins.get(name.as_str()).and_then(|found| found.iter().find(is_of_namespace));
    let (message, confidence) = match login {
        Some(login) => {
            let serves = |host: String| login.hosts.contains(&host);
            let served = others
                .iter()
                .filter_map(|image| Name::parse(split(image).0).ok())
                .any(|name| serves(name.host));
            if served || uncached().any(serves) || !cached.iter().any(|one| serves(upstream_host(one))) {
                return None;
            }
            let hosts = login.hosts.join(", ");
            (
                format!("`{name}` logs in to {hosts}, and `{object}` pulls nothing from there any more"),
                Confidence::High,
            )
        }
        None if others.is_empty() && !secret.images.is_empty() && uncached().next().is_none() => {
            let message =
                format!("every image of `{object}` goes through the cache: `{name}` may serve none of them");
            (message, Confidence::Low)
        }
        None => return None,
    };
    let mut finding = Finding::new(&RULE, &file.path, secret.position, secret.span, message);
    finding.confidence = confidence;
    finding.next = "remove it from `imagePullSecrets`, and the Secret when nothing else uses it: nodes on AWS log in to ECR by \
                    their role"
        .to_owned();
    finding.subject = format!("{object}:{name}");
    finding.image = Some(first.site.reference());
    Some(finding)
}
