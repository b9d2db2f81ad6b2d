//! What is said of a release, by whom, and that it was logged: in forms that foreign tools read.
//!
//! * [`dsse`]: a signed payload with its type (DSSE 1.0.2)
//! * [`statement`]: what a payload says of which files (in-toto Statement v1)
//! * [`release`]: what the publisher says of a release
//! * [`provenance`]: what built a file (SLSA provenance v1)
//! * [`log_entry`]: what the log holds of a signature (Rekor v2 `hashedrekord` 0.0.2)
//! * [`bundle`]: a signature with its proof of logging (sigstore bundle v0.3)
//! * [`trusted_root`]: the log's key, as sigstore's tools take it

pub mod bundle;
pub mod dsse;
#[cfg(test)]
pub(crate) mod example;
pub mod log_entry;
pub mod provenance;
pub mod release;
pub mod statement;
pub mod trusted_root;
