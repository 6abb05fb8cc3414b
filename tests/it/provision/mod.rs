//! `pullthru provision`, the built binary over real HTTP, against the simulated control plane of AWS.

mod asked;
mod cycle;
mod faults;
mod guide;
#[cfg(unix)]
mod login;
mod others;
pub(crate) mod peers;
mod permissions;
mod secrets;
mod stacks;

use aws_sim::{AwsSim, Settings};
use serde_json::Value;

use crate::scratch::{Run, Scratch};

/// Every run with a token knows this one, and no output may hold it.
pub(crate) const TOKEN: &str = "ghp_0123456789abcdefghijklmnopqrstuvwxyz";

/// Three pods: ghcr.io, Docker Hub, and one that ECR needs no login for.
pub(crate) const PODS: &str = "apiVersion: v1
kind: Pod
metadata: { name: pod }
spec:
  containers:
  - { name: a, image: ghcr.io/org/app:1.0.0 }
  - { name: b, image: docker.io/library/nginx:1.27 }
  - { name: c, image: quay.io/prometheus/prometheus:v3.0.0 }
";

/// Upstreams for those and one that nothing uses, a registry, and a section to come.
pub(crate) const BASE: &str = "registry: { account: \"123456789012\", region: eu-central-1 }
upstreams:
  ghcr.io: ghcr
  docker.io: { prefix: docker-hub, credential: hub }
  quay.io: quay
  registry.k8s.io: kubernetes
provision:
  name: fleet
  credentials:
    ghcr: { username: octocat }
    hub: { username: whale, token: { env: HUB_PASSWORD }, recovery-window-days: 0 }
";

pub(crate) struct World {
    pub(crate) aws: AwsSim,
    pub(crate) scratch: Scratch,
}

impl World {
    /// `provision` is what comes below `provision:`, with two spaces in front, after the credentials.
    pub(crate) fn new(provision: &str) -> World {
        let aws = AwsSim::start(Settings::default()).unwrap();
        aws.set_logins("ghcr.io", &[("octocat", TOKEN)]);
        let scratch = Scratch::new(&[("pods.yaml", PODS.as_bytes())]);
        let world = World { aws, scratch };
        world.configure(provision);
        world
    }

    pub(crate) fn configure(&self, provision: &str) {
        self.scratch.write("pullthru.yaml", format!("{BASE}{provision}").as_bytes());
    }

    /// Runs with tokens in the environment; nothing that is printed may hold one.
    pub(crate) fn run(&self, args: &[&str]) -> Run {
        let mut command = self.scratch.command(&["provision"]);
        command.args(args).envs(self.aws.environment());
        command.env("GHCR_TOKEN", TOKEN).env("HUB_PASSWORD", format!("hub-{TOKEN}")).env("RUST_LOG", "trace");
        let run = Run::from(command.output().unwrap());
        for text in [&run.out, &run.err] {
            assert!(!text.contains("ghp_0123"), "a token was printed:\n{text}");
        }
        run
    }

    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let run = self.run(args);
        assert_eq!(run.code, 0, "{}\n{}", run.out, run.err);
        run.out
    }

    pub(crate) fn plan(&self) -> Value {
        serde_json::from_str(&self.run(&["plan", "--format", "json"]).out).unwrap()
    }

    /// `action kind name` of every line of a plan that is work or cannot be.
    pub(crate) fn changes(&self) -> Vec<String> {
        let plan = self.plan();
        let mut lines = Vec::new();
        for change in
            plan["registries"].as_array().unwrap().iter().flat_map(|r| r["changes"].as_array().unwrap())
        {
            let text = |key: &str| change[key].as_str().unwrap().to_owned();
            lines.push(format!("{} {} {}", text("action"), text("kind"), text("name")).trim_end().to_owned());
        }
        lines.retain(|line| !line.starts_with("keep"));
        lines
    }
}

/// A section with everything in it: what `apply` makes, and what only exports write.
pub(crate) const FULL: &str = "  tags: { team: platform }
  regions: [eu-west-1]
  rules:
  - { prefix: base, upstream: 210987654321.dkr.ecr.eu-central-1.amazonaws.com, upstream-prefix: base, custom-role: \"arn:aws:iam::123456789012:role/reader\" }
  templates:
  - { lifecycle: { keep: 10, expire-untagged-days: 7 } }
  - prefix: ghcr/org
    tag-mutability: { immutable-except: [latest, \"v*-rc*\"] }
    encryption: kms
    access: { pull-accounts: [\"210987654321\"] }
    tags: { owner: org }
    custom-role: \"arn:aws:iam::123456789012:role/templates\"
  registry:
    scanning: { type: basic, rules: [{ frequency: manual, filters: [\"team/*\"] }, { frequency: scan-on-push, filters: [\"ghcr/*\"] }] }
    policy: { organization: o-abcde12345, statements: [{ Sid: Deny, Effect: Deny, Principal: \"*\", Action: [\"ecr:CreateRepository\"], Resource: \"arn:aws:ecr:eu-central-1:123456789012:repository/docker-hub/evil/*\" }] }
    replication: [{ to: [{ region: us-east-1 }], prefixes: [ghcr/] }]
  repositories:
  - names: [team/app, team/web]
    tag-mutability: immutable
    encryption: { new-kms-key: images }
    lifecycle: { keep: 30, tag-prefixes: [v, release-] }
    replicate-to: [eu-west-1]
  iam:
    policies: { node-pull: { attach-to: [nodes] }, provision: {} }
    github-actions: { repositories: [org/app], branches: [main] }
";
