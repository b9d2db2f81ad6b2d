//! Making a bsdiff delta: matches by crate `bsdiff`, three bzip2 streams, the mirror check.

use std::io::{self, Cursor, Write};

use bzip2::{Compression, write::BzEncoder};

use super::{
    BsdiffError, Header, apply,
    header::{self, NUMBER_BYTES},
};
use crate::limits::BSDIFF_CREATE_BYTES_MAX;

/// Bytes of the three numbers of an operation.
const OPERATION_BYTES: usize = 3 * NUMBER_BYTES;

/// Makes a bsdiff delta through crate `bsdiff` and, before writing it, applies it to the base and compares.
///
/// Takes about 17 times the base in memory, and time quadratic in runs of one byte.
///
/// # Errors
/// [`BsdiffError::TooLarge`] above [`BSDIFF_CREATE_BYTES_MAX`], [`BsdiffError::Mirror`],
/// [`BsdiffError::Output`], which alone leaves something in `out`.
pub fn create(base: &[u8], target: &[u8], out: &mut impl Write) -> Result<Header, BsdiffError> {
    let actual = size(base.len().max(target.len()));
    if actual > BSDIFF_CREATE_BYTES_MAX {
        return Err(BsdiffError::TooLarge {
            actual,
            max: BSDIFF_CREATE_BYTES_MAX,
        });
    }
    let mut splitter = Splitter::new();
    ::bsdiff::diff(base, target, &mut splitter).map_err(|_| BsdiffError::Mirror)?;
    let parts = splitter.finish().map_err(|_| BsdiffError::Mirror)?;
    let header = Header {
        control_size: size(parts[0].len()),
        differences_size: size(parts[1].len()),
        literals_size: size(parts[2].len()),
        target_size: size(target.len()),
    };
    let mut bytes = header.encode().ok_or(BsdiffError::Mirror)?;
    bytes.extend(parts.concat());
    let mut made = Vec::new();
    let [mut base, mut delta] = [base, &bytes].map(Cursor::new);
    apply(&mut base, &mut delta, Some(header.target_size), &mut made)?;
    if made != target {
        return Err(BsdiffError::Mirror);
    }
    out.write_all(&bytes)
        .and_then(|()| out.flush())
        .map_err(BsdiffError::Output)?;
    Ok(header)
}

fn size(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// Takes the stream of crate `bsdiff` apart: operation after operation, each three numbers, its
/// differences and its literals.
struct Splitter {
    control: BzEncoder<Vec<u8>>,
    differences: BzEncoder<Vec<u8>>,
    literals: BzEncoder<Vec<u8>>,
    /// The numbers of the next operation, as far as they have come.
    numbers: Vec<u8>,
    differences_left: usize,
    literals_left: usize,
}

impl Splitter {
    fn new() -> Self {
        let encoder = || BzEncoder::new(Vec::new(), Compression::best());
        Self {
            control: encoder(),
            differences: encoder(),
            literals: encoder(),
            numbers: Vec::new(),
            differences_left: 0,
            literals_left: 0,
        }
    }

    fn finish(self) -> io::Result<[Vec<u8>; 3]> {
        Ok([
            self.control.finish()?,
            self.differences.finish()?,
            self.literals.finish()?,
        ])
    }

    /// Takes bytes of an operation's numbers; with the last one its counts are known.
    fn take_numbers(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let wanted = OPERATION_BYTES.saturating_sub(self.numbers.len());
        let bytes = bytes.get(..wanted).unwrap_or(bytes);
        self.numbers.extend(bytes);
        if self.numbers.len() == OPERATION_BYTES {
            let (words, _) = self.numbers.as_chunks::<NUMBER_BYTES>();
            let mut counts = words.iter().map(|word| {
                header::decode(*word)
                    .and_then(|number| usize::try_from(number).ok())
                    .ok_or(io::ErrorKind::InvalidData)
            });
            let mut next = || counts.next().unwrap_or(Ok(0));
            (self.differences_left, self.literals_left) = (next()?, next()?);
            self.control.write_all(&self.numbers)?;
            self.numbers.clear();
        }
        Ok(bytes.len())
    }
}

impl Write for Splitter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (part, left) = if self.differences_left > 0 {
            (&mut self.differences, &mut self.differences_left)
        } else if self.literals_left > 0 {
            (&mut self.literals, &mut self.literals_left)
        } else {
            return self.take_numbers(bytes);
        };
        let bytes = bytes.get(..*left).unwrap_or(bytes);
        let written = part.write(bytes)?;
        *left = left.saturating_sub(written);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
