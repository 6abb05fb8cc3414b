//! Moves a GitOps repository's container images behind Amazon ECR pull through cache: the command line and its reports.
//!
//! The work is done by the crates that are re-exported here; `ARCHITECTURE.md` has their order. [`cli`] turns arguments into
//! calls, [`report`] renders the results, `demo` is the sample repository with simulated registries.

pub use pullthru_aws as aws;
pub use pullthru_core::{
    config, emit, find, image, images, inventory, kustomization, kustomize, lint, migrate, route, tree, yaml,
};
pub use pullthru_registry::{self as registry, cost, verify, warm};

pub mod cli;
#[cfg(feature = "demo")]
pub mod demo;
pub mod report;
