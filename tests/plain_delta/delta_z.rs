//! DELTA-Z segments: copies of the base changed by runs, and literals, in zstd streams.

use super::calls;
use super::container::Segment;
use super::input::{Input, check, unpack, unzigzag};
use super::references::References;
use super::tables::Tables;
use zstd::zstd_safe::DCtx;

const TABLES: u8 = 6;

pub(super) fn decode(segment: &Segment<'_>, payload: &[u8]) -> Result<Vec<u8>, String> {
    let streams = read_streams(payload, segment)?;
    let [
        copies,
        literal_counts,
        seeks,
        equals,
        changes,
        values,
        literals,
    ] = &streams;
    let additions = expand_runs(equals, changes, values, segment.size)?;
    let [
        mut copies,
        mut literal_counts,
        mut seeks,
        mut additions,
        mut literals,
    ] = [copies, literal_counts, seeks, &additions, literals].map(|stream| Input::new(stream));
    let mut tables = Tables::new();
    let mut references = References::new(segment.base, segment.machine);
    let mut output = Vec::new();
    let mut expected = i128::from(segment.position);
    while output.len() < segment.size {
        let copy = copies.varint()?;
        let literal = literal_counts.varint()?;
        let position = expected + i128::from(unzigzag(seeks.varint()?));
        segment.check_operation(copy, literal, output.len())?;
        check(position >= 0, "position out of bounds")?;
        expected = position + i128::from(copy + literal);
        check(expected < 1 << 64, "position out of bounds")?;
        let end = position + i128::from(copy);
        let inside = copy == 0 || end <= segment.base.len() as i128;
        check(inside, "copy out of the base")?;
        let (mut from, mut left) = (position as i64, copy as usize);
        if segment.machine == TABLES && left > 0 {
            let old = &segment.base[from as usize..][..left];
            output.extend(tables.copy(old, from, additions.take(left)?));
            left = 0;
        }
        while left > 0 {
            let to = segment.position + output.len() as i64;
            let token = references.next_token(from, to, left);
            let mut new = token.predicted.to_le_bytes();
            for (byte, value) in new.iter_mut().zip(additions.take(token.size)?) {
                *byte = byte.wrapping_add(*value);
            }
            output.extend(&new[..token.size]);
            references.learn(&token, to, u32::from_le_bytes(new));
            from += token.size as i64;
            left -= token.size;
        }
        let to = segment.position + output.len() as i64;
        let literals = literals.take(literal as usize)?;
        output.extend(calls::restore(literals, to as u32, segment.machine));
    }
    let mut streams = [copies, literal_counts, seeks, additions, literals].into_iter();
    check(
        streams.all(|stream| stream.is_empty()),
        "streams are not used up",
    )?;
    Ok(output)
}

/// What is to be added to each copied byte.
fn expand_runs(
    equals: &[u8],
    changes: &[u8],
    values: &[u8],
    segment_size: usize,
) -> Result<Vec<u8>, String> {
    let [mut equals, mut changes, mut values] = [equals, changes, values].map(Input::new);
    let mut additions = Vec::new();
    while !(equals.is_empty() && changes.is_empty()) {
        let (equal, change) = (equals.varint()?, changes.varint()?);
        check(equal > 0 || change > 0, "empty run")?;
        let room = (segment_size - additions.len()) as u64;
        let fits = equal <= room && change <= room - equal;
        check(fits, "run larger than the segment")?;
        additions.resize(additions.len() + equal as usize, 0);
        additions.extend(values.take(change as usize)?);
    }
    check(values.is_empty(), "values are not used up")?;
    Ok(additions)
}

fn read_streams(payload: &[u8], segment: &Segment<'_>) -> Result<[Vec<u8>; 7], String> {
    let mut input = Input::new(payload);
    let primer = read_primer(&mut input, segment.base)?;
    let fits = primer.is_empty() || primer.len() + payload.len() <= 7 << 18;
    check(fits, "primer too large for the payload")?;
    let mut sizes = [(0, 0); 7];
    for entry in &mut sizes {
        *entry = (input.varint()?, input.varint()?);
    }
    let total = |range: &[(u64, u64)]| range.iter().map(|entry| u128::from(entry.0)).sum::<u128>();
    check(total(&sizes[..5]) <= 1 << 19, "streams too large")?;
    let bytes = total(&sizes[5..]);
    check(
        bytes <= segment.size as u128,
        "values and literals too many",
    )?;
    let has_use = primer.is_empty() || sizes[6].0 > 0;
    check(has_use, "primer without literals")?;
    let mut context = DCtx::create();
    let mut streams: [Vec<u8>; 7] = Default::default();
    for (index, (size, packed)) in sizes.into_iter().enumerate() {
        if index == 6 {
            let primed = context.ref_prefix(primer);
            primed.map_err(|_| "primer refused")?;
        }
        let packed = usize::try_from(packed).map_err(|_| "packed too large")?;
        streams[index] = match packed {
            0 => input.take(size as usize)?.to_vec(),
            _ => unpack(&mut context, input.take(packed)?, size as usize)?,
        };
    }
    check(input.is_empty(), "bytes after the streams")?;
    Ok(streams)
}

/// The bytes of the base that literals go on from.
fn read_primer<'a>(input: &mut Input<'_>, base: &'a [u8]) -> Result<&'a [u8], String> {
    let size = input.varint()?;
    check(size <= 1 << 20, "primer too large")?;
    if size == 0 {
        return Ok(&[]);
    }
    let position = usize::try_from(input.varint()?).map_err(|_| "primer out of the base")?;
    let rest = base.get(position..).ok_or("primer out of the base")?;
    Ok(rest.get(..size as usize).ok_or("primer out of the base")?)
}
