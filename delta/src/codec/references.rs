//! References of machine code, and where they will point.
//!
//! An instruction that names an address changes when it moves and when what it names moves. Decoding a
//! copy token by token, every reference that has been decoded tells by how much its target has moved; the
//! next reference to the same place, or to one near it, is predicted to have moved alike. So the differences
//! that remain are mostly those that someone made in the source. Layout and rules in `docs/formats.md`.

#![cfg_attr(
    not(test),
    expect(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::indexing_slicing,
        reason = "positions are below 2^41, words wrap, arrays are indexed by constants and register numbers"
    )
)]

mod a32;
mod arm64;
mod literal_pools;
mod pairs;
mod riscv;
mod shifts;
mod t32;
mod tables;
mod window;
mod x86;

use std::io::{Read, Seek};

pub(super) use shifts::Shifts;
pub(super) use window::Window;

use super::CodecError;
use crate::kind::Machine;
use literal_pools::LiteralPools;
use pairs::Pairs;
use tables::Tables;
use window::Around;

#[cfg(test)]
mod tests;

/// What a token refers with. The numbers are part of the format: they are contexts of mixing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// No reference known.
    None = 0,
    /// A64 `B` and `BL`; A32 the same; T32 `B.W`, `BL` and `BLX`; RISC-V `JAL`.
    Branch = 1,
    /// A64 `ADRP`; where it leads is not known.
    Page = 2,
    /// The first half of an address: A64 `ADRP` whose low part follows, A32 `MOVW`, RISC-V `AUIPC`.
    PageOfPair = 3,
    /// The other half: A64 `ADD` or load and store, A32 `MOVT`, RISC-V `ADDI`, `JALR` or load and store.
    Low = 4,
    /// x86-64 32-bit displacement from the next instruction; A32 and T32 word that is added to the PC; a number of a table.
    Displacement = 5,
}

/// How a prediction came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// The same target was referred to before.
    Exactly,
    /// A target near it was.
    Nearly,
    /// Nothing is known: it moves with the code that refers to it.
    Not,
}

/// A piece of a copy: a reference, or up to the next position of the base that is divisible by 4.
#[derive(Debug, Clone, Copy)]
pub(super) struct Token {
    /// Position in the base.
    pub(super) from: u64,
    /// Bytes, 1 to 4.
    pub(super) size: usize,
    /// Its bytes in the base, little endian, 0 beyond `size`.
    pub(super) old: u32,
    /// What it refers with.
    pub(super) field: Field,
    /// What it will be; `old` without a reference.
    pub(super) predicted: u32,
    /// How `predicted` came about.
    pub(super) known: Known,
    /// Position in the base that is referred to.
    target: i64,
}

/// What an operation copies.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch {
    /// Position in the base, inside which it lies.
    pub(super) from: u64,
    /// Position in the target.
    pub(super) to: u64,
    /// Bytes.
    pub(super) count: usize,
}

/// The moves seen so far in a segment.
pub(super) struct References {
    machine: Machine,
    base_size: u64,
    shifts: Shifts,
    arm64: arm64::Pages,
    pairs: Pairs,
    literal_pools: LiteralPools,
    tables: Tables,
}

impl References {
    pub(super) fn new(machine: Machine, base_size: u64) -> Self {
        Self {
            machine,
            base_size,
            shifts: Shifts::new(),
            arm64: arm64::Pages::default(),
            pairs: Pairs::default(),
            literal_pools: LiteralPools::new(),
            tables: Tables::default(),
        }
    }

    /// Copies bytes of the base, token by token.
    ///
    /// * `decide`: what the token is in the output.
    ///
    /// # Errors
    /// Those of `decide`, and [`CodecError::Base`].
    pub(super) fn copy<B: Read + Seek>(
        &mut self,
        base: &mut Window<'_, B>,
        Stretch { from, to, count }: Stretch,
        out: &mut Vec<u8>,
        mut decide: impl FnMut(&Token) -> Result<u32, CodecError>,
    ) -> Result<(), CodecError> {
        let mut at = 0;
        while at < count {
            let done = at as u64;
            let left = count - at;
            let around = base.around(from + done, left)?;
            let token = self.token(around, from + done, to + done, left);
            let new = decide(&token)?;
            out.extend_from_slice(&new.to_le_bytes()[..token.size]);
            self.learn(&token, new, to + done);
            at += token.size;
        }
        Ok(())
    }

    /// The token at `from`, at most `left` bytes.
    fn token(&mut self, around: &Around, from: u64, to: u64, left: usize) -> Token {
        let size = (4 - (from & 3) as usize).min(left);
        let mut token = Token {
            from,
            size,
            old: window::word(around, 0),
            field: Field::None,
            predicted: 0,
            known: Known::Not,
            target: 0,
        };
        match self.machine {
            Machine::Arm64 if size == 4 && to & 3 == 0 => self.arm64(&mut token, around, to),
            Machine::X86 => self.x86(&mut token, around, to, left),
            Machine::A32 if size == 4 && to & 3 == 0 => self.a32(&mut token, around, to),
            Machine::T32 => self.t32(&mut token, around, to, left),
            Machine::RiscV => self.riscv(&mut token, around, to, left),
            Machine::Tables if size == 4 => self.table(&mut token),
            Machine::None | Machine::Arm64 | Machine::A32 | Machine::Tables => {}
        }
        if token.size < 4 {
            token.old &= (1 << (8 * token.size)) - 1;
        }
        if token.field == Field::None {
            token.predicted = token.old;
        }
        token
    }

    /// Where `target` is now, if it is referred to from `from`, which is now at `to`.
    #[inline]
    fn moved(&self, target: i64, from: u64, to: u64) -> (i64, Known) {
        let key = target.cast_unsigned();
        if let Some(shift) = self.shifts.exact(key) {
            (target + i64::from(shift), Known::Exactly)
        } else if let Some(shift) = self.shifts.near(key) {
            (target + i64::from(shift), Known::Nearly)
        } else {
            (target + to.cast_signed() - from.cast_signed(), Known::Not)
        }
    }

    /// Whether a position is one of the base.
    #[inline]
    const fn is_inside(&self, target: i64) -> bool {
        target >= 0 && target.cast_unsigned() < self.base_size
    }

    /// Makes a token a reference, and tells where its target is now.
    ///
    /// * `moves`: from where to where it is moved as long as nothing is known of its target.
    #[inline]
    fn refer(&self, token: &mut Token, field: Field, target: i64, moves: (u64, u64)) -> i64 {
        let (now, known) = self.moved(target, moves.0, moves.1);
        token.field = field;
        token.target = target;
        token.known = known;
        now
    }

    /// Learns from a token that is `new` in the output at `to`.
    #[inline]
    fn learn(&mut self, token: &Token, new: u32, to: u64) {
        if token.field == Field::None {
            return;
        }
        let now = match self.machine {
            Machine::None => None,
            Machine::Arm64 => self.arm64.learn(token.field, new, to),
            Machine::X86 => Some(x86::target(new, to)),
            Machine::A32 => self.learn_a32(token, new, to),
            Machine::T32 => self.learn_t32(token, new, to),
            Machine::RiscV => self.learn_riscv(token.field, new, to),
            Machine::Tables => return self.learn_table(token, new),
        };
        if let Some(now) = now {
            self.shifts
                .learn(token.target.cast_unsigned(), now - token.target);
        }
    }
}
