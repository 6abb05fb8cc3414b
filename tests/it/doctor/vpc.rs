//! Endpoints of the VPC that pulls.

use aws_sim::{Fault, On};
use serde_json::json;

use super::{APP, Report, World, assert_says};
use crate::aws::peers::ministack;
use crate::provision::peers::user;
use crate::scratch::{Run, Scratch};

const VPC: &str = "vpc-0a1b2c3d";

fn endpoint(world: &World, service: &str) {
    let kind = if service == "s3" { "Gateway" } else { "Interface" };
    world.aws.add_vpc_endpoint(json!({
        "VpcId": VPC,
        "ServiceName": format!("com.amazonaws.eu-central-1.{service}"),
        "VpcEndpointType": kind,
        "PrivateDnsEnabled": kind == "Interface",
    }));
}

#[test]
fn an_endpoint_that_is_missing() {
    let world = World::new();
    endpoint(&world, "ecr.dkr");
    endpoint(&world, "s3");
    let report = world.scenario("vpc-endpoint-missing", &[APP, "--vpc", VPC], Some("vpc-endpoints"));
    assert_says(report.step("vpc-endpoints"), "detail", "`ecr.api` is missing");
    assert_eq!(report.outcome("egress"), "warning");
    endpoint(&world, "ecr.api");
    let (code, report) = world.doctor(&[APP, "--vpc", VPC]);
    assert_eq!((code, report.outcome("vpc-endpoints")), (0, "passed"));
    // What is cached needs no way out.
    world.warm();
    let (_, report) = world.doctor(&[APP, "--vpc", VPC]);
    assert_eq!(report.outcome("egress"), "passed");
}

#[test]
fn ec2_is_asked_again_when_it_has_no_time_and_where_everything_else_is() {
    let world = World::new();
    world.warm();
    ["ecr.api", "ecr.dkr", "s3"].iter().for_each(|service| endpoint(&world, service));
    world.aws.faults().add(On::action("ec2:*").times(2), Fault::Throttle);
    let mut command =
        world.command(&[APP, "--vpc", VPC, "--format", "json", "--endpoint-url", &world.aws.url()]);
    let run = Run::from(command.env_remove("AWS_ENDPOINT_URL").output().unwrap());
    let report = Report(serde_json::from_str(&run.out).unwrap());
    assert_eq!(
        (run.code, report.outcome("vpc-endpoints"), report.outcome("cached")),
        (0, "passed", "passed")
    );
    let asked = world.aws.actions().iter().filter(|action| *action == "ec2:DescribeVpcEndpoints").count();
    assert_eq!(asked, 3);
}

/// Our own simulation takes any signature; ministack does not.
#[tokio::test]
#[ignore = "needs ministack (`.ci/peers aws`)"]
async fn aws_peers_doctor_signs_what_it_asks_of_ec2() {
    let peer = ministack(true);
    let may = |action: &str| {
        let actions = ["sts:GetCallerIdentity", action];
        json!({ "Version": "2012-10-17", "Statement": [{ "Effect": "Allow", "Action": actions, "Resource": "*" }] })
    };
    let (id, secret) = user(&peer, "doctor", &may("ec2:DescribeVpcEndpoints")).await;
    let (other, other_secret) = user(&peer, "other", &may("ecr:DescribeImages")).await;
    let scratch = Scratch::new(&[]);
    let ask = |id: &str, secret: &str| {
        let mut command =
            scratch.command(&["doctor", "--account", "000000000000", "--region", "eu-central-1"]);
        command.args([
            "--upstream",
            "quay.io",
            "--vpc",
            VPC,
            "--format",
            "json",
            "--endpoint-url",
            &peer.url(),
        ]);
        command.env("AWS_ACCESS_KEY_ID", id).env("AWS_SECRET_ACCESS_KEY", secret);
        let run = Run::from(command.env("AWS_EC2_METADATA_DISABLED", "true").output().unwrap());
        let report = serde_json::from_str(&run.out).unwrap_or_else(|error| panic!("{error}: {}", run.err));
        Report(report).step("vpc-endpoints").clone()
    };
    assert_eq!(ask(&id, &secret)["outcome"], "warning");
    assert_eq!(ask(&other, &other_secret)["permission"], "ec2:DescribeVpcEndpoints");
}

#[test]
fn no_endpoints_or_those_of_another_vpc() {
    let world = World::new();
    endpoint(&world, "ecr.api");
    endpoint(&world, "ecr.dkr");
    let (code, report) = world.doctor(&["--vpc", "vpc-other"]);
    assert_eq!((code, report.outcome("vpc-endpoints")), (0, "warning"));
    let request = world.aws.requests().into_iter().find(|request| request.service == "ec2").unwrap();
    assert_eq!(
        (request.operation.as_str(), request.region.as_str()),
        ("DescribeVpcEndpoints", "eu-central-1")
    );
}
