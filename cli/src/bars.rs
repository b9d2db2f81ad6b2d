//! All bars on the terminal. They stand below each other, and what is said meanwhile stands above them.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use indicatif::{MultiProgress, ProgressBar};

/// Draws on standard error.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);
/// How many there are.
static COUNT: AtomicUsize = AtomicUsize::new(0);

/// Adds a bar of `total` bytes.
pub(crate) fn add(total: u64) -> ProgressBar {
    COUNT.fetch_add(1, Ordering::Relaxed);
    BARS.add(ProgressBar::new(total))
}

/// Takes away a bar that [`add`] has made.
pub(crate) fn remove(bar: &ProgressBar) {
    bar.finish_and_clear();
    BARS.remove(bar);
    COUNT.fetch_sub(1, Ordering::Relaxed);
}

/// Says something while no bar is in the way.
pub(crate) fn aside<T>(speak: impl FnOnce() -> T) -> T {
    if COUNT.load(Ordering::Relaxed) == 0 {
        return speak();
    }
    BARS.suspend(speak)
}
