//! The word that somebody most likely meant.

/// The word of `known` that `unknown` most likely was to be, by edit distance.
pub fn nearest<'a>(unknown: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let candidates = known.into_iter().map(|word| (distance(unknown, word), word));
    candidates.filter(|(distance, word)| *distance <= word.len().max(3) / 3).min().map(|(_, word)| word)
}

/// Levenshtein's distance, in characters.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let [Some(&up), Some(&corner), Some(&left)] = [row.get(j + 1), row.get(j), next.last()] else {
                continue;
            };
            next.push((up + 1).min(left + 1).min(corner + usize::from(x != *y)));
        }
        row = next;
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_word_is_suggested_and_a_far_one_is_not() {
        assert_eq!(nearest("upstream", ["upstreams", "include"]), Some("upstreams"));
        assert_eq!(nearest("acount", ["account", "region"]), Some("account"));
        assert_eq!(nearest("zebra", ["account", "region"]), None);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
