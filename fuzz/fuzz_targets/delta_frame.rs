//! The zstd frame of a stored segment: as it is, or one that fits, with damage or without.
#![no_main]

use std::iter;
use std::sync::LazyLock;

use fuzz::choices::Choices;
use fuzz::segment::{Kind, Segment, frame};
use fuzz::{edit, image};
use libfuzzer_sys::fuzz_target;

/// Contents, and their frames by zstd itself: stored, runs, Huffman codes, sequences.
static GOOD: LazyLock<Vec<(u16, Vec<u8>)>> = LazyLock::new(|| {
    let lines = (0..60_u32).map(|number| format!("line {number}: {}\n", number * 7919 % 613));
    let noise = image::noise(5, 700);
    let runs = noise.iter().flat_map(|&byte| iter::repeat_n(byte & 3, 3));
    let contents = [
        lines.collect::<String>().into_bytes(),
        runs.collect(),
        noise,
    ];
    let packed =
        |content: &Vec<u8>, level| zstd::bulk::compress(content, level).unwrap_or_default();
    let frames = contents
        .iter()
        .flat_map(|content| [1, 3].map(|level| (content.len() as u16, packed(content, level))));
    frames.collect()
});

fuzz_target!(|bytes: &[u8]| {
    let mut choices = Choices::new(bytes);
    let mut segment = Segment::choose(Kind::RawZstd, &mut choices);
    let flags = choices.byte();
    let mut payload = match flags % 4 {
        0 => choices.rest().to_vec(),
        1 => {
            let good = choices.one_of(&GOOD).cloned();
            let (size, frame) = good.unwrap_or_default();
            segment.size = size;
            frame
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
