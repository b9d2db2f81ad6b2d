//! Invitations: `streembit:network/ID?name=NAME&founder=KEY&at=ADDRESS&psk=HEX`, given to who is to join.
//!
//! Nothing in it is signed, and it makes nobody a member: it says whom to ask for the charter and the member list,
//! and the id decides whether the charter is the right one.

use std::fmt;
use std::str::FromStr;

use keys::PublicKey;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};

use super::id::{NetworkId, NetworkName, decode_hex};
use crate::limits::{ADDRESS_BYTES_MAX, INVITATION_ADDRESSES_MAX, INVITATION_BYTES_MAX};

const SCHEME: &str = "streembit:network/";
/// Bytes of a pre-shared key (libp2p specification pnet).
const PSK_BYTES: usize = 32;
/// What stands as it is in a query: an address keeps its slashes.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'/')
    .remove(b':');

/// A key that all members share: who doesn't have it can't even begin a handshake. 64 lower-case hex digits.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PresharedKey([u8; PSK_BYTES]);

impl PresharedKey {
    /// Makes a fresh one.
    pub fn generate(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut bytes = [0; PSK_BYTES];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// Borrows the 32 bytes.
    pub const fn expose(&self) -> &[u8; PSK_BYTES] {
        &self.0
    }
}

impl fmt::Debug for PresharedKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PresharedKey")
    }
}

impl TryFrom<String> for PresharedKey {
    type Error = InvitationError;

    fn try_from(text: String) -> Result<Self, InvitationError> {
        decode_hex(&text).map(Self).ok_or(InvitationError::Psk)
    }
}

impl From<PresharedKey> for String {
    fn from(psk: PresharedKey) -> Self {
        hex::encode(psk.0)
    }
}

/// What somebody needs to join. As text it holds the pre-shared key, if there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// The network's id.
    pub network: NetworkId,
    /// The network's name.
    pub name: NetworkName,
    /// Who founded it.
    pub founder: PublicKey,
    /// Addresses of members' nodes, each ending in `/p2p/PEER_ID`: hints.
    pub addresses: Vec<String>,
    /// The key that all members share, if there is one.
    pub psk: Option<PresharedKey>,
}

/// Why an invitation can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvitationError {
    /// Another scheme, or too long.
    #[error(
        "not an invitation: streembit:network/ID?name=NAME&founder=KEY of at most {INVITATION_BYTES_MAX} bytes"
    )]
    Shape,
    /// Not a network id.
    #[error("the invitation's network id is not 64 lower-case hex digits")]
    Id,
    /// No name, or none that a network may have.
    #[error("the invitation has no valid name")]
    Name,
    /// Not a P-256 key.
    #[error("the invitation's founder is not 66 hex digits of a P-256 key")]
    Founder,
    /// Not 64 hex digits.
    #[error("the pre-shared key is not 64 lower-case hex digits")]
    Psk,
    /// Too many addresses, or too long ones.
    #[error(
        "the invitation has more than {INVITATION_ADDRESSES_MAX} addresses, or longer ones than {ADDRESS_BYTES_MAX} bytes"
    )]
    Addresses,
    /// A word that isn't known, or comes twice.
    #[error("the invitation says something that is not known here, or twice")]
    Parameter,
}

impl fmt::Display for Invitation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (network, name, founder) = (self.network, &self.name, self.founder.to_hex());
        write!(formatter, "{SCHEME}{network}?name={name}&founder={founder}")?;
        for address in &self.addresses {
            write!(formatter, "&at={}", utf8_percent_encode(address, PLAIN))?;
        }
        if let Some(psk) = &self.psk {
            write!(formatter, "&psk={}", hex::encode(psk.0))?;
        }
        Ok(())
    }
}

impl FromStr for Invitation {
    type Err = InvitationError;

    fn from_str(text: &str) -> Result<Self, InvitationError> {
        let text = text.trim();
        let rest = text.strip_prefix(SCHEME).ok_or(InvitationError::Shape)?;
        if text.len() > INVITATION_BYTES_MAX {
            return Err(InvitationError::Shape);
        }
        let (network, query) = rest.split_once('?').ok_or(InvitationError::Shape)?;
        let network = network.parse().map_err(|_| InvitationError::Id)?;
        let (mut name, mut founder, mut psk, mut addresses) = (None, None, None, Vec::new());
        for parameter in query.split('&') {
            let (word, value) = parameter.split_once('=').ok_or(InvitationError::Shape)?;
            let value = percent_decode_str(value).decode_utf8();
            let value = value.map_err(|_| InvitationError::Shape)?.into_owned();
            match word {
                "name" if name.is_none() => name = Some(value),
                "founder" if founder.is_none() => founder = Some(value),
                "psk" if psk.is_none() => psk = Some(PresharedKey::try_from(value)?),
                "at" => addresses.push(value),
                _ => return Err(InvitationError::Parameter),
            }
        }
        let is_short = |address: &String| (1..=ADDRESS_BYTES_MAX).contains(&address.len());
        if addresses.len() > INVITATION_ADDRESSES_MAX || !addresses.iter().all(is_short) {
            return Err(InvitationError::Addresses);
        }
        let name = name.and_then(|name| name.parse().ok());
        let founder = founder.and_then(|founder| PublicKey::from_p256_hex(&founder).ok());
        Ok(Self {
            network,
            name: name.ok_or(InvitationError::Name)?,
            founder: founder.ok_or(InvitationError::Founder)?,
            addresses,
            psk,
        })
    }
}

#[cfg(test)]
mod tests;
