//! Blobs: layers and configurations, most of them read for the sake of having been read.

use reqwest::Method;

use super::client::Client;
use super::digest::{Algorithm, digest_of};
use super::exchange::Call;
use super::failure::{Broken, Detail, Failure};
use super::login::HOST_MAX;
use super::settings::authority;
use super::transport::Reading;
use pullthru_core::image::{Digest, Name};

/// The longest blob that is kept: an image's configuration.
const SMALL_MAX: usize = 4 * 1024 * 1024;

/// A blob that was read and whose digest is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlobRead {
    /// Its length in bytes.
    pub size: u64,
    /// The host that it came from in the end: a first pull through a cache may be sent to the upstream's own
    /// storage, which nodes without internet cannot reach.
    pub from: String,
}

impl Client {
    /// Reads a blob to its end, hashed and thrown away.
    ///
    /// # Errors
    /// [`Failure`]; [`Failure::Broken`] when the bytes are not those of the digest.
    pub async fn blob(&self, name: &Name, digest: &Digest) -> Result<BlobRead, Failure> {
        let algorithm = checkable(name, digest)?;
        let answer = self.inner.ask(&call(name, digest, Reading::Hash(algorithm))).await?;
        let Some((size, actual)) = answer.hashed else {
            return Err(broken(name, Broken::Protocol, "no blob"));
        };
        same(name, &actual, digest)?;
        Ok(BlobRead { size, from: self.inner.scrub.quote(&authority(&answer.url), HOST_MAX) })
    }

    /// A blob that is small enough to be kept.
    pub(super) async fn small_blob(&self, name: &Name, digest: &Digest) -> Result<Vec<u8>, Failure> {
        self.blob_bytes(name, digest, SMALL_MAX).await
    }

    /// A blob of at most `limit` bytes, whose digest is right.
    ///
    /// # Errors
    /// [`Failure`]; [`Failure::Broken`] when the bytes are more, or not those of the digest.
    pub async fn blob_bytes(&self, name: &Name, digest: &Digest, limit: usize) -> Result<Vec<u8>, Failure> {
        let algorithm = checkable(name, digest)?;
        let answer = self.inner.ask(&call(name, digest, Reading::Keep(limit))).await?;
        same(name, &digest_of(algorithm, &answer.body), digest)?;
        Ok(answer.body)
    }
}

fn call<'a>(name: &'a Name, digest: &Digest, reading: Reading) -> Call<'a> {
    Call { name, method: Method::GET, path: format!("blobs/{digest}"), accept: "*/*", reading }
}

fn checkable(name: &Name, digest: &Digest) -> Result<Algorithm, Failure> {
    Algorithm::of(digest)
        .ok_or_else(|| broken(name, Broken::Digest, &format!("`{}` cannot be checked", digest.algorithm())))
}

fn same(name: &Name, actual: &Digest, expected: &Digest) -> Result<(), Failure> {
    if actual == expected {
        return Ok(());
    }
    Err(broken(name, Broken::Digest, &format!("the blob has the digest `{actual}`, not `{expected}`")))
}

fn broken(name: &Name, kind: Broken, text: &str) -> Failure {
    Failure::Broken(Detail::of(&name.host, &name.path).saying(text), kind)
}
