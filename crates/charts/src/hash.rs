//! SHA-256 in the spelling of OCI digests.

use sha2::{Digest as _, Sha256};

/// `sha256:…` of the bytes.
pub(crate) fn digest(bytes: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(bytes);
    spelled(hash)
}

/// `sha256:…` of what was hashed.
pub(crate) fn spelled(hash: Sha256) -> String {
    let mut text = "sha256:".to_owned();
    for byte in hash.finalize() {
        text.extend(
            [byte >> 4, byte & 15].into_iter().filter_map(|digit| char::from_digit(digit.into(), 16)),
        );
    }
    text
}

/// The digits of a digest, as the name of a file.
pub(crate) fn digits(digest: &str) -> &str {
    digest.split_once(':').map_or(digest, |(_, digits)| digits)
}
