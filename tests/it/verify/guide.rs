//! The guide shows what the commands print, against the simulated registries: byte for byte, but for their addresses.

use std::process::Command;

use registry_sim::Image;

use super::{BOTH, World, image};
use crate::docs::{renewed, shown};
use crate::golden::assert_same;

const PAGE: &str = "docs/verify.md";

#[test]
fn the_guide_shows_what_the_commands_print() {
    let podinfo = image("podinfo 6.9.2");
    let shell = Image::new("netshoot v0.14").platforms(BOTH).layers([180_000_000]).build();
    let moved = Image::new("netshoot v0.14, once more").platforms(BOTH).build();
    let world = World::new(&[
        ("groundnuty/k8s-wait-for", &image("k8s-wait-for v2.0"), &["v2.0"]),
        ("stefanprodan/podinfo", &podinfo, &["6.9.2"]),
        ("nicolaka/netshoot", &shell, &["v0.14"]),
        ("oliver006/redis_exporter", &image("redis_exporter v1.98"), &["v1.98"]),
    ]);
    world.warm("groundnuty/k8s-wait-for", "v2.0");
    let directory = world.scratch.path();
    let (text, runs) = renewed(PAGE, directory, |arguments, _| {
        if directory.join("images.lock").exists() {
            world.upstream.push("nicolaka/netshoot", &moved, ["v0.14"]);
        }
        shown(arguments, |words| command(&world, words))
    });
    assert!(runs >= 4, "{PAGE} runs nothing");
    assert!(text.contains(podinfo.digest()), "pin {} in {PAGE}", podinfo.digest());
    assert_same(PAGE, &text);
    assert!(world.upstream.imports().is_empty(), "no command of the guide imports anything");
}

fn command(world: &World, words: &[&str]) -> Command {
    let (name, arguments) = words.split_first().unwrap();
    assert_eq!(*name, "verify");
    let mut command = world.bare(arguments);
    command.env("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE").env("AWS_SECRET_ACCESS_KEY", "secret");
    command
}
