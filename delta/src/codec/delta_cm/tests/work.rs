//! D39: the work of decoding, counted: bits coded, and bytes read of the base.

use super::super::{Given, code};
use super::{BitCoder, Decoder, Encoder, Machine, Operation, Segment};
use crate::images::{Endless, noise};

/// Bits of one number: 42 of its length and their end, then 42 below the first.
const NUMBER_BITS: u64 = 85;
/// Bits for each byte of output: in the worst case an operation of its own with four numbers, and a token of
/// its own with two guesses, a flag and eight bits.
const BYTE_BITS: u64 = 4 * NUMBER_BITS + 2 + 1 + 8;
/// Bytes of the base that are read for each byte of output: itself, and what is around it.
const BYTE_READS: u64 = 1 + 4 + 40;
/// Bytes of code that hold the numbers of a first operation.
const NUMBERS_BYTES: usize = 24;
const SEGMENT_BYTES: usize = 1 << 15;
const BASE_BYTES: u64 = 1 << 40;

/// Counts the bits of a coder.
struct Counted<C> {
    coder: C,
    bits: u64,
}

impl<C: BitCoder> BitCoder for Counted<C> {
    fn code(&mut self, bit: u32, one: u16) -> u32 {
        self.bits += 1;
        self.coder.code(bit, one)
    }

    fn is_overrun(&self) -> bool {
        self.coder.is_overrun()
    }
}

fn segment() -> Segment {
    Segment {
        start: 3 << 20,
        size: SEGMENT_BYTES,
        base_size: BASE_BYTES,
    }
}

/// What decoding took.
struct Work {
    bits: u64,
    /// Bytes of output.
    made: usize,
}

/// Decodes, and holds what it took against the bounds.
fn decode(payload: &[u8], machine: Machine) -> Work {
    let mut base = Endless::new(BASE_BYTES);
    let coder = Decoder::new(payload).unwrap();
    let mut counted = Counted { coder, bits: 0 };
    let mut out = Vec::new();
    let code = (segment(), machine);
    drop(super::super::code(
        &mut counted,
        Given::default(),
        code,
        &mut base,
        &mut out,
    ));
    let size = SEGMENT_BYTES as u64;
    assert!(out.len() <= SEGMENT_BYTES);
    // The operation that ends it may have coded its numbers in vain.
    assert!(counted.bits <= (size + 1) * BYTE_BITS, "{}", counted.bits);
    assert!(
        base.bytes_read <= size * BYTE_READS,
        "{} bytes",
        base.bytes_read
    );
    Work {
        bits: counted.bits,
        made: out.len(),
    }
}

/// The code of these operations, with every token guessed wrongly.
fn encode(operations: &[Operation], machine: Machine) -> Vec<u8> {
    let output = noise(5, SEGMENT_BYTES);
    let given = Given {
        operations,
        output: &output,
        literals: &[],
    };
    let mut encoder = Encoder::new();
    let mut base = Endless::new(BASE_BYTES);
    let segment = (segment(), machine);
    code(&mut encoder, given, segment, &mut base, &mut Vec::new()).unwrap();
    encoder.finish()
}

#[test]
fn work_of_any_code_is_linear_d39() {
    for machine in Machine::ALL {
        for seed in 0..6 {
            decode(&noise(seed, 2 * SEGMENT_BYTES), machine);
        }
        // A segment of one operation, whose tokens or literals are what noise says.
        for (copy, literal) in [(SEGMENT_BYTES, 0), (0, SEGMENT_BYTES)] {
            let whole = Operation {
                base: 77,
                copy,
                literal,
            };
            let mut payload = encode(&[whole], machine)[..NUMBERS_BYTES].to_vec();
            payload.extend(noise(7, 2 * SEGMENT_BYTES));
            assert_eq!(decode(&payload, machine).made, SEGMENT_BYTES);
        }
        for byte in [0, 0x55, 0x80, 0xff] {
            decode(&vec![byte; 2 * SEGMENT_BYTES], machine);
            decode(&[byte; 4], machine);
        }
    }
}

/// As many operations as bytes, from both ends of a base of a terabyte, from one place, from anywhere.
#[test]
fn work_of_tiny_operations_is_linear_d39() {
    let far = |index: u64| index % 2 * (BASE_BYTES - 8 - index) + index % 3;
    let near = |_| 77;
    let any = |index: u64| index.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 25;
    let places: [&dyn Fn(u64) -> u64; 3] = [&far, &near, &any];
    for (copy, literal) in [(1, 0), (0, 1), (1, 1), (3, 1)] {
        for place in places {
            let count = (SEGMENT_BYTES / (copy + literal)) as u64;
            let operations: Vec<Operation> = (0..count)
                .map(|index| Operation {
                    base: place(index),
                    copy,
                    literal,
                })
                .collect();
            for machine in Machine::ALL {
                let payload = encode(&operations, machine);
                let work = decode(&payload, machine);
                assert_eq!(work.made, SEGMENT_BYTES);
                assert!(work.bits >= 4 * SEGMENT_BYTES as u64, "{}", work.bits);
            }
        }
    }
}
