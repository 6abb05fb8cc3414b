//! Content digests: `algorithm:encoded`, checked when they are read.
//!
//! The grammar is that of the OCI image specification (descriptor, section "Digests"). It is wider than what
//! registries serve today: an algorithm not known here is accepted as long as it is spelled as one.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

/// A digest such as `sha256:<64 hexadecimal digits>`; prints as it was written.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest {
    algorithm: String,
    encoded: String,
}

/// Why a text is not a digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DigestError {
    /// Not of the form `algorithm:encoded`.
    #[error("`{text}` is not a digest: write `sha256:` and 64 hexadecimal digits")]
    Form { text: String },
    /// A known algorithm with the wrong number of digits, or with other characters than lower-case
    /// hexadecimal.
    #[error("`{text}` is not a digest: {algorithm} takes {digits} lower-case hexadecimal digits")]
    Encoded { text: String, algorithm: String, digits: usize },
}

impl Digest {
    /// Reads `algorithm:encoded`.
    ///
    /// # Errors
    /// [`DigestError`] when the text does not follow the grammar, or has the wrong length for its algorithm.
    pub fn parse(text: &str) -> Result<Self, DigestError> {
        let form = || DigestError::Form { text: text.to_owned() };
        let (algorithm, encoded) = text.split_once(':').ok_or_else(form)?;
        if !is_algorithm(algorithm) || !is_encoded(encoded) {
            return Err(form());
        }
        if let Some(digits) = hex_digits(algorithm)
            && (encoded.len() != digits
                || !encoded.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
        {
            return Err(DigestError::Encoded {
                text: text.to_owned(),
                algorithm: algorithm.to_owned(),
                digits,
            });
        }
        Ok(Self { algorithm: algorithm.to_owned(), encoded: encoded.to_owned() })
    }

    /// From an algorithm's output. Only for those whose spelling and length `parse` would accept.
    pub fn of_bytes(algorithm: &str, bytes: &[u8]) -> Self {
        use std::fmt::Write as _;
        let mut encoded = String::with_capacity(bytes.len() * 2);
        for byte in bytes {
            let _ = write!(encoded, "{byte:02x}");
        }
        Self { algorithm: algorithm.to_owned(), encoded }
    }

    /// The SHA-256 of some bytes.
    pub fn sha256(bytes: &[u8]) -> Self {
        Self::of_bytes("sha256", &Sha256::digest(bytes))
    }

    /// The algorithm, such as `sha256`.
    pub fn algorithm(&self) -> &str {
        &self.algorithm
    }

    /// The part after the colon.
    pub fn encoded(&self) -> &str {
        &self.encoded
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm, self.encoded)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// Lower-case letters and digits in runs joined by one of `+`, `.`, `_`, `-`.
fn is_algorithm(text: &str) -> bool {
    text.split(['+', '.', '_', '-']).all(|run| {
        !run.is_empty() && run.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    })
}

fn is_encoded(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'=' | b'_' | b'-'))
}

/// How many hexadecimal digits an algorithm takes: those the OCI specification registers, and `sha384`, which
/// the digest library of Docker and containerd (opencontainers/go-digest) reads too.
fn hex_digits(algorithm: &str) -> Option<usize> {
    match algorithm {
        "sha256" | "blake3" => Some(64),
        "sha384" => Some(96),
        "sha512" => Some(128),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_prints() {
        let texts = [
            format!("sha256:{}", "0a".repeat(32)),
            format!("sha384:{}", "0a".repeat(48)),
            format!("sha512:{}", "0a".repeat(64)),
            "multihash+base58:QmRZxt2b1FVZPNqd8hsiykDL3TdBDeTSPX9Kv46HmX4Gx8".to_owned(),
            "sha256+b64u:LCa0a2j_xo_5m0U8HTBBNBNCLXBkg7-g-YpeiGJm564".to_owned(),
        ];
        for text in texts {
            let digest = Digest::parse(&text).unwrap();
            assert_eq!(digest.to_string(), text);
            assert_eq!(format!("{}:{}", digest.algorithm(), digest.encoded()), text);
        }
    }

    /// FIPS 180-4 test vector.
    #[test]
    fn of_nothing() {
        let text = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::sha256(b"").to_string(), text);
        assert_eq!(Digest::parse(text), Ok(Digest::sha256(b"")));
    }

    #[test]
    fn refuses() {
        let texts = [
            String::new(),
            "sha256".to_owned(),
            "sha256:".to_owned(),
            ":00".to_owned(),
            "sha256:0".to_owned(),
            format!("sha256:{}", "0A".repeat(32)),
            format!("sha256:{}", "0g".repeat(32)),
            format!("sha256:{}0", "00".repeat(32)),
            format!("SHA256:{}", "00".repeat(32)),
            "a++b:00".to_owned(),
            "algo:a b".to_owned(),
            "algo:a:b".to_owned(),
        ];
        for text in texts {
            assert!(Digest::parse(&text).is_err(), "{text}");
        }
    }

    #[test]
    fn says_how_long_it_must_be() {
        assert_eq!(
            Digest::parse("sha256:abc").unwrap_err().to_string(),
            "`sha256:abc` is not a digest: sha256 takes 64 lower-case hexadecimal digits"
        );
    }
}
