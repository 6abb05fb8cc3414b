//! The guide shows what the command prints, lists every step, and names only steps that there are.

use std::collections::BTreeSet;

use pullthru::aws::doctor::StepId;
use serde_json::json;

use super::{World, content};
use crate::docs::{renewed, shown};
use crate::golden::assert_same;

const PAGE: &str = "docs/doctor.md";

/// A token that has expired, and a node role with the managed policy that is nearest.
fn world() -> World {
    let world = World::new();
    world.upstream.push("stefanprodan/podinfo", &content("podinfo 6.9.2"), ["6.9.2"]);
    world.put_secret(&super::secret_of("octocat", "ghp_expired_hunter2"));
    world.make_role("eks-nodes", &["ec2:DescribeInstances"]);
    let pull_only = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly";
    world.call("iam:AttachRolePolicy", json!({ "RoleName": "eks-nodes", "PolicyArn": pull_only }));
    world
}

#[test]
fn the_guide_shows_what_the_command_prints_and_lists_every_step() {
    let world = world();
    let (text, runs) = renewed(PAGE, world.scratch.path(), |arguments, _| {
        shown(arguments, |words| {
            assert_eq!(words.first(), Some(&"doctor"));
            world.command(&words[1..])
        })
    });
    assert!(runs >= 2, "{PAGE} runs {runs}");
    assert_same(PAGE, &with_steps(&text));
    assert!(world.upstream.imports().is_empty());
}

/// The policy `doctor` of `provision export iam` allows what the steps ask, and no more.
#[test]
fn the_policy_for_doctor_is_what_its_steps_ask() {
    let world = World::new();
    let printed = world.scratch.run(&["provision", "export", "iam", "--policy", "doctor"]);
    let document: serde_json::Value = serde_json::from_str(&printed.out).unwrap();
    let statements = document["Statement"].as_array().unwrap().iter();
    let allowed: BTreeSet<&str> = statements
        .flat_map(|s| s["Action"].as_array().unwrap())
        .map(|action| action.as_str().unwrap())
        .collect();
    let asked = StepId::ALL.iter().filter(|id| **id != StepId::Pull);
    let asked: BTreeSet<&str> = asked.flat_map(|id| id.about().permissions).copied().collect();
    assert_eq!(allowed, asked);
}

/// The page with its list of steps, and the policy that allows all of them.
fn with_steps(text: &str) -> String {
    let (start, end) = ("guide.rs -->\n", "<!-- end of steps -->");
    let (before, rest) = text.split_once(start).unwrap();
    let (_, after) = rest.split_once(end).unwrap();
    let mut rows = "| id | asks | needs |\n|---|---|---|\n".to_owned();
    let mut actions: BTreeSet<&str> = BTreeSet::new();
    for id in StepId::ALL {
        let about = id.about();
        let needs: Vec<String> = about.permissions.iter().map(|action| format!("`{action}`")).collect();
        let asks = match about.source {
            Some(source) => format!("{} ([source]({source}))", about.asks),
            None => about.asks.to_owned(),
        };
        rows.push_str(&format!("| `{}` | {asks} | {} |\n", about.id, needs.join(", ")));
        if *id != StepId::Pull {
            actions.extend(about.permissions);
        }
    }
    let statement = json!({ "Effect": "Allow", "Action": actions, "Resource": "*" });
    let policy = json!({ "Version": "2012-10-17", "Statement": [statement] });
    let policy = serde_json::to_string_pretty(&policy).unwrap();
    format!(
        "{before}{start}\n{rows}\nA policy that lets it read all of it, without the pull of `--allow-import`:\n\n\
         ```json\n{policy}\n```\n\n{end}{after}"
    )
}

#[test]
fn ids_are_unique_and_the_troubleshooting_table_names_those_that_there_are() {
    let ids: Vec<&str> = StepId::ALL.iter().map(|id| id.about().id).collect();
    assert_eq!(BTreeSet::from_iter(&ids).len(), ids.len());
    assert!(ids.iter().all(|id| id.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')));
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let text = std::fs::read_to_string(path).unwrap();
    let (_, table) = text.split_once("## From the symptom to the step").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let mut named = 0;
    for row in table.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| what people see")) {
        let steps = row.split('|').nth(2).unwrap();
        for word in steps.split('`').skip(1).step_by(2).filter(|word| !word.contains([':', '/'])) {
            assert!(ids.contains(&word), "`{word}` is no step");
            named += 1;
        }
    }
    assert!(named > 15, "{named}");
}
