//! What the cache will cost: a monthly estimate from the sizes of the images that the repository really uses.
//!
//! [`measure`] reads the manifests (and nothing else) at the upstreams, so that no cache imports anything; [`Repository`]
//! is what a cache will then hold, each blob once; [`estimate`] multiplies, purely, by [`Prices`], of which there is one
//! table with the origin of each. What AWS does not document is an assumption, and every one is said ([`assumptions`]).

mod assumptions;
mod estimate;
mod price;
mod provisioned;
mod repository;
mod sizes;

pub use assumptions::assumptions;
pub use estimate::{Column, Destination, Endpoints, Estimate, Line, Options, Scanning, estimate};
pub use price::{Item, Origin, Price, PriceFile, Prices};
pub use provisioned::Provisioned;
pub use repository::{Repository, Stored, Terms, copies, repositories};
pub use sizes::{Contents, Measured, Unmeasured, measure};
