//! Waiting until AWS sees what it has just made.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::failure::AwsFailure;

/// Calls until it succeeds, as long as it fails with one of `codes`: what a dependent call says while the thing that it
/// needs is not seen everywhere yet. Waits with jitter, longer each time, no longer than `patience` in all.
pub(crate) async fn settled<T, F>(
    patience: Duration,
    codes: &[&str],
    mut call: impl FnMut() -> F,
) -> Result<T, AwsFailure>
where
    F: Future<Output = Result<T, AwsFailure>>,
{
    let end = Instant::now() + patience;
    let mut wait = Duration::from_millis(200);
    loop {
        match call().await {
            Err(failure) if failure.is(codes) && Instant::now() + wait < end => {}
            result => return result,
        }
        sleep(wait.mul_f64(0.75 + fastrand::f64() / 2.0)).await;
        wait = (wait * 2).min(Duration::from_secs(8));
    }
}
