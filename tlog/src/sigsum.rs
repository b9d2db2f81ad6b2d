//! What Sigsum's tools read (sigsum.org, log protocol 1, proof 1): leaves of 128 bytes, a proof, a policy.

use keys::PublicKey;
use sha2::{Digest as _, Sha256};

use crate::checkpoint::Checkpoint;
use crate::log_proof::LogProof;
use crate::note::Signed;
use crate::vkey::{Scheme, VerifierKey};

/// Bytes of a SHA-256.
const HASH_BYTES: usize = 32;
/// Bytes of an Ed25519 signature.
const SIGNATURE_BYTES: usize = 64;
/// Bytes of a leaf.
pub const LEAF_BYTES: usize = HASH_BYTES + SIGNATURE_BYTES + HASH_BYTES;
/// What stands before the checksum in what a submitter signs.
const NAMESPACE: &[u8] = b"sigsum.org/v1/tree-leaf\0";
/// What the name of every such log begins with.
const ORIGIN: &str = "sigsum.org/v1/tree/";
/// The form of proofs that every version of `sigsum-verify` since 0.8 reads.
const PROOF_VERSION: u8 = 1;
/// Digits of a checksum that a proof repeats.
const SHORT_CHECKSUM_DIGITS: usize = 4;

/// An entry: that somebody vouches for a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf {
    /// Of the file's SHA-256, once more.
    checksum: [u8; HASH_BYTES],
    signature: [u8; SIGNATURE_BYTES],
    /// Whose signature it is.
    key_hash: [u8; HASH_BYTES],
}

/// Why something can't be told to Sigsum's tools.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SigsumError {
    /// A signature that isn't Ed25519's.
    #[error("Sigsum knows Ed25519 alone: the signature has {0} bytes")]
    Signature(usize),
    /// A witness with another kind of key.
    #[error("Sigsum knows Ed25519 alone: witness {0:?} of the policy has another key")]
    Witness(String),
    /// The checkpoint of the proof is none, or the log has not signed it.
    #[error("the log has not signed the checkpoint of the proof")]
    Unsigned,
}

/// The name of the log that has this key.
pub fn origin(log: &PublicKey) -> String {
    format!("{ORIGIN}{}", hex(&hash(log.as_bytes())))
}

/// What a submitter signs for a file.
///
/// * `file`: its SHA-256.
pub fn message(file: &[u8; HASH_BYTES]) -> Vec<u8> {
    [NAMESPACE, &hash(file)].concat()
}

impl Leaf {
    /// The entry of a file.
    ///
    /// * `file`: its SHA-256.
    /// * `signature`: by `key`, over [`message`].
    ///
    /// # Errors
    /// [`SigsumError::Signature`].
    pub fn new(
        file: &[u8; HASH_BYTES],
        signature: &[u8],
        key: &PublicKey,
    ) -> Result<Self, SigsumError> {
        let bytes = signature.len();
        let signature = signature.try_into();
        Ok(Self {
            checksum: hash(file),
            signature: signature.map_err(|_| SigsumError::Signature(bytes))?,
            key_hash: hash(key.as_bytes()),
        })
    }

    /// As the log has it.
    pub fn encode(&self) -> [u8; LEAF_BYTES] {
        let mut bytes = [0; LEAF_BYTES];
        let parts = [&self.checksum[..], &self.signature, &self.key_hash];
        for (place, byte) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
            *place = *byte;
        }
        bytes
    }

    /// Reads an entry; `None` if it isn't one.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (checksum, rest) = bytes.split_first_chunk()?;
        let (signature, rest) = rest.split_first_chunk()?;
        Some(Self {
            checksum: *checksum,
            signature: *signature,
            key_hash: rest.try_into().ok()?,
        })
    }

    /// The proof that this is in a log: what `sigsum-verify` reads.
    ///
    /// * `log`: whose checkpoint is in `proof`.
    /// * `witnesses`: whose cosignatures are told; the others' are left out.
    ///
    /// # Errors
    /// [`SigsumError::Unsigned`].
    pub fn proof<'a>(
        &self,
        proof: &LogProof,
        log: &VerifierKey,
        witnesses: impl IntoIterator<Item = &'a VerifierKey>,
    ) -> Result<String, SigsumError> {
        let note = &proof.checkpoint;
        let checkpoint: Checkpoint = note.text().parse().map_err(|_| SigsumError::Unsigned)?;
        let (_, signature) = note.signature_by(log).ok_or(SigsumError::Unsigned)?;
        let checksum = hex(&self.checksum);
        let short = checksum.get(..SHORT_CHECKSUM_DIGITS).unwrap_or_default();
        let mut text = format!(
            "version={PROOF_VERSION}\nlog={}\nleaf={short} {} {}\n\nsize={}\nroot_hash={}\nsignature={}\n",
            hex(&hash(log.scheme().key())),
            hex(&self.key_hash),
            hex(&self.signature),
            checkpoint.size,
            hex(checkpoint.root.as_bytes()),
            hex(signature),
        );
        for witness in witnesses {
            if let Some((Signed::At(time), signature)) = note.signature_by(witness) {
                let key = hex(&hash(witness.scheme().key()));
                text.push_str(&format!("cosignature={key} {time} {}\n", hex(signature)));
            }
        }
        // The way from the only leaf to the root is no part of a proof.
        if checkpoint.size > 1 {
            text.push_str(&format!("\nleaf_index={}\n", proof.index));
        }
        for hash in &proof.hashes {
            text.push_str(&format!("node_hash={}\n", hex(hash.as_bytes())));
        }
        Ok(text)
    }
}

/// A policy as Sigsum writes it: the same words, but keys in hex, without names.
///
/// * `policy`: a C2SP tlog-policy; what it says of logs is replaced by `log`.
///
/// # Errors
/// [`SigsumError::Witness`].
pub fn policy(policy: &str, log: &PublicKey) -> Result<String, SigsumError> {
    let mut text = format!("log {}\n", hex(log.as_bytes()));
    for line in policy.lines() {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        match words.as_slice() {
            ["witness", name, key, ..] => {
                let key: Option<VerifierKey> = key.parse().ok();
                let Some(Scheme::Cosignature(key)) = key.as_ref().map(VerifierKey::scheme) else {
                    return Err(SigsumError::Witness((*name).to_owned()));
                };
                text.push_str(&format!("witness {name} {}\n", hex(key.as_bytes())));
            }
            ["group" | "quorum", ..] => {
                text.push_str(&words.join(" "));
                text.push('\n');
            }
            _ => {}
        }
    }
    Ok(text)
}

fn hash(bytes: &[u8]) -> [u8; HASH_BYTES] {
    Sha256::digest(bytes).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
