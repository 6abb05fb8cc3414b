//! The side of ECR that is AWS's API and not a registry's: the login, and what a cache holds.
//!
//! The client has no SDK: who makes one gives its [`Credentials`](crate::Credentials) an [`EcrApi`]; without, every call is
//! a failure that says so.

use std::pin::Pin;
use std::time::Duration;

use pullthru_core::image::Digest;
use pullthru_core::route::EcrHost;

use super::failure::{Detail, Failure};
use super::location::Location;
use super::secret::Secret;

/// An image that a repository of ECR holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cached {
    /// Its digest: of the index where there is one.
    pub digest: Digest,
    /// All tags that point to it.
    pub tags: Vec<String>,
    /// Compressed bytes; absent for an index.
    pub size: Option<u64>,
    /// When it was pushed or imported, in seconds since 1970.
    pub pushed_at: Option<i64>,
    /// When it was pulled last, in seconds since 1970; ECR keeps this up to date within a day.
    pub pulled_at: Option<i64>,
    pub media_type: Option<String>,
    pub storage: Storage,
}

/// The storage class of an image in ECR. What is not [`Storage::Active`] is described and listed, and a pull of it is answered
/// with 404 (Amazon ECR user guide, "Archiving an image").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Storage {
    /// It can be pulled.
    Active,
    /// By a lifecycle policy or by hand; it has to be restored first.
    Archived,
    /// On its way back from the archive.
    Restoring,
}

/// The login that ECR gives for its registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EcrLogin {
    pub user: String,
    pub password: Secret,
    /// How long it may be used before it is asked for again.
    pub lasts: Duration,
}

/// An answer of an [`EcrApi`].
pub type EcrAnswer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'a>>;

/// AWS's API of ECR, as far as the client asks it. What it says is searched for credentials before it is printed.
pub trait EcrApi: std::fmt::Debug + Send + Sync {
    /// The login for a registry; the repository is for messages.
    fn login<'a>(&'a self, host: &'a EcrHost, repository: &'a str) -> EcrAnswer<'a, EcrLogin>;

    /// What is in a repository for a tag or digest; `None` when neither image nor repository is there. Imports nothing.
    fn image<'a>(&'a self, host: &'a EcrHost, at: &'a Location) -> EcrAnswer<'a, Option<Cached>>;

    /// The prefixes of all pull through cache rules of a registry; the detail is for messages.
    fn rules<'a>(&'a self, host: &'a EcrHost, detail: Detail) -> EcrAnswer<'a, Vec<String>>;
}
