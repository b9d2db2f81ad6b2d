//! Results on stdout, as text or JSON; everything else on stderr.

use std::fmt::Display;
use std::io::{self, Write as _};

use serde::Serialize;

use crate::bars::BARS;
use crate::exit::{CliError, Exit};

/// How a program speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Output {
    /// One JSON object per result instead of text.
    pub json: bool,
    /// No notes and no progress on stderr.
    pub quiet: bool,
}

impl Output {
    /// Prints a result: `text` for people, `value` for programs.
    ///
    /// # Errors
    /// [`CliError`] if stdout can't be written; a closed pipe is success (ripgrep's habit).
    pub fn result(&self, value: &impl Serialize, text: impl Display) -> Result<(), CliError> {
        let line = if self.json {
            let encoded = serde_json::to_string(value);
            encoded.map_err(|error| CliError::from_error(Exit::No, "output", &error))?
        } else {
            printable(&text.to_string())
        };
        let mut out = io::stdout().lock();
        match writeln!(out, "{}", line.trim_end_matches('\n')).and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(CliError::from_error(Exit::No, "standard output", &error))
            }
            _ => Ok(()),
        }
    }

    /// Tells people something on stderr. A closed stderr loses it.
    pub fn note(&self, text: impl Display) {
        let text = printable(&text.to_string());
        let write = || writeln!(io::stderr().lock(), "{text}");
        if !self.quiet && BARS.aside(write).is_err() {
            tracing::debug!("standard error is closed");
        }
    }

    /// Reports an error on stderr, as JSON on stdout too if asked for.
    pub fn error(&self, program: &str, error: &CliError) {
        if self.json {
            let value = serde_json::json!({
                "error": error.message(), "causes": error.causes(), "fix": error.fix(),
                "exit": error.exit as u8,
            });
            if writeln!(io::stdout().lock(), "{value}").is_err() {
                tracing::debug!("standard output is closed");
            }
        }
        let mut text = format!("{program}: {}", error.message());
        for cause in error.causes() {
            text.push_str("\n  caused by: ");
            text.push_str(cause);
        }
        if let Some(fix) = error.fix() {
            text.push_str("\n  fix: ");
            text.push_str(fix);
        }
        if writeln!(io::stderr().lock(), "{}", printable(&text)).is_err() {
            tracing::debug!("standard error is closed");
        }
    }
}

/// Text with characters escaped that a terminal acts on or that turn the order of others round, line
/// feeds apart: names and errors may quote what a stranger wrote (threats Q96).
fn printable(text: &str) -> String {
    let escape = |c: char| {
        let turns = matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}' | '\u{feff}');
        let plain = c == '\n' || !(c.is_control() || turns);
        let escaped = (!plain).then(|| c.escape_default().to_string());
        escaped.unwrap_or_else(|| c.to_string())
    };
    text.chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_escapes_of_strangers_are_shown_not_obeyed_q96() {
        assert_eq!(printable("a\u{1b}[2J\tb\nc\r"), "a\\u{1b}[2J\\tb\nc\\r");
    }
}
