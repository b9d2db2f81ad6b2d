//! 32-byte digests in lower-case hex, kept apart by algorithm.

use std::fmt;

use sha2::Digest as _;

/// A SHA-256 digest (FIPS 180-4): TUF's `hashes.sha256`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256([u8; 32]);

/// A BLAKE3 hash, the root of the content's chunk tree: our content address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Blake3([u8; 32]);

/// The text is not 64 lower-case hex digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("digest is not 64 lower-case hex digits")]
pub struct DigestError;

fn parse_hex(text: &str) -> Result<[u8; 32], DigestError> {
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Err(DigestError);
    }
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| DigestError)?;
    Ok(bytes)
}

macro_rules! digest {
    ($name:ident) => {
        impl $name {
            /// Wraps digest bytes.
            pub const fn new(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The digest's bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// Parses 64 lower-case hex digits.
            ///
            /// # Errors
            /// [`DigestError`] for anything else.
            pub fn parse(text: &str) -> Result<Self, DigestError> {
                parse_hex(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&hex::encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(formatter, "{}({self})", stringify!($name))
            }
        }
    };
}

digest!(Sha256);
digest!(Blake3);

impl Sha256 {
    /// Hashes bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sha256_matches_fips_180_4() {
        let digest = Sha256::of(b"abc");
        let text = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(digest.to_string(), text);
        assert_eq!(Sha256::parse(text), Ok(digest));
    }

    #[test]
    fn rejects_other_spellings() {
        let upper = "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD";
        for text in [upper, "", "ab", &"g".repeat(64), &"a".repeat(66)] {
            assert_eq!(Blake3::parse(text), Err(DigestError));
        }
    }
}
