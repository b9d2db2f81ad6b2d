//! The arithmetic code alone, without the models that choose its probabilities: coder and second decoder.

#[path = "../../delta/src/codec/delta_cm/arithmetic.rs"]
mod coder;

use coder::{BitCoder as _, Decoder, Encoder};

use crate::plain::Bits;

/// What both decoders read.
#[derive(Clone, Debug, Default)]
pub struct Read {
    /// As many bits as the code holds, at most one for each probability.
    pub bits: Vec<u32>,
    /// Whether the code ends where its last bit does, as it has to.
    pub is_finished: bool,
}

/// Encodes a bit for each probability that it is 1, in units of 2^-16 and never 0.
pub fn encode(bits: &[u32], ones: &[u16]) -> Vec<u8> {
    let mut encoder = Encoder::new();
    for (bit, one) in bits.iter().zip(ones) {
        encoder.code(*bit, *one);
    }
    encoder.finish()
}

/// Has both decoders read a code.
///
/// # Panics
/// If they differ: in a bit, in where the code is too short, or in whether it is ended.
pub fn read(code: &[u8], ones: &[u16]) -> Read {
    let mut read = Read::default();
    let (Some(mut ours), Ok(mut plain)) = (Decoder::new(code), Bits::new(code)) else {
        assert!(code.len() < 4);
        return read;
    };
    for one in ones {
        let bit = ours.code(0, *one);
        let other = plain.bit(*one);
        assert_eq!(ours.is_overrun(), other.is_err());
        let Ok(other) = other else {
            assert!(!ours.is_finished());
            return read;
        };
        assert_eq!(bit, other);
        read.bits.push(bit);
    }
    read.is_finished = ours.is_finished();
    assert_eq!(read.is_finished, plain.is_finished());
    read
}
