//! Placeholder until the configuration module lands.

use crate::image::Name;
use crate::route::*;

pub const FILE_NAMES: [&str; 2] = ["pullthru.yaml", ".pullthru.yaml"];

#[derive(Clone, Debug, Default)]
pub struct Overrides {
    pub account: Option<String>,
    pub region: Option<String>,
    pub registry_host: Option<String>,
    pub upstreams: Vec<String>,
    pub include: Vec<String>,
    pub exclude: Vec<String>,
    pub ignore: Vec<String>,
    pub artifacts: Option<bool>,
}

#[derive(Debug, thiserror::Error, miette::Diagnostic)]
#[error("config")]
pub struct ConfigErrors;

#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub upstreams: Vec<(String, usize, usize)>,
    pub not_cacheable: Vec<(String, &'static str, usize)>,
    pub ecr_hosts: Vec<(EcrHost, usize)>,
    pub clusters: Vec<String>,
    pub account: Option<String>,
    pub region: Option<String>,
    pub host: Option<String>,
}

pub fn propose(_: &Facts) -> String {
    String::new()
}

pub struct Config {
    routes: Option<Routes>,
    hosts: Vec<String>,
    ignore: Vec<String>,
    artifacts: bool,
}

impl Config {
    pub fn load(_file: Option<(String, String)>, flags: &Overrides) -> Result<Config, ConfigErrors> {
        let mut routes = vec![("ghcr.io".to_owned(), "ghcr".to_owned())];
        for up in &flags.upstreams {
            let (h, p) = up
                .split_once('=')
                .map(|(a, b)| (a.to_owned(), b.to_owned()))
                .unwrap_or((up.clone(), default_prefix(up).unwrap_or_default()));
            routes.retain(|r| r.0 != h);
            routes.push((h, p));
        }
        let hosts = routes.iter().map(|r| r.0.clone()).collect();
        let cache = match (&flags.account, &flags.region, &flags.registry_host) {
            (Some(a), Some(r), _) => format!("{a}.dkr.ecr.{r}.amazonaws.com").parse::<CacheHost>().ok(),
            (_, _, Some(h)) => h.parse().ok(),
            _ => None,
        };
        let routes = cache.and_then(|cache| {
            Routes::new(
                cache,
                routes
                    .iter()
                    .map(|(h, p)| Route {
                        host: h.clone(),
                        prefix: p.parse().unwrap_or_default(),
                        upstream_prefix: UpstreamPrefix::default(),
                    })
                    .collect(),
            )
            .ok()
        });
        Ok(Config { routes, hosts, ignore: flags.ignore.clone(), artifacts: flags.artifacts == Some(true) })
    }
    pub fn routes(&self, _: &str) -> Option<&Routes> {
        self.routes.as_ref()
    }
    pub fn upstream_hosts(&self) -> Vec<String> {
        self.hosts.clone()
    }
    pub fn cache_hosts(&self) -> Vec<String> {
        self.routes.iter().map(|r| r.cache().to_string()).collect()
    }
    pub fn wants_image(&self, _: &Name) -> bool {
        true
    }
    pub fn ignore(&self) -> &[String] {
        &self.ignore
    }
    pub fn artifacts(&self) -> bool {
        self.artifacts
    }
    pub fn has_registry(&self) -> bool {
        self.routes.is_some()
    }
}
