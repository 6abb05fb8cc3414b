//! Pages of rules on a terminal: Markdown without its marks.

use std::io::{self, Write};

use super::Paint;
use crate::lint::rules;

/// All rules, a line each.
pub fn index(out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    let width = rules::ALL.iter().map(|rule| rule.id.id().len()).max().unwrap_or_default();
    for rule in rules::ALL {
        let id = rule.id.id();
        let pad = " ".repeat(width - id.len());
        writeln!(out, "{}{pad}  {}", paint.bold(id), rule.summary)?;
    }
    super::next("`pullthru explain RULE` prints the page of a rule", out, paint)
}

/// Headings stand out, links are their text, blocks of code are further in.
pub fn plain(markdown: &str, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
    let mut code = false;
    for line in markdown.lines() {
        if line.starts_with("```") {
            code = !code;
        } else if code {
            writeln!(out, "    {}", paint.dim(line))?;
        } else if let Some(heading) = line.strip_prefix('#') {
            writeln!(out, "{}", paint.bold(heading.trim_start_matches('#').trim_start()))?;
        } else {
            writeln!(out, "{}", without_links(line))?;
        }
    }
    Ok(())
}

/// `[text](address)` becomes its text.
fn without_links(line: &str) -> String {
    let mut text = String::new();
    let mut rest = line;
    while let Some((before, link)) = rest.split_once('[') {
        text.push_str(before);
        match link.split_once("](").and_then(|(name, after)| Some((name, after.split_once(')')?.1))) {
            Some((name, after)) if !name.contains(['[', '`']) => {
                text.push_str(name);
                rest = after;
            }
            _ => {
                text.push('[');
                rest = link;
            }
        }
    }
    text + rest
}
