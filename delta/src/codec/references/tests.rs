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

/// What tokens refer with, and where the references are.
fn fields(tokens: &[Token]) -> Vec<(u64, Field)> {
    let references = tokens.iter().filter(|token| token.field != Field::None);
    references.map(|token| (token.from, token.field)).collect()
}

/// `bl` from 0 and `bleq` from 4 to 16, as LLVM encodes them, then `movw r3, #0x1234`, `movt r3, #0xc012` twice.
#[test]
fn a32_calls_and_halves_follow_the_first() {
    let halves = [0xe301_3234, 0xe34c_3012];
    let code = [0xeb00_0002, 0x0b00_0001];
    let base = words(&[&code[..], &halves, &halves].concat());
    let (tokens, _) = tokens(Machine::A32, &base, 0, |token| match token.from {
        0 => 0xeb00_0012,
        // 0xc012_1234 is now 0xc013_0238.
        8 => 0xe300_3238,
        12 => 0xe34c_3013,
        _ => token.predicted,
    });
    use Field::{Branch, Low, PageOfPair};
    let found: Vec<_> = tokens.iter().map(|token| token.field).collect();
    assert_eq!(found, [Branch, Branch, PageOfPair, Low, PageOfPair, Low]);
    assert_eq!(tokens[1].predicted, 0x0b00_0011);
    // As long as nothing is known, a number stays, wherever the code goes.
    assert_eq!(tokens[2].predicted, 0xe301_3234);
    assert_eq!(tokens[4].predicted, 0xe300_3238);
    assert_eq!(tokens[5].predicted, 0xe34c_3013);
    assert_eq!(tokens[5].known, Known::Exactly);
}

/// `ldr r3, [pc, #4]; add r3, pc, r3; bl` to 0, the word: with the PC at 12 it leads to 0 as well.
#[test]
fn a32_words_lead_from_where_they_are_added() {
    let word = (-12_i32).cast_unsigned();
    let base = words(&[0xe59f_3004, 0xe08f_3003, 0xebff_fffc, word]);
    // What was at 0 stays, the code is at 16 now.
    let (tokens, _) = tokens(Machine::A32, &base, 16, |token| match token.from {
        8 => 0xebff_fff8,
        _ => token.predicted,
    });
    assert_eq!(
        fields(&tokens),
        [(8, Field::Branch), (12, Field::Displacement)]
    );
    assert_eq!(tokens[3].predicted, (-28_i32).cast_unsigned());
}

/// `nop; bl` from 2 to 18, `blx` from 6 to 20, `b.w` from 10 to 18, as LLVM encodes them.
#[test]
fn t32_branches_start_at_any_halfword() {
    let halfwords: [u16; 11] = [
        0xbf00, 0xf000, 0xf806, 0xf000, 0xe806, 0xf000, 0xb802, 0xbf00, 0xbf00, 0xbf00, 0xbf00,
    ];
    let base: Vec<u8> = halfwords.into_iter().flat_map(u16::to_le_bytes).collect();
    let (tokens, out) = tokens(Machine::T32, &base, 0, |token| match token.from {
        2 => token.predicted + (8 << 16),
        _ => token.predicted,
    });
    assert_eq!(out.len(), base.len());
    let branches = [2, 6, 10].map(|at| (at, Field::Branch));
    assert_eq!(fields(&tokens), branches);
    assert_eq!(tokens[0].size, 2);
    // 18 moved by 16: `blx` to 20 nearly as far.
    assert_eq!(tokens[2].predicted, 0xe80e_f000);
    assert_eq!(tokens[3].predicted, 0xb80a_f000);
}

/// As far as `bl` goes: `bl` over -0x400004 (f7ff f7fe) has other bits 29 and 27 than a near one.
#[test]
fn t32_distances_have_turned_bits() {
    let mut base = vec![0; 0x40_0008];
    base.extend(0xf7fe_f7ff_u32.to_le_bytes());
    let (tokens, _) = tokens(Machine::T32, &base, 0, |token| token.predicted);
    let last = tokens.last().unwrap();
    assert_eq!((last.field, last.target), (Field::Branch, 8));
    assert_eq!(last.predicted, last.old);
}

/// `ldr r3, [pc, #4]; add r3, pc; b; nop`, the word: added to 6. And `ldr.w r9, [pc, #4]; add r9, pc`: to 8.
#[test]
fn t32_words_lead_from_where_they_are_added() {
    let word = 0x100_u32 - 6;
    let narrow = words(&[0x447b_4b01, 0xbf00_e002, word]);
    let wide = words(&[0x9004_f8df, 0xbf00_44f9, word - 2]);
    for base in [narrow, wide] {
        // The code moves by 32, what it names by 32: the word stays.
        let (tokens, _) = tokens(Machine::T32, &base, 32, |token| token.predicted);
        assert_eq!(fields(&tokens), [(8, Field::Displacement)]);
        assert_eq!(tokens.last().unwrap().target, 0x100);
        assert_eq!(tokens.last().unwrap().predicted, tokens.last().unwrap().old);
    }
}

/// `c.nop; jal` from 2 to 18, `j` from 6 to 2; `jal a0` is taken for something else.
#[test]
fn riscv_jumps_start_at_any_halfword() {
    let mut base = vec![1, 0];
    base.extend(words(&[0x0100_00ef, 0xffdf_f06f, 0x0100_056f]));
    base.resize(20, 0);
    let (tokens, _) = tokens(Machine::RiscV, &base, 0, |token| match token.from {
        2 => 0x0200_00ef,
        _ => token.predicted,
    });
    assert_eq!(fields(&tokens), [2, 6].map(|at| (at, Field::Branch)));
    assert_eq!(tokens[2].target, 2);
    assert_eq!(tokens[1].size, 4);
}

/// `auipc a0, 2; addi a0, a0, -16` and `auipc a0, 2; sd a1, -24(a0)` from 8 name 0x1ff0.
#[test]
fn riscv_pairs_are_one_address() {
    let base = words(&[0x0000_2517, 0xff05_0513, 0x0000_2517, 0xfeb5_3423]);
    // 0x1ff0 is now at 0x2ff8.
    let (tokens, _) = tokens(Machine::RiscV, &base, 0, |token| match token.from {
        0 => 0x0000_3517,
        4 => 0xff85_0513,
        _ => token.predicted,
    });
    let found: Vec<_> = tokens.iter().map(|token| token.field).collect();
    use Field::{Low, PageOfPair};
    assert_eq!(found, [PageOfPair, Low, PageOfPair, Low]);
    assert!(tokens.iter().all(|token| token.target == 0x1ff0));
    assert_eq!(tokens[2].predicted, 0x0000_3517);
    assert_eq!(tokens[3].predicted, 0xfeb5_3823);
}

/// A branch that would lead out of the base is data.
#[test]
fn branches_lead_into_the_base() {
    for (machine, word) in [
        (Machine::A32, 0xeb00_0002_u32),
        (Machine::A32, 0xebff_fff0),
        (Machine::T32, 0xf806_f000),
        (Machine::RiscV, 0x0100_00ef),
    ] {
        let base = words(&[word, 0, 0, 0]);
        let (tokens, _) = tokens(machine, &base, 0, |token| token.predicted);
        assert!(fields(&tokens).is_empty(), "{machine:?}");
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
        words(&[
            0xea80_0000,
            0xe30f_3fff,
            0xe34f_3fff,
            0xe59f_3fff,
            0xe08f_3003,
        ]),
        words(&[
            0xd7ff_f400,
            0xc7fe_f7ff,
            0x447b_4b00,
            0x44f9_f8df,
            0x4bff_0000,
        ]),
        words(&[
            0x8000_00ef,
            0x8000_0517,
            0xfff5_0513,
            0x7fff_f517,
            0x7ff5_0513,
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
