//! What `kustomize build` does to images, as far as the files of the repository show.
//!
//! [`Model`] is the repository as every stage reads it. [`Graph`] says which files a kustomization draws from and which kustomizations are [roots](Graph::roots),
//! [`image`] how one entry of `images:` changes one image, and [`Builds`] applies both: every image that a
//! kustomization sees, as it leaves it. The rules are kustomize's own (`api/internal/image/image.go`,
//! `api/filters/imagetag`, `api/internal/target/kusttarget.go`); the tests hold them against the real one.

mod build;
mod entries;
mod flow;
mod graph;
mod image;
mod model;
mod patched;
mod pipeline;
mod roots;
mod targets;
mod visit;

pub use build::{Build, Builds, InPlace};
pub use entries::Entries;
pub use flow::{Flow, Origin};
pub use graph::{Graph, Layers};
pub use image::Transformer;
pub(crate) use image::{is_matchable, is_too_large};
pub use model::Model;
pub(crate) use patched::{Replaced, ReplacedValues, keeps_places, patch_item, pointer, replaced};
pub use pipeline::ObjectImages;
pub use roots::{BuiltRoot, Deployers, directories};
pub use visit::{FieldPlace, Visits, visits};
