//! Slots: the two places a system can start from.

use std::path::PathBuf;

use serde::Deserialize;

/// What a slot is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SlotKind {
    /// A directory; a tar image is extracted beside it and takes its place by one rename.
    Dir,
    /// A block device, or a file standing for one; the image is written as it is.
    Raw,
}

/// A slot of the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slot {
    /// Class and index, such as `rootfs.0`.
    pub name: String,
    /// The device, file or directory.
    pub device: PathBuf,
    /// What it is made of.
    pub kind: SlotKind,
    /// What the boot loader calls it.
    pub bootname: String,
}
