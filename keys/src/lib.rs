//! Key types, ids, text forms, passcode policy and key files: pure bytes in, bytes out.
//!
//! Owns everything that touches key material. Reads no clock, file, environment or OS randomness:
//! the rng is an argument, and whoever calls [`KeyFile::parse`] has read the file.
//! Does not own: sessions and JOSE (`protocol`), TUF roles and thresholds (`manifests`).
//!
//! # Layout
//!
//! * `agreement`: [`AgreementKey`]: ECDH, with keys that never sign
//! * `suite`: the closed list of algorithms
//! * `context`: the closed list of our domain-separation strings
//! * `secret`: wiped byte buffers that cannot be printed or copied
//! * `encoding` (private): strict lower-case hex and base64 armour
//! * `signing`: [`SigningKey`] and [`PublicKey`]
//! * `spki`, `jwk`, `tuf`, `ssh`: the forms in which standards carry a public key
//! * `rsa_pss`: RSA keys of foreign repositories, which only verify
//! * `id`: [`NodeId`] and [`AccountName`]
//! * `passcode`: the passcode policy and what it is worth in bits
//! * `file`: the key file, encrypted by a passcode or plain for unattended devices
//! * `uri`: where a key lives ([`KeyUri`])
//!
//! # Invariants callers must keep
//!
//! * Give [`SigningKey::generate`] and [`file::seal`] a cryptographic rng that is seeded.
//! * Use one key for one format: nothing here separates, say, a TUF signature from a DSSE one.
//! * Never use a signature as an identity: `(r, s)` and `(r, n - s)` both verify.
//!
//! # Example
//!
//! ```
//! use keys::{Algorithm, Cost, KeyFile, Protection, SigningKey, file};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut rng = getrandom::rand_core::UnwrapErr(getrandom::SysRng);
//! let key = SigningKey::generate(Algorithm::P256, &mut rng);
//! let signature = key.sign(b"release 42");
//! key.public().verify(b"release 42", &signature)?;
//! assert!(key.public().verify(b"release 43", &signature).is_err());
//!
//! let passcode = "Correct horse 9 battery!";
//! let cost = Cost { memory_kib: 64, passes: 1, lanes: 1 }; // real files: Cost::default()
//! let text = file::seal(&key, "build server", Protection::Passcode { passcode, cost }, &mut rng)?;
//! let key_file = KeyFile::parse(&text)?;
//! assert_eq!(key_file.public(), &key.public());
//! assert_eq!(key_file.open(Some(passcode))?.public(), key.public());
//! # Ok(())
//! # }
//! ```
#![cfg_attr(
    not(test),
    deny(
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::wildcard_enum_match_arm
    )
)]

pub mod agreement;
pub mod context;
mod encoding;
pub mod file;
pub mod id;
pub mod jwk;
pub mod passcode;
pub mod rsa_pss;
pub mod secret;
pub mod signing;
mod spki;
mod ssh;
pub mod suite;
pub mod tuf;
pub mod uri;

pub use agreement::{AgreementKey, AgreementPublicKey};
pub use context::Context;
pub use file::{Cost, KeyFile, KeyFileError, Protection};
pub use id::{AccountName, IdError, NodeId, node_id};
pub use jwk::Jwk;
pub use passcode::{PasscodePolicyError, Strength};
pub use rsa_pss::RsaPublicKey;
pub use secret::Secret;
pub use signing::{KeyError, PublicKey, SignatureError, SigningKey};
pub use suite::{Algorithm, UnknownAlgorithm};
pub use tuf::{RoleKey, TufKey};
pub use uri::{KeyUri, KeyUriError, Pkcs11Uri};
