//! Lists that come in pages: tags, and what refers to a digest.
//!
//! Pages follow the `Link` header (distribution specification, "Content Discovery"; RFC 8288). A link is
//! followed within the registry only, since the next page is asked for with the same login.

use oci_spec::image::{Descriptor, ImageIndex};
use reqwest::header::{HeaderMap, LINK};
use reqwest::{Method, Url};
use serde::Deserialize;

use super::client::Client;
use super::exchange::Call;
use super::failure::{Broken, Detail, Failure};
use super::location::Location;
use super::manifest::Content;
use super::transport::{Answer, Reading};
use pullthru_core::image::{Digest, Name, is_tag};

/// The longest page.
const PAGE_MAX: usize = 8 * 1024 * 1024;

/// More pages than any repository has: a server that always has one more.
const PAGES_MAX: usize = 2000;

#[derive(Deserialize)]
struct Tags {
    // Registries write `null` for a repository without tags.
    tags: Option<Vec<String>>,
}

impl Client {
    /// All tags of a repository, in the registry's order. ECR lists what it has cached and nothing else.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn tags(&self, name: &Name) -> Result<Vec<String>, Failure> {
        let mut found = Vec::new();
        self.pages(name, "tags/list?n=1000".to_owned(), "application/json", |answer| {
            let page: Tags = serde_json::from_slice(&answer.body).ok()?;
            // A tag is used as it is, so one that shows a credential is none.
            let is_one = |tag: &String| is_tag(tag) && !self.inner.scrub.is_in(tag);
            found.extend(page.tags.unwrap_or_default().into_iter().filter(is_one));
            Some(())
        })
        .await?;
        Ok(found)
    }

    /// What refers to a digest: signatures, SBOMs, attestations. By the referrers API, and where there is none
    /// by the tag `sha256-<digest>` (distribution specification, "Listing Referrers").
    ///
    /// On a pull through cache this makes ECR fetch and keep them (AWS, "What's new", April 2026).
    ///
    /// # Errors
    /// [`Failure`]; that there are none is no failure.
    pub async fn referrers(&self, name: &Name, digest: &Digest) -> Result<Vec<Descriptor>, Failure> {
        let mut found: Vec<Descriptor> = Vec::new();
        let accept = "application/vnd.oci.image.index.v1+json";
        let result = self
            .pages(name, format!("referrers/{digest}"), accept, |answer| {
                let page: ImageIndex = serde_json::from_slice(&answer.body).ok()?;
                found.extend(page.manifests().iter().cloned());
                Some(())
            })
            .await;
        match result {
            Ok(()) => return Ok(found),
            // Registries without the API answer as for any path that they do not know.
            Err(failure) if matches!(failure.detail().status, Some(400 | 404 | 405 | 406)) => {}
            Err(Failure::Broken(_, Broken::Json)) => {}
            Err(failure) => return Err(failure),
        }
        let tag = format!("{}-{}", digest.algorithm(), digest.encoded());
        let Some(at) = Location::parse(&format!("{name}:{tag}")).ok() else { return Ok(Vec::new()) };
        match self.manifest(&at).await {
            Ok(manifest) => Ok(match manifest.content {
                Content::Index(index) => index.manifests().clone(),
                Content::Image(_) => Vec::new(),
            }),
            Err(Failure::NotFound(_)) => Ok(Vec::new()),
            Err(failure) => Err(failure),
        }
    }

    async fn pages(
        &self,
        name: &Name,
        first: String,
        accept: &str,
        mut read: impl FnMut(&Answer) -> Option<()>,
    ) -> Result<(), Failure> {
        let broken =
            |kind, text: &str| Failure::Broken(Detail::of(&name.host, &name.path).saying(text), kind);
        let mut path = first;
        let mut seen = Vec::new();
        for _ in 0..PAGES_MAX {
            let call = Call {
                name,
                method: Method::GET,
                path: path.clone(),
                accept,
                reading: Reading::Keep(PAGE_MAX),
            };
            let answer = self.inner.ask(&call).await?;
            read(&answer).ok_or_else(|| broken(Broken::Json, "the list is not valid JSON"))?;
            let Some(next) = next_page(&answer.headers) else { return Ok(()) };
            let list = path.split('?').next().unwrap_or_default().to_owned();
            let query = below(&answer.url, &next, &name.path, &list)
                .ok_or_else(|| broken(Broken::Redirect, "the next page is not of this repository"))?;
            seen.push(std::mem::replace(&mut path, format!("{list}?{query}")));
            if seen.contains(&path) {
                return Err(broken(Broken::Redirect, "the next page is one that was read"));
            }
        }
        Err(broken(Broken::TooLarge, "more pages than are read"))
    }
}

/// The target of `rel="next"`.
fn next_page(headers: &HeaderMap) -> Option<String> {
    headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok()).find_map(|text| {
        // Targets may hold commas, so links are distinguished by their brackets.
        text.split('<').skip(1).find_map(|link| {
            let (target, parameters) = link.split_once('>')?;
            let is_next = parameters.split([';', ',']).any(|parameter| {
                let parameter = parameter.trim().to_ascii_lowercase();
                parameter.strip_prefix("rel=").is_some_and(|rel| rel.trim_matches('"') == "next")
            });
            is_next.then(|| target.to_owned())
        })
    })
}

/// The query of a link, when it leads to the same list of the same repository at the same place.
fn below(from: &Url, link: &str, repository: &str, list: &str) -> Option<String> {
    let next = from.join(link).ok()?;
    let same = next.origin() == from.origin() && next.path().ends_with(&format!("/v2/{repository}/{list}"));
    if same { next.query().map(str::to_owned) } else { None }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_next_page() {
        let of = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(LINK, text.parse().unwrap());
            next_page(&headers)
        };
        let next = Some("/v2/a/tags/list?last=b,c&n=2".to_owned());
        assert_eq!(of(r#"</v2/a/tags/list?last=b,c&n=2>; rel="next""#), next);
        assert_eq!(of("</v2/a/tags/list?last=b,c&n=2>;REL=next"), next);
        assert_eq!(of(r#"</first>; rel="first", </v2/a/tags/list?last=b,c&n=2>; rel="next""#), next);
        assert_eq!(of(r#"</first>; rel="first""#), None);
        assert_eq!(of("nonsense"), None);
        assert_eq!(of("<open"), None);
    }

    #[test]
    fn stays_in_the_repository() {
        let from = Url::parse("https://ghcr.io/v2/a/b/tags/list?n=1").unwrap();
        for (link, query) in [
            ("/v2/a/b/tags/list?last=x", Some("last=x")),
            ("?last=x", Some("last=x")),
            ("https://ghcr.io/v2/a/b/tags/list?last=x", Some("last=x")),
            ("https://evil.example/v2/a/b/tags/list?last=x", None),
            ("http://ghcr.io/v2/a/b/tags/list?last=x", None),
            ("//evil.example/v2/a/b/tags/list?last=x", None),
            ("/v2/other/tags/list?last=x", None),
        ] {
            assert_eq!(below(&from, link, "a/b", "tags/list").as_deref(), query, "{link}");
        }
    }
}
