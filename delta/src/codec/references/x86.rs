//! x86-64: displacements of 32 bits from the next instruction. Encodings: Intel SDM volume 2, 2.1 and 2.2.1.6.

#![cfg_attr(
    not(test),
    expect(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        reason = "positions are below 2^41, displacements have 32 bits"
    )
)]

use super::{
    Field, References, Token,
    window::{Around, byte_before, word},
};

/// Where a displacement at `at` leads. Immediates behind it are left out: they shift all references to a
/// place alike, or nearly so.
pub(super) const fn target(displacement: u32, at: u64) -> i64 {
    at.cast_signed() + 4 + displacement.cast_signed() as i64
}

/// Whether the bytes before are those of an instruction with a displacement here.
#[inline]
const fn is_displacement([third, second, first]: [u8; 3]) -> bool {
    match (second, first) {
        // CALL, JMP
        (_, 0xe8 | 0xe9) => true,
        // Jcc
        (0x0f, 0x80..=0x8f) => true,
        // mod = 00, r/m = 101: relative to the instruction pointer.
        (opcode, modrm) if modrm & 0xc7 == 5 => {
            third == 0x0f
                || matches!(
                    opcode,
                    0x03 | 0x0b
                        | 0x23
                        | 0x2b
                        | 0x33
                        | 0x38
                        | 0x39
                        | 0x3a
                        | 0x3b
                        | 0x63
                        | 0x80
                        | 0x81
                        | 0x83
                        ..=0x85 | 0x89 | 0x8b | 0x8d | 0xc6 | 0xc7 | 0xf6 | 0xf7 | 0xff
                )
        }
        _ => false,
    }
}

impl References {
    /// Predicts a displacement, or ends the token before the next one.
    #[inline]
    pub(super) fn x86(&self, token: &mut Token, around: &Around, to: u64, left: usize) {
        let bytes = [3, 2, 1].map(|back| byte_before(around, back));
        let [first, second, third, _] = token.old.to_le_bytes();
        let line = [bytes[0], bytes[1], bytes[2], first, second, third];
        for skip in 0..token.size {
            let old = word(around, skip);
            let before = [line[skip], line[skip + 1], line[skip + 2]];
            if skip + 4 > left || !is_displacement(before) || !matches!(old >> 24, 0 | 0xff) {
                continue;
            }
            let at = token.from + skip as u64;
            let target = target(old, at);
            if !self.is_inside(target) {
                continue;
            }
            if skip > 0 {
                token.size = skip;
                return;
            }
            let (now, known) = self.moved(target, token.from, to);
            token.size = 4;
            token.field = Field::Displacement;
            token.target = target;
            token.known = known;
            token.predicted = (now - to.cast_signed() - 4) as u32;
            return;
        }
    }
}
