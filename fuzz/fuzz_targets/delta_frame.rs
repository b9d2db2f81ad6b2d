//! The zstd frame of a stored segment: as it is, or one that fits with damage.
#![no_main]

use fuzz::choices::Choices;
use fuzz::edit;
use fuzz::segment::{Kind, Segment, frame};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut choices = Choices::new(bytes);
    let mut segment = Segment::choose(Kind::RawZstd, &mut choices);
    let flags = choices.byte();
    let mut payload = match flags % 4 {
        // As the declared content size says, if it does.
        0 | 1 => {
            let payload = choices.rest().to_vec();
            if let Ok(Some(size)) = zstd::zstd_safe::get_frame_content_size(&payload)
                && (1..=4096).contains(&size)
            {
                segment.size = size as u16;
            }
            payload
        }
        2 => {
            let count = choices.below(1024);
            let content = choices.take(count);
            segment.size = content.len().max(1) as u16;
            frame(content)
        }
        _ => {
            let run = vec![choices.byte(); usize::from(segment.size)];
            frame(&run)
        }
    };
    if flags >= 0x80 {
        edit::damage(&mut payload, &mut choices);
    }
    segment.compare(&payload);
});
