//! `pullthru doctor`.

use std::io::Write;

use clap::{Parser, ValueEnum};

use super::aws::AwsArgs;
use super::registries::RegistryArgs;
use super::{CliError, Outcome, RepositoryArgs};

/// Why does a pull through the cache fail?
///
/// Asks AWS and the registries, step by step, and says of each what is so and what to do: of the account and of the rules
/// that the repository uses, or of one image. Nothing is changed, and nothing imported unless `--allow-import` says so.
#[derive(Debug, Parser)]
#[command(after_help = "Examples:
  pullthru doctor                                        the account, and every rule that the repository uses
  pullthru doctor ghcr.io/fluxcd/source-controller:v1.4.1 --node-role eks-nodes
  pullthru doctor 123456789012.dkr.ecr.eu-central-1.amazonaws.com/ghcr/fluxcd/source-controller:v1.4.1")]
pub(super) struct Args {
    /// The image, as it is called at its upstream or in the cache
    #[arg(value_name = "IMAGE")]
    image: Option<String>,

    #[command(flatten)]
    repository: RepositoryArgs,

    /// Ask about the registry of this target of pullthru.yaml. Default: that of the whole repository
    #[arg(long, value_name = "NAME", help_heading = "Configuration")]
    target: Option<String>,

    /// The role that pulls: its name, or its ARN
    #[arg(long, value_name = "ROLE", help_heading = "AWS")]
    node_role: Option<String>,

    /// The VPC that pulls: say how to look at its endpoints
    #[arg(long, value_name = "ID", help_heading = "AWS", value_parser = vpc_id)]
    vpc: Option<String>,

    /// Pull the image by tag, which makes ECR import it: what is refused is what a node would be refused
    #[arg(long, requires = "image")]
    allow_import: bool,

    #[command(flatten)]
    aws: AwsArgs,

    #[command(flatten)]
    registries: RegistryArgs,

    #[arg(long, value_enum, default_value_t = Format::Human)]
    format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Human,
    Json,
    Markdown,
}

/// It becomes part of a command that people run.
fn vpc_id(text: &str) -> Result<String, String> {
    let id = text.strip_prefix("vpc-").filter(|id| !id.is_empty());
    match id.is_some_and(|id| id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')) {
        true => Ok(text.to_owned()),
        false => Err("write the id of a VPC, such as `vpc-0a1b2c3d4e5f67890`".to_owned()),
    }
}

#[cfg(not(feature = "aws"))]
pub(super) fn run(_: &Args, _: &mut dyn Write) -> Result<Outcome, CliError> {
    Err(CliError::usage(
        "this build has no AWS support, and `doctor` asks AWS",
        "build with the feature `aws`; `pullthru verify --at upstream` asks the upstreams without it",
    ))
}

#[cfg(feature = "aws")]
pub(super) use with_aws::run;

#[cfg(feature = "aws")]
mod with_aws {
    use std::collections::{BTreeMap, BTreeSet};

    use super::super::aws::target;
    use super::super::note;
    use super::super::registries::runtime;
    use super::*;
    use crate::aws::Registry;
    use crate::aws::doctor::{self, Line, Question};
    use crate::config::FILE_NAMES;
    use crate::image::{Name, Reference};
    use crate::images::{Image, Images, official};
    use crate::report::Paint;
    use crate::report::doctor::{self as report, DoctorReport};
    use crate::route::{CacheHost, EcrHost, Route, Routes, default_prefix, not_cacheable, upstream_for};

    pub(in super::super) fn run(args: &Args, out: &mut dyn Write) -> Result<Outcome, CliError> {
        let (question, registry) = question(args)?;
        let image = question.image.as_ref().map(Image::reference);
        let ca_file = question.registries.ca_file.clone();
        let runtime = runtime()?;
        let diagnosis = runtime.block_on(async {
            let session = args.aws.any_session(registry.clone(), ca_file).await?;
            let asked = Box::pin(doctor::diagnose(&session, &question)).await;
            asked.map_err(|error| CliError::usage(error.to_string(), "fix the flag that names it"))
        })?;
        runtime.shutdown_background();
        let report = DoctorReport::new(&diagnosis, registry.host().to_string(), image);
        match args.format {
            Format::Human => report::human(&report, out, Paint::for_stdout())?,
            Format::Json => report::json(&report, out)?,
            Format::Markdown => report::markdown(&report, out)?,
        }
        let is_unreachable = |step: &doctor::Step| {
            matches!(step.outcome, doctor::Outcome::NotChecked { unreachable: true, .. })
        };
        if diagnosis.steps.iter().any(is_unreachable) {
            return Ok(Outcome::Failure);
        }
        Ok(if diagnosis.reason().is_some() { Outcome::Findings } else { Outcome::Clean })
    }

    /// What is asked, and about which registry.
    fn question(args: &Args) -> Result<(Question, Registry), CliError> {
        let mut question = Question {
            lines: Vec::new(),
            image: None,
            in_use: 0,
            node_role: args.node_role.clone(),
            vpc: args.vpc.clone(),
            credentials: BTreeMap::new(),
            allow_import: args.allow_import,
            registries: args.registries.settings(),
        };
        let (repository, config, _) = args.repository.open()?;
        let named = config.provision().credentials.iter();
        question.credentials = named
            .filter_map(|(name, credential)| {
                Some((credential.secret.as_ref()?.to_string(), name.value.clone()))
            })
            .collect();
        question.registries.named = [config.upstream_hosts(), config.cache_hosts()].concat();
        let target = target(&config, args.target.as_deref())?;
        let configured = target.routes.as_ref();
        let Some(text) = &args.image else {
            let (routes, host) = cache(configured)?;
            let images = images(args)?;
            question.lines = used(routes, &images);
            return Ok((question, of_host(host)));
        };
        let reference = Reference::parse(text).map_err(|error| {
            CliError::usage(
                error.to_string(),
                "write an image as nodes pull it: `ghcr.io/fluxcd/source-controller:v1.4.1`",
            )
        })?;
        let name = reference.name();
        let at_cache: Option<EcrHost> = name.host.parse().ok();
        // An upstream may be an ECR registry, too: what is configured decides.
        let is_upstream = configured.is_some_and(|routes| routes.route_for(&name).is_some());
        let (routes, host) = match (
            at_cache.clone().filter(|_| !is_upstream),
            configured.map(|routes| (routes, routes.cache())),
        ) {
            (Some(host), Some((routes, CacheHost::Ecr(own)))) if same(&host, own) => {
                (Some(routes.clone()), host)
            }
            (Some(host), _) => (None, host),
            (None, Some((routes, CacheHost::Ecr(host)))) => {
                (Some(with_route(routes, &name.host)?), host.clone())
            }
            (None, _) => return Err(no_registry()),
        };
        let image = image(text, routes.as_ref(), &reference, at_cache.is_some() && !is_upstream)?;
        let route = routes.as_ref().and_then(|routes| route_of(routes, &image)).cloned();
        question.lines = vec![Line { route, sample: Some(image.clone()) }];
        let has_file = FILE_NAMES.iter().any(|name| repository.root.join(name).exists());
        if has_file || !args.repository.paths.is_empty() {
            question.in_use = tags_in_use(&images(args)?, &image);
        }
        question.image = Some(image);
        Ok((question, of_host(&host)))
    }

    fn images(args: &Args) -> Result<Images, CliError> {
        Ok(args.repository.read_with_context()?.images(true))
    }

    fn no_registry() -> CliError {
        CliError::usage(
            "no account and Region are configured to ask about",
            "add `registry: { account: …, region: … }` to pullthru.yaml, or `--account` and `--region`, or name an image \
             of the cache",
        )
    }

    fn cache(routes: Option<&Routes>) -> Result<(&Routes, &EcrHost), CliError> {
        match routes.map(|routes| (routes, routes.cache())) {
            Some((routes, CacheHost::Ecr(host))) => Ok((routes, host)),
            _ => Err(no_registry()),
        }
    }

    fn of_host(host: &EcrHost) -> Registry {
        Registry { account: host.account.clone(), region: host.region.clone() }
    }

    /// FIPS and dual-stack hosts are of the same registry.
    fn same(one: &EcrHost, other: &EcrHost) -> bool {
        one.account == other.account && one.region == other.region
    }

    /// The routes that something in use goes through, each with an image; all of them where nothing is in use.
    fn used(routes: &Routes, images: &Images) -> Vec<Line> {
        let prefixes = images.prefixes(routes);
        let of = |route: &Route| {
            let mine =
                |pull: &&Image| route_of(routes, pull).is_some_and(|known| known.prefix == route.prefix);
            // What is asked for by tag alone says more than a pin that may be gone.
            let images = || images.images.iter().filter(mine);
            images().find(|pull| pull.digest.is_none()).or_else(|| images().next()).cloned()
        };
        let wanted = |route: &&Route| prefixes.is_empty() || prefixes.contains(&route.prefix.to_string());
        routes
            .iter()
            .filter(wanted)
            .map(|route| Line { route: Some(route.clone()), sample: of(route) })
            .collect()
    }

    fn route_of<'a>(routes: &'a Routes, pull: &Image) -> Option<&'a Route> {
        let by_upstream = pull.upstream.as_ref().and_then(|name| routes.route_for(name));
        by_upstream.or_else(|| {
            let path = &pull.cached.as_ref()?.path;
            routes.iter().find(|route| route.prefix.strip(path).is_some())
        })
    }

    /// The routes, with one more by its default prefix where the host has none.
    fn with_route(routes: &Routes, host: &str) -> Result<Routes, CliError> {
        if routes.iter().any(|route| route.host == host) {
            return Ok(routes.clone());
        }
        let uncached = |why: String| {
            CliError::usage(format!("`{host}` is not cached: {why}"), "configure it in `upstreams:`")
        };
        if let Some(why) = not_cacheable(host) {
            return Err(uncached(why.to_owned()));
        }
        let prefix = default_prefix(host).filter(|_| upstream_for(host).is_some());
        let prefix =
            prefix.ok_or_else(|| uncached("it is no upstream of ECR pull through cache".to_owned()))?;
        note(&format!("`{host}` is not configured: asking for the prefix `{prefix}`"));
        let prefix =
            prefix.parse().map_err(|error: crate::route::PrefixError| uncached(error.to_string()))?;
        let more =
            Route { host: host.to_owned(), prefix, upstream_prefix: crate::route::UpstreamPrefix::ROOT };
        let all = routes.iter().cloned().chain([more]).collect();
        Routes::new(routes.cache().clone(), all).map_err(|error| uncached(error.to_string()))
    }

    /// The image as nodes pull it, with its name at either side where it is known.
    fn image(
        text: &str,
        routes: Option<&Routes>,
        reference: &Reference,
        at_cache: bool,
    ) -> Result<Image, CliError> {
        let name = reference.name();
        let (upstream, cached) = match routes {
            _ if !at_cache => {
                let cached = routes.map(|routes| routes.map(&name)).transpose().map_err(|refusal| {
                    let message = format!("`{text}` has no name in the cache: {refusal}");
                    CliError::usage(message, "fix `upstreams:` in pullthru.yaml")
                })?;
                (Some(name), cached)
            }
            None => (None, Some(name)),
            Some(routes) => {
                // By whatever host of the registry.
                let plain = Name { host: routes.cache().to_string(), path: name.path.clone() };
                (routes.unmap(&plain).or_else(|| official(&plain, routes)), Some(name))
            }
        };
        Ok(Image {
            upstream,
            cached,
            tag: reference.tag().map(str::to_owned),
            digest: reference.digest().cloned(),
            ..Image::default()
        })
    }

    fn tags_in_use(images: &Images, image: &Image) -> usize {
        let same = images.images.iter().filter(|pull| pull.cached == image.cached);
        let tags: BTreeSet<Option<&str>> = same.map(Image::tag_or_latest).collect();
        tags.len()
    }
}
