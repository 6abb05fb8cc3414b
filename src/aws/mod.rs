//! The AWS side of one registry: what it is to be, what it is, and the way from one to the other.
//!
//! [`Desired`] is the configuration's `provision:` for the upstreams that a repository uses, as [`resource`]s: pure,
//! with no account asked. `export` writes it down for other tools. With the feature `aws`, `current` reads the
//! account, `plan` compares, `apply` and `destroy` write, `doctor` says why pulls fail. Nothing here knows Git or YAML.

#[cfg(feature = "aws")]
pub mod account;
pub mod desired;
#[cfg(feature = "aws")]
pub mod doctor;
pub mod document;
pub mod export;
pub mod outputs;
mod permissions;
pub mod registry;
pub mod resource;

pub use desired::{Desired, DesiredError};
pub use registry::Registry;
