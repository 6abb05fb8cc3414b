//! Texts of YAML made of bytes, with what they read as: in odd indentation, with comments and blank lines, in block and flow
//! style, with either line end, documents before and after, anchors, aliases and merge keys. All bytes zero is the plainest text.

use serde_json::{Map, Value};

/// What bytes become.
#[derive(Clone, Debug)]
pub(crate) struct Generated {
    pub(crate) text: String,
    /// What each document reads as.
    pub(crate) documents: Vec<Value>,
    /// It has anchors.
    pub(crate) is_shared: bool,
    /// It has a block scalar that keeps blank lines behind it.
    pub(crate) keeps_blank_lines: bool,
}

/// Decisions, one a byte.
pub(crate) struct Choices<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl<'b> Choices<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Choices<'b> {
        Choices { bytes, at: 0 }
    }

    /// A number below `count`, zero at the end of the bytes.
    pub(crate) fn below(&mut self, count: usize) -> usize {
        let byte = self.bytes.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        usize::from(byte) % count
    }

    /// Once in so many cases.
    fn once_in(&mut self, count: usize) -> bool {
        self.below(count) == count - 1
    }

    fn of<'t>(&mut self, texts: &[&'t str]) -> &'t str {
        texts[self.below(texts.len())]
    }
}

const KEYS: [&str; 7] = ["image", "registry", "tag", "a", "b-c", "x.y", "on"];

/// One to three documents.
pub(crate) fn generate(bytes: &[u8]) -> Generated {
    let mut writer = Writer::new(bytes);
    let count = 1 + writer.choices.below(3);
    let mut documents = Vec::new();
    if writer.choices.once_in(4) {
        writer.line("# A file of values.");
    }
    for number in 0..count {
        let is_marked = number > 0 || writer.choices.once_in(3);
        if is_marked {
            let marker = writer.choices.of(&["---", "--- # next"]);
            writer.line(marker);
        }
        // An anchor is that of its document.
        writer.anchors.clear();
        // Comments before the first marker are no document.
        documents.push(writer.document(is_marked || count == 1));
    }
    if writer.choices.once_in(5) && !writer.keeps_blank_lines {
        while writer.text.ends_with(['\n', '\r']) {
            writer.text.pop();
        }
    }
    Generated {
        text: writer.text,
        documents,
        is_shared: writer.is_shared,
        keeps_blank_lines: writer.keeps_blank_lines,
    }
}

/// The lines of a mapping at an indentation, which may be put below a key.
pub(crate) fn generate_mapping(bytes: &[u8], indent: usize, ending: &'static str) -> Generated {
    let mut writer = Writer::new(bytes);
    (writer.ending, writer.has_margin) = (ending, false);
    let documents = vec![writer.block_mapping(indent, 3)];
    Generated {
        text: writer.text,
        documents,
        is_shared: writer.is_shared,
        keeps_blank_lines: writer.keeps_blank_lines,
    }
}

struct Writer<'b> {
    choices: Choices<'b>,
    text: String,
    ending: &'static str,
    anchors: Vec<(String, Value)>,
    anchor_count: usize,
    is_shared: bool,
    keeps_blank_lines: bool,
    /// A line may begin at the margin.
    has_margin: bool,
    /// A blank line here would belong to the block scalar above.
    is_behind_kept: bool,
}

impl<'b> Writer<'b> {
    fn new(bytes: &'b [u8]) -> Writer<'b> {
        let mut choices = Choices::new(bytes);
        let ending = choices.of(&["\n", "\r\n"]);
        let (text, anchors) = (String::new(), Vec::new());
        Writer {
            choices,
            text,
            ending,
            anchors,
            anchor_count: 0,
            is_shared: false,
            keeps_blank_lines: false,
            has_margin: true,
            is_behind_kept: false,
        }
    }

    fn line(&mut self, text: &str) {
        self.text += text;
        self.text += self.ending;
    }

    fn document(&mut self, may_be_empty: bool) -> Value {
        match self.choices.below(8) {
            7 if may_be_empty => {
                self.line("# nothing here");
                Value::Null
            }
            6 => {
                let value = self.flow_mapping(0, 2);
                self.end_line();
                value
            }
            _ => self.block_mapping(0, 3),
        }
    }

    /// The rest of a line: blanks, a comment.
    fn end_line(&mut self) {
        let rest = self.choices.of(&["", "", "", " # why", "  ", "   # two: words, [3]"]);
        let rest = rest.to_owned();
        self.line(&rest);
    }

    fn between_entries(&mut self, indent: usize) {
        match self.choices.below(10) {
            _ if std::mem::take(&mut self.is_behind_kept) => {}
            7 => self.line(""),
            8 => self.line(&format!("{:indent$}# about what follows", "")),
            9 if self.has_margin => self.line("# at the margin"),
            _ => {}
        }
    }

    fn keys(&mut self, count: usize) -> Vec<&'static str> {
        let mut keys = Vec::new();
        for _ in 0..count {
            let key = self.choices.of(&KEYS);
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }

    /// At least one entry.
    fn block_mapping(&mut self, indent: usize, depth: usize) -> Value {
        let count = 1 + self.choices.below(4);
        let keys = self.keys(count);
        let mut map = Map::new();
        let merged = self.merge_key(indent);
        for key in keys {
            self.between_entries(indent);
            self.text += &" ".repeat(indent);
            let value = self.entry(key, indent, depth);
            map.insert(key.to_owned(), value);
        }
        for (key, value) in merged {
            map.entry(key).or_insert(value);
        }
        Value::Object(map)
    }

    fn merge_key(&mut self, indent: usize) -> Map<String, Value> {
        let anchor = self.anchors.iter().rev().find_map(|(name, value)| Some((name, value.as_object()?)));
        let Some((name, value)) = anchor.map(|(name, value)| (name.clone(), value.clone())) else {
            return Map::new();
        };
        if !self.choices.once_in(3) {
            return Map::new();
        }
        self.line(&format!("{:indent$}<<: *{name}", ""));
        value
    }

    fn key(&mut self, key: &str) {
        let quote = match self.choices.below(6) {
            4 => "\"",
            5 => "'",
            // A word for true is quoted as a key, too.
            _ if key == "on" => "'",
            _ => "",
        };
        self.text += &format!("{quote}{key}{quote}:");
    }

    /// `key: value` to the end of its last line; its indentation is written.
    fn entry(&mut self, key: &str, indent: usize, depth: usize) -> Value {
        self.key(key);
        let step = [2, 4, 1, 3, 6][self.choices.below(5)];
        let kind = self.choices.below(if depth == 0 { 8 } else { 14 });
        if kind >= 6 && self.choices.once_in(8) {
            self.anchor_count += 1;
            let name = format!("n{}", self.anchor_count);
            self.text += &format!(" &{name}");
            self.is_shared = true;
            let value = self.value(kind, indent, step, depth);
            self.anchors.push((name, value.clone()));
            return value;
        }
        self.value(kind, indent, step, depth)
    }

    fn value(&mut self, kind: usize, indent: usize, step: usize, depth: usize) -> Value {
        match kind {
            0..=3 => {
                self.text += " ";
                let value = self.scalar(false);
                self.end_line();
                value
            }
            4 => {
                self.text += self.choices.of(&["", " ~", " null"]);
                self.end_line();
                Value::Null
            }
            5 => match self.anchors.last().cloned() {
                Some((name, value)) => {
                    self.text += &format!(" *{name}");
                    self.end_line();
                    value
                }
                None => self.literal(indent + step),
            },
            6 => {
                self.text += " \"two";
                let lead = " ".repeat(indent + step);
                self.line("");
                self.text += &format!("{lead}lines\"");
                self.end_line();
                Value::from("two lines")
            }
            7 => {
                self.text += " ";
                let value = self.flow_sequence(indent + step, depth.saturating_sub(1));
                self.end_line();
                value
            }
            8 => {
                self.text += " ";
                let value = self.flow_mapping(indent + step, depth - 1);
                self.end_line();
                value
            }
            9 => {
                self.end_line();
                let deeper = if self.choices.once_in(2) { 0 } else { step };
                self.block_sequence(indent + deeper, depth - 1)
            }
            _ => {
                self.end_line();
                self.block_mapping(indent + step, depth - 1)
            }
        }
    }

    fn scalar(&mut self, in_flow: bool) -> Value {
        let (text, value) = match self.choices.below(10) {
            0 => ("quay.io/shop", Value::from("quay.io/shop")),
            1 => ("v1", Value::from("v1")),
            2 => ("'quay.io'", Value::from("quay.io")),
            3 => ("\"quay.io\"", Value::from("quay.io")),
            4 => ("8080", Value::from(8080)),
            5 => ("true", Value::from(true)),
            6 => ("\"\"", Value::from("")),
            7 => ("'it''s # no comment'", Value::from("it's # no comment")),
            8 => ("\"a\\tb: c\"", Value::from("a\tb: c")),
            _ if in_flow => ("plain", Value::from("plain")),
            _ => ("two words, {and} more", Value::from("two words, {and} more")),
        };
        self.text += text;
        value
    }

    fn literal(&mut self, indent: usize) -> Value {
        let header = self.choices.of(&["|", "|-", ">-", "|+"]);
        self.text += &format!(" {header}");
        self.line("");
        self.line(&format!("{:indent$}first: # line", ""));
        self.line(&format!("{:indent$}second", ""));
        let blank = self.choices.once_in(2);
        if blank {
            self.line("");
        }
        Value::from(match header {
            "|" => "first: # line\nsecond\n",
            "|-" => "first: # line\nsecond",
            ">-" => "first: # line second",
            _ => {
                (self.keeps_blank_lines, self.is_behind_kept) = (true, true);
                if blank { "first: # line\nsecond\n\n" } else { "first: # line\nsecond\n" }
            }
        })
    }

    fn flow_mapping(&mut self, indent: usize, depth: usize) -> Value {
        let count = self.choices.below(4);
        let keys = self.keys(count);
        let (open, close) = [("{", "}"), ("{ ", " }")][self.choices.below(2)];
        let over_lines = self.choices.once_in(4) && indent > 0;
        let is_json = self.choices.once_in(3);
        let mut map = Map::new();
        self.text += if keys.is_empty() { "{" } else { open };
        for (number, key) in keys.iter().enumerate() {
            if over_lines {
                self.line("");
                self.text += &" ".repeat(indent + 1);
            }
            match is_json {
                true => self.text += &format!("\"{key}\": "),
                false => {
                    self.key(key);
                    self.text += " ";
                }
            }
            let value = match self.choices.below(if depth == 0 { 4 } else { 6 }) {
                4 => self.flow_mapping(indent, depth - 1),
                5 => self.flow_sequence(indent, depth - 1),
                _ => self.scalar(true),
            };
            map.insert((*key).to_owned(), value);
            let is_last = number + 1 == keys.len();
            if !is_last || self.choices.once_in(6) {
                self.text += if is_last { "," } else { ", " };
            }
        }
        if over_lines && !keys.is_empty() {
            self.line("");
            self.text += &" ".repeat(indent);
        }
        self.text += if keys.is_empty() { "}" } else { close };
        Value::Object(map)
    }

    fn flow_sequence(&mut self, indent: usize, depth: usize) -> Value {
        let count = self.choices.below(3);
        let mut items = Vec::new();
        self.text += "[";
        for number in 0..count {
            if number > 0 {
                self.text += ", ";
            }
            items.push(match self.choices.below(if depth == 0 { 3 } else { 4 }) {
                3 => self.flow_mapping(indent, depth - 1),
                _ => self.scalar(true),
            });
        }
        self.text += "]";
        Value::Array(items)
    }

    fn block_sequence(&mut self, indent: usize, depth: usize) -> Value {
        let count = 1 + self.choices.below(3);
        let mut items = Vec::new();
        for _ in 0..count {
            self.between_entries(indent);
            self.text += &format!("{:indent$}- ", "");
            if depth == 0 || self.choices.once_in(2) {
                items.push(self.scalar(false));
                self.end_line();
                continue;
            }
            let mut map = Map::new();
            let entries = 1 + self.choices.below(3);
            for (number, key) in self.keys(entries).into_iter().enumerate() {
                if number > 0 {
                    self.text += &" ".repeat(indent + 2);
                }
                let value = self.entry(key, indent + 2, depth - 1);
                map.insert(key.to_owned(), value);
            }
            items.push(Value::Object(map));
        }
        Value::Array(items)
    }
}
