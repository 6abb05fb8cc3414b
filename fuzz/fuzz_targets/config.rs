//! A configuration is read or refused, whatever it holds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pullthru_core::config::{Config, Overrides};

fuzz_target!(|text: &str| {
    if let Err(errors) =
        Config::load(Some(("pullthru.yaml".to_owned(), text.to_owned())), &Overrides::default())
    {
        assert!(!errors.errors.is_empty());
    }
});
