//! The ECR API: AWS JSON 1.1, `X-Amz-Target: AmazonEC2ContainerRegistry_V20150921.<operation>` (Amazon ECR API
//! reference). Signatures are not checked, access key ids may be.

mod images;
mod rules;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::iam::refusal;
use super::{PASSWORD_LIFETIME, State};
use crate::clock::unix;
use crate::http::{Reply, Request};

/// Before the operation in `X-Amz-Target`.
const TARGET: &str = "AmazonEC2ContainerRegistry_V20150921.";

/// An error of the API: `__type` and `message`.
#[derive(Debug)]
struct ApiError {
    kind: &'static str,
    message: String,
}

impl ApiError {
    fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    fn repository(repository: &str, account: &str) -> Self {
        let message = format!(
            "The repository with name '{repository}' does not exist in the registry with id '{account}'"
        );
        Self::new("RepositoryNotFoundException", message)
    }
}

impl State {
    /// Any request to the API.
    pub(super) async fn api(&self, request: &Request) -> Reply {
        let reply = match self.operation(request).await {
            Ok(value) => Reply::new(200, value.to_string()),
            Err(error) => {
                let body = json!({ "__type": error.kind, "message": error.message });
                Reply::new(400, body.to_string())
            }
        };
        reply.header("Content-Type", "application/x-amz-json-1.1").header("x-amzn-RequestId", "00000000-sim")
    }

    async fn operation(&self, request: &Request) -> Result<Value, ApiError> {
        self.check_signer(request)?;
        let target = request.header("x-amz-target").unwrap_or_default();
        let unknown = || ApiError::new("UnknownOperationException", "");
        let operation = target.strip_prefix(TARGET).ok_or_else(unknown)?;
        let input: Value = serde_json::from_slice(&request.body)
            .map_err(|_| ApiError::new("SerializationException", "the body is not JSON"))?;
        if !self.iam.allows(operation) {
            let repository = input.get("repositoryName").and_then(Value::as_str);
            let message = refusal(&self.settings.account, &self.settings.region, operation, repository);
            return Err(ApiError::new("AccessDeniedException", message));
        }
        match operation {
            "GetAuthorizationToken" => Ok(self.get_authorization_token()),
            "DescribeImages" => self.describe_images(&input),
            "ListImages" => self.list_images(&input),
            "BatchGetImage" => self.batch_get_image(&input).await,
            "DescribeRepositories" => self.describe_repositories(&input),
            "DescribePullThroughCacheRules" => self.describe_rules(&input),
            "ValidatePullThroughCacheRule" => self.validate_rule(&input).await,
            _ => Err(unknown()),
        }
    }

    /// AWS General Reference, "Common Errors".
    fn check_signer(&self, request: &Request) -> Result<(), ApiError> {
        let credential = request
            .header("authorization")
            .filter(|value| value.starts_with("AWS4-HMAC-SHA256"))
            .and_then(|value| value.split_once("Credential=")?.1.split('/').next());
        let Some(access_key) = credential else {
            return Err(ApiError::new("MissingAuthenticationTokenException", "Missing Authentication Token"));
        };
        let known = &self.settings.access_keys;
        if known.is_empty() || known.iter().any(|known| known == access_key) {
            return Ok(());
        }
        let message = "The security token included in the request is invalid.";
        Err(ApiError::new("UnrecognizedClientException", message))
    }

    fn get_authorization_token(&self) -> Value {
        let expires = unix(self.clock.now() + PASSWORD_LIFETIME);
        json!({ "authorizationData": [{
            "authorizationToken": STANDARD.encode(format!("AWS:{}", self.password())),
            // A JSON number of seconds, with a fraction on AWS.
            "expiresAt": expires,
            "proxyEndpoint": format!(
                "https://{}.dkr.ecr.{}.amazonaws.com",
                self.settings.account, self.settings.region
            ),
        }] })
    }
}

/// A member that the operation cannot do without.
fn required<'a>(input: &'a Value, name: &str) -> Result<&'a str, ApiError> {
    input.get(name).and_then(Value::as_str).ok_or_else(|| {
        let message = format!(
            "1 validation error detected: Value at '{name}' failed to satisfy constraint: Member must not be null"
        );
        ApiError::new("ValidationException", message)
    })
}

/// A page of `all`: what `nextToken` and `maxResults` (default 100, at most 1000) ask for, under `member`.
fn page(all: Vec<Value>, input: &Value, member: &str) -> Result<Value, ApiError> {
    let most = input.get("maxResults").and_then(Value::as_u64).unwrap_or(100);
    if !(1..=1000).contains(&most) {
        return Err(ApiError::new("InvalidParameterException", "maxResults is between 1 and 1000"));
    }
    let from: usize = match input.get("nextToken").and_then(Value::as_str) {
        Some(token) => token
            .strip_prefix("from-")
            .and_then(|from| from.parse().ok())
            .ok_or_else(|| ApiError::new("InvalidParameterException", "Invalid parameter at 'nextToken'"))?,
        None => 0,
    };
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let total = all.len();
    let items: Vec<Value> = all.into_iter().skip(from).take(most).collect();
    let end = from.saturating_add(items.len());
    Ok(if end < total {
        json!({ member: items, "nextToken": format!("from-{end}") })
    } else {
        json!({ member: items })
    })
}
