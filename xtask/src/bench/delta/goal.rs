//! What our patches are to reach, and whether they do. Numbers only.

use super::reference;
use super::results::{PairResult, Results};
use super::tool::Tool;

/// Share of the other's figure that ours may have at most, where it shall be clearly smaller.
const CLEARLY: f64 = 0.97;
/// Memory of a device that applies.
const APPLY_MEMORY: f64 = 16.0 * 1024.0 * 1024.0;

/// One goal.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Goal {
    pub(super) what: String,
    /// Ours as a share of the other's figure.
    pub(super) share: f64,
    /// The largest share that is good.
    pub(super) most: f64,
}

impl Goal {
    fn new(what: impl Into<String>, ours: f64, (other, most): (f64, f64)) -> Self {
        Self {
            what: what.into(),
            share: ours / other,
            most,
        }
    }

    pub(super) fn is_met(&self) -> bool {
        self.share <= self.most
    }
}

/// All goals that the results have figures for.
pub(super) fn goals(results: &Results) -> Vec<Goal> {
    let mut goals = Vec::new();
    for pair in &results.pairs {
        goals.extend(prototype(pair));
    }
    for pair in &results.pairs {
        goals.extend(hdiffz(pair));
    }
    for pair in &results.pairs {
        goals.extend(apply(pair));
    }
    goals.extend(memory(results));
    goals.extend(results.pair("kimg").and_then(|pair| {
        let other = pair.row(Tool::Bsdiff)?.create?.user_seconds;
        let what = "kimg: CPU to create by both coders against bsdiff";
        Some(Goal::new(what, pair.both?.user_seconds, (other, 1.0)))
    }));
    goals.extend(results.pair("upd").and_then(|pair| {
        let other = pair.row(Tool::Hdiffz)?.create?.user_seconds;
        let what = "upd: CPU to create by both coders against hdiffz";
        Some(Goal::new(what, pair.both?.user_seconds, (other, 4.0)))
    }));
    goals
}

/// Context mixing against the prototype.
fn prototype(pair: &PairResult) -> Option<Goal> {
    let ours = pair.bytes(Tool::Mixing)? as f64;
    let name = &pair.name;
    if name == "upd" {
        let hdiffz = pair.bytes(Tool::Hdiffz)? as f64;
        let other = hdiffz * reference::PROTOTYPE_UPD_SHARE;
        let what = format!(
            "{name}: mixing against {} × hdiffz, the prototype's share",
            reference::PROTOTYPE_UPD_SHARE
        );
        return Some(Goal::new(what, ours, (other, CLEARLY)));
    }
    let other = reference::prototype_bytes(name)? as f64;
    let what = format!("{name}: mixing against the prototype's {other} bytes");
    Some(Goal::new(what, ours, (other, CLEARLY)))
}

/// Our zstd coder, and on the upgrade context mixing, against hdiffz: against the smaller figure, where
/// there is one from this run and one from the reference.
fn hdiffz(pair: &PairResult) -> Vec<Goal> {
    let known = [
        pair.bytes(Tool::Hdiffz),
        reference::hdiffz_bytes(&pair.name),
    ];
    let Some(other) = known.into_iter().flatten().min() else {
        return Vec::new();
    };
    let other = other as f64;
    let name = &pair.name;
    let mut goals = Vec::new();
    if let Some(ours) = pair.bytes(Tool::Zstd) {
        let what = format!("{name}: zstd against hdiffz");
        goals.push(Goal::new(what, ours as f64, (other, 1.0)));
    }
    if let Some(ours) = pair.bytes(Tool::Mixing).filter(|_| name == "big") {
        let what = format!("{name}: mixing against hdiffz");
        goals.push(Goal::new(what, ours as f64, (other, CLEARLY)));
    }
    goals
}

/// CPU to apply by context mixing: twice the prototype's speed.
fn apply(pair: &PairResult) -> Option<Goal> {
    let seconds = pair.row(Tool::Mixing)?.apply?.user_seconds;
    let other = reference::prototype_apply_seconds_per_byte(&pair.name)?;
    let what = format!(
        "{}: CPU to apply mixing, per byte, against the prototype",
        pair.name
    );
    Some(Goal::new(
        what,
        seconds / pair.new_bytes as f64,
        (other, 0.5),
    ))
}

/// The most memory that any pair takes to apply by context mixing.
fn memory(results: &Results) -> Option<Goal> {
    let memory = results.pairs.iter().filter_map(|pair| {
        let apply = pair.row(Tool::Mixing)?.apply?;
        Some(apply.memory_bytes)
    });
    let what = "all: memory to apply mixing against 16 MiB";
    Some(Goal::new(what, memory.max()? as f64, (APPLY_MEMORY, 1.0)))
}
