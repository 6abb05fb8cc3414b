//! What charts give, from outside: one binary, one module per area. The tests named `helm_…` need the real program in
//! `target/peers/bin` (`.ci/peers`).
// The program that stands for helm is a shell script.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod chosen;
mod effects;
mod keys;
mod local;
mod lock;
mod plans;
mod real;
mod sources;
mod speed;
mod support;
mod traps;
