//! What the simulated world does, as specifications: a module an area, on the wire with a client of a few lines.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod api_images;
mod api_rules;
mod blobs;
mod cache_iam;
mod cache_login;
mod cache_pull;
mod cache_referrers;
mod cache_tags;
mod cache_upstream;
mod client;
mod content;
mod faults;
mod manifests;
mod server;
mod tags;
mod tokens;
mod world;
