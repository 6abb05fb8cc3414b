//! Endpoints of the VPC that pulls: the command that lists them, and nothing asked of EC2.

use super::{APP, World, assert_says};

const VPC: &str = "vpc-0a1b2c3d";

#[test]
fn the_command_that_lists_endpoints_is_printed() {
    let world = World::new();
    let report = world.scenario("vpc-command", &[APP, "--vpc", VPC], None);
    let step = report.step("vpc-endpoints");
    assert_eq!((step["outcome"].as_str(), step["permission"].as_str()), (Some("not-checked"), None));
    assert_says(step, "detail", "private DNS");
    let command =
        "aws ec2 describe-vpc-endpoints --region eu-central-1 --filters Name=vpc-id,Values=vpc-0a1b2c3d";
    assert_says(step, "help", command);
    assert!(world.aws.requests().iter().all(|request| request.service != "ec2"));
    assert_eq!(report.outcome("egress"), "warning");
    // What is cached needs no way out.
    world.warm();
    let (_, report) = world.doctor(&[APP, "--vpc", VPC]);
    assert_eq!(report.outcome("egress"), "passed");
}

/// It becomes part of a command that people run.
#[test]
fn what_is_no_id_of_a_vpc_is_refused() {
    let world = World::new();
    for id in ["prod", "vpc-", "vpc-1 --endpoint-url http://x", "vpc-1`reboot`", "vpc-1;ls"] {
        let run = world.run(&[APP, "--vpc", id]);
        assert!(run.code == 2 && run.err.contains("write the id of a VPC"), "{id}: {}", run.err);
    }
}
