//! Deltas of bsdiff 4 as they are: the input is the delta, over a small base.
#![no_main]

use std::io::Cursor;

use fuzz::image;
use libfuzzer_sys::fuzz_target;

/// Bytes of the base, and most that the target may have.
const BASE_BYTES: usize = 1024;
const TARGET_BYTES: u64 = 4096;

fuzz_target!(|bytes: &[u8]| {
    let base = image::noise(5, BASE_BYTES);
    let declared = bytes.get(24..32).and_then(|bytes| bytes.try_into().ok());
    let size = declared.map_or(0, u64::from_le_bytes).min(TARGET_BYTES);
    let mut out = Vec::new();
    let [mut base, mut delta] = [&base[..], bytes].map(Cursor::new);
    let result = delta::bsdiff::apply(&mut base, &mut delta, Some(size), &mut out);
    assert!(out.len() as u64 <= size);
    assert!(result.is_err() || out.len() as u64 == size);
});
