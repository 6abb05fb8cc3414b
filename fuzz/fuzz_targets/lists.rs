//! What names images and versions outside manifests: lists, lock files, ranges, platforms.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pullthru::config::{Config, Overrides};
use pullthru::images::Images;
use pullthru::tree::RepoPath;
use pullthru::verify::{Lock, WantedPlatform};
use pullthru::warm::Range;

fuzz_target!(|text: &str| {
    let config = Config::load(None, &Overrides::default()).expect("the empty configuration is one");
    let pulls = Images::of_list(text, &RepoPath::root(), &config);
    assert!(pulls.pulls.len() + pulls.unknown.len() <= text.lines().count());
    if let Ok(lock) = Lock::read(text) {
        assert_eq!(Lock::read(&lock.text()).ok(), Some(lock));
    }
    if let Ok(platform) = text.parse::<WantedPlatform>() {
        assert_eq!(platform.to_string().parse(), Ok(platform));
    }
    let _ = Range::parse(text);
});
