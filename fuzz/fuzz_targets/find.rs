//! Every occurrence of an upstream host is accounted for exactly once, in any kind of file, and an outline of a file
//! tells what the whole file tells.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use pullthru_core::find::{Finder, Hosts};

static FINDER: LazyLock<Finder> = LazyLock::new(|| {
    Finder::new(Hosts::new(&["ghcr.io".to_owned()], &["${ECR}".to_owned()]).expect("two needles"))
});

/// Docker Hub's names are looked for, too, which have no host.
static OUTLINED: LazyLock<Finder> = LazyLock::new(|| {
    let upstreams = ["docker.io", "ghcr.io"].map(str::to_owned);
    Finder::new(Hosts::new(&upstreams, &[]).expect("few needles")).with_all_outlines()
});

static WHOLE: LazyLock<Finder> = LazyLock::new(|| OUTLINED.clone().without_outlines());

fuzz_target!(|text: &str| {
    for path in ["a.yaml", "values.yaml"] {
        let [mut outlined, whole] = [&OUTLINED, &WHOLE].map(|finder| finder.find(path, text.as_bytes()));
        outlined.aliases = whole.aliases;
        assert_eq!(format!("{outlined:#?}"), format!("{whole:#?}"), "{path}");
    }
    for path in ["a.yaml", "renovate.json5", "dependabot.yml"] {
        let found = FINDER.find(path, text.as_bytes());
        let policies = found.policies.iter().map(|policy| policy.span);
        for span in policies.chain(found.ignores.iter().map(|ignore| ignore.span)) {
            assert!(text.get(span.range()).is_some(), "{path}: {span:?}");
        }
    }
    let expected: Vec<usize> = text.match_indices("ghcr.io").map(|(at, _)| at).collect();
    for path in ["a.yaml", "a.json", "templates/a.tpl", "kustomization.yaml"] {
        let found = FINDER.find(path, text.as_bytes());
        let covers = found.sites.iter().flat_map(|site| site.covers.iter().map(|span| span.start));
        let mut offsets: Vec<usize> =
            covers.chain(found.ignored.iter().map(|ignored| ignored.span.start)).collect();
        offsets.sort_unstable();
        assert_eq!(offsets, expected, "{path}");
    }
});
