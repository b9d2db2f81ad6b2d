//! The passcode policy, and what a passcode that meets it is worth at most.
//!
//! The floor is the paper's (section "Security", passcodes): 8 characters of printable ASCII with
//! an upper-case letter, a lower-case letter, a digit, a special character and four more. The paper
//! counts them as `26^2 * 10 * 33 * 95^4 * 8!/4!` = 3.05e16, which counts most of them several
//! times and exceeds all 8-character strings there are (`95^8` = 6.63e15). Counted once each there
//! are [`CONFORMING_AT_FLOOR`] = 3.03e15, or 51.4 bits; hence 12 characters are recommended (78
//! bits).

use std::fmt;

/// Fewest characters: one of each class and four more.
pub const PASSCODE_CHARS_MIN: usize = 8;

/// Characters from which [`Strength::is_recommended`] answers yes.
pub const PASSCODE_CHARS_RECOMMENDED: usize = 12;

/// Most characters: far beyond the 256 bits of the key derived from it.
pub const PASSCODE_CHARS_MAX: usize = 128;

/// Passcodes of exactly 8 characters that meet the policy, by inclusion and exclusion: about
/// 2^51.4.
pub const CONFORMING_AT_FLOOR: u64 = 3_025_989_069_143_040;

/// Printable ASCII, space included.
const ALPHABET: f64 = 95.0;

/// Sizes of the classes that must each occur: upper, lower, digit, special.
const CLASSES: [f64; 4] = [26.0, 26.0, 10.0, 33.0];

/// A rule of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// Only printable ASCII: the same bytes from every keyboard and operating system.
    Alphabet,
    /// At least one of `0-9`.
    Digit,
    /// At least one of `a-z`.
    LowerCase,
    /// At most [`PASSCODE_CHARS_MAX`] characters.
    NotTooLong,
    /// At least [`PASSCODE_CHARS_MIN`] characters.
    NotTooShort,
    /// At least one of the 33 printable characters that are no letter or digit; space counts.
    Special,
    /// At least one of `A-Z`.
    UpperCase,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Alphabet => f.write_str("only printable ASCII characters"),
            Self::Digit => f.write_str("a digit"),
            Self::LowerCase => f.write_str("a lower-case letter"),
            Self::NotTooLong => write!(f, "at most {PASSCODE_CHARS_MAX} characters"),
            Self::NotTooShort => write!(f, "at least {PASSCODE_CHARS_MIN} characters"),
            Self::Special => f.write_str("a special character"),
            Self::UpperCase => f.write_str("an upper-case letter"),
        }
    }
}

/// The passcode breaks the policy. Holds the rules, never the passcode.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("passcode needs {}", list(missing))]
pub struct PasscodePolicyError {
    /// Every rule that isn't met, at least one, in order.
    pub missing: Vec<Rule>,
}

fn list(rules: &[Rule]) -> String {
    rules
        .iter()
        .map(Rule::to_string)
        .collect::<Vec<_>>()
        .join(", ")
}

/// What a conforming passcode is worth.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Strength {
    bits: f64,
    is_recommended: bool,
}

impl Strength {
    /// Returns log2 of the number of conforming passcodes of this length, 51.4 or more. This is
    /// what one drawn at random is worth; one thought up by a person is worth far less.
    pub const fn bits(self) -> f64 {
        self.bits
    }

    /// Returns whether it has [`PASSCODE_CHARS_RECOMMENDED`] characters or more.
    pub const fn is_recommended(self) -> bool {
        self.is_recommended
    }
}

/// Checks a passcode against the policy.
///
/// # Errors
/// [`PasscodePolicyError`] with every rule that isn't met.
pub fn check(passcode: &str) -> Result<Strength, PasscodePolicyError> {
    let length = passcode.chars().count();
    let has = |class: fn(&u8) -> bool| passcode.bytes().any(|byte| class(&byte));
    let rules = [
        (
            Rule::Alphabet,
            passcode.bytes().all(|byte| matches!(byte, b' '..=b'~')),
        ),
        (Rule::Digit, has(u8::is_ascii_digit)),
        (Rule::LowerCase, has(u8::is_ascii_lowercase)),
        (Rule::NotTooLong, length <= PASSCODE_CHARS_MAX),
        (Rule::NotTooShort, length >= PASSCODE_CHARS_MIN),
        (
            Rule::Special,
            has(|byte| *byte == b' ' || byte.is_ascii_punctuation()),
        ),
        (Rule::UpperCase, has(u8::is_ascii_uppercase)),
    ];
    let missing: Vec<Rule> = rules
        .iter()
        .filter(|(_, met)| !met)
        .map(|(rule, _)| *rule)
        .collect();
    if !missing.is_empty() {
        return Err(PasscodePolicyError { missing });
    }
    let is_recommended = length >= PASSCODE_CHARS_RECOMMENDED;
    Ok(Strength {
        bits: conforming(length).log2(),
        is_recommended,
    })
}

/// Counts the strings of `length` characters in which every class occurs: the sum over all sets of
/// classes of `(-1)^|set| * (95 - characters of the set)^length`.
fn conforming(length: usize) -> f64 {
    // At 128 characters 95^n is 1.4e253, still a finite f64.
    let exponent = i32::try_from(length).unwrap_or(i32::MAX);
    (0..1_u8 << CLASSES.len())
        .map(|set| {
            let absent = (0_u8..)
                .zip(CLASSES)
                .filter(|(index, _)| set >> index & 1 == 1);
            let alphabet = absent.fold(ALPHABET, |left, (_, size)| left - size);
            let sign = if set.count_ones() % 2 == 0 { 1.0 } else { -1.0 };
            sign * alphabet.powi(exponent)
        })
        .sum()
}

#[cfg(test)]
mod tests;
