//! Tokens of upstreams: where they are read from, and what is wrong with some at first sight.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use crate::resource::Secret;
use pullthru_core::config::TokenSource;

/// A token; it prints as `***`.
pub type Token = pullthru_registry::Secret;

/// What goes into each secret, by its name.
#[derive(Clone, Debug, Default)]
pub struct Tokens(pub BTreeMap<String, (String, Token)>);

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("the environment variable `{variable}` for the token of `{credential}` is not set")]
    NoVariable { credential: String, variable: String },
    #[error("the token of `{credential}` cannot be read from `{}`: {error}", path.display())]
    File { credential: String, path: PathBuf, error: std::io::Error },
    #[error("the token of `{credential}` cannot be read from standard input: {error}")]
    Stdin { credential: String, error: std::io::Error },
    #[error("two tokens are to be read from standard input: those of `{first}` and `{second}`")]
    TwoFromStdin { first: String, second: String },
    #[error("there is nobody to ask for the token of `{credential}`: this is no terminal")]
    NoTerminal { credential: String },
    #[error("the token of `{credential}` is empty, or more than one line")]
    Shape { credential: String },
    #[error("no user name is configured for the login `{credential}` at {upstream}")]
    NoUsername { credential: String, upstream: String },
    #[error("the token of `{credential}` is {what}: {upstream} does not take it for packages")]
    Kind { credential: String, upstream: String, what: &'static str },
}

impl TokenError {
    /// What to do about it.
    pub fn help(&self) -> String {
        match self {
            TokenError::NoVariable { variable, .. } => format!("export {variable}=…, or name another source in `token:`"),
            TokenError::File { .. } => "name a file that holds the token and nothing else".to_owned(),
            TokenError::Stdin { .. } => "give the token on standard input".to_owned(),
            TokenError::TwoFromStdin { .. } => "name an environment variable or a file for one of them".to_owned(),
            TokenError::NoTerminal { credential } => format!(
                "set {}, or `token: {{ env: NAME }}`, `{{ file: PATH }}` or `stdin` for the credential",
                variable_for(credential)
            ),
            TokenError::Shape { .. } => "give one line that is the token".to_owned(),
            TokenError::NoUsername { credential, .. } => {
                format!("add `provision: {{ credentials: {{ {credential}: {{ username: … }} }} }}`")
            }
            TokenError::Kind { .. } => {
                "make a classic personal access token with `read:packages` (GitHub: Settings, Developer settings)"
                    .to_owned()
            }
        }
    }
}

/// The variable that is looked at where none is named: `GHCR_TOKEN` for `ghcr`.
pub(super) fn variable_for(credential: &str) -> String {
    let name = credential.to_uppercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    format!("{name}_TOKEN")
}

impl Tokens {
    /// Reads the tokens of `secrets`, all or none. `base` is what relative paths are relative to.
    ///
    /// # Errors
    /// The first that cannot be had, or that its upstream will not take.
    pub fn read(secrets: &[&Secret], base: &Path) -> Result<Tokens, TokenError> {
        let mut stdin: Option<&str> = None;
        for secret in secrets.iter().filter(|secret| secret.token == Some(TokenSource::Stdin)) {
            if let Some(first) = stdin.replace(&secret.credential) {
                let (first, second) = (first.to_owned(), secret.credential.clone());
                return Err(TokenError::TwoFromStdin { first, second });
            }
        }
        let mut tokens = Tokens::default();
        for secret in secrets {
            let credential = secret.credential.clone();
            let Some(username) = secret.username.clone() else {
                let upstream = secret.upstream.clone();
                return Err(TokenError::NoUsername { credential, upstream });
            };
            let text = one_line(&read(secret, base)?).map(str::to_owned);
            let text = text.ok_or_else(|| TokenError::Shape { credential: credential.clone() })?;
            if let Some(what) = wrong_kind(&secret.upstream, &text) {
                return Err(TokenError::Kind { credential, upstream: secret.upstream.clone(), what });
            }
            tokens.0.insert(secret.name.clone(), (username, Token::new(text)));
        }
        Ok(tokens)
    }
}

fn read(secret: &Secret, base: &Path) -> Result<String, TokenError> {
    let credential = secret.credential.clone();
    match &secret.token {
        Some(TokenSource::Env(variable)) => std::env::var(variable)
            .map_err(|_| TokenError::NoVariable { credential, variable: variable.clone() }),
        Some(TokenSource::File(path)) => {
            let path = base.join(path);
            std::fs::read_to_string(&path).map_err(|error| TokenError::File { credential, path, error })
        }
        Some(TokenSource::Stdin) => {
            let mut text = String::new();
            let read = std::io::stdin().lock().take(64 * 1024).read_to_string(&mut text);
            read.map(|_| text).map_err(|error| TokenError::Stdin { credential, error })
        }
        Some(TokenSource::Prompt) => ask(secret),
        None => match std::env::var(variable_for(&credential)) {
            Ok(text) => Ok(text),
            Err(_) => ask(secret),
        },
    }
}

/// Asks on the terminal, without echo.
fn ask(secret: &Secret) -> Result<String, TokenError> {
    let credential = secret.credential.clone();
    if !std::io::stdin().is_terminal() {
        return Err(TokenError::NoTerminal { credential });
    }
    let question = format!("Token of {credential} for {}: ", secret.upstream);
    rpassword::prompt_password(question).map_err(|error| TokenError::Stdin { credential, error })
}

fn one_line(text: &str) -> Option<&str> {
    let text = text.trim();
    let plain = !text.is_empty() && text.chars().all(|c| !c.is_control());
    plain.then_some(text)
}

/// What a token is that its upstream will not take: fine-grained tokens and those of GitHub Apps do not read packages
/// (GitHub documentation, "Working with the Container registry").
pub(super) fn wrong_kind(upstream: &str, token: &str) -> Option<&'static str> {
    if upstream != "ghcr.io" {
        return None;
    }
    if token.starts_with("github_pat_") {
        return Some("a fine-grained personal access token");
    }
    if token.starts_with("ghs_") || token.starts_with("ghu_") {
        return Some("a token of a GitHub App");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_and_lines() {
        assert_eq!(variable_for("docker-hub"), "DOCKER_HUB_TOKEN");
        assert_eq!(one_line(" ghp_x\r\n"), Some("ghp_x"));
        assert_eq!(one_line("a\nb"), None);
        assert_eq!(one_line(" \n"), None);
    }

    #[test]
    fn what_ghcr_does_not_take() {
        assert!(wrong_kind("ghcr.io", "github_pat_11AAAA").is_some());
        assert!(wrong_kind("ghcr.io", "ghs_x").is_some());
        assert_eq!(wrong_kind("ghcr.io", "ghp_x"), None);
        assert_eq!(wrong_kind("docker.io", "github_pat_x"), None);
    }
}
