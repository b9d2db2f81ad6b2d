//! A plain decoder of `streembit-delta`: the container, and COPY and RAW-ZSTD segments.

use super::input::{Input, check};
use blake3::hazmat::{HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};

const SEGMENT_SIZE: u64 = 1 << 20;
const MAX_PAYLOAD: u32 = 1_052_672;

type Hash = [u8; 32];

struct Row {
    kind: u8,
    machine: u8,
    payload_length: u32,
    offset: u64,
    hash: Hash,
}

/// What a segment is rebuilt from, other than its payload.
pub(super) struct Segment<'a> {
    pub(super) base: &'a [u8],
    pub(super) machine: u8,
    pub(super) position: i64,
    pub(super) size: usize,
}

impl Segment<'_> {
    /// Checks an operation that starts when `done` bytes of the segment are made.
    pub(super) fn check_operation(
        &self,
        copy: u64,
        literal: u64,
        done: usize,
    ) -> Result<(), String> {
        let room = (self.size - done) as u64;
        let fits = copy <= room && literal <= room - copy;
        check(fits, "operation larger than the segment")?;
        check(copy > 0 || literal > 0, "operation makes nothing")
    }
}

/// Rebuilds the target from its base and a delta.
pub(super) fn decode(base: &[u8], delta: &[u8]) -> Result<Vec<u8>, String> {
    let mut input = Input::new(delta);
    let (target_size, rows) = read_table(&mut input, base)?;
    let mut output = Vec::new();
    for row in &rows {
        let position = output.len() as u64;
        let size = SEGMENT_SIZE.min(target_size - position) as usize;
        let segment = Segment {
            base,
            machine: row.machine,
            position: position as i64,
            size,
        };
        let segment = decode_segment(&segment, row, &mut input)?;
        let hash = if rows.len() == 1 {
            *blake3::hash(&segment).as_bytes()
        } else {
            let mut hasher = blake3::Hasher::new();
            hasher.set_input_offset(position).update(&segment);
            hasher.finalize_non_root()
        };
        check(hash == row.hash, "segment does not have its hash")?;
        output.extend(segment);
    }
    check(input.is_empty(), "bytes after the last payload")?;
    Ok(output)
}

/// The target's size and the rows, from the header and the table.
fn read_table(input: &mut Input<'_>, base: &[u8]) -> Result<(u64, Vec<Row>), String> {
    check(input.take(8)? == b"sb-delta", "wrong magic")?;
    check(input.u32()? == 1, "unknown version")?;
    check(input.u32()? == 1 << 20, "wrong segment_size")?;
    let base_size = input.u64()?;
    check(base_size <= 1 << 40, "base_size too large")?;
    check(base_size == base.len() as u64, "wrong base_size")?;
    let base_hash = blake3::hash(base);
    check(input.array()? == *base_hash.as_bytes(), "wrong base")?;
    let target_size = input.u64()?;
    check(target_size <= 1 << 34, "target_size too large")?;
    let target: Hash = input.array()?;
    let segment_count = target_size.div_ceil(SEGMENT_SIZE);
    let is_count = u64::from(input.u32()?) == segment_count;
    check(is_count, "wrong segment_count")?;
    check(input.u32()? == 0, "header's reserved is not 0")?;
    let mut rows = Vec::new();
    for _ in 0..segment_count {
        rows.push(read_row(input)?);
    }
    let hashes: Vec<Hash> = rows.iter().map(|row| row.hash).collect();
    check(root(&hashes) == target, "hashes do not give target")?;
    Ok((target_size, rows))
}

fn read_row(input: &mut Input<'_>) -> Result<Row, String> {
    let [kind, machine, reserved @ ..] = input.array::<4>()?;
    check(kind <= 3, "unknown type")?;
    let last_machine = match kind {
        1 => 6,
        3 => 5,
        _ => 0,
    };
    check(machine <= last_machine, "wrong machine")?;
    check(reserved == [0, 0], "row's reserved is not 0")?;
    let payload_length = input.u32()?;
    let lengths = if kind == 0 { 0..=0 } else { 1..=MAX_PAYLOAD };
    check(lengths.contains(&payload_length), "wrong payload_length")?;
    Ok(Row {
        kind,
        machine,
        payload_length,
        offset: input.u64()?,
        hash: input.array()?,
    })
}

fn decode_segment(
    segment: &Segment<'_>,
    row: &Row,
    input: &mut Input<'_>,
) -> Result<Vec<u8>, String> {
    if row.kind == 0 {
        let from_offset = usize::try_from(row.offset)
            .ok()
            .and_then(|offset| segment.base.get(offset..));
        let copied = from_offset.and_then(|bytes| bytes.get(..segment.size));
        return Ok(copied.ok_or("COPY out of the base")?.to_vec());
    }
    check(
        row.offset == input.position() as u64,
        "payload not in place",
    )?;
    let payload = input.take(row.payload_length as usize)?;
    match row.kind {
        1 => super::delta_z::decode(segment, payload),
        2 => super::input::unpack(&mut zstd::zstd_safe::DCtx::create(), payload, segment.size),
        _ => super::delta_cm::decode(segment, payload),
    }
}

/// The root of the BLAKE3 tree over the segments' nodes.
fn root(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => *blake3::hash(&[]).as_bytes(),
        [only] => *only,
        _ => {
            let (left, right) = children(hashes);
            *merge_subtrees_root(&left, &right, Mode::Hash).as_bytes()
        }
    }
}

fn node(hashes: &[Hash]) -> Hash {
    if let [only] = hashes {
        return *only;
    }
    let (left, right) = children(hashes);
    merge_subtrees_non_root(&left, &right, Mode::Hash)
}

fn children(hashes: &[Hash]) -> (Hash, Hash) {
    let (left, right) = hashes.split_at(hashes.len().next_power_of_two() / 2);
    (node(left), node(right))
}
