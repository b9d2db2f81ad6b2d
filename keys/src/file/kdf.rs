//! From passcode to cipher: what it may cost and how it is done.

use aes_gcm::aead::KeyInit as _;
use aes_gcm::{Aes256Gcm, Key};
use zeroize::Zeroizing;

use super::KeyFileError;

/// Bytes of the Argon2id salt (RFC 9106 section 3.1 recommends 16).
pub(super) const SALT_BYTES: usize = 16;

/// Bytes of the AES-GCM nonce (SP 800-38D section 5.2.1.1).
pub(super) const NONCE_BYTES: usize = 12;

/// Bytes of the AES-256 key.
const KEY_BYTES: usize = 32;

/// What Argon2id spends on one guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB: at least 8 per lane, at most [`Cost::MEMORY_KIB_MAX`].
    pub memory_kib: u32,
    /// Passes over the memory: 1..=[`Cost::PASSES_MAX`].
    pub passes: u32,
    /// Lanes: 1..=[`Cost::LANES_MAX`].
    pub lanes: u32,
}

impl Cost {
    /// 1 GiB: what a file may make us allocate.
    pub const MEMORY_KIB_MAX: u32 = 1024 * 1024;
    /// With the memory bound: tens of seconds of one core.
    pub const PASSES_MAX: u32 = 16;
    /// More lanes than that help nobody at these sizes.
    pub const LANES_MAX: u32 = 16;

    /// Returns whether all three are within their bounds.
    pub(super) const fn is_valid(self) -> bool {
        self.lanes >= 1
            && self.lanes <= Self::LANES_MAX
            && self.passes >= 1
            && self.passes <= Self::PASSES_MAX
            && self.memory_kib >= self.lanes.saturating_mul(8)
            && self.memory_kib <= Self::MEMORY_KIB_MAX
    }
}

impl Default for Cost {
    /// 64 MiB, 3 passes: the second recommended option of RFC 9106 section 4, but with one lane
    /// instead of four, since the lanes are computed one after the other here.
    fn default() -> Self {
        Self {
            memory_kib: 64 * 1024,
            passes: 3,
            lanes: 1,
        }
    }
}

/// Key derivation fields of the header.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kdf {
    pub(super) cost: Cost,
    pub(super) salt: [u8; SALT_BYTES],
    pub(super) nonce: [u8; NONCE_BYTES],
}

impl Kdf {
    /// Derives the key. The bounds of the cost are checked before anything is allocated.
    pub(super) fn cipher(&self, passcode: &str) -> Result<Aes256Gcm, KeyFileError> {
        if !self.cost.is_valid() {
            return Err(KeyFileError::Cost);
        }
        let Cost {
            memory_kib,
            passes,
            lanes,
        } = self.cost;
        let params = argon2::Params::new(memory_kib, passes, lanes, Some(KEY_BYTES))
            .map_err(|_| KeyFileError::Cost)?;
        let mut key = Zeroizing::new([0; KEY_BYTES]);
        argon2::Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params)
            .hash_password_into(passcode.as_bytes(), &self.salt, key.as_mut_slice())
            .map_err(|error| {
                let out_of_memory = error == argon2::Error::OutOfMemory;
                if out_of_memory {
                    KeyFileError::OutOfMemory
                } else {
                    KeyFileError::Refused
                }
            })?;
        let key: &Key<Aes256Gcm> = (&*key).into();
        Ok(Aes256Gcm::new(key))
    }
}
