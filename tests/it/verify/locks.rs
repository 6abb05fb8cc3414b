//! The lock file: what everything resolved to, and what moved since.

use pullthru::verify::Lock;

use super::{World, assert_says, image};
use crate::scratch::Run;

fn world() -> World {
    World::new(&[("o/app", &image("app 1"), &["v1"]), ("o/other", &image("other"), &["v1"])])
        .pulling(&["ghcr.io/o/app:v1", "ghcr.io/o/other:v1"])
}

const LOCKED: [&str; 4] = ["--at", "upstream", "--lock", "images.lock"];

#[test]
fn the_first_run_writes_it_and_later_ones_tell_what_moved() {
    let world = world();
    let run = world.run(&LOCKED);
    assert_eq!(run.code, 0, "{}{}", run.out, run.err);
    assert!(run.err.contains("wrote images.lock: 2 images"), "{}", run.err);
    let text = world.scratch.read("images.lock");
    crate::golden::assert_same("testdata/expected/verify/images.lock", &text);
    assert_eq!(Lock::read(&text).unwrap().text().unwrap(), text, "what is read is what was written");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |name: &str| world.scratch.path().join(name).metadata().unwrap().permissions().mode();
        assert_eq!(mode("images.lock"), mode("apps/pod.yaml"), "as readable as any new file");
    }

    assert_eq!(world.run(&LOCKED).code, 0);
    let moved = image("app 2");
    world.upstream.push("o/app", &moved, ["v1"]);
    let (code, report) = world.verify(&LOCKED);
    assert_eq!(code, 1);
    let row = report.row("ghcr.io/o/app:v1");
    assert_eq!((&row["outcome"], &row["digest"]), (&"moved".into(), &moved.digest().into()));
    assert_says(row, "because", &format!("locked as {}", image("app 1").digest()));
    assert_says(row, "next", "--update-lock");
    assert_eq!(report.row("ghcr.io/o/other:v1")["outcome"], "resolved");
    // It is not renewed without being asked to.
    assert_eq!(world.scratch.read("images.lock"), text);
    assert_eq!(world.run(&[&LOCKED[..], &["--update-lock"]].concat()).code, 0);
    assert!(world.scratch.read("images.lock").contains(moved.digest()));
    assert_eq!(world.run(&LOCKED).code, 0);
}

#[test]
fn an_image_that_came_later_is_named_as_not_locked() {
    let world = world();
    world.run(&LOCKED);
    world.upstream.push("o/late", &image("late"), ["v1"]);
    world.scratch.write("apps/late.yaml", super::pods(&["ghcr.io/o/late:v1"]).as_bytes());
    let run = world.run(&LOCKED);
    assert_eq!(run.code, 0);
    assert!(run.err.contains("1 image not in the lock yet: `--update-lock` adds what is new"), "{}", run.err);
}

#[test]
fn what_does_not_resolve_is_left_out_and_said() {
    let world = world().pulling(&["ghcr.io/o/app:v1", "ghcr.io/o/app:v9"]);
    let run = world.run(&LOCKED);
    assert_eq!(run.code, 1);
    assert!(run.err.contains("wrote images.lock: 1 image; 1 image skipped, without a digest"), "{}", run.err);
}

#[test]
fn a_lock_made_at_the_upstream_holds_at_the_cache() {
    let world = world();
    world.run(&LOCKED);
    world.warm("o/app", "v1");
    world.warm("o/other", "v1");
    world.upstream.push("o/app", &image("app 2"), ["v1"]);
    // The cache still has the locked one.
    let (code, report) = world.verify(&["--at", "cache", "--lock", "images.lock"]);
    assert_eq!((code, report.0["summary"]["outcomes"]["resolved"].as_u64()), (0, Some(2)), "{report:#?}");
}

/// What the cache has by its digest needs no warning: only where the cache itself was asked, and for that digest.
#[test]
fn a_pin_that_the_cache_has_is_settled_by_the_lock() {
    let (app, other) = (image("app"), image("other"));
    let world = World::new(&[("o/app", &app, &["v1"]), ("o/other", &other, &["v1"])]);
    let pin = |name: &str, digest: &str| format!("{}/ghcr/o/{name}:v1@{digest}", super::ECR);
    let pins = [pin("app", app.digest()), pin("other", other.digest())];
    let world = world.pulling(&[pins[0].as_str(), pins[1].as_str()]);
    let cold = |arguments: &[&str]| {
        let run = Run::from(
            world
                .scratch
                .command(&[&["check", "--format", "concise"][..], arguments].concat())
                .args(["--account", "123456789012", "--region", "ca-central-1"])
                .output()
                .unwrap(),
        );
        assert_eq!((run.code, run.err.as_str()), (0, ""), "{}", run.err);
        run.out.matches("cold-digest").count()
    };
    assert_eq!(cold(&[]), 2);
    // The upstream has both, which says nothing about the cache.
    world.run(&["--at", "upstream", "--lock", "pullthru-digests.lock.json"]);
    assert!(world.scratch.read("pullthru-digests.lock.json").contains(app.digest()));
    assert_eq!(cold(&[]), 2);
    world.warm("o/app", "v1");
    let run = world.run(&["--at", "cache", "--lock", "pullthru-digests.lock.json", "--update-lock"]);
    assert_eq!(run.code, 1, "{}", run.out);
    assert_eq!(cold(&[]), 1, "{}", world.scratch.read("pullthru-digests.lock.json"));
    // Of another name, it has to be named.
    std::fs::rename(
        world.scratch.path().join("pullthru-digests.lock.json"),
        world.scratch.path().join("a.lock"),
    )
    .unwrap();
    assert_eq!((cold(&[]), cold(&["--lock", "a.lock"])), (2, 1));
    // Another digest of the name is not in the cache.
    let text = world.scratch.read("apps/pod.yaml").replace(app.digest(), image("app 2").digest());
    world.scratch.write("apps/pod.yaml", text.as_bytes());
    assert_eq!(cold(&["--lock", "a.lock"]), 2);
}

#[test]
fn a_file_that_is_no_lock_is_not_overwritten() {
    let world = world();
    for (text, said) in [
        ("not json", "it is no digest lock"),
        ("{\"schema\": \"pullthru/lock/v9\", \"images\": {}}", "this version reads `pullthru/lock/v1`"),
        ("{\"schema\": \"pullthru/lock/v1\", \"images\": {}, \"more\": 1}", "it is no digest lock"),
    ] {
        world.scratch.write("images.lock", text.as_bytes());
        let run = world.run(&LOCKED);
        assert_eq!(run.code, 2, "{text}");
        assert!(super::flat(&run.err).contains(said), "{}", run.err);
        assert_eq!(world.scratch.read("images.lock"), text);
    }
    assert_eq!(world.upstream.requests(), 0, "nothing was asked before it was known to be of use");
    assert_eq!(world.run(&["--update-lock"]).code, 2);
    let run = world.run(&["--at", "upstream", "--lock", "none/images.lock"]);
    assert_eq!(run.code, 2, "{}", run.err);
    let said = super::flat(&run.err);
    assert!(said.contains("there is no directory `none` for the lock file `none/images.lock`"), "{said}");
    let run = world.run(&["--at", "upstream", "--lock", "apps"]);
    assert_eq!(run.code, 2, "{}", run.err);
    assert!(super::flat(&run.err).contains("`apps` names no file that can be written"), "{}", run.err);
    assert_eq!(world.upstream.requests(), 0, "nothing was asked before it was known to be of use");
}

/// What a link leads to is written; the link stays one.
#[cfg(unix)]
#[test]
fn a_lock_behind_a_link_is_written_where_it_is() {
    use std::os::unix::fs::symlink;
    let world = world();
    let at = |name: &str| world.scratch.path().join(name);
    std::fs::create_dir(at("locks")).unwrap();
    symlink("locks/real.json", at("images.lock")).unwrap();
    symlink("images.lock", at("again.lock")).unwrap();
    symlink("gone/real.json", at("gone.lock")).unwrap();
    let is_link = |name: &str| std::fs::symlink_metadata(at(name)).unwrap().file_type().is_symlink();
    // The first time there is no file behind it yet.
    let run = world.run(&LOCKED);
    assert!(run.code == 0 && run.err.contains("wrote images.lock: 2 images"), "{}", run.err);
    let text = world.scratch.read("locks/real.json");
    assert_eq!(Lock::read(&text).unwrap().images.len(), 2);
    assert!(is_link("images.lock"));
    world.upstream.push("o/app", &image("app 2"), ["v1"]);
    let run = world.run(&["--at", "upstream", "--lock", "again.lock", "--update-lock"]);
    assert_eq!(run.code, 0, "{}", run.err);
    assert!(is_link("again.lock") && is_link("images.lock"));
    assert!(world.scratch.read("locks/real.json").contains(image("app 2").digest()));
    assert_eq!(world.run(&LOCKED).code, 0, "it is read through the link, too");
    let run = world.run(&["--at", "upstream", "--lock", "gone.lock"]);
    assert_eq!(run.code, 2, "{}", run.err);
    assert!(
        super::flat(&run.err).contains("there is no directory `gone` for the lock file `gone.lock`"),
        "{}",
        run.err
    );
}
