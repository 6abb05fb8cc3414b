//! What came in, in order, as it was on the wire.

use std::collections::VecDeque;
use std::sync::Mutex;

use crate::http::Request;
use crate::lock::lock;

/// How many requests are kept: far more than a test sends, and no memory to speak of in a benchmark.
const KEPT: usize = 10_000;

/// The latest requests, and how many there were.
#[derive(Debug, Default)]
pub(crate) struct Log {
    entries: Mutex<(VecDeque<Request>, u64)>,
}

impl Log {
    pub(crate) fn record(&self, request: &Request) {
        let mut entries = lock(&self.entries);
        if entries.0.len() == KEPT {
            entries.0.pop_front();
        }
        entries.0.push_back(request.clone());
        entries.1 += 1;
    }

    pub(crate) fn entries(&self) -> Vec<Request> {
        lock(&self.entries).0.iter().cloned().collect()
    }

    pub(crate) fn count(&self) -> u64 {
        lock(&self.entries).1
    }

    pub(crate) fn clear(&self) {
        *lock(&self.entries) = (VecDeque::new(), 0);
    }
}
