//! From the file and the flags as written to a [`Config`]: everything that is wrong is said at once.

use std::collections::BTreeMap;

use miette::NamedSource;

use super::check_patterns::{IMAGES, PATHS, fixed_start, path_pattern};
use super::checker::Checker;
use super::file::{File, Registry, Rule, TargetFile, Upstream};
use super::secrecy::{secret_may_show, without_line};
use super::text::Text;
use super::{Config, ConfigError, ConfigErrors, Overrides, Target};
use crate::image::fold_host;
use crate::nearest::nearest;
use crate::route::{
    AccountId, CacheHost, EcrHost, Prefix, Region, Route, Routes, UpstreamPrefix, default_prefix,
    not_cacheable, pull_through_available, upstream_for, upstreams,
};

/// `1.33`, `v1.33.2`, `1.33.2-eks-1234567`.
pub fn is_kubernetes_version(text: &str) -> bool {
    let core = text.strip_prefix('v').unwrap_or(text).split(['-', '+']).next().unwrap_or_default();
    let numbers: Vec<&str> = core.split('.').collect();
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    matches!(numbers.len(), 2 | 3) && numbers.iter().all(is_number)
}

pub(super) fn load(file: Option<(String, String)>, flags: &Overrides) -> Result<Config, ConfigErrors> {
    let mut checker = Checker { source: None, errors: Vec::new() };
    let mut parsed = File::default();
    if let Some((name, text)) = file {
        checker.source = Some(NamedSource::new(name, text.clone()).with_language("yaml"));
        parsed = match read(&text) {
            Ok(parsed) => parsed,
            Err(error) => {
                let error = ConfigError::unreadable(checker.source.as_ref(), &error, &text);
                let hidden = secret_may_show(&text, &error);
                let error = if hidden { without_line(&text, error) } else { error };
                return Err(ConfigErrors { errors: vec![error] });
            }
        };
    }
    let config = checker.config(parsed, flags);
    if checker.errors.is_empty() { Ok(config) } else { Err(ConfigErrors { errors: checker.errors }) }
}

fn read(text: &str) -> Result<File, serde_saphyr::Error> {
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#') || line == "---")
    {
        return Ok(File::default());
    }
    serde_saphyr::from_str(text)
}

impl Checker {
    fn config(&mut self, file: File, flags: &Overrides) -> Config {
        let mut registry = file.registry.clone().unwrap_or_default();
        let flag = |value: &Option<String>, name: &'static str| {
            value.as_ref().map(|value| Text::of_flag(value, name))
        };
        if flags.registry_host.is_some() {
            registry =
                Registry { host: flag(&flags.registry_host, "--registry-host"), ..Registry::default() };
        }
        if flags.account.is_some() || flags.region.is_some() {
            registry.account = flag(&flags.account, "--account").or(registry.account);
            registry.region = flag(&flags.region, "--region").or(registry.region);
            registry.host = registry.host.filter(|_| flags.registry_host.is_some());
        }
        let base = self.routes_table(file.upstreams.as_ref(), &flags.upstreams);
        let credentials = credentials(file.upstreams.as_ref());
        let mut targets = vec![self.target(String::new(), &[], &registry, &base)];
        if let Some(target) = targets.first_mut() {
            target.credentials =
                credentials.iter().map(|(prefix, name)| (prefix.clone(), name.value.clone())).collect();
        }
        for target in &file.targets {
            let mut checked = self.path_target(target, &base);
            let own = target.upstreams.as_ref().or(file.upstreams.as_ref());
            checked.credentials =
                self::credentials(own).into_iter().map(|(prefix, name)| (prefix, name.value)).collect();
            targets.push(checked);
        }
        let provision = file.provision.unwrap_or_default();
        let mut uses: Vec<Text> = credentials.into_values().collect();
        uses.extend(
            file.targets.iter().flat_map(|target| self::credentials(target.upstreams.as_ref()).into_values()),
        );
        self.provision(&provision, &uses, &base);
        self.overlaps(&file.targets);
        let mut hosts: Vec<String> = base.iter().map(|(route, _)| route.host.clone()).collect();
        hosts.extend(
            targets.iter().filter_map(|t| t.routes.as_ref()).flat_map(|r| r.iter().map(|r| r.host.clone())),
        );
        hosts.sort();
        hosts.dedup();
        let texts = |file: &[Text], flags: &[String], name: &'static str| {
            let flags = flags.iter().map(|value| Text::of_flag(value, name));
            file.iter().cloned().chain(flags).collect::<Vec<Text>>()
        };
        let include = texts(&file.include, &flags.include, "--include");
        let include = self.image_patterns(include);
        let (_, include_set) = self.globs(&include, IMAGES);
        let exclude = self.image_patterns(texts(&file.exclude, &flags.exclude, "--exclude"));
        let (_, exclude) = self.globs(&exclude, IMAGES);
        let kubernetes_version = self.kubernetes_version(file.charts.kubernetes_version);
        Config {
            targets,
            hosts,
            kubernetes_version,
            api_versions: file.charts.api_versions,
            include: (!include.is_empty()).then_some(include_set),
            exclude,
            ignore: self.ignore(texts(&file.ignore, &flags.ignore, "--ignore")),
            artifacts: flags.artifacts.unwrap_or(file.artifacts),
            flux: file.flux,
            lint: file.lint,
            provision,
            lint_ignores: file
                .lint_ignore
                .into_iter()
                .filter_map(|ignore| self.lint_ignore(ignore))
                .collect(),
        }
    }

    /// As helm reads `--kube-version`.
    fn kubernetes_version(&mut self, version: Option<Text>) -> Option<String> {
        let text = version?;
        if !is_kubernetes_version(&text.value) {
            let message = format!("`{}` is no version of Kubernetes", text.value);
            self.report(Some(&text), message, "write it as `1.33.0`, quoted where it has one dot");
        }
        Some(text.value)
    }

    fn path_target(&mut self, file: &TargetFile, base: &[(Route, Text)]) -> Target {
        let own = file.upstreams.as_ref().map(|own| self.routes_table(Some(own), &[]));
        let name = file.name.clone().or_else(|| file.paths.first().map(|path| path.value.clone()));
        let target = self.target(
            name.unwrap_or_default(),
            &file.paths,
            &file.registry,
            own.as_deref().unwrap_or(base),
        );
        if file.paths.is_empty() {
            self.errors.push(ConfigError {
                message: "a target has no paths".to_owned(),
                help: Some("add `paths: [\"clusters/prod/**\"]`".to_owned()),
                source_code: None,
                place: None,
            });
        }
        if target.routes.is_none() && self.errors.is_empty() {
            let place = file.paths.first().cloned();
            self.report(
                place.as_ref(),
                "a target needs a registry of its own",
                "add `registry: { account: …, region: … }`",
            );
        }
        target
    }

    fn target(
        &mut self,
        name: String,
        paths: &[Text],
        registry: &Registry,
        table: &[(Route, Text)],
    ) -> Target {
        let paths: Vec<Text> =
            paths.iter().map(|path| Text { value: path_pattern(&path.value), ..path.clone() }).collect();
        let (globs, set) = self.globs(&paths, PATHS);
        let cache = self.cache(registry);
        let configured = cache.is_some();
        // Without a registry the routes are checked all the same, with one that stands for it.
        let cache = cache.or_else(|| "registry.invalid".parse().ok());
        let routes = cache.and_then(|cache| {
            let routes: Vec<Route> = table.iter().map(|(route, _)| route.clone()).collect();
            Routes::new(cache, routes)
                .map_err(|error| {
                    // The route that the message names is the one to look at.
                    let text = error.to_string();
                    let named = |(route, _): &&(Route, Text)| text.contains(&format!("`{}`", route.prefix));
                    let place = table.iter().rfind(named).or(table.last()).map(|(_, place)| place.clone());
                    self.report(place.as_ref(), text, "give each route a prefix of its own");
                })
                .ok()
                .filter(|_| configured)
        });
        let starts = globs.into_iter().map(|glob| {
            let start = fixed_start(glob.glob()).to_owned();
            (glob, start)
        });
        Target { name, paths: starts.collect(), globs: set, routes, credentials: BTreeMap::new() }
    }

    /// The registry that is configured, if any.
    fn cache(&mut self, registry: &Registry) -> Option<CacheHost> {
        if let Some(host) = &registry.host {
            if let Some(account) = &registry.account {
                self.report(Some(account), "`registry` has both `host` and `account`", "keep one of them");
            }
            if registry.fips || registry.dual_stack {
                let message = "`registry` has `host`, and `fips` or `dual-stack`, which only an account and a Region take";
                self.report(Some(host), message, "write the host as it is to be");
            }
            let cache = self.parse::<CacheHost>(host, "");
            if let Some(CacheHost::Ecr(ecr)) = &cache
                && let Err(reason) = pull_through_available(&ecr.region)
            {
                self.report(Some(host), reason, "use a Region that has pull through cache");
            }
            return cache;
        }
        let (account, region) = match (&registry.account, &registry.region) {
            (Some(account), Some(region)) => (account, region),
            (None, None) => return None,
            (Some(there), None) => {
                self.report(
                    Some(there),
                    "there is an account and no Region",
                    "add `--region`, or `region:` to `registry` in pullthru.yaml",
                );
                return None;
            }
            (None, Some(there)) => {
                self.report(
                    Some(there),
                    "there is a Region and no account",
                    "add `--account`, or `account:` to `registry` in pullthru.yaml",
                );
                return None;
            }
        };
        // A number in YAML loses its leading zeros.
        let quotes = if account.flag.is_empty() { "write it in quotes: `\"012345678901\"`" } else { "" };
        let account = self.parse::<AccountId>(account, quotes);
        let parsed = self.parse::<Region>(region, "");
        if let Some(Err(reason)) = parsed.as_ref().map(pull_through_available) {
            self.report(Some(region), reason, "use a Region that has pull through cache");
        }
        let mut host = EcrHost::new(account?, parsed?);
        host.fips = registry.fips;
        host.dual_stack = registry.dual_stack;
        Some(CacheHost::Ecr(host))
    }

    /// The routes of the file and the flags, each with the place to point at.
    fn routes_table(
        &mut self,
        file: Option<&BTreeMap<Text, Upstream>>,
        flags: &[String],
    ) -> Vec<(Route, Text)> {
        let mut table = Vec::new();
        for (host, upstream) in file.into_iter().flatten() {
            for rule in &upstream.0 {
                table.extend(self.route(host, rule));
            }
        }
        if file.is_none() {
            // Rules for other upstreams may not exist, and what goes through a missing rule cannot be pulled.
            self.flag("ghcr.io", &mut table);
        }
        for flag in flags {
            self.flag(flag, &mut table);
        }
        table
    }

    /// `--upstream`: `all`, `host` or `host=prefix`; it replaces what the file says of the host.
    fn flag(&mut self, flag: &str, table: &mut Vec<(Route, Text)>) {
        let text = |value: &str| Text::of_flag(value, "--upstream");
        if flag == "all" {
            for upstream in upstreams().iter().filter(|upstream| !upstream.host.contains('*')) {
                if !table.iter().any(|(route, _)| route.host == upstream.host) {
                    let prefix = text(upstream.default_prefix);
                    let rule = Rule { prefix, upstream_prefix: None, credential: None };
                    table.extend(self.route(&text(upstream.host), &rule));
                }
            }
            return;
        }
        let (host, prefix) = match flag.split_once('=') {
            Some((host, prefix)) => (host, Some(prefix.to_owned())),
            None => (flag, default_prefix(flag)),
        };
        let Some(prefix) = prefix else {
            return self.unknown_upstream(&text(host));
        };
        let folded = fold_host(host);
        table.retain(|(route, _)| route.host != folded);
        table.extend(
            self.route(&text(host), &Rule { prefix: text(&prefix), upstream_prefix: None, credential: None }),
        );
    }

    fn route(&mut self, host: &Text, rule: &Rule) -> Option<(Route, Text)> {
        if upstream_for(&host.value).is_none() {
            self.unknown_upstream(host);
            return None;
        }
        // A bare prefix has no place of its own: its key's is next to it.
        let place = if rule.prefix.len == 0 { host } else { &rule.prefix };
        let help = "write one such as `ghcr` or `my-org/ghcr`";
        let prefix = match rule.prefix.value.parse::<Prefix>() {
            Ok(prefix) => prefix,
            Err(error) => {
                self.report(Some(place), error.to_string(), help);
                return None;
            }
        };
        let upstream_prefix = match &rule.upstream_prefix {
            Some(text) => self.parse::<UpstreamPrefix>(text, help)?,
            None => UpstreamPrefix::default(),
        };
        Some((Route { host: fold_host(&host.value), prefix, upstream_prefix }, place.clone()))
    }

    fn unknown_upstream(&mut self, host: &Text) {
        let known: Vec<&str> = upstreams().iter().map(|upstream| upstream.host).collect();
        let (message, help) = match not_cacheable(&host.value) {
            Some(reason) => {
                (format!("ECR cannot cache `{}`: {reason}", host.value), "leave it out".to_owned())
            }
            None => {
                let near = nearest(&host.value, known.iter().copied());
                let help = near.map(|near| format!("did you mean `{near}`?"));
                let help = help.unwrap_or_else(|| format!("ECR caches {}", known.join(", ")));
                (format!("`{}` is no upstream that ECR can cache", host.value), help)
            }
        };
        self.report(Some(host), message, help);
    }
}

/// The credentials that upstreams name, by prefix.
fn credentials(upstreams: Option<&BTreeMap<Text, Upstream>>) -> BTreeMap<String, Text> {
    let rules = upstreams.into_iter().flat_map(BTreeMap::values).flat_map(|upstream| &upstream.0);
    let named = rules.filter_map(|rule| Some((rule.prefix.value.clone(), rule.credential.clone()?)));
    named.collect()
}
