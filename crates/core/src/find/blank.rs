//! Text templates of YAML, read as the YAML that they become: statements are blanked out, byte for byte, so that every
//! place stays what it is. What is read so says where a literal stands, never what it says.

use crate::yaml::Span;

/// Delimiters of Go templates and Helm, Jinja (also as makejinja writes them), ResourceSets and Terraform.
const DELIMITERS: &[(&str, &str)] = &[
    ("{{", "}}"),
    ("{%", "%}"),
    ("{#", "#}"),
    ("#{", "}#"),
    ("#%", "%#"),
    ("#|", "|#"),
    ("<<", ">>"),
    ("%{", "}"),
];

/// Words that begin a statement that leaves no text of its own.
const CONTROL: &[&str] =
    &["if", "else", "end", "range", "with", "define", "block", "for", "endif", "endfor", "set", "/*"];

/// The text without its statements: blanks where they stand for whole values or lines, letters where they are a part
/// of a scalar or a key.
pub(super) fn blanked(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let (mut done, mut line) = (0, 0);
    for statement in statements(text) {
        if let Some(newline) = text.get(done..statement.start).and_then(|between| between.rfind('\n')) {
            line = done + newline + 1;
        }
        let length = statement.end - statement.start;
        let filler = filler(&bytes, line, text, statement.start, length);
        for byte in bytes.iter_mut().skip(statement.start).take(length).filter(|byte| **byte != b'\n') {
            *byte = filler;
        }
        done = statement.end;
    }
    // Only whole statements were replaced, by ASCII.
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

/// Where the statements of a text stand, in order.
pub(super) fn statements(text: &str) -> Vec<Span> {
    let mut statements = Vec::new();
    let mut closes = Closes { text, next: [0; DELIMITERS.len()] };
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        match closes.statement(at, rest) {
            Some(length) => {
                statements.push(Span::new(at, at + length));
                at += length;
            }
            None => at += rest.chars().next().map_or(1, char::len_utf8),
        }
    }
    statements
}

/// Where the closing delimiters stand, each looked for once.
struct Closes<'t> {
    text: &'t str,
    /// The first one at or behind where was last asked; the text's end where there is none.
    next: [usize; DELIMITERS.len()],
}

impl Closes<'_> {
    /// The length of the statement that begins at `at`, where the text goes on as `rest`.
    fn statement(&mut self, at: usize, rest: &str) -> Option<usize> {
        let mut delimiters = DELIMITERS.iter().zip(&mut self.next);
        let ((open, close), next) = delimiters.find(|((open, _), _)| rest.starts_with(open))?;
        let inside = at + open.len();
        if *next < inside {
            let found = self.text.get(inside..).and_then(|rest| rest.find(close));
            *next = found.map_or(self.text.len(), |found| inside + found);
        }
        let within = self.text.get(inside..*next).filter(|_| *next < self.text.len())?;
        // Go's and Jinja's statements may run over lines; the others are something else then.
        if !open.starts_with('{') && within.contains('\n') {
            return None;
        }
        Some(*next + close.len() - at)
    }
}

/// Does a statement leave no text of its own?
pub(super) fn leaves_nothing(statement: &str) -> bool {
    let inside = statement.trim_matches(|c: char| "{}%#<>|~- ".contains(c));
    let word = inside.split([' ', '\n', '(']).next().unwrap_or_default();
    statement.starts_with("{#")
        || word.starts_with("/*")
        || word.starts_with("end")
        || ["", "if", "elif", "else", "for", "range", "with", "define", "block", "set", "macro", "raw"]
            .contains(&word)
        || word.starts_with('$') && inside.contains('=')
}

/// As much of a line as is looked at around a statement.
const NEAR: usize = 200;

fn filler(done: &[u8], line: usize, text: &str, at: usize, length: usize) -> u8 {
    let written = done.get(line.max(at.saturating_sub(NEAR))..at).unwrap_or_default();
    let before = written.trim_ascii();
    let end = text.floor_char_boundary(at + length + NEAR);
    let after = text.get(at + length..end).unwrap_or("").split('\n').next().unwrap_or("").trim();
    let inside = text.get(at..at + length).unwrap_or("");
    let word = inside.trim_start_matches(['{', '%', '#', '<', '-', '~', ' ', '|']);
    let control = CONTROL.iter().any(|start| word.starts_with(start));
    let begins = before.is_empty()
        || before.ends_with(b":") && !ends_in_scalar(written)
        || before.iter().all(|byte| b"- ".contains(byte));
    let opens = DELIMITERS.iter().any(|(open, _)| after.starts_with(open));
    if control || begins && (after.is_empty() || after.starts_with('#') || opens) { b' ' } else { b'x' }
}

/// Is the colon at the end of the line so far a part of a plain scalar (`image: ghcr.io/o/n:`), and not the end of a key?
fn ends_in_scalar(written: &[u8]) -> bool {
    let text = written.trim_ascii_start();
    let text = text.strip_prefix(b"- ").unwrap_or(text);
    text.ends_with(b":") && (text.contains(&b'/') || text.windows(2).any(|pair| pair == b": "))
}

/// Objects of Kubernetes at the root of a text, by their lines alone.
pub(super) fn holds_objects(text: &str) -> bool {
    let json = text.trim_start().starts_with('{');
    let has = |key: &str| {
        text.lines().any(|line| {
            line.starts_with(key) && line.get(key.len()..).is_some_and(|rest| rest.starts_with(':'))
        }) || json && text.contains(&format!("\"{key}\""))
    };
    has("apiVersion") && has("kind")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_blanked_and_every_byte_keeps_its_place() {
        let cases = [
            ("a: {{ .x }}\n  b: c\n", "a:         \n  b: c\n"),
            ("{{- if .x }}\na: \"{{ .y }}é\"\n{{- end }}\n", "            \na: \"xxxxxxxxé\"\n          \n"),
            ("{{ .key }}: v\n- {{ .item }}\n", "xxxxxxxxxx: v\n-            \n"),
            ("image: o/n:{{ .tag }}\n- o/n:{{ .tag }}\n", "image: o/n:xxxxxxxxxx\n- o/n:xxxxxxxxxx\n"),
            ("image: n:{{ .a }}{{ .b }}\nk:{{ .c }}\n", "image: n:xxxxxxxxxxxxxxxx\nk:        \n"),
            ("name: {{ .a }}-b # c\n", "name: xxxxxxxx-b # c\n"),
            ("{{- /* a\n b */}}\nt: \"#{ v }#\"\n<<: *a\n", "        \n       \nt: \"xxxxxxx\"\n<<: *a\n"),
            ("x: {{ unclosed\n", "x: {{ unclosed\n"),
        ];
        for (text, expected) in cases {
            assert_eq!(blanked(text), expected, "{text}");
            assert_eq!(blanked(text).len(), text.len());
        }
    }
}
