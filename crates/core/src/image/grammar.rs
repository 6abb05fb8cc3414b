//! The character rules of image references, as predicates over text.
//!
//! They are those of github.com/distribution/reference (`regexp.go`, and `splitDockerDomain` of
//! `normalize.go`), which Docker, containerd and the kubelet share. [`super::Reference`] is their main
//! caller; the routes use them for repository prefixes.

/// The longest repository path, in bytes, that distribution reads (`RepositoryNameTotalLengthMax`).
pub const REPOSITORY_MAX: usize = 255;

/// Would the first path component `text` be read as a registry, and is it one?
///
/// Docker's rule (`splitDockerDomain`): it holds a `.` or a `:`, is `localhost`, is a bracketed IPv6 address,
/// or has an upper-case letter, which no repository may have. So in `MyOrg/app` the first part is a host.
pub fn is_host(text: &str) -> bool {
    is_taken_for_host(text) && is_host_and_port(text)
}

/// Docker's decision alone: the text may still be no valid host.
pub(super) fn is_taken_for_host(text: &str) -> bool {
    text == "localhost" || text.contains(['.', ':']) || text.chars().any(char::is_uppercase)
}

/// `host` or `host:port`, where the host is a domain name, an IPv4 address or a bracketed IPv6 address.
fn is_host_and_port(text: &str) -> bool {
    let (host_ok, after) = match text.strip_prefix('[').map(|rest| rest.split_once(']')) {
        Some(Some((address, after))) => {
            let hex = address.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':');
            (!address.is_empty() && hex, after)
        }
        Some(None) => return false,
        None => {
            let (name, after) = text.split_at(text.find(':').unwrap_or(text.len()));
            (name.split('.').all(is_domain_component), after)
        }
    };
    host_ok
        && (after.is_empty()
            || after
                .strip_prefix(':')
                .is_some_and(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())))
}

/// `[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]`
fn is_domain_component(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Is `text` a repository path: one or more components between single slashes? The length is not looked at.
pub fn is_repository(text: &str) -> bool {
    text.split('/').all(is_path_component)
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_path_component(text: &str) -> bool {
    let mut rest = text;
    loop {
        let after = rest.trim_start_matches(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit());
        if after.len() == rest.len() {
            return false;
        }
        if after.is_empty() {
            return true;
        }
        rest = after.trim_start_matches(['.', '_', '-']);
        let separator = after.strip_suffix(rest).unwrap_or(after);
        let separates = matches!(separator, "." | "_" | "__")
            || (!separator.is_empty() && separator.bytes().all(|byte| byte == b'-'));
        if !separates {
            return false;
        }
    }
}

/// `[\w][\w.-]{0,127}`
pub fn is_tag(text: &str) -> bool {
    text.len() <= 128
        && !text.is_empty()
        && !text.starts_with(['.', '-'])
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-'))
}

/// 64 hexadecimal digits: Docker reads them as an image id and refuses them as a name.
pub(super) fn is_identifier(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        for host in [
            "ghcr.io",
            "localhost",
            "localhost:5000",
            "registry:5000",
            "10.0.0.1:5000",
            "a-b.c",
            "[::1]",
            "[2001:db8::1]:443",
            "GHCR.io",
            "MyOrg",
            "123456789012.dkr.ecr.ca-central-1.amazonaws.com",
        ] {
            assert!(is_host(host), "{host}");
        }
        for host in [
            "",
            "ghcr",
            "library",
            ".",
            "a..b",
            "a.",
            ".a",
            "-a.b",
            "a-.b",
            "a_b.c",
            "a.b:",
            "a.b:x",
            "a.b:1:2",
            "[]",
            "[::1",
            "[::1]5000",
            "[::1]:",
            "[::g]",
            "::1",
            "${HOST}",
            "a b.c",
            "É.fr",
            "https:",
        ] {
            assert!(!is_host(host), "{host}");
        }
    }

    #[test]
    fn repositories() {
        for path in
            ["a", "0", "a/b/c", "a.b", "a_b", "a__b", "a-b", "a---b", "llama.cpp", "wyoming_openai/x-1.2"]
        {
            assert!(is_repository(path), "{path}");
        }
        for path in [
            "", "/", "a/", "/a", "a//b", "A", "a..b", "a___b", "a._b", "a-_b", "-a", "a-", ".a", "a.", "_a",
            "a:b", "a b", "é",
        ] {
            assert!(!is_repository(path), "{path}");
        }
    }

    #[test]
    fn tags() {
        for tag in ["1", "v1.2.3", "_x", "Latest", "a-b_c.d", &"a".repeat(128)] {
            assert!(is_tag(tag), "{tag}");
        }
        for tag in ["", ".a", "-a", "a+b", "a/b", "é", "${TAG}", &"a".repeat(129)] {
            assert!(!is_tag(tag), "{tag}");
        }
    }
}
