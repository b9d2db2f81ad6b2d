//! Segments coded by context mixing: any bytes are some code; where it is ended properly it is accepted.
#![no_main]

use fuzz::choices::Choices;
use fuzz::segment::{Kind, Segment, frame};
use fuzz::{image, plain};
use libfuzzer_sys::fuzz_target;

/// Bytes behind the input's, so that most codes last until the segment is full.
const TAIL_BYTES: usize = 128;

fuzz_target!(|bytes: &[u8]| {
    let mut choices = Choices::new(bytes);
    let mut segment = Segment::choose(Kind::DeltaCm, &mut choices);
    segment.size = 1 + segment.size % 256;
    let apart = match choices.byte() {
        count @ 0..64 => choices.take(usize::from(count)),
        _ => &[],
    };
    let packed = frame(apart);
    let mut payload = (apart.len() as u32).to_le_bytes().to_vec();
    payload.extend((packed.len() as u32).to_le_bytes());
    payload.extend(packed);
    let seed = u64::from(choices.byte());
    payload.extend(choices.rest());
    payload.extend(image::noise(seed, TAIL_BYTES));
    match plain::end_code(&segment, &payload) {
        Some(ended) => {
            assert!(segment.compare(&ended));
            // One encoding of a code: any other end is refused.
            if seed.is_multiple_of(16) {
                let mut other = ended;
                let last = other.len() - 1;
                other[last] ^= 1;
                assert!(!segment.compare(&other));
            }
        }
        None => assert!(!segment.compare(&payload)),
    }
});
