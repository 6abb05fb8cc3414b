//! Gathers what is wrong with a configuration, each problem at its place.

use miette::NamedSource;

use super::ConfigError;
use super::text::Text;

/// Gathers problems with their places in the file.
pub(super) struct Checker {
    pub(super) source: Option<NamedSource<String>>,
    pub(super) errors: Vec<ConfigError>,
}

impl Checker {
    pub(super) fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(
        &mut self,
        text: &Text,
        help: &str,
    ) -> Option<T> {
        match text.value.parse() {
            Ok(value) => Some(value),
            Err(error) => {
                self.report(Some(text), error.to_string(), help);
                None
            }
        }
    }

    pub(super) fn report(
        &mut self,
        place: Option<&Text>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        let flag = place.map_or("", |text| text.flag);
        let place = place.filter(|text| text.len > 0).map(|text| (text.start, text.len).into());
        let source_code = self.source.clone().filter(|_| place.is_some());
        let message = match flag {
            "" => message.into(),
            flag => format!("{flag}: {}", message.into()),
        };
        let help = Some(help.into()).filter(|help| !help.is_empty());
        let error = ConfigError { message, help, source_code, place };
        let same = |known: &ConfigError| known.message == error.message && known.place == error.place;
        if !self.errors.iter().any(same) {
            self.errors.push(error);
        }
    }
}
