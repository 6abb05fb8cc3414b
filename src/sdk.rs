//! The AWS SDK, set up once for everything that calls AWS: one TLS stack, the certificates of `--ca-file`, retries with
//! jitter. Credentials come by the SDK's own chain: environment, profiles, SSO, roles, containers, instances.

use std::path::Path;

use aws_config::retry::RetryConfig;
use aws_config::{BehaviorVersion, ConfigLoader};
use aws_smithy_http_client::tls;

/// Tries of one call. The SDK waits between them, twice as long each time, with jitter.
const ATTEMPTS: u32 = 5;

/// A configuration that the caller may add to before it is loaded. `AWS_ENDPOINT_URL` and its kin are honoured.
pub(crate) fn loader(ca_file: Option<&Path>) -> ConfigLoader {
    let mut http = aws_smithy_http_client::Builder::new()
        .tls_provider(tls::Provider::Rustls(tls::rustls_provider::CryptoMode::Ring));
    // Read before by who took the argument, which reports what is wrong with it.
    if let Some(pem) = ca_file.and_then(|path| std::fs::read(path).ok()) {
        let store = tls::TrustStore::default().with_pem_certificate(pem);
        if let Ok(context) = tls::TlsContext::builder().with_trust_store(store).build() {
            http = http.tls_context(context);
        }
    }
    aws_config::defaults(BehaviorVersion::latest())
        .http_client(http.build_https())
        .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
}
