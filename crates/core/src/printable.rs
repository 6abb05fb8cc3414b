//! Texts of others in one line, without what a terminal obeys or hides.

/// Does a character reorder, hide or break what stands around it, and is not seen itself (bidirectional and zero-width
/// formatting, separators, tags)?
pub fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// `text` in one line of at most `max` characters, without control characters and without those that reorder
/// or hide what stands around them (bidirectional and zero-width formatting).
pub fn printable(text: &str, max: usize) -> String {
    let mut out = String::new();
    let mut count = 0;
    // Bounded before it is looked at: a body may be all blanks.
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    'words: for (index, word) in words.enumerate() {
        if index > 0 {
            out.push(' ');
            count += 1;
        }
        for c in word.chars().filter(|c| !is_invisible(*c)) {
            if count >= max {
                out.push('…');
                break 'words;
            }
            out.push(c);
            count += 1;
        }
    }
    out
}
