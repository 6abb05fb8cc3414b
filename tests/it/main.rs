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
#[cfg(feature = "aws")]
#[allow(dead_code)]
#[path = "../../crates/aws-sim/tests/sdk/peers.rs"]
mod aws_peers;
mod chart_corpus;
mod chart_overrides;
mod chart_registries;
mod charts;
mod charts_diff;
mod charts_in_turn;
mod charts_lock;
mod check;
mod check_corpus;
mod check_fix;
mod check_formats;
mod check_silence;
mod circles;
mod closed_output;
mod cost;
mod coverage;
mod demo;
mod docs;
#[cfg(feature = "aws")]
mod doctor;
mod emit_flux;
mod emit_flux_charts;
mod emit_flux_existing;
mod emit_lists;
mod emit_markers;
mod emit_renovate;
mod escaped;
mod export;
mod fleet;
mod flux_peers;
mod golden;
mod growth;
mod html;
mod images;
#[cfg(unix)]
mod killed;
mod kubeconform;
mod limits;
mod lint;
mod lists;
mod merge;
mod messages;
mod named_paths;
mod next_command;
mod not_written;
mod overlays;
mod override_rules;
mod pre_commit;
mod proof;
mod protect;
#[cfg(feature = "aws")]
mod provision;

mod registry;
mod safety;
mod schemas;
mod scratch;
mod temporary;
#[path = "../../benches/trees/mod.rs"]
mod trees;
mod verify;
mod warm;
mod words;
mod wrong_input;
