//! The device pin: what a device trusts from the factory, in one file.
//!
//! It holds the exact bytes of root version 1, whose SHA-256 is the publisher's id, and what this
//! device follows. Everything else is learnt from signed metadata.

pub mod requirements;

use std::time::Duration;

use keys::PublicKey;

use crate::digest::{DigestError, Sha256};
use crate::envelope::{Envelope, Metadata as _, ParseError, VerifyError};
use crate::header::wrong_version;
use crate::json::{self, Json, JsonError, wrong};
use crate::limits::{PIN_BYTES_MAX, ROOT_BYTES_MAX};
use crate::name::Name;
use crate::root::Root;
use requirements::Requirements;

/// Schema of the file; a reader refuses any other.
const SCHEMA: &str = "streembit-pin/1";

/// A parsed and verified pin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pin {
    /// SHA-256 of the bytes of root version 1.
    pub publisher_id: Sha256,
    /// The account key that signs release heads.
    pub account: PublicKey,
    /// The product that the device is.
    pub product: Name,
    /// The channel it follows.
    pub channel: Name,
    /// Releases below this security version are refused, whatever was seen.
    pub min_security_version: u64,
    /// How old the newest signed timestamp may be before the device reports that it is cut off.
    pub max_staleness: Duration,
    /// What a release has to show beyond its metadata.
    pub requirements: Requirements,
    /// Root version 1, byte for byte.
    pub root: Vec<u8>,
}

/// Why a pin is refused.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// Longer than [`PIN_BYTES_MAX`].
    #[error("pin is longer than {PIN_BYTES_MAX} bytes")]
    TooLong,
    /// Malformed.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// The root it holds is malformed.
    #[error("root of the pin: {0}")]
    Root(#[from] ParseError),
    /// The root it holds is not signed by its own threshold of keys.
    #[error("root of the pin: {0}")]
    Unsigned(#[from] VerifyError),
    /// The publisher id is not the hash of the root.
    #[error("publisher_id is not the sha256 of the root")]
    Mismatch,
}

impl Pin {
    /// Parses a pin and checks it against itself.
    ///
    /// # Errors
    /// [`PinError`]; a pin without keys or with a root that does not verify is never accepted (M28).
    pub fn parse(bytes: &[u8]) -> Result<Self, PinError> {
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > PIN_BYTES_MAX {
            return Err(PinError::TooLong);
        }
        let json = json::parse(bytes)?;
        if json.string("schema")? != SCHEMA {
            return Err(wrong("schema", "`streembit-pin/1`").into());
        }
        let name = |member: &'static str| {
            Name::parse(json.string(member)?).map_err(|_| wrong(member, "a flat name"))
        };
        let publisher_id = Sha256::parse(json.string("publisher_id")?)
            .map_err(|DigestError| wrong("publisher_id", "64 lower-case hex digits"))?;
        let root = json.string("root")?.as_bytes().to_vec();
        if Sha256::of(&root) != publisher_id {
            return Err(PinError::Mismatch);
        }
        let account = pinned_account(&root)?;
        if json.string("account")? != account.to_hex() {
            return Err(wrong("account", "the account named by the root").into());
        }
        Ok(Self {
            publisher_id,
            account,
            product: name("product")?,
            channel: name("channel")?,
            min_security_version: json.integer("min_security_version", 0)?,
            max_staleness: Duration::from_secs(json.integer("max_staleness_s", 1)?),
            requirements: Requirements::parse(&json)?,
            root,
        })
    }

    /// Makes a pin for a repository whose root version 1 is `root`.
    ///
    /// # Errors
    /// [`PinError`] if the root is unfit: not self-signed, or naming no account.
    pub fn new(
        root: &[u8],
        product: Name,
        channel: Name,
        max_staleness: Duration,
    ) -> Result<Self, PinError> {
        Ok(Self {
            publisher_id: Sha256::of(root),
            account: pinned_account(root)?,
            product,
            channel,
            min_security_version: 0,
            max_staleness,
            requirements: Requirements::default(),
            root: root.to_vec(),
        })
    }

    /// Encodes the pin.
    pub fn encode(&self) -> Vec<u8> {
        let text = |value: &str| Json::from(value);
        let mut members = vec![
            ("schema", text(SCHEMA)),
            ("publisher_id", text(&self.publisher_id.to_string())),
            ("account", text(&self.account.to_hex())),
            ("product", text(self.product.as_str())),
            ("channel", text(self.channel.as_str())),
            (
                "min_security_version",
                Json::from(self.min_security_version),
            ),
            ("max_staleness_s", Json::from(self.max_staleness.as_secs())),
            ("root", text(&String::from_utf8_lossy(&self.root))),
        ];
        members.extend(self.requirements.to_members());
        let members = members.into_iter();
        let members = members
            .map(|(name, json)| (name.to_owned(), json))
            .collect();
        json::encode_pretty(&Json::Object(members))
    }
}

/// Verifies root version 1 by itself and returns the account it names.
fn pinned_account(root: &[u8]) -> Result<PublicKey, PinError> {
    if u64::try_from(root.len()).unwrap_or(u64::MAX) > ROOT_BYTES_MAX {
        return Err(PinError::TooLong);
    }
    let root = Envelope::<Root>::parse(root)?.verify_self()?;
    if root.header().version != 1 {
        return Err(PinError::Root(wrong_version().into()));
    }
    let account = root.account().cloned();
    account.ok_or(PinError::Json(JsonError::Missing("x-streembit-account")))
}
