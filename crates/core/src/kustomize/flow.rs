//! One image on its way through the layers of a build.

use std::sync::Arc;

use super::visit::{FieldPlace, Visits};
use crate::inventory::SiteId;
use crate::kustomization::FieldSpec;
use crate::tree::RepoPath;

/// Where an image comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Origin {
    /// A place in a file: indices of the inventory.
    Site(SiteId),
    /// A `newName`, which some image below may get that no file here spells: kustomization and entry.
    Rename { directory: RepoPath, entry: usize },
    /// A `newName` of the object that has the directory built.
    ObjectEntry { entry: usize },
    /// An image that nobody wrote, to see what the entries would do to it.
    Probe,
}

/// One image on its way through the layers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    pub origin: Origin,
    /// As the next layer sees it today.
    pub written: String,
    /// As the next layer will see it when everything planned so far is done.
    pub planned: String,
    pub visits: Visits,
    /// For `configurations`, which add visits.
    pub place: Option<Arc<FieldPlace>>,
    /// The last layer's transformer came to it.
    pub seen: bool,
    /// Some layer's entry matches it today.
    pub touched: bool,
}

impl Flow {
    pub(super) fn new(origin: Origin, written: String, planned: String, visits: Visits) -> Flow {
        Flow { origin, written, planned, visits, place: None, seen: visits.any(), touched: false }
    }

    /// The visits of a layer with these fields, today and as planned.
    pub(super) fn visits(&self, fields: &Fields<'_>) -> [Visits; 2] {
        let among = |specs: &[FieldSpec]| {
            self.place.as_ref().is_some_and(|place| specs.iter().any(|spec| place.is(spec)))
        };
        let today = self.visits.fields || among(fields.written);
        let then = today || among(fields.planned);
        [today, then].map(|fields| Visits { containers: self.visits.containers, fields })
    }
}

/// Fields that `configurations` add.
#[derive(Clone, Copy, Default)]
pub(super) struct Fields<'f> {
    pub(super) written: &'f [FieldSpec],
    /// Besides the written ones.
    pub(super) planned: &'f [FieldSpec],
}

pub(super) fn probe(image: &str) -> Flow {
    let visits = Visits { containers: true, fields: false };
    Flow::new(Origin::Probe, image.to_owned(), image.to_owned(), visits)
}
