//! The registry client where it needs more than itself: the program, AWS's SDK, real registries. Its own tests are in
//! `crates/registry/tests`.

mod aws;
mod beside;
mod canary;
mod lookalike;
mod real;
#[allow(dead_code)]
#[path = "../../../crates/registry/tests/it/script.rs"]
pub(crate) mod script;
mod seed;
mod stopped;
#[allow(dead_code)]
#[path = "../../../crates/registry/tests/it/support.rs"]
mod support;

use support::*;
