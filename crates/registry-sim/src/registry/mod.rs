//! What both servers share of the OCI distribution specification: its paths, its error bodies, content negotiation
//! and pages of tags.

use serde_json::json;

use crate::content::{Manifest, media, referrer_line};
use crate::http::{Octets, Reply, Request};

/// What a path of `/v2/` asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    Base,
    Catalog,
    Manifest { repository: &'a str, reference: &'a str },
    Blob { repository: &'a str, digest: &'a str },
    Tags { repository: &'a str },
    Referrers { repository: &'a str, digest: &'a str },
}

impl<'a> Route<'a> {
    pub(crate) fn of(path: &'a str) -> Option<Self> {
        let rest = path.strip_prefix("/v2/").or_else(|| path.strip_prefix("/v2"))?;
        match rest {
            "" => return Some(Self::Base),
            "_catalog" => return Some(Self::Catalog),
            _ => {}
        }
        let (head, last) = rest.rsplit_once('/')?;
        let (repository, kind) = head.rsplit_once('/')?;
        match (kind, last) {
            ("manifests", reference) => Some(Self::Manifest { repository, reference }),
            ("blobs", digest) => Some(Self::Blob { repository, digest }),
            ("tags", "list") => Some(Self::Tags { repository }),
            ("referrers", digest) => Some(Self::Referrers { repository, digest }),
            _ => None,
        }
    }
}

/// The error body of the specification.
pub(crate) fn error(status: u16, code: &str, message: &str) -> Reply {
    Reply::json(status, &json!({ "errors": [{ "code": code, "message": message }] }))
}

/// Serves a manifest to a client that accepts it.
///
/// An index for a client that does not name its type is 404, whatever wildcard it sends (release-argus/Argus#459 on
/// ghcr.io; the message is that of distribution/distribution). What ECR says then is not documented; the same here.
pub(crate) fn manifest(manifest: &Manifest, request: &Request, with_digest: bool) -> Reply {
    if manifest.is_index() && !accepts(request, manifest.media_type()) {
        let message = match manifest.media_type() {
            media::OCI_INDEX => "OCI index found, but Accept header does not support OCI indexes",
            _ => "manifest list found, but Accept header does not support manifest lists",
        };
        return error(404, "MANIFEST_UNKNOWN", message);
    }
    let reply = Reply::new(200, Octets::Bytes(manifest.bytes().clone()))
        .header("Content-Type", manifest.media_type());
    if with_digest { reply.header("Docker-Content-Digest", manifest.digest()) } else { reply }
}

fn accepts(request: &Request, media_type: &str) -> bool {
    let accepted = request.headers.iter().filter(|(name, _)| name == "accept");
    accepted
        .flat_map(|(_, value)| value.split(','))
        .any(|value| value.split(';').next().is_some_and(|accepted| accepted.trim() == media_type))
}

/// A page of tags in their given order, with the `Link` to the next; `most` is the page's size without `n`.
pub(crate) fn tags(repository: &str, tags: &[String], request: &Request, most: usize) -> Reply {
    let size = request.parameter("n").and_then(|n| n.parse().ok()).map_or(most, |n: usize| n.min(most));
    let last = request.parameter("last");
    let from = match &last {
        Some(last) => tags.iter().position(|tag| tag == last).map_or(tags.len(), |at| at + 1),
        None => 0,
    };
    let page: Vec<&String> = tags.iter().skip(from).take(size).collect();
    let reply = Reply::json(200, &json!({ "name": repository, "tags": page }));
    match page.last() {
        Some(last) if from + page.len() < tags.len() => {
            reply.header("Link", format!("</v2/{repository}/tags/list?last={last}&n={size}>; rel=\"next\""))
        }
        _ => reply,
    }
}

/// The index of referrers, filtered by `artifactType` when the client asks for it.
pub(crate) fn referrers(found: &[Manifest], request: &Request) -> Reply {
    let wanted = request.parameter("artifactType");
    let lines: Vec<_> = found
        .iter()
        .filter(|manifest| wanted.is_none() || manifest.artifact_type() == wanted)
        .map(referrer_line)
        .collect();
    let index = json!({ "manifests": lines, "mediaType": media::OCI_INDEX, "schemaVersion": 2 });
    let reply = Reply::new(200, index.to_string()).header("Content-Type", media::OCI_INDEX);
    if wanted.is_some() { reply.header("OCI-Filters-Applied", "artifactType") } else { reply }
}

/// A storage host as S3 is with signed URLs: whoever sends `Authorization` as well is refused (Amazon S3, error
/// `InvalidArgument`, "Only one auth mechanism allowed").
pub(crate) fn stored(blob: Option<Octets>, request: &Request) -> Reply {
    if request.header("authorization").is_some() {
        let message =
            "<Error><Code>InvalidArgument</Code><Message>Only one auth mechanism allowed</Message></Error>";
        return Reply::new(400, message.to_owned()).header("Content-Type", "application/xml");
    }
    match blob {
        Some(octets) => Reply::new(200, octets).header("Content-Type", "application/octet-stream"),
        None => Reply::new(404, "<Error><Code>NoSuchKey</Code></Error>".to_owned()),
    }
}

/// Repository and digest of a path on a storage host.
pub(crate) fn stored_at(path: &str) -> Option<(&str, &str)> {
    path.strip_prefix("/blobs/")?.rsplit_once('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routes() {
        assert_eq!(Route::of("/v2/"), Some(Route::Base));
        assert_eq!(Route::of("/v2"), Some(Route::Base));
        assert_eq!(
            Route::of("/v2/a/b/manifests/v1"),
            Some(Route::Manifest { repository: "a/b", reference: "v1" })
        );
        assert_eq!(Route::of("/v2/manifests/tags/list"), Some(Route::Tags { repository: "manifests" }));
        assert_eq!(Route::of("/v2/manifests/v1"), None);
        assert_eq!(Route::of("/token"), None);
    }
}
