//! An upstream as a cache meets it: the same answers and the same faults as on the wire, without a socket, so that
//! what clients ask for and what the cache asks for do not mix in the log.

use bytes::Bytes;

use super::State;
use crate::content::Blob;
use crate::http::{Delivery, Reply, Request};
use crate::lock::lock;

/// Nothing usable came back.
#[derive(Debug)]
pub(crate) struct Unreachable;

impl State {
    /// Asks as a cache does.
    pub(crate) async fn ask(
        &self,
        method: &str,
        path: String,
        query: String,
        headers: Vec<(String, String)>,
    ) -> Result<Reply, Unreachable> {
        let request = Request {
            host: self.host.clone(),
            method: method.to_owned(),
            path,
            query,
            headers,
            body: Bytes::new(),
        };
        self.imports.record(&request);
        let reply = self.front.pass(request, |request| std::future::ready(self.registry(&request))).await;
        match reply.delivery {
            Delivery::Reset | Delivery::ResetMidBody | Delivery::Length(_) => Err(Unreachable),
            Delivery::Whole | Delivery::Drip(_) | Delivery::Chunked if reply.corrupt => Err(Unreachable),
            Delivery::Whole | Delivery::Drip(_) | Delivery::Chunked => Ok(reply),
        }
    }

    /// Is there such a repository, to anybody?
    pub(crate) fn has(&self, repository: &str) -> bool {
        lock(&self.store).repository(repository).is_some()
    }

    /// A blob that a manifest named.
    pub(crate) fn blob(&self, repository: &str, digest: &str) -> Option<Blob> {
        lock(&self.store).repository(repository)?.blob(digest).cloned()
    }

    pub(crate) fn host(&self) -> &str {
        &self.host
    }
}
