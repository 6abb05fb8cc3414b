//! The hash by which a release and a chart of this repository are known again.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// `sha256:…` of some bytes.
pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold("sha256:".to_owned(), |mut text, byte| {
        _ = write!(text, "{byte:02x}");
        text
    })
}
