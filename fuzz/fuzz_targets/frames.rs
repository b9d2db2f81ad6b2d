//! Frames of the exchange, as a stream of them: each has one encoding.
#![no_main]

use libfuzzer_sys::fuzz_target;
use protocol::exchange::wire::{self, Frame, PREFIX_BYTES};
use protocol::limits::FRAME_BYTES_MAX;

fuzz_target!(|bytes: &[u8]| {
    // A body of any length, as if the prefix had not bounded it.
    if let Some((kind, body)) = bytes.split_first()
        && let Ok(frame) = Frame::parse(*kind, body)
    {
        assert_eq!(frame.encode()[PREFIX_BYTES..], *body);
    }
    let mut rest = bytes;
    while let Some((prefix, after)) = rest.split_first_chunk::<PREFIX_BYTES>() {
        let Ok((kind, length)) = wire::parse_prefix(*prefix) else {
            return;
        };
        assert!(length <= FRAME_BYTES_MAX as usize);
        let Some((body, after)) = after.split_at_checked(length) else {
            return;
        };
        let Ok(frame) = Frame::parse(kind, body) else {
            return;
        };
        assert_eq!(frame.encode(), rest[..PREFIX_BYTES + length]);
        rest = after;
    }
});
