//! Images that are compressed already, on which deltas can't work: what they are, and what an uncompressed
//! one would cost. By content; names say nothing.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

use cli::durable::PathError;
use cli::exit::Context as _;
use cli::{CliError, Exit, Output, human};
use delta::Coder;
use manifests::release::Content;
use serde::Serialize;

use crate::deltas::{Made, blob_of};
use crate::repository::Layout;

mod head;
mod measure;
mod sample;
#[cfg(test)]
mod tests;
mod unpack;

use unpack::Packing;

/// First bytes that are looked at; a kernel's payload starts within them.
const HEAD_BYTES: usize = 128 * 1024;

/// A best delta below this share of the image, in percent, shows that deltas work, whatever samples say.
const WORKS_BELOW_PERCENT: u64 = 20;

/// What points to compression.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    /// In words.
    what: String,
    /// How it is undone, if the whole image is one compressed file of a kind that we can unpack.
    packing: Option<Packing>,
    /// Whether it was concluded from samples alone.
    is_sampled: bool,
}

impl Found {
    fn named(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            packing: None,
            is_sampled: false,
        }
    }
}

/// A compressed image, in results.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Compressed {
    /// What was found.
    pub what: String,
    /// Bytes of a delta between the uncompressed images, where that could be measured.
    pub uncompressed_delta_size: Option<u64>,
}

/// Looks at a stored image and, if it is compressed, says so and what it costs.
///
/// # Errors
/// [`CliError`] if the image can't be read.
pub fn check(
    layout: &Layout,
    image: &Content,
    made: &[Made],
    output: Output,
) -> Result<Option<Compressed>, CliError> {
    let Some(found) = find_in(layout, image)? else {
        return Ok(None);
    };
    let from_releases = made.iter().filter(|made| made.base.version.is_some());
    let best = from_releases.clone().map(|made| made.size).min();
    if found.is_sampled && best.is_some_and(|best| best * 100 < image.size * WORKS_BELOW_PERCENT) {
        return Ok(None);
    }
    output.note(format_args!(
        "note: the image is compressed: {}",
        found.what
    ));
    output.note(match best {
        Some(best) => format!(
            "  the best delta to it is {}, {:.1} % of the image",
            human::bytes(best),
            best as f64 * 100.0 / image.size.max(1) as f64
        ),
        None => "  deltas to it will be nearly as large as the image".to_owned(),
    });
    let zstd: Vec<&Made> = from_releases
        .filter(|made| made.coder == Coder::Zstd)
        .collect();
    let measured = measure::uncompressed(layout, image, &found, &zstd, output)?;
    output.note(match &measured {
        Ok(measured) => format!("  {measured}"),
        Err(why) => format!("  {why}\n  {EXAMPLE}"),
    });
    output.note("  release it uncompressed: devices fetch compressed deltas and pieces anyway");
    Ok(Some(Compressed {
        what: found.what,
        uncompressed_delta_size: measured.ok().map(|measured| measured.size),
    }))
}

/// From the project's measurements of file system images, of 60 changed packages out of 208.
const EXAMPLE: &str = "an example, not measured on this image: one update of 60 packages cost 31.5 MB as \
squashfs by zstd, 34.9 MB by gzip, and 4.4 MB as ext4 or uncompressed squashfs, 7 to 8 times less";

fn find_in(layout: &Layout, image: &Content) -> Result<Option<Found>, CliError> {
    let path = layout.blob(&blob_of(image));
    File::open(&path)
        .and_then(|mut file| find(&mut file, image.size))
        .map_err(|error| PathError::new(&path, error))
        .context(Exit::No, "image")
}

/// What of an image of `size` bytes points to compression.
fn find(file: &mut (impl Read + Seek), size: u64) -> io::Result<Option<Found>> {
    let mut head = Vec::new();
    file.seek(SeekFrom::Start(0))?;
    file.by_ref()
        .take(HEAD_BYTES as u64)
        .read_to_end(&mut head)?;
    match head::find(&head) {
        Some(found) => Ok(Some(found)),
        None => sample::find(file, size),
    }
}
