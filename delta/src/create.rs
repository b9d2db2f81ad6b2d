//! Making a delta: matching, coding segment by segment, and the mirror check.

use std::{
    io::{self, Cursor, Write},
    ops::{ControlFlow, Range},
    sync::{
        OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use crate::{
    apply::{self, ApplyError, Delta, Expected},
    codec::{Segment, delta_z, raw_zstd},
    container::{
        Container, ContainerError, Kind, Row, Source, segment_count, segment_hash, segment_range,
    },
    limits::{BASE_BYTES_MAX, PAYLOAD_BYTES_MAX, THREADS_MAX},
    matching::{Matcher, Operation},
    segments::{self, Segments},
};

#[cfg(test)]
mod tests;

/// Why no delta could be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CreateError {
    /// Base or target are larger than the format allows.
    #[error("image too large")]
    Image(#[from] ContainerError),
    /// The mirror check failed: the delta made doesn't rebuild the target. A defect of this crate.
    #[error("the delta made can't be applied")]
    Mirror(#[source] ApplyError),
    /// zstd failed, or made more of incompressible bytes than it may.
    #[error("segment {index} can't be compressed")]
    Compress {
        /// Segment, from 0.
        index: u32,
        /// From zstd.
        #[source]
        source: io::Error,
    },
    /// The delta can't be written.
    #[error("delta can't be written")]
    Write(#[source] io::Error),
}

/// How to make a delta.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CreateOptions {
    /// Threads coding segments, 1..=[`THREADS_MAX`], clamped; the result doesn't depend on it.
    pub threads: usize,
    /// zstd level, 1..=19; clamped by zstd. Higher is smaller and slower.
    pub level: i32,
}

impl Default for CreateOptions {
    /// One thread, level 19.
    fn default() -> Self {
        Self {
            threads: 1,
            level: 19,
        }
    }
}

/// What was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Bytes of the base.
    pub base_size: u64,
    /// Bytes of the target.
    pub target_size: u64,
    /// Bytes of the delta.
    pub delta_size: u64,
    /// Segments by type.
    pub segments: Segments,
}

/// Makes a delta and, before writing it, applies it to `base` and compares.
///
/// The bytes depend on base, target, level and the versions of this crate and zstd alone. Takes, beside
/// both images and the delta, up to 5.5 bytes of memory per byte of the base and 25 MiB per thread.
///
/// * `base`, `target`: up to [`BASE_BYTES_MAX`] and [`crate::limits::TARGET_BYTES_MAX`] bytes.
/// * `progress`: called from the coding threads with the bytes of the target done so far; calls of
///   different threads may arrive out of order.
/// * `out`: gets the whole delta after the check; nothing if there is an error before.
///
/// # Errors
/// [`CreateError`]; only [`CreateError::Write`] leaves something in `out`.
pub fn create(
    base: &[u8],
    target: &[u8],
    options: &CreateOptions,
    progress: &(dyn Fn(u64) + Sync),
    out: &mut impl Write,
) -> Result<Summary, CreateError> {
    let expected = Expected::of(base, target);
    check_sizes(&expected)?;
    let payloads = encode_all(base, target, options, progress)?;
    let (container, bytes) = assemble(&expected, target, &payloads)?;
    drop(payloads);
    mirror(base, target, &expected, &bytes).map_err(CreateError::Mirror)?;
    out.write_all(&bytes)
        .and_then(|()| out.flush())
        .map_err(CreateError::Write)?;
    Ok(Summary {
        base_size: expected.base_size,
        target_size: expected.target_size,
        delta_size: bytes.len() as u64,
        segments: segments::count(&container.rows),
    })
}

fn check_sizes(expected: &Expected) -> Result<(), ContainerError> {
    if expected.base_size > BASE_BYTES_MAX {
        return Err(ContainerError::AboveLimit {
            what: "base size",
            actual: expected.base_size,
            max: BASE_BYTES_MAX,
        });
    }
    segment_count(expected.target_size).map(|_| ())
}

/// One coded segment.
#[derive(Debug)]
enum Coded {
    Copy { base: u64 },
    Payload { kind: Kind, bytes: Vec<u8> },
}

/// Codes all segments, each by one thread, in any order.
fn encode_all(
    base: &[u8],
    target: &[u8],
    options: &CreateOptions,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Vec<Coded>, CreateError> {
    let matcher = Matcher::new(base, target);
    let size = target.len() as u64;
    let count = segment_count(size)? as usize;
    let coded: Vec<OnceLock<Result<Coded, CreateError>>> =
        (0..count).map(|_| OnceLock::new()).collect();
    let (next, done) = (AtomicUsize::new(0), AtomicU64::new(0));
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(slot) = coded.get(index) else { return };
            let index = index as u32;
            let Some(range) = segment_range(index, size) else {
                return;
            };
            let bytes = range.end - range.start;
            let range = range.start as usize..range.end as usize;
            let result = encode(&matcher, base, &target[range.clone()], range, options.level)
                .map_err(|source| CreateError::Compress { index, source });
            slot.get_or_init(|| result);
            progress(done.fetch_add(bytes, Ordering::Relaxed) + bytes);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..options.threads.clamp(1, THREADS_MAX) {
            scope.spawn(work);
        }
        work();
    });
    coded.into_iter().filter_map(OnceLock::into_inner).collect()
}

/// Codes one segment in the smallest way.
fn encode(
    matcher: &Matcher<'_>,
    base: &[u8],
    output: &[u8],
    range: Range<usize>,
    level: i32,
) -> io::Result<Coded> {
    if let Some(base) = matcher.copy(&range) {
        return Ok(Coded::Copy { base });
    }
    let segment = Segment {
        start: range.start as u64,
        size: output.len(),
        base_size: base.len() as u64,
    };
    let operations = matcher.cover(range);
    if let [
        Operation {
            base: place, copy, ..
        },
    ] = *operations
        && copy == output.len()
        && base[place as usize..][..copy] == *output
    {
        return Ok(Coded::Copy { base: place });
    }
    let literals: usize = operations.iter().map(|operation| operation.literal).sum();
    let delta =
        delta_z::encode(&operations, segment, output, base, level)?.map(|bytes| Coded::Payload {
            kind: Kind::DeltaZ,
            bytes,
        });
    // Compressing is slow, and copies are nearly always smaller than what they stand for.
    if literals < output.len() / 2
        && let Some(delta) = delta
    {
        return Ok(delta);
    }
    let bytes = raw_zstd::encode(output, level)?;
    match delta {
        Some(Coded::Payload { kind, bytes: delta }) if delta.len() < bytes.len() => {
            Ok(Coded::Payload { kind, bytes: delta })
        }
        _ if bytes.len() <= PAYLOAD_BYTES_MAX as usize => Ok(Coded::Payload {
            kind: Kind::RawZstd,
            bytes,
        }),
        _ => Err(io::ErrorKind::FileTooLarge.into()),
    }
}

/// Header, table and payloads.
fn assemble(
    expected: &Expected,
    target: &[u8],
    coded: &[Coded],
) -> Result<(Container, Vec<u8>), CreateError> {
    let mut offset = Container::head_bytes(expected.target_size)?;
    let mut rows = Vec::new();
    for (index, segment) in (0..).zip(coded) {
        let Some(range) = segment_range(index, expected.target_size) else {
            break;
        };
        let output = &target[range.start as usize..range.end as usize];
        let source = match segment {
            Coded::Copy { base } => Source::Copy { base: *base },
            Coded::Payload { kind, bytes } => {
                let source = Source::Payload {
                    kind: *kind,
                    offset,
                    length: bytes.len() as u32,
                };
                offset += bytes.len() as u64;
                source
            }
        };
        let hash = segment_hash(range.start, output, expected.target_size);
        rows.push(Row { source, hash });
    }
    let container = Container {
        base: expected.base,
        base_size: expected.base_size,
        target: expected.target,
        target_size: expected.target_size,
        rows,
    };
    let mut bytes = container.encode();
    for segment in coded {
        if let Coded::Payload { bytes: payload, .. } = segment {
            bytes.extend(payload);
        }
    }
    Ok((container, bytes))
}

/// Applies what was made and compares.
fn mirror(base: &[u8], target: &[u8], expected: &Expected, bytes: &[u8]) -> Result<(), ApplyError> {
    let mut delta = Delta::open(Cursor::new(bytes), bytes.len() as u64, expected)?;
    let mut rest = Compare { target };
    apply::apply(&mut delta, &mut Cursor::new(base), &mut rest, |_| {
        ControlFlow::Continue(())
    })?;
    if rest.target.is_empty() {
        Ok(())
    } else {
        Err(ApplyError::Output(io::ErrorKind::InvalidData.into()))
    }
}

/// Takes exactly the bytes of the target.
struct Compare<'a> {
    target: &'a [u8],
}

impl Write for Compare<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let rest = self
            .target
            .strip_prefix(bytes)
            .ok_or(io::ErrorKind::InvalidData)?;
        self.target = rest;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
