//! Spans lie in the text, decoded words lead back to their bytes, and no edit is an edit.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pullthru_core::yaml::{self, Span};

fuzz_target!(|text: &str| {
    let stream = yaml::parse(text);
    for (id, node) in stream.nodes() {
        assert!(text.get(node.span.range()).is_some());
        let Some(content) = stream.content(id) else { continue };
        for (at, word) in content.text.match_indices(|c: char| c.is_ascii_alphanumeric()) {
            if let Some(outer) = content.map.outer(Span::new(at, at + word.len())) {
                assert_eq!(outer.slice(text), word);
            }
        }
    }
    for error in &stream.errors {
        assert!(text.get(error.lost.range()).is_some());
    }
    for pair in stream.errors.windows(2) {
        assert!(pair[0].lost.end <= pair[1].lost.start);
    }
    for document in &stream.documents {
        assert!(document.root.is_none_or(|root| stream.node(root).is_some_and(|node| node.parent.is_none())));
    }
    assert_eq!(yaml::edit::verify(&stream, text, &[]), Ok(()));
});
