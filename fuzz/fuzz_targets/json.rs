//! `manifests::json`: the strict reader against both encoders and the canonical form.
#![no_main]

use libfuzzer_sys::fuzz_target;
use manifests::json;

fuzz_target!(|bytes: &[u8]| {
    let Ok(value) = json::parse(bytes) else {
        return;
    };
    assert_eq!(json::parse(&json::encode(&value)).as_ref(), Ok(&value));
    assert_eq!(
        json::parse(&json::encode_pretty(&value)).as_ref(),
        Ok(&value)
    );
    let canonical = json::canonical(&value);
    // Canonical form leaves control characters raw, which is no JSON; whatever is JSON means the same.
    if let Ok(again) = json::parse(&canonical) {
        assert_eq!(again, value);
    } else {
        assert!(canonical.iter().any(|byte| *byte < b' '));
    }
});
