//! `pullthru verify` beside other clients of registries, on one registry of this machine.
//!
//! `.ci/peers bench` installs crane and regctl; skopeo is used where it is installed.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::seed::{Server, peer, registries};
use super::{CONFIG, INDEX, LAYER, MANIFEST, index, manifest, sha256};
use crate::scratch::Scratch;

const CONFIGURATION: &[u8] =
    br#"{"os":"linux","architecture":"amd64","rootfs":{"type":"layers","diff_ids":[]}}"#;
const REPOSITORIES: usize = 10;
const TAGS: usize = 50;
const RUNS: usize = 5;

/// Indexes with an image each; their references, one a line.
fn fill(server: &Server) -> String {
    let mut list = String::new();
    for repository in 0..REPOSITORIES {
        let repository = format!("org/app{repository}");
        server.push_blob(&repository, CONFIGURATION);
        for tag in 0..TAGS {
            let layer = format!("{repository} {tag}");
            server.push_blob(&repository, layer.as_bytes());
            let image = manifest(CONFIG, CONFIGURATION, LAYER, layer.as_bytes());
            server.push_manifest(&repository, &sha256(&image).to_string(), MANIFEST, &image);
            server.push_manifest(&repository, &tag.to_string(), INDEX, &index(&[("amd64", &image)]));
            list.push_str(&format!("{}/{repository}:{tag}\n", server.host()));
        }
    }
    list
}

/// The figures of `docs/benchmarks.md`:
/// `.ci/peers bench; cargo test --release --test it -- --ignored --nocapture registry_beside`.
#[test]
#[ignore = "needs target/peers; a measurement"]
fn registry_beside_peers() {
    let (which, program) = registries().pop().unwrap();
    let scratch = Scratch::new(&[]);
    let server = Server::start(&program, scratch.path(), "", "");
    let list = fill(&server);
    scratch.write("images.txt", list.as_bytes());
    let host = server.host();
    let mut ways: Vec<(&str, String)> = vec![(
        "pullthru verify --concurrency 64",
        format!(
            "{} verify --list images.txt --at upstream --concurrency 64 --format jsonl",
            env!("CARGO_BIN_EXE_pullthru")
        ),
    )];
    let each = |command: String| format!("xargs -P 64 -n 1 {command} < images.txt");
    if let Some(crane) = peer("crane") {
        ways.push(("crane digest, xargs -P 64", each(format!("{} digest --insecure", crane.display()))));
    }
    if let Some(regctl) = peer("regctl") {
        let set = format!("{} --host reg={host},tls=disabled image digest", regctl.display());
        ways.push(("regctl image digest, xargs -P 64", each(set)));
    }
    if let Some(skopeo) = on_path("skopeo") {
        let inspect = format!("sh -c '{} inspect --raw --tls-verify=false docker://$0'", skopeo.display());
        ways.push(("skopeo inspect --raw, xargs -P 64", each(inspect)));
    }
    println!("{which}, {} images:", REPOSITORIES * TAGS);
    for (name, script) in ways {
        let mut seconds: Vec<f64> = (0..RUNS)
            .map(|_| {
                let start = Instant::now();
                let mut command = Command::new("sh");
                command.args(["-c", &script]).current_dir(scratch.path()).env("HOME", scratch.path());
                let output = command.stdin(Stdio::null()).output().unwrap();
                assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
                start.elapsed().as_secs_f64()
            })
            .collect();
        seconds.sort_by(f64::total_cmp);
        let rate = |seconds: &f64| (REPOSITORIES * TAGS) as f64 / seconds;
        println!(
            "  {name}: {:.0} images/s ({:.0}–{:.0})",
            rate(&seconds[RUNS / 2]),
            rate(&seconds[RUNS - 1]),
            rate(&seconds[0])
        );
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|path| path.join(name)).find(|path| path.is_file())
}
