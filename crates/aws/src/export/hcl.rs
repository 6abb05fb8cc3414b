//! HCL, printed as `terraform fmt` prints it: two spaces a level, and `=` in one column wherever attributes of one line
//! follow each other. Written by hand, because no crate aligns (hcl-rs 0.20 does not).

use serde_json::Value;

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expr {
    /// A string that means itself.
    Text(String),
    /// Printed as it stands, on one line: a reference, a number, a condition.
    Raw(String),
    List(Vec<Expr>),
    Object(Vec<(String, Expr)>),
    Call(&'static str, Vec<Expr>),
}

/// A line or a block of a file or of a block's body.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item {
    /// Lines behind `#`.
    Comment(String),
    Blank,
    Attribute(String, Expr),
    Block {
        kind: &'static str,
        labels: Vec<String>,
        body: Vec<Item>,
    },
}

/// Columns that a list may take on one line.
const WIDTH: usize = 100;

impl Expr {
    pub(super) fn text(text: impl Into<String>) -> Expr {
        Expr::Text(text.into())
    }

    pub(super) fn raw(text: impl Into<String>) -> Expr {
        Expr::Raw(text.into())
    }

    /// A JSON document as a string, written as a value of HCL; `text` writes the strings in it.
    pub(super) fn json(document: &Value, text: &impl Fn(&str) -> Expr) -> Expr {
        Expr::Call("jsonencode", vec![Expr::of(document, text)])
    }

    fn of(value: &Value, text: &impl Fn(&str) -> Expr) -> Expr {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => Expr::Raw(value.to_string()),
            Value::String(string) => text(string),
            Value::Array(elements) => {
                Expr::List(elements.iter().map(|element| Expr::of(element, text)).collect())
            }
            Value::Object(members) => Expr::Object(
                members.iter().map(|(key, value)| (key.clone(), Expr::of(value, text))).collect(),
            ),
        }
    }

    fn is_scalar(&self) -> bool {
        matches!(self, Expr::Text(_) | Expr::Raw(_))
    }

    /// `level` is that of the line on which the value begins.
    pub(super) fn print(&self, level: usize) -> String {
        match self {
            Expr::Text(text) => quoted(text),
            Expr::Raw(text) => text.clone(),
            Expr::Call(name, arguments) => {
                let arguments: Vec<String> = arguments.iter().map(|argument| argument.print(level)).collect();
                format!("{name}({})", arguments.join(", "))
            }
            Expr::Object(members) if members.is_empty() => "{}".to_owned(),
            Expr::Object(members) => {
                let attribute = |(key, value): &(String, Expr)| Item::Attribute(key_of(key), value.clone());
                let body: Vec<Item> = members.iter().map(attribute).collect();
                format!("{{\n{}{}}}", print_items(&body, level + 1), indent(level))
            }
            Expr::List(elements) => {
                let printed: Vec<String> = elements.iter().map(|element| element.print(level + 1)).collect();
                let line = format!("[{}]", printed.join(", "));
                if elements.iter().all(Expr::is_scalar) && line.len() + 2 * level <= WIDTH {
                    return line;
                }
                let lines = printed.iter().map(|element| format!("{}{element},\n", indent(level + 1)));
                format!("[\n{}{}]", lines.collect::<String>(), indent(level))
            }
        }
    }
}

impl Item {
    pub(super) fn attribute(name: &str, value: Expr) -> Item {
        Item::Attribute(name.to_owned(), value)
    }

    pub(super) fn block(kind: &'static str, labels: &[&str], body: Vec<Item>) -> Item {
        Item::Block { kind, labels: labels.iter().map(|label| (*label).to_owned()).collect(), body }
    }

    fn is_comment(&self) -> bool {
        matches!(self, Item::Comment(_))
    }
}

/// A file of these, or the body of a block.
pub(super) fn print(items: &[Item]) -> String {
    print_items(items, 0)
}

fn print_items(items: &[Item], level: usize) -> String {
    let mut out = String::new();
    let mut run: Vec<(&str, String)> = Vec::new();
    let mut last: Option<&Item> = None;
    for item in items {
        let is_block = matches!(item, Item::Block { .. });
        // A block stands by itself; comments stay with what they are about.
        let starts = is_block || (item.is_comment() && level == 0);
        let after_block = matches!(last, Some(Item::Block { .. }));
        let apart = match last {
            None | Some(Item::Blank) => false,
            Some(last) if last.is_comment() => false,
            Some(_) => starts || after_block,
        };
        if let Item::Attribute(name, value) = item
            && !apart
        {
            let printed = value.print(level);
            if printed.contains('\n') {
                flush(&mut run, level, &mut out);
                out.push_str(&format!("{}{name} = {printed}\n", indent(level)));
            } else {
                run.push((name, printed));
            }
            last = Some(item);
            continue;
        }
        flush(&mut run, level, &mut out);
        if apart {
            out.push('\n');
        }
        match item {
            Item::Blank => out.push('\n'),
            Item::Comment(text) => {
                for line in text.lines() {
                    out.push_str(format!("{}# {line}", indent(level)).trim_end());
                    out.push('\n');
                }
            }
            Item::Attribute(name, value) => {
                out.push_str(&format!("{}{name} = {}\n", indent(level), value.print(level)));
            }
            Item::Block { kind, labels, body } => {
                let labels: String = labels.iter().map(|label| format!(" {}", quoted(label))).collect();
                out.push_str(&format!("{}{kind}{labels} {{", indent(level)));
                if body.is_empty() {
                    out.push_str("}\n");
                } else {
                    out.push_str(&format!("\n{}{}}}\n", print_items(body, level + 1), indent(level)));
                }
            }
        }
        last = Some(item);
    }
    flush(&mut run, level, &mut out);
    out
}

/// Attributes of one line, their `=` in one column.
fn flush(run: &mut Vec<(&str, String)>, level: usize, out: &mut String) {
    let width = run.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    for (name, value) in run.drain(..) {
        out.push_str(&format!("{}{name:width$} = {value}\n", indent(level)));
    }
}

fn indent(level: usize) -> String {
    "  ".repeat(level)
}

/// A key of an object; `for` would begin a comprehension.
fn key_of(key: &str) -> String {
    if is_identifier(key) && key != "for" { key.to_owned() } else { quoted(key) }
}

/// Identifiers of HCL that need no quotes; HCL takes more letters.
pub(super) fn is_identifier(text: &str) -> bool {
    let mut bytes = text.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
}

/// A string in quotes in which nothing is evaluated (HCL native syntax specification, "Template Expressions").
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    let mut rest = text.chars().peekable();
    let mut before = ' ';
    while let Some(c) = rest.next() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // `$${` is a `${` that means itself; behind another `$` the scanner takes it apart differently.
            '$' | '%' if rest.peek() == Some(&'{') && before == c => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            '$' | '%' if rest.peek() == Some(&'{') => out.extend([c, c]),
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
        before = c;
    }
    out.push('"');
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn equals_signs_align_in_runs_of_lines() {
        let items = [
            Item::Comment("first\nsecond".to_owned()),
            Item::block(
                "resource",
                &["a", "b"],
                vec![
                    Item::attribute("name", Expr::text("x")),
                    Item::attribute("description", Expr::text("y")),
                    Item::attribute(
                        "policy",
                        Expr::json(
                            &json!({ "Version": "1", "aws:a": [1, true], "for": {} }),
                            &|text: &str| Expr::text(text),
                        ),
                    ),
                    Item::attribute("id", Expr::raw("var.id")),
                    Item::block("inner", &[], vec![Item::attribute("a", Expr::List(Vec::new()))]),
                    Item::block("inner", &[], Vec::new()),
                    Item::attribute("last", Expr::raw("1")),
                ],
            ),
            Item::Comment("after".to_owned()),
            Item::block("locals", &[], Vec::new()),
        ];
        let expected = r##"# first
# second
resource "a" "b" {
  name        = "x"
  description = "y"
  policy = jsonencode({
    Version = "1"
    "aws:a" = [1, true]
    "for"   = {}
  })
  id = var.id

  inner {
    a = []
  }

  inner {}

  last = 1
}

# after
locals {}
"##;
        assert_eq!(print(&items), expected);
    }

    #[test]
    fn nothing_in_a_text_is_evaluated() {
        for (text, expected) in [
            ("plain", r#""plain""#),
            ("a \"b\" \\ \n\r\t\u{1}", r#""a \"b\" \\ \n\r\t\u0001""#),
            ("${x} %{y} $x 5%", r#""$${x} %%{y} $x 5%""#),
            ("$${x} %%{y}", r#""$\u0024{x} %\u0025{y}""#),
            ("é ✓", "\"é ✓\""),
        ] {
            assert_eq!(quoted(text), expected);
        }
    }

    #[test]
    fn long_lists_and_lists_of_objects_take_a_line_for_each() {
        let long = "x".repeat(60);
        let list = Expr::List(vec![Expr::text(&*long), Expr::text(&*long)]);
        assert_eq!(list.print(1), format!("[\n    \"{long}\",\n    \"{long}\",\n  ]"));
        let objects = Expr::of(&json!([{ "a": 1 }]), &|text: &str| Expr::text(text));
        assert_eq!(objects.print(0), "[\n  {\n    a = 1\n  },\n]");
    }
}
