//! The cheapest way to an image: a delta, its repack, or the image itself. Pure.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use manifests::release::{Content, DeltaRef, Release};
use serde::Deserialize;

/// Image bytes per second that a device makes of deltas coded by zstd, about: no link that needs deltas is
/// faster.
const ZSTD_SPEED: u64 = 40_000_000;

/// A way to an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// Apply a delta to what the running slot holds; from nothing if it is the release's repack.
    Delta(DeltaRef),
    /// Take the whole image.
    Whole(Content),
}

/// What the device runs, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Base {
    /// The image that was installed.
    pub image: Content,
    /// Bytes of it that are no longer what they were; they cost about as many in repairs.
    pub modified: u64,
}

/// What a device wants most of an update.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Prefer {
    /// To be done early.
    #[default]
    Time,
    /// Few bytes: the link costs money or power.
    Bytes,
    /// Little work: no context mixing.
    Cpu,
}

/// What decides between ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Circumstances {
    /// What is wanted most.
    pub prefer: Prefer,
    /// Bytes per second that the link brings.
    pub link: u64,
    /// Image bytes per second that the device makes by context mixing; `None` if it may not.
    pub mixing: Option<u64>,
}

/// Whether a delta starts from nothing: the image coded segment by segment. Any device can take it, and take
/// single segments out of it.
pub fn is_repack(delta: &DeltaRef) -> bool {
    delta.base.size == 0 && delta.format == delta::FORMAT
}

/// Ways to a release, the best first. Deltas larger than the image, in formats this version does not know or
/// may not use, or from other bases are left out; the whole image is always the last way.
pub fn ways(release: &Release, base: Option<&Base>, circumstances: &Circumstances) -> Vec<Way> {
    let repack = repack(release);
    let most = repack.map_or(release.image.size, |repack| repack.blob.size);
    let mut deltas: Vec<((u64, u64), &DeltaRef)> = release
        .deltas
        .iter()
        .filter_map(|delta| {
            let base = base.filter(|base| base.image == delta.base)?;
            let speed = speed(delta, circumstances)?;
            let bytes = delta.blob.size.saturating_add(base.modified);
            (bytes < most).then(|| (cost(release, bytes, speed, circumstances), delta))
        })
        .collect();
    deltas.sort_by_key(|(cost, _)| *cost);
    let deltas = deltas.into_iter().map(|(_, delta)| delta);
    deltas
        .chain(repack)
        .map(|delta| Way::Delta(delta.clone()))
        .chain([Way::Whole(release.image)])
        .collect()
}

/// The release's repack, if it pays.
pub fn repack(release: &Release) -> Option<&DeltaRef> {
    let mut deltas = release.deltas.iter();
    deltas.find(|delta| is_repack(delta) && delta.blob.size < release.image.size)
}

/// Image bytes per second of a delta's coder; `None` if it is unknown or not allowed.
fn speed(delta: &DeltaRef, circumstances: &Circumstances) -> Option<u64> {
    match delta.format.as_str() {
        delta::FORMAT => Some(ZSTD_SPEED),
        delta::FORMAT_MIXING if circumstances.prefer != Prefer::Cpu => circumstances.mixing,
        _ => None,
    }
}

/// What is wanted least of, then what decides between equals. Applying goes on while the rest is fetched, so
/// the slower of the two is what takes time.
fn cost(
    release: &Release,
    bytes: u64,
    speed: u64,
    Circumstances { prefer, link, .. }: &Circumstances,
) -> (u64, u64) {
    let milliseconds = |bytes: u64, rate: u64| bytes.saturating_mul(1000) / rate.max(1);
    let time = milliseconds(bytes, *link).max(milliseconds(release.image.size, speed));
    match prefer {
        Prefer::Time => (time, bytes),
        Prefer::Bytes | Prefer::Cpu => (bytes, time),
    }
}

#[cfg(test)]
mod tests;
