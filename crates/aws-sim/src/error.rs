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
/// Errors"; EC2 API reference, "Error codes"): JSON services first, then Query's, then EC2's.
const COMMON: [(Protocol, &[(&str, u16)]); 3] = [
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
    (
        Protocol::Ec2,
        &[
            ("AuthFailure", 401),
            ("InternalError", 500),
            ("InvalidAction", 400),
            ("InvalidParameterValue", 400),
            ("InvalidVpcEndpointId.NotFound", 400),
            ("RequestExpired", 400),
            ("RequestLimitExceeded", 503),
            ("ServiceUnavailable", 503),
            ("UnauthorizedOperation", 403),
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
