//! Offers: `streembit:contact/KEY?name=NAME&secret=SECRET&at=ADDRESS`, to be sent, printed or shown as QR code.
//!
//! Who has it finds the account and proves by the secret that it was given the offer. Nothing in it is signed:
//! it says whom to look for, and that key has to answer.

use std::fmt;
use std::str::FromStr;

use keys::{AccountName, NodeId, PublicKey};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};

use crate::limits::{ADDRESS_BYTES_MAX, OFFER_ADDRESSES_MAX, OFFER_BYTES_MAX};

const SCHEME: &str = "streembit:contact/";
/// Bytes of a secret.
const SECRET_BYTES: usize = 16;
/// What stands as it is in a query: an address keeps its slashes, so that the QR code stays small.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'/')
    .remove(b':');

/// What shows that somebody was given an offer: 32 lower-case hex digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct OfferSecret([u8; SECRET_BYTES]);

impl OfferSecret {
    /// Makes a fresh one.
    pub fn generate(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut bytes = [0; SECRET_BYTES];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// Borrows the 16 bytes.
    pub const fn as_bytes(&self) -> &[u8; SECRET_BYTES] {
        &self.0
    }
}

impl TryFrom<String> for OfferSecret {
    type Error = OfferError;

    fn try_from(text: String) -> Result<Self, OfferError> {
        let mut bytes = [0; SECRET_BYTES];
        hex::decode_to_slice(&text, &mut bytes).map_err(|_| OfferError::Secret)?;
        let secret = Self(bytes);
        if String::from(secret.clone()) == text {
            Ok(secret)
        } else {
            Err(OfferError::Secret)
        }
    }
}

impl From<OfferSecret> for String {
    fn from(secret: OfferSecret) -> Self {
        hex::encode(secret.0)
    }
}

/// Whom to look for, and where to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The account's key.
    pub key: PublicKey,
    /// The account's name.
    pub name: AccountName,
    /// What shows that somebody was given this offer.
    pub secret: Option<OfferSecret>,
    /// Addresses of the account's node: hints.
    pub addresses: Vec<String>,
}

/// Why an offer can't be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OfferError {
    /// Another scheme, or too long.
    #[error("not an offer: streembit:contact/KEY?name=NAME of at most {OFFER_BYTES_MAX} bytes")]
    Shape,
    /// Not a P-256 key.
    #[error("the offer's key is not 66 hex digits of a P-256 key")]
    Key,
    /// No name, or none that an account may have.
    #[error("the offer has no valid name")]
    Name,
    /// Not 32 hex digits.
    #[error("the offer's secret is not 32 hex digits")]
    Secret,
    /// Too many addresses, or too long ones.
    #[error(
        "the offer has more than {OFFER_ADDRESSES_MAX} addresses, or longer ones than {ADDRESS_BYTES_MAX} bytes"
    )]
    Addresses,
    /// A word that isn't known, or comes twice.
    #[error("the offer says something that is not known here, or twice")]
    Parameter,
}

impl Offer {
    /// The node id of the account.
    ///
    /// # Errors
    /// [`OfferError::Key`] if it is no P-256 key, which no parsed offer has.
    pub fn node_id(&self) -> Result<NodeId, OfferError> {
        keys::node_id(&self.key, &self.name).map_err(|_| OfferError::Key)
    }
}

impl fmt::Display for Offer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = utf8_percent_encode(self.name.as_str(), PLAIN);
        write!(formatter, "{SCHEME}{}?name={name}", self.key.to_hex())?;
        if let Some(secret) = &self.secret {
            write!(formatter, "&secret={}", hex::encode(secret.0))?;
        }
        for address in &self.addresses {
            write!(formatter, "&at={}", utf8_percent_encode(address, PLAIN))?;
        }
        Ok(())
    }
}

impl FromStr for Offer {
    type Err = OfferError;

    fn from_str(text: &str) -> Result<Self, OfferError> {
        let text = text.trim();
        let rest = text.strip_prefix(SCHEME).ok_or(OfferError::Shape)?;
        if text.len() > OFFER_BYTES_MAX {
            return Err(OfferError::Shape);
        }
        let (key, query) = rest.split_once('?').ok_or(OfferError::Shape)?;
        let key = PublicKey::from_p256_hex(key).map_err(|_| OfferError::Key)?;
        let (mut name, mut secret, mut addresses) = (None, None, Vec::new());
        for parameter in query.split('&') {
            let (word, value) = parameter.split_once('=').ok_or(OfferError::Shape)?;
            let value = percent_decode_str(value).decode_utf8();
            let value = value.map_err(|_| OfferError::Shape)?.into_owned();
            match word {
                "name" if name.is_none() => name = Some(value),
                "secret" if secret.is_none() => secret = Some(OfferSecret::try_from(value)?),
                "at" => addresses.push(value),
                _ => return Err(OfferError::Parameter),
            }
        }
        let is_short = |address: &String| (1..=ADDRESS_BYTES_MAX).contains(&address.len());
        if addresses.len() > OFFER_ADDRESSES_MAX || !addresses.iter().all(is_short) {
            return Err(OfferError::Addresses);
        }
        let name = name.and_then(|name| name.parse().ok());
        Ok(Self {
            key,
            name: name.ok_or(OfferError::Name)?,
            secret,
            addresses,
        })
    }
}

#[cfg(test)]
mod tests {
    use keys::{Algorithm, SigningKey};
    use proptest::prelude::{prop_assert_eq, proptest};

    use super::*;

    fn offer(name: &str) -> Offer {
        let key = SigningKey::from_secret(Algorithm::P256, &[7; 32]).unwrap();
        Offer {
            key: key.public(),
            name: name.parse().unwrap(),
            secret: Some(OfferSecret([0xab; SECRET_BYTES])),
            addresses: vec!["/ip4/192.0.2.1/tcp/4001".to_owned()],
        }
    }

    #[test]
    fn is_one_line_that_can_be_read_again() {
        let offer = offer("Grand-mère & co?");
        let text = offer.to_string();
        assert!(text.starts_with("streembit:contact/0"), "{text}");
        assert!(text.contains("at=/ip4/192.0.2.1/tcp/4001"), "{text}");
        assert!(text.is_ascii());
        assert_eq!(format!(" {text}\n").parse(), Ok(offer));
    }

    #[test]
    fn refuses_what_it_does_not_know() {
        let good = offer("bob").to_string();
        let key = &good[SCHEME.len()..][..66];
        let many = "&at=/dns/example.com".repeat(OFFER_ADDRESSES_MAX + 1);
        let long = "&at=".to_owned() + &"x".repeat(ADDRESS_BYTES_MAX + 1);
        for (text, error) in [
            ("https://example.com".to_owned(), OfferError::Shape),
            (format!("{SCHEME}{key}"), OfferError::Shape),
            (format!("{SCHEME}{}?name=bob", &key[1..]), OfferError::Key),
            (format!("{SCHEME}{key}?at=/dns/a"), OfferError::Name),
            (format!("{SCHEME}{key}?name="), OfferError::Name),
            (format!("{SCHEME}{key}?name=%ff"), OfferError::Shape),
            (
                format!("{SCHEME}{key}?name=b&secret=AB"),
                OfferError::Secret,
            ),
            (format!("{good}&name=eve"), OfferError::Parameter),
            (format!("{good}&evil=1"), OfferError::Parameter),
            (format!("{good}{many}"), OfferError::Addresses),
            (format!("{good}{long}"), OfferError::Addresses),
            (
                good + &" ".repeat(9) + &"a".repeat(OFFER_BYTES_MAX),
                OfferError::Shape,
            ),
        ] {
            assert_eq!(text.parse::<Offer>(), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn reads_what_it_wrote(name in "[a-zé☎&=?%#/ +]{0,20}x") {
            let Ok(name) = name.trim().parse() else { return Ok(()) };
            let offer = Offer { name, ..offer("bob") };
            prop_assert_eq!(offer.to_string().parse(), Ok(offer));
        }

        #[test]
        fn nothing_makes_it_panic(text in "(streembit:contact/)?[0-9a-f]{0,66}[?&=%a-z0-9]{0,80}") {
            drop(text.parse::<Offer>());
        }
    }
}
