//! One binary for all integration tests: one link, one module per area.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

#[cfg(unix)]
mod action;
#[cfg(unix)]
mod action_scripts;
mod architecture;
mod artifacts;
#[cfg(feature = "aws")]
mod aws;
mod check;
mod check_corpus;
mod check_fix;
mod check_formats;
mod check_silence;
mod closed_output;
mod config;
mod cost;
mod coverage;
mod demo;
mod docs;
#[cfg(feature = "aws")]
mod doctor;
mod edits;
mod emit_flux;
mod emit_lists;
mod emit_markers;
mod emit_merge;
mod emit_renovate;
mod escaped;
mod explained;
mod export;
mod fleet;
mod flux_rules;
mod forms;
mod golden;
mod growth;
mod hostile;
mod html;
mod images;
mod kubeconform;
mod limits;
mod lint;
mod merge;
mod named_paths;
mod not_written;
mod outline;
mod overlays;
mod pairs;
mod policies;
mod pre_commit;
mod proof;
mod properties_route;
mod protect;
#[cfg(feature = "aws")]
mod provision;

mod registry;
mod safety;
mod schemas;
mod scratch;
mod stopped;
mod temporary;
mod tree_walk;
mod tree_write;
#[path = "../../benches/trees/mod.rs"]
mod trees;
mod verify;
mod warm;
mod yaml;
