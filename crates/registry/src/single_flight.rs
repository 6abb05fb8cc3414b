//! [`SingleFlight`]: one fetch for all who want the same thing at the same time.
//!
//! A hundred images of one repository need one token. Whoever comes first fetches it; the others wait for the
//! result, a failure included, so that a token server that is down is not asked by each of them in turn.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::failure::Failure;

/// How long a failure stands for those who come after it: finding no AWS credentials takes seconds each time.
const FAILURE_LASTS: Duration = Duration::from_secs(5);

/// Values by key, each with the time until which it may be used.
#[derive(Debug)]
pub(super) struct SingleFlight<T> {
    cells: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Cell<T>>>>>,
}

#[derive(Debug)]
struct Cell<T> {
    kept: Option<(T, Option<Instant>)>,
    failed: Option<(Instant, Failure)>,
    generation: u64,
}

/// A value, and which one of its key it was.
#[derive(Clone, Debug)]
pub(super) struct Shared<T> {
    pub(super) value: T,
    pub(super) generation: u64,
    /// Until when it may be used; `None` without an end.
    pub(super) until: Option<Instant>,
    /// Fetched by this very call.
    pub(super) fresh: bool,
}

impl<T: Clone> SingleFlight<T> {
    pub(super) fn new() -> Self {
        Self { cells: Mutex::new(HashMap::new()) }
    }

    /// The value for `key`, from `fetch` unless there is one that may still be used. `refused` is the
    /// generation that was turned down: it is not given again.
    pub(super) async fn get<F>(
        &self,
        key: &str,
        refused: Option<u64>,
        fetch: impl FnOnce() -> F,
    ) -> Result<Shared<T>, Failure>
    where
        F: Future<Output = Result<(T, Option<Instant>), Failure>>,
    {
        let came = Instant::now();
        let cell = {
            let mut cells = self.cells.lock().unwrap_or_else(PoisonError::into_inner);
            let fresh =
                || Arc::new(tokio::sync::Mutex::new(Cell { kept: None, failed: None, generation: 0 }));
            Arc::clone(cells.entry(key.to_owned()).or_insert_with(fresh))
        };
        let mut cell = cell.lock().await;
        if let Some((value, until)) = &cell.kept
            && refused != Some(cell.generation)
            && until.is_none_or(|until| until > Instant::now())
        {
            let (value, until) = (value.clone(), *until);
            return Ok(Shared { value, generation: cell.generation, until, fresh: false });
        }
        if let Some((at, failure)) = &cell.failed
            && (*at >= came || at.elapsed() < FAILURE_LASTS)
        {
            return Err(failure.clone());
        }
        match fetch().await {
            Ok((value, until)) => {
                cell.generation += 1;
                cell.failed = None;
                cell.kept = Some((value.clone(), until));
                Ok(Shared { value, generation: cell.generation, until, fresh: true })
            }
            Err(failure) => {
                cell.kept = None;
                cell.failed = Some((Instant::now(), failure.clone()));
                Err(failure)
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::failure::Detail;
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    async fn many(good: bool) -> (usize, usize) {
        let flight = Arc::new(SingleFlight::<u8>::new());
        let fetched = Arc::new(AtomicUsize::new(0));
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let (flight, fetched) = (Arc::clone(&flight), Arc::clone(&fetched));
            tasks.spawn(async move {
                flight
                    .get("a", None, || async {
                        fetched.fetch_add(1, Ordering::SeqCst);
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        if good { Ok((7, None)) } else { Err(Failure::Server(Box::new(Detail::of("a", "")))) }
                    })
                    .await
                    .is_ok()
            });
        }
        let mut shared = 0;
        while let Some(done) = tasks.join_next().await {
            shared += usize::from(done.unwrap());
        }
        (fetched.load(Ordering::SeqCst), shared)
    }

    #[tokio::test]
    async fn one_fetch_for_all() {
        assert_eq!(many(true).await, (1, 50));
        assert_eq!(many(false).await, (1, 0));
    }

    #[tokio::test]
    async fn a_refused_value_is_fetched_again_once() {
        let flight = SingleFlight::<u8>::new();
        let get = |refused, next| flight.get("a", refused, move || async move { Ok((next, None)) });
        let first = get(None, 1).await.unwrap();
        assert_eq!((first.value, first.fresh), (1, true));
        let again = get(None, 2).await.unwrap();
        assert_eq!((again.value, again.fresh), (1, false));
        let second = get(Some(first.generation), 3).await.unwrap();
        assert_eq!((second.value, second.fresh), (3, true));
        // Another one who was refused the first takes the second.
        let other = get(Some(first.generation), 4).await.unwrap();
        assert_eq!((other.value, other.fresh), (3, false));
    }

    #[tokio::test]
    async fn an_old_value_is_fetched_again() {
        let flight = SingleFlight::<u8>::new();
        let soon = Instant::now() + Duration::from_millis(5);
        flight.get("a", None, || async { Ok((1, Some(soon))) }).await.unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
        let shared = flight.get("a", None, || async { Ok((2, None)) }).await.unwrap();
        assert_eq!(shared.value, 2);
    }
}
