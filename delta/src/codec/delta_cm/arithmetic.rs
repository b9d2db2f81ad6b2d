//! Binary arithmetic coding: a range of 32 bits, probabilities of 16, bytes leave when they are settled.

#![cfg_attr(
    not(test),
    expect(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        reason = "low <= split < high holds by construction, and bytes are shifted out of 32 bits"
    )
)]

/// Codes bits. Models are written once against this: an encoder writes the bit that it is given, a decoder
/// ignores it and returns the one that it reads.
pub(super) trait BitCoder {
    /// Codes one bit.
    ///
    /// * `one`: probability that it is 1 in units of 2^-16, at least 1.
    fn code(&mut self, bit: u32, one: u16) -> u32;

    /// Whether more was read than there is.
    fn is_overrun(&self) -> bool;
}

/// What is left of the range.
struct Range {
    low: u32,
    high: u32,
}

impl Range {
    const WHOLE: Self = Self {
        low: 0,
        high: u32::MAX,
    };

    /// Last point of the part that stands for 1; at least one point is left for 0.
    #[inline(always)]
    fn split(&self, one: u16) -> u32 {
        let range = u64::from(self.high - self.low);
        self.low + ((range * u64::from(one)) >> 16) as u32
    }

    #[inline(always)]
    const fn narrow(&mut self, split: u32, bit: u32) {
        if bit == 1 {
            self.high = split;
        } else {
            self.low = split + 1;
        }
    }

    /// Shifts the first byte out if all points share it.
    #[inline(always)]
    const fn settled(&mut self) -> Option<u8> {
        if (self.low ^ self.high) >> 24 != 0 {
            return None;
        }
        let byte = (self.high >> 24) as u8;
        self.low <<= 8;
        self.high = (self.high << 8) | 0xff;
        Some(byte)
    }
}

/// Writes.
pub(super) struct Encoder {
    range: Range,
    bytes: Vec<u8>,
}

impl Encoder {
    pub(super) const fn new() -> Self {
        Self {
            range: Range::WHOLE,
            bytes: Vec::new(),
        }
    }

    /// Ends with the lower bound, whole: a decoder has then read all bytes, and none is free to vary.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes.extend(self.range.low.to_be_bytes());
        self.bytes
    }
}

impl BitCoder for Encoder {
    #[inline(always)]
    fn code(&mut self, bit: u32, one: u16) -> u32 {
        let split = self.range.split(one);
        self.range.narrow(split, bit);
        while let Some(byte) = self.range.settled() {
            self.bytes.push(byte);
        }
        bit
    }

    fn is_overrun(&self) -> bool {
        false
    }
}

/// Reads.
pub(super) struct Decoder<'a> {
    range: Range,
    point: u32,
    bytes: &'a [u8],
    is_overrun: bool,
}

impl<'a> Decoder<'a> {
    /// Reads the first four bytes; `None` if there are fewer.
    pub(super) fn new(bytes: &'a [u8]) -> Option<Self> {
        let (first, bytes) = bytes.split_first_chunk()?;
        Some(Self {
            range: Range::WHOLE,
            point: u32::from_be_bytes(*first),
            bytes,
            is_overrun: false,
        })
    }

    /// Whether all was read, and ends as [`Encoder::finish`] does.
    pub(super) const fn is_finished(&self) -> bool {
        !self.is_overrun && self.bytes.is_empty() && self.point == self.range.low
    }
}

impl BitCoder for Decoder<'_> {
    #[inline(always)]
    fn code(&mut self, _: u32, one: u16) -> u32 {
        let split = self.range.split(one);
        let bit = if self.point <= split {
            self.range.high = split;
            1
        } else {
            self.range.low = split + 1;
            0
        };
        while self.range.settled().is_some() {
            let next = match self.bytes.split_first() {
                Some((byte, rest)) => {
                    self.bytes = rest;
                    *byte
                }
                None => {
                    self.is_overrun = true;
                    0
                }
            };
            self.point = (self.point << 8) | u32::from(next);
        }
        bit
    }

    fn is_overrun(&self) -> bool {
        self.is_overrun
    }
}
