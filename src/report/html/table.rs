//! The table of images: everything that its filters ask stands in its rows, so that the page reads the same without
//! its script.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use super::escape::{Link, Marked, Path, Text, list};
use super::groups::{Image, UNBUILT};
use super::verified::Verified;
use crate::lint::Usage;

/// Places of an image that are seen at once.
const SHOWN: usize = 4;

/// A list to choose from; rows name its entries by their numbers.
struct Choices<'a> {
    id: &'static str,
    label: &'static str,
    values: Vec<&'a str>,
}

impl<'a> Choices<'a> {
    fn new(id: &'static str, label: &'static str, values: impl Iterator<Item = &'a str>) -> Choices<'a> {
        let values: BTreeSet<&str> = values.collect();
        Choices { id, label, values: values.into_iter().collect() }
    }

    fn write(&self, page: &mut String) {
        let Choices { id, label, values } = self;
        let _ = write!(
            page,
            "<p><label for=\"{id}\">{label}</label><select id=\"{id}\"><option value=\"\">all</option>"
        );
        for (number, value) in values.iter().enumerate() {
            let _ = write!(page, "<option value=\"{number}\">{}</option>", Text(value));
        }
        page.push_str("</select></p>\n");
    }

    /// An attribute of a row: the numbers of its values.
    fn numbers<'v>(&self, values: impl Iterator<Item = &'v str>) -> String {
        let numbers = values.filter_map(|value| self.values.binary_search(&value).ok());
        let numbers: Vec<String> = numbers.map(|number| number.to_string()).collect();
        format!(" data-{}=\"{}\"", self.id, numbers.join(" "))
    }
}

/// The table; `verified` is what the registries said, by name.
pub(super) fn write(
    images: &[Image<'_>],
    verified: Option<&BTreeMap<String, Vec<&Verified>>>,
    page: &mut String,
) {
    let upstreams = Choices::new("upstream", "Upstream", images.iter().map(|image| image.upstream));
    let states = Choices::new("state", "State", images.iter().map(|image| image.status.words()));
    let clusters = Choices::new("cluster", "Cluster", images.iter().flat_map(names));
    let outcomes = verified.map(|verified| {
        let outcomes = verified.values().flatten().map(|verified| verified.outcome.as_str());
        Choices::new("outcome", "Registries", outcomes)
    });
    // Without its script it could not do anything.
    page.push_str("<form id=\"filters\" hidden>\n<p><label for=\"text\">Text</label><input id=\"text\" type=\"search\" autocomplete=\"off\" spellcheck=\"false\"></p>\n");
    for choices in [&upstreams, &states, &clusters].into_iter().chain(&outcomes) {
        choices.write(page);
    }
    page.push_str("<p><button type=\"reset\">Show all</button></p>\n</form>\n");
    let _ =
        writeln!(page, "<p id=\"shown\" role=\"status\">{}</p>", crate::report::count(images.len(), "image"));
    page.push_str("<table id=\"images\" aria-labelledby=\"all-images\">\n<thead><tr>");
    for (name, _) in HEADS.iter().filter(|(_, always)| *always || verified.is_some()) {
        let _ = write!(page, "<th scope=\"col\">{name}</th>");
    }
    page.push_str("</tr></thead>\n<tbody>\n");
    for image in images {
        page.push_str("<tr");
        page.push_str(&upstreams.numbers([image.upstream].into_iter()));
        page.push_str(&states.numbers([image.status.words()].into_iter()));
        page.push_str(&clusters.numbers(names(image)));
        let answers = verified.and_then(|verified| verified.get(image.name));
        let answers = answers.map(Vec::as_slice).unwrap_or_default();
        if let Some(outcomes) = &outcomes {
            page.push_str(&outcomes.numbers(answers.iter().map(|answer| answer.outcome.as_str())));
        }
        page.push('>');
        row(image, verified.is_some().then_some(answers), page);
        page.push_str("</tr>\n");
    }
    page.push_str(
        "</tbody>\n</table>\n<p><button id=\"more\" type=\"button\" hidden>Show the rest</button></p>\n",
    );
}

/// Columns, and whether each is always there.
const HEADS: [(&str, bool); 7] = [
    ("Image", true),
    ("Upstream", true),
    ("State", true),
    ("Tags", true),
    ("Clusters", true),
    ("Registries", false),
    ("Places", true),
];

/// The clusters of an image, or what stands for none.
fn names<'i>(image: &'i Image<'_>) -> impl Iterator<Item = &'i str> {
    let unbuilt = image.places.iter().any(|place| place.given.is_empty()).then_some(UNBUILT);
    image.clusters.keys().map(String::as_str).chain(unbuilt)
}

fn row(image: &Image<'_>, answers: Option<&[&Verified]>, page: &mut String) {
    let (class, state) = (image.status.id(), image.status.words());
    let _ = write!(
        page,
        "<th scope=\"row\">{}</th><td>{}</td><td><strong class=\"{class}\">{state}</strong>",
        Path(image.name),
        Text(image.upstream)
    );
    for why in &image.whys {
        let _ = write!(page, " <small>{}</small>", Marked(why));
    }
    page.push_str("</td><td>");
    list(
        page,
        image.suffixes.iter().map(|suffix| match *suffix {
            "" => "no tag".to_owned(),
            suffix => Text(suffix.strip_prefix(':').unwrap_or(suffix)).to_string(),
        }),
    );
    page.push_str("</td><td>");
    list(
        page,
        names(image).map(|name| match image.clusters.get(name) {
            // Another state than the image's is shown with the cluster.
            Some(status) if *status != image.status => format!("{}: {}", Path(name), status.words()),
            _ => Path(name).to_string(),
        }),
    );
    page.push_str("</td><td>");
    if let Some(answers) = answers {
        list(
            page,
            answers.iter().map(|answer| {
                let suffix = answer.reference.strip_prefix(image.name).unwrap_or(&answer.reference);
                let suffix = suffix.strip_prefix(':').unwrap_or(suffix);
                let (class, outcome) = (answer.class(), Text(&answer.outcome));
                format!("{}: <strong class=\"{class}\">{outcome}</strong>", Text(suffix))
            }),
        );
        page.push_str("</td><td>");
    }
    let place = |usage: &&Usage| {
        let link = Link { path: usage.path.as_str(), line: usage.position.line };
        let object = usage.object.as_ref().map(|object| format!(" <small>{}</small>", Text(object)));
        format!("{link}{}", object.unwrap_or_default())
    };
    let (shown, more) = image.places.split_at(image.places.len().min(SHOWN));
    list(page, shown.iter().map(place));
    if !more.is_empty() {
        let _ = write!(page, "<details><summary>{} more</summary>", more.len());
        list(page, more.iter().map(place));
        page.push_str("</details>");
    }
    page.push_str("</td>");
}
