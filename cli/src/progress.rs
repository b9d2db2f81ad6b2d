//! Progress of long work: a bar on a terminal, a plain line now and then elsewhere. Several jobs at once
//! have a bar each.

use std::io::{self, IsTerminal as _};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use crate::bars::BARS;
use crate::human;
use crate::output::Output;

/// Between two plain lines.
const LINE_INTERVAL: Duration = Duration::from_secs(5);

/// Progress of one job counted in bytes.
#[derive(Debug)]
pub struct Progress {
    output: Output,
    label: String,
    total: u64,
    bar: Option<ProgressBar>,
    last_line: Mutex<Instant>,
}

impl Progress {
    /// Starts a job of `total` bytes.
    pub fn start(output: Output, label: impl Into<String>, total: u64) -> Self {
        let label = label.into();
        let bar = (io::stderr().is_terminal() && !output.quiet).then(|| {
            let template = "{msg:<24} {bar:30} {bytes:>10} of {total_bytes:<10} {bytes_per_sec}";
            let style = ProgressStyle::with_template(template)
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = BARS.add(total);
            bar.set_style(style);
            bar.set_message(label.clone());
            // Work may take long to its first byte; that it goes on is worth a line.
            bar.tick();
            bar
        });
        Self {
            output,
            label,
            total,
            bar,
            last_line: Mutex::new(Instant::now()),
        }
    }

    /// Says how many bytes are done.
    pub fn set(&self, done: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
            return;
        }
        let Ok(mut last) = self.last_line.lock() else {
            return;
        };
        if last.elapsed() >= LINE_INTERVAL {
            *last = Instant::now();
            drop(last);
            let (done, total) = (human::bytes(done), human::bytes(self.total));
            self.output
                .note(format_args!("{}: {done} of {total}", self.label));
        }
    }

    /// Ends the job.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// A job that ends with an error leaves no bar behind.
impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            BARS.remove(bar);
        }
    }
}
