//! What `kustomize build` does to images, as far as the files of the repository show.
//!
//! [`Graph`] says which files a kustomization draws from and which kustomizations are [roots](Graph::roots),
//! [`image`] how one entry of `images:` changes one image, and [`Builds`] puts both together: every image that a
//! kustomization sees, as it leaves it. The rules are kustomize's own (`api/internal/image/image.go`,
//! `api/filters/imagetag`, `api/internal/target/kusttarget.go`); the tests hold them against the real one.

mod build;
mod graph;
mod image;
mod roots;
mod targets;
mod visit;

pub use build::{Build, Builds, Flow, InPlace, Origin, Over};
pub use graph::{Graph, Layers};
pub use image::{Transformer, is_matchable};
pub use roots::{builders, built_images, directories, new_name_site};
pub use targets::routes_of_roots;
pub use visit::{FieldPlace, Visits, visits};
