//! Ids and names of private networks.

use std::fmt;
use std::str::FromStr;

use keys::{Context, PublicKey};
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::limits::NETWORK_NAME_BYTES_MAX;

/// Bytes of the random part of an id.
pub const NONCE_BYTES: usize = 16;
/// What a token of a network is for: `aud` of charters and member lists.
pub(super) const AUDIENCE: &str = "network";

/// The random part of a new network's id.
pub fn generate_nonce(rng: &mut (impl CryptoRng + ?Sized)) -> [u8; NONCE_BYTES] {
    let mut nonce = [0; NONCE_BYTES];
    rng.fill_bytes(&mut nonce);
    nonce
}

/// Why an id or a name is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Not 64 lower-case hex digits.
    #[error("network id must be 64 lower-case hex digits")]
    Id,
    /// Not a name that a folder may have everywhere.
    #[error("network name must be 1 to {NETWORK_NAME_BYTES_MAX} of a-z, 0-9 and -, the first no -")]
    Name,
}

/// The id of a private network: 32 bytes, written as 64 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NetworkId([u8; 32]);

impl NetworkId {
    /// The id of a network: `SHA-256("streembit/network/1" || founder key || nonce || name)`. Key and nonce have
    /// fixed lengths, so nothing in it is ambiguous.
    pub fn new(founder: &PublicKey, nonce: &[u8; NONCE_BYTES], name: &NetworkName) -> Self {
        let hash = Sha256::new()
            .chain_update(Context::Network.as_bytes())
            .chain_update(founder.as_bytes())
            .chain_update(nonce)
            .chain_update(name.as_str());
        Self(hash.finalize().into())
    }
}

impl FromStr for NetworkId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        decode_hex(text).map(Self).ok_or(IdError::Id)
    }
}

impl TryFrom<String> for NetworkId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<NetworkId> for String {
    fn from(id: NetworkId) -> Self {
        id.to_string()
    }
}

impl fmt::Display for NetworkId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for NetworkId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "NetworkId({self})")
    }
}

/// The name of a private network; also that of its folder on each member's disk.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NetworkName(String);

impl NetworkName {
    /// Borrows the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for NetworkName {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let starts_well = text.bytes().next().is_some_and(is_plain);
        let all_fit = text.bytes().all(|byte| is_plain(byte) || byte == b'-');
        if starts_well && all_fit && text.len() <= NETWORK_NAME_BYTES_MAX {
            return Ok(Self(text.to_owned()));
        }
        Err(IdError::Name)
    }
}

impl TryFrom<String> for NetworkName {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<NetworkName> for String {
    fn from(name: NetworkName) -> Self {
        name.0
    }
}

impl fmt::Display for NetworkName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// SHA-256 over what a token signs, behind our context: other signatures of the same claims have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    pub(super) fn of(token: &str) -> Self {
        let signed = token.rsplit_once('.').map_or(token, |(signed, _)| signed);
        let hash = Sha256::new()
            .chain_update(Context::Network.as_bytes())
            .chain_update(signed);
        Self(hash.finalize().into())
    }
}

impl TryFrom<String> for TokenDigest {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        decode_hex(&text).map(Self).ok_or(IdError::Id)
    }
}

impl From<TokenDigest> for String {
    fn from(digest: TokenDigest) -> Self {
        hex::encode(digest.0)
    }
}

/// Lower-case hex of exactly `N` bytes.
pub(super) fn decode_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).ok()?;
    (hex::encode(bytes) == text).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use keys::{Algorithm, SigningKey};

    use super::*;

    #[test]
    fn names_are_those_that_a_folder_may_have() {
        for name in ["home", "0", "a-b-c", &"x".repeat(NETWORK_NAME_BYTES_MAX)] {
            assert_eq!(name.parse::<NetworkName>().unwrap().as_str(), name);
        }
        let long = "x".repeat(NETWORK_NAME_BYTES_MAX + 1);
        for name in ["", "-a", "..", "a/b", "A", "a b", "é", "a\n", &long] {
            assert_eq!(name.parse::<NetworkName>(), Err(IdError::Name), "{name}");
        }
    }

    #[test]
    fn id_follows_from_founder_nonce_and_name() {
        let key = |seed| {
            SigningKey::from_secret(Algorithm::P256, &[seed; 32])
                .unwrap()
                .public()
        };
        let (home, work): (NetworkName, NetworkName) =
            ("home".parse().unwrap(), "work".parse().unwrap());
        let id = NetworkId::new(&key(1), &[7; 16], &home);
        // The layout of docs/wire.md, by hand.
        let mut bytes = b"streembit/network/1".to_vec();
        bytes.extend(key(1).as_bytes());
        bytes.extend([7; 16]);
        bytes.extend(b"home");
        assert_eq!(id.to_string(), hex::encode(Sha256::digest(&bytes)));
        assert_eq!(id.to_string().parse(), Ok(id));
        for other in [
            NetworkId::new(&key(2), &[7; 16], &home),
            NetworkId::new(&key(1), &[8; 16], &home),
            NetworkId::new(&key(1), &[7; 16], &work),
        ] {
            assert_ne!(other, id);
        }
        for text in ["", "00", &id.to_string().to_uppercase(), &"0".repeat(65)] {
            assert_eq!(text.parse::<NetworkId>(), Err(IdError::Id), "{text}");
        }
    }
}
