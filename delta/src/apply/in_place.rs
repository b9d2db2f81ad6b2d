//! Rebuilding segments at their places, where some may already be right and the base may not be.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::{ControlFlow, Range};

use super::{ApplyError, Delta};

#[cfg(test)]
mod tests;

/// What came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct InPlace {
    /// Segments that base and payload don't rebuild.
    pub left_out: Vec<u32>,
    /// Bytes rebuilt and written.
    pub written: u64,
}

/// Rebuilds segments of the target at their places in `slot`.
///
/// A segment that the slot holds already is left as it is: the slot itself says where a run that was cut
/// goes on, and what an older image has in common with the target is not written again. A segment that
/// base and payload don't rebuild is left out, so that it can be had in another way; if none is left out and
/// `segments` are all, the slot holds the target. What of the slot can't be read is written anew.
///
/// * `segments`: in any order.
/// * `slot`: at least as large as the target; its position doesn't matter.
/// * `progress`: called with the target's bytes done, after each segment.
///
/// # Errors
/// [`ApplyError::Cancelled`] when `progress` breaks, [`ApplyError::Output`] if the slot can't be written,
/// [`ApplyError::Delta`] if the delta can't be read, [`ApplyError::Segment`].
pub fn apply_in_place<R, B, S>(
    delta: &mut Delta<R>,
    base: &mut B,
    slot: &mut S,
    segments: impl IntoIterator<Item = u32>,
    mut progress: impl FnMut(u64) -> ControlFlow<()>,
) -> Result<InPlace, ApplyError>
where
    R: Read + Seek,
    B: Read + Seek,
    S: Read + Write + Seek,
{
    let mut made = InPlace::default();
    let mut done = 0_u64;
    let mut segment = Vec::new();
    for index in segments {
        let range = delta.segment_range(index);
        let range = range.ok_or(ApplyError::Segment { index })?;
        // What can't be read is made again: a bad sector is often a good one once it is written.
        if read(slot, &range, &mut segment).is_err() {
            segment.clear();
        }
        let bytes = range.end.saturating_sub(range.start);
        if !delta.is_segment(index, &segment) {
            match delta.segment(index, base, &mut segment) {
                Ok(()) => {
                    write(slot, &range, &segment).map_err(ApplyError::Output)?;
                    made.written = made.written.saturating_add(bytes);
                }
                Err(ApplyError::Hash { .. } | ApplyError::Codec { .. } | ApplyError::Base(_)) => {
                    made.left_out.push(index);
                }
                Err(error) => return Err(error),
            }
        }
        done = done.saturating_add(bytes);
        if progress(done).is_break() {
            return Err(ApplyError::Cancelled);
        }
    }
    slot.flush().map_err(ApplyError::Output)?;
    Ok(made)
}

/// Reads a range, or as much of it as there is.
fn read(slot: &mut (impl Read + Seek), range: &Range<u64>, bytes: &mut Vec<u8>) -> io::Result<()> {
    bytes.clear();
    slot.seek(SeekFrom::Start(range.start))?;
    let size = range.end.saturating_sub(range.start);
    bytes.reserve_exact(usize::try_from(size).map_err(io::Error::other)?);
    slot.by_ref().take(size).read_to_end(bytes)?;
    Ok(())
}

fn write(slot: &mut (impl Write + Seek), range: &Range<u64>, bytes: &[u8]) -> io::Result<()> {
    slot.seek(SeekFrom::Start(range.start))?;
    slot.write_all(bytes)
}
