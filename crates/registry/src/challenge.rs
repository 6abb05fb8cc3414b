//! `WWW-Authenticate`: what a registry wants to see before it answers.
//!
//! The grammar is that of RFC 9110, section 11.6.1: several challenges may stand in one header, separated by
//! the same commas as their parameters. Bearer parameters are those of RFC 6750, section 3, and of the
//! distribution project's token specification (`realm`, `service`, `scope`).

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// What one 401 asks for; Bearer is taken where both are offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A user and a password with every request (ECR, htpasswd).
    Basic,
    /// A token that `realm` hands out.
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
}

/// What the headers of a 401 ask for; `None` where it is nothing that this client can give.
pub(super) fn challenge(headers: &HeaderMap) -> Option<Challenge> {
    let mut basic = None;
    for value in headers.get_all(WWW_AUTHENTICATE) {
        let Ok(text) = value.to_str() else { continue };
        for (scheme, parameters) in challenges(text) {
            let get = |name: &str| {
                parameters
                    .iter()
                    .find(|(key, _)| key.eq_ignore_ascii_case(name))
                    .map(|(_, value)| value.clone())
            };
            if scheme.eq_ignore_ascii_case("bearer")
                && let Some(realm) = get("realm")
            {
                return Some(Challenge::Bearer { realm, service: get("service"), scope: get("scope") });
            }
            if scheme.eq_ignore_ascii_case("basic") {
                basic = Some(Challenge::Basic);
            }
        }
    }
    basic
}

/// The scope that a pull from `repository` takes. A challenge may name a placeholder (ghcr.io, on `/v2/`), or
/// more than reading (`pull,push`), which some servers then refuse to hand out.
pub(super) fn pull_scope(repository: &str) -> String {
    format!("repository:{repository}:pull")
}

type Parsed = (String, Vec<(String, String)>);

/// Schemes with their parameters. What does not follow the grammar is left out.
fn challenges(text: &str) -> Vec<Parsed> {
    let mut found: Vec<Parsed> = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let (word, after) = token(rest);
        if word.is_empty() {
            // Neither a scheme nor a name: skip to the next comma.
            match rest.split_once(',') {
                Some((_, after)) => rest = after,
                None => return found,
            }
            continue;
        }
        let after_spaces = after.trim_start_matches([' ', '\t']);
        match after_spaces.strip_prefix('=') {
            // A name with a value belongs to the scheme before it.
            Some(after) => {
                let (value, after) = value(after.trim_start_matches([' ', '\t']));
                if let Some((_, parameters)) = found.last_mut() {
                    parameters.push((word.to_owned(), value));
                }
                rest = after;
            }
            None => {
                found.push((word.to_owned(), Vec::new()));
                rest = after_spaces;
            }
        }
    }
}

/// A token of RFC 9110, section 5.6.2, and what follows.
fn token(text: &str) -> (&str, &str) {
    let end = text
        .find(|c: char| !c.is_ascii_alphanumeric() && !"!#$%&'*+-.^_`|~".contains(c))
        .unwrap_or(text.len());
    text.split_at(end)
}

/// A quoted string with its escapes undone, or everything up to the next comma or space.
fn value(text: &str) -> (String, &str) {
    let Some(inner) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        let (value, rest) = text.split_at(end);
        return (value.to_owned(), rest);
    };
    let mut value = String::new();
    let mut chars = inner.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (value, inner.get(at + 1..).unwrap_or_default()),
            '\\' => value.extend(chars.next().map(|(_, c)| c)),
            _ => value.push(c),
        }
    }
    (value, "")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn of(values: &[&str]) -> Option<Challenge> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(WWW_AUTHENTICATE, value.parse().unwrap());
        }
        challenge(&headers)
    }

    fn bearer(realm: &str, service: Option<&str>, scope: Option<&str>) -> Option<Challenge> {
        Some(Challenge::Bearer {
            realm: realm.to_owned(),
            service: service.map(str::to_owned),
            scope: scope.map(str::to_owned),
        })
    }

    #[test]
    fn of_real_registries() {
        let ghcr =
            r#"Bearer realm="https://ghcr.io/token",service="ghcr.io",scope="repository:user/image:pull""#;
        assert_eq!(
            of(&[ghcr]),
            bearer("https://ghcr.io/token", Some("ghcr.io"), Some("repository:user/image:pull"))
        );
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/a:pull,push",error="insufficient_scope""#;
        assert_eq!(
            of(&[hub]),
            bearer(
                "https://auth.docker.io/token",
                Some("registry.docker.io"),
                Some("repository:library/a:pull,push")
            )
        );
        let ecr = r#"Basic realm="https://123456789012.dkr.ecr.us-east-1.amazonaws.com/",service="ecr.amazonaws.com""#;
        assert_eq!(of(&[ecr]), Some(Challenge::Basic));
    }

    #[test]
    fn of_any_shape() {
        for (values, expected) in [
            (vec![], None),
            (vec![""], None),
            (vec![",,, ="], None),
            (vec!["Negotiate"], None),
            (vec!["Negotiate abc==, basic realm=x"], Some(Challenge::Basic)),
            (vec!["Basic"], Some(Challenge::Basic)),
            (vec!["Basic realm=\"a, Bearer realm=b\""], Some(Challenge::Basic)),
            (vec!["Bearer"], None),
            (vec!["Bearer service=x"], None),
            (vec!["BEARER Realm = \"r\" , SERVICE=s"], bearer("r", Some("s"), None)),
            (vec!["Basic realm=\"x\", Bearer realm=\"r\""], bearer("r", None, None)),
            (vec!["Basic realm=\"x\"", "Bearer realm=\"r\",scope=\"a b\""], bearer("r", None, Some("a b"))),
            (vec!["Bearer realm=\"a\\\"b\\\\c\""], bearer("a\"b\\c", None, None)),
            (vec!["Bearer realm=\"open"], bearer("open", None, None)),
            (vec!["Bearer realm=\"open\\"], bearer("open", None, None)),
        ] {
            assert_eq!(of(&values), expected, "{values:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn of_anything(text in r#"(Bearer|Basic|realm|scope|=|,|"|\\\\| |[!-~]){0,40}"#) {
            let found = challenges(&text);
            proptest::prop_assert!(found.iter().all(|(scheme, _)| !scheme.is_empty()));
        }
    }
}
