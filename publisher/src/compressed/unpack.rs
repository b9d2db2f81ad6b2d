//! Unpacking compressed files in bounded memory.

use std::io::{self, Read as _};

use super::head;

/// Bytes of an unpacked image. What [`delta::Matched`] takes for two of them stays below 1 GiB.
pub(super) const UNPACKED_BYTES_MAX: u64 = 128 << 20;

/// Bytes below which an unpacked part is a small one. Each part costs as much as unpacking some kilobytes, whatever
/// is in it.
pub(super) const SMALL_PART_BYTES: u64 = 4096;

/// Small parts of an image. A file has one such part, its last, or each of a few that were put together has one;
/// nine bytes are an empty part of zstd, and 128 MiB of them would take minutes.
pub(super) const SMALL_PARTS_MAX: u64 = 1000;

/// Window of zstd, as its power of two: what zstd itself unpacks without being asked.
const WINDOW_LOG_MAX: u32 = 27;

/// Compressions that we can undo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    /// bzip2
    Bzip2,
    /// gzip (RFC 1952)
    Gzip,
    /// Zstandard (RFC 8878)
    Zstd,
}

/// Unpacks all parts of a file that stand one after another; what follows them, such as padding, isn't read.
///
/// # Errors
/// [`io::ErrorKind::FileTooLarge`] above [`UNPACKED_BYTES_MAX`], [`io::ErrorKind::InvalidData`] above
/// [`SMALL_PARTS_MAX`], and what the decoder reports.
pub(super) fn unpack(mut packed: &[u8]) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut small_parts = 0;
    while let Some(packing) = head::find(packed).and_then(|found| found.packing) {
        let left = (UNPACKED_BYTES_MAX + 1).saturating_sub(bytes.len() as u64);
        let part = &mut packed;
        let made = match packing {
            Packing::Bzip2 => bzip2::bufread::BzDecoder::new(part)
                .take(left)
                .read_to_end(&mut bytes),
            Packing::Gzip => flate2::bufread::GzDecoder::new(part)
                .take(left)
                .read_to_end(&mut bytes),
            Packing::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::with_buffer(part)?.single_frame();
                decoder.window_log_max(WINDOW_LOG_MAX)?;
                decoder.take(left).read_to_end(&mut bytes)
            }
        }?;
        if bytes.len() as u64 > UNPACKED_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        small_parts += u64::from((made as u64) < SMALL_PART_BYTES);
        if small_parts > SMALL_PARTS_MAX {
            let rule = format!(
                "more than {SMALL_PARTS_MAX} parts of it are smaller than {SMALL_PART_BYTES} bytes"
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, rule));
        }
    }
    Ok(bytes)
}
