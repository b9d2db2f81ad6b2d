//! Applying a bsdiff delta, piece by piece.

use std::io::{self, Read, Seek, SeekFrom, Write};

use super::{
    BsdiffError, Header,
    header::{self, HEADER_BYTES, NUMBER_BYTES},
    malformed,
    part::Part,
};
use crate::limits::{BSDIFF_BUFFER_BYTES, BSDIFF_EMPTY_OPERATIONS_MAX, BSDIFF_TARGET_BYTES_MAX};

/// Reads the header of a bsdiff delta.
///
/// # Errors
/// [`BsdiffError::Malformed`], [`BsdiffError::Delta`].
pub fn inspect(delta: &mut (impl Read + Seek)) -> Result<Header, BsdiffError> {
    let size = delta.seek(SeekFrom::End(0)).map_err(BsdiffError::Delta)?;
    delta.rewind().map_err(BsdiffError::Delta)?;
    let mut bytes = [0; HEADER_BYTES];
    match delta.read_exact(&mut bytes) {
        Ok(()) => Header::parse(&bytes, size),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            malformed("it is shorter than a header")
        }
        Err(error) => Err(BsdiffError::Delta(error)),
    }
}

/// Applies a bsdiff delta; what it was made from is read where it is needed.
///
/// Takes up to 12 MB of memory, of which bzip2 takes 3.7 MB for each of three streams. The format has no
/// hashes: the caller must check the output.
///
/// * `base`: random access; its end tells its size.
/// * `delta`: untrusted, random access; nothing may follow its third stream.
/// * `target_size`: bytes of the target, from trusted metadata, which the header must agree with. `None` takes the
///   header's word up to [`BSDIFF_TARGET_BYTES_MAX`]. Never one byte more is written.
///
/// # Errors
/// [`BsdiffError`]. What was written means nothing then.
pub fn apply(
    base: &mut (impl Read + Seek),
    delta: &mut (impl Read + Seek),
    target_size: Option<u64>,
    out: &mut impl Write,
) -> Result<Header, BsdiffError> {
    let header = inspect(delta)?;
    check_size(header.target_size, target_size)?;
    let base_size = base.seek(SeekFrom::End(0)).map_err(BsdiffError::Base)?;
    let start = u64::try_from(HEADER_BYTES).unwrap_or(u64::MAX);
    let control = Part::new("control numbers", start, header.control_size);
    let differences = Part::new("differences", control.end(), header.differences_size);
    let literals = Part::new("literals", differences.end(), header.literals_size);
    let mut applier = Applier {
        base,
        delta,
        out,
        control,
        differences,
        literals,
        base_size,
        position: 0,
        left: header.target_size,
        empty_left: BSDIFF_EMPTY_OPERATIONS_MAX,
        bytes: vec![0; BSDIFF_BUFFER_BYTES],
        copied: vec![0; BSDIFF_BUFFER_BYTES],
    };
    while applier.left > 0 {
        applier.step()?;
    }
    applier.finish()?;
    Ok(header)
}

fn check_size(declared: u64, trusted: Option<u64>) -> Result<(), BsdiffError> {
    match trusted {
        Some(expected) if declared != expected => {
            Err(BsdiffError::TargetSize { declared, expected })
        }
        None if declared > BSDIFF_TARGET_BYTES_MAX => Err(BsdiffError::TooLarge {
            actual: declared,
            max: BSDIFF_TARGET_BYTES_MAX,
        }),
        _ => Ok(()),
    }
}

/// Where an application is.
struct Applier<'a, B, D, W> {
    base: &'a mut B,
    delta: &'a mut D,
    out: &'a mut W,
    control: Part,
    differences: Part,
    literals: Part,
    base_size: u64,
    /// Position in the base, always within it.
    position: u64,
    /// Bytes of the target still to make.
    left: u64,
    /// Operations without output that may follow. Every byte made allows one more: work is bounded by what is
    /// written.
    empty_left: u64,
    /// Buffer for bytes of a stream, then of the output.
    bytes: Vec<u8>,
    /// Buffer for bytes of the base.
    copied: Vec<u8>,
}

impl<B: Read + Seek, D: Read + Seek, W: Write> Applier<'_, B, D, W> {
    /// Applies one operation.
    fn step(&mut self) -> Result<(), BsdiffError> {
        let [differences, literals, seek] = [self.number()?, self.number()?, self.number()?];
        let (Ok(differences), Ok(literals)) = (u64::try_from(differences), u64::try_from(literals))
        else {
            return malformed("a negative count");
        };
        let left = self
            .left
            .checked_sub(differences)
            .and_then(|left| left.checked_sub(literals));
        let Some(left) = left else {
            return malformed("more output than declared");
        };
        let empty_left = match self.left.saturating_sub(left) {
            0 => self.empty_left.checked_sub(1),
            made => Some(self.empty_left.saturating_add(made)),
        };
        let Some(empty_left) = empty_left else {
            return malformed("too many operations that make nothing");
        };
        (self.left, self.empty_left) = (left, empty_left);
        let end = self
            .position
            .checked_add(differences)
            .filter(|end| *end <= self.base_size);
        let Some(end) = end else {
            return malformed("a copy reaches beyond the base; is it another base?");
        };
        self.add(differences)?;
        self.take(literals)?;
        let position = end
            .checked_add_signed(seek)
            .filter(|next| *next <= self.base_size);
        let Some(position) = position else {
            return malformed("a seek leaves the base; is it another base?");
        };
        self.position = position;
        Ok(())
    }

    /// Reads a number of the control stream.
    fn number(&mut self) -> Result<i64, BsdiffError> {
        let mut bytes = [0; NUMBER_BYTES];
        self.control.read(self.delta, &mut bytes)?;
        header::decode(bytes).map_or_else(|| malformed("a negative zero"), Ok)
    }

    /// Passes `count` bytes of the base to the output, each changed by a difference.
    fn add(&mut self, mut count: u64) -> Result<(), BsdiffError> {
        if count > 0 {
            self.base
                .seek(SeekFrom::Start(self.position))
                .map_err(BsdiffError::Base)?;
        }
        while count > 0 {
            let size = piece(count);
            let bytes = self.bytes.get_mut(..size).unwrap_or_default();
            let copied = self.copied.get_mut(..size).unwrap_or_default();
            self.differences.read(self.delta, bytes)?;
            self.base.read_exact(copied).map_err(BsdiffError::Base)?;
            for (byte, old) in bytes.iter_mut().zip(copied) {
                *byte = byte.wrapping_add(*old);
            }
            self.out.write_all(bytes).map_err(BsdiffError::Output)?;
            count = count.saturating_sub(size.try_into().unwrap_or(u64::MAX));
        }
        Ok(())
    }

    /// Passes `count` literals to the output.
    fn take(&mut self, mut count: u64) -> Result<(), BsdiffError> {
        while count > 0 {
            let size = piece(count);
            let bytes = self.bytes.get_mut(..size).unwrap_or_default();
            self.literals.read(self.delta, bytes)?;
            self.out.write_all(bytes).map_err(BsdiffError::Output)?;
            count = count.saturating_sub(size.try_into().unwrap_or(u64::MAX));
        }
        Ok(())
    }

    /// Checks that all streams are used up.
    fn finish(&mut self) -> Result<(), BsdiffError> {
        for part in [&mut self.control, &mut self.differences, &mut self.literals] {
            part.finish(self.delta)?;
        }
        self.out.flush().map_err(BsdiffError::Output)
    }
}

/// Bytes to pass on at a time.
fn piece(count: u64) -> usize {
    usize::try_from(count)
        .unwrap_or(usize::MAX)
        .min(BSDIFF_BUFFER_BYTES)
}
