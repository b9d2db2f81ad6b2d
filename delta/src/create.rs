//! Making a delta: matching, coding segment by segment, and the mirror check.

use std::{
    io::{self, Cursor, Write},
    ops::ControlFlow,
    sync::{
        OnceLock,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
};

use crate::{
    apply::{self, ApplyError, Delta, Expected},
    container::{
        Container, ContainerError, Row, Source, segment_count, segment_hash, segment_range,
    },
    limits::{BASE_BYTES_MAX, THREADS_MAX},
    matching::Matcher,
    segments::{self, Segments},
};

mod segment;
#[cfg(test)]
mod tests;

use segment::Coded;

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

/// Coders of a delta, which decide what a device needs to apply it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coder {
    /// zstd: hundreds of megabytes per second, 6 MiB of memory.
    Zstd,
    /// Context mixing: a third smaller, about ten megabytes per second, 16 MiB of memory.
    Mixing,
}

impl Coder {
    /// Name of the format in signed metadata.
    #[must_use]
    pub const fn format(self) -> &'static str {
        match self {
            Self::Zstd => crate::FORMAT,
            Self::Mixing => crate::FORMAT_MIXING,
        }
    }
}

/// How to make a delta.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CreateOptions {
    /// Threads coding segments, 1..=[`THREADS_MAX`], clamped; the result doesn't depend on it.
    pub threads: usize,
    /// zstd level, 1..=19; clamped by zstd. Higher is smaller and slower.
    pub level: i32,
    /// Who codes what isn't copied.
    pub coder: Coder,
}

impl Default for CreateOptions {
    /// One thread, level 19, zstd.
    fn default() -> Self {
        Self {
            threads: 1,
            level: 19,
            coder: Coder::Zstd,
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

/// A target with all that was found of it in a base: matching takes most of the time, and serves all coders.
#[derive(Debug)]
pub struct Matched<'a> {
    matcher: Matcher<'a>,
    base: &'a [u8],
    target: &'a [u8],
    expected: Expected,
}

impl<'a> Matched<'a> {
    /// Finds `target` in `base`. Takes up to four bytes of memory per byte of the base beside both images: six
    /// images in all, where both are as large.
    ///
    /// * `base`, `target`: up to [`BASE_BYTES_MAX`] and [`crate::limits::TARGET_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// [`CreateError::Image`].
    pub fn new(base: &'a [u8], target: &'a [u8]) -> Result<Self, CreateError> {
        let expected = Expected::of(base, target);
        check_sizes(&expected)?;
        Ok(Self {
            matcher: Matcher::new(base, target),
            base,
            target,
            expected,
        })
    }

    /// What a delta made says of base and target: what was hashed here, to be compared with what is signed.
    #[must_use]
    pub const fn expected(&self) -> &Expected {
        &self.expected
    }

    /// Bytes of the target.
    #[must_use]
    pub const fn target_size(&self) -> u64 {
        self.expected.target_size
    }

    /// Makes a delta and, before writing it, applies it to the base and compares.
    ///
    /// The bytes depend on base, target, coder, level and the versions of this crate and zstd alone. Takes
    /// up to 25 MiB of memory per thread, and twice the delta, on top of what [`Self::new`] took.
    ///
    /// * `progress`: called from the coding threads with the bytes of the target done so far; calls of
    ///   different threads may arrive out of order.
    /// * `out`: gets the whole delta after the check; nothing if there is an error before.
    ///
    /// # Errors
    /// [`CreateError`]; only [`CreateError::Write`] leaves something in `out`.
    pub fn create(
        &self,
        options: &CreateOptions,
        progress: &(dyn Fn(u64) + Sync),
        out: &mut impl Write,
    ) -> Result<Summary, CreateError> {
        let payloads = self.encode_all(options, progress)?;
        let (container, bytes) = assemble(&self.expected, self.target, &payloads)?;
        drop(payloads);
        mirror(self.base, self.target, &self.expected, &bytes).map_err(CreateError::Mirror)?;
        out.write_all(&bytes)
            .and_then(|()| out.flush())
            .map_err(CreateError::Write)?;
        Ok(Summary {
            base_size: self.expected.base_size,
            target_size: self.expected.target_size,
            delta_size: bytes.len() as u64,
            segments: segments::count(&container.rows),
        })
    }

    /// Codes all segments, each by one thread, in any order.
    fn encode_all(
        &self,
        options: &CreateOptions,
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Vec<Coded>, CreateError> {
        let CreateOptions {
            threads,
            level,
            coder,
        } = *options;
        let size = self.target.len() as u64;
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
                let output = &self.target[range.clone()];
                let result = segment::encode(&self.matcher, output, range, coder, level)
                    .map_err(|source| CreateError::Compress { index, source });
                slot.get_or_init(|| result);
                progress(done.fetch_add(bytes, Ordering::Relaxed) + bytes);
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..threads.clamp(1, THREADS_MAX) {
                scope.spawn(work);
            }
            work();
        });
        coded.into_iter().filter_map(OnceLock::into_inner).collect()
    }
}

/// Makes one delta, see [`Matched`].
///
/// # Errors
/// Those of [`Matched::new`] and [`Matched::create`].
pub fn create(
    base: &[u8],
    target: &[u8],
    options: &CreateOptions,
    progress: &(dyn Fn(u64) + Sync),
    out: &mut impl Write,
) -> Result<Summary, CreateError> {
    Matched::new(base, target)?.create(options, progress, out)
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
