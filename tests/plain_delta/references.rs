//! Tokens, and references in them, predicted from what was learnt of their targets.

use std::collections::HashMap;

#[path = "references/forms.rs"]
mod forms;

const UNKNOWN: i32 = i32::MIN;
/// (n, bits) of the tables of shifts known nearly.
const NEAR: [(u32, u32); 3] = [(6, 14), (9, 14), (13, 12)];
/// How far a low part may be from its page.
const PAIR_BYTES: i64 = 36;

/// The last shifts of numbers, by the number and by its neighbourhood.
#[derive(Default)]
pub(super) struct Shifts {
    exact: HashMap<usize, (u32, i32)>,
    near: [HashMap<usize, i32>; 3],
}

impl Shifts {
    pub(super) fn exactly(&self, number: i64) -> Option<i32> {
        let (low, shift) = self.exact.get(&index(number as u64, 15))?;
        (*low == number as u32 && *shift != UNKNOWN).then_some(*shift)
    }

    pub(super) fn nearly(&self, number: i64) -> Option<i32> {
        let tables = self.near.iter().zip(NEAR);
        let mut shifts =
            tables.filter_map(|(table, (n, bits))| table.get(&index(number as u64 >> n, bits)));
        shifts.find(|&&shift| shift != UNKNOWN).copied()
    }

    pub(super) fn learn(&mut self, number: i64, shift: i32) {
        let place = index(number as u64, 15);
        self.exact.insert(place, (number as u32, shift));
        for (table, (n, bits)) in self.near.iter_mut().zip(NEAR) {
            table.insert(index(number as u64 >> n, bits), shift);
        }
    }
}

pub(super) fn index(number: u64, bits: u32) -> usize {
    (number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (64 - bits)) as usize
}

/// What a reference is; the number is its `field`.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Kind {
    Branch = 1,
    Page,
    PageOfPair,
    LowPart,
    Displacement,
}

pub(super) struct Reference {
    pub(super) kind: Kind,
    /// How its target's shift is known: 1 exactly, 2 nearly, 3 not.
    pub(super) known: usize,
    target: i64,
    /// Position in the base.
    from: i64,
}

pub(super) struct Token {
    pub(super) size: usize,
    pub(super) old: u32,
    pub(super) predicted: u32,
    pub(super) reference: Option<Reference>,
}

pub(super) struct References<'a> {
    base: &'a [u8],
    machine: u8,
    shifts: Shifts,
    /// Position and page of the last page to each register in the base.
    base_pages: [Option<(i64, i64)>; 32],
    target_pages: [i64; 32],
    /// Position and number of the second half that the last first half of each register had.
    halves: [Option<(i64, i64)>; 32],
    /// Number of the last first half to each register in the target.
    target_halves: [i64; 32],
    /// Position of the word that a register was loaded with.
    loaded: [Option<i64>; 16],
    literals: HashMap<i64, Literal>,
}

/// A word that is added to a position.
#[derive(Clone, Copy)]
struct Literal {
    position: i64,
    pc: i64,
    new_pc: i64,
}

impl<'a> References<'a> {
    pub(super) fn new(base: &'a [u8], machine: u8) -> Self {
        References {
            base,
            machine,
            shifts: Shifts::default(),
            base_pages: [None; 32],
            target_pages: [0; 32],
            halves: [None; 32],
            target_halves: [0; 32],
            loaded: [None; 16],
            literals: HashMap::new(),
        }
    }

    fn byte(&self, position: i64) -> u8 {
        let index = usize::try_from(position).ok();
        *index.and_then(|index| self.base.get(index)).unwrap_or(&0)
    }

    fn word(&self, position: i64) -> u32 {
        u32::from_le_bytes([0, 1, 2, 3].map(|n| self.byte(position + n)))
    }

    pub(super) fn next_token(&mut self, from: i64, to: i64, left: usize) -> Token {
        let mut size = left.min(4 - (from & 3) as usize);
        let mut found = None;
        if self.machine == 1 && size == 4 && to & 3 == 0 {
            found = self.a64_target(from);
        } else if self.machine == 2 {
            let mut skips = 0..size.min(left.saturating_sub(3));
            if let Some(skip) = skips.find(|&skip| self.displacement(from + skip as i64).is_some())
            {
                size = if skip == 0 { 4 } else { skip };
                let target = self.displacement(from).filter(|_| skip == 0);
                found = target.map(|target| (Kind::Displacement, target));
            }
        } else if self.machine >= 4 || self.machine == 3 && size == 4 && to & 3 == 0 {
            (size, found) = self.by_form(from, to, size, left);
        }
        let old = self.word(from) & u32::MAX >> (32 - 8 * size);
        let mut token = Token {
            size,
            old,
            predicted: old,
            reference: None,
        };
        if let Some((kind, target)) = found {
            let is_number = self.machine == 3 && matches!(kind, Kind::PageOfPair | Kind::LowPart);
            let unknown = if is_number { 0 } else { to - from };
            let (shift, known) = self.shift(target, unknown);
            token.predicted = match self.machine {
                ..=2 => predict(kind, old, target + shift, to),
                _ => self.predict_form(kind, (old, from), target + shift, to),
            };
            token.reference = Some(Reference {
                kind,
                known,
                target,
                from,
            });
        }
        token
    }

    /// The shift of a target and how it is known.
    fn shift(&self, target: i64, unknown: i64) -> (i64, usize) {
        if let Some(shift) = self.shifts.exactly(target) {
            (shift.into(), 1)
        } else if let Some(shift) = self.shifts.nearly(target) {
            (shift.into(), 2)
        } else {
            (unknown, 3)
        }
    }

    /// The target of the A64 word at `from`, if it is a reference.
    fn a64_target(&mut self, from: i64) -> Option<(Kind, i64)> {
        let old = self.word(from);
        if is_branch(old) {
            return Some((Kind::Branch, branch_target(old, from)));
        }
        if is_page(old) {
            let register = old & 31;
            let page = page_target(old, from);
            self.base_pages[register as usize] = Some((from, page));
            let mut next = (4..=PAIR_BYTES).step_by(4).map(|n| self.word(from + n));
            let low_part = next.find(|&word| is_low_part(word) && word >> 5 & 31 == register);
            return Some(match low_part {
                Some(word) => (Kind::PageOfPair, page + low_bytes(word)),
                None => (Kind::Page, page),
            });
        }
        if !is_low_part(old) {
            return None;
        }
        let (position, page) = self.base_pages[(old >> 5 & 31) as usize]?;
        let paired = (0..=PAIR_BYTES).contains(&(from - position));
        paired.then_some((Kind::LowPart, page + low_bytes(old)))
    }

    /// The target of the x86-64 displacement at a position, if there is one.
    fn displacement(&self, position: i64) -> Option<i64> {
        let [third, second, first] = [3, 2, 1].map(|n| self.byte(position - n));
        #[rustfmt::skip]
        let relative = first & 0xc7 == 5 && (third == 0x0f || matches!(second,
            0x03 | 0x0b | 0x23 | 0x2b | 0x33 | 0x38 | 0x39 | 0x3a | 0x3b | 0x63 | 0x80 | 0x81
            | 0x83 | 0x84 | 0x85 | 0x89 | 0x8b | 0x8d | 0xc6 | 0xc7 | 0xf6 | 0xf7 | 0xff));
        let call = matches!(first, 0xe8 | 0xe9);
        let jump = second == 0x0f && matches!(first, 0x80..=0x8f);
        let value = self.word(position);
        let target = position + 4 + i64::from(value as i32);
        let small = matches!(value >> 24, 0x00 | 0xff);
        let inside = (0..self.base.len() as i64).contains(&target);
        ((relative || call || jump) && small && inside).then_some(target)
    }

    /// Learns from a token at `to` that turned out to be `new`.
    pub(super) fn learn(&mut self, token: &Token, to: i64, new: u32) {
        let Some(Reference {
            kind, target, from, ..
        }) = token.reference
        else {
            return;
        };
        let position = match kind {
            _ if self.machine >= 3 => match self.told(kind, from, to, new) {
                Some(position) => position,
                None => return,
            },
            Kind::Branch if is_branch(new) => branch_target(new, to),
            Kind::Page | Kind::PageOfPair if is_page(new) => {
                let page = page_target(new, to);
                self.target_pages[(new & 31) as usize] = page;
                if kind == Kind::PageOfPair {
                    return;
                }
                page
            }
            Kind::LowPart if is_low_part(new) => {
                self.target_pages[(new >> 5 & 31) as usize] + low_bytes(new)
            }
            Kind::Displacement => to + 4 + i64::from(new as i32),
            _ => return,
        };
        if let Ok(shift) = i32::try_from(position - target) {
            self.shifts.learn(target, shift);
        }
    }
}

/// The word at `to` in place of `old` that names `now`.
fn predict(kind: Kind, old: u32, now: i64, to: i64) -> u32 {
    let replace = |mask: u32, bits: i64| old & !mask | bits as u32 & mask;
    match kind {
        Kind::Branch => replace(0x03ff_ffff, (now - to) >> 2),
        Kind::Page | Kind::PageOfPair => {
            let pages = (now >> 12) - (to >> 12);
            replace(0x60ff_ffe0, (pages & 3) << 29 | (pages >> 2 & 0x7ffff) << 5)
        }
        Kind::LowPart => replace(0x003f_fc00, (now & 0xfff) >> unit(old) << 10),
        Kind::Displacement => (now - to - 4) as u32,
    }
}

fn signed(value: u32, bits: u32) -> i64 {
    i64::from((value << (32 - bits)) as i32 >> (32 - bits))
}

fn is_branch(word: u32) -> bool {
    word & 0x7c00_0000 == 0x1400_0000
}

fn branch_target(word: u32, position: i64) -> i64 {
    position + 4 * signed(word, 26)
}

fn is_page(word: u32) -> bool {
    word & 0x9f00_0000 == 0x9000_0000
}

fn page_target(word: u32, position: i64) -> i64 {
    let pages = (word >> 5 & 0x7ffff) << 2 | word >> 29 & 3;
    (position & !0xfff) + 4096 * signed(pages, 21)
}

fn is_addition(word: u32) -> bool {
    word & 0x7fc0_0000 == 0x1100_0000
}

fn is_low_part(word: u32) -> bool {
    is_addition(word) || word & 0x3b00_0000 == 0x3900_0000
}

fn unit(word: u32) -> u32 {
    let size = word >> 30;
    match size {
        _ if is_addition(word) => 0,
        0 if word & 0x0480_0000 == 0x0480_0000 => 4,
        _ => size,
    }
}

fn low_bytes(word: u32) -> i64 {
    i64::from((word >> 10 & 0xfff) << unit(word))
}
