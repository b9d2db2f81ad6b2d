//! References: encodings against those of binutils, and what is predicted of them.

use std::io::Cursor;

use super::{Field, Known, References, Stretch, Token, Window};
use crate::kind::Machine;

/// Tokens of a copy of the whole base to `to`; each is in the output what `decide` makes of it.
fn tokens(
    machine: Machine,
    base: &[u8],
    to: u64,
    mut decide: impl FnMut(&Token) -> u32,
) -> (Vec<Token>, Vec<u8>) {
    let mut references = References::new(machine, base.len() as u64);
    let mut cursor = Cursor::new(base);
    let mut window = Window::new(&mut cursor, base.len() as u64);
    let (mut tokens, mut out) = (Vec::new(), Vec::new());
    let stretch = Stretch {
        from: 0,
        to,
        count: base.len(),
    };
    let copied = references.copy(&mut window, stretch, &mut out, |token| {
        tokens.push(*token);
        Ok(decide(token))
    });
    copied.unwrap();
    (tokens, out)
}

fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

#[test]
fn copy_without_a_machine_is_cut_at_words() {
    let base: Vec<u8> = (0..11).collect();
    let (tokens, out) = tokens(Machine::None, &base, 3, |token| token.predicted);
    assert_eq!(out, base);
    let sizes: Vec<_> = tokens
        .iter()
        .map(|token| (token.from, token.size))
        .collect();
    assert_eq!(sizes, [(0, 4), (4, 4), (8, 3)]);
    assert_eq!(tokens[2].old, 0x0a_09_08);
}

/// `bl` forward and back, as GNU as encodes them: at 0 to 16 (94000004), at 4 to 0 (97ffffff).
#[test]
fn branches_move_with_what_they_call() {
    let base = words(&[0x9400_0004, 0x97ff_ffff, 0x9400_0002, 0x9400_0001]);
    // The code stays, what was at 16 is 32 further on: both later calls of it follow the first.
    let (tokens, _) = tokens(Machine::Arm64, &base, 0, |token| match token.from {
        0 => 0x9400_000c,
        _ => token.predicted,
    });
    assert!(tokens.iter().all(|token| token.field == Field::Branch));
    assert_eq!(tokens[0].known, Known::Not);
    assert_eq!(tokens[0].predicted, 0x9400_0004);
    assert_eq!(tokens[3].known, Known::Exactly);
    assert_eq!(tokens[3].predicted, 0x9400_0009);
    // The target of the third, 16, is that of the first.
    assert_eq!(tokens[2].predicted, 0x9400_000a);
}

/// A copy that moves takes along what it refers to, unless something else is known.
#[test]
fn unknown_references_move_in_step() {
    let base = words(&[0x9400_0004]);
    let (tokens, _) = tokens(Machine::Arm64, &base, 64, |token| token.predicted);
    assert_eq!(tokens[0].predicted, 0x9400_0004);
}

/// `adrp x0, 0x1000; add x0, x0, #0x10` at 0: b0000000 91004000. And `ldr x1, [x0, #0x10]`: f9400801.
#[test]
fn pages_and_low_parts_are_one_address() {
    let base = words(&[0xb000_0000, 0x9100_4000, 0xb000_0000, 0xf940_0801]);
    // 0x1010 is now at 0x2020.
    let (tokens, _) = tokens(Machine::Arm64, &base, 0, |token| match token.from {
        0 => 0xd000_0000,
        4 => 0x9100_8000,
        _ => token.predicted,
    });
    let fields: Vec<_> = tokens.iter().map(|token| token.field).collect();
    use Field::{Low, PageOfPair};
    assert_eq!(fields, [PageOfPair, Low, PageOfPair, Low]);
    assert_eq!(tokens[2].predicted, 0xd000_0000);
    assert_eq!(tokens[3].predicted, 0xf940_1001);
    assert_eq!(tokens[3].known, Known::Exactly);
}

/// `call` to 0x20 at 1 (e8 1b 00 00 00), and `lea rax, [rip+0x12]` at 7 to the same (48 8d 05 …).
#[test]
fn displacements_are_found_between_other_bytes() {
    let mut base = vec![
        0x90, 0xe8, 0x1a, 0, 0, 0, 0x90, 0x48, 0x8d, 0x05, 0x12, 0, 0, 0,
    ];
    base.resize(0x40, 0x90);
    let (tokens, out) = tokens(Machine::X86, &base, 0, |token| match token.from {
        2 => token.predicted + 0x10,
        _ => token.predicted,
    });
    let found: Vec<_> = tokens
        .iter()
        .filter(|token| token.field == Field::Displacement)
        .collect();
    assert_eq!(
        found.iter().map(|token| token.from).collect::<Vec<_>>(),
        [2, 10]
    );
    assert_eq!(found[0].predicted, 0x1a);
    assert_eq!(found[1].predicted, 0x22);
    assert_eq!(out.len(), base.len());
}

/// A field that the copy cuts, and one that would lead out of the base, are data.
#[test]
fn displacements_are_whole_and_lead_into_the_base() {
    let cut = [0x90, 0x90, 0xe8, 0, 0, 0];
    let far = [0xe8, 0, 0x10, 0, 0, 0x90, 0x90, 0x90];
    let before = [0xe8, 0xf0, 0xff, 0xff, 0xff, 0x90, 0x90, 0x90];
    for base in [&cut[..], &far, &before] {
        let (tokens, out) = tokens(Machine::X86, base, 0, |token| token.predicted);
        assert!(
            tokens.iter().all(|token| token.field == Field::None),
            "{base:?}"
        );
        assert_eq!(out, base);
    }
}

/// Positions at both ends of the largest base, in code that refers as far as it can.
#[test]
fn extreme_positions_do_not_overflow() {
    let bases = [
        words(&[
            0x1600_0000,
            0x9080_0000,
            0x913f_fc00,
            0xf97f_fc01,
            0x15ff_ffff,
        ]),
        vec![0xe8; 64],
        vec![0xff; 64],
        vec![0; 64],
    ];
    for base in &bases {
        for machine in Machine::ALL {
            for to in [0, 1, (1 << 34) - 64] {
                let (tokens, out) = tokens(machine, base, to, |token| !token.predicted);
                assert!(!tokens.is_empty());
                assert_eq!(out.len(), base.len());
            }
        }
    }
}

/// What is around both ends of the base is 0.
#[test]
fn window_is_zero_outside_the_base() {
    let base = [0xe8, 1, 2, 3];
    let mut cursor = Cursor::new(&base);
    let mut window = Window::new(&mut cursor, 4);
    let around = *window.around(0, 4).unwrap();
    assert_eq!(around[..4], [0; 4]);
    assert_eq!(around[4..8], base);
    assert_eq!(around[8..], [0; 36]);
    let around = *window.around(3, 1).unwrap();
    assert_eq!(around[..6], [0, 0xe8, 1, 2, 3, 0]);
}
