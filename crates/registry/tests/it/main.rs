//! The registry client against scripted servers, byte for byte: one binary, one module per area. What needs the program, AWS's
//! SDK or real registries is among the tests of the program.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod asks;
mod credentials;
mod docker;
mod faults;
mod judged;
mod logins;
mod lookalike;
mod proxies;
mod refused;
mod scratch;
mod script;
mod support;
