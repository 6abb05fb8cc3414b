//! What stands in a text for a part that is computed: variables, and statements of templates.

/// Longer ones are not looked for: a text full of open brackets must not be walked for each of them.
const MAX_PLACEHOLDER: usize = 1_000;

/// The length of a placeholder at the start of `rest`, within its line.
pub fn placeholder(rest: &str) -> Option<usize> {
    if rest.starts_with("%s") || rest.starts_with("%v") || rest.starts_with("%d") {
        return Some(2);
    }
    let pairs =
        [("${{", "}}"), ("${", "}"), ("$(", ")"), ("{{", "}}"), ("<<", ">>"), ("%(", ")s"), ("{%", "%}")];
    let (open, close) = pairs.into_iter().find(|(open, _)| rest.starts_with(open))?;
    let near = rest.get(open.len()..rest.floor_char_boundary(MAX_PLACEHOLDER))?;
    let inside = near.lines().next()?.find(close)?;
    Some(open.len() + inside + close.len())
}

/// Does the text hold a placeholder anywhere?
pub fn has_placeholder(text: &str) -> bool {
    text.char_indices().any(|(at, _)| text.get(at..).and_then(placeholder).is_some())
}
