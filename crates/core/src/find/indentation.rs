//! The nesting of a block-style YAML text, as its indentation tells it: the keys and dashes of a text, each with what
//! it stands in, without parsing.
//!
//! [`entries`] reads only what it understands to the last byte: plain, quoted and block scalars, flow style on one line,
//! comments, documents. Where a text has anything else (anchors, tags, tabs as indentation), or is no YAML, there are no
//! entries, and the text has to be parsed.

/// One key or dash of a text. A line such as `- name: x` has two.
pub(super) struct Entry<'t> {
    pub(super) line: usize,
    /// The key without its quotes; empty for a dash.
    pub(super) key: &'t str,
    pub(super) parent: Option<usize>,
    /// Nothing stands behind the colon or the dash: what is nested is a collection, or nothing.
    pub(super) bare: bool,
    /// First line behind the scalar that begins here.
    pub(super) scalar_end: usize,
    /// First line behind everything that is nested in it.
    pub(super) end: usize,
    /// The scalar is quoted, and goes on in the next line: a part of it is no YAML.
    pub(super) runs_on: bool,
    /// Of a key twice its column; a dash stands between the keys of its own column and those further in.
    level: usize,
}

/// The entries of each document.
pub(super) struct Entries<'t> {
    pub(super) all: Vec<Entry<'t>>,
    /// The first entry of each document.
    documents: Vec<usize>,
}

impl<'t> Entries<'t> {
    /// What stands at the root of each document.
    pub(super) fn documents(&self) -> impl Iterator<Item = Vec<&Entry<'t>>> + '_ {
        let ends = self.documents.iter().skip(1).copied().chain([self.all.len()]);
        self.documents.iter().zip(ends).map(|(&start, end)| {
            let entries = self.all.get(start..end).unwrap_or_default();
            entries.iter().filter(|entry| entry.parent.is_none()).collect()
        })
    }

    /// The entry that begins on a line, or on the last one before it that begins one: the innermost of them.
    pub(super) fn at(&self, line: usize) -> Option<usize> {
        self.all.partition_point(|entry| entry.line <= line).checked_sub(1)
    }

    /// The entry and those around it, from within.
    pub(super) fn around(&self, entry: usize) -> impl Iterator<Item = usize> + '_ {
        std::iter::successors(Some(entry), |&at| self.all.get(at)?.parent)
    }
}

/// `None` for a text that indentation does not tell.
pub(super) fn entries<'t>(lines: &[&'t str]) -> Option<Entries<'t>> {
    let mut reader = Reader {
        found: Entries { all: Vec::with_capacity(lines.len()), documents: vec![0] },
        open: Vec::new(),
        root: None,
        scalar: Scalar::Complete,
    };
    for (number, line) in lines.iter().enumerate() {
        reader.line(number, line)?;
    }
    if matches!(reader.scalar, Scalar::Quoted { .. }) {
        return None;
    }
    reader.close(0, lines.len())?;
    Some(reader.found)
}

/// A scalar that may go on in the next line.
enum Scalar {
    Complete,
    /// `indent` is that of its first line.
    Block {
        column: usize,
        indent: Option<usize>,
    },
    Quoted {
        column: usize,
        quote: u8,
    },
    /// Nothing may follow a comment.
    Plain {
        column: usize,
        commented: bool,
    },
}

struct Reader<'t> {
    found: Entries<'t>,
    /// The entries around the next one, each with the level of what is nested in it.
    open: Vec<(usize, Option<usize>)>,
    /// The level of the root's entries.
    root: Option<usize>,
    scalar: Scalar,
}

impl<'t> Reader<'t> {
    fn line(&mut self, number: usize, line: &'t str) -> Option<()> {
        let line = if number == 0 { line.trim_start_matches('\u{feff}') } else { line };
        let body = line.trim_end_matches([' ', '\t', '\r', '\n']);
        let indent = body.bytes().take_while(|byte| *byte == b' ').count();
        let content = body.get(indent..)?;
        if content.is_empty() || self.goes_on(number, indent, content)? || content.starts_with('#') {
            return Some(());
        }
        // No tab indents (YAML 1.2.2, section 6.1).
        if content.starts_with('\t') {
            return None;
        }
        if indent == 0 && (body.starts_with("---") || body.starts_with("...")) {
            return self.document(number, body.get(3..)?);
        }
        match content.strip_prefix('-').filter(|rest| rest.is_empty() || rest.starts_with(' ')) {
            Some(rest) => {
                let inner = rest.trim_start_matches(' ');
                let column = indent + content.len() - inner.len();
                if inner == "-" || inner.starts_with("- ") {
                    return None;
                }
                if is_blank(inner) {
                    return self.push(number, indent * 2 + 1, "", true);
                }
                match key(inner)? {
                    Some((key, value)) => {
                        self.push(number, indent * 2 + 1, "", true)?;
                        self.entry(number, column, column * 2, key, value)
                    }
                    None => self.entry(number, indent, indent * 2 + 1, "", inner),
                }
            }
            None => {
                let (key, value) = key(content)??;
                self.entry(number, indent, indent * 2, key, value)
            }
        }
    }

    /// Is the line a part of the scalar before it?
    fn goes_on(&mut self, number: usize, indent: usize, content: &str) -> Option<bool> {
        let goes_on = match &mut self.scalar {
            Scalar::Complete => return Some(false),
            Scalar::Block { column, indent: first } => match first {
                _ if indent <= *column => false,
                Some(first) if indent < *first => return None,
                _ => {
                    first.get_or_insert(indent);
                    true
                }
            },
            Scalar::Quoted { column, quote } => {
                if indent <= *column {
                    return None;
                }
                let (column, quote) = (*column, *quote);
                if let Some(after) = closed(content, quote) {
                    if !is_blank(after) {
                        return None;
                    }
                    self.scalar = Scalar::Plain { column, commented: true };
                }
                true
            }
            Scalar::Plain { column, .. } if indent <= *column => false,
            Scalar::Plain { commented, .. } if content.starts_with('#') => {
                *commented = true;
                return Some(true);
            }
            Scalar::Plain { commented: true, .. } => return None,
            Scalar::Plain { commented, .. } => {
                *commented = plain(content)?;
                true
            }
        };
        match self.found.all.last_mut() {
            Some(entry) if goes_on => entry.scalar_end = number + 1,
            _ => self.scalar = Scalar::Complete,
        }
        Some(goes_on)
    }

    fn document(&mut self, number: usize, behind: &str) -> Option<()> {
        if !is_blank(behind) {
            return None;
        }
        self.close(0, number)?;
        self.root = None;
        self.found.documents.push(self.found.all.len());
        Some(())
    }

    fn entry(&mut self, number: usize, column: usize, level: usize, key: &'t str, value: &str) -> Option<()> {
        if is_blank(value) {
            return self.push(number, level, key, true);
        }
        self.push(number, level, key, false)?;
        self.scalar = scalar(value, column)?;
        if let (Scalar::Quoted { .. }, Some(entry)) = (&self.scalar, self.found.all.last_mut()) {
            entry.runs_on = true;
        }
        Some(())
    }

    fn push(&mut self, line: usize, level: usize, key: &'t str, bare: bool) -> Option<()> {
        self.close(level, line)?;
        let index = self.found.all.len();
        let parent = self.open.last().map(|(entry, _)| *entry);
        // Nothing is nested in a scalar.
        if parent.and_then(|parent| self.found.all.get(parent)).is_some_and(|parent| !parent.bare) {
            return None;
        }
        let siblings = self.open.last_mut().map_or(&mut self.root, |(_, nested)| nested);
        if *siblings.get_or_insert(level) != level {
            return None;
        }
        self.open.push((index, None));
        let end = line + 1;
        self.found.all.push(Entry { line, key, parent, bare, scalar_end: end, end, runs_on: false, level });
        Some(())
    }

    /// Ends all entries of this level and deeper.
    fn close(&mut self, level: usize, line: usize) -> Option<()> {
        while let Some(&(top, _)) = self.open.last() {
            let entry = self.found.all.get_mut(top)?;
            if entry.level < level {
                break;
            }
            entry.end = line;
            self.open.pop();
        }
        Some(())
    }
}

/// Nothing, or a comment.
fn is_blank(text: &str) -> bool {
    let content = text.trim_start_matches([' ', '\t']);
    content.is_empty() || content.starts_with('#') && (content.len() < text.len() || text.starts_with('#'))
}

/// The key at the beginning, and what stands behind its colon; nothing where the text is a scalar. `None` where that
/// is not known.
fn key(content: &str) -> Option<Option<(&str, &str)>> {
    let split = |key: &'_ str, at: usize| {
        let value = content.get(at + 1..)?;
        // A tab behind the colon is allowed, and rare.
        (!value.starts_with('\t')).then(|| value.trim_start_matches(' ')).map(|value| (key.len(), value))
    };
    match content.bytes().next()? {
        quote @ (b'"' | b'\'') => {
            let Some(after) = content.get(1..).and_then(|inside| closed(inside, quote)) else {
                return Some(None);
            };
            let end = content.len() - after.len();
            let colon = after.starts_with(':') && (after.len() == 1 || after.starts_with(": "));
            if !colon {
                // `"a" : b` is a key, too.
                return is_blank(after).then_some(None);
            }
            let inside = content.get(1..end - 1)?;
            // What an escape stands for is not looked at.
            if inside.contains(['\\', '\'']) {
                return None;
            }
            let (_, value) = split(inside, end)?;
            Some(Some((inside, value)))
        }
        b'?' | b':' if content.len() == 1 || content.get(1..2) == Some(" ") => None,
        b'{' | b'[' | b'|' | b'>' => Some(None),
        _ => {
            for at in memchr::memchr2_iter(b':', b'#', content.as_bytes()) {
                let around = (content.as_bytes().get(at.wrapping_sub(1)), content.as_bytes().get(at + 1));
                match (content.as_bytes().get(at), around) {
                    (Some(b'#'), (Some(b' ' | b'\t'), _)) => return Some(None),
                    (Some(b':'), (_, None | Some(b' ' | b'\t'))) => {
                        let name = content.get(..at)?;
                        let special = name.starts_with(['&', '*', '!', '%', '@', '`', ',', ']', '}']);
                        let (length, value) = split(name, at)?;
                        let key = content.get(..length)?.trim_end_matches(' ');
                        return if special { None } else { Some(Some((key, value))) };
                    }
                    _ => {}
                }
            }
            Some(None)
        }
    }
}

/// How the scalar that begins with a value goes on; `None` where it is none, or another form.
fn scalar(value: &str, column: usize) -> Option<Scalar> {
    let first = value.bytes().next()?;
    match first {
        b'|' | b'>' => {
            let header = value.find(" #").and_then(|at| value.get(..at)).unwrap_or(value);
            let plain = header.get(1..)?.trim_end_matches(' ').bytes().all(|byte| b"+-".contains(&byte));
            plain.then_some(Scalar::Block { column, indent: None })
        }
        quote @ (b'"' | b'\'') => match closed(value.get(1..)?, quote) {
            Some(after) => is_blank(after).then_some(Scalar::Plain { column, commented: true }),
            None => Some(Scalar::Quoted { column, quote }),
        },
        b'{' | b'[' => is_blank(balanced(value)?).then_some(Scalar::Plain { column, commented: true }),
        b'&' | b'*' | b'!' | b'%' | b'@' | b'`' | b',' | b']' | b'}' => None,
        b'-' | b'?' | b':' if value.len() == 1 || value.get(1..2) == Some(" ") => None,
        _ => Some(Scalar::Plain { column, commented: plain(value)? }),
    }
}

/// Does a comment end this line of a plain scalar? `None` where a key stands in it.
fn plain(text: &str) -> Option<bool> {
    let bytes = text.as_bytes();
    for at in memchr::memchr2_iter(b':', b'#', bytes) {
        match (bytes.get(at), bytes.get(at.wrapping_sub(1)), bytes.get(at + 1)) {
            (Some(b'#'), Some(b' ' | b'\t'), _) => return Some(true),
            (Some(b':'), _, None | Some(b' ' | b'\t')) => return None,
            _ => {}
        }
    }
    Some(false)
}

/// What stands behind the quote that ends a scalar.
fn closed(inside: &str, quote: u8) -> Option<&str> {
    let bytes = inside.as_bytes();
    let mut at = 0;
    loop {
        at += memchr::memchr2(quote, b'\\', bytes.get(at..)?)?;
        match (bytes.get(at), bytes.get(at + 1)) {
            (Some(b'\\'), _) if quote == b'"' => at += 2,
            (Some(b'\\'), _) => at += 1,
            (_, Some(b'\'')) if quote == b'\'' => at += 2,
            _ => return inside.get(at + 1..),
        }
    }
}

/// What stands behind a collection in flow style that ends on its line.
fn balanced(value: &str) -> Option<&str> {
    let bytes = value.as_bytes();
    // A template's statement is no YAML.
    if value.contains("{{") {
        return None;
    }
    let (mut depth, mut at, mut begins) = (0_usize, 0, true);
    loop {
        let byte = *bytes.get(at)?;
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return value.get(at + 1..);
                }
            }
            b'"' | b'\'' if begins => {
                let after = closed(value.get(at + 1..)?, byte)?;
                at = value.len() - after.len();
                begins = false;
                continue;
            }
            b'&' | b'*' | b'!' | b'?' | b'%' | b'@' | b'`' | b'|' | b'>' if begins => return None,
            b'#' if bytes.get(at.wrapping_sub(1)) == Some(&b' ') => return None,
            _ => {}
        }
        begins = b"[{,:".contains(&byte) || begins && byte == b' ';
        at += 1;
    }
}
