//! What names images and versions outside manifests: lists, lock files, ranges, platforms.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pullthru_core::config::{Config, Overrides};
use pullthru_core::images::Images;
use pullthru_core::tree::RepoPath;
use pullthru_registry::verify::{Lock, WantedPlatform};
use pullthru_core::range::Range;

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
