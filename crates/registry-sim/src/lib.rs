//! A simulated world on loopback: an upstream registry that behaves like ghcr.io ([`Upstream`]) and a private ECR
//! with pull through cache rules ([`Cache`]), for `pullthru demo` and the tests.
//!
//! Each server owns one thread and listens on free ports of 127.0.0.1; dropping the handle stops it and frees them.
//! [`Store`], [`Image`] and [`Artifact`] make the content, [`Faults`] break it, [`Request`]s tell what came in.
//! Behaviours that are not in a specification name their source beside them; what no source settles is a setting.

mod active;
mod cache;
mod clock;
mod content;
mod fault;
mod http;
mod lock;
mod log;
mod pattern;
mod registry;
mod server;
mod token;
mod upstream;

pub use cache::{Cache, CacheSettings, Iam, Rule};
pub use clock::Clock;
pub use content::{Artifact, Blob, Content, Image, Manifest, Store, digest_of, media};
pub use fault::{Fault, Faults, On, RetryAfter};
pub use http::Request;
/// The HTTP server under the simulations and what goes wrong in it, for others on the same ground (`crates/aws-sim`).
pub mod serve {
    pub use crate::active::{Active, Count};
    pub use crate::http::{Delivery, Octets, Reply};
    pub use crate::pattern::matches;
    pub use crate::server::{Front, Handler, Listener, Server};
}

pub use upstream::{Upstream, UpstreamSettings};
