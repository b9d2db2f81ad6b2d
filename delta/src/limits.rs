//! Every bound of this crate, with its unit and its reason.

/// Output bytes of every segment but the last, which may be shorter.
///
/// Small segments are nearly free (whole image against 1 MiB segments: about 1 % of patch size) and
/// keep the memory of a device small. A power of two of BLAKE3 chunks, so that a segment is a
/// subtree of the target's BLAKE3 tree.
pub const SEGMENT_BYTES: u32 = 1 << 20;

/// Bytes of a target image, 16 GiB: bounds the table to 16384 rows of 48 bytes.
pub const TARGET_BYTES_MAX: u64 = 1 << 34;

/// Bytes of a base image, 1 TiB: any real disk slot; keeps positions far from 63 bits.
pub const BASE_BYTES_MAX: u64 = 1 << 40;

/// Bytes of one segment's payload: the segment stored as it is, and zstd's framing around it.
pub const PAYLOAD_BYTES_MAX: u32 = SEGMENT_BYTES + 4096;

/// Bytes of one segment's columns of counts before compression, all together.
///
/// The encoder merges short runs where they would take more.
pub const COLUMNS_BYTES_MAX: usize = SEGMENT_BYTES as usize / 2;

/// Bytes of the base that zstd may know before it reads a segment's literals: half of it gives 0.5 % back,
/// twice as many take 0.4 % more from them.
pub const PRIMER_BYTES_MAX: u64 = SEGMENT_BYTES as u64;

/// Bytes of a primer and of the payload that it is for: both are in memory at a time, and a payload with much
/// to gain from a primer is below three quarters of a segment.
pub const PRIMED_BYTES_MAX: u64 = PRIMER_BYTES_MAX + SEGMENT_BYTES as u64 / 4 * 3;

/// Window of a zstd frame in bytes, as declared by the frame: no segment needs more than itself.
///
/// RFC 8878 section 3.1.1.1.2 recommends decoders to support up to 8 MiB; a frame may ask for 3.75 TiB.
pub const WINDOW_BYTES_MAX: u64 = SEGMENT_BYTES as u64;

/// Worker threads of [`crate::create`]: more bring nothing below 64 MiB images and cost memory.
pub const THREADS_MAX: usize = 64;

/// Bytes of base and target for [`crate::bsdiff::create`], each.
///
/// The `bsdiff` crate is quadratic on long runs of one byte (1 MiB of 0xFF with one byte changed:
/// 14 s, 2 MiB: 67 s) and takes 17 times the base in memory.
pub const BSDIFF_CREATE_BYTES_MAX: u64 = 8 << 20;

/// Bytes of a target that [`crate::bsdiff::apply`] makes where nobody but the delta says how many, 4 GiB.
///
/// Bounds what a short delta can fill a disk with. `bspatch` holds base and target in memory, so larger ones
/// are not met.
pub const BSDIFF_TARGET_BYTES_MAX: u64 = 1 << 32;

/// Bytes [`crate::bsdiff::apply`] reads, adds and writes at a time.
pub const BSDIFF_BUFFER_BYTES: usize = 64 << 10;

/// Operations without output that [`crate::bsdiff::apply`] takes beyond one for each byte made so far.
///
/// Between two operations `bsdiff` goes on by nine bytes at least, so what [`crate::bsdiff::create`] makes has fewer
/// even if all stand in a row. 25 000 are the most that were met: 400 kB with a period of 16 bytes, for which `bsdiff`
/// takes a minute, and four times as long for twice as many. Without a bound, 500 bytes hold 20 million.
pub const BSDIFF_EMPTY_OPERATIONS_MAX: u64 = 1 << 20;
