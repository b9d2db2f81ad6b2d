//! Payloads of type 3: each part on its own, and whole ones, honest and hostile.

use std::io::Cursor;

use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use super::{
    Operation, Segment,
    arithmetic::{BitCoder, Decoder, Encoder},
    decode, encode,
    logistic::{LOGIT_MAX, logit, probability},
    mix::{Mix, Slot},
    numbers::Numbers,
    operations::Operations,
};

use crate::{CodecError, images::noise, kind::Machine};

mod work;

const BASE_SIZE: usize = 1000;
const SEGMENT: Segment = Segment {
    start: 0,
    size: 200,
    base_size: BASE_SIZE as u64,
};
/// Two copies with changes, and literals after each.
const OPERATIONS: [Operation; 2] = [
    Operation {
        base: 5,
        copy: 90,
        literal: 10,
    },
    Operation {
        base: 800,
        copy: 60,
        literal: 40,
    },
];

fn base() -> Vec<u8> {
    noise(1, BASE_SIZE)
}

/// What the operations make, a few copied bytes changed.
fn output() -> Vec<u8> {
    let base = base();
    let mut out = Vec::new();
    for Operation {
        base: from,
        copy,
        literal,
    } in OPERATIONS
    {
        out.extend(&base[from as usize..][..copy]);
        out.extend(b"abcabd".iter().cycle().take(literal));
    }
    for at in [3, 4, 50, 120] {
        out[at] ^= 0x55;
    }
    out
}

fn payload() -> Vec<u8> {
    let code = (SEGMENT, Machine::None);
    encode(&OPERATIONS, code, &output(), &base(), 3)
        .unwrap()
        .unwrap()
}

fn decode_payload(payload: &[u8]) -> Result<Vec<u8>, CodecError> {
    let mut out = Vec::new();
    let code = (SEGMENT, Machine::None);
    decode(payload, code, &mut Cursor::new(base()), &mut out).map(|()| out)
}

proptest! {
    /// Any bits at any probability come back, and the end is told from any other.
    #[test]
    fn bits_round_trip(bits in proptest::collection::vec((0_u32..2, 1_u16..), 0..2000)) {
        let mut encoder = Encoder::new();
        for (bit, one) in &bits {
            encoder.code(*bit, *one);
        }
        let bytes = encoder.finish();
        let mut decoder = Decoder::new(&bytes).unwrap();
        for (bit, one) in &bits {
            prop_assert_eq!(decoder.code(0, *one), *bit);
        }
        prop_assert!(decoder.is_finished());
    }

    /// Whatever is read as a code ends, and never more of it is asked for than there is time for.
    #[test]
    fn any_bytes_end(payload in proptest::collection::vec(any::<u8>(), 0..400)) {
        let mut whole = vec![0; 8];
        whole.extend(payload);
        if let Ok(out) = decode_payload(&whole) {
            prop_assert_eq!(out.len(), SEGMENT.size);
        }
    }

    #[test]
    fn numbers_round_trip(numbers in proptest::collection::vec(0_u64..1 << 42, 1..50)) {
        let mut encoder = Encoder::new();
        let mut models = Numbers::new(2);
        for number in &numbers {
            models.code(&mut encoder, 1, *number);
        }
        let bytes = encoder.finish();
        let mut decoder = Decoder::new(&bytes).unwrap();
        let mut models = Numbers::new(2);
        for number in &numbers {
            prop_assert_eq!(models.code(&mut decoder, 1, 0), *number);
        }
        prop_assert!(decoder.is_finished());
    }
}

/// The smallest and the largest probability, the range at its narrowest.
#[test]
fn extreme_probabilities_round_trip() {
    for one in [1, 0x8000, u16::MAX] {
        for bit in [0, 1] {
            let mut encoder = Encoder::new();
            (0..5000).for_each(|_| _ = encoder.code(bit, one));
            let bytes = encoder.finish();
            let mut decoder = Decoder::new(&bytes).unwrap();
            assert!((0..5000).all(|_| decoder.code(0, one) == bit));
            assert!(decoder.is_finished());
        }
    }
}

#[test]
fn probabilities_and_logits_are_inverse_and_rise() {
    assert_eq!(probability(0), 1 << 15);
    assert_eq!(
        (probability(-LOGIT_MAX), probability(LOGIT_MAX)),
        (22, 65513)
    );
    for logit in -LOGIT_MAX..LOGIT_MAX {
        assert!(probability(logit) <= probability(logit + 1));
        assert!(
            (f64::from(probability(logit)) - 65536.0 / (1.0 + (-f64::from(logit) / 256.0).exp()))
                .abs()
                < 130.0
        );
    }
    for upper in 0..4095 {
        assert!(logit(upper) <= logit(upper + 1));
    }
    assert_eq!(logit(2048), 1);
}

#[test]
fn slots_follow_bits_and_stay_inside() {
    for (bit, end) in [(0, 8), (1, 0xfff8)] {
        let mut slot = Slot::NEW;
        (0..1000).for_each(|_| slot.learn(bit, 15));
        assert!(slot.probability().abs_diff(end) < 200, "{slot:?}");
    }
}

/// A bit that follows from one of two contexts is soon told by it.
#[test]
fn mixture_finds_the_context_that_tells() {
    let mut encoder = Encoder::new();
    let mut mix: Mix<2> = Mix::new(8, [1, 1], 15, 6);
    for index in 0..4000_u32 {
        let bit = (index % 7) & 1;
        mix.code(&mut encoder, &[index % 7, 100 + index % 3], [0, 0], bit);
    }
    assert!(encoder.finish().len() < 60);
}

/// D32: a position before the base is no operation, however it is told.
#[test]
fn operations_before_the_base_are_refused() {
    let mut encoder = Encoder::new();
    let truth = Operation {
        base: 0_u64.wrapping_sub(1),
        copy: 1,
        literal: 0,
    };
    assert_eq!(Operations::new().code(&mut encoder, 0, truth), None);
}

#[test]
fn payload_round_trips() {
    assert_eq!(decode_payload(&payload()).unwrap(), output());
}

/// Literals that don't compress stand apart.
#[test]
fn noise_is_stored_apart() {
    let operations = [Operation {
        base: 0,
        copy: 20,
        literal: 180,
    }];
    let mut output = base()[..20].to_vec();
    output.extend(noise(9, 180));
    let code = (SEGMENT, Machine::None);
    let payload = encode(&operations, code, &output, &base(), 3)
        .unwrap()
        .unwrap();
    assert_eq!(payload[..4], 180_u32.to_le_bytes());
    assert_eq!(decode_payload(&payload).unwrap(), output);
    let mut longer = payload;
    longer[0] += 1;
    assert!(decode_payload(&longer).is_err());
}

/// D35: every beginning of a payload is refused, and every end that is added.
#[test]
fn truncated_and_extended_payloads_are_refused() {
    let payload = payload();
    for end in 0..payload.len() {
        assert!(decode_payload(&payload[..end]).is_err(), "{end}");
    }
    let mut longer = payload.clone();
    longer.push(0);
    assert!(decode_payload(&longer).is_err());
    longer.pop();
    *longer.last_mut().unwrap() ^= 1;
    assert!(decode_payload(&longer).is_err());
}

/// No bit of a payload can vary and leave the output alone.
#[test]
fn every_bit_counts() {
    let (payload, output) = (payload(), output());
    for at in 0..payload.len() * 8 {
        let mut changed = payload.clone();
        changed[at / 8] ^= 1 << (at % 8);
        assert!(
            decode_payload(&changed).ok().as_ref() != Some(&output),
            "{at}"
        );
    }
}

proptest! {
    #[test]
    fn segments_round_trip(
        parts in proptest::collection::vec((0_u64..900, 0_usize..100, 0_usize..9), 1..9),
        start in 0_u64..5000,
    ) {
        let base = base();
        let parts = parts.into_iter();
        let operations: Vec<Operation> = parts
            .map(|(base, copy, literal)| Operation { base, copy, literal: literal.max(1) })
            .collect();
        let size = operations.iter().map(|operation| operation.copy + operation.literal).sum();
        let output = noise(2, size);
        let segment = Segment { start, size, base_size: BASE_SIZE as u64 };
        for machine in Machine::ALL {
            let code = (segment, machine);
            let payload = encode(&operations, code, &output, &base, 3).unwrap().unwrap();
            let mut out = Vec::new();
            decode(&payload, code, &mut Cursor::new(&base), &mut out).unwrap();
            prop_assert_eq!(&out, &output);
        }
    }
}

/// Operations that don't fit are no payload.
#[test]
fn operations_that_do_not_fit_make_no_payload() {
    for (base_at, copy, literal) in [(990, 90, 110), (0, 100, 101), (0, 0, 0)] {
        let operations = [Operation {
            base: base_at,
            copy,
            literal,
        }];
        let code = (SEGMENT, Machine::None);
        let made = encode(&operations, code, &output(), &base(), 3).unwrap();
        assert!(made.is_none(), "{base_at} {copy} {literal}");
    }
}
