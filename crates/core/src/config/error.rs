//! What is wrong with a configuration, with the place in the user's file.

use miette::{Diagnostic, NamedSource, SourceSpan};

use super::shape;

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

/// All problems of a configuration, or of another file that is read like one; at least one.
#[derive(Debug, thiserror::Error)]
#[error("{}", all(errors))]
pub struct ConfigErrors {
    pub errors: Vec<ConfigError>,
}

/// Each is printed by itself: a heading over them would say nothing that they do not.
impl Diagnostic for ConfigErrors {}

fn all(errors: &[ConfigError]) -> String {
    errors.iter().map(|error| error.message.as_str()).collect::<Vec<_>>().join("\n")
}

impl ConfigError {
    /// A file that is not of the shape: syntax, unknown or repeated keys, wrong types.
    pub fn unreadable(
        source: Option<&NamedSource<String>>,
        error: &serde_saphyr::Error,
        text: &str,
    ) -> ConfigError {
        let span = error.location().map(|location| location.span());
        let place = span.and_then(|span| {
            let start = usize::try_from(span.byte_offset()?).ok()?;
            Some((start.min(text.len()), usize::try_from(span.byte_len()?).ok()?.max(1)))
        });
        // A text that is no YAML: our own parser says where.
        let place = place.or_else(|| Some((crate::yaml::parse(text).errors.first()?.offset, 1)));
        let (message, help) = shape::in_words(error, text, place.map(|(start, _)| start));
        let place = place.map(SourceSpan::from);
        ConfigError { message, help, source_code: source.cloned(), place }
    }
}
