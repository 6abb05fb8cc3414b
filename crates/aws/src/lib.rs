//! The AWS side of one registry: its desired and its actual state, and the steps between them.
//!
//! [`Desired`] is the configuration's `provision:` for the upstreams that a repository uses, as [`resource`]s: pure,
//! with no account asked. `export` writes it down for other tools. With the feature `sdk`, `current` reads the
//! account, `plan` compares, `apply` and `destroy` write, `doctor` says why pulls fail. Nothing here knows Git or YAML.
//!
//! ```
//! use pullthru_aws::Registry;
//!
//! let registry = Registry { account: "123456789012".parse()?, region: "eu-west-1".parse()? };
//! assert_eq!(registry.host().to_string(), "123456789012.dkr.ecr.eu-west-1.amazonaws.com");
//! assert_eq!(registry.repository("ghcr/*").to_string(), "arn:aws:ecr:eu-west-1:123456789012:repository/ghcr/*");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

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
mod names;
pub mod outputs;
mod permissions;
pub mod registry;
pub mod resource;
#[cfg(feature = "sdk")]
mod sdk;
mod yaml;

pub use desired::{Desired, DesiredError};
#[cfg(feature = "sdk")]
pub use ecr::Ecr;
pub use registry::Registry;
