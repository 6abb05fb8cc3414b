//! Files that nobody would write, and those that somebody would write on purpose: none of them may bring the
//! program down, cost more than its size, or hide an occurrence.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use pullthru_core::find::{Finder, Form, Found, Hosts, IgnoreReason, Obstacle, Shape};
use pullthru_core::yaml::{self, Span};

pub(super) const UPSTREAMS: [&str; 2] = ["ghcr.io", "quay.io"];
const CACHE: &str = "111122223333.dkr.ecr.eu-west-1.amazonaws.com";
const IMAGE: &str = "ghcr.io/o/n:1";

/// Far more than any of these takes, and far less than the square of its size would.
const GENEROUS: Duration = Duration::from_secs(120);

pub(super) fn finder(upstreams: &[&str]) -> Finder {
    let upstreams: Vec<String> = upstreams.iter().map(|&host| host.to_owned()).collect();
    Finder::new(Hosts::new(&upstreams, &[CACHE.to_owned()]).unwrap())
}

/// Every occurrence of an upstream's bytes, found without any help of the finder.
fn occurrences(text: &str, upstreams: &[&str]) -> Vec<Span> {
    let places = |host: &&str| -> Vec<Span> {
        text.match_indices(*host).map(|(start, _)| Span::new(start, start + host.len())).collect()
    };
    let mut all: Vec<Span> = upstreams.iter().flat_map(places).collect();
    all.sort();
    all
}

/// Every occurrence is covered by a site or mentioned, exactly once; every place lies in the text.
pub(super) fn accounted(text: &str, upstreams: &[&str], found: &Found) -> Result<(), String> {
    let mut covered: Vec<Span> = found.sites.iter().flat_map(|site| site.covers.iter().copied()).collect();
    covered.extend(found.ignored.iter().map(|ignored| ignored.span));
    covered.sort();
    let expected = occurrences(text, upstreams);
    if covered != expected {
        let differs = expected.iter().zip(&covered).find(|(expected, covered)| expected != covered);
        return Err(format!(
            "{} occurrences, {} accounted for; the first difference is {differs:?}",
            expected.len(),
            covered.len()
        ));
    }
    for site in &found.sites {
        let spans = match &site.shape {
            Shape::Name(span) | Shape::Registry { span, .. } | Shape::Below { span, .. } => vec![*span],
            Shape::Split { registry, repository, .. } => [*registry].into_iter().chain(*repository).collect(),
        };
        if let Some(span) = spans.iter().find(|span| text.get(span.range()).is_none()) {
            return Err(format!("{span:?} is not of this text: {site:?}"));
        }
    }
    Ok(())
}

/// Runs the finder, and asserts what must hold for every file.
#[track_caller]
fn find(path: &str, text: &str) -> Found {
    let begin = Instant::now();
    let found = finder(&UPSTREAMS).find(path, text.as_bytes());
    let took = begin.elapsed();
    println!("{path}, {} kB: {took:?}, {} sites", text.len() / 1000, found.sites.len());
    assert!(took < GENEROUS, "{path}, {} kB: took {took:?}", text.len() / 1000);
    if let Err(error) = accounted(text, &UPSTREAMS, &found) {
        panic!("{path}: {error}");
    }
    found
}

fn editable(found: &Found) -> usize {
    found.sites.iter().filter(|site| site.obstacle.is_none()).count()
}

#[test]
fn bytes_that_are_no_utf_8_are_reported_with_every_host_in_them() {
    let bytes = b"a: ghcr.io/o/n\xff\nb: quay.io/x/y # \xc3\n";
    let found = finder(&UPSTREAMS).find("a.yaml", bytes);
    assert!(found.sites.is_empty());
    let reasons: Vec<IgnoreReason> = found.ignored.iter().map(|ignored| ignored.reason).collect();
    assert_eq!(reasons, [IgnoreReason::NotUtf8, IgnoreReason::NotUtf8]);
    // UTF-16 hides its text from every search for bytes.
    let utf_16: Vec<u8> = "\u{feff}image: ghcr.io/o/n\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(finder(&UPSTREAMS).find("a.yaml", &utf_16).is_empty());
}

#[test]
fn nul_and_other_controls_lose_one_document() {
    for control in ['\0', '\u{1}', '\u{7f}', '\u{85}', '\u{2028}', '\u{fffe}', '\u{1b}'] {
        let text = format!("image: {IMAGE}\n---\na: x{control}y\nimage: {IMAGE}\n---\nimage: {IMAGE}\n");
        let found = find("a.yaml", &text);
        assert_eq!(found.sites.len(), 3, "{control:?}");
        let text = format!("image: ghcr.io/o{control}/n\n");
        find("a.yaml", &text);
    }
    assert!(find("a.yaml", "\0\0\0\0").is_empty());
}

#[test]
fn twenty_megabytes_are_read_to_the_end() {
    let words = "lorem ipsum dolor sit amet ".repeat(80);
    let object = format!("  - name: app # {IMAGE}\n    image: {IMAGE}\n    text: {words}\n");
    let objects = 20_000_000 / object.len();
    let found = find("a.yaml", &format!("items:\n{}", object.repeat(objects)));
    assert_eq!((editable(&found), found.ignored.len()), (objects, objects), "a comment beside each");
}

#[test]
fn nesting_without_end_is_an_error_and_not_a_crash() {
    const DEPTH: usize = 100_000;
    let mut block = String::new();
    for depth in 0..2_000 {
        writeln!(block, "{}k:", " ".repeat(depth)).unwrap();
    }
    let deep = [
        ("flow sequence", "[".repeat(DEPTH) + &"]".repeat(DEPTH)),
        ("flow mapping", "{a: ".repeat(DEPTH) + &"}".repeat(DEPTH)),
        ("json", "{\"a\":[".repeat(DEPTH) + &"]}".repeat(DEPTH)),
        ("block sequence", "- ".repeat(DEPTH)),
        ("block mapping", block),
        ("complex keys", "? ".repeat(DEPTH)),
        ("two hundred thousand brackets", "[".repeat(2 * DEPTH)),
        ("closing ones", "]".repeat(2 * DEPTH)),
        ("quotes", "'\"".repeat(DEPTH)),
        ("tags", "!t ".repeat(DEPTH)),
        ("anchors", "&a ".repeat(DEPTH)),
        ("aliases", "*a ".repeat(DEPTH)),
        ("colons", ": ".repeat(DEPTH)),
        ("commas in brackets", format!("[{}", ",".repeat(DEPTH))),
        ("question marks in braces", format!("{{{}", "? ".repeat(DEPTH))),
        ("directives", "%A\n".repeat(DEPTH)),
        ("templates", "{{".repeat(DEPTH)),
        ("blank lines", "\n".repeat(10 * DEPTH)),
        ("blanks", " ".repeat(10 * DEPTH)),
        ("tabs", "\t".repeat(10 * DEPTH)),
        ("marks", "---\n".repeat(DEPTH)),
        ("ends", "...\n".repeat(DEPTH)),
        ("comments", "#\n".repeat(DEPTH)),
        ("block headers", "- |\n".repeat(DEPTH)),
    ];
    for (name, text) in deep {
        println!("{name}");
        // The good documents around it are still read.
        let text = format!("image: {IMAGE}\n---\n{text}\n---\nimage: {IMAGE}\n");
        for path in ["a.yaml", "a.json"] {
            let found = find(path, &text);
            assert_eq!(found.sites.len(), 2, "{name}: {:?}", found.ignored);
        }
        find("a.yaml", text.trim_start_matches("image: ghcr.io/o/n:1\n---\n"));
    }
}

#[test]
fn two_hundred_levels_are_still_read() {
    let text = format!("{}{IMAGE}{}", "[".repeat(200), "]".repeat(200));
    let found = find("a.yaml", &text);
    assert_eq!((found.sites.len(), found.errors.len()), (1, 0));
    assert!(found.sites[0].field.to_string().ends_with("[0][0][0]"));
}

#[test]
fn an_alias_bomb_is_counted_and_not_unfolded() {
    let mut text = format!("a0: &a0 [{IMAGE}]\n");
    for level in 1..100 {
        let below = format!("*a{}", level - 1);
        writeln!(text, "a{level}: &a{level} [{}]", [below.as_str(); 10].join(", ")).unwrap();
    }
    text += "image: *a99\nrepository: *a99\n<<: *a99\nself: &s {<<: *s, image: *s}\n";
    let found = find("a.yaml", &text);
    assert_eq!((found.sites.len(), found.aliases), (1, 99 * 10 + 5));
}

#[test]
fn a_line_of_a_megabyte_is_a_line() {
    let long = "x".repeat(500_000);
    let cases = [
        (format!("a: '{long} {IMAGE} {long}'\n"), IgnoreReason::Text),
        (format!("a: 1 # {long} {IMAGE} {long}\n"), IgnoreReason::Comment),
        (format!("a: {long}/{IMAGE}/{long}\n"), IgnoreReason::OtherHost),
        (format!("{long} {IMAGE}: 1\n"), IgnoreReason::Text),
        (format!("a: [{long}, {IMAGE}: {long}]\n"), IgnoreReason::MapKey),
    ];
    for (text, reason) in cases {
        let found = find("a.yaml", &text);
        assert_eq!(found.sites.len() + found.ignored.len(), 1);
        let is = found.ignored.first().map(|ignored| ignored.reason);
        assert!(is == Some(reason), "{is:?} is not {reason:?}");
    }
    // A reference as long as the line is still one place; no registry would take the name.
    let text = format!("image: ghcr.io/o/{long}\n");
    let found = find("a.yaml", &text);
    assert_eq!(found.sites[0].obstacle, Some(Obstacle::InvalidName));
    let found = find("a.yaml", &format!("image: {{a: [\"{long}\", {{image: {IMAGE}}}]}}\n"));
    assert_eq!(editable(&found), 1);
}

#[test]
fn many_references_on_one_line() {
    let many = format!("{IMAGE} ").repeat(20_000);
    for path in ["a.yaml", "templates/a.tpl", "a.md"] {
        find(path, &format!("a: {many}\n"));
        find(path, &format!("a: '{many}\n"));
        find(path, &format!("a: 1 # {many}\n"));
        find(path, &format!("a: |\n  {many}\n"));
        find(path, &format!("a: \"{}\"\n", many.replace(' ', "\\n")));
    }
    let found = find("a.json", &format!("[{}\"{IMAGE}\"]", format!("\"{IMAGE}\",").repeat(20_000)));
    assert_eq!(editable(&found), 20_001);
}

#[test]
fn what_is_long_is_not_walked_for_each_reference() {
    let cases = [
        ("a host in a host", format!("a: {}\n", "ghcr.io".repeat(40_000))),
        ("a path of hosts", format!("image: {}x\n", "ghcr.io/".repeat(40_000))),
        ("a broken path of hosts", format!("a: [\nimage: {}x\n", "ghcr.io/".repeat(40_000))),
        ("commas", format!("a: [\nb: {}\n", format!("{IMAGE},").repeat(40_000))),
        ("open placeholders", format!("a: {}\n", "ghcr.io/o/${".repeat(40_000))),
        (
            "a long comment",
            format!("a: [{IMAGE}{}] # {}\n", format!(", {IMAGE}").repeat(20_000), "x".repeat(1_000_000)),
        ),
        ("a long key", format!("{}:\n{}", "k".repeat(1_000_000), format!("- {IMAGE}\n").repeat(10_000))),
        (
            "a long name",
            format!(
                "apiVersion: v1\nkind: Pod\nmetadata: {{name: {}}}\nspec:\n{}",
                "n".repeat(1_000_000),
                format!("- image: {IMAGE}\n").repeat(10_000)
            ),
        ),
        ("blanks", format!("a: [\n{}{}\n", " ".repeat(500_000), format!("{IMAGE} ").repeat(10_000))),
    ];
    for (name, text) in cases {
        println!("{name}");
        find("a.yaml", &text);
        find("templates/a.tpl", &text);
    }
}

#[test]
fn a_kind_with_nothing_behind_it_is_none() {
    let found = find("a.yaml", &format!("apiVersion: v1\nkind:\nspec:\n  image: {IMAGE}\n"));
    assert_eq!((found.sites.len(), found.sites[0].object.is_none()), (1, true));
}

#[test]
fn many_references_in_one_scalar() {
    let lines = format!("  image: {IMAGE} # {IMAGE}\n").repeat(20_000);
    for header in ["|", ">", "|\n  - !!", "|\n  a: ["] {
        find("a.yaml", &format!("a: {header}\n{lines}"));
    }
    let found = find("a.yaml", &format!("a: |\n{}", format!("  - image: {IMAGE}\n").repeat(20_000)));
    assert_eq!(editable(&found), 20_000);
}

#[test]
fn an_open_quote_loses_its_document() {
    for quote in ['"', '\''] {
        let text = format!(
            "image: {IMAGE}\n---\nimage: {IMAGE}\na: {quote}open\nimage: {IMAGE}\n---\nimage: {IMAGE}\n"
        );
        let found = find("a.yaml", &text);
        assert_eq!(found.sites.len(), 4, "a file with errors is searched as text there");
        assert_eq!(found.errors.len(), 1);
        let forms: Vec<Form> = found.sites.iter().map(|site| site.form).collect();
        assert_eq!(forms.iter().filter(|&&form| form == Form::TemplateText).count(), 2, "{forms:?}");
        find("a.yaml", &format!("a: {quote}{}", format!("{IMAGE}\n").repeat(2_000)));
    }
}

#[test]
fn a_hundred_thousand_documents() {
    let text = format!("image: {IMAGE}\n---\n").repeat(100_000);
    let found = find("a.yaml", &text);
    assert_eq!((editable(&found), found.errors.len()), (100_000, 0));
}

#[test]
fn fifty_thousand_broken_documents_cost_no_square() {
    let text = format!("image: {IMAGE}\na: [\n---\n").repeat(50_000);
    let found = find("a.yaml", &text);
    assert_eq!((found.sites.len(), found.errors.len()), (50_000, 50_000));
    // A good one between each two.
    let text = format!("image: {IMAGE}\na: [\n---\nimage: {IMAGE} # {IMAGE}\n---\n").repeat(25_000);
    let found = find("a.yaml", &text);
    assert_eq!((found.sites.len(), found.errors.len()), (50_000, 25_000));
    assert_eq!(found.ignored.len(), 25_000);
    // One that the file's templates break.
    find("a.yaml", &format!("image: {IMAGE}\na: {{{{ x }}}} y\n---\n").repeat(50_000));
    // Directives that fail between documents.
    find("a.yaml", &format!("image: {IMAGE}\n...\n%YAML 9\n---\n").repeat(50_000));
}

#[test]
fn the_parser_alone_costs_no_square() {
    let begin = Instant::now();
    let stream = yaml::parse("good: 1 # c\n---\n").errors.len();
    assert_eq!(stream, 0);
    let good = "good: 1 # c\n---\n".repeat(50_000);
    let text = good + &"a: [ # c\n---\n".repeat(50_000);
    let stream = yaml::parse(&text);
    assert_eq!((stream.documents.len(), stream.errors.len()), (100_001, 50_000));
    assert_eq!((stream.scalars().len(), stream.comments.len()), (100_001, 50_000));
    assert!(begin.elapsed() < GENEROUS, "{:?}", begin.elapsed());
}

#[test]
fn a_mapping_of_a_million_keys() {
    let mut text = String::new();
    for number in 0..1_000_000 {
        writeln!(text, "k{number}: v").unwrap();
    }
    writeln!(text, "image: {IMAGE}").unwrap();
    let found = find("a.yaml", &text);
    assert_eq!(editable(&found), 1);
    assert_eq!(found.sites[0].field.to_string(), "image");
}

#[test]
fn a_mapping_with_a_reference_in_each_of_many_entries() {
    let mut text = String::new();
    for number in 0..20_000 {
        writeln!(text, "k{number}: {IMAGE}").unwrap();
    }
    let found = find("a.yaml", &text);
    assert_eq!(editable(&found), 20_000);
    // The same, with registries that look for the repository beside them.
    let found = find("a.yaml", &text.replace(&format!(": {IMAGE}"), "Registry: ghcr.io"));
    assert_eq!(found.sites.len() + found.ignored.len(), 20_000);
    // And with keys that are all called the same.
    let text = format!("image: {IMAGE}\n").repeat(20_000);
    assert_eq!(find("a.yaml", &text).sites.len(), 20_000);
    // And in one list.
    let text = format!("- {IMAGE}\n").repeat(20_000);
    assert_eq!(find("a.yaml", &text).sites.len(), 20_000);
}

#[test]
fn blocks_within_blocks_are_followed_as_deep_as_people_go() {
    let nested = |depth: usize| {
        let mut text = String::new();
        for level in 0..depth {
            writeln!(text, "{}a: |", "  ".repeat(level)).unwrap();
        }
        writeln!(text, "{}image: {IMAGE}\n", "  ".repeat(depth)).unwrap();
        text
    };
    assert_eq!(editable(&find("a.yaml", &nested(3))), 1);
    // Deeper than that it is text; it counts under an image's key only.
    let found = find("a.yaml", &nested(50));
    assert_eq!(found.sites.len() + found.ignored.len(), 1);
    // The same with many references: each level is read once.
    let mut text = nested(10);
    for _ in 0..2_000 {
        writeln!(text, "{}- {IMAGE}", "  ".repeat(10)).unwrap();
    }
    find("a.yaml", &text);
}

#[test]
fn json_in_strings_in_json() {
    let mut text = format!("{{\"image\": \"{IMAGE}\"}}");
    for depth in 1..=12 {
        text = format!("{{\"s\": \"{}\"}}", text.replace('\\', "\\\\").replace('"', "\\\""));
        let found = find("a.json", &text);
        assert_eq!(found.sites.len() + found.ignored.len(), 1, "depth {depth}");
        if depth <= 4 {
            assert_eq!(editable(&found), 1, "depth {depth}: {:?}", found.ignored);
            let Shape::Name(span) = &found.sites[0].shape else { panic!("{:?}", found.sites) };
            assert_eq!(span.slice(&text), "ghcr.io/o/n");
        }
    }
}

#[test]
fn json_with_comments_without_end() {
    for text in [
        format!("/* {IMAGE}"),
        format!("// {IMAGE}"),
        format!("{{\"a\": \"// {IMAGE}\"}} // {IMAGE}"),
        format!("/*{}", format!("/* {IMAGE} */").repeat(20_000)),
        format!("//ü {IMAGE}\n").repeat(20_000),
        format!("{{\"a\": \"\\\\\" /* ü{IMAGE} */ , \"b\": \"{IMAGE}\"}}"),
    ] {
        find("a.json5", &text);
    }
}

#[test]
fn hosts_in_every_part_of_a_file_are_accounted_for() {
    let text = concat!(
        "%TAG !g! ghcr.io/o/n\n--- # ghcr.io\na: &ghcr.io/o x\nb: *ghcr.io/o\n",
        "c: !<ghcr.io/o/n> y\nghcr.io/o/n: [ghcr.io, ghcr.io/o/n, {ghcr.io: quay.io}]\n",
        "d: |\n  ghcr.io/a/b\n  # ghcr.io/a/b\ne: \"ghcr.i\\x6f ghcr.io\\/o\\/n gh\\\n  cr.io\"\n",
        "f: 'ghcr.io''ghcr.io'\ng: ghcr.io\n  ghcr.io/o/n ghcr.io\n",
        "h: xghcr.io ghcr.iox ghcr.io.quay.io quay.ioghcr.io\n",
        "... # ghcr.io\n--- >-\n ghcr.io\n",
    );
    let found = find("a.yaml", text);
    assert!(found.errors.is_empty(), "{:?}", found.errors);
    assert!(found.ignored.len() > 15);
}
