//! Bearer tokens of the upstream and passwords of the cache: opaque to clients, and all that the server needs to
//! check them is in them, so that a million of them take no memory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::clock::Clock;
use crate::content::digest_of;

/// Issues tokens and reads them back.
#[derive(Debug)]
pub(crate) struct Tokens {
    clock: Clock,
    generation: AtomicU64,
}

/// What a token turned out to be.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// Good; with what it was issued for.
    Valid(String),
    /// Was good once.
    Expired,
    /// Never issued here.
    Unknown,
}

impl Tokens {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, generation: AtomicU64::new(0) }
    }

    pub(crate) fn issue(&self, subject: &str, lifetime: Duration) -> String {
        let expires = self.clock.unix().saturating_add(lifetime.as_secs());
        let payload = format!("{} {expires} {subject}", self.generation.load(Ordering::Relaxed));
        URL_SAFE_NO_PAD.encode(format!("{} {payload}", seal(&payload)))
    }

    /// Expires every token issued so far.
    pub(crate) fn expire(&self) {
        self.generation.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self, token: &str) -> Token {
        self.parse(token).unwrap_or(Token::Unknown)
    }

    fn parse(&self, token: &str) -> Option<Token> {
        let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
        let (sealed, payload) = text.split_once(' ')?;
        if sealed != seal(payload) {
            return None;
        }
        let mut parts = payload.splitn(3, ' ');
        let generation: u64 = parts.next()?.parse().ok()?;
        let expires: u64 = parts.next()?.parse().ok()?;
        let subject = parts.next()?;
        if generation != self.generation.load(Ordering::Relaxed) || self.clock.unix() >= expires {
            return Some(Token::Expired);
        }
        Some(Token::Valid(subject.to_owned()))
    }
}

/// Tells the server's own tokens from others; no protection against anybody.
fn seal(payload: &str) -> String {
    digest_of(payload.as_bytes()).chars().skip("sha256:".len()).take(12).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_says_what_it_was_issued_for_and_cannot_be_changed_by_mistake() {
        let tokens = Tokens::new(Clock::default());
        let token = tokens.issue("a/b c/d", Duration::from_secs(60));
        assert_eq!(tokens.read(&token), Token::Valid("a/b c/d".to_owned()));
        let text = URL_SAFE_NO_PAD.decode(&token).unwrap_or_default();
        let changed = String::from_utf8_lossy(&text).replace("a/b", "x/y");
        assert_eq!(tokens.read(&URL_SAFE_NO_PAD.encode(changed)), Token::Unknown);
        for text in ["", "ghp_pat", "???"] {
            assert_eq!(tokens.read(text), Token::Unknown, "{text}");
        }
    }
}
