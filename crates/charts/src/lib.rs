//! Fetches the charts of a repository's releases and renders them with `helm`, each as untrusted input.
//!
//! [`Charts`] is all that callers need, with [`Settings`] to make one: releases in, what helm prints for them out
//! ([`Charts::render`]), or the image lock with their images ([`Charts::renew_lock`]).
//!
//! The modules, in the order in which data flows: `version` and `given` say which chart is meant; `fetch` gets it once for
//! all who want it, from `remote` (registries, and repositories by their `index`, with the logins of helm's `repositories`)
//! or from the repository (`local`); `archive` and `directory` put it into the `store`; `helm` runs the program, `render`
//! keeps what it prints, and `lock` reads it and renews the image lock. `keys` finds the values that put the images of a
//! release behind the cache, `overrides` writes them for all releases and proves what was written, `post_renderers`
//! renames what no value moves, and `removals`
//! removes them again. `effects` says of those that stand in files which do nothing, and which hold a tag; `tag_keys` which
//! keys set the tag of one image that its chart names.

mod archive;
mod definition;
mod directory;
mod effects;
mod failure;
mod fetch;
mod given;
mod helm;
mod index;
pub mod keys;
mod label;
mod local;
mod lock;
mod overrides;
mod post_renderers;
mod remote;
mod removals;
mod render;
mod repositories;
mod schema;
mod settings;
mod store;
mod tag_keys;
mod version;

pub use effects::{JudgeRequest, Upstream};
pub use failure::Failure;
pub use fetch::Chart;
pub use given::ChartDirError;
pub use lock::{RenderedRelease, Renew, RenewedLock};
pub use overrides::{
    EditedTexts, OverridePlan, OverrideRequest, ReleaseOverride, RenamedImage, Route, WrittenValue,
};
pub use removals::{RemovalPlan, RemovalRequest, RemovedValue};
pub use render::{Charts, Outcome};
pub use repositories::RepositoriesError;
pub use settings::{DEFAULT_KUBERNETES, Settings, SetupError, default_store};
pub use store::StoreError;
pub use tag_keys::{TagEffect, TagKeys};
