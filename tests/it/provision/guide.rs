//! `docs/provision.md` shows real output, in an account that begins empty.

use std::process::Command;

use aws_sim::{AwsSim, Settings};

use super::TOKEN;
use crate::docs::{renewed, shown};
use crate::golden::{assert_same, copy_of};

#[test]
fn the_guide_shows_what_provision_prints() {
    let aws = AwsSim::start(Settings { region: "ca-central-1".to_owned(), ..Settings::default() }).unwrap();
    aws.set_logins("ghcr.io", &[("my-bot", TOKEN)]);
    let copy = copy_of("testdata/fleet");
    let (text, commands) = renewed("docs/provision.md", copy.path(), |arguments, directory| {
        shown(arguments, |words| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_pullthru"));
            command.args(words).current_dir(directory).envs(aws.environment()).env("GHCR_TOKEN", TOKEN);
            command
        })
    });
    assert!(commands >= 5, "{commands}");
    assert_same("docs/provision.md", &text);
}
