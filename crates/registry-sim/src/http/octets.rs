//! Bytes that are made while they are sent: a layer of a gigabyte takes no memory.

use bytes::Bytes;

/// The head of a gzip member: magic, deflate, no flags, no time, Unix.
const GZIP: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];

/// A JSON document of any length: this, the padding, and [`PADDING_TAIL`].
const PADDING_HEAD: &[u8] = br#"{"schemaVersion":2,"annotations":{"padding":""#;
const PADDING_TAIL: &[u8] = br#""}}"#;

/// A body.
#[derive(Clone, Debug)]
pub enum Octets {
    /// What it says.
    Bytes(Bytes),
    /// Looks like gzip, compresses like noise, and is the same for the same seed.
    Noise {
        /// The same for the same.
        seed: u64,
        /// Length in bytes.
        len: u64,
    },
    /// A JSON document with one endless string.
    Padding {
        /// Length in bytes.
        len: u64,
    },
}

impl Octets {
    pub(crate) fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Noise { len, .. } | Self::Padding { len } => *len,
        }
    }

    /// The piece of at most `most` bytes at `offset`, in `scratch` unless it is in memory anyway; empty at the end.
    /// `offset` is a multiple of 8.
    pub(crate) fn piece<'a>(&'a self, offset: u64, most: usize, scratch: &'a mut Vec<u8>) -> &'a [u8] {
        let left = usize::try_from(self.len().saturating_sub(offset)).unwrap_or(usize::MAX).min(most);
        if let Self::Bytes(bytes) = self {
            let start = usize::try_from(offset).unwrap_or(usize::MAX);
            return bytes.get(start..start.saturating_add(left)).unwrap_or_default();
        }
        scratch.clear();
        scratch.resize(left, b'a');
        match self {
            Self::Bytes(_) => {}
            Self::Noise { seed, .. } => {
                let mut words = (offset / 8..).map(|word| mix(seed.wrapping_add(word)).to_le_bytes());
                let mut chunks = scratch.chunks_exact_mut(8);
                for (chunk, word) in chunks.by_ref().zip(words.by_ref()) {
                    chunk.copy_from_slice(&word);
                }
                let last = words.next().unwrap_or_default();
                for (byte, noise) in chunks.into_remainder().iter_mut().zip(last) {
                    *byte = noise;
                }
                overlay(scratch, offset, 0, &GZIP);
            }
            Self::Padding { len } => {
                overlay(scratch, offset, 0, PADDING_HEAD);
                overlay(scratch, offset, len.saturating_sub(PADDING_TAIL.len() as u64), PADDING_TAIL);
            }
        }
        scratch
    }
}

impl From<Vec<u8>> for Octets {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Bytes(bytes.into())
    }
}

impl From<String> for Octets {
    fn from(text: String) -> Self {
        Self::Bytes(text.into())
    }
}

/// Writes what of `text`, which stands at `at` in the whole, falls into `piece`, which starts at `offset`.
fn overlay(piece: &mut [u8], offset: u64, at: u64, text: &[u8]) {
    for (position, byte) in (at..).zip(text) {
        if let Some(place) = position.checked_sub(offset).and_then(|place| usize::try_from(place).ok())
            && let Some(slot) = piece.get_mut(place)
        {
            *slot = *byte;
        }
    }
}

/// The finalizer of SplitMix64: neighbouring words look unrelated.
fn mix(word: u64) -> u64 {
    let mut z = word.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(octets: &Octets) -> Vec<u8> {
        octets.piece(0, usize::MAX, &mut Vec::new()).to_vec()
    }

    /// Whatever the pieces, the whole is the same.
    #[test]
    fn pieces_make_the_whole() {
        for octets in [Octets::Noise { seed: 7, len: 1001 }, Octets::Padding { len: 1001 }] {
            let whole = whole(&octets);
            assert_eq!(whole.len(), 1001);
            for most in [8, 16, 64, 1000] {
                let (mut joined, mut scratch) = (Vec::new(), Vec::new());
                loop {
                    let piece = octets.piece(joined.len() as u64, most, &mut scratch);
                    if piece.is_empty() {
                        break;
                    }
                    joined.extend_from_slice(piece);
                }
                assert_eq!(joined, whole, "{most}");
            }
        }
    }

    #[test]
    fn padding_is_json() {
        let bytes = whole(&Octets::Padding { len: 200 });
        assert!(serde_json::from_slice::<serde_json::Value>(&bytes).is_ok());
    }
}
