//! What spans several values of `provision:`: names that must exist, be unique, or go together.

use std::collections::BTreeMap;

use super::checker::Checker;
use super::provision::{Credential, Provision, Template};
use super::text::Text;
use crate::nearest::nearest;
use crate::route::{Prefix, Route, not_cacheable, upstream_for, upstreams};

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
        self.repositories(provision);
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
        }
    }
}
