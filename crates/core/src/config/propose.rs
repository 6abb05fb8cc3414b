//! The commented `pullthru.yaml` that `pullthru init` writes, and that serves as the configuration's reference.

use std::fmt::Write;

use crate::route::{Credential, EcrHost, default_prefix, pull_through_available, upstream_for};

/// Where editors find the schema of the file: in the repository that `repository` of Cargo.toml names.
pub const SCHEMA_URL: &str = concat!(env!("CARGO_PKG_REPOSITORY"), "/raw/main/schema/config.v1.json");

/// What a repository shows.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Upstream host, distinct images, occurrences.
    pub upstreams: Vec<(String, usize, usize)>,
    /// Host that ECR cannot cache, why, occurrences.
    pub not_cacheable: Vec<(String, &'static str, usize)>,
    /// ECR registries that are named already, with occurrences.
    pub ecr_hosts: Vec<(EcrHost, usize)>,
    /// Directories such as `clusters/prod`.
    pub clusters: Vec<String>,
    pub account: Option<String>,
    pub region: Option<String>,
    pub host: Option<String>,
}

/// The file's text.
pub fn propose(facts: &Facts) -> String {
    let mut text = format!(
        "# yaml-language-server: $schema={SCHEMA_URL}\n\
         # Configuration of pullthru. Every option is here; those in comments show their default or an example.\n"
    );
    registry(facts, &mut text);
    upstreams(facts, &mut text);
    text.push_str(REST);
    targets(facts, &mut text);
    text
}

fn registry(facts: &Facts, text: &mut String) {
    text.push_str("\n# The registry of the cache: an account and a Region");
    text.push_str(", or `host:` with any text that stands for it,\n# such as \"${ECR_REGISTRY}\" for Flux to substitute.");
    text.push_str(" Also: `fips: true`, `dual-stack: true`.\n");
    let usable = |host: &EcrHost| {
        let account = facts.account.as_deref().is_none_or(|account| account == host.account.as_str());
        account && pull_through_available(&host.region).is_ok()
    };
    let seen =
        facts.ecr_hosts.iter().filter(|(host, _)| usable(host)).max_by_key(|(_, occurrences)| *occurrences);
    let line = match (&facts.host, &facts.account, &facts.region, seen) {
        (Some(host), ..) => format!("registry: {{ host: {} }}\n", serde_json::Value::from(host.as_str())),
        (_, Some(account), Some(region), _) => {
            format!("registry: {{ account: \"{account}\", region: {region} }}\n")
        }
        (_, _, region, Some((host, occurrences))) => {
            let region = region.as_deref().unwrap_or(host.region.as_str());
            let fips = if host.fips { ", fips: true" } else { "" };
            let account = host.account.as_str();
            format!(
                "# Named {occurrences} times in this repository.\nregistry: {{ account: \"{account}\", region: {region}{fips} }}\n"
            )
        }
        _ => "# registry: { account: \"123456789012\", region: ca-central-1 }\n".to_owned(),
    };
    text.push_str(&line);
}

fn upstreams(facts: &Facts, text: &mut String) {
    text.push_str(
        "\n# Upstream registries and the repository prefix of their cache rules. Also:\n\
         #   docker.io: { prefix: docker-hub, credential: dockerhub }\n\
         #   ghcr.io: [{ prefix: team, upstream-prefix: my-org }]     only ghcr.io/my-org/**, as team/**\n\
         # An image whose rule does not exist cannot be pulled: list what has a rule.\nupstreams:\n",
    );
    if facts.upstreams.is_empty() {
        text.push_str("  ghcr.io: ghcr\n");
    }
    let mut by_use: Vec<&(String, usize, usize)> = facts.upstreams.iter().collect();
    by_use.sort_by(|a, b| b.2.cmp(&a.2).then_with(|| a.0.cmp(&b.0)));
    let mut used = std::collections::BTreeSet::new();
    for (host, images, occurrences) in by_use {
        let Some(prefix) = default_prefix(host).filter(|prefix| used.insert(prefix.clone())) else {
            let _ = writeln!(
                text,
                "  # {host}: choose a prefix    # images: {images}, references: {occurrences}"
            );
            continue;
        };
        let credential = match upstream_for(host).map(|upstream| upstream.credential) {
            Some(Credential::Secret) => "; its rule needs a credential",
            Some(Credential::Role) => "; its rule may need a role",
            _ => "",
        };
        let _ =
            writeln!(text, "  {host}: {prefix}    # images: {images}, references: {occurrences}{credential}");
    }
    for (host, reason, occurrences) in &facts.not_cacheable {
        let _ = writeln!(text, "  # {host}: not cached, references: {occurrences}; {reason}");
    }
}

const REST: &str = r#"
# Which images move: globs over registry and repository, `**` crosses slashes. Default: all.
# include: ["ghcr.io/my-org/**"]
# exclude: ["ghcr.io/fluxcd/**"]

# Paths that are never read, in .gitignore syntax. One line is skipped by a comment: # pullthru: ignore
# ignore: ["docs/**"]

# Move Helm charts and other OCI artifacts too.
# artifacts: false

# What charts are rendered for, where a release says nothing: docs/charts.md.
# charts: { kubernetes-version: 1.34.0, api-versions: [monitoring.coreos.com/v1] }

# What `pullthru emit flux` writes. `discovery`: cache or upstream; `range`: any, major or minor.
# flux: { api-version: v1, namespace: flux-system, interval: 1m, discovery: cache, range: any }

# Severity of rules: off, warn or error.
# lint: { moving-tag: off, cold-digest: warn }

# What `pullthru provision` sets up. An empty section makes a rule and, where one is needed, a secret for each upstream that
# is used; docs/provision.md has all keys.
# provision:
#   credentials: { ghcr: { username: my-bot, token: { env: GHCR_TOKEN } } }
#   templates: [{ lifecycle: { keep: 10, expire-untagged-days: 7 } }]
#   registry: { scanning: { type: basic } }
#   repositories: [{ names: [team/app], tag-mutability: immutable, scan-on-push: true }]
#   iam: { policies: { node-pull: { attach-to: [my-nodes] } } }
"#;

fn targets(facts: &Facts, text: &mut String) {
    text.push_str("\n# Paths with an account, a Region or routes of their own. The longer fixed start of a path wins.\n");
    text.push_str("# targets:\n");
    let example = ["clusters/prod".to_owned()];
    let clusters = if facts.clusters.is_empty() { &example[..] } else { &facts.clusters };
    for cluster in clusters {
        let _ = writeln!(
            text,
            "#   - paths: [\"{cluster}/**\"]\n#     registry: {{ account: \"210987654321\", region: eu-central-1 }}"
        );
    }
}
