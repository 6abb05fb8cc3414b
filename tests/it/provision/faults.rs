//! What goes wrong on the way: AWS throttles, forgets, refuses, and credentials end.

use aws_sim::{Fault, On};

use super::{FULL, World};

#[test]
fn throttling_and_broken_answers_are_tried_again() {
    let world = World::new("");
    world.aws.faults().add(On::action("ecr:CreatePullThroughCacheRule").times(2), Fault::Throttle);
    world.aws.faults().add(On::action("secretsmanager:CreateSecret").times(1), Fault::ServerError);
    world.aws.faults().add(On::action("ecr:DescribePullThroughCacheRules").times(1), Fault::Reset);
    world.ok(&["apply", "--yes"]);
    assert_eq!(world.changes(), Vec::<String>::new());
}

#[test]
fn an_answer_that_is_lost_after_the_work_was_done_is_no_failure() {
    let world = World::new("");
    world.aws.faults().add(On::action("ecr:CreatePullThroughCacheRule").times(1), Fault::ResetAfter);
    world.ok(&["apply", "--yes"]);
    assert_eq!(world.changes(), Vec::<String>::new());
}

#[test]
fn what_is_not_seen_yet_is_waited_for() {
    let world = World::new(FULL);
    for kind in ["secret", "rule"] {
        world.aws.delay(kind, 2);
    }
    let run = world.run(&["apply", "--yes"]);
    assert_eq!(run.code, 0, "{}\n{}", run.out, run.err);
    // Some of it was not read again, and is not seen yet: that is a plan's business, not apply's.
    world.plan();
    world.plan();
    assert_eq!(world.changes(), Vec::<String>::new());
}

#[test]
fn a_failure_costs_what_needs_it_and_the_next_run_goes_on() {
    let world = World::new("");
    world
        .aws
        .faults()
        .add(On::action("secretsmanager:CreateSecret").with("ecr-pullthroughcache/ghcr"), Fault::Deny);
    let run = world.run(&["apply", "--yes"]);
    assert_eq!(run.code, 3, "{}", run.err);
    assert!(run.err.contains("failed + rule ghcr: it needs secret ecr-pullthroughcache/ghcr"), "{}", run.err);
    assert!(
        run.err.contains("done + rule quay") && run.err.contains("done + rule docker-hub"),
        "{}",
        run.err
    );
    world.aws.faults().clear();
    assert_eq!(world.changes(), ["create secret ecr-pullthroughcache/ghcr", "create rule ghcr"]);
    world.ok(&["apply", "--yes"]);
    assert_eq!(world.changes(), Vec::<String>::new());
}

#[test]
fn credentials_that_end_in_the_middle_stop_the_run_and_the_next_goes_on() {
    let world = World::new("");
    world.aws.faults().add(On::action("ecr:CreatePullThroughCacheRule").skip(1), Fault::Expired);
    let run = world.run(&["apply", "--yes"]);
    assert_eq!(run.code, 3, "{}", run.err);
    assert!(run.err.contains("not tried: the AWS credentials are no longer accepted"), "{}", run.err);
    world.aws.faults().clear();
    assert_eq!(world.changes().len(), 2, "{:?}", world.changes());
    world.ok(&["apply", "--yes"]);
    assert_eq!(world.changes(), Vec::<String>::new());
}

/// Every read of a plan, with what the plan says of it when it is denied.
#[test]
fn a_plan_goes_on_past_every_read_that_is_denied() {
    let world = World::new(FULL);
    world.ok(&["apply", "--yes"]);
    world.aws.clear_requests();
    world.ok(&["plan"]);
    let mut reads = world.aws.actions();
    reads.sort();
    reads.dedup();
    assert!(reads.len() >= 7, "{reads:?}");
    for action in reads.iter().filter(|action| *action != "sts:GetCallerIdentity") {
        world.aws.faults().deny(action);
        let run = world.run(&["plan", "--format", "json"]);
        world.aws.faults().clear();
        assert_eq!(run.code, 0, "{action}: {}", run.err);
        let plan: serde_json::Value = serde_json::from_str(&run.out).unwrap();
        let text = run.out.as_str();
        let said =
            text.contains(&format!("\"action\": \"{action}\"")) || text.contains(&format!("`{action}`"));
        assert!(said, "{action} was denied, and nothing says so");
        assert!(!text.contains("\"create\""), "{action}: what is not seen is taken for not there\n{text}");
        assert!(plan["registries"][0]["changes"].as_array().unwrap().len() > 10, "{action}");
    }
}

#[test]
fn what_cannot_be_seen_is_not_written() {
    let world = World::new("");
    world.ok(&["apply", "--yes"]);
    world.aws.faults().deny("ecr:DescribePullThroughCacheRules");
    world.aws.clear_requests();
    let run = world.run(&["apply", "--yes"]);
    let writes: Vec<String> =
        world.aws.requests().iter().filter(|r| r.writes()).map(|r| r.action()).collect();
    assert!(writes.is_empty(), "{writes:?}\n{}", run.err);
    assert!(run.out.contains("? rule ghcr"), "{}", run.out);
    // Nobody can say that it is as configured; and a rule that stays keeps its secret.
    assert_eq!(world.run(&["plan", "--exit-code"]).code, 1);
    let run = world.run(&["destroy", "--confirm", "123456789012"]);
    assert!(run.out.contains("one may need it"), "{}", run.out);
    assert!(world.aws.here()["secrets"]["ecr-pullthroughcache/ghcr"]["DeletedDate"].is_null());
}

#[test]
fn without_aws_nothing_is_guessed() {
    let world = World::new("");
    world.aws.set_down(true);
    let run = world.run(&["plan"]);
    assert_eq!(run.code, 3, "{}", run.err);
    assert!(run.err.contains("no connection to AWS"), "{}", run.err);
    let mut command = world.scratch.command(&["provision", "plan"]);
    let none = command.env("AWS_EC2_METADATA_DISABLED", "true").env("HOME", world.scratch.path());
    let run = crate::scratch::Run::from(none.output().unwrap());
    assert!(run.code == 3 && run.err.contains("there are no AWS credentials"), "{}", run.err);
}

/// What keeps credentials away is said: a profile that is in no file, and a login of IAM Identity Center that has ended.
#[test]
fn a_profile_that_is_not_there_and_a_login_that_has_ended() {
    let world = World::new("");
    let config = "[default]\nregion = eu-central-1\n[profile build]\nsso_session = org\nsso_account_id = 123456789012\nsso_role_name = admin\n\
                  [sso-session org]\nsso_region = eu-central-1\nsso_start_url = https://org.awsapps.example/start\n";
    world.scratch.write(".aws/config", config.as_bytes());
    // The name is the SHA-1 of the session's (AWS SDKs and Tools reference guide, "IAM Identity Center authentication").
    let token = r#"{"accessToken":"old","expiresAt":"2020-01-01T00:00:00Z","region":"eu-central-1","startUrl":"https://org.awsapps.example/start"}"#;
    world.scratch.write(".aws/sso/cache/d23b5987504c1b3de484bf2e47c76f75abb794d3.json", token.as_bytes());
    let run = |arguments: &[&str], profile: Option<&str>| {
        let mut command = world.scratch.command(&["provision", "plan"]);
        command.args(arguments).envs(world.aws.environment()).env("HOME", world.scratch.path());
        command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
        command.env_remove("AWS_CONFIG_FILE").env_remove("AWS_SHARED_CREDENTIALS_FILE");
        command.env("AWS_EC2_METADATA_DISABLED", "true").envs(profile.map(|name| ("AWS_PROFILE", name)));
        let run = crate::scratch::Run::from(command.output().unwrap());
        assert_eq!(run.code, 3, "{}{}", run.out, run.err);
        crate::verify::flat(&run.err)
    };
    for said in [run(&["--profile", "buil"], None), run(&[], Some("buil"))] {
        assert!(said.contains("there is no profile `buil` in"), "{said}");
        assert!(
            said.contains("did you mean `build`?") && said.contains("aws configure list-profiles"),
            "{said}"
        );
    }
    let over = run(&[], Some("build"));
    assert!(
        over.contains("the login of AWS IAM Identity Center has ended") && over.contains("aws sso login"),
        "{over}"
    );
    assert!(run(&[], None).contains("there are no AWS credentials"));
}
