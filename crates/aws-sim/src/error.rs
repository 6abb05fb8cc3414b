//! An error of AWS: a code that the operation declares in its model, or one that every operation may answer with.

use crate::model::{Protocol, Service};

/// A code and a message; the status follows from the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AwsError {
    pub(crate) code: String,
    pub(crate) message: String,
}

pub(crate) fn error(code: &str, message: impl Into<String>) -> AwsError {
    AwsError { code: code.to_owned(), message: message.into() }
}

/// Errors that operations answer with without declaring them (AWS General Reference and the API references, "Common
/// Errors"): JSON services first, then Query's.
const COMMON: [(Protocol, &[(&str, u16)]); 2] = [
    (
        Protocol::Json,
        &[
            ("AccessDeniedException", 400),
            ("ExpiredTokenException", 400),
            ("MissingAuthenticationTokenException", 400),
            ("SerializationException", 400),
            ("ServiceUnavailable", 503),
            ("ThrottlingException", 400),
            ("UnknownOperationException", 400),
            ("UnrecognizedClientException", 400),
            ("ValidationException", 400),
        ],
    ),
    (
        Protocol::Query,
        &[
            ("AccessDenied", 403),
            ("ExpiredToken", 403),
            ("InvalidAction", 400),
            ("InvalidClientTokenId", 403),
            ("MissingAuthenticationToken", 403),
            ("ServiceUnavailable", 503),
            ("InternalFailure", 500),
            ("Throttling", 400),
            ("ValidationError", 400),
        ],
    ),
];

impl AwsError {
    /// The status that it is answered with; `None` when this operation cannot answer with it.
    pub(crate) fn status(&self, service: &Service, operation: &str) -> Option<u16> {
        let common = COMMON.iter().find(|(protocol, _)| *protocol == service.protocol());
        let known = common.and_then(|(_, known)| known.iter().find(|(code, _)| *code == self.code));
        service.declared(operation, &self.code).or(known.map(|(_, status)| *status))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::path::Path;

    use regex::Regex;

    use super::*;
    use crate::model::services;

    /// That an operation answers with its own errors alone is seen to on every answer (`Call::held_to_the_model`); here
    /// no name may stand in the source that no operation of the service has.
    #[test]
    fn every_error_in_the_source_is_one_of_the_service() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let literal = Regex::new(r#"\berror\(\s*"([A-Za-z.]+)""#).unwrap();
        let mut seen = 0;
        for (place, service) in
            [("ecr", "ecr"), ("iam", "iam"), ("secrets.rs", "secretsmanager"), ("sts.rs", "sts")]
        {
            let service = services().iter().find(|known| known.name == service).unwrap();
            let place = source.join(place);
            let files = match place.is_dir() {
                true => std::fs::read_dir(place).unwrap().map(|entry| entry.unwrap().path()).collect(),
                false => vec![place],
            };
            for file in files {
                let text = std::fs::read_to_string(&file).unwrap();
                for found in literal.captures_iter(&text) {
                    let known = error(&found[1], "");
                    let any =
                        service.operations().any(|operation| known.status(service, operation).is_some());
                    assert!(any, "{}: {}", file.display(), known.code);
                    seen += 1;
                }
            }
        }
        assert!(seen > 60, "{seen}");
    }
}
