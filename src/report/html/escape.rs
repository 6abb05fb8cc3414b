//! Text as a page takes it: whatever files are called and say, it stays text.

use std::fmt::{self, Display, Formatter, Write};

use crate::report::finding::uri;

/// A text within an element or a quoted attribute. What would be an element is spelled out; what is not seen, or turns
/// the text around it (<https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters>), becomes `�`.
pub(super) struct Text<'a>(pub(super) &'a str);

impl Display for Text<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some(at) = rest.find(|c| spelled(c).is_some()) {
            let (before, from) = rest.split_at(at);
            f.write_str(before)?;
            let mut characters = from.chars();
            if let Some(text) = characters.next().and_then(spelled) {
                f.write_str(text)?;
            }
            rest = characters.as_str();
        }
        f.write_str(rest)
    }
}

fn spelled(character: char) -> Option<&'static str> {
    Some(match character {
        '&' => "&amp;",
        '<' => "&lt;",
        '>' => "&gt;",
        '"' => "&quot;",
        '\'' => "&#39;",
        '\u{61c}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}' => "\u{fffd}",
        character if character.is_control() => "\u{fffd}",
        _ => return None,
    })
}

/// The same for what is long between slashes: lines may break behind them.
pub(super) struct Path<'a>(pub(super) &'a str);

impl Display for Path<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for part in self.0.split_inclusive('/') {
            Text(part).fmt(f)?;
            if part.ends_with('/') {
                f.write_str("<wbr>")?;
            }
        }
        Ok(())
    }
}

/// The same with `backticks` as code, as messages of findings have them.
pub(super) struct Marked<'a>(pub(super) &'a str);

impl Display for Marked<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        while let Some((before, after)) = rest.split_once('`') {
            let Some((code, behind)) = after.split_once('`') else { break };
            write!(f, "{}<code>{}</code>", Text(before), Text(code))?;
            rest = behind;
        }
        Text(rest).fmt(f)
    }
}

/// A place in a file, with a link to it from the root of the repository.
pub(super) struct Link<'a> {
    pub(super) path: &'a str,
    pub(super) line: usize,
}

impl Display for Link<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (path, line) = (self.path, self.line);
        // Without the dot a path may look like an address: `javascript:x.yaml`.
        write!(f, "<a href=\"./{}#L{line}\">{}", uri(path), Path(path))?;
        write!(f, ":{line}</a>")
    }
}

/// What is escaped already, as a list where it is more than one.
pub(super) fn list(page: &mut String, items: impl IntoIterator<Item = String>) {
    let items: Vec<String> = items.into_iter().collect();
    if let [item] = items.as_slice() {
        page.push_str(item);
    } else if !items.is_empty() {
        let _ = write!(page, "<ul><li>{}</li></ul>", items.join("</li><li>"));
    }
}
