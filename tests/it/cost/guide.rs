//! The guide shows what the command prints, against the simulated registry.

use super::{World, index, manifest, single};
use crate::docs::{renewed, shown};
use crate::golden::assert_same;

const PAGE: &str = "docs/cost.md";

#[test]
fn the_guide_shows_what_the_command_prints() {
    let both = |name: &str, base: (&str, u64), own: u64| {
        let platform = |arch: &str| {
            let (base_name, base_size) = base;
            manifest(
                &format!("{name} {arch}"),
                &[(&format!("{base_name} {arch}"), base_size), (&format!("{name} {arch} own"), own)],
            )
        };
        index(&[("linux/amd64", platform("amd64")), ("linux/arm64", platform("arm64"))])
    };
    let alpine = ("alpine", 3_400_000);
    let (old, new) = (both("podinfo 6.9.1", alpine, 29_000_000), both("podinfo 6.9.2", alpine, 30_000_000));
    let shell = both("netshoot", alpine, 190_000_000);
    let runtime = single(manifest("vllm", &[("cuda", 4_800_000_000), ("vllm", 3_100_000_000)]));
    let world = World::new(&[
        ("stefanprodan/podinfo", &old, &["6.9.1"]),
        ("stefanprodan/podinfo", &new, &["6.9.2"]),
        ("nicolaka/netshoot", &shell, &["v0.14"]),
        ("vllm/vllm-openai", &runtime, &["v0.11.0"]),
    ]);
    let (text, runs) = renewed(PAGE, world.scratch.path(), |arguments, _| {
        shown(arguments, |words| {
            assert_eq!(words.first(), Some(&"cost"));
            world.command(&words[1..])
        })
    });
    assert!(runs >= 4, "{PAGE} runs {runs}");
    assert_same(PAGE, &text);
}
