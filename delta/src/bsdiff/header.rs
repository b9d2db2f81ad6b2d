//! Header of a bsdiff 4 delta, 32 bytes: bytes to value and back.

use super::{BsdiffError, malformed};

/// First bytes of a delta of bsdiff 4.
pub const MAGIC: [u8; 8] = *b"BSDIFF40";

/// Bytes of a header.
pub(super) const HEADER_BYTES: usize = 32;
/// Bytes of a number, in the header and in the control stream.
pub(super) const NUMBER_BYTES: usize = 8;

/// What a bsdiff delta says about itself. Nothing of it is trusted, but the parts fit the delta.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Bytes of the control stream, compressed.
    pub control_size: u64,
    /// Bytes of the differences, compressed.
    pub differences_size: u64,
    /// Bytes of the literals, compressed: the rest of the delta.
    pub literals_size: u64,
    /// Bytes of the target.
    pub target_size: u64,
}

impl Header {
    /// Parses the header of a delta of `delta_size` bytes.
    pub(super) fn parse(bytes: &[u8; HEADER_BYTES], delta_size: u64) -> Result<Self, BsdiffError> {
        let (words, _) = bytes.as_chunks::<NUMBER_BYTES>();
        let &[magic, control, differences, target] = words else {
            return malformed("no header");
        };
        if magic != MAGIC {
            return malformed("it doesn't start with BSDIFF40");
        }
        let sizes = [control, differences, target]
            .map(|bytes| decode(bytes).and_then(|number| u64::try_from(number).ok()));
        let [
            Some(control_size),
            Some(differences_size),
            Some(target_size),
        ] = sizes
        else {
            return malformed("a negative length");
        };
        let literals_size = delta_size
            .checked_sub(bytes.len().try_into().unwrap_or(u64::MAX))
            .and_then(|left| left.checked_sub(control_size))
            .and_then(|left| left.checked_sub(differences_size));
        let Some(literals_size) = literals_size else {
            return malformed("its parts are longer than itself");
        };
        Ok(Self {
            control_size,
            differences_size,
            literals_size,
            target_size,
        })
    }

    /// Encodes the header; `None` if a length has more than 63 bits.
    pub(super) fn encode(&self) -> Option<Vec<u8>> {
        let mut bytes = MAGIC.to_vec();
        for size in [self.control_size, self.differences_size, self.target_size] {
            bytes.extend(i64::try_from(size).ok()?.to_le_bytes());
        }
        Some(bytes)
    }
}

/// A number by sign and magnitude; `None` for a negative zero, which nobody writes.
pub(super) fn decode(bytes: [u8; NUMBER_BYTES]) -> Option<i64> {
    let number = i64::from_le_bytes(bytes);
    let magnitude = number & i64::MAX;
    if number >= 0 {
        Some(magnitude)
    } else {
        magnitude.checked_neg().filter(|number| *number != 0)
    }
}
