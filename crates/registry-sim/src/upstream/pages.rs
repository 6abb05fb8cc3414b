//! What the two listeners of an upstream answer.

use super::State;
use crate::content::Manifest;
use crate::http::{Reply, Request};
use crate::lock::lock;
use crate::registry::{self, Route, error};

impl State {
    /// The registry: `/token` and `/v2/`.
    pub(super) fn registry(&self, request: &Request) -> Reply {
        if request.method != "GET" && !request.is_head() {
            return error(405, "UNSUPPORTED", "the operation is unsupported");
        }
        if request.path == "/token" {
            return self.token(request);
        }
        if let Some(reply) = self.api(request) {
            return reply;
        }
        let Some(route) = Route::of(&request.path) else { return Reply::text(404, "404 page not found") };
        let repository = match route {
            Route::Base | Route::Catalog => None,
            Route::Manifest { repository, .. }
            | Route::Blob { repository, .. }
            | Route::Tags { repository }
            | Route::Referrers { repository, .. } => Some(repository),
        };
        match self.authorize(request, repository) {
            Ok(()) => self.answer(&route, request),
            Err(refusal) => refusal,
        }
    }

    /// What the API beside the registry says of a token: GitHub's by headers (its documentation, "Scopes for OAuth apps",
    /// and the changelog of 2021-07-26), GitLab's by JSON ("Personal access tokens API").
    fn api(&self, request: &Request) -> Option<Reply> {
        let is_github = request.path == "/user";
        if !is_github && request.path != "/api/v4/personal_access_tokens/self" {
            return None;
        }
        let token = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let known =
            token.is_some_and(|token| lock(&self.credentials).iter().any(|(_, known)| known == token));
        if !known {
            return Some(Reply::text(401, "{\"message\":\"Bad credentials\"}"));
        }
        let (scopes, ends) = &self.settings.token;
        let list = |scopes: &[String]| {
            scopes.iter().map(|scope| format!("\"{scope}\"")).collect::<Vec<_>>().join(",")
        };
        if !is_github {
            let ends = ends.as_ref().map_or("null".to_owned(), |ends| format!("\"{ends}\""));
            let body = format!("{{\"active\":true,\"scopes\":[{}],\"expires_at\":{ends}}}", list(scopes));
            return Some(Reply::text(200, &body));
        }
        let reply = Reply::text(200, "{\"login\":\"octocat\"}").header("X-OAuth-Scopes", scopes.join(", "));
        Some(match ends {
            Some(ends) => {
                reply.header("GitHub-Authentication-Token-Expiration", format!("{ends} 00:00:00 UTC"))
            }
            None => reply,
        })
    }

    fn answer(&self, route: &Route<'_>, request: &Request) -> Reply {
        let store = lock(&self.store);
        match *route {
            Route::Base => Reply::text(200, "{}"),
            // First 401, then 403: nobody lists ghcr.io (oras-project/oras#1128).
            Route::Catalog => error(403, "DENIED", "requested access to the resource is denied"),
            Route::Manifest { repository, reference } => {
                match store.repository(repository).and_then(|repository| repository.manifest(reference)) {
                    Some(manifest) => {
                        let with_digest = request.is_head() || self.settings.digest_on_get;
                        registry::manifest(manifest, request, with_digest)
                    }
                    None => error(404, "MANIFEST_UNKNOWN", "manifest unknown"),
                }
            }
            Route::Blob { repository, digest } => {
                match store.repository(repository).and_then(|repository| repository.blob(digest)) {
                    // Without a redirect; not documented for ghcr.io, and clients must take either.
                    Some(blob) if request.is_head() => Reply::new(200, blob.octets().clone())
                        .header("Content-Type", "application/octet-stream")
                        .header("Docker-Content-Digest", digest),
                    Some(_) => Reply::redirect(self.blob_url(repository, digest)),
                    None => error(404, "BLOB_UNKNOWN", "blob unknown to registry"),
                }
            }
            // In the order of the pushes, as good as any: ghcr.io promises none.
            Route::Tags { repository } => match store.repository(repository) {
                Some(found) => registry::tags(repository, found.tags(), request, self.settings.page),
                None => error(404, "NAME_UNKNOWN", "repository name not known to registry"),
            },
            // ghcr.io has no Referrers API (GiganticMinecraft/seichi_infra#5513).
            Route::Referrers { .. } if !self.settings.referrers_api => Reply::text(404, "404 page not found"),
            Route::Referrers { repository, digest } => {
                let repository = store.repository(repository);
                let found: Vec<Manifest> = repository
                    .map(|repository| repository.referrers(digest).into_iter().cloned().collect())
                    .unwrap_or_default();
                registry::referrers(&found, request)
            }
        }
    }

    /// The storage: blobs at their signed URLs.
    pub(super) fn storage(&self, request: &Request) -> Reply {
        let store = lock(&self.store);
        let blob = registry::stored_at(&request.path).and_then(|(repository, digest)| {
            store.repository(repository)?.blob(digest).map(|blob| blob.octets().clone())
        });
        registry::stored(blob, request)
    }

    /// Where the storage has a blob.
    pub(crate) fn blob_url(&self, repository: &str, digest: &str) -> String {
        format!("http://{}/blobs/{repository}/{digest}?se=2026-11-22&sig=c2ln", self.storage_host)
    }
}
