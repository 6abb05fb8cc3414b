//! References and routes: what parses prints as it was written, and what is routed leads back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use pullthru_core::image::Reference;
use pullthru_core::route::{CacheHost, EcrHost};

fuzz_target!(|text: &str| {
    if let Ok(reference) = Reference::parse(text) {
        assert_eq!(reference.to_string(), text);
    }
    if let Ok(host) = text.parse::<EcrHost>() {
        assert_eq!(host.to_string().parse::<EcrHost>().as_ref(), Ok(&host));
    }
    let _ = text.parse::<CacheHost>();
});
