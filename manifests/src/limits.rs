//! Every bound on foreign bytes in this crate, with unit and reason.

/// Bytes of `N.root.json`. A root with six mixed keys is 3 KiB; DESIGN section 10 sets 64 KiB.
pub const ROOT_BYTES_MAX: u64 = 64 * 1024;
/// Bytes of `timestamp.json`. It names one file; DESIGN section 10 sets 16 KiB.
pub const TIMESTAMP_BYTES_MAX: u64 = 16 * 1024;
/// Bytes of a snapshot. 100 bytes per role, 20,000 roles.
pub const SNAPSHOT_BYTES_MAX: u64 = 2 * 1024 * 1024;
/// Bytes of a targets role whose length the snapshot doesn't state. 1,000 releases of 1 KiB.
pub const TARGETS_BYTES_MAX: u64 = 1024 * 1024;
/// Bytes of a catalog: root chain, snapshot, targets and product roles (DESIGN section 10).
pub const CATALOG_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Bytes of a device pin: one root as text, every byte of it escaped at worst, a policy, and a dozen fields.
pub const PIN_BYTES_MAX: u64 = 2 * ROOT_BYTES_MAX + 160 * 1024;
/// New roots followed in one run; the progress is stored, the next run goes on (threats M9).
pub const ROOT_ROTATIONS_MAX: u32 = 256;
/// Nesting of JSON arrays and objects. TUF metadata needs 7.
pub const JSON_DEPTH_MAX: u32 = 16;
/// The largest integer that every JSON reader agrees on, 2^53 - 1 (RFC 8259 section 6).
pub const INTEGER_MAX: u64 = (1 << 53) - 1;
/// Signatures on one document; the largest known ceremony has 10.
pub const SIGNATURES_MAX: usize = 64;
/// Bytes of one signature; RSA-4096, the largest in use, has 512.
pub const SIGNATURE_BYTES_MAX: usize = 1024;
/// Keys in a root or a delegation.
pub const KEYS_MAX: usize = 128;
/// Files named by a snapshot: 2^14 hash bins and the rest, as the largest public repository has.
pub const SNAPSHOT_FILES_MAX: usize = 20_000;
/// Files in a catalog: a root chain of 256 and as many roles.
pub const CATALOG_FILES_MAX: usize = 1024;
/// Delegated roles of one targets file.
pub const DELEGATIONS_MAX: usize = 256;
/// Path patterns of one delegated role.
pub const PATHS_MAX: usize = 1024;
/// Path hash prefixes of one delegated role.
pub const HASH_PREFIXES_MAX: usize = 4096;
/// Bytes of a target's path, a pattern or a hash prefix.
pub const PATH_BYTES_MAX: usize = 1024;
/// Bytes of a delegated role's name.
pub const ROLE_BYTES_MAX: usize = 256;
/// Roles that one search for a target visits (threats M20).
pub const ROLES_VISITED_MAX: usize = 32;
/// Hashes of one file.
pub const HASHES_MAX: usize = 16;
/// Targets of one role.
pub const TARGETS_MAX: usize = 4096;
/// Deltas offered for one target: a device further behind takes the full image.
pub const DELTAS_MAX: usize = 64;
/// Hardware ids of one target.
pub const HARDWARE_MAX: usize = 64;
/// Bytes of a product, channel, hardware or role name, of a flat target name and of a pattern for them.
pub const NAME_BYTES_MAX: usize = 128;
/// Bytes of a display version.
pub const VERSION_BYTES_MAX: usize = 64;
/// Bytes of an image or delta: 16 GiB, what the block exchange and deltas carry.
pub const IMAGE_BYTES_MAX: u64 = 1 << 34;
/// Bytes of a statement: provenance of a build is some 4 KiB.
pub const PAYLOAD_BYTES_MAX: usize = 256 * 1024;
/// Files that one statement speaks of.
pub const SUBJECTS_MAX: usize = 64;
/// Parameters of a build, and what went into it.
pub const BUILD_PARAMETERS_MAX: usize = 256;
/// Things that went into a build.
pub const DEPENDENCIES_MAX: usize = 1024;
/// Builders whose provenance counts for one product.
pub const BUILDERS_MAX: usize = 16;
/// Rebuilders that a device or an auditor believes.
pub const REBUILDERS_MAX: usize = 8;
/// Sizes of a log from which the way to its newest checkpoint is told.
pub const LOG_VIEW_SIZES_MAX: usize = 2048;
/// Of these, those that stand in a catalog.
pub const LOG_VIEW_SIZES_NEWEST: usize = 256;
/// Bytes of the file that tells it.
pub const LOG_VIEW_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of a list of components.
pub const SBOM_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// Bytes of a log's entry; its length has two bytes.
pub const LOG_ENTRY_BYTES_MAX: usize = 65_535;
/// Bytes of a bundle: a payload and a note, both written longer.
pub const BUNDLE_BYTES_MAX: usize = 1024 * 1024;

#[cfg(test)]
mod tests;
