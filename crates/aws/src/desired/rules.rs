//! Rules for the upstreams in use, and the secrets of their logins.

use std::collections::BTreeSet;

use super::Build;
use super::DesiredError;
use crate::resource::{Ref, Rule, Secret};
use pullthru_core::config::{Arn, Credential, Extent, SECRET_PREFIX};
use pullthru_core::nearest::nearest;
use pullthru_core::route::{Credential as Needs, EcrHost, Route, api_url, upstream_for};

impl Build<'_> {
    pub(super) fn rules(&mut self) {
        let routes: Vec<&Route> = self.sources.routes.iter().collect();
        for route in routes {
            let prefix = route.prefix.to_string();
            let wanted = self.sources.provision.upstreams == Extent::Configured;
            if !wanted && !self.sources.used.contains(&prefix) {
                let note =
                    format!("`{}` is configured and no image of it is used: it gets no rule", route.host);
                self.desired.notes.push(note);
                continue;
            }
            let credential = self.sources.credentials.get(&prefix).cloned();
            self.rule(&prefix, &route.host, &route.upstream_prefix.to_string(), credential, None);
        }
        for own in &self.sources.provision.rules {
            let prefix = own.prefix().map(|prefix| prefix.to_string()).unwrap_or_default();
            let upstream_prefix = own.upstream_prefix.clone().unwrap_or_default().to_string();
            let credential = own.credential.as_ref().map(|name| name.value.clone());
            self.rule(&prefix, &own.upstream.value, &upstream_prefix, credential, own.custom_role.clone());
        }
        self.desired.rules.sort_by(|a, b| a.prefix.cmp(&b.prefix));
        self.desired.secrets.sort_by(|a, b| a.name.cmp(&b.name));
        self.desired.scope.prefixes = self.desired.rules.iter().map(|rule| rule.prefix.clone()).collect();
    }

    pub(super) fn rule(
        &mut self,
        prefix: &str,
        host: &str,
        upstream_prefix: &str,
        credential: Option<String>,
        custom_role: Option<Arn>,
    ) {
        let (Some(upstream), Some(url)) = (upstream_for(host), api_url(host)) else { return };
        let credential = match (upstream.credential, credential) {
            (Needs::None, None) | (Needs::Role, _) => None,
            (_, Some(name)) => Some(self.secret(&name, host)),
            (Needs::Secret, None) => Some(self.secret(&prefix.replace('/', "-"), host)),
        };
        if let Ok(other) = host.parse::<EcrHost>()
            && other.account != self.desired.registry.account
            && custom_role.is_none()
        {
            self.errors.push(DesiredError::RoleMissing {
                upstream: host.to_owned(),
                theirs: other.account.to_string(),
                ours: self.desired.registry.account.to_string(),
            });
        }
        self.role_is_here(custom_role.as_ref());
        self.desired.rules.push(Rule {
            prefix: prefix.to_owned(),
            upstream_registry: upstream.id.to_owned(),
            upstream_url: url,
            upstream_prefix: upstream_prefix.to_owned(),
            credential,
            custom_role,
        });
    }

    pub(super) fn role_is_here(&mut self, role: Option<&Arn>) {
        if let Some(arn) = role.filter(|arn| arn.account != self.desired.registry.account.as_str()) {
            let account = self.desired.registry.account.to_string();
            self.errors.push(DesiredError::RoleElsewhere { arn: arn.clone(), account });
        }
    }

    /// A credential that no rule of the configuration could use is most likely misspelled.
    pub(super) fn unused_credentials(&mut self) {
        let routes = self.sources.routes.iter().map(|route| {
            let prefix = route.prefix.to_string();
            (self.sources.credentials.get(&prefix).cloned(), prefix)
        });
        let own =
            self.sources.provision.rules.iter().map(|rule| {
                (rule.credential.as_ref().map(|name| name.value.clone()), rule.prefix.value.clone())
            });
        let used: BTreeSet<String> = routes
            .chain(own)
            .map(|(name, prefix)| name.unwrap_or_else(|| prefix.replace('/', "-")))
            .collect();
        for name in self.sources.provision.credentials.keys().filter(|name| !used.contains(&name.value)) {
            let near = nearest(&name.value, used.iter().map(String::as_str)).map(str::to_owned);
            self.errors.push(DesiredError::UnusedCredential { name: name.value.clone(), near });
        }
    }

    /// The secret of a credential, made once however many rules use it.
    pub(super) fn secret(&mut self, name: &str, host: &str) -> Ref {
        let file = self.sources.provision.credentials.iter().find(|(known, _)| known.value == name);
        let file = file.map(|(_, credential)| credential.clone()).unwrap_or_default();
        let Credential { secret, arn, username, token, recovery_window_days, tags } = file;
        if let Some(arn) = arn {
            let registry = &self.desired.registry;
            if !arn.lies_in(&registry.account, &registry.region) {
                let (account, region) = (registry.account.to_string(), registry.region.to_string());
                self.errors.push(DesiredError::SecretElsewhere { arn: arn.clone(), account, region });
            }
            return Ref::Given(arn);
        }
        let secret = secret.map_or_else(|| format!("{SECRET_PREFIX}{name}"), |name| name.to_string());
        if !self.desired.secrets.iter().any(|known| known.name == secret) {
            let tags = self.tags(&tags);
            self.desired.secrets.push(Secret {
                name: secret.clone(),
                credential: name.to_owned(),
                upstream: host.to_owned(),
                username,
                token,
                recovery_window_days: recovery_window_days.unwrap_or(30),
                tags,
            });
        }
        Ref::Made(secret)
    }
}
