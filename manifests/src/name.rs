//! Names that become file names, role names and identifiers: one alphabet, no surprises.

use std::fmt;

use crate::limits::NAME_BYTES_MAX;

/// A product, channel, hardware id, role or flat target name: 1 to 128 characters of
/// `A-Z a-z 0-9 . _ -`, the first a letter or digit. Never a path, safe as a file name (M22).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(String);

/// The text is not a [`Name`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} is not a name: use 1 to 128 letters, digits, `.`, `_` and `-`, the first a letter or digit"
)]
pub struct NameError {
    /// The text, shortened.
    pub text: String,
}

impl Name {
    /// Parses a name.
    ///
    /// # Errors
    /// [`NameError`] for any other character, an empty or an overlong text.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let first = text
            .bytes()
            .next()
            .is_some_and(|byte| byte.is_ascii_alphanumeric());
        let rest = text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
        if !first || !rest || text.len() > NAME_BYTES_MAX {
            return Err(NameError {
                text: text.chars().take(40).collect(),
            });
        }
        Ok(Self(text.to_owned()))
    }

    /// The name's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::str::FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_flat_names() {
        for text in ["a", "acme-cam-1.4.2.bin", "R3_b", "9"] {
            assert_eq!(Name::parse(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn rejects_names_that_leave_the_folder_m22() {
        let long = "a".repeat(129);
        for text in [
            "", ".", "..", "../x", "/x", "a/b", "a\\b", "a%2fb", "a\0", "é", " a", "-a", &long,
        ] {
            assert!(Name::parse(text).is_err(), "{text}");
        }
    }
}
