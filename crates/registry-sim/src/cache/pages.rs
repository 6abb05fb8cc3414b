//! What the registry of a cache and its storage answer.

use super::State;
use super::iam::refusal;
use super::pull::Miss;
use crate::http::{Reply, Request};
use crate::lock::lock;
use crate::registry::{self, Route, error};
use crate::token::Token;

/// Most tags a page (google/go-containerregistry#681).
const TAGS: usize = 1000;

impl State {
    /// The registry: `/v2/`.
    pub(super) async fn registry(&self, request: &Request) -> Reply {
        let reply = match self.authorize(request) {
            Ok(()) => self.answer(request).await,
            Err(refused) => refused,
        };
        reply.header("Docker-Distribution-Api-Version", "registry/2.0")
    }

    /// Basic credentials with the password as it is, on every request. The 401 is plain text (NVIDIA/enroot#59,
    /// google/go-containerregistry#861); an expired password is 403.
    fn authorize(&self, request: &Request) -> Result<(), Reply> {
        let password = request.basic().filter(|(user, _)| user == "AWS").map(|(_, password)| password);
        match password.map_or(Token::Unknown, |password| self.tokens.read(&password)) {
            Token::Valid(_) => Ok(()),
            Token::Expired => Err(error(
                403,
                "DENIED",
                "Your authorization token has expired. Reauthenticate and try again.",
            )),
            Token::Unknown => {
                let challenge =
                    format!("Basic realm=\"http://{}/\",service=\"ecr.amazonaws.com\"", self.host);
                Err(Reply::text(401, "Not Authorized").header("WWW-Authenticate", challenge))
            }
        }
    }

    async fn answer(&self, request: &Request) -> Reply {
        let Some(route) = Route::of(&request.path) else { return Reply::text(404, "404 page not found") };
        if request.method != "GET" && !request.is_head() {
            // Pushing below a rule's prefix is unsupported (Amazon ECR user guide, "Sync an upstream registry …").
            return error(405, "UNSUPPORTED", "the operation is unsupported");
        }
        match route {
            Route::Base => Reply::text(200, ""),
            Route::Catalog => error(404, "UNSUPPORTED", "the operation is unsupported"),
            Route::Manifest { repository, reference } => match self.may("BatchGetImage", repository) {
                Ok(()) => self.manifest(repository, reference, request).await,
                Err(refused) => refused,
            },
            Route::Blob { repository, digest } => match self.may("GetDownloadUrlForLayer", repository) {
                Ok(()) => self.blob(repository, digest, request),
                Err(refused) => refused,
            },
            Route::Tags { repository } => match self.may("ListImages", repository) {
                Ok(()) => self.tags(repository, request),
                Err(refused) => refused,
            },
            // Authorised by ecr:BatchGetImage (Amazon ECR API, ListImageReferrers).
            Route::Referrers { repository, digest } => match self.may("BatchGetImage", repository) {
                Ok(()) => match self.referrers(repository, digest).await {
                    Ok(found) => registry::referrers(&found, request),
                    Err(miss) => self.missing(miss, repository),
                },
                Err(refused) => refused,
            },
        }
    }

    /// GET leaves `Docker-Content-Digest` out, HEAD has it (ChangemakerStudios/Docker.Registry.DotNet#35,
    /// oras-project/oras-go#237).
    async fn manifest(&self, repository: &str, reference: &str, request: &Request) -> Reply {
        let import = !request.is_head() || self.settings.import_on_head;
        match self.pull(repository, reference, import).await {
            Ok(cached) => registry::manifest(&cached.manifest, request, request.is_head()),
            Err(miss) => self.missing(miss, repository),
        }
    }

    fn blob(&self, repository: &str, digest: &str, request: &Request) -> Reply {
        let mut repositories = lock(&self.repositories);
        let Some(known) = repositories.get_mut(repository) else {
            return self.missing(Miss::NoRepository, repository);
        };
        let Some(blob) = known.blob(digest) else {
            return error(404, "BLOB_UNKNOWN", "blob unknown to registry");
        };
        if request.is_head() {
            return Reply::new(200, blob.octets().clone())
                .header("Content-Type", "application/octet-stream")
                .header("Docker-Content-Digest", digest);
        }
        // The first pull may be sent to the upstream's own CDN while the import runs (aws/containers-roadmap#2304).
        let upstream = known.take_upstream_url(digest).filter(|_| self.settings.first_blob_from_upstream);
        let stored = || {
            format!(
                "http://{}/blobs/{repository}/{digest}?X-Amz-Expires=3600&X-Amz-Signature=00",
                self.storage_host
            )
        };
        Reply::redirect(upstream.unwrap_or_else(stored))
    }

    /// Only tags that are cached: other clients list the upstream instead (argoproj-labs/argocd-image-updater#1242).
    fn tags(&self, repository: &str, request: &Request) -> Reply {
        if request.parameter("n").and_then(|n| n.parse::<usize>().ok()).is_some_and(|n| n > TAGS) {
            // google/go-containerregistry#681, renovatebot/renovate#4244.
            let message = "Invalid parameter at 'maxResults' failed to satisfy constraint: 'Member must have value \
                           less than or equal to 1000'";
            return error(405, "UNSUPPORTED", message);
        }
        let repositories = lock(&self.repositories);
        let Some(known) = repositories.get(repository) else {
            return self.missing(Miss::NoRepository, repository);
        };
        let tags: Vec<String> = known.tags().map(|(tag, _)| tag.to_owned()).collect();
        let most = if request.parameter("n").is_some() { TAGS } else { self.settings.page };
        registry::tags(repository, &tags, request, most)
    }

    fn may(&self, action: &str, repository: &str) -> Result<(), Reply> {
        if self.iam.allows(action) {
            return Ok(());
        }
        let message = refusal(&self.settings.account, &self.settings.region, action, Some(repository));
        Err(error(403, "DENIED", &message))
    }

    fn missing(&self, miss: Miss, repository: &str) -> Reply {
        let no_repository = format!(
            "The repository with name '{repository}' does not exist in the registry with id '{}'",
            self.settings.account
        );
        match miss {
            Miss::NoRepository => error(404, "NAME_UNKNOWN", &no_repository),
            Miss::NoImage => error(404, "MANIFEST_UNKNOWN", "Requested image not found"),
            Miss::Denied => error(403, "DENIED", "The authentication to the upstream registry failed."),
            // The two that follow have reasons in the API (ImageFailureCode, UpstreamTooManyRequests and
            // UpstreamUnavailable); how the registry puts them is not documented.
            Miss::TooMany => error(429, "TOOMANYREQUESTS", "The upstream registry is throttling requests."),
            Miss::Unavailable => error(503, "UNAVAILABLE", "The upstream registry is unavailable."),
        }
    }

    /// The "S3": blobs at their signed URLs.
    pub(super) fn storage(&self, request: &Request) -> Reply {
        let repositories = lock(&self.repositories);
        let blob = registry::stored_at(&request.path).and_then(|(repository, digest)| {
            repositories.get(repository)?.blob(digest).map(|blob| blob.octets().clone())
        });
        registry::stored(blob, request)
    }
}
