//! What `provision:` says of what costs something: how many versions stay, what scans, where copies go, which secrets.

use super::estimate::Destination;
use pullthru_core::config::{AppliedFor, Config, Lifecycle, ScanType, Target, Template};
use pullthru_core::images::Image;
use pullthru_core::route::{EcrHost, Region};

/// The configuration, asked for what costs.
#[derive(Clone, Copy, Debug)]
pub struct Provisioned<'c> {
    config: &'c Config,
}

impl<'c> Provisioned<'c> {
    pub fn of(config: &'c Config) -> Provisioned<'c> {
        Provisioned { config }
    }

    pub fn scanning(self) -> Option<ScanType> {
        self.config.provision().registry.scanning.as_ref().map(|scanning| scanning.kind)
    }

    /// What is replicated to where.
    pub fn destinations(self) -> Vec<Destination> {
        let rules = self.config.provision().registry.replication.iter();
        let all = rules.flat_map(|rule| {
            rule.to.iter().map(|to| Destination {
                region: to.region.clone(),
                account: to.account.clone(),
                prefixes: rule.prefixes.clone(),
            })
        });
        Destination::merged(all)
    }

    /// Caches of their own in other Regions, beside this one: `provision` makes them for the first registry that is
    /// configured.
    pub fn other_caches(self, cache: &EcrHost) -> Vec<EcrHost> {
        let mut configured = self.config.targets().iter().filter_map(|target| target.routes.as_ref());
        if configured.next().is_none_or(|routes| routes.cache().to_string() != cache.to_string()) {
            return Vec::new();
        }
        let mut regions: Vec<&Region> = self.config.provision().regions.iter().collect();
        regions.sort();
        regions.dedup();
        let others = regions.into_iter().filter(|region| **region != cache.region);
        others.map(|region| EcrHost::new(cache.account.clone(), region.clone())).collect()
    }

    /// The lifecycle of the repository that a pull goes to, by the longest prefix of a template; `None` when no template
    /// covers it, or it has none.
    pub fn lifecycle(self, pull: &Image) -> Option<&'c Lifecycle> {
        let path = &pull.cached.as_ref()?.path;
        let rule = self.prefix(pull);
        let covers = |prefix: &str| {
            prefix == "ROOT" || path.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/'))
        };
        let length = |template: &Template| match &template.prefix {
            // A template with a name of its own comes before the one for all rules.
            Some(prefix) => {
                let prefix = prefix.value.trim_end_matches('/');
                covers(prefix).then(|| if prefix == "ROOT" { (0, true) } else { (prefix.len(), true) })
            }
            None => rule.as_deref().filter(|rule| covers(rule)).map(|rule| (rule.len(), false)),
        };
        let caches = |template: &&Template| {
            template.applied_for.is_empty() || template.applied_for.contains(&AppliedFor::PullThroughCache)
        };
        let templates = self.config.provision().templates.iter().filter(caches);
        let (_, template) = templates
            .filter_map(|template| Some((length(template)?, template)))
            .max_by_key(|(length, _)| *length)?;
        template.lifecycle.as_ref()
    }

    /// The name of the credential of a pull's rule: what is written down, else its prefix.
    pub fn credential(self, pull: &Image) -> Option<String> {
        let prefix = self.prefix(pull)?;
        let named = self.target(pull)?.credentials.get(&prefix).cloned();
        Some(named.unwrap_or(prefix))
    }

    /// The target whose cache a pull goes to.
    fn target(self, pull: &Image) -> Option<&'c Target> {
        let host = &pull.cached.as_ref()?.host;
        let upstream = pull.upstream.as_ref()?;
        self.config.targets().iter().find(|target| {
            let routes = target.routes.as_ref();
            routes.is_some_and(|routes| {
                routes.map(upstream).ok().as_ref() == pull.cached.as_ref()
                    && routes.cache().to_string() == *host
            })
        })
    }

    /// The prefix of its rule.
    fn prefix(self, pull: &Image) -> Option<String> {
        let routes = self.target(pull)?.routes.as_ref()?;
        Some(routes.route_for(pull.upstream.as_ref()?)?.prefix.to_string())
    }
}
