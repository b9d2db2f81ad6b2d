//! What was looked at, and what came of it.

use std::fmt;

use cli::Exit;
use serde::{Serialize, Serializer};

/// What came of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It holds.
    Ok,
    /// It doesn't.
    Fail,
    /// Nothing shows it.
    NotShown,
}

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Ok => "OK",
            Self::Fail => "FAIL",
            Self::NotShown => "NOT SHOWN",
        })
    }
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One line of the result.
#[derive(Clone, Debug, Serialize)]
pub struct Finding {
    /// The rule, such as `log/consistency`.
    pub rule: &'static str,
    /// What came of it.
    pub status: Status,
    /// What was found, for people.
    pub text: String,
    /// The file at fault, in the pack.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<&'static str>,
    /// How the program ends because of it.
    #[serde(skip)]
    pub exit: Exit,
}

impl Finding {
    /// It holds.
    pub fn ok(rule: &'static str, text: impl fmt::Display) -> Self {
        Self::new(rule, Status::Ok, text, Exit::Done)
    }

    /// It doesn't hold.
    pub fn fail(rule: &'static str, text: impl fmt::Display, exit: Exit) -> Self {
        Self::new(rule, Status::Fail, text, exit)
    }

    /// Nothing shows it, and nobody has asked for it.
    pub fn not_shown(rule: &'static str, text: impl fmt::Display) -> Self {
        Self::new(rule, Status::NotShown, text, Exit::Done)
    }

    /// Nothing shows it, and it is demanded.
    pub fn missing(rule: &'static str, text: impl fmt::Display) -> Self {
        Self::new(rule, Status::NotShown, text, Exit::Undecided)
    }

    fn new(rule: &'static str, status: Status, text: impl fmt::Display, exit: Exit) -> Self {
        Self {
            rule,
            status,
            text: text.to_string(),
            file: None,
            fix: None,
            exit,
        }
    }

    /// Names the file at fault.
    #[must_use]
    pub fn of(mut self, file: impl fmt::Display) -> Self {
        self.file = Some(file.to_string());
        self
    }

    /// Says what to do about it.
    #[must_use]
    pub const fn fix(mut self, fix: &'static str) -> Self {
        self.fix = Some(fix);
        self
    }
}

/// How bad an end is: of several findings the worst decides.
const fn weight(exit: Exit) -> u8 {
    match exit {
        Exit::Done => 0,
        Exit::Undecided => 1,
        Exit::Quorum => 2,
        Exit::Stale => 3,
        Exit::Rollback => 4,
        Exit::Equivocation => 6,
        _ => 5,
    }
}

/// How the program ends after these findings.
pub fn exit_of(findings: &[Finding]) -> Exit {
    let exits = findings.iter().map(|finding| finding.exit);
    exits
        .max_by_key(|exit| weight(*exit))
        .unwrap_or(Exit::Undecided)
}
