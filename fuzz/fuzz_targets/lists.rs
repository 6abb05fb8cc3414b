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
    let list = Images::of_list(text, &RepoPath::root(), &config);
    assert!(list.images.len() + list.unknown.len() <= text.lines().count());
    if let Ok(lock) = Lock::read(text)
        && let Ok(written) = lock.text()
    {
        assert_eq!(Lock::read(&written).ok(), Some(lock));
    }
    if let Ok(platform) = text.parse::<WantedPlatform>() {
        assert_eq!(platform.to_string().parse(), Ok(platform));
    }
    let _ = Range::parse(text);
});
