//! A logarithmic axis: where a value stands, which values are marked, how they read.

/// Values at a mark, times a power of ten.
const STEPS: [f64; 3] = [1.0, 2.0, 5.0];
/// The same where those are too few.
const FINE_STEPS: [f64; 6] = [1.0, 2.0, 3.0, 4.0, 5.0, 7.0];
/// Fewer marks than this say little.
const MARKS_MIN: usize = 4;
/// More marks than this crowd an axis.
const MARKS_MAX: usize = 6;

/// From a range of values to a range of pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// A scale for `values`, with room on both sides. Values must be positive.
    pub(super) fn of(values: impl Iterator<Item = f64>, (from, to): (f64, f64)) -> Self {
        let (low, high) = values.fold((f64::INFINITY, 0.0), |(low, high): (f64, f64), value| {
            (low.min(value), high.max(value))
        });
        let room = (high / low).powf(0.12).max(1.3);
        Self {
            low: low / room,
            high: high * room,
            from,
            to,
        }
    }

    /// The pixel of a value.
    pub(super) fn at(&self, value: f64) -> f64 {
        let share = (value / self.low).ln() / (self.high / self.low).ln();
        self.from + share * (self.to - self.from)
    }

    /// Values to mark.
    pub(super) fn marks(&self) -> Vec<f64> {
        let decades = self.low.log10().floor() as i32..=self.high.log10().ceil() as i32;
        let marks = |steps: &[f64]| -> Vec<f64> {
            let all = decades.clone().flat_map(|decade| {
                let mark = move |step: &f64| step * 10f64.powi(decade);
                steps.iter().map(mark).collect::<Vec<_>>()
            });
            all.filter(|value| (self.low..=self.high).contains(value))
                .collect()
        };
        match marks(&STEPS) {
            many if many.len() > MARKS_MAX => marks(&STEPS[..1]),
            few if few.len() < MARKS_MIN => marks(&FINE_STEPS),
            enough => enough,
        }
    }
}

/// A number of bytes with its unit, for axes and tables.
pub(super) fn bytes(value: f64) -> String {
    match value {
        _ if value >= 1e6 => format!("{} MB", short(value / 1e6)),
        _ if value >= 1e3 => format!("{} kB", short(value / 1e3)),
        _ => format!("{} B", short(value)),
    }
}

/// Seconds with their unit, for axes.
pub(super) fn seconds(value: f64) -> String {
    if value < 0.9999 {
        format!("{} ms", short(value * 1e3))
    } else {
        format!("{} s", short(value))
    }
}

/// Two digits at least, and no more decimals than they take.
fn short(value: f64) -> String {
    if value >= 9.95 || (value - value.round()).abs() < 1e-6 {
        format!("{value:.0}")
    } else {
        format!("{value:.1}")
    }
}
