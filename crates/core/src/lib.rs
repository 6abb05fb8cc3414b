//! Finds every image that a GitOps repository's clusters pull, and plans how each moves behind Amazon ECR pull through
//! cache. No network, no processes but `git`, no asynchronous code.
//!
//! The modules, in the order in which data flows: [`tree`] reads files, [`yaml`] gives text spans, [`kustomization`] says what one
//! kustomization says, [`find`] turns texts into sites, [`inventory`] does so for a repository, [`kustomize`] says what kustomizations build, [`releases`] which
//! charts are deployed with which values, [`images`] what clusters pull, [`migrate`] plans and proves edits, [`lint`]
//! judges, [`emit`] makes objects for other tools. [`image`], [`range`], [`nearest`], [`printable`], [`reasons`],
//! [`route`] and [`config`] are at the centre and pure.
//!
//! ```
//! use pullthru_core::config::{Config, Overrides};
//! use pullthru_core::image::Name;
//!
//! let flags = Overrides {
//!     account: Some("123456789012".to_owned()),
//!     region: Some("eu-west-1".to_owned()),
//!     ..Overrides::default()
//! };
//! let config = Config::load(None, &flags)?;
//! assert!(config.upstream_hosts().contains(&"ghcr.io".to_owned()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod config;
pub mod emit;
pub mod find;
pub mod image;
pub mod images;
pub mod inventory;
pub mod kustomization;
pub mod kustomize;
pub mod lint;
pub mod migrate;
pub mod nearest;
pub mod printable;
pub mod range;
pub mod reasons;
pub mod releases;
pub mod route;
pub mod tree;
pub mod yaml;
