//! Words within scalars are replaced: only they change, the tree stays, and the inverse restores the text.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pullthru_core::yaml::{self, Edit, Span, Stream, edit};

/// One word in each scalar that `chosen` has a bit for.
fn plan(stream: &Stream<'_>, chosen: u64) -> Vec<Edit> {
    let mut edits = Vec::new();
    for (number, &id) in stream.scalars().iter().enumerate() {
        let Some(content) = stream.content(id).filter(|_| chosen >> (number % 64) & 1 == 1) else { continue };
        let Some(start) = content.text.find(|c: char| c.is_ascii_alphabetic()) else { continue };
        let word = content.text[start..].bytes().take_while(u8::is_ascii_alphanumeric).count();
        if let Some(span) = content.map.outer(Span::new(start, start + word)) {
            edits.push(Edit { span, text: "cache.example/prefix".to_owned() });
        }
    }
    edits
}

fuzz_target!(|input: (u64, &str)| {
    let (chosen, text) = input;
    let stream = yaml::parse(text);
    let edits = plan(&stream, chosen);
    let new = edit::apply(text, &edits).expect("words of different scalars do not overlap");
    assert_eq!(
        new.len() + edits.iter().map(|edit| edit.span.len()).sum::<usize>(),
        text.len() + edits.len() * 20
    );
    let back = edit::inverse(text, &edits).expect("the edits were applied");
    assert_eq!(edit::apply(&new, &back).as_deref(), Ok(text));
    assert_eq!(edit::verify(&stream, &new, &edits), Ok(()), "{text:?} {new:?}");
    assert_eq!(edit::verify(&yaml::parse(&new), text, &back), Ok(()));
});
