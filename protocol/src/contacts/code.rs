//! Verification codes: two people who read the same digits to each other talk to nobody in between.

use std::fmt;

use keys::{Context, PublicKey};
use sha2::{Digest as _, Sha256};

/// Groups of five digits for each of the two keys: 99 bits.
const GROUPS: usize = 6;
/// Bytes of a group before it is written in digits; what remains of dividing by 100000 is even to one in 10^7.
const GROUP_BYTES: usize = 5;
const GROUP_MODULUS: u64 = 100_000;

/// Sixty digits, the same on both sides: thirty for each key, the smaller number first.
///
/// Who stands between two people needs a key with thirty given digits, for each of them: 2^99 tries. Were it
/// one number over both keys, two keys of one's own that meet would do: 2^49 tries for thirty digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerificationCode([[u32; GROUPS]; 2]);

impl VerificationCode {
    /// The code of two accounts.
    pub fn of(one: &PublicKey, other: &PublicKey) -> Self {
        let mut halves = [half(one), half(other)];
        halves.sort_unstable();
        Self(halves)
    }
}

/// Digits of one key: `SHA-256("streembit/code/1" ‖ key)`, five bytes for each group, big endian, modulo 100000.
fn half(key: &PublicKey) -> [u32; GROUPS] {
    let hash = Sha256::new()
        .chain_update(Context::VerificationCode.as_bytes())
        .chain_update(key.as_bytes())
        .finalize();
    let mut groups = [0; GROUPS];
    for (group, bytes) in groups.iter_mut().zip(hash.chunks_exact(GROUP_BYTES)) {
        let number = bytes
            .iter()
            .fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
        *group = u32::try_from(number % GROUP_MODULUS).unwrap_or_default();
    }
    groups
}

impl fmt::Display for VerificationCode {
    /// Three lines of four groups.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, group) in self.0.iter().flatten().enumerate() {
            let before = match index {
                0 => "",
                4 | 8 => "\n",
                _ => " ",
            };
            write!(formatter, "{before}{group:05}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use keys::{Algorithm, SigningKey};

    use super::*;

    fn key(seed: u8) -> PublicKey {
        let key = SigningKey::from_secret(Algorithm::P256, &[seed; 32]);
        key.unwrap().public()
    }

    #[test]
    fn both_sides_read_the_same() {
        let code = VerificationCode::of(&key(1), &key(2));
        assert_eq!(code, VerificationCode::of(&key(2), &key(1)));
        let text = code.to_string();
        assert_eq!(text.lines().count(), 3);
        assert_eq!(text.chars().filter(char::is_ascii_digit).count(), 60);
        assert_eq!(text.split_whitespace().count(), 12);
    }

    #[test]
    fn another_key_changes_half_of_it() {
        let [with_two, with_three] = [2, 3].map(|other| {
            let code = VerificationCode::of(&key(1), &key(other)).to_string();
            code.split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<_>>()
        });
        let common = with_two.iter().filter(|group| with_three.contains(group));
        assert_eq!(common.count(), GROUPS);
    }
}
