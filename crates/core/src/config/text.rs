//! A text of the configuration with its place in the file, so that an error can point at it.

use serde::{Deserialize, Deserializer};
use serde_saphyr::Spanned;

/// A text with its place in the file.
#[derive(Clone, Debug)]
pub struct Text {
    pub value: String,
    /// Bytes of the file.
    pub(super) start: usize,
    pub(super) len: usize,
    /// The flag that gave it; empty for a text of the file.
    pub(super) flag: &'static str,
}

impl Text {
    /// From the command line.
    pub(super) fn of_flag(value: &str, flag: &'static str) -> Text {
        Text { value: value.to_owned(), start: 0, len: 0, flag }
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
        let spanned = Spanned::<String>::deserialize(deserializer)?;
        let span = spanned.referenced.span();
        let start = span.byte_offset().and_then(|at| usize::try_from(at).ok()).unwrap_or(0);
        let len = span.byte_len().and_then(|len| usize::try_from(len).ok()).unwrap_or(0);
        Ok(Text { value: spanned.value, start, len, flag: "" })
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Text) -> bool {
        self.value == other.value
    }
}

impl Eq for Text {}

impl PartialOrd for Text {
    fn partial_cmp(&self, other: &Text) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Text {
    fn cmp(&self, other: &Text) -> std::cmp::Ordering {
        self.value.cmp(&other.value)
    }
}
