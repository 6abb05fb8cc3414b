//! Files by their URL: indexes and archives of chart repositories, which are plain HTTP servers. The same connections,
//! redirects, retries and limits as for registries, and their logins by host.

use pullthru_core::image::fold_host;
use reqwest::{Method, Url};

use super::client::Client;
use super::credential::Credential;
use super::failure::{Broken, Detail, Failure};
use super::login::plain_header;
use super::settings::authority;
use super::transport::{Reading, Request};

impl Client {
    /// GET of a file of at most `limit` bytes. It is sent the login of the variable for its host, else `login`; a redirect
    /// to another host gets none.
    ///
    /// # Errors
    /// [`Failure`]; [`Failure::NotFound`] when there is no such file.
    pub async fn file(
        &self,
        url: &str,
        login: Option<&Credential>,
        limit: usize,
    ) -> Result<Vec<u8>, Failure> {
        let wrong = |text: &str| Failure::Broken(Detail::of(&shown(url), "").saying(text), Broken::Protocol);
        let mut url = Url::parse(url).map_err(|_| wrong("it is no URL"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("only https:// and http:// are fetched"));
        }
        // A login in the address would be sent as one, and be seen in messages.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url.set_fragment(None);
        let host = fold_host(&authority(&url));
        let detail = Detail::of(&host, url.path().trim_start_matches('/'));
        let login = self.inner.credentials.of_variable(&host).or_else(|| login.cloned());
        login.iter().for_each(|login| self.inner.scrub.learn_login(login));
        let base = url.join("/").map_err(|_| wrong("it has no host"))?;
        let request = Request {
            method: Method::GET,
            base: &base,
            accept: "*/*",
            authorization: login.as_ref().and_then(plain_header),
            form: None,
            reading: Reading::Keep(limit),
            url: url.clone(),
        };
        let places = self.inner.limit(&url);
        let work = self.inner.send_with_retry(&places, &detail, &request);
        let answer = self.inner.in_time_at(&detail, work).await?;
        if answer.status.is_success() {
            return Ok(answer.body);
        }
        // A page for people says nothing here.
        let body = if answer.body.starts_with(b"{") { answer.body.as_slice() } else { b"" };
        Err(Failure::of_answer(detail, answer.status.as_u16(), body, &self.inner.scrub))
    }
}

/// A text that may be anything, without what may be a password.
fn shown(url: &str) -> String {
    url.split(['@', '?', '#']).next_back().unwrap_or_default().chars().take(100).collect()
}
