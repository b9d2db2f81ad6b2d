//! Every bound on what comes from outside, with unit and reason.

/// Bytes of a signed note: a checkpoint is some 200, an Ed25519 line 150, one of ML-DSA-44 3.3 KiB.
pub const NOTE_BYTES_MAX: usize = 128 * 1024;
/// Signature lines of a note; C2SP asks for at least 16.
pub const NOTE_SIGNATURES_MAX: usize = 64;
/// Bytes of the name of a key.
pub const NAME_BYTES_MAX: usize = 256;
/// Bytes of a key in a vkey: one of ML-DSA-44 has 1312.
pub const KEY_BYTES_MAX: usize = 4096;
/// Bytes of an entry: its length takes two bytes in a bundle.
pub const ENTRY_BYTES_MAX: usize = 65_535;
/// Entries of a log: sizes are below 2^63 (RFC 6962 leaves 64 bits, times and JSON don't).
pub const TREE_SIZE_MAX: u64 = i64::MAX.unsigned_abs();
/// Hashes of a proof: a tree has at most 63 levels.
pub const PROOF_HASHES_MAX: usize = 63;
/// Hashes of a full tile, and entries of a full bundle.
pub const TILE_WIDTH: u16 = 256;
/// Bytes of a full entry bundle.
pub const BUNDLE_BYTES_MAX: usize = 256 * (2 + ENTRY_BYTES_MAX);
/// Bytes of a policy.
pub const POLICY_BYTES_MAX: usize = 64 * 1024;
/// Logs of a policy, and its witnesses, and its groups; C2SP asks for at least 32 each.
pub const POLICY_ITEMS_MAX: usize = 64;
/// Bytes of a proof of inclusion with its checkpoint.
pub const LOG_PROOF_BYTES_MAX: usize = NOTE_BYTES_MAX + 8 * 1024;
/// Bytes of a request for a cosignature.
pub const ADD_CHECKPOINT_BYTES_MAX: usize = NOTE_BYTES_MAX + 4 * 1024;
/// Bytes of evidence against a log: two notes and a proof.
pub const EVIDENCE_BYTES_MAX: usize = 3 * NOTE_BYTES_MAX;
/// Bytes of what a mirror gives submitters to remember; its length takes two bytes.
pub const TICKET_BYTES_MAX: usize = 65_535;
/// Bytes of a mirror's word of how far it has come: two numbers, and a ticket in base64.
pub const MIRROR_INFO_BYTES_MAX: usize = 2 * TICKET_BYTES_MAX;
/// Seconds that the clocks of witnesses may be ahead of a verifier's.
pub const CLOCK_SKEW_S: u64 = 300;
