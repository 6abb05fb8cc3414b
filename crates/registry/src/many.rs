//! Many questions at a time, and their answers in the order of the questions.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::task::JoinSet;

/// What happens on the way.
#[derive(Debug)]
pub enum Step<'s, R> {
    /// One more is done: how many are, and the last of them.
    Done(usize, &'s R),
    /// The next in order.
    Next(R),
}

/// Works on `items`, `at_once` at a time, until all are done or `stop` is; answers how many were not done. Results wait
/// for those before them, so nothing is begun that is far ahead of the first that is still open: what is kept does
/// not grow with the number of items.
pub(crate) async fn in_order<T, R, F>(
    items: Vec<T>,
    at_once: usize,
    stop: impl Future<Output = ()>,
    work: impl Fn(T) -> F + Send + Sync + 'static,
    mut on: impl FnMut(Step<'_, R>),
) -> usize
where
    T: Send + 'static,
    R: Send + 'static,
    F: Future<Output = R> + Send,
{
    let (total, work) = (items.len(), Arc::new(work));
    let mut waiting = items.into_iter().enumerate().peekable();
    let mut under_way = JoinSet::new();
    let mut held: BTreeMap<usize, R> = BTreeMap::new();
    let (mut done, mut next) = (0, 0);
    tokio::pin!(stop);
    loop {
        while under_way.len() < at_once
            && let Some((index, item)) = waiting.next_if(|(index, _)| *index < next + 4 * at_once)
        {
            let work = Arc::clone(&work);
            under_way.spawn(async move { (index, work(item).await) });
        }
        let joined = tokio::select! {
            joined = under_way.join_next() => joined,
            () = &mut stop => break,
        };
        let Some(joined) = joined else { break };
        let Ok((index, result)) = joined else { continue };
        done += 1;
        on(Step::Done(done, &result));
        held.insert(index, result);
        while let Some(result) = held.remove(&next) {
            on(Step::Next(result));
            next += 1;
        }
    }
    under_way.abort_all();
    // Stopped: what is there is given back, with gaps.
    held.into_values().for_each(|result| on(Step::Next(result)));
    total - done
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn collected(items: Vec<u64>, stop: impl Future<Output = ()>) -> (Vec<u64>, usize) {
        let mut all = Vec::new();
        let sleep = |item: u64| async move {
            tokio::time::sleep(Duration::from_millis(item % 7)).await;
            if item == 999 {
                std::future::pending::<()>().await;
            }
            item
        };
        let left = in_order(items, 8, stop, sleep, |step| {
            if let Step::Next(item) = step {
                all.push(item);
            }
        });
        let left = left.await;
        (all, left)
    }

    #[tokio::test]
    async fn results_come_in_the_order_of_the_items() {
        let items: Vec<u64> = (0..200).collect();
        assert_eq!(collected(items.clone(), std::future::pending()).await, (items, 0));
        assert_eq!(collected(Vec::new(), std::future::pending()).await, (Vec::new(), 0));
    }

    /// One that hangs holds back what is far behind it, and nothing that was done is lost.
    #[tokio::test]
    async fn what_was_done_until_the_stop_is_given_back() {
        let mut items: Vec<u64> = (0..100).collect();
        items[3] = 999;
        let (found, left) = collected(items, tokio::time::sleep(Duration::from_millis(300))).await;
        let expected: Vec<u64> = (0..35).filter(|item| *item != 3).collect();
        assert_eq!((found, left), (expected, 66));
    }
}
