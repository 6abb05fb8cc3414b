//! One entry of `images:` and one image.

use regex::{Regex, RegexBuilder};

use crate::kustomization::{ImageEntry, is_pattern, split};

/// An entry, ready to be applied.
#[derive(Clone, Debug)]
pub struct Transformer {
    entry: ImageEntry,
    pattern: Pattern,
}

/// How a name is compared.
#[derive(Clone, Debug)]
enum Pattern {
    /// Dots are its only wildcards.
    Plain,
    Regex(Regex),
    /// It is no regular expression, at which kustomize stops, or one that is too large, see [`MAX_PATTERN`].
    Nothing,
}

/// Bytes that a compiled name may take. What a person writes takes a few thousand.
const MAX_PATTERN: usize = 1 << 19;

/// `IsImageMatched` of image.go, letter for letter. A tag with `$` in it is not matched.
fn compiled(name: &str) -> Result<Regex, regex::Error> {
    let pattern = format!("^{name}(:[a-zA-Z0-9_.{{}}-]*)?(@sha256:[a-zA-Z0-9_.{{}}-]*)?$");
    RegexBuilder::new(&pattern).size_limit(MAX_PATTERN).dfa_size_limit(MAX_PATTERN).build()
}

/// Is a name a pattern that takes more memory than is worth it? What it matches is not known then.
pub(crate) fn is_too_large(name: &str) -> bool {
    is_pattern(name) && matches!(compiled(name), Err(regex::Error::CompiledTooBig(_)))
}

impl Transformer {
    pub fn new(entry: &ImageEntry) -> Transformer {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/:@".contains(&byte);
        let pattern = if entry.name.bytes().all(plain) {
            Pattern::Plain
        } else {
            compiled(&entry.name).map_or(Pattern::Nothing, Pattern::Regex)
        };
        Transformer { entry: entry.clone(), pattern }
    }

    /// The name, where dots are its only wildcards.
    pub(super) fn plain_name(&self) -> Option<&str> {
        matches!(self.pattern, Pattern::Plain).then_some(self.entry.name.as_str())
    }

    pub fn matches(&self, image: &str) -> bool {
        match &self.pattern {
            Pattern::Plain if is_plain_text(image) => {
                let name = self.entry.name.as_str();
                let same = |(wanted, own): (u8, u8)| wanted == b'.' || wanted == own;
                image.get(name.len()..).is_some_and(is_matchable) && name.bytes().zip(image.bytes()).all(same)
            }
            Pattern::Plain => compiled(&self.entry.name).is_ok_and(|pattern| pattern.is_match(image)),
            Pattern::Regex(pattern) => pattern.is_match(image),
            Pattern::Nothing => false,
        }
    }

    /// `SetImageValue` of updater.go: the image afterwards, when the entry matches it.
    pub fn apply(&self, image: &str) -> Option<String> {
        if !self.matches(image) {
            return None;
        }
        let (name, mut tag, mut digest) = split(image);
        let mut new = self.entry.new_name.as_deref().unwrap_or(name).to_owned();
        let suffixed;
        match (&self.entry.new_tag, &self.entry.digest, &self.entry.tag_suffix) {
            (Some(new_tag), Some(new_digest), _) => (tag, digest) = (new_tag, new_digest),
            (Some(new_tag), None, _) => (tag, digest) = (new_tag, ""),
            (None, Some(new_digest), _) => (tag, digest) = ("", new_digest),
            (None, None, Some(suffix)) => {
                suffixed = format!("{tag}{suffix}");
                (tag, digest) = (&suffixed, "");
            }
            (None, None, None) => {}
        }
        if !tag.is_empty() {
            new = format!("{new}:{tag}");
        }
        if !digest.is_empty() {
            new = format!("{new}@{digest}");
        }
        Some(new)
    }
}

/// Can an entry match an image with this tag and digest? Not with a `$` in them, as Flux's variables have.
pub(crate) fn is_matchable(suffix: &str) -> bool {
    let rest = |text: &str| {
        text.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "_.{}-".contains(c)).len()
    };
    let tag = suffix.strip_prefix(':').unwrap_or(suffix);
    let after =
        if tag.len() == suffix.len() { suffix } else { suffix.get(suffix.len() - rest(tag)..).unwrap_or("") };
    after.is_empty() || after.strip_prefix("@sha256:").is_some_and(|digest| rest(digest) == 0)
}

/// One byte a character, and none that a dot does not match.
pub(super) fn is_plain_text(image: &str) -> bool {
    image.is_ascii() && !image.contains('\n')
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_tags_and_digests_are_separated_as_kustomize_does() {
        let cases = [
            ("a", ("a", "", "")),
            ("a:1", ("a", "1", "")),
            ("h:5/a", ("h:5/a", "", "")),
            ("h:5/a:1@sha256:0", ("h:5/a", "1", "sha256:0")),
            ("h/a@sha256:0", ("h/a", "", "sha256:0")),
        ];
        for (image, parts) in cases {
            assert_eq!(split(image), parts, "{image}");
        }
    }

    #[test]
    fn variables_are_matched_by_nothing() {
        for suffix in ["", ":1", ":", ":{tag}", "@sha256:0", ":1@sha256:0"] {
            assert!(is_matchable(suffix), "{suffix}");
        }
        for suffix in [":${TAG}", ":1-${TAG}", "@sha256:${DIGEST}", ":1@${DIGEST}"] {
            assert!(!is_matchable(suffix), "{suffix}");
        }
    }

    #[test]
    fn an_entry_overrides_what_it_names() {
        let text = |text: &str| Some(text.to_owned());
        let entry = |new_name: &str, new_tag: &str, digest: &str, suffix: &str| {
            let some = |value: &str| (!value.is_empty()).then(|| value.to_owned());
            Transformer::new(&ImageEntry {
                name: "h/a".to_owned(),
                new_name: some(new_name),
                new_tag: some(new_tag),
                digest: some(digest),
                tag_suffix: some(suffix),
                ..ImageEntry::default()
            })
        };
        assert_eq!(entry("", "2", "", "").apply("h/a:1@sha256:0"), text("h/a:2"));
        assert_eq!(entry("b", "", "", "").apply("h/a:1@sha256:0"), text("b:1@sha256:0"));
        assert_eq!(entry("", "", "sha256:1", "").apply("h/a:1"), text("h/a@sha256:1"));
        assert_eq!(entry("", "2", "sha256:1", "").apply("h/a"), text("h/a:2@sha256:1"));
        assert_eq!(entry("", "", "", "-x").apply("h/a:1@sha256:0"), text("h/a:1-x"));
        assert_eq!(entry("b", "", "", "").apply("h/ab:1"), None);
        assert_eq!(entry("b", "", "", "").apply("h/a:${TAG}"), None, "Flux's variables are not matched");
        let any = Transformer::new(&ImageEntry { name: "h/.*".to_owned(), ..ImageEntry::default() });
        assert!(any.matches("h/a/b:1") && !any.matches("i/h/a"));
        let broken = Transformer::new(&ImageEntry { name: "h/(".to_owned(), ..ImageEntry::default() });
        assert!(!broken.matches("h/("));
    }
}
