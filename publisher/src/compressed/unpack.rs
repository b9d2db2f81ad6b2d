//! Unpacking compressed files in bounded memory.

use std::io::{self, Read as _};

use super::head;

/// Bytes of an unpacked image. Two of them and what matching takes, 6.5 bytes for each in all, stay below
/// 1 GiB.
pub(super) const UNPACKED_BYTES_MAX: u64 = 128 << 20;

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
/// [`io::ErrorKind::FileTooLarge`] above [`UNPACKED_BYTES_MAX`], and what the decoder reports.
pub(super) fn unpack(mut packed: &[u8]) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(packing) = head::find(packed).and_then(|found| found.packing) {
        let left = (UNPACKED_BYTES_MAX + 1).saturating_sub(bytes.len() as u64);
        let part = &mut packed;
        match packing {
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
    }
    Ok(bytes)
}
