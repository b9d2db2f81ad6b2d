//! How much is known of a build. A grade is never raised: what isn't shown doesn't count.

use std::fmt;
use std::str::FromStr;

/// Who says what an image was built from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grade {
    /// Nobody.
    #[default]
    None,
    /// The publisher's own builder.
    B1,
    /// Independent rebuilders came to the same bytes.
    B3,
}

/// No grade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("none, B1 (the publisher's builder says so) or B3 (others came to the same bytes)")]
pub struct GradeError;

impl Grade {
    /// What it means, in words.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::None => "nobody says what it was built from",
            Self::B1 => "the publisher's own builder says so",
            Self::B3 => "independent rebuilders came to the same bytes",
        }
    }
}

impl fmt::Display for Grade {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::None => "none",
            Self::B1 => "B1",
            Self::B3 => "B3",
        })
    }
}

impl FromStr for Grade {
    type Err = GradeError;

    fn from_str(text: &str) -> Result<Self, GradeError> {
        match text {
            "none" => Ok(Self::None),
            "B1" => Ok(Self::B1),
            "B3" => Ok(Self::B3),
            _ => Err(GradeError),
        }
    }
}
