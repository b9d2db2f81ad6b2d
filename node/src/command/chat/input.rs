//! What is typed, and where what comes is shown: on a terminal beside each other.

use std::io::IsTerminal as _;

use cli::exit::Context as _;
use cli::output::printable;
use cli::{CliError, Exit, Output};
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::Validator;
use rustyline::{Editor, ExternalPrinter, Helper};
use serde_json::Value;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Lines that wait to be sent.
const LINES_MAX: usize = 16;
/// What stands in front of the line that is edited.
const PROMPT: &str = "> ";

/// Something was typed.
pub(super) enum Typed {
    /// A part of a line.
    Part,
    /// A whole line.
    Line(String),
}

/// Where what comes is shown.
pub(super) struct Screen {
    output: Output,
    /// Above the line that is edited, if one is.
    above: Option<Box<dyn ExternalPrinter + Send>>,
}

impl Screen {
    /// Shows a result: `text` for people, `value` for programs.
    ///
    /// # Errors
    /// [`CliError`].
    pub(super) fn show(&mut self, value: &Value, text: &str) -> Result<(), CliError> {
        if self.output.json || self.above.is_none() {
            return self.output.result(value, text);
        }
        self.print(text)
    }

    /// Tells people something.
    ///
    /// # Errors
    /// [`CliError`].
    pub(super) fn note(&mut self, text: &str) -> Result<(), CliError> {
        if self.output.json || self.above.is_none() {
            self.output.note(text);
            return Ok(());
        }
        self.print(text)
    }

    fn print(&mut self, text: &str) -> Result<(), CliError> {
        let Some(above) = &mut self.above else {
            return Ok(());
        };
        let printed = above.print(format!("{}\n", printable(text)));
        printed.context(Exit::No, "terminal")
    }
}

/// Begins to read, in a thread of its own.
///
/// # Errors
/// [`CliError`] if there is a terminal that can't be used.
pub(super) fn open(output: Output) -> Result<(Receiver<Typed>, Screen), CliError> {
    let (sender, typed) = channel(LINES_MAX);
    if !(std::io::stdin().is_terminal() && std::io::stdout().is_terminal()) {
        std::thread::spawn(move || read_lines(&sender));
        let above = None;
        return Ok((typed, Screen { output, above }));
    }
    output.note("type a line and Enter; end with Ctrl-D");
    let mut editor: Editor<Watcher, DefaultHistory> =
        Editor::new().context(Exit::No, "terminal")?;
    editor.set_helper(Some(Watcher(sender.clone())));
    let above = editor.create_external_printer();
    let above: Box<dyn ExternalPrinter + Send> = Box::new(above.context(Exit::No, "terminal")?);
    std::thread::spawn(move || edit_lines(&mut editor, &sender));
    let above = Some(above);
    Ok((typed, Screen { output, above }))
}

fn read_lines(sender: &Sender<Typed>) {
    for line in std::io::stdin().lines().map_while(Result::ok) {
        if sender.blocking_send(Typed::Line(line)).is_err() {
            return;
        }
    }
}

fn edit_lines(editor: &mut Editor<Watcher, DefaultHistory>, sender: &Sender<Typed>) {
    loop {
        match editor.readline(PROMPT) {
            Ok(line) => {
                if sender.blocking_send(Typed::Line(line)).is_err() {
                    return;
                }
            }
            Err(ReadlineError::Eof | ReadlineError::Interrupted) => return,
            Err(error) => return tracing::error!(%error, "the terminal can't be read"),
        }
    }
}

/// Hears of each key: the editor asks it for hints, of which it has none.
struct Watcher(Sender<Typed>);

impl Hinter for Watcher {
    type Hint = String;

    fn hint(&self, line: &str, _: usize, _: &rustyline::Context<'_>) -> Option<String> {
        if !line.is_empty() {
            // A full queue knows already.
            drop(self.0.try_send(Typed::Part));
        }
        None
    }
}

impl Completer for Watcher {
    type Candidate = String;
}

impl Highlighter for Watcher {}
impl Validator for Watcher {}
impl Helper for Watcher {}
