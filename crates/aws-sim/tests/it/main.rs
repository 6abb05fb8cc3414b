//! What the simulation does, as specifications: a module a service, on the wire with a client of a few lines.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod client;
mod ecr_rules;
