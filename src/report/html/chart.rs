//! Shares as bars: each a small SVG in a row of a table, beside its numbers, so that nothing is said by colour or
//! length alone.

use std::fmt::Write;

use super::escape::{Path, Text};
use super::groups::Group;
use crate::lint::Count;

/// Groups that are seen at once; the others are behind a line that opens.
const SHOWN: usize = 20;

/// One chart, with what its groups are.
pub(super) struct Chart<'a> {
    /// The id of its heading.
    pub(super) id: &'a str,
    /// `Cluster`.
    pub(super) of: &'a str,
    pub(super) title: &'a str,
    pub(super) note: &'a str,
}

impl Chart<'_> {
    pub(super) fn write(&self, groups: &[Group], page: &mut String) {
        let Chart { id, title, note, .. } = self;
        let _ = write!(page, "<section><h3 id=\"{id}\">{title}</h3>\n<p>{note}</p>\n");
        let (shown, more) = groups.split_at(groups.len().min(SHOWN));
        self.table(shown, page);
        if !more.is_empty() {
            let _ = writeln!(page, "<details><summary>{} more</summary>", more.len());
            self.table(more, page);
            page.push_str("</details>\n");
        }
        page.push_str("</section>\n");
    }

    fn table(&self, groups: &[Group], page: &mut String) {
        let _ = write!(
            page,
            "<table class=\"chart\" aria-labelledby=\"{}\">\n<thead><tr><th scope=\"col\">{}</th><th scope=\"col\">Cached</th>\
             <th scope=\"col\">Bypassing</th><th scope=\"col\">Others</th></tr></thead>\n<tbody>\n",
            self.id, self.of
        );
        for Group { name, count } in groups {
            let _ = writeln!(
                page,
                "<tr><th scope=\"row\">{}{}</th><td>{} of {}</td><td>{}</td><td>{}</td></tr>",
                Path(name),
                bar(count, &format!("{name}: {}", super::count(count.total(), "reference"))),
                count.cached,
                count.cacheable(),
                count.bypassing,
                others(count)
            );
        }
        page.push_str("</tbody>\n</table>\n");
    }
}

/// What ECR cannot cache, what is excluded, and what is not known.
fn others(count: &Count) -> usize {
    count.total().saturating_sub(count.cacheable())
}

/// A bar as wide as there is room; its title says what it shows, and of how many.
pub(super) fn bar(count: &Count, title: &str) -> String {
    let mut svg =
        format!("<svg class=\"bar\" role=\"img\"><title>{}, {}</title>", Text(title), count.words());
    let mut before = 0;
    for (class, part) in [("cached", count.cached), ("bypassing", count.bypassing), ("others", others(count))]
    {
        if part > 0 {
            let (x, width) = (percent(before, count.total()), percent(part, count.total()));
            let _ = write!(svg, "<rect class=\"{class}\" x=\"{x}\" width=\"{width}\" height=\"100%\"/>");
        }
        before += part;
    }
    svg + "</svg>"
}

/// With two decimals.
fn percent(part: usize, whole: usize) -> String {
    let hundredths = (part * 10_000).checked_div(whole).unwrap_or_default();
    format!("{}.{:02}%", hundredths / 100, hundredths % 100)
}
