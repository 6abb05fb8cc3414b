//! AWS, simulated and emulated: through the real SDK, which of them does what, and the emulators to start.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod cases;
mod coverage;
mod peers;
mod sim;

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_ecr::config::Credentials;
use aws_sdk_ecr::config::retry::RetryConfig;

/// The SDK's settings for an endpoint: access key and secret key, and nothing that the machine has.
async fn config(endpoint: &str, keys: [&str; 2], session_token: Option<String>) -> SdkConfig {
    let mut credentials =
        Credentials::builder().access_key_id(keys[0]).secret_access_key(keys[1]).provider_name("test");
    credentials.set_session_token(session_token);
    let retries = RetryConfig::standard().with_max_attempts(3).with_initial_backoff(Duration::from_millis(1));
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .empty_test_environment()
        .credentials_provider(credentials.build())
        .region(Region::new("eu-central-1"))
        .endpoint_url(endpoint)
        .retry_config(retries)
        .load()
        .await
}
