//! Exit codes (DESIGN section 9) and the error that ends a program.

use std::error::Error;
use std::fmt;

/// Exit codes of all binaries. "Not valid" and "could not check" never share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Yes, done.
    Done = 0,
    /// Checked, and the answer is no.
    No = 1,
    /// Wrong usage or configuration.
    Usage = 2,
    /// Evidence is missing or a peer is unreachable: could not decide.
    Undecided = 3,
    /// Signed metadata is stale or expired.
    Stale = 4,
    /// Something older than what was seen was refused.
    Rollback = 5,
    /// Two signed views differ.
    Equivocation = 6,
    /// Too few signatures: of a role's keys, of witnesses.
    Quorum = 7,
    /// A key or HSM failed.
    Key = 8,
    /// Try again later.
    Retry = 21,
    /// Done; a reboot is needed to use it.
    Reboot = 40,
}

/// Why a program ends without success: what, where, and what to type next.
#[derive(Debug)]
pub struct CliError {
    /// The exit code.
    pub exit: Exit,
    message: String,
    causes: Vec<String>,
    hint: Option<String>,
}

impl CliError {
    /// An error with a message that names the file or thing and the rule.
    pub fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self {
            exit,
            message: message.to_string(),
            causes: Vec::new(),
            hint: None,
        }
    }

    /// An error from a lower one: its text and its chain of causes.
    pub fn from_error(exit: Exit, context: impl fmt::Display, error: &dyn Error) -> Self {
        let mut causes = vec![error.to_string()];
        let mut source = error.source();
        while let Some(cause) = source {
            // Transparent wrappers repeat their cause.
            if causes.last() != Some(&cause.to_string()) {
                causes.push(cause.to_string());
            }
            source = cause.source();
        }
        Self {
            exit,
            message: context.to_string(),
            causes,
            hint: None,
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl fmt::Display) -> Self {
        self.hint = Some(hint.to_string());
        self
    }

    /// Says in what it went wrong, such as a file.
    #[must_use]
    pub fn within(mut self, place: impl fmt::Display) -> Self {
        self.message = format!("{place}: {}", self.message);
        self
    }

    /// What went wrong.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Its causes, outermost first.
    pub fn causes(&self) -> &[String] {
        &self.causes
    }

    /// What to do about it.
    pub fn fix(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)?;
        for cause in &self.causes {
            write!(formatter, ": {cause}")?;
        }
        Ok(())
    }
}

impl Error for CliError {}

/// Gives an error a context and an exit code.
pub trait Context<T> {
    /// Wraps the error.
    ///
    /// # Errors
    /// The wrapped error.
    fn context(self, exit: Exit, context: impl fmt::Display) -> Result<T, CliError>;
}

impl<T, E: Error> Context<T> for Result<T, E> {
    fn context(self, exit: Exit, context: impl fmt::Display) -> Result<T, CliError> {
        self.map_err(|error| CliError::from_error(exit, context, &error))
    }
}
