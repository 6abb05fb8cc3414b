//! The AWS side of one registry: what it is to be, what it is, and the way from one to the other.
//!
//! [`Desired`] is the configuration's `provision:` for the upstreams that a repository uses, as [`resource`]s: pure,
//! with no account asked. `export` writes it down for other tools. With the feature `sdk`, `current` reads the
//! account, `plan` compares, `apply` and `destroy` write, `doctor` says why pulls fail. Nothing here knows Git or YAML.

// The AWS SDK's futures nest deeper than the compiler looks by itself.
#![recursion_limit = "256"]

#[cfg(feature = "sdk")]
pub mod account;
pub mod desired;
#[cfg(feature = "sdk")]
pub mod doctor;
pub mod document;
#[cfg(feature = "sdk")]
mod ecr;
pub mod export;
pub mod outputs;
mod permissions;
pub mod registry;
pub mod resource;
#[cfg(feature = "sdk")]
mod sdk;

pub use desired::{Desired, DesiredError};
#[cfg(feature = "sdk")]
pub use ecr::Ecr;
pub use registry::Registry;
