//! Operations, runs and literals of segments coded by zstd: streams from the input in good frames.
#![no_main]

use fuzz::choices::Choices;
use fuzz::edit;
use fuzz::segment::{Kind, Segment, frame};
use libfuzzer_sys::fuzz_target;

/// Streams of a payload.
const STREAMS: usize = 7;

fuzz_target!(|bytes: &[u8]| {
    let mut choices = Choices::new(bytes);
    let mut segment = Segment::choose(Kind::DeltaZ, &mut choices);
    let flags = choices.byte();
    let streams = if flags < 0x30 {
        any(&mut choices)
    } else {
        fitting(&mut segment, &mut choices)
    };
    let mut payload = Vec::new();
    let primer = if flags & 3 == 0 { choices.number() } else { 0 };
    put(&mut payload, primer);
    if primer > 0 {
        put(&mut payload, choices.number());
    }
    let frames = streams.each_ref().map(|stream| frame(stream));
    for (stream, frame) in streams.iter().zip(&frames) {
        put(&mut payload, stream.len() as u64);
        put(&mut payload, frame.len() as u64);
    }
    payload.extend(frames.concat());
    if flags & 0xc == 0 {
        edit::damage(&mut payload, &mut choices);
    }
    segment.compare(&payload);
});

/// Whatever streams.
fn any(choices: &mut Choices<'_>) -> [Vec<u8>; STREAMS] {
    std::array::from_fn(|_| {
        let count = choices.below(48);
        choices.take(count).to_vec()
    })
}

/// Streams that fit each other and the base; the segment's size follows from them.
fn fitting(segment: &mut Segment<'_>, choices: &mut Choices<'_>) -> [Vec<u8>; STREAMS] {
    let mut streams = [const { Vec::new() }; STREAMS];
    let [
        copies,
        literal_counts,
        seeks,
        equals,
        changes,
        values,
        literals,
    ] = &mut streams;
    let (mut made, mut copied) = (0_u64, 0_u64);
    let mut expected = segment.position();
    for _ in 0..=choices.below(40) {
        // Without a copy it may lie anywhere, also beyond the base.
        let base = segment.base.len();
        let from = choices.below(2 * base);
        let copy = choices.below(base.saturating_sub(from).min(100) + 1) as u64;
        let count = choices.below(24);
        let taken = choices.take(count);
        let literal = if copy == 0 {
            taken.len().max(1)
        } else {
            taken.len()
        };
        if made + copy + literal as u64 > 4096 {
            break;
        }
        literals.extend(taken);
        literals.resize(literals.len() + literal - taken.len(), 0xe8);
        put(copies, copy);
        put(literal_counts, literal as u64);
        let seek = (from as i64).wrapping_sub_unsigned(expected);
        put(seeks, ((seek << 1) ^ (seek >> 63)).cast_unsigned());
        expected = from as u64 + copy + literal as u64;
        made += copy + literal as u64;
        copied += copy;
    }
    while copied > 0 {
        let equal = u64::from(choices.byte()).min(copied);
        let change = (u64::from(choices.byte() % 16)).min(copied - equal);
        let change = if equal + change == 0 { 1 } else { change };
        put(equals, equal);
        put(changes, change);
        values.extend(choices.take(change as usize));
        copied -= equal + change;
    }
    let changed = made as usize - literals.len();
    values.truncate(changed);
    segment.size = made as u16;
    streams
}

fn put(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}
