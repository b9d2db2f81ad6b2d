//! What an update would cost if the images were not compressed.

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::num::NonZeroUsize;

use cli::{CliError, Output, human};
use delta::Coder;
use manifests::release::Content;

use super::unpack::{UNPACKED_BYTES_MAX, unpack};
use super::{Found, find_in};
use crate::deltas::{self, Made, blob_of};
use crate::repository::Layout;

/// A delta between unpacked images.
#[derive(Clone, Debug)]
pub(super) struct Measured {
    /// Its bytes.
    pub(super) size: u64,
    /// Bytes of the unpacked target.
    target_size: u64,
    /// The version it starts from.
    from: String,
    /// Bytes of the delta between the images as they are, by the same coder.
    packed_size: u64,
}

impl fmt::Display for Measured {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "uncompressed, the delta from {} would be {} ({:.1} % of {}) in place of {} (both by zstd)",
            self.from,
            human::bytes(self.size),
            self.size as f64 * 100.0 / self.target_size.max(1) as f64,
            human::bytes(self.target_size),
            human::bytes(self.packed_size)
        )
    }
}

/// Unpacks the image and the newest base that is packed alike, and makes a delta between them; or says why
/// not.
///
/// * `made`: deltas to the image, by zstd.
///
/// # Errors
/// [`CliError`] if a stored image can't be read.
pub(super) fn uncompressed(
    layout: &Layout,
    image: &Content,
    found: &Found,
    made: &[&Made],
    output: Output,
) -> Result<Result<Measured, String>, CliError> {
    let Some(packing) = found.packing else {
        return Ok(Err(
            "what it would cost uncompressed can't be measured here: only gzip, bzip2 and zstd files are unpacked"
                .to_owned(),
        ));
    };
    let mut base = None;
    for made in made {
        let packed = find_in(layout, &made.base.image)?;
        if packed.is_some_and(|base| base.packing == Some(packing)) {
            base = Some(made);
            break;
        }
    }
    let Some(made) = base else {
        return Ok(Err(
            "what it would cost uncompressed isn't measured: no release that a delta starts from is packed alike"
                .to_owned(),
        ));
    };
    let images = [&made.base.image, image].map(|image| unpacked(layout, image));
    let [old, new] = match images {
        [Ok(old), Ok(new)] => [old, new],
        [Err(error), _] | [_, Err(error)] => return Ok(Err(reason(&error))),
    };
    let base = &made.base;
    let matched = deltas::find(&old, &new, base, output)?;
    let threads = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let (_, summary) = deltas::create(&matched, base, Coder::Zstd, threads, output)?;
    Ok(Ok(Measured {
        size: summary.delta_size,
        target_size: new.len() as u64,
        from: base.name().to_owned(),
        packed_size: made.size,
    }))
}

fn unpacked(layout: &Layout, image: &Content) -> io::Result<Vec<u8>> {
    let mut packed = Vec::new();
    // What is larger before it is unpacked is larger after it too.
    File::open(layout.blob(&blob_of(image)))?
        .take(UNPACKED_BYTES_MAX + 1)
        .read_to_end(&mut packed)?;
    if packed.len() as u64 > UNPACKED_BYTES_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    unpack(&packed)
}

fn reason(error: &io::Error) -> String {
    if error.kind() == io::ErrorKind::FileTooLarge {
        return format!(
            "what it would cost uncompressed isn't measured: unpacked, an image has more than {}; \
             streembit-publisher delta make BASE TARGET takes uncompressed ones of any size",
            human::bytes(UNPACKED_BYTES_MAX)
        );
    }
    format!("what it would cost uncompressed isn't measured: an image can't be unpacked: {error}")
}
