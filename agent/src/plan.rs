//! The cheapest way to an image: a delta whose base is there, or the image itself. Pure.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

use manifests::release::{Content, DeltaRef, Release};

/// Formats of deltas that this version applies.
const FORMATS: [&str; 2] = [delta::FORMAT, delta::FORMAT_MIXING];

/// Ways to an image, to be tried in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// Apply a delta to what the running slot holds.
    Delta(DeltaRef),
    /// Take the whole image.
    Whole(Content),
}

/// Plans for a device that holds `base`. Deltas larger than the image, in formats this version does
/// not know, or from other bases are left out; the whole image is always the last way.
pub fn ways(release: &Release, base: Option<&Content>) -> Vec<Way> {
    let usable = |delta: &&DeltaRef| {
        Some(&delta.base) == base
            && FORMATS.contains(&delta.format.as_str())
            && delta.blob.size < release.image.size
    };
    let mut deltas: Vec<&DeltaRef> = release.deltas.iter().filter(usable).collect();
    deltas.sort_by_key(|delta| delta.blob.size);
    let best = deltas.first().map(|delta| Way::Delta((*delta).clone()));
    best.into_iter()
        .chain([Way::Whole(release.image)])
        .collect()
}

#[cfg(test)]
mod tests;
