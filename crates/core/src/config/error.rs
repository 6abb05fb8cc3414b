//! What is wrong with a configuration, with the place in the user's file.

use miette::{Diagnostic, NamedSource, SourceSpan};

/// One problem. Without a label it came from a flag.
#[derive(Debug, Clone, thiserror::Error, Diagnostic)]
#[error("{message}")]
pub struct ConfigError {
    pub message: String,
    #[help]
    pub help: Option<String>,
    #[source_code]
    pub source_code: Option<NamedSource<String>>,
    #[label("here")]
    pub place: Option<SourceSpan>,
}

/// All problems of a configuration, or of another file that is read like one.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{what} has {count}")]
pub struct ConfigErrors {
    /// `the configuration`.
    pub what: &'static str,
    pub count: String,
    #[related]
    pub errors: Vec<ConfigError>,
}

impl ConfigError {
    /// A file that is not of the shape: syntax, unknown or repeated keys, wrong types.
    pub fn unreadable(
        source: Option<&NamedSource<String>>,
        error: &serde_saphyr::Error,
        text: &str,
    ) -> ConfigError {
        let message = error.without_snippet().to_string();
        let span = error.location().map(|location| location.span());
        let place = span.and_then(|span| {
            let start = usize::try_from(span.byte_offset()?).ok()?;
            Some((start.min(text.len()), usize::try_from(span.byte_len()?).ok()?.max(1)))
        });
        // A text that is no YAML: our own parser says where.
        let place = place
            .or_else(|| Some((crate::yaml::parse(text).errors.first()?.offset, 1)))
            .map(SourceSpan::from);
        let help = match error.without_snippet() {
            serde_saphyr::Error::SerdeUnknownField { field: unknown, expected, .. }
            | serde_saphyr::Error::SerdeUnknownVariant { variant: unknown, expected, .. } => {
                let near =
                    nearest(unknown, expected.iter().copied()).map(|near| format!("did you mean `{near}`?"));
                near.or(Some(format!("known here: {}", expected.join(", "))))
            }
            _ => None,
        };
        // The list of all keys says less than the suggestion, and the place is drawn.
        let end = [", expected one of", ", set DuplicateKeyPolicy", " at line "]
            .iter()
            .filter_map(|cut| message.find(cut))
            .min();
        let message = message.get(..end.unwrap_or(message.len())).unwrap_or_default().to_owned();
        ConfigError { message, help, source_code: source.cloned(), place }
    }
}

impl ConfigErrors {
    pub(super) fn new(errors: Vec<ConfigError>) -> ConfigErrors {
        ConfigErrors::of("the configuration", errors)
    }

    pub fn of(what: &'static str, errors: Vec<ConfigError>) -> ConfigErrors {
        let count =
            if errors.len() == 1 { "an error".to_owned() } else { format!("{} errors", errors.len()) };
        ConfigErrors { what, count, errors }
    }
}

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
