//! `provision` against ministack, an emulator that others wrote: what it has of AWS (secrets), and policies that are
//! enforced. It has no rules and no templates: for those there is only our own simulation (docs/aws-coverage.md).

use aws_config::{BehaviorVersion, Region};
use aws_sdk_iam::config::Credentials;
use serde_json::{Value, json};

use super::TOKEN;
use crate::aws_peers::{Peer, ministack};
use crate::scratch::{Run, Scratch};

const FILE: &str = "registry: { account: \"000000000000\", region: eu-central-1 }
upstreams: { ghcr.io: ghcr }
provision:
  name: fleet
  tags: { team: platform }
  credentials: { ghcr: { username: octocat, recovery-window-days: 0 } }
  repositories: [{ names: [team/app], lifecycle: { keep: 30 } }]
  iam: { policies: { node-pull: { attach-to: [nodes] } }, github-actions: { repositories: [org/app] } }
";

fn repository() -> Scratch {
    let pods = "apiVersion: v1\nkind: Pod\nmetadata: { name: pod }\nspec: { containers: [{ name: a, image: ghcr.io/org/app:1 }] }\n";
    Scratch::new(&[("pods.yaml", pods.as_bytes()), ("pullthru.yaml", FILE.as_bytes())])
}

fn provision(scratch: &Scratch, peer: &Peer, keys: (&str, &str), args: &[&str]) -> Run {
    let mut command = scratch.command(&["provision"]);
    command.args(args).env("AWS_ENDPOINT_URL", peer.url()).env("AWS_REGION", "eu-central-1");
    command.env("AWS_ACCESS_KEY_ID", keys.0).env("AWS_SECRET_ACCESS_KEY", keys.1).env("GHCR_TOKEN", TOKEN);
    Run::from(command.output().unwrap())
}

/// What a plan would do, but for what ministack does not have.
fn work(scratch: &Scratch, peer: &Peer, keys: (&str, &str)) -> Vec<String> {
    let run = provision(scratch, peer, keys, &["plan", "--format", "json"]);
    let plan: Value = serde_json::from_str(&run.out).unwrap_or_else(|_| panic!("{}", run.err));
    let changes = plan["registries"][0]["changes"].as_array().unwrap();
    let line = |c: &Value| {
        format!(
            "{} {} {}",
            c["action"].as_str().unwrap(),
            c["kind"].as_str().unwrap(),
            c["name"].as_str().unwrap()
        )
    };
    changes.iter().map(line).filter(|line| !line.starts_with("keep") && !line.starts_with("unseen")).collect()
}

#[test]
#[ignore = "needs ministack (`.ci/peers aws`)"]
fn aws_peers_provision_makes_and_removes_what_ministack_has() {
    let (peer, scratch, keys) = (ministack(false), repository(), ("test", "test"));
    assert_eq!(work(&scratch, &peer, keys), ["create secret ecr-pullthroughcache/ghcr"]);
    let run = provision(&scratch, &peer, keys, &["apply", "--yes"]);
    assert_eq!(run.err.matches("done + ").count(), 1, "{}\n{}", run.out, run.err);
    assert_eq!(run.code, 1, "the rule could not be read");
    assert_eq!(work(&scratch, &peer, keys), Vec::<String>::new());
    // The secret skipped: ministack cannot say whether a rule needs it.
    let run = provision(&scratch, &peer, keys, &["destroy", "--confirm", "000000000000"]);
    assert_eq!((run.code, run.err.matches("done - ").count()), (1, 0), "{}\n{}", run.out, run.err);
    assert_eq!(work(&scratch, &peer, keys), Vec::<String>::new());
}

/// A user with one inline policy, and the user's keys.
pub(crate) async fn user(peer: &Peer, name: &str, document: &Value) -> (String, String) {
    let credentials = Credentials::new("test", "test", None, None, "test");
    let config = aws_config::defaults(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .credentials_provider(credentials)
        .region(Region::new("eu-central-1"))
        .endpoint_url(peer.url())
        .load()
        .await;
    let iam = aws_sdk_iam::Client::new(&config);
    iam.create_user().user_name(name).send().await.unwrap();
    let put = iam.put_user_policy().user_name(name).policy_name("p").policy_document(document.to_string());
    put.send().await.unwrap();
    let key = iam.create_access_key().user_name(name).send().await.unwrap().access_key.unwrap();
    (key.access_key_id, key.secret_access_key)
}

#[tokio::test]
#[ignore = "needs ministack (`.ci/peers aws`)"]
async fn aws_peers_provision_is_allowed_by_its_own_policy_and_by_no_less() {
    let (peer, scratch) = (ministack(true), repository());
    let printed = provision(&scratch, &peer, ("x", "x"), &["export", "iam", "--policy", "provision"]);
    let document: Value = serde_json::from_str(&printed.out).unwrap();
    let (id, secret) = user(&peer, "whole", &document).await;
    let keys = (id.as_str(), secret.as_str());
    let run = provision(&scratch, &peer, keys, &["apply", "--yes"]);
    assert_eq!(run.err.matches("done + ").count(), 1, "{}\n{}", run.out, run.err);
    assert_eq!(work(&scratch, &peer, keys), Vec::<String>::new());

    // Without the action, what needs it fails; the failure names the action.
    peer.reset();
    let mut less = document.clone();
    for statement in less["Statement"].as_array_mut().unwrap() {
        statement["Action"].as_array_mut().unwrap().retain(|known| known != "secretsmanager:CreateSecret");
    }
    let (id, secret) = user(&peer, "less", &less).await;
    let run = provision(&scratch, &peer, (&id, &secret), &["apply", "--yes"]);
    assert_eq!(run.code, 3, "{}\n{}", run.out, run.err);
    assert!(run.err.contains("`secretsmanager:CreateSecret` failed: AccessDenied"), "{}", run.err);
    // A user without anything sees nothing, and nothing is guessed.
    let (id, secret) = user(&peer, "nobody", &json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": "sts:GetCallerIdentity", "Resource": "*" }] })).await;
    let run = provision(&scratch, &peer, (&id, &secret), &["plan"]);
    assert!(!run.out.contains("\n+ "), "{}", run.out);
}
