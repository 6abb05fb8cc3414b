//! A client for OCI registries: what is behind a reference, and may this machine have it?
//!
//! It reads manifests, tags, referrers and blobs by the OCI distribution specification, and nothing else: it
//! pushes nothing and deletes nothing. [`Client`] is all that other modules need, with [`Settings`] and
//! [`Credentials`] to make one and [`Failure`] to tell what went wrong; [`Client::cached`] asks AWS instead of
//! the registry, through the trait [`EcrApi`]. Knows references and routes, and neither Git nor the AWS SDK. [`verify`]
//! judges what it answers, [`warm`] fills the cache, [`cost`] estimates what the cache will cost.
//!
//! From the outside in: `resolve`, `list`, `blob`, `grant` and `ecr` are questions, `file` one to a server that is no registry; `index` is what
//! `resolve` finds below an index;
//! `exchange` answers challenges and refusals, `session` retries and has what all requests share; `login` makes the authorization, with `single_flight` for one
//! token at a time and `trial` for one try of a login; `scrub` is what a server's text goes through before it is printed;
//! `limit` keeps to a number of requests; `transport` is one HTTP exchange, and `guard` keeps it to addresses of the internet
//! where that is asked for.
//!
//! ```
//! use pullthru_registry::{Client, Credentials, Settings};
//!
//! // Shared by all requests of a run; nothing is sent before the first question.
//! let client = Client::new(Settings::default(), Credentials::none())?;
//! assert!(client.notes().is_empty());
//! # Ok::<(), pullthru_registry::SetupError>(())
//! ```

pub mod auth;
pub mod cost;
pub mod verify;
pub mod warm;

mod auth_state;
mod blob;
mod challenge;
mod client;
mod credential;
mod digest;
mod ecr;
mod ecr_api;
mod exchange;
mod failure;
mod file;
mod grant;
mod guard;
mod index;
mod limit;
mod list;
mod location;
mod login;
mod manifest;
mod many;
mod not_cached;
mod note;
mod resolve;
mod resolved;
mod retry;
mod scrub;
mod secret;
mod session;
mod settings;
mod single_flight;
mod transport;
mod trial;

pub use auth::{Credentials, Variables};
pub use blob::BlobRead;
pub use client::Client;
pub use ecr_api::{Cached, EcrAnswer, EcrApi, EcrLogin, Storage};
pub use failure::{Broken, Detail, Failure, Network};
pub use grant::Grant;
pub use location::Location;
pub(crate) use manifest::MANIFEST_MAX;
pub use manifest::{Content, Kind, Manifest};
pub use many::Step;
pub(crate) use many::in_order;
pub use not_cached::NotCached;
pub use note::Note;
pub use resolve::Head;
pub use resolved::{Blob, Blobs, Platform, Resolved};
pub use scrub::Scrub;
pub use secret::Secret;
pub use settings::{Retries, Settings, SetupError, Timeouts};
