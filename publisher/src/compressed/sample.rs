//! Compression by what zstd still makes of an image.

use std::io::{self, Read, Seek, SeekFrom};

use super::{Found, head};

/// Bytes of a piece.
const PIECE_BYTES: usize = 64 * 1024;
/// Pieces looked at, spread over the image.
const PIECES_MAX: u64 = 64;
/// The level that pieces are compressed at.
const LEVEL: i32 = 1;
/// A piece doesn't compress if more than this share of it remains, in percent.
const REMAINS_PERCENT: usize = 95;
/// File systems in an image start at multiples of this, in bytes.
const ALIGNMENT: usize = 4096;

/// Looks into an image that says nothing by its first bytes. Smaller ones than a piece pass.
pub(super) fn find(file: &mut (impl Read + Seek), size: u64) -> io::Result<Option<Found>> {
    let pieces = (size / PIECE_BYTES as u64).min(PIECES_MAX);
    let step = size / pieces.max(1);
    let mut piece = vec![0; PIECE_BYTES];
    let mut packed = 0;
    for index in 0..pieces {
        file.seek(SeekFrom::Start(index * step))?;
        file.read_exact(&mut piece)?;
        let frame = zstd::bulk::compress(&piece, LEVEL)?;
        packed += u64::from(frame.len() * 100 > PIECE_BYTES * REMAINS_PERCENT);
    }
    if packed * 2 <= pieces {
        return Ok(None);
    }
    let samples = format!("{packed} of {pieces} samples can't be compressed any more");
    let what = match squashfs(file)? {
        Some((name, at)) => format!("it holds a squashfs by {name} at byte {at}; {samples}"),
        None => format!("{samples}: it holds compressed or encrypted data"),
    };
    Ok(Some(Found {
        is_sampled: true,
        ..Found::named(what)
    }))
}

/// The first compressed squashfs in an image.
fn squashfs(file: &mut (impl Read + Seek)) -> io::Result<Option<(&'static str, u64)>> {
    file.seek(SeekFrom::Start(0))?;
    let mut piece = Vec::new();
    let mut start = 0;
    loop {
        piece.clear();
        file.by_ref()
            .take(PIECE_BYTES as u64)
            .read_to_end(&mut piece)?;
        if piece.is_empty() {
            return Ok(None);
        }
        for (index, block) in piece.chunks(ALIGNMENT).enumerate() {
            if let Some(name) = head::squashfs(block) {
                return Ok(Some((name, start + (index * ALIGNMENT) as u64)));
            }
        }
        start += piece.len() as u64;
    }
}
