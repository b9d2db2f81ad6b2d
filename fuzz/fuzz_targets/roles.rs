//! The four TUF role parsers: one document is of one role, and encodes to what it was read from.
#![no_main]

use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use manifests::envelope::{Envelope, Metadata};
use manifests::json::{self, Json};
use manifests::root::Root;
use manifests::snapshot::Snapshot;
use manifests::targets::Targets;
use manifests::timestamp::Timestamp;

fuzz_target!(|bytes: &[u8]| {
    let read = [
        check(bytes, Root::to_signed),
        check(bytes, Timestamp::to_signed),
        check(bytes, Snapshot::to_signed),
        check(bytes, Targets::to_signed),
    ];
    assert!(read.iter().filter(|was_read| **was_read).count() <= 1);
});

/// Says whether the document is of role `T`.
fn check<T: Metadata + PartialEq + Debug>(bytes: &[u8], encode: fn(&T) -> Json) -> bool {
    let is_read = Envelope::<T>::parse(bytes).is_ok();
    let document = json::parse(bytes).ok();
    let signed = document
        .as_ref()
        .and_then(|document| document.member("signed"));
    let role = signed.and_then(|signed| T::from_signed(signed).ok());
    assert!(role.is_some() || !is_read);
    if let Some(role) = role {
        let again = T::from_signed(&encode(&role));
        assert_eq!(again.as_ref(), Ok(&role));
    }
    is_read
}
