//! The interchange stream: never one byte more than the target has, whatever the numbers say.
#![no_main]

use std::io::Cursor;
use std::sync::LazyLock;

use fuzz::choices::Choices;
use fuzz::image;
use libfuzzer_sys::fuzz_target;

static BASE: LazyLock<Vec<u8>> = LazyLock::new(|| image::noise(5, 64 * 1024));

fuzz_target!(|bytes: &[u8]| {
    let mut choices = Choices::new(bytes);
    let target_size = u64::from(choices.short());
    let patch = if choices.byte().is_multiple_of(4) {
        choices.rest().to_vec()
    } else {
        operations(&mut choices)
    };
    let mut out = Vec::new();
    let mut base = Cursor::new(&*BASE);
    let result = delta::bsdiff::apply(&mut base, &mut &patch[..], target_size, &mut out);
    let made = out.len() as u64;
    assert!(made == target_size || (result.is_err() && made < target_size));
});

/// Operations whose bytes follow; numbers small enough to fit more often than not.
fn operations(choices: &mut Choices<'_>) -> Vec<u8> {
    let mut patch = Vec::new();
    while !choices.is_empty() {
        let (copied, literal, seek) = (choices.byte(), choices.byte(), choices.number());
        let sign = u64::from(choices.byte() % 2) << 63;
        patch.extend(u64::from(copied).to_le_bytes());
        patch.extend(u64::from(literal).to_le_bytes());
        patch.extend((seek ^ sign).to_le_bytes());
        let body = usize::from(copied) + usize::from(literal);
        patch.resize(patch.len() + body, copied);
    }
    patch
}
