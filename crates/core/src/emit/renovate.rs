//! Renovate's configuration for a repository whose files name the cache: look up the upstream, write the cache.
//!
//! `registryAliases` does that in most managers: where an image begins with `<alias>/`, the first alias that does
//! wins, and only the look-up changes (Renovate, `lib/modules/manager/dockerfile/extract.ts`, `getDep`). Some managers
//! do not ask for aliases (`argocd`, `tekton`, custom ones); a package rule changes the name that those look up.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::config::Config;
use crate::image::Name;
use crate::route::Routes;

/// A preset to be extended, or to be taken over into `renovate.json`.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Preset {
    #[serde(rename = "$schema")]
    schema: &'static str,
    description: Vec<&'static str>,
    registry_aliases: Map<String, Value>,
    package_rules: Vec<Value>,
}

/// The preset for every route of every target.
pub fn preset(config: &Config) -> Preset {
    let mut routes: Vec<(String, String)> =
        config.targets().iter().filter_map(|target| target.routes.as_ref()).flat_map(aliases).collect();
    // The first alias that matches wins: the longer one knows more.
    routes.sort_by(|(a, _), (b, _)| (b.len(), a).cmp(&(a.len(), b)));
    routes.dedup();
    let package_rules = routes.iter().map(|(cached, upstream)| rule(cached, upstream)).collect();
    let registry_aliases =
        routes.into_iter().map(|(cached, upstream)| (cached, Value::from(upstream))).collect();
    Preset {
        schema: "https://docs.renovatebot.com/renovate-schema.json",
        description: vec![
            "Look for new versions at the upstream registries; files go on naming Amazon ECR pull through cache.",
            "The package rules are for managers that know no registryAliases (argocd, tekton, custom ones): keep them \
             before your own, which then match the upstream's names.",
        ],
        registry_aliases,
        package_rules,
    }
}

/// What stands before the repository in the cache and at the upstream.
fn aliases(routes: &Routes) -> Vec<(String, String)> {
    let base = routes.cache().to_string();
    let joined = |head: &str, tail: &str| {
        if tail.is_empty() { head.to_owned() } else { format!("{head}/{tail}") }
    };
    let part = |text: &dyn std::fmt::Display, root: bool| if root { String::new() } else { text.to_string() };
    routes
        .iter()
        .map(|route| {
            let prefix = part(&route.prefix, route.prefix.is_root());
            let below = part(&route.upstream_prefix, route.upstream_prefix.is_root());
            (joined(&base, &prefix), joined(&route.host, &below))
        })
        .collect()
}

fn rule(cached: &str, upstream: &str) -> Value {
    let pattern = escaped(cached);
    // A template's text is in single quotes, and its backslashes are its own.
    json!({
        "description": format!("{} is looked up at {upstream}", Name { host: cached.to_owned(), path: "**".to_owned() }),
        "matchPackageNames": [format!("/^{}\\//", pattern.replace('/', "\\/"))],
        "overridePackageName": format!("{{{{{{replace '^{pattern}/' '{upstream}/' packageName}}}}}}"),
    })
}

/// For a regular expression of Renovate (RE2).
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if ".$^{}()[]|*+?\\".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}
