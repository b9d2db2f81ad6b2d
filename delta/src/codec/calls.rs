//! Calls in literals: told by where they lead, so that calls of one function look alike.
//!
//! Both directions change a stretch of literals in place, from its first byte to its last. An operand is
//! found by bytes that the change leaves alone, so that each direction finds the same ones.

use crate::kind::Machine;

/// Operation code of `CALL` and `JMP` on x86-64, which differ in the lowest bit.
const X86_CALL: u8 = 0xe8;
/// Operation code of `BL` on A64, in the six highest bits.
const ARM64_CALL: u32 = 0x9400_0000;
/// Bits of the distance in a `BL`.
const ARM64_DISTANCE: u32 = 0x03ff_ffff;

/// Makes distances of calls positions. `at`: position of the first byte in the target.
pub(super) fn to_positions(machine: Machine, literals: &mut [u8], at: u64) {
    match machine {
        Machine::None | Machine::A32 | Machine::T32 | Machine::RiscV | Machine::Tables => {}
        Machine::Arm64 => arm64(literals, at, u32::wrapping_add),
        Machine::X86 => x86(literals, at, |operand, next| {
            let distance = u32::from_le_bytes(operand);
            let told = match distance >> 24 {
                0 | 0xff => sign_extended(distance.wrapping_add(next)),
                _ => distance,
            };
            told.to_be_bytes()
        }),
    }
}

/// Inverse of [`to_positions`].
pub(super) fn to_distances(machine: Machine, literals: &mut [u8], at: u64) {
    match machine {
        Machine::None | Machine::A32 | Machine::T32 | Machine::RiscV | Machine::Tables => {}
        Machine::Arm64 => arm64(literals, at, u32::wrapping_sub),
        Machine::X86 => x86(literals, at, |operand, next| {
            let told = u32::from_be_bytes(operand);
            let distance = match told >> 24 {
                0 | 0xff => sign_extended(told.wrapping_sub(next)),
                _ => told,
            };
            distance.to_le_bytes()
        }),
    }
}

/// The low 25 bits as a signed number: the range of numbers whose highest byte is 00 or ff.
const fn sign_extended(number: u32) -> u32 {
    ((number << 7).cast_signed() >> 7).cast_unsigned()
}

/// Low 32 bits of a position.
fn low(position: u64) -> u32 {
    u32::try_from(position & 0xffff_ffff).unwrap_or_default()
}

/// Changes the four bytes behind each operation code; `change` also gets the position behind them.
fn x86(mut rest: &mut [u8], mut at: u64, change: impl Fn([u8; 4], u32) -> [u8; 4]) {
    loop {
        let found = rest.iter().position(|byte| byte & 0xfe == X86_CALL);
        let Some(behind) =
            found.and_then(|place| rest.split_at_mut_checked(place.saturating_add(1)))
        else {
            return;
        };
        let (before, after) = behind;
        let Some((operand, after)) = after.split_first_chunk_mut::<4>() else {
            return;
        };
        let before = u64::try_from(before.len()).unwrap_or_default();
        at = at.wrapping_add(before).wrapping_add(4);
        *operand = change(*operand, low(at));
        rest = after;
    }
}

/// Changes the distance in each aligned `BL`, in words.
fn arm64(literals: &mut [u8], at: u64, change: impl Fn(u32, u32) -> u32) {
    let unaligned = usize::try_from(at.wrapping_neg() & 3).unwrap_or_default();
    let words = literals.get_mut(unaligned..).unwrap_or_default();
    let (words, _) = words.as_chunks_mut::<4>();
    for (word, place) in words.iter_mut().zip((at.div_ceil(4))..) {
        let call = u32::from_le_bytes(*word);
        if call & !ARM64_DISTANCE == ARM64_CALL {
            let distance = change(call, low(place)) & ARM64_DISTANCE;
            *word = (ARM64_CALL | distance).to_le_bytes();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{Just, Strategy, any, prop_assert_eq, proptest};

    use super::{to_distances, to_positions};
    use crate::kind::Machine;

    #[test]
    fn two_calls_of_one_function_become_alike() {
        // CALL to 0x1000 from 0x0fe and from 0x1ff0.
        let mut first = [0x90, 0xe8, 0xfc, 0x0e, 0, 0];
        let mut second = [0xe8, 0x0b, 0xf0, 0xff, 0xff];
        to_positions(Machine::X86, &mut first, 0xfe);
        to_positions(Machine::X86, &mut second, 0x1ff0);
        assert_eq!(first[1..], [0xe8, 0, 0, 0x10, 0]);
        assert_eq!(first[1..], second);

        let mut calls = [0xff; 11];
        // BL to 0x1000 from 0x100 and from 0x104; the stretch starts 3 bytes before.
        calls[3..7].copy_from_slice(&(0x9400_0000_u32 | 0x3c0).to_le_bytes());
        calls[7..].copy_from_slice(&(0x9400_0000_u32 | 0x3bf).to_le_bytes());
        to_positions(Machine::Arm64, &mut calls, 0xfd);
        assert_eq!(calls[3..7], (0x9400_0000_u32 | 0x400).to_le_bytes());
        assert_eq!(calls[3..7], calls[7..]);
    }

    proptest! {
        #[test]
        fn directions_are_inverse(
            bytes in proptest::collection::vec(
                proptest::prop_oneof![Just(0xe8), Just(0x94), Just(0), Just(0xff), any::<u8>()],
                0..60,
            ),
            at in any::<u64>(),
            machine in (0..Machine::ALL.len()).prop_map(|index| Machine::ALL[index]),
        ) {
            let mut changed = bytes.clone();
            to_positions(machine, &mut changed, at);
            to_distances(machine, &mut changed, at);
            prop_assert_eq!(changed, bytes);
        }
    }
}
