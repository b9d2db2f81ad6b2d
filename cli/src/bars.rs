//! All bars on the terminal. They stand below each other, and what is said meanwhile stands above them.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use indicatif::{MultiProgress, ProgressBar};

#[cfg(test)]
mod tests;

/// Those on standard error.
pub(crate) static BARS: LazyLock<Bars> = LazyLock::new(|| Bars::on(MultiProgress::new()));

/// The bars of one terminal.
#[derive(Debug)]
pub(crate) struct Bars {
    drawn: MultiProgress,
    count: AtomicUsize,
}

impl Bars {
    fn on(drawn: MultiProgress) -> Self {
        Self {
            drawn,
            count: AtomicUsize::new(0),
        }
    }

    /// Adds a bar of `total` bytes.
    pub(crate) fn add(&self, total: u64) -> ProgressBar {
        self.count.fetch_add(1, Ordering::Relaxed);
        self.drawn.add(ProgressBar::new(total))
    }

    /// Takes away a bar that [`Bars::add`] has made.
    pub(crate) fn remove(&self, bar: &ProgressBar) {
        bar.finish_and_clear();
        self.drawn.remove(bar);
        self.count.fetch_sub(1, Ordering::Relaxed);
    }

    /// Says something while no bar is in the way.
    pub(crate) fn aside<T>(&self, speak: impl FnOnce() -> T) -> T {
        if self.count.load(Ordering::Relaxed) == 0 {
            return speak();
        }
        self.drawn.suspend(speak)
    }
}
