//! Probabilities and their logits, in integers alone, so that every machine computes the same.
//!
//! Probabilities are in units of 2^-16, logits `ln(p / (1 - p))` in units of 1/256, within ±[`LOGIT_MAX`].

#![cfg_attr(
    not(test),
    expect(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::indexing_slicing,
        reason = "logits are clamped before they index, tables are computed at build time"
    )
)]

/// Largest logit, 8 nats.
pub(super) const LOGIT_MAX: i32 = 2047;

/// 65536 / (1 + e^-x) at x = -8, -7.75 … 8, rounded.
const POINTS: [u16; 65] = [
    22, 28, 36, 47, 60, 77, 98, 126, 162, 208, 267, 342, 439, 562, 720, 922, 1179, 1506, 1921,
    2446, 3108, 3938, 4971, 6249, 7812, 9702, 11955, 14595, 17625, 21025, 24743, 28693, 32768,
    36843, 40793, 44511, 47911, 50941, 53581, 55834, 57724, 59287, 60565, 61598, 62428, 63090,
    63615, 64030, 64357, 64614, 64816, 64974, 65097, 65194, 65269, 65328, 65374, 65410, 65438,
    65459, 65476, 65489, 65500, 65508, 65514,
];

/// [`POINTS`], linear in between.
const fn interpolate(logit: i32) -> u16 {
    let place = (logit + 2048) as usize;
    let (index, part) = (place / 64, (place % 64) as u32);
    let (before, after) = (POINTS[index] as u32, POINTS[index + 1] as u32);
    (before + (after - before) * part / 64) as u16
}

static PROBABILITIES: [u16; 4096] = {
    let mut table = [0; 4096];
    let mut place = 0;
    while place < 4096 {
        table[place] = interpolate(place as i32 - 2048);
        place += 1;
    }
    table
};

/// For each value of the upper 12 bits, the first logit whose probability reaches the middle.
static LOGITS: [i16; 4096] = {
    let mut table = [0; 4096];
    let (mut place, mut logit) = (0, -LOGIT_MAX);
    while place < 4096 {
        while logit < LOGIT_MAX && (interpolate(logit) as usize) < place * 16 + 8 {
            logit += 1;
        }
        table[place] = logit as i16;
        place += 1;
    }
    table
};

/// Probability of a logit within ±[`LOGIT_MAX`]: 22 to 65513.
#[inline]
pub(super) fn probability(logit: i32) -> u16 {
    PROBABILITIES[(logit + 2048) as usize & 4095]
}

/// Logit of the upper 12 bits of a probability.
#[inline]
pub(super) fn logit(upper: u16) -> i16 {
    LOGITS[usize::from(upper) & 4095]
}
