//! Tests of several bars on one screen.

use std::io;
use std::sync::{Arc, Mutex};

use indicatif::{MultiProgress, ProgressDrawTarget, ProgressStyle, TermLike};

use super::Bars;

/// Columns; what is longer goes on in the next line.
const WIDTH: u16 = 60;

/// What a terminal would show.
#[derive(Debug, Default)]
struct Screen {
    lines: Vec<String>,
    row: usize,
    column: usize,
}

impl Screen {
    fn put(&mut self, text: &str) {
        for character in text.chars() {
            if character == '\n' {
                (self.row, self.column) = (self.row + 1, 0);
                continue;
            }
            if self.column == usize::from(WIDTH) {
                (self.row, self.column) = (self.row + 1, 0);
            }
            if self.lines.len() <= self.row {
                self.lines.resize(self.row + 1, String::new());
            }
            let line = &mut self.lines[self.row];
            let mut characters: Vec<char> = line.chars().collect();
            characters.resize(characters.len().max(self.column + 1), ' ');
            characters[self.column] = character;
            *line = characters.into_iter().collect();
            self.column += 1;
        }
    }
}

#[derive(Clone, Debug, Default)]
struct Terminal(Arc<Mutex<Screen>>);

impl Terminal {
    fn change(&self, change: impl FnOnce(&mut Screen)) -> io::Result<()> {
        change(&mut self.0.lock().unwrap());
        Ok(())
    }

    /// Lines that aren't empty.
    fn shown(&self) -> Vec<String> {
        let screen = self.0.lock().unwrap();
        let lines = screen.lines.iter().map(|line| line.trim_end().to_owned());
        lines.filter(|line| !line.is_empty()).collect()
    }
}

impl TermLike for Terminal {
    fn width(&self) -> u16 {
        WIDTH
    }

    fn move_cursor_up(&self, n: usize) -> io::Result<()> {
        self.change(|screen| screen.row = screen.row.saturating_sub(n))
    }

    fn move_cursor_down(&self, n: usize) -> io::Result<()> {
        self.change(|screen| screen.row += n)
    }

    fn move_cursor_right(&self, n: usize) -> io::Result<()> {
        self.change(|screen| screen.column += n)
    }

    fn move_cursor_left(&self, n: usize) -> io::Result<()> {
        self.change(|screen| screen.column = screen.column.saturating_sub(n))
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.change(|screen| screen.put(&format!("{text}\n")))
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.change(|screen| screen.put(text))
    }

    fn clear_line(&self) -> io::Result<()> {
        self.change(|screen| {
            screen.column = 0;
            let row = screen.row;
            if let Some(line) = screen.lines.get_mut(row) {
                line.clear();
            }
        })
    }

    fn flush(&self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn several_bars_have_a_line_each_and_words_stand_above_them() {
    let terminal = Terminal::default();
    let target = ProgressDrawTarget::term_like(Box::new(terminal.clone()));
    let bars = Bars::on(MultiProgress::with_draw_target(target));
    let [first, second] = ["first", "second"].map(|label| {
        let bar = bars.add(10);
        bar.set_style(ProgressStyle::with_template("{msg} {pos} of {len}").unwrap());
        bar.set_message(label);
        bar
    });
    for done in 0..=5 {
        first.set_position(done);
        second.set_position(done * 2);
        first.tick();
        second.tick();
    }
    assert_eq!(terminal.shown(), ["first 5 of 10", "second 10 of 10"]);
    bars.aside(|| terminal.write_line("a note").unwrap());
    assert_eq!(
        terminal.shown(),
        ["a note", "first 5 of 10", "second 10 of 10"]
    );
    bars.remove(&first);
    second.tick();
    assert_eq!(terminal.shown(), ["a note", "second 10 of 10"]);
    bars.remove(&second);
    assert_eq!(terminal.shown(), ["a note"]);
    bars.aside(|| terminal.write_line("the end").unwrap());
    assert_eq!(terminal.shown(), ["a note", "the end"]);
}
