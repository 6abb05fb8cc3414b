//! Policies inferred from tags: their ranges, and that they accept whatever is in use. What they choose is in
//! [`families`](crate::families).

use proptest::prelude::*;
use pullthru_core::config::FluxRange;
use pullthru_core::emit::policy::{Follows, Inferred, Line, Order, infer};

fn ranged(tags: &[&str], range: FluxRange) -> Inferred {
    let tags: Vec<String> = tags.iter().map(|&tag| tag.to_owned()).collect();
    infer(tags.iter(), range)
}

fn only_line(tags: &[&str], range: FluxRange) -> Line {
    let mut inferred = ranged(tags, range);
    assert_eq!(inferred.lines.len(), 1, "{inferred:?}");
    inferred.lines.remove(0)
}

#[test]
fn ranges_are_written_as_people_write_them() {
    let range = |tags: &[&str], range| match only_line(tags, range).policy.order {
        Order::Semver { range } => range,
        order => panic!("{order:?}"),
    };
    assert_eq!(range(&["v1.0.0"], FluxRange::Any), ">=1.0.0");
    assert_eq!(range(&["v1.0.0"], FluxRange::Major), ">=1.0.0 <2.0.0");
    assert_eq!(range(&["v1.4.2"], FluxRange::Minor), ">=1.4.2 <1.5.0");
    assert_eq!(range(&["1.0.0-rc.1"], FluxRange::Major), ">=1.0.0-0 <2.0.0-0");
    assert_eq!(range(&["v1.0.0", "v1.4.0"], FluxRange::Major), ">=1.0.0 <2.0.0", "from the lowest in use");
    assert_eq!(range(&["2024.9.1"], FluxRange::Major), ">=2024.9.1", "a year is no major version");
    assert_eq!(range(&["17.2"], FluxRange::Major), ">=17.2.0 <18.0.0");
    assert_eq!(range(&["1.2.3-debian-12-r4"], FluxRange::Minor), ">=1.2.3-0 <1.3.0-0");
}

#[test]
fn names_that_move_are_followed_by_digest() {
    for tag in ["latest", "main", "stable", "edge", "dummy", "alpine", "jdk17"] {
        assert_eq!(only_line(&[tag], FluxRange::Any).policy.follows, Follows::Digest, "{tag}");
    }
}

#[test]
fn a_release_in_use_wins_over_what_stands_in_for_one() {
    let inferred = ranged(&["dummy", "latest", "v1.0.0", "v1.1.0", "v1.2.0-rc.1"], FluxRange::Any);
    assert_eq!(inferred.lines.len(), 1);
    assert_eq!(inferred.lines[0].policy.order, Order::Semver { range: ">=1.0.0".to_owned() });
    assert_eq!(inferred.others, ["v1.2.0-rc.1", "dummy", "latest"]);
}

#[test]
fn lines_are_named_by_what_tells_them_apart() {
    let labels = |tags: &[&str], range| -> Vec<String> {
        ranged(tags, range).lines.into_iter().map(|line| line.label).collect()
    };
    assert_eq!(labels(&["15.3", "17.2"], FluxRange::Major), ["15", "17"]);
    assert_eq!(labels(&["1.4.2", "1.5.0"], FluxRange::Minor), ["1-4", "1-5"]);
    assert_eq!(labels(&["1.4.2", "v1.4.2", "1.4.2-alpine"], FluxRange::Any), ["", "alpine", "v"]);
    assert_eq!(
        labels(&["1.2.3-debian-11-r4", "1.2.3-debian-12-r4"], FluxRange::Any),
        ["debian-11-r", "debian-12-r"]
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_policy_accepts_the_tag_in_use(
        tag in prop_oneof![
            "[A-Za-z0-9_][A-Za-z0-9_.-]{0,30}",
            "(v|release-|r|)[0-9]{1,4}([.][0-9]{1,3}){0,4}(-[a-z0-9.]{1,10}){0,3}",
            "(main-|)([0-9a-f]{7,9}|[0-9]{1,20}|20[0-9]{2}[.-][01][0-9][.-][0-3][0-9])([-_.][0-9a-zTZ]{1,10}){0,3}",
            "[0-9][0-9.]{0,40}",
        ],
        range in prop_oneof![Just(FluxRange::Any), Just(FluxRange::Major), Just(FluxRange::Minor)],
    ) {
        prop_assume!(pullthru_core::image::Reference::parse(&format!("a/b:{tag}")).is_ok());
        let inferred = ranged(&[&tag], range);
        // One policy that accepts it and nothing else of it, or a reason why there is none.
        prop_assert_eq!(inferred.lines.len() + inferred.unordered.len(), 1, "{:?}", inferred);
        for line in &inferred.lines {
            let policy = &line.policy;
            prop_assert!(accepts(policy, &tag), "{} by {:?}", tag, policy);
            let substituted = policy.filter.pattern.contains("${");
            prop_assert!(!substituted);
            prop_assert!(policy.filter.pattern.starts_with('^') && policy.filter.pattern.ends_with('$'));
        }
    }
}

fn accepts(policy: &pullthru_core::emit::policy::Policy, tag: &str) -> bool {
    let selection = pullthru_core::emit::Selection {
        filter: Some(policy.filter.clone()),
        order: policy.order.clone(),
        descending: false,
        suspend: false,
        digests: None,
    };
    let chosen = crate::flux_rules::choose(&selection, &[tag.to_owned()]);
    chosen.as_deref() == Ok(tag) && selection.accepts(tag)
}
