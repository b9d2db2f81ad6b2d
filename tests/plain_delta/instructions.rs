//! Instructions of A32, T32 and RISC-V that say, alone or with another, where something is.

/// Pieces of a number in a word: lowest bit in the word, bits, lowest bit in the number.
type Layout = &'static [(u32, u32, u32)];

const A32_BRANCH: Layout = &[(0, 24, 2)];
const A32_NUMBER: Layout = &[(16, 4, 12), (0, 12, 0)];
const T32_BRANCH: Layout = &[
    (10, 1, 24),
    (29, 1, 23),
    (27, 1, 22),
    (0, 10, 12),
    (16, 11, 1),
];
const JAL: Layout = &[(31, 1, 20), (12, 8, 12), (20, 1, 11), (21, 10, 1)];
const UPPER: Layout = &[(12, 20, 12)];
const LOW: Layout = &[(20, 12, 0)];
const LOW_OF_STORE: Layout = &[(25, 7, 5), (7, 5, 0)];

/// What an instruction does.
pub(super) enum Form {
    Branch {
        target: i64,
    },
    First {
        register: u32,
        number: i64,
    },
    Second {
        register: u32,
        number: i64,
    },
    /// Loads a register with the word at a position.
    Load {
        register: u32,
        word: i64,
    },
    /// Adds a register to the position `pc`.
    Add {
        register: u32,
        pc: i64,
    },
}

fn mask(bits: u32) -> u32 {
    (1 << bits) - 1
}

fn gather(word: u32, layout: Layout) -> u32 {
    let pieces = layout.iter();
    pieces.fold(0, |number, (at, bits, place)| {
        number | (word >> at & mask(*bits)) << place
    })
}

fn scatter(word: u32, layout: Layout, number: i64) -> u32 {
    layout.iter().fold(word, |word, (at, bits, place)| {
        word & !(mask(*bits) << at) | ((number >> place) as u32 & mask(*bits)) << at
    })
}

fn signed(number: u32, bits: u32) -> i64 {
    i64::from((number << (32 - bits)) as i32 >> (32 - bits))
}

/// Bits 23 and 22 of a T32 distance, which are turned if it is not negative.
fn turned(distance: i64) -> i64 {
    let is_negative = distance >> 24 & 1 == 1;
    if is_negative {
        distance
    } else {
        distance ^ 0xc0_0000
    }
}

fn is_exchange(word: u32) -> bool {
    word & 0xd001_f800 == 0xc000_f000
}

/// What a T32 branch at a position adds its distance to.
fn origin(word: u32, position: i64) -> i64 {
    let pc = position + 4;
    if is_exchange(word) { pc & !3 } else { pc }
}

fn low_layout(word: u32) -> Layout {
    match word & 0x7f {
        0x23 | 0x27 => LOW_OF_STORE,
        _ => LOW,
    }
}

/// What the word at a position does, if it is one of these instructions.
pub(super) fn form(machine: u8, word: u32, position: i64) -> Option<Form> {
    match machine {
        3 => a32(word, position),
        4 => t32(word, position),
        _ => riscv(word, position),
    }
}

fn a32(word: u32, position: i64) -> Option<Form> {
    let pc = position + 8;
    let register = word >> 12 & 15;
    let number = i64::from(gather(word, A32_NUMBER));
    let is_conditional = word >> 28 < 15;
    if word & 0x0e00_0000 == 0x0a00_0000 && is_conditional {
        let target = pc + signed(gather(word, A32_BRANCH), 26);
        return Some(Form::Branch { target });
    }
    match word & 0x0ff0_0000 {
        0x0300_0000 if is_conditional => return Some(Form::First { register, number }),
        0x0340_0000 if is_conditional => return Some(Form::Second { register, number }),
        _ => {}
    }
    if word & 0x0fff_0000 == 0x059f_0000 {
        let word = pc + i64::from(word & 0xfff);
        return Some(Form::Load { register, word });
    }
    let register = word & 15;
    (word & 0x0fff_0ff0 == 0x008f_0000).then_some(Form::Add { register, pc })
}

fn t32(word: u32, position: i64) -> Option<Form> {
    let pc = position + 4;
    if word & 0x9000_f800 == 0x9000_f000 || is_exchange(word) {
        let distance = turned(gather(word, T32_BRANCH).into()) as u32;
        let target = origin(word, position) + signed(distance, 25);
        return Some(Form::Branch { target });
    }
    if word & 0xf800 == 0x4800 {
        return Some(Form::Load {
            register: word >> 8 & 7,
            word: (pc & !3) + 4 * i64::from(word & 0xff),
        });
    }
    if word & 0xffff == 0xf8df {
        return Some(Form::Load {
            register: word >> 28,
            word: (pc & !3) + i64::from(word >> 16 & 0xfff),
        });
    }
    let register = (word >> 7 & 1) << 3 | word & 7;
    (word & 0xff78 == 0x4478).then_some(Form::Add { register, pc })
}

fn riscv(word: u32, position: i64) -> Option<Form> {
    let made = word >> 7 & 31;
    match (word & 0x7f, word >> 12 & 7) {
        (0x6f, _) if matches!(made, 0 | 1 | 5) => Some(Form::Branch {
            target: position + signed(gather(word, JAL), 21),
        }),
        (0x17, _) if made != 0 => Some(Form::First {
            register: made,
            number: position + signed(gather(word, UPPER), 32),
        }),
        (0x13 | 0x67, 0) | (0x03 | 0x07 | 0x23 | 0x27, _) => Some(Form::Second {
            register: word >> 15 & 31,
            number: signed(gather(word, low_layout(word)), 12),
        }),
        _ => None,
    }
}

/// The branch at a position that leads to `target`.
pub(super) fn with_target(machine: u8, old: u32, position: i64, target: i64) -> u32 {
    match machine {
        3 => scatter(old, A32_BRANCH, target - position - 8),
        4 => {
            let distance = target - origin(old, position);
            let distance = if is_exchange(old) {
                distance & !3
            } else {
                distance
            };
            scatter(old, T32_BRANCH, turned(distance))
        }
        _ => scatter(old, JAL, target - position),
    }
}

/// Half of an address with another number.
pub(super) fn with_number(machine: u8, old: u32, number: i64) -> u32 {
    let layout = match (machine, old & 0x7f) {
        (3, _) => A32_NUMBER,
        (_, 0x17) => UPPER,
        _ => low_layout(old),
    };
    scatter(old, layout, number)
}
