//! Patterns of texts, as policies, tag filters and the faults here have them.

/// Does `text` match `pattern`, in which `*` stands for any run of characters and `?` for one?
pub fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut at, mut from, mut star, mut mark) = (0, 0, None, 0);
    while let Some(letter) = text.get(at) {
        match pattern.get(from) {
            Some('*') => {
                star = Some(from);
                mark = at;
                from += 1;
            }
            Some(wanted) if *wanted == '?' || wanted == letter => {
                at += 1;
                from += 1;
            }
            _ => match star {
                Some(star) => {
                    from = star + 1;
                    mark += 1;
                    at = mark;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(from).all(|left| *left == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards() {
        for (pattern, text) in [
            ("*", ""),
            ("*", "/v2/"),
            ("ecr:*", "ecr:Get"),
            ("a?c*", "abc"),
            ("*/x/*", "a/x/b"),
            ("*a", "aa"),
            ("a*a", "aa"),
            ("/v2/*/manifests/*", "/v2/a/b/manifests/v1"),
            ("/token", "/token"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("ecr:*", "ec2:Get"),
            ("a?", "a"),
            ("a", "ab"),
            ("*b", "ba"),
            ("a*a", "a"),
            ("/token", "/token/"),
            ("/v2/*/manifests/*", "/v2/a/blobs/x"),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }
}
