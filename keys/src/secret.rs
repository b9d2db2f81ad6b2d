//! A byte buffer for secrets: wiped on drop, cannot be cloned, printed or serialized.
//!
//! Wiping reaches this buffer alone, not the copies an operating system makes (swap, core dumps).

use std::fmt;

use zeroize::Zeroizing;

/// Secret bytes. Wiped when dropped; `Debug` prints `[redacted]`.
///
/// Cannot be cloned:
/// ```compile_fail,E0277
/// fn needs_clone<T: Clone>() {}
/// needs_clone::<keys::Secret>();
/// ```
/// Cannot be displayed:
/// ```compile_fail,E0277
/// fn needs_display<T: std::fmt::Display>() {}
/// needs_display::<keys::Secret>();
/// ```
/// Cannot be serialized:
/// ```compile_fail,E0277
/// fn needs_serialize<T: serde::Serialize>() {}
/// needs_serialize::<keys::Secret>();
/// ```
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes over `bytes`; they are wiped when the secret is dropped.
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Returns the bytes. Whoever copies them is responsible for the copy.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests;
