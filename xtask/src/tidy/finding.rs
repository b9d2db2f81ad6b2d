//! One broken rule: where, which rule, what is wrong, what to do.

use std::fmt;

/// Ordered by place, so that a report reads file by file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    pub(crate) file: String,
    /// `None` if the rule is about the file as a whole.
    pub(crate) line: Option<usize>,
    pub(crate) rule: &'static str,
    pub(crate) message: String,
    pub(crate) fix: String,
}

impl Finding {
    /// A finding about a whole file.
    pub(crate) fn file(
        rule: &'static str,
        file: &str,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
            rule,
            message: message.into(),
            fix: fix.into(),
        }
    }

    /// The same finding, at a line (1-based).
    pub(crate) fn at(mut self, line: usize) -> Self {
        self.line = Some(line);
        self
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}: {}; fix: {}", self.rule, self.message, self.fix)
    }
}
