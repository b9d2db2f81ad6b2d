//! Reading of integers, varints and zstd streams.

use zstd::zstd_safe::{DCtx, find_frame_compressed_size};

pub(super) fn check(condition: bool, refusal: &str) -> Result<(), String> {
    condition.then_some(()).ok_or_else(|| refusal.to_string())
}

pub(super) struct Input<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Input { bytes, position: 0 }
    }

    pub(super) fn position(&self) -> usize {
        self.position
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest().is_empty()
    }

    pub(super) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.position..]
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let taken = self.rest().get(..count).ok_or("input ends early")?;
        self.position += count;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(super) fn u8(&mut self) -> Result<u8, String> {
        Ok(self.array::<1>()?[0])
    }

    pub(super) fn u32(&mut self) -> Result<u32, String> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    pub(super) fn u64(&mut self) -> Result<u64, String> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    pub(super) fn varint(&mut self) -> Result<u64, String> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = u64::from(self.u8()?);
            check(shift < 63 || byte <= 1, "varint of more than 64 bits")?;
            value |= (byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                check(byte != 0 || shift == 0, "varint is not the shortest")?;
                return Ok(value);
            }
        }
        Err("varint of more than 64 bits".to_string())
    }
}

pub(super) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// The content, `size` bytes and never above 1 MiB, of a stream that goes on from the context's prefix.
pub(super) fn unpack(
    context: &mut DCtx<'_>,
    stream: &[u8],
    size: usize,
) -> Result<Vec<u8>, String> {
    if size == 0 {
        check(stream.is_empty(), "packed bytes in an empty stream")?;
        return Ok(Vec::new());
    }
    let mut header = Input::new(stream);
    check(header.u32()? == 0xfd2f_b528, "not a zstd frame")?;
    let descriptor = header.u8()?;
    check(descriptor & 3 == 0, "zstd frame with a dictionary")?;
    if descriptor & 0x20 == 0 {
        let (exponent, eighths) = (header.u8()? >> 3, stream[5] & 7);
        let window = (8 + u64::from(eighths)) << (7 + exponent);
        check(window <= 1 << 20, "zstd window too large")?;
    } else {
        // zstd itself takes the largest number for "not told".
        let content = match descriptor >> 6 {
            0 => u64::from(header.u8()?),
            1 => u64::from(u16::from_le_bytes(header.array()?)) + 256,
            2 => u64::from(header.u32()?),
            _ => u64::from_le_bytes(header.array()?),
        };
        check(content <= 1 << 20, "zstd content too large")?;
    }
    let frame_size = find_frame_compressed_size(stream).map_err(|_| "not a zstd frame")?;
    check(frame_size == stream.len(), "not one zstd frame")?;
    let mut content = Vec::with_capacity(size);
    let unpacked = context.decompress(&mut content, stream);
    unpacked.map_err(zstd::zstd_safe::get_error_name)?;
    check(content.len() == size, "stream is not of its size")?;
    Ok(content)
}
