//! `pullthru doctor`, the built binary, in an account that can be broken: AWS's control plane, a registry that behaves like
//! ghcr.io, and a cache that behaves like ECR. Each scenario is what people meet, its report a file of `testdata/doctor`.

mod account;
mod guide;
mod image;
mod login;
mod reads;
mod rights;
mod vpc;

use std::process::Command;
use std::sync::Arc;

use aws_sim::{AwsSim, Settings};
use registry_sim::{Cache, CacheSettings, Content, Image, Rule, Store, Upstream, UpstreamSettings};
use serde_json::{Value, json};

use crate::golden::assert_same;
use crate::scratch::{Run, Scratch};

/// No output of any run may hold it.
pub(crate) const TOKEN: &str = "ghp_0123456789abcdefghijklmnopqrstuvwxyz";

pub(crate) const ECR: &str = "123456789012.dkr.ecr.eu-central-1.amazonaws.com";

/// The image of most scenarios, as the repository has it.
pub(crate) const APP: &str = "ghcr.io/o/app:v1";

const CONFIG: &str = "registry: { account: \"123456789012\", region: eu-central-1 }
upstreams:
  ghcr.io: ghcr
  docker.io: docker-hub
";

const POD: &str = "apiVersion: v1
kind: Pod
metadata: { name: pod }
spec: { containers: [{ name: app, image: \"ghcr.io/o/app:v1\" }] }
";

/// What a node needs, below every prefix.
const NODE: [&str; 5] = [
    "ecr:GetAuthorizationToken",
    "ecr:BatchGetImage",
    "ecr:GetDownloadUrlForLayer",
    "ecr:BatchImportUpstreamImage",
    "ecr:CreateRepository",
];

/// An account in which a pull works, and a repository that pulls one image.
pub(crate) struct World {
    pub(crate) aws: AwsSim,
    pub(crate) upstream: Arc<Upstream>,
    pub(crate) cache: Arc<Cache>,
    pub(crate) scratch: Scratch,
    /// ARN of the secret.
    pub(crate) secret: String,
}

pub(crate) fn content(name: &str) -> Content {
    Image::new(name).platforms(["linux/amd64", "linux/arm64"]).build()
}

fn secret_of(user: &str, token: &str) -> String {
    json!({ "username": user, "accessToken": token }).to_string()
}

impl World {
    pub(crate) fn new() -> World {
        World::with(CacheSettings::default())
    }

    pub(crate) fn with(settings: CacheSettings) -> World {
        World::of(settings, UpstreamSettings::default())
    }

    pub(crate) fn of(settings: CacheSettings, upstream: UpstreamSettings) -> World {
        let mut store = Store::new();
        store.push("o/app", &content("app v1"), ["v1"]);
        store.push("library/nginx", &content("nginx 1.27"), ["1.27"]);
        store.push("grafana/grafana", &content("grafana 11"), ["11"]);
        let credentials = vec![("octocat".to_owned(), TOKEN.to_owned())];
        let settings_of_upstream = UpstreamSettings { credentials, ..upstream };
        let upstream = Arc::new(Upstream::start(store, settings_of_upstream).unwrap());
        let rules = [("ghcr", "ghcr.io"), ("docker-hub", "registry-1.docker.io")];
        let rules =
            rules.map(|(prefix, host)| Rule::new(prefix, host, &upstream).credential("octocat", TOKEN));
        let cache = Arc::new(Cache::start(rules.to_vec(), settings).unwrap());
        let aws = AwsSim::start(Settings::default()).unwrap();
        aws.set_cache(Arc::clone(&cache));
        aws.set_upstream("ghcr.io", Arc::clone(&upstream));
        aws.set_upstream("registry-1.docker.io", Arc::clone(&upstream));
        let scratch = Scratch::new(&[("pullthru.yaml", CONFIG.as_bytes()), ("pod.yaml", POD.as_bytes())]);
        let mut world = World { aws, upstream, cache, scratch, secret: String::new() };
        world.secret = world.make_secret("ecr-pullthroughcache/ghcr", &secret_of("octocat", TOKEN));
        world.make_rule("ghcr", "ghcr.io");
        world.make_role("nodes", &NODE);
        world
    }

    pub(crate) fn call(&self, action: &str, input: Value) -> Value {
        self.aws.call(action, input).unwrap()
    }

    fn make_secret(&self, name: &str, value: &str) -> String {
        let made = self.call("secretsmanager:CreateSecret", json!({ "Name": name, "SecretString": value }));
        made["ARN"].as_str().unwrap().to_owned()
    }

    pub(crate) fn make_rule(&self, prefix: &str, url: &str) {
        let input = json!({ "ecrRepositoryPrefix": prefix, "upstreamRegistryUrl": url, "credentialArn": self.secret });
        self.call("ecr:CreatePullThroughCacheRule", input);
    }

    /// Puts another value into the rule's secret, and what of it a pull would use into the cache.
    pub(crate) fn put_secret(&self, value: &str) {
        self.call("secretsmanager:PutSecretValue", json!({ "SecretId": self.secret, "SecretString": value }));
        let value: Value = serde_json::from_str(value).unwrap_or_default();
        let login = value["username"].as_str().zip(value["accessToken"].as_str());
        self.cache.set_credential("ghcr", login);
    }

    pub(crate) fn make_role(&self, name: &str, actions: &[&str]) {
        self.make_role_for(name, "ec2.amazonaws.com", actions);
    }

    pub(crate) fn make_role_for(&self, name: &str, service: &str, actions: &[&str]) {
        let trust = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Principal": { "Service": service }, "Action": "sts:AssumeRole",
        }] });
        self.call(
            "iam:CreateRole",
            json!({ "RoleName": name, "AssumeRolePolicyDocument": trust.to_string() }),
        );
        let may = json!({ "Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": actions, "Resource": "*",
        }] });
        let input = json!({ "RoleName": name, "PolicyName": "may", "PolicyDocument": may.to_string() });
        self.call("iam:PutRolePolicy", input);
    }

    /// The repository as a pull would make it, with the image in it.
    pub(crate) fn warm(&self) {
        self.warm_tag("ghcr/o/app", "v1");
    }

    pub(crate) fn warm_tag(&self, repository: &str, tag: &str) {
        let status = crate::verify::get(&self.cache, &format!("/v2/{repository}/manifests/{tag}"));
        assert_eq!(status, 200, "{repository}:{tag}");
        // ECR's API knows it from then on.
        self.call("ecr:DescribeRepositories", json!({}));
    }

    /// `pullthru doctor` in the repository.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.scratch.command(&["doctor"]);
        command.args(arguments).envs(self.aws.environment()).env("HOME", self.scratch.path());
        let upstream = self.upstream.host();
        let served = format!(
            "{ECR}={},ghcr.io={upstream},docker.io={upstream},api.github.com={upstream}",
            self.cache.host()
        );
        command.env("PULLTHRU_SERVED_AT", served).env("PULLTHRU_STORAGE_HOST", self.cache.storage_host());
        command.env("RUST_LOG", "trace").env("RUST_BACKTRACE", "1");
        command
    }

    /// Runs it; nothing that is printed may hold a token.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        let run = Run::from(self.command(arguments).output().unwrap());
        for text in [&run.out, &run.err] {
            for secret in ["0123456789abcdefghij", "github_pat_11", "wJalrXUtnFEMI", "hunter2"] {
                assert!(!text.contains(secret), "a secret was printed:\n{text}");
            }
        }
        run
    }

    /// The report as JSON, and the exit code.
    pub(crate) fn doctor(&self, arguments: &[&str]) -> (i32, Report) {
        let run = self.run(&[arguments, &["--format", "json"]].concat());
        let value =
            serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error}: {}{}", run.out, run.err));
        (run.code, Report(value))
    }

    /// A scenario: the step that is the reason, and the report that people read.
    #[track_caller]
    pub(crate) fn scenario(&self, name: &str, arguments: &[&str], reason: Option<&str>) -> Report {
        let (code, report) = self.doctor(arguments);
        assert_eq!(report.0["reason"].as_str(), reason, "{name}: {report:#?}");
        assert_eq!(code, i32::from(reason.is_some()), "{name}: {report:#?}");
        let human = self.run(arguments);
        assert_eq!(human.code, code);
        assert_same(&format!("testdata/doctor/{name}.txt"), &human.out);
        self.run(&[arguments, &["--format", "markdown"]].concat());
        report
    }
}

#[derive(Debug)]
pub(crate) struct Report(pub(crate) Value);

impl Report {
    /// The steps of an id.
    pub(crate) fn steps(&self, id: &str) -> Vec<&Value> {
        self.0["steps"].as_array().unwrap().iter().filter(|step| step["id"] == id).collect()
    }

    /// The only step of an id.
    #[track_caller]
    pub(crate) fn step(&self, id: &str) -> &Value {
        match self.steps(id).as_slice() {
            [step] => step,
            steps => panic!("{} steps `{id}`: {:#?}", steps.len(), self.0),
        }
    }

    #[track_caller]
    pub(crate) fn outcome(&self, id: &str) -> &str {
        self.step(id)["outcome"].as_str().unwrap()
    }
}

/// Does a field of a step hold this text?
#[track_caller]
pub(crate) fn assert_says(step: &Value, field: &str, text: &str) {
    assert!(step[field].to_string().contains(text), "{field} lacks `{text}`: {step:#}");
}
