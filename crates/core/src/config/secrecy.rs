//! Errors of a configuration into which somebody wrote a token: they say the line, and do not draw it.

use super::ConfigError;
use super::provision::{NO_LITERAL, looks_like_token};

/// May what an error draws or repeats hold a token that somebody wrote into the file?
pub(super) fn secret_may_show(text: &str, error: &ConfigError) -> bool {
    // The line itself, and its neighbours, which are drawn too.
    let at = error.place.map_or(0, |place| place.offset());
    let before = text.get(..at).unwrap_or_default().matches('\n').count();
    let mut near = text.lines().skip(before.saturating_sub(1)).take(3);
    error.message.contains(NO_LITERAL)
        || near.any(|line| {
            let line = line.to_lowercase();
            let key = line.split(':').next().unwrap_or_default();
            ["password", "token"].iter().any(|word| key.contains(word))
                || line.split(|c: char| c.is_whitespace() || "\"':,{".contains(c)).any(looks_like_token)
        })
}

/// The error with the number of its line instead of the line.
pub(super) fn without_line(text: &str, error: ConfigError) -> ConfigError {
    let at = error.place.map_or(0, |place| place.offset());
    let line = text.get(..at).unwrap_or_default().matches('\n').count() + 1;
    let message = match error.message.contains(NO_LITERAL) {
        true => format!("line {line}: {NO_LITERAL}"),
        false => format!("line {line} is not understood; it is not shown, since it may hold a secret"),
    };
    let help = "a credential takes `secret`, `arn`, `username`, `token`, `recovery-window-days` and `tags`; name where \
                the token is: `token: { env: GHCR_TOKEN }`, `{ file: PATH }`, `stdin` or `prompt`";
    ConfigError { message, help: Some(help.to_owned()), source_code: None, place: None }
}
