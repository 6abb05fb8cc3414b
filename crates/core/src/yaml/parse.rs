//! Parser events to a [`Stream`]. No recursion: depth costs heap, and the parser itself stops at 255 levels.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, StructureStyle};

use super::{Document, Kind, Node, NodeId, ParseError, Slot, Span, Stream, Style};

/// Reads all documents of `text`. Never fails: what is not YAML is in [`Stream::errors`].
pub fn parse(text: &str) -> Stream<'_> {
    parse_with(text, true)
}

/// [`parse`] without [`Stream::comments`], which saves a seventh of the time.
pub fn parse_without_comments(text: &str) -> Stream<'_> {
    parse_with(text, false)
}

fn parse_with(text: &str, comments: bool) -> Stream<'_> {
    let options = granit_parser::options! {
        emit_comments: comments,
        // The default of 96 refuses files that open with a long comment block.
        max_buffered_comment_events: 1_000_000,
        // Long JSON keys; no quadratic cost was measured.
        simple_key_max_lookahead: 65_536,
        emit_anchor_events: true,
        emit_unresolved_aliases: true,
    };
    let mut parser = Parser::new_from_str_with_options(text, options);
    let mut builder = Builder::new(text);
    loop {
        match parser.next() {
            Some(Ok((event, span))) => {
                let range = span.byte_range().unwrap_or(0..0);
                builder.event(event, Span::new(range.start, range.end));
            }
            Some(Err(error)) => {
                builder.fail(&error);
                if !matches!(parser.proceed_next_document(), Ok(true)) {
                    break;
                }
            }
            None => break,
        }
    }
    builder.finish()
}

struct Builder<'a> {
    stream: Stream<'a>,
    /// Open collections, outermost first; a mapping's pending key beside it.
    open: Vec<(NodeId, Option<NodeId>)>,
    anchors: HashMap<usize, NodeId>,
    last: Option<NodeId>,
    document: Option<Document>,
    /// First node of the open document: what a failure throws away.
    first_node: usize,
    /// A failed document's start and error, until the next document shows where it ends.
    failed: Option<(usize, usize, String)>,
    document_end: usize,
}

impl<'a> Builder<'a> {
    fn new(text: &'a str) -> Builder<'a> {
        let stream = Stream {
            text,
            nodes: Vec::new(),
            scalars: Vec::new(),
            documents: Vec::new(),
            comments: Vec::new(),
            lines: OnceCell::new(),
            aliased: OnceCell::new(),
            keys: RefCell::default(),
            errors: Vec::new(),
            aliases: 0,
        };
        Builder {
            stream,
            open: Vec::new(),
            anchors: HashMap::new(),
            last: None,
            document: None,
            first_node: 0,
            failed: None,
            document_end: 0,
        }
    }

    fn event(&mut self, event: Event<'a>, span: Span) {
        match event {
            Event::DocumentStart(..) => self.start_document(span),
            Event::DocumentEnd => self.end_document(span),
            Event::Comment(..) => self.stream.comments.push(span),
            Event::Scalar(value, style, anchor, _) => {
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted => Style::SingleQuoted,
                    ScalarStyle::DoubleQuoted => Style::DoubleQuoted,
                    ScalarStyle::Literal => Style::Literal,
                    ScalarStyle::Folded => Style::Folded,
                };
                let id = self.push(Kind::Scalar { value, style }, span, anchor);
                self.stream.scalars.push(id);
            }
            Event::MappingStart(style, anchor, _) => {
                let flow = style == StructureStyle::Flow;
                let id = self.push(Kind::Mapping { entries: Vec::new(), flow }, span, anchor);
                self.open.push((id, None));
            }
            Event::SequenceStart(style, anchor, _) => {
                let flow = style == StructureStyle::Flow;
                let id = self.push(Kind::Sequence { items: Vec::new(), flow }, span, anchor);
                self.open.push((id, None));
            }
            Event::MappingEnd | Event::SequenceEnd => self.close(span),
            Event::Alias(anchor) => {
                let target = self.anchors.get(&anchor).copied();
                self.stream.aliases += 1;
                self.push(Kind::Alias(target), span, 0);
            }
            Event::UnresolvedAlias(_) => {
                self.stream.aliases += 1;
                self.push(Kind::Alias(None), span, 0);
            }
            _ => {}
        }
    }

    fn start_document(&mut self, span: Span) {
        self.settle_failure(span.start);
        self.first_node = self.stream.nodes.len();
        self.anchors.clear();
        self.document = Some(Document { root: None, span });
    }

    fn end_document(&mut self, span: Span) {
        if let Some(mut document) = self.document.take() {
            document.span.end = span.end;
            self.document_end = span.end;
            self.stream.documents.push(document);
        }
        // What fails from here on, a directive for example, is not this document.
        self.first_node = self.stream.nodes.len();
        self.open.clear();
    }

    /// Throws away the nodes of the document that failed; its bytes are known once the next one begins.
    fn fail(&mut self, error: &ScanError) {
        let text = self.stream.text;
        let offset = text.floor_char_boundary(error.marker().byte_offset().unwrap_or(self.document_end));
        let start = match (self.document.take(), &self.failed) {
            (Some(document), _) => document.span.start,
            // A second failure between two documents: the first one reaches up to its line.
            (None, Some((first, ..))) => {
                let line = text.get(..offset).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1);
                if line <= *first {
                    // All of this line is lost already.
                    return;
                }
                line
            }
            (None, None) => 0,
        };
        let start = start.max(self.document_end);
        self.stream.nodes.truncate(self.first_node);
        let kept = self.stream.nodes.len();
        // From the back: a stream of many broken documents must not cost the square of their number.
        while self.stream.scalars.pop_if(|id| id.0 as usize >= kept).is_some() {}
        while self.stream.comments.pop_if(|comment| comment.end > start).is_some() {}
        self.open.clear();
        self.anchors.clear();
        self.settle_failure(start);
        self.failed = Some((start, offset, error.info()));
    }

    fn settle_failure(&mut self, end: usize) {
        if let Some((start, offset, message)) = self.failed.take() {
            // The place for the lost document keeps the numbering of those after it.
            self.stream.documents.push(Document { root: None, span: Span::new(start, end) });
            self.stream.errors.push(ParseError { offset, lost: Span::new(start, end), message });
            self.document_end = end;
        }
    }

    fn push(&mut self, kind: Kind<'a>, span: Span, anchor: usize) -> NodeId {
        let id = NodeId(self.stream.nodes.len() as u32);
        let (parent, slot) = self.attach(id);
        let document = self.stream.documents.len();
        self.stream.nodes.push(Node { kind, span, parent, slot, document, anchored: anchor != 0 });
        if anchor != 0 {
            self.anchors.insert(anchor, id);
        }
        self.last = Some(id);
        id
    }

    /// Hangs a new node under the innermost open collection.
    fn attach(&mut self, id: NodeId) -> (Option<NodeId>, Slot) {
        let Some((parent, pending)) = self.open.last_mut() else {
            if let Some(document) = &mut self.document {
                document.root.get_or_insert(id);
            }
            return (None, Slot::Root);
        };
        let slot = match self.stream.nodes.get_mut(parent.0 as usize).map(|node| &mut node.kind) {
            Some(Kind::Sequence { items, .. }) => {
                items.push(id);
                Slot::Item(items.len() - 1)
            }
            Some(Kind::Mapping { entries, .. }) => match pending.take() {
                None => {
                    *pending = Some(id);
                    Slot::Key(entries.len())
                }
                Some(key) => {
                    entries.push((key, id));
                    Slot::Value(entries.len() - 1)
                }
            },
            _ => Slot::Root,
        };
        (Some(*parent), slot)
    }

    fn close(&mut self, span: Span) {
        if let Some((id, _)) = self.open.pop()
            && let Some(node) = self.stream.nodes.get_mut(id.0 as usize)
        {
            node.span.end = span.end;
        }
    }

    fn finish(mut self) -> Stream<'a> {
        self.end_document(Span::new(self.stream.text.len(), self.stream.text.len()));
        self.settle_failure(self.stream.text.len());
        // Events are not in source order (an anchor follows its node, a header comment its block scalar). An empty
        // scalar comes before the one that begins where it stands, which is the one that holds the byte.
        let nodes = &self.stream.nodes;
        self.stream
            .scalars
            .sort_by_key(|id| nodes.get(id.0 as usize).map(|node| (node.span.start, node.span.end)));
        self.stream.comments.sort();
        self.stream
    }
}
