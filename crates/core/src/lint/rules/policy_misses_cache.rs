//! `policy-misses-cache`: policies by themselves, against the images that go or could go through the cache.
//!
//! A pattern that names an upstream of a route is a finding when neither it nor one of its alternatives takes the
//! cached name. What expressions mean is not evaluated: one that spells the cache's registry is taken to mean it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use globset::{GlobBuilder, GlobMatcher};

use super::Rule;
use crate::config::{RuleId, Severity};
use crate::find::{Matching, PolicyPattern, PolicyTool, Role, unescaped};
use crate::image::Name;
use crate::lint::references::{Planned, is_registry};
use crate::lint::{Confidence, Context, Finding, Related};
use crate::route::{Route, Routes};
use crate::tree::{Position, RepoPath};

pub(crate) const RULE: Rule = Rule {
    id: RuleId::PolicyMissesCache,
    summary: "A policy names the upstream, and will not match what goes through the cache.",
    severity: Severity::Warn,
    fix: "none: policies are never edited; the message says what to add.",
    page: include_str!("policy_misses_cache.md"),
    find,
};

/// Images that a finding names; more are counted.
const SHOWN: usize = 3;

/// An image of the repository, by both names.
struct Image<'a> {
    upstream: Name,
    name: String,
    /// As policies see it: with its tag.
    reference: String,
    path: &'a RepoPath,
    position: Position,
}

fn find(context: &Context<'_>) -> Vec<Finding> {
    let files = context.inventory.files.iter();
    let patterns =
        files.flat_map(|file| file.found.policies.iter().map(move |pattern| (&file.path, pattern)));
    let patterns: Vec<(&RepoPath, &PolicyPattern)> = patterns.collect();
    if patterns.is_empty() {
        return Vec::new();
    }
    let aliases = patterns.iter().filter(|(_, pattern)| pattern.tool == PolicyTool::RenovateAlias);
    let aliases = aliases.map(|(_, pattern)| pattern.text.as_str()).collect();
    let mut judge = Judge { context, images: images(context), aliases, covered: HashMap::new() };
    let judged = patterns.into_iter().filter_map(|(path, pattern)| match pattern.tool {
        PolicyTool::RenovateAlias => None,
        PolicyTool::SourceVerify | PolicyTool::SourceSecret => source(context, path, pattern),
        PolicyTool::AppProject if !context.config.artifacts() => None,
        _ => judge.missed(path, pattern),
    });
    judged.collect()
}

/// Images that nodes pull through the cache, or could.
fn images<'a>(context: &Context<'a>) -> Vec<Image<'a>> {
    let mut images = Vec::new();
    for found in context.references {
        let counts = !matches!(found.planned, Planned::Skipped(_));
        if !counts || found.site.role != Role::Image || is_registry(found.site) {
            continue;
        }
        let routes = context.config.routes(found.file.path.as_str());
        let upstream = routes.and_then(|routes| routes.unmap(&found.site.name));
        let upstream = upstream.unwrap_or_else(|| found.site.name.clone());
        let reference = format!("{upstream}{}", found.site.suffix);
        let name = upstream.to_string();
        images.push(Image { upstream, name, reference, path: &found.file.path, position: found.position });
    }
    images
}

/// The routes that a policy at this path has to do with: those of its own target, of all for the whole repository's.
fn routes_for<'c>(context: &Context<'c>, path: &RepoPath) -> Vec<&'c Routes> {
    match context.config.target(path.as_str()) {
        Some(target) if !target.name.is_empty() => target.routes.iter().collect(),
        _ => context.config.targets().iter().filter_map(|target| target.routes.as_ref()).collect(),
    }
}

/// What patterns are judged by.
struct Judge<'c> {
    context: &'c Context<'c>,
    images: Vec<Image<'c>>,
    /// Renovate's `registryAliases` that map the cache.
    aliases: BTreeSet<&'c str>,
    /// Does a list take what comes through a route? By the list and where the route leads: asked once for all items.
    covered: HashMap<(usize, String), bool>,
}

/// What a pattern does not take.
#[derive(Default)]
struct Missing<'c> {
    /// The patterns to add.
    add: Vec<String>,
    /// The upstreams whose images they are for.
    hosts: BTreeSet<&'c str>,
}

impl<'c> Judge<'c> {
    fn missed(&mut self, path: &RepoPath, pattern: &PolicyPattern) -> Option<Finding> {
        let Missing { add, hosts } = self.missing(path, pattern);
        if add.is_empty() {
            return None;
        }
        let affected = self.affected(pattern, &hosts);
        let effect = match pattern.tool {
            PolicyTool::Egress => "lets pods reach the upstream, and not the cache",
            PolicyTool::Renovate | PolicyTool::Dependabot => {
                "does not match images that are called after the cache"
            }
            _ => "does not match images that come through the cache",
        };
        let shown = line(pattern);
        let message = format!("`{shown}` of {} {effect}", whose(pattern));
        let mut finding = Finding::new(&RULE, path, pattern.position, pattern.span, message);
        finding.subject = format!("{}:{shown}", pattern.field);
        finding.confidence = match (affected.is_empty(), pattern.matching) {
            (true, _) => Confidence::Low,
            (false, Matching::Text | Matching::Host) => Confidence::Medium,
            (false, _) => Confidence::High,
        };
        finding.next = match pattern.matching {
            Matching::Text => format!("let it take `{}` as well", add.join("`, `")),
            _ => format!("add `{}`", add.join("`, `")),
        };
        name_affected(&affected, &mut finding);
        Some(finding)
    }

    fn missing(&mut self, path: &RepoPath, pattern: &PolicyPattern) -> Missing<'c> {
        let mut missing = Missing::default();
        for routes in routes_for(self.context, path) {
            for route in routes.iter().filter(|route| pattern.hosts.contains(&route.host)) {
                if self.is_covered(pattern, routes, route) {
                    continue;
                }
                missing.hosts.insert(&route.host);
                let wanted = wanted(pattern, routes, route);
                if !missing.add.contains(&wanted) {
                    missing.add.push(wanted);
                }
            }
        }
        missing
    }

    fn is_covered(&mut self, pattern: &PolicyPattern, routes: &Routes, route: &Route) -> bool {
        let cached = base(routes, route);
        let is_alias = |alias: &&str| cached == **alias || cached.starts_with(&format!("{alias}/"));
        if pattern.tool == PolicyTool::Renovate && self.aliases.iter().any(is_alias) {
            return true;
        }
        let list = (Arc::as_ptr(&pattern.alternatives) as usize, cached);
        let takes = || pattern.alternatives.iter().any(|other| takes(pattern.matching, other, routes, route));
        *self.covered.entry(list).or_insert_with(takes)
    }

    /// The images of these upstreams that a pattern is about.
    fn affected(&self, pattern: &PolicyPattern, hosts: &BTreeSet<&str>) -> Vec<&Image<'c>> {
        // Egress rules are for pods, and what they reach by themselves is not known.
        if pattern.tool == PolicyTool::Egress {
            return Vec::new();
        }
        let meant = Meant::new(pattern);
        let is_affected =
            |image: &&Image<'_>| hosts.contains(image.upstream.host.as_str()) && meant.is(image);
        self.images.iter().filter(is_affected).collect()
    }
}

/// Names the first images, and counts the rest.
fn name_affected(affected: &[&Image<'_>], finding: &mut Finding) {
    let mut named: BTreeSet<&str> = BTreeSet::new();
    for image in affected {
        if named.insert(&image.name) && named.len() <= SHOWN {
            finding.related.push(Related {
                path: image.path.clone(),
                position: image.position,
                text: format!("`{}` is one of them", image.reference),
            });
        }
    }
    if named.len() > SHOWN {
        finding.next.push_str(&format!("; {} images of this repository are meant", named.len()));
    }
}

/// Signatures and credentials of a source that pulls through the cache itself.
fn source(context: &Context<'_>, path: &RepoPath, pattern: &PolicyPattern) -> Option<Finding> {
    let routes = context.config.routes(path.as_str())?;
    // The URL of a Helm repository is the beginning of a name.
    let url = pattern.text.trim_end_matches('/');
    let cached = routes.unmap_reference(url).is_some()
        || routes.iter().map(|route| base(routes, route)).any(|base| {
            url.strip_prefix(base.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        });
    let moves = || {
        let scan = pattern.object.as_ref().is_some_and(|object| object.kind == "ImageRepository");
        let name = Name::parse(url).ok().filter(|name| context.config.wants_image(name));
        !scan && context.config.artifacts() && name.is_some_and(|name| routes.map(&name).is_ok())
    };
    let verb = match cached {
        true => "is",
        false if moves() => "will be",
        false => return None,
    };
    let whose = whose(pattern);
    let (message, next) = match pattern.tool {
        PolicyTool::SourceVerify => (
            format!(
                "{whose} {verb} pulled through the cache, and so is its signature: one that was not imported fails it"
            ),
            "warm the signature with the artifact, and see that `spec.provider: aws` is set",
        ),
        _ => (
            format!("{whose} {verb} pulled through the cache with the upstream's credentials"),
            "give it `spec.provider: aws` in place of `secretRef`; the cache's rule has the upstream's credentials",
        ),
    };
    let mut finding = Finding::new(&RULE, path, pattern.position, pattern.span, message);
    finding.confidence = Confidence::Medium;
    finding.subject = format!("{}:{}", pattern.field, pattern.text);
    finding.next = next.to_owned();
    Some(finding)
}

/// Where a route leads: `<cache>/<prefix>`.
fn base(routes: &Routes, route: &Route) -> String {
    route.prefix.join_to(&routes.cache().to_string())
}

/// The pattern that is missing.
fn wanted(pattern: &PolicyPattern, routes: &Routes, route: &Route) -> String {
    let base = base(routes, route);
    match pattern.matching {
        Matching::Host => host(routes),
        // Of an expression only the name in it is known.
        Matching::Text => base,
        Matching::Wildcard if pattern.text == route.host => host(routes),
        _ => {
            let parts = pattern.text.split('|').map(|part| part.trim().trim_start_matches('!').trim());
            let mut parts = parts.filter(|part| part.contains(&route.host));
            parts.next().map_or(base.clone(), |part| part.replacen(&route.host, &base, 1))
        }
    }
}

fn host(routes: &Routes) -> String {
    routes.cache().to_string().split('/').next().unwrap_or_default().to_owned()
}

/// Does an alternative take what comes through this route?
fn takes(matching: Matching, other: &str, routes: &Routes, route: &Route) -> bool {
    let plain = unescaped(other);
    let base = base(routes, route);
    match matching {
        Matching::Host => plain == host(routes) || wildcard(&plain, &host(routes)),
        Matching::Text => plain.contains(&host(routes)),
        _ if plain.contains(&base) || plain == host(routes) => true,
        // An example that no pattern spells: an image of a name of one's own below the prefix.
        Matching::Prefix => base.starts_with(plain.trim_end_matches('/')),
        Matching::Wildcard => wildcard(&plain, &format!("{base}/pullthru/example:v1")),
        Matching::Glob => glob(&plain, &format!("{base}/pullthru/example")),
    }
}

/// Which images a pattern is about, under their upstreams' names.
enum Meant<'p> {
    OfItsHosts,
    Beginning(&'p str),
    Matching(Vec<GlobMatcher>),
}

impl<'p> Meant<'p> {
    fn new(pattern: &'p PolicyPattern) -> Meant<'p> {
        let text = pattern.text.trim_start_matches('!');
        let globs = |separate| {
            let parts = text.split('|').map(|part| part.trim().trim_start_matches('!').trim());
            parts.filter_map(|part| matcher(part, separate)).collect()
        };
        match pattern.matching {
            Matching::Text | Matching::Host => Meant::OfItsHosts,
            _ if pattern.hosts.iter().any(|host| host == text) => Meant::OfItsHosts,
            Matching::Prefix => Meant::Beginning(text),
            Matching::Wildcard => Meant::Matching(globs(false)),
            Matching::Glob => Meant::Matching(globs(true)),
        }
    }

    fn is(&self, image: &Image<'_>) -> bool {
        match self {
            Meant::OfItsHosts => true,
            Meant::Beginning(text) => image.reference.starts_with(text),
            Meant::Matching(globs) => {
                globs.iter().any(|glob| glob.is_match(&image.name) || glob.is_match(&image.reference))
            }
        }
    }
}

/// `*` for any text, or for any within a component; `?` for one character.
fn matcher(pattern: &str, separate: bool) -> Option<GlobMatcher> {
    let glob = GlobBuilder::new(&literal(pattern)).literal_separator(separate).build();
    Some(glob.ok()?.compile_matcher())
}

fn wildcard(pattern: &str, text: &str) -> bool {
    matcher(pattern, false).is_some_and(|glob| glob.is_match(text))
}

fn glob(pattern: &str, text: &str) -> bool {
    matcher(pattern, true).is_some_and(|glob| glob.is_match(text))
}

/// Brackets and braces mean nothing to these tools.
fn literal(pattern: &str) -> String {
    pattern.replace('[', "[[]").replace('{', "[{]").replace('\\', "[\\\\]")
}

fn whose(pattern: &PolicyPattern) -> String {
    let tool = match pattern.tool {
        PolicyTool::Renovate => "Renovate's",
        PolicyTool::Dependabot => "Dependabot's",
        _ => "",
    };
    match &pattern.object {
        Some(object) => format!("`{object}`"),
        None if tool.is_empty() => format!("`{}`", pattern.field),
        None => format!("{tool} `{}`", pattern.field),
    }
}

/// As much of a pattern as a line takes: of several lines the one with the host.
fn line(pattern: &PolicyPattern) -> String {
    let text = pattern.text.trim();
    let names = |line: &&str| {
        let plain = unescaped(line);
        pattern.hosts.iter().any(|host| plain.contains(host))
    };
    let line = text.lines().find(names).or(text.lines().next()).unwrap_or_default().trim();
    match line.char_indices().nth(80) {
        Some((at, _)) => format!("{}…", line.get(..at).unwrap_or_default()),
        None => line.to_owned(),
    }
}
