//! What the simulation does, as specifications: a module a service, on the wire with a client of a few lines.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod client;
mod ecr_registry;
mod ecr_repositories;
mod ecr_rules;
mod ecr_templates;
mod faults;
mod iam;
mod secrets;
mod sts;
