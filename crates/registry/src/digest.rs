//! Hashing: from bytes to the digest that names them.

use sha2::{Digest as _, Sha256, Sha384, Sha512};

use pullthru_core::image::Digest;

/// The algorithms that the OCI image specification registers and that registries serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Sha256,
    Sha384,
    Sha512,
}

impl Algorithm {
    /// That of a digest; `None` for one that cannot be checked here.
    pub(super) fn of(digest: &Digest) -> Option<Self> {
        match digest.algorithm() {
            "sha256" => Some(Self::Sha256),
            "sha384" => Some(Self::Sha384),
            "sha512" => Some(Self::Sha512),
            _ => None,
        }
    }
}

/// A hash under way.
pub(super) enum Hasher {
    Sha256(Sha256),
    Sha384(Sha384),
    Sha512(Sha512),
}

impl Hasher {
    pub(super) fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(Sha256::new()),
            Algorithm::Sha384 => Self::Sha384(Sha384::new()),
            Algorithm::Sha512 => Self::Sha512(Sha512::new()),
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hash) => hash.update(bytes),
            Self::Sha384(hash) => hash.update(bytes),
            Self::Sha512(hash) => hash.update(bytes),
        }
    }

    pub(super) fn finish(self) -> Digest {
        let (algorithm, bytes) = match self {
            Self::Sha256(hash) => ("sha256", hash.finalize().to_vec()),
            Self::Sha384(hash) => ("sha384", hash.finalize().to_vec()),
            Self::Sha512(hash) => ("sha512", hash.finalize().to_vec()),
        };
        Digest::of_bytes(algorithm, &bytes)
    }
}

/// The digest of `bytes`.
pub(super) fn digest_of(algorithm: Algorithm, bytes: &[u8]) -> Digest {
    let mut hasher = Hasher::new(algorithm);
    hasher.update(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_nothing() {
        // FIPS 180-4 test vectors.
        for (algorithm, start) in [
            (Algorithm::Sha256, "sha256:e3b0c44298fc1c149afbf4c8996fb924"),
            (Algorithm::Sha384, "sha384:38b060a751ac96384cd9327eb1b1e36a"),
            (Algorithm::Sha512, "sha512:cf83e1357eefb8bdf1542850d66d8007"),
        ] {
            let digest = digest_of(algorithm, b"");
            assert!(digest.to_string().starts_with(start), "{digest}");
            assert_eq!(Algorithm::of(&digest), Some(algorithm));
            assert_eq!(Digest::parse(&digest.to_string()), Ok(digest));
        }
    }
}
