//! The living side: what an account has, how that differs from [`Desired`](super::Desired), and the calls that change it.
//!
//! One file a kind of resource reads, compares and writes it. [`Current::read`] asks for everything, [`Plan::new`]
//! compares, [`apply`](apply::apply) and [`destroy`](destroy::destroy) carry a plan out in the order of
//! [`Kind`](super::resource::Kind). A read that is denied costs what it would have shown, and is said.

pub mod adopt;
pub mod apply;
pub mod backfill;
mod change;
mod current;
pub mod destroy;
mod existing;
pub(super) mod failure;
mod import;

pub mod plan;
pub(super) mod registry_policy;
pub(super) mod replication;
pub(super) mod repository;
pub(super) mod role;
pub(super) mod rule;
pub(super) mod scanning;
pub(super) mod secret;
mod session;
pub(super) mod settle;
pub(super) mod template;
mod token;

pub use change::{Action, Change, Field};
pub use current::Current;
pub use existing::existing;
pub use failure::{AwsFailure, FailureKind, Seen};
pub use import::{Imported, import};

pub use plan::{Plan, Unseen};
pub use secret::{Contents, FoundSecret, Problem};
pub use session::{Session, Settings};
pub use token::{Token, TokenError, Tokens};
