//! One entry of `images:` and one image.

use regex::Regex;

use crate::find::{ImageEntry, split};

/// An entry, ready to be applied.
#[derive(Clone, Debug)]
pub struct Transformer {
    entry: ImageEntry,
    /// `None` for a name that is no regular expression: kustomize stops at it.
    pattern: Option<Regex>,
}

impl Transformer {
    pub fn new(entry: &ImageEntry) -> Transformer {
        // `IsImageMatched` of image.go, letter for letter. A tag with `$` in it is not matched.
        let pattern =
            Regex::new(&format!("^{}(:[a-zA-Z0-9_.{{}}-]*)?(@sha256:[a-zA-Z0-9_.{{}}-]*)?$", entry.name));
        Transformer { entry: entry.clone(), pattern: pattern.ok() }
    }

    pub fn matches(&self, image: &str) -> bool {
        self.pattern.as_ref().is_some_and(|pattern| pattern.is_match(image))
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
pub fn is_matchable(tail: &str) -> bool {
    let rest = |text: &str| {
        text.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || "_.{}-".contains(c)).len()
    };
    let tag = tail.strip_prefix(':').unwrap_or(tail);
    let after = if tag.len() == tail.len() { tail } else { tail.get(tail.len() - rest(tag)..).unwrap_or("") };
    after.is_empty() || after.strip_prefix("@sha256:").is_some_and(|digest| rest(digest) == 0)
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
        for tail in ["", ":1", ":", ":{tag}", "@sha256:0", ":1@sha256:0"] {
            assert!(is_matchable(tail), "{tail}");
        }
        for tail in [":${TAG}", ":1-${TAG}", "@sha256:${DIGEST}", ":1@${DIGEST}"] {
            assert!(!is_matchable(tail), "{tail}");
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
