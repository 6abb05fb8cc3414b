//! `pull-secret-unused`.

use std::collections::{BTreeSet, HashMap};

use super::Rule;
use crate::config::{RuleId, Severity};
use crate::find::{PullSecret, RegistryLogin, Role};
use crate::image::Name;
use crate::images::{ReleaseImages, ReleaseState};
use crate::inventory::FileInventory;
use crate::kustomization::split;
use crate::lint::references::{Reference, upstream_name};
use crate::lint::{Confidence, Context, Finding, Status};
use crate::route::upstream_for;
use crate::tree::RepoPath;

pub(crate) const RULE: Rule = Rule {
    id: RuleId::PullSecretUnused,
    summary: "A login of an upstream serves no image any more: all of them go through the cache.",
    severity: Severity::Warn,
    fix: "none: whether something else uses the Secret is for a person to say.",
    page: include_str!("pull_secret_unused.md"),
    find,
};

const ADVICE: &str = "remove it from `imagePullSecrets`, and the Secret when nothing else uses it: nodes on AWS log in to ECR by \
                      their role";

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
    let pulled = Pulled::new(context);
    let mut findings = Vec::new();
    for file in context.inventory.files.iter().filter(is_asked) {
        let here = references.get(file.path.as_str()).map(Vec::as_slice).unwrap_or_default();
        for secret in &file.found.logins.used {
            if secret.is_of_account() {
                findings.extend(unused_by_all(&pulled, file, secret, &logins));
                continue;
            }
            let within: Vec<&Reference<'_>> = here
                .iter()
                .filter(|one| secret.within.range().contains(&one.site.start()))
                .copied()
                .collect();
            findings.extend(unused(context, &pulled, file, secret, &within, &logins));
        }
    }
    findings
}

/// What the repository pulls, as all logins are compared with it.
struct Pulled<'c> {
    /// By the host of the upstream: the last reference, and whether all of them go through the cache.
    references: HashMap<String, (&'c Reference<'c>, bool)>,
    /// The hosts that charts pull from.
    charts: BTreeSet<String>,
    /// The releases by file and name of the object.
    releases: HashMap<(&'c RepoPath, String), Vec<&'c ReleaseImages>>,
}

impl<'c> Pulled<'c> {
    fn new(context: &'c Context<'_>) -> Pulled<'c> {
        let mut references: HashMap<String, (&Reference<'_>, bool)> = HashMap::new();
        for one in context.references.iter().filter(|one| one.site.role == Role::Image) {
            let routes = context.config.routes(one.file.path.as_str());
            let upstream = upstream_name(&one.site.name, routes);
            let host = upstream.split('/').next().unwrap_or_default().to_owned();
            let is_cached = one.status == Some(Status::Cached);
            let known = references.entry(host).or_insert((one, true));
            *known = (one, known.1 && is_cached);
        }
        let mut releases: HashMap<_, Vec<&ReleaseImages>> = HashMap::new();
        for release in context.charts {
            releases.entry((&release.place.path, release.id.whole().name)).or_default().push(release);
        }
        let images = context.charts.iter().flat_map(ReleaseImages::pulled);
        Pulled { references, charts: images.filter_map(|image| Some(image.name()?.host)).collect(), releases }
    }

    fn is_seen(&self) -> bool {
        self.releases.values().flatten().all(|release| matches!(release.state, ReleaseState::Known { .. }))
    }

    /// The images that the chart of an object pulls; `None` where they are not known, and where the object deploys no chart that
    /// a login of its values is for.
    fn by_chart(&self, file: &FileInventory, secret: &PullSecret) -> Option<Vec<String>> {
        let releases = self.releases.get(&(&file.path, secret.object.name.clone()?))?;
        let mut images = Vec::new();
        for release in releases {
            let ReleaseState::Known { .. } = release.state else { return None };
            images.extend(release.pulled().map(|image| image.image.clone()));
        }
        Some(images)
    }
}

/// A ServiceAccount gives its logins to pods that are known nowhere: of an upstream that no image of the repository is pulled
/// from any more, they are unused.
fn unused_by_all(
    pulled: &Pulled<'_>,
    file: &FileInventory,
    secret: &PullSecret,
    logins: &HashMap<&str, Vec<&RegistryLogin>>,
) -> Option<Finding> {
    let (object, name) = (&secret.object, &secret.name);
    let login = login_of(secret, logins)?;
    // Images of registries that nobody caches are no references.
    let is_seen = !login.is_empty() && login.iter().all(|host| upstream_for(host).is_some());
    let used: Vec<_> = login.iter().filter_map(|host| pulled.references.get(host)).collect();
    let is_open =
        used.iter().any(|(_, cached)| !cached) || login.iter().any(|host| pulled.charts.contains(host));
    if !is_seen || is_open || !pulled.is_seen() {
        return None;
    }
    let (last, _) = used.into_iter().max_by_key(|(one, _)| (&one.file.path, one.position))?;
    let hosts = Vec::from_iter(login.iter().map(String::as_str)).join(", ");
    let message =
        format!("`{name}` of `{object}` logs in to {hosts}, and no image here is pulled from there any more");
    let mut finding = Finding::new(&RULE, &file.path, secret.position, secret.span, message);
    // Charts may pull with it, where they are not looked at.
    finding.confidence = Confidence::Medium;
    finding.next = ADVICE.to_owned();
    finding.subject = format!("{object}:{name}");
    finding.image = Some(last.site.reference());
    Some(finding)
}

/// The registries of the login that a name stands for, where it is readable: those of all Secrets which it may be.
fn login_of(secret: &PullSecret, logins: &HashMap<&str, Vec<&RegistryLogin>>) -> Option<BTreeSet<String>> {
    let namespace = &secret.object.namespace;
    let is_of_namespace = |login: &&&RegistryLogin| {
        login.namespace.is_none() || namespace.is_none() || login.namespace == *namespace
    };
    let found: Vec<_> = logins.get(secret.name.as_str())?.iter().filter(is_of_namespace).collect();
    (!found.is_empty()).then(|| found.iter().flat_map(|login| login.hosts.iter().cloned()).collect())
}

/// Objects whose values a chart is rendered with.
const DEPLOYERS: [&str; 4] = ["HelmRelease", "Application", "ApplicationSet", "HelmChart"];

/// `within` are the references of its document.
fn unused(
    context: &Context<'_>,
    pulled: &Pulled<'_>,
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
    let of_chart = match DEPLOYERS.contains(&object.kind.as_str()) {
        // What its chart pulls besides its values has the login, too.
        true => pulled.by_chart(file, secret)?,
        false => Vec::new(),
    };
    let is_of_cache = |image: &String| {
        let routes = context.config.routes(file.path.as_str());
        Name::parse(split(image).0).is_ok_and(|name| routes.is_some_and(|routes| routes.is_cached(&name)))
    };
    let others: Vec<&String> = secret
        .images
        .iter()
        .filter(|image| !written.contains(*image))
        .chain(of_chart.iter().filter(|image| !is_of_cache(image)))
        .collect();
    let uncached = || within.iter().filter(|one| !is_cached(one)).map(|one| one.site.name.host.clone());
    let routes = context.config.routes(file.path.as_str());
    let upstream_host = |one: &&Reference<'_>| {
        upstream_name(&one.site.name, routes).split('/').next().unwrap_or_default().to_owned()
    };
    let (message, confidence) = match login_of(secret, logins) {
        Some(login) => {
            let serves = |host: String| login.contains(&host);
            let served = others
                .iter()
                .filter_map(|image| Name::parse(split(image).0).ok())
                .any(|name| serves(name.host));
            if served || uncached().any(serves) || !cached.iter().any(|one| serves(upstream_host(one))) {
                return None;
            }
            let hosts = Vec::from_iter(login.iter().map(String::as_str)).join(", ");
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
    finding.next = ADVICE.to_owned();
    finding.subject = format!("{object}:{name}");
    finding.image = Some(first.site.reference());
    Some(finding)
}
