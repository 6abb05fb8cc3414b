//! A part of the files, for runs that share the work: every file is in exactly one of `n` parts, and in the same one on
//! every machine, since its path alone decides.

use std::fmt;
use std::str::FromStr;

/// The `index`th of `count` parts, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    index: u64,
    count: u64,
}

/// What was given is no part of anything.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write it as 1/8 (the first of eight) to 8/8")]
pub struct ShardError;

impl Shard {
    /// Is the file at this path, relative to the root with `/`, in this part?
    pub fn holds(self, path: &str) -> bool {
        spread(path) % self.count + 1 == self.index
    }
}

/// FNV-1a, whose constants are those of draft-eastlake-fnv, folded: the same everywhere and for good.
fn spread(path: &str) -> u64 {
    let hash = path.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash ^ (hash >> 32)
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Shard, ShardError> {
        let (index, count) = text.split_once('/').ok_or(ShardError)?;
        let number = |text: &str| {
            let digits = !text.is_empty() && text.len() < 7 && text.bytes().all(|byte| byte.is_ascii_digit());
            if digits { text.parse::<u64>().map_err(|_| ShardError) } else { Err(ShardError) }
        };
        let shard = Shard { index: number(index)?, count: number(count)? };
        if (1..=shard.count).contains(&shard.index) { Ok(shard) } else { Err(ShardError) }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_counted_from_one() {
        assert_eq!("3/8".parse(), Ok(Shard { index: 3, count: 8 }));
        assert_eq!("1/1".parse::<Shard>().unwrap().to_string(), "1/1");
        for wrong in [
            "",
            "/",
            "1",
            "0/8",
            "9/8",
            "1/0",
            "0/0",
            "-1/8",
            "+1/8",
            "1/8/2",
            "a/b",
            " 1/8",
            "1/99999999999999999999",
        ] {
            assert_eq!(wrong.parse::<Shard>(), Err(ShardError), "{wrong}");
        }
    }

    #[test]
    fn every_path_is_in_exactly_one_part_of_about_the_same_size() {
        for count in [1, 2, 3, 7, 16] {
            let mut sizes: Vec<usize> = vec![0; count];
            for number in 0..4000 {
                let path = format!("clusters/c-{}/apps/app-{number}/release.yaml", number % 13);
                let parts =
                    (1..=count).filter(|i| format!("{i}/{count}").parse::<Shard>().unwrap().holds(&path));
                let parts: Vec<usize> = parts.collect();
                assert_eq!(parts.len(), 1, "{path}");
                sizes[parts[0] - 1] += 1;
            }
            let even = 4000 / count;
            assert!(sizes.iter().all(|size| size.abs_diff(even) < even / 4 + 1), "{count}: {sizes:?}");
        }
    }

    /// Reports of different versions are merged: what holds a path must never change.
    #[test]
    fn the_part_of_a_path_is_known() {
        let part = |path: &str| (1..=8).find(|i| format!("{i}/8").parse::<Shard>().unwrap().holds(path));
        assert_eq!(part("apps/base/my-app/deployment.yaml"), Some(2));
        assert_eq!(part("a.yaml"), Some(7));
        assert_eq!(part("é/ü.yaml"), Some(4));
    }
}
