//! When and after what wait a request is sent again.
//!
//! `Retry-After` is read in both forms of RFC 9110, section 10.2.3. The one with a date is taken relative to
//! the answer's own `Date`, so that a clock that is off changes nothing.

use std::time::{Duration, SystemTime};

use reqwest::StatusCode;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};

use super::settings::Retries;

/// Is the answer one that may be another one a little later? 501 and 505 will not.
pub(super) fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504 | 520..=529)
}

/// How long the server asks to wait.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = httpdate::parse_http_date(text).ok()?;
    let now = headers
        .get(DATE)
        .and_then(|date| date.to_str().ok())
        .and_then(|date| httpdate::parse_http_date(date).ok())
        .unwrap_or_else(SystemTime::now);
    Some(at.duration_since(now).unwrap_or_default())
}

/// The wait before attempt `attempt` + 1, from the second on: between half and the whole of a time that
/// doubles, so that clients that failed together do not come back together.
pub(super) fn backoff(retries: &Retries, attempt: u32) -> Duration {
    let doubled = retries.base.saturating_mul(1 << attempt.saturating_sub(1).min(16));
    doubled.min(retries.cap).mul_f64(0.5 + fastrand::f64() / 2.0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn reads_both_forms() {
        let at = "Wed, 21 Oct 2015 07:28:30 GMT";
        for (pairs, wait) in [
            (vec![("retry-after", "7")], Some(7)),
            (vec![("retry-after", " 0 ")], Some(0)),
            (vec![("retry-after", at), ("date", "Wed, 21 Oct 2015 07:28:00 GMT")], Some(30)),
            (vec![("retry-after", at), ("date", "Wed, 21 Oct 2015 08:00:00 GMT")], Some(0)),
            (vec![("retry-after", at)], Some(0)),
            (vec![("retry-after", "soon")], None),
            (vec![("retry-after", "-1")], None),
            (vec![], None),
        ] {
            assert_eq!(retry_after(&headers(&pairs)), wait.map(Duration::from_secs), "{pairs:?}");
        }
    }

    #[test]
    fn waits_longer_each_time_up_to_a_cap() {
        let retries =
            Retries { base: Duration::from_millis(100), cap: Duration::from_secs(1), ..Retries::default() };
        for (attempt, most) in [(1, 100), (2, 200), (3, 400), (4, 800), (5, 1000), (60, 1000)] {
            for _ in 0..100 {
                let wait = backoff(&retries, attempt);
                assert!(wait <= Duration::from_millis(most), "{attempt}: {wait:?}");
                assert!(wait >= Duration::from_millis(most / 2), "{attempt}: {wait:?}");
            }
        }
    }

    #[test]
    fn what_passes() {
        let passing =
            [408, 429, 500, 502, 503, 504, 522].map(|code| is_passing(StatusCode::from_u16(code).unwrap()));
        let staying = [200, 301, 400, 401, 403, 404, 501, 505]
            .map(|code| is_passing(StatusCode::from_u16(code).unwrap()));
        assert_eq!((passing, staying), ([true; 7], [false; 8]));
    }
}
