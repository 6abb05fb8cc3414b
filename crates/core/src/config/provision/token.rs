//! Where a token is read from; there is no form for the token itself, and an error about one never shows it.

use std::fmt;

use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Where a token is read from. There is no form for the token itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenSource {
    /// An environment variable.
    Env(String),
    /// A file that holds nothing else; a line end after it does not count.
    File(String),
    Stdin,
    /// A question on the terminal, without echo.
    Prompt,
}

/// What [`TokenSource`] is written as.
#[cfg(feature = "schema")]
#[derive(schemars::JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used")]
pub(super) enum TokenSchema {
    Env(String),
    File(String),
    Stdin,
    Prompt,
}

/// What the error for a token in the file says; a message with it never shows the line.
pub(in crate::config) const NO_LITERAL: &str = "a token is never written into the configuration";

impl<'de> Deserialize<'de> for TokenSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Forms;

        impl<'de> Visitor<'de> for Forms {
            type Value = TokenSource;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("`{ env: NAME }`, `{ file: PATH }`, `stdin` or `prompt`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<TokenSource, E> {
                match text {
                    "stdin" => Ok(TokenSource::Stdin),
                    "prompt" => Ok(TokenSource::Prompt),
                    // The text may be a token: it is not repeated.
                    _ => Err(E::custom(NO_LITERAL)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<TokenSource, A::Error> {
                let source = match map.next_entry::<String, String>()? {
                    Some((key, name)) if key == "env" && is_variable(&name) => TokenSource::Env(name),
                    Some((key, path)) if key == "file" && !path.is_empty() => TokenSource::File(path),
                    _ => return Err(de::Error::custom(NO_LITERAL)),
                };
                match map.next_key::<String>()? {
                    None => Ok(source),
                    Some(_) => Err(de::Error::custom(NO_LITERAL)),
                }
            }
        }

        deserializer.deserialize_any(Forms)
    }
}

/// The name of an environment variable, and no token by mistake.
fn is_variable(text: &str) -> bool {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let first = text.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
    first && text.bytes().all(is_name) && !looks_like_token(text)
}

/// Does the text begin as tokens of known kinds do?
pub(in crate::config) fn looks_like_token(text: &str) -> bool {
    const STARTS: [&str; 9] =
        ["ghp_", "gho_", "ghs_", "ghu_", "github_pat_", "glpat-", "gldt-", "dckr_pat_", "dckr_oat_"];
    STARTS.iter().any(|start| text.starts_with(start))
}
