//! What the demo shows while it runs: a line per device on a terminal, plain lines elsewhere.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// The bars.
#[derive(Debug)]
pub(super) struct Progress {
    bars: Option<MultiProgress>,
    step: Option<ProgressBar>,
}

impl Progress {
    pub(super) fn new() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self {
                bars: None,
                step: None,
            };
        }
        let bars = MultiProgress::new();
        let step = bars.add(ProgressBar::new_spinner());
        step.enable_steady_tick(Duration::from_millis(120));
        Self {
            bars: Some(bars),
            step: Some(step),
        }
    }

    /// Says what the demo does now.
    pub(super) fn step(&self, text: &str) {
        match &self.step {
            Some(step) => step.set_message(text.to_owned()),
            None => eprintln!("demo: {text}"),
        }
    }

    /// Adds a line for a device; `steps` are its milestones.
    pub(super) fn line(&self, name: &str, steps: u64) -> Option<ProgressBar> {
        let bars = self.bars.as_ref()?;
        let style = ProgressStyle::with_template("  {prefix:<8} {bar:24} {msg}");
        let bar = bars.add(ProgressBar::new(steps));
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_prefix(name.to_owned());
        Some(bar)
    }

    pub(super) fn finish(&self) {
        if let Some(bars) = &self.bars {
            drop(bars.clear());
        }
    }
}
