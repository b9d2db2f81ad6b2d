//! Deltas of bsdiff 4 as bytes, over a small base: the input as it is, and good ones damaged.
#![no_main]

use std::io::Cursor;
use std::sync::LazyLock;

use fuzz::choices::Choices;
use fuzz::{edit, image};
use libfuzzer_sys::fuzz_target;

/// Bytes of the base, and most that the target may have.
const BASE_BYTES: usize = 1024;
const TARGET_BYTES: u64 = 4096;

static BASE: LazyLock<Vec<u8>> = LazyLock::new(|| image::noise(5, BASE_BYTES));

/// Deltas from the base to something moved and changed, to itself, to nothing.
static GOOD: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let mut moved = BASE.clone();
    moved.rotate_left(500);
    moved[77] ^= 1;
    let targets = [&moved[..], &BASE[..], &[]];
    let made = targets.map(|target| {
        let mut delta = Vec::new();
        assert!(delta::bsdiff::create(&BASE, target, &mut delta).is_ok());
        delta
    });
    made.to_vec()
});

fuzz_target!(|bytes: &[u8]| {
    let mut choices = Choices::new(bytes);
    let bytes = match choices.byte() {
        0..128 => choices.rest().to_vec(),
        _ => {
            let mut good = choices.one_of(&GOOD).cloned().unwrap_or_default();
            edit::damage(&mut good, &mut choices);
            good
        }
    };
    let declared = bytes.get(24..32).and_then(|bytes| bytes.try_into().ok());
    let size = declared.map_or(0, u64::from_le_bytes).min(TARGET_BYTES);
    let mut out = Vec::new();
    let [mut base, mut delta] = [&BASE[..], &bytes].map(Cursor::new);
    let result = delta::bsdiff::apply(&mut base, &mut delta, Some(size), &mut out);
    assert!(out.len() as u64 <= size);
    assert!(result.is_err() || out.len() as u64 == size);
});
