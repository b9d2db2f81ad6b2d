//! One part of a bsdiff delta: a bzip2 stream, read piece by piece from its place in the delta.

use std::io::{Read, Seek, SeekFrom};

use bzip2::{Decompress, Status};

use super::{BsdiffError, malformed};
use crate::limits::BSDIFF_BUFFER_BYTES;

/// A part that is being read. bzip2 takes up to 3.7 MB for it, as soon as there is a first block.
pub(super) struct Part {
    /// Which one, in the plural.
    name: &'static str,
    /// Where in the delta the next bytes are.
    position: u64,
    /// Where in the delta the part ends.
    end: u64,
    /// Bytes read that bzip2 hasn't taken yet: those of `input` from `used` on.
    input: Vec<u8>,
    used: usize,
    decoder: Decompress,
    has_ended: bool,
}

impl Part {
    /// The part at `start` with `size` bytes.
    pub(super) fn new(name: &'static str, start: u64, size: u64) -> Self {
        Self {
            name,
            position: start,
            end: start.saturating_add(size),
            input: Vec::new(),
            used: 0,
            decoder: Decompress::new(false),
            has_ended: false,
        }
    }

    /// Where the part ends.
    pub(super) const fn end(&self) -> u64 {
        self.end
    }

    /// Fills `out`.
    pub(super) fn read(
        &mut self,
        delta: &mut (impl Read + Seek),
        mut out: &mut [u8],
    ) -> Result<(), BsdiffError> {
        while !out.is_empty() {
            let made = self.decode(delta, out)?;
            if made == 0 {
                return malformed("a bzip2 stream has less than the operations use");
            }
            out = out.get_mut(made..).unwrap_or_default();
        }
        Ok(())
    }

    /// Checks that stream and part end here.
    pub(super) fn finish(&mut self, delta: &mut (impl Read + Seek)) -> Result<(), BsdiffError> {
        if self.decode(delta, &mut [0])? > 0 {
            return malformed("a bzip2 stream has more than the operations use");
        }
        if self.used < self.input.len() || self.position < self.end {
            return malformed("data after a bzip2 stream");
        }
        Ok(())
    }

    /// Decodes some bytes; 0 only at the stream's end.
    fn decode(
        &mut self,
        delta: &mut (impl Read + Seek),
        out: &mut [u8],
    ) -> Result<usize, BsdiffError> {
        while !self.has_ended {
            if self.used == self.input.len() {
                self.fill(delta)?;
            }
            let input = self.input.get(self.used..).unwrap_or_default();
            let before = (self.decoder.total_in(), self.decoder.total_out());
            let status = self
                .decoder
                .decompress(input, out)
                .map_err(|error| self.compressed(error.into()))?;
            let taken = count(before.0, self.decoder.total_in());
            let made = count(before.1, self.decoder.total_out());
            self.used = self.used.saturating_add(taken);
            match status {
                Status::StreamEnd => self.has_ended = true,
                Status::MemNeeded => {
                    return Err(self.compressed(std::io::ErrorKind::OutOfMemory.into()));
                }
                _ => {}
            }
            if made > 0 {
                return Ok(made);
            }
            if taken == 0 && !self.has_ended {
                return malformed("a bzip2 stream ends early");
            }
        }
        Ok(0)
    }

    /// Reads the next bytes of the part; none at its end.
    fn fill(&mut self, delta: &mut (impl Read + Seek)) -> Result<(), BsdiffError> {
        let left = self.end.saturating_sub(self.position);
        let size = usize::try_from(left)
            .unwrap_or(usize::MAX)
            .min(BSDIFF_BUFFER_BYTES);
        self.input.resize(size, 0);
        self.used = 0;
        if size == 0 {
            return Ok(());
        }
        delta
            .seek(SeekFrom::Start(self.position))
            .and_then(|_| delta.read_exact(&mut self.input))
            .map_err(BsdiffError::Delta)?;
        self.position = self
            .position
            .saturating_add(size.try_into().unwrap_or(u64::MAX));
        Ok(())
    }

    const fn compressed(&self, source: std::io::Error) -> BsdiffError {
        BsdiffError::Compressed {
            part: self.name,
            source,
        }
    }
}

/// Bytes between two totals of a call; neither buffer of a call is larger than a `usize`.
fn count(before: u64, after: u64) -> usize {
    usize::try_from(after.saturating_sub(before)).unwrap_or(usize::MAX)
}
