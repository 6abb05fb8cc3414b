//! Moves a GitOps repository's container images behind Amazon ECR pull through cache.
//!
//! The rooms, in the order in which data flows: [`tree`] reads files, [`yaml`] gives text spans, [`find`] turns
//! them into sites, [`migrate`] plans edits, [`emit`] makes objects for other tools, [`pulls`] says what nodes will
//! ask for, [`registry`] asks registries what is behind a reference, [`verify`] judges the answers, [`warm`] fills the
//! cache, [`cost`] says what it will cost, [`report`] renders results, [`cli`] ties them to the command line.
//! [`image`] and [`route`] are pure and stand at the centre; [`config`] says what goes where.
//! See `ARCHITECTURE.md`.

pub use pullthru_aws as aws;
pub use pullthru_core::{
    config, emit, find, image, inventory, kustomize, lint, migrate, pulls, route, tree, yaml,
};
pub use pullthru_registry::{self as registry, cost, verify, warm};

pub mod cli;
#[cfg(feature = "demo")]
pub mod demo;
pub mod report;
