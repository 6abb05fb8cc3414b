//! What spans several values of `provision:`: names that must exist, be unique, or go together.

use std::collections::BTreeMap;

use super::check::Checker;
use super::error::nearest;
use super::file::Text;
use super::provision::{Access, Credential, Lifecycle, Provision, TagMutability, Template};
use crate::route::{Prefix, Route, not_cacheable, upstream_for, upstreams};

/// Limits of the API (ECR API reference: `TagMutabilityExclusionFilters`, `RegistryScanningRuleList`,
/// `ScanningRepositoryFilterList`; user guide, "Amazon ECR service quotas", for replication).
const TAG_PATTERNS: std::ops::RangeInclusive<usize> = 1..=5;
const SCAN_RULES: usize = 2;
const SCAN_FILTERS: usize = 100;
const REPLICATION_RULES: usize = 10;

impl Checker {
    /// `uses` are the credentials that `upstreams:` names.
    pub(super) fn provision(&mut self, provision: &Provision, uses: &[Text], base: &[(Route, Text)]) {
        for used in uses.iter().chain(provision.rules.iter().filter_map(|rule| rule.credential.as_ref())) {
            self.known_credential(used, &provision.credentials);
        }
        for (name, credential) in &provision.credentials {
            self.credential(name, credential);
        }
        self.own_rules(provision, base);
        self.templates(&provision.templates);
        self.registry_settings(provision);
        self.repositories(provision);
        if let Some(github) = &provision.iam.github_actions
            && github.repositories.is_empty()
        {
            self.report(
                None,
                "`provision.iam.github-actions` names no repository",
                "add `repositories: [org/repo]`",
            );
        }
    }

    fn known_credential(&mut self, used: &Text, known: &BTreeMap<Text, Credential>) {
        if known.is_empty() || known.keys().any(|name| name.value == used.value) {
            return;
        }
        let names = known.keys().map(|name| name.value.as_str());
        let help = match nearest(&used.value, names) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "add it under `provision: { credentials: … }`".to_owned(),
        };
        self.report(Some(used), format!("there is no credential `{}`", used.value), help);
    }

    fn credential(&mut self, name: &Text, credential: &Credential) {
        let Some(arn) = &credential.arn else { return };
        if credential.secret.is_some() || credential.token.is_some() || credential.username.is_some() {
            self.report(
                Some(name),
                format!("the credential `{}` has an `arn`, and says what to make besides", name.value),
                "keep `arn` for a secret that something else looks after, or leave it out",
            );
        }
        let is_usable = arn.secret_name().is_some_and(|name| name.starts_with(super::SECRET_PREFIX));
        if !is_usable {
            self.report(
                Some(name),
                format!("`{arn}` is no secret that a rule takes"),
                "its name has to begin with `ecr-pullthroughcache/`: copy it to a secret of such a name",
            );
        }
    }

    fn own_rules(&mut self, provision: &Provision, base: &[(Route, Text)]) {
        let mut prefixes: Vec<Prefix> = base.iter().map(|(route, _)| route.prefix.clone()).collect();
        for rule in &provision.rules {
            let help = "a prefix is 2 to 30 characters: lower-case letters, digits, `.`, `_`, `-` and `/` between them";
            if let Some(prefix) = self.parse::<Prefix>(&rule.prefix, help) {
                if prefixes.contains(&prefix) {
                    let message = format!("the prefix `{prefix}` has a rule already");
                    self.report(Some(&rule.prefix), message, "a registry has one rule for each prefix");
                }
                prefixes.push(prefix);
            }
            if upstream_for(&rule.upstream.value).is_none() {
                let reason = not_cacheable(&rule.upstream.value);
                let known: Vec<&str> = upstreams().iter().map(|upstream| upstream.host).collect();
                self.report(
                    Some(&rule.upstream),
                    format!("`{}` is no upstream that ECR can cache", rule.upstream.value),
                    reason.map_or_else(|| format!("ECR caches {}", known.join(", ")), str::to_owned),
                );
            }
            let is_ecr = upstream_for(&rule.upstream.value).is_some_and(|upstream| upstream.id == "ecr");
            if rule.custom_role.is_some() && !is_ecr {
                self.report(
                    Some(&rule.upstream),
                    "a rule has a `custom-role` only where the upstream is a private ECR registry",
                    "use a `credential`",
                );
            }
        }
    }

    fn templates(&mut self, templates: &[Template]) {
        let mut seen: Vec<&str> = Vec::new();
        for template in templates {
            let place = template.prefix.as_ref();
            if let Some(prefix) = place {
                let name = prefix.value.trim_end_matches('/');
                if name != "ROOT" && (!crate::image::is_repository(name) || name.len() > 256) {
                    let message = format!("`{}` is no prefix of repositories", prefix.value);
                    self.report(place, message, "write one such as `ghcr` or `ghcr/my-org`, or `ROOT`");
                }
                if seen.contains(&name) {
                    let message = format!("the prefix `{name}` has a template already");
                    self.report(place, message, "a registry has one template for each prefix");
                }
                seen.push(name);
            }
            self.tag_mutability(place, &template.tag_mutability);
            self.lifecycle(place, template.lifecycle.as_ref());
            self.access(place, template.access.as_ref());
        }
    }

    fn repositories(&mut self, provision: &Provision) {
        let mut seen: Vec<&str> = Vec::new();
        for group in &provision.repositories {
            for name in &group.names {
                if !crate::image::is_repository(&name.value) || !(2..=256).contains(&name.value.len()) {
                    let message = format!("`{}` is not a repository name", name.value);
                    self.report(Some(name), message, "write one such as `team/app`, in lower case");
                }
                if seen.contains(&name.value.as_str()) {
                    let message = format!("the repository `{}` is named twice", name.value);
                    self.report(Some(name), message, "name it once");
                }
                seen.push(&name.value);
            }
            let place = group.names.first();
            if place.is_none() {
                self.report(
                    None,
                    "`provision.repositories` has an entry without names",
                    "add `names: [team/app]`",
                );
            }
            self.tag_mutability(place, &group.tag_mutability);
            self.lifecycle(place, group.lifecycle.as_ref());
            self.access(place, group.access.as_ref());
        }
    }

    fn tag_mutability(&mut self, place: Option<&Text>, mutability: &TagMutability) {
        let (TagMutability::MutableExcept(patterns) | TagMutability::ImmutableExcept(patterns)) = mutability
        else {
            return;
        };
        if !TAG_PATTERNS.contains(&patterns.len()) {
            let message = format!("{} patterns of tags, and ECR takes 1 to 5", patterns.len());
            self.report(place, message, "name 1 to 5 patterns");
        }
    }

    fn lifecycle(&mut self, place: Option<&Text>, lifecycle: Option<&Lifecycle>) {
        let Some(lifecycle) = lifecycle else { return };
        let short = lifecycle.keep.is_some() || lifecycle.expire_untagged_days.is_some();
        if lifecycle.policy.is_some() == short {
            self.report(
                place,
                "`lifecycle` has to have `policy`, or `keep` or `expire-untagged-days`",
                "write `lifecycle: { keep: 10 }`",
            );
        }
        if !lifecycle.tag_prefixes.is_empty() && lifecycle.keep.is_none() {
            self.report(place, "`tag-prefixes` says what `keep` counts, and there is none", "add `keep: 10`");
        }
    }

    fn access(&mut self, place: Option<&Text>, access: Option<&Access>) {
        let Some(access) = access else { return };
        let short = !access.pull_accounts.is_empty() || access.pull_organization.is_some();
        if access.policy.is_some() == short {
            self.report(
                place,
                "`access` has to have `policy`, or `pull-accounts` or `pull-organization`",
                "write `access: { pull-accounts: [\"210987654321\"] }`",
            );
        }
    }

    fn registry_settings(&mut self, provision: &Provision) {
        let registry = &provision.registry;
        if let Some(scanning) = &registry.scanning {
            let filters = scanning.rules.iter().map(|rule| rule.filters.len()).max().unwrap_or(0);
            if scanning.rules.len() > SCAN_RULES || filters > SCAN_FILTERS {
                self.report(
                    None,
                    "`provision.registry.scanning` has more rules or filters than ECR takes",
                    "keep to 2 rules with 100 filters each",
                );
            }
        }
        if registry.replication.len() > REPLICATION_RULES {
            self.report(
                None,
                "`provision.registry.replication` has more rules than ECR takes",
                "keep to 10 rules",
            );
        }
        for statement in registry.policy.iter().flat_map(|policy| &policy.statements) {
            let sid = statement.get("Sid").and_then(|sid| sid.as_str());
            if sid.is_none_or(str::is_empty) {
                self.report(
                    None,
                    "a statement of `provision.registry.policy` has no `Sid`",
                    "add one: it is how the statement is known again among those of others",
                );
            }
        }
    }
}
