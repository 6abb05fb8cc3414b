//! [`AdaptiveLimit`]: how many requests a host gets at a time.
//!
//! Registries publish no limits worth the name (GitHub's are undocumented), so the number is found out: it
//! doubles every round until the first 429, halves on each 429, and grows by one a round after that, as TCP's
//! congestion window does (RFC 5681). A `Retry-After` closes the limit for everyone: what it says is about the
//! client, not about the one request that met it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// Where the adaptive limit starts, and how far it goes.
const START: f64 = 16.0;
pub(super) const MOST: usize = 64;

/// The limit of one host.
#[derive(Debug)]
pub(super) struct AdaptiveLimit {
    state: Mutex<State>,
    free: Notify,
}

#[derive(Debug)]
struct State {
    limit: f64,
    most: f64,
    /// A limit that was set stays.
    fixed: bool,
    /// Still doubling: no 429 so far.
    young: bool,
    inside: usize,
    /// Nobody goes in before.
    closed_until: Option<Instant>,
    /// When the limit fell last: requests that were sent before then say nothing new.
    fell: Option<Instant>,
}

/// The right to have one request under way; dropping it gives the place to the next.
#[derive(Debug)]
pub(super) struct Permit<'a> {
    limit: &'a AdaptiveLimit,
    since: Instant,
}

impl AdaptiveLimit {
    /// With a fixed number of places, or adaptive.
    pub(super) fn new(fixed: Option<usize>) -> Self {
        let limit =
            fixed.map_or(START, |places| f64::from(u32::try_from(places).unwrap_or(u32::MAX)).max(1.0));
        let state = State {
            limit,
            most: if fixed.is_some() { limit } else { MOST as f64 },
            fixed: fixed.is_some(),
            young: true,
            inside: 0,
            closed_until: None,
            fell: None,
        };
        Self { state: Mutex::new(state), free: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a place, and for the limit to open.
    pub(super) async fn enter(&self) -> Permit<'_> {
        loop {
            let freed = self.free.notified();
            tokio::pin!(freed);
            // From here on a place that becomes free is not missed.
            freed.as_mut().enable();
            let closed = {
                let mut state = self.state();
                let now = Instant::now();
                match state.closed_until.filter(|until| *until > now) {
                    Some(until) => Some(until),
                    None if (state.inside as f64) < state.limit.floor() => {
                        state.inside += 1;
                        return Permit { limit: self, since: now };
                    }
                    None => None,
                }
            };
            match closed {
                Some(until) => tokio::time::sleep_until(until).await,
                None => freed.await,
            }
        }
    }

    /// How many go in at a time now.
    #[cfg(test)]
    pub(super) fn limit(&self) -> usize {
        self.state().limit as usize
    }

    fn leave(&self) {
        let room = {
            let mut state = self.state();
            state.inside = state.inside.saturating_sub(1);
            (state.limit as usize).saturating_sub(state.inside)
        };
        for _ in 0..room.min(2) {
            self.free.notify_one();
        }
    }
}

impl Permit<'_> {
    /// The host answered, with anything but 429.
    pub(super) fn answered(&self) {
        let mut state = self.limit.state();
        if !state.fixed {
            let step = if state.young { 1.0 } else { 1.0 / state.limit };
            state.limit = (state.limit + step).min(state.most);
        }
    }

    /// The host answered 429, and asked for a pause or not.
    pub(super) fn throttled(&self, pause: Option<Duration>) {
        let mut state = self.limit.state();
        let now = Instant::now();
        if let Some(until) = pause.and_then(|pause| now.checked_add(pause)) {
            state.closed_until = Some(state.closed_until.map_or(until, |closed| closed.max(until)));
        }
        state.young = false;
        if !state.fixed && state.fell.is_none_or(|fell| fell <= self.since) {
            state.limit = (state.limit / 2.0).max(1.0);
            state.fell = Some(now);
        }
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.limit.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn holds_to_a_fixed_number() {
        let limit = Arc::new(AdaptiveLimit::new(Some(3)));
        let (inside, most, done) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        let shared = Arc::new((inside, most, done));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let (limit, shared) = (Arc::clone(&limit), Arc::clone(&shared));
            tasks.spawn(async move {
                let permit = limit.enter().await;
                let now = shared.0.fetch_add(1, Ordering::SeqCst) + 1;
                shared.1.fetch_max(now, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(1)).await;
                shared.0.fetch_sub(1, Ordering::SeqCst);
                shared.2.fetch_add(1, Ordering::SeqCst);
                permit.answered();
            });
        }
        while tasks.join_next().await.is_some() {}
        assert_eq!((shared.1.load(Ordering::SeqCst), shared.2.load(Ordering::SeqCst)), (3, 50));
    }

    #[tokio::test]
    async fn falls_once_a_burst_and_recovers() {
        let limit = AdaptiveLimit::new(None);
        assert_eq!(limit.limit(), 16);
        let burst = [limit.enter().await, limit.enter().await, limit.enter().await];
        tokio::time::sleep(Duration::from_millis(2)).await;
        for permit in &burst {
            permit.throttled(None);
        }
        assert_eq!(limit.limit(), 8);
        drop(burst);
        tokio::time::sleep(Duration::from_millis(2)).await;
        limit.enter().await.throttled(None);
        assert_eq!(limit.limit(), 4);
        for _ in 0..5 {
            limit.enter().await.answered();
        }
        assert_eq!(limit.limit(), 5);
        for _ in 0..10_000 {
            limit.enter().await.answered();
        }
        assert_eq!(limit.limit(), 64);
    }

    #[tokio::test]
    async fn a_pause_is_for_everyone() {
        let limit = AdaptiveLimit::new(Some(4));
        limit.enter().await.throttled(Some(Duration::from_millis(80)));
        let start = Instant::now();
        let _ = tokio::join!(limit.enter(), limit.enter());
        assert!(start.elapsed() >= Duration::from_millis(75), "{:?}", start.elapsed());
    }
}
