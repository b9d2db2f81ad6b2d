//! Figures from elsewhere: the prototype of the format, and HDiffPatch where it is not installed.
//!
//! Measured once on two shared x86-64 cores of the same kind, on the pairs of the same names. The
//! images `upd` and `big` of that run were other builds, so that only ratios of them are used.

use super::results::{Cost, Row};
use super::tool::Tool;

/// Bytes of the prototype's patches by context mixing.
const PROTOTYPE_BYTES: [(&str, u64); 4] = [
    ("libcrypto", 149_350),
    ("start4", 95_044),
    ("uboot", 158_570),
    ("kimg", 1_748_138),
];

/// Patch of the prototype by context mixing on `upd`, as a share of that of hdiffz.
pub(super) const PROTOTYPE_UPD_SHARE: f64 = 0.648;

/// User CPU seconds of the prototype to apply by context mixing, and output bytes.
const PROTOTYPE_APPLY: [(&str, f64, f64); 2] = [("kimg", 6.06, 33.0e6), ("upd", 12.1, 268.4e6)];

/// Bytes of `hdiffz -m -SD -c-zstd`.
const HDIFFZ_BYTES: [(&str, u64); 4] = [
    ("libcrypto", 267_508),
    ("start4", 119_568),
    ("uboot", 183_287),
    ("kimg", 2_004_572),
];

/// Memory that `hpatchz` takes on any image.
pub(super) const HPATCHZ_MEMORY: u64 = 4_700_000;

/// Bytes of the prototype's patch by context mixing.
pub(super) fn prototype_bytes(pair: &str) -> Option<u64> {
    let found = PROTOTYPE_BYTES.iter().find(|(name, _)| *name == pair);
    found.map(|(_, bytes)| *bytes)
}

/// User CPU seconds of the prototype per output byte, to apply by context mixing.
pub(super) fn prototype_apply_seconds_per_byte(pair: &str) -> Option<f64> {
    let found = PROTOTYPE_APPLY.iter().find(|(name, ..)| *name == pair);
    found.map(|(_, seconds, bytes)| seconds / bytes)
}

/// Bytes of the program hdiffz: the module in Python makes other patches, larger on a kernel.
pub(super) fn hdiffz_bytes(pair: &str) -> Option<u64> {
    let found = HDIFFZ_BYTES.iter().find(|(name, _)| *name == pair);
    found.map(|(_, bytes)| *bytes)
}

/// A row for hdiffz, if that is the tool and the reference has the pair.
pub(super) fn hdiffz(tool: Tool, pair: &str) -> Option<Row> {
    let apply = (pair == "kimg").then_some(Cost {
        user_seconds: 0.04,
        memory_bytes: HPATCHZ_MEMORY,
    });
    let bytes = hdiffz_bytes(pair).filter(|_| tool == Tool::Hdiffz);
    bytes.map(|patch_bytes| Row {
        tool,
        patch_bytes,
        create: None,
        apply,
        python: false,
    })
}
