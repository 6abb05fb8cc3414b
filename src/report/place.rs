//! A place in a file, as JSON has it.

use serde::Serialize;

use crate::tree::Place;

#[derive(Clone, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PlaceRow {
    pub path: String,
    pub line: usize,
    pub column: usize,
}

impl From<&Place> for PlaceRow {
    fn from(place: &Place) -> PlaceRow {
        PlaceRow { path: place.path.to_string(), line: place.position.line, column: place.position.column }
    }
}
