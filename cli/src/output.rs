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
            tame(&encoded.map_err(|error| CliError::from_error(Exit::No, "output", &error))?)
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
            if writeln!(io::stdout().lock(), "{}", tame(&value.to_string())).is_err() {
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
pub fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for letter in text.chars() {
        if letter == '\n' || !is_obeyed(letter) {
            printable.push(letter);
        } else {
            printable.extend(letter.escape_default());
        }
    }
    printable
}

/// JSON with the same characters escaped: they stand in strings alone (threats L99).
fn tame(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for letter in json.chars() {
        if is_obeyed(letter) {
            let mut units = [0; 2];
            let units = letter.encode_utf16(&mut units);
            escaped.extend(units.iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            escaped.push(letter);
        }
    }
    escaped
}

/// Whether a terminal acts on a character, or shows others because of it in another order or not at all.
fn is_obeyed(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_escapes_of_strangers_are_shown_not_obeyed_q96() {
        assert_eq!(printable("a\u{1b}[2J\tb\nc\r"), "a\\u{1b}[2J\\tb\nc\\r");
    }

    #[test]
    fn names_of_strangers_are_escaped_in_json_and_mean_the_same_l99() {
        let name = "x\u{1b}[2J\u{9b}\u{202e}\u{e0041}\"\\ \u{e9}\u{1f600}";
        let value = serde_json::json!({ name: [name] });
        let text = tame(&value.to_string());
        assert!(!text.chars().any(is_obeyed), "{text:?}");
        assert!(text.contains("\\u202e") && text.contains("\u{e9}\u{1f600}"));
        assert_eq!(
            serde_json::from_str::<serde_json::Value>(&text).unwrap(),
            value
        );
    }
}
