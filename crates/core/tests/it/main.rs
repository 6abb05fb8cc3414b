//! The tests of the core, which need no network and not the program: one binary, one module per area.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod artifacts;
mod config;
mod edits;
mod emit_merge;
mod families;
mod find;
mod flux_rules;
mod generated_yaml;
#[allow(dead_code)]
#[path = "../../../../tests/it/golden.rs"]
mod golden;
mod image_lock;
mod pairs;
mod policies;
mod properties_route;
mod releases;
mod releases_hostile;
mod releases_peers;
mod stopped;
mod templates;
mod tree_walk;
mod tree_write;
mod value_edits;
mod yaml;
mod yaml_content;
