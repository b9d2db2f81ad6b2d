//! The release head: the only mutable thing of a publisher, one record per channel.
//!
//! It says where the newest signed metadata is. It is a hint: freshness and order come from the TUF
//! timestamp it carries, and stealing the account key that signs it can delay devices, never feed
//! them. The record certifies itself: it carries root version 1, whose SHA-256 is the publisher id
//! and whose signed part names the account, and the changes of account since then, so any node can check
//! that the right account signed.

use keys::{PublicKey, SigningKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::exchange::tree::Blob;
use crate::identity::account_change::{self, ChangeError};
use crate::jose::jws::{self, Claims, JwsError, KnownTime};
use crate::limits::{
    CATALOG_BYTES_MAX, HEAD_LIFE_MAX, HEAD_RECORD_BYTES_MAX, HEAD_ROOT_BYTES_MAX,
    HEAD_TIMESTAMP_BYTES_MAX,
};

/// `typ` of a release head.
pub const TYP: &str = "streembit-release-head";
/// Bytes of a channel's name.
const CHANNEL_BYTES_MAX: usize = 128;

/// What a release head carries beside its claims.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeadData {
    /// Grows with every release: the version of the timestamp.
    pub seq: u64,
    /// Root version 1, byte for byte.
    pub root: String,
    /// `timestamp.json`, byte for byte.
    pub timestamp: String,
    /// BLAKE3 root of the catalog, hex.
    pub catalog_blake3: String,
    /// Bytes of the catalog.
    pub catalog_size: u64,
    /// From the account that the root names to the one that signs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub account_changes: Vec<String>,
}

/// A verified release head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReleaseHead {
    /// SHA-256 of root version 1.
    pub publisher_id: [u8; 32],
    /// The channel.
    pub channel: String,
    /// The account that signed.
    pub account: PublicKey,
    /// Sequence number.
    pub seq: u64,
    /// When it was signed, seconds since 1970, by the account's word.
    pub issued: u64,
    /// First second in which the head is void.
    pub expires: u64,
    /// `timestamp.json`, not yet verified: that is the TUF client's work.
    pub timestamp: Vec<u8>,
    /// The catalog's content address.
    pub catalog: Blob,
}

/// Why a release head is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeadError {
    /// Not a valid token.
    #[error(transparent)]
    Jws(#[from] JwsError),
    /// Not valid at this time.
    #[error(transparent)]
    Time(#[from] jws::TimeError),
    /// A member is out of its bounds.
    #[error("`{0}` is out of bounds")]
    Bounds(&'static str),
    /// `sub`, `aud` or `jti` don't follow from the content.
    #[error("claims `sub`, `aud` or `jti` are not those of this head")]
    Claims,
    /// Neither does the root name the account that signed, nor do the changes lead to it.
    #[error("the publisher's root does not name the account that signed")]
    Account,
    /// A change of account is not valid.
    #[error(transparent)]
    Change(#[from] ChangeError),
}

/// What a publisher puts into a head.
#[derive(Clone, Copy, Debug)]
pub struct HeadContent<'a> {
    /// The channel.
    pub channel: &'a str,
    /// The version of the timestamp.
    pub seq: u64,
    /// First second in which the head is void.
    pub expires: u64,
    /// Root version 1, byte for byte.
    pub root: &'a str,
    /// `timestamp.json`, byte for byte.
    pub timestamp: &'a str,
    /// The catalog's content address.
    pub catalog: Blob,
    /// Changes of account since the root.
    pub account_changes: &'a [String],
}

/// Signs a release head at `now` (seconds since 1970) with the publisher's account key.
///
/// # Errors
/// [`HeadError`] if the result would not verify: root or timestamp too large, the wrong account.
pub fn sign(key: &SigningKey, content: &HeadContent<'_>, now: u64) -> Result<String, HeadError> {
    let publisher_id: [u8; 32] = Sha256::digest(content.root.as_bytes()).into();
    let claims = Claims {
        iss: String::new(),
        sub: hex::encode(publisher_id),
        aud: content.channel.to_owned(),
        iat: now,
        exp: content
            .expires
            .min(now.saturating_add(HEAD_LIFE_MAX.as_secs())),
        jti: content.seq.to_string(),
        data: HeadData {
            seq: content.seq,
            root: content.root.to_owned(),
            timestamp: content.timestamp.to_owned(),
            catalog_blake3: hex::encode(content.catalog.root),
            catalog_size: content.catalog.size,
            account_changes: content.account_changes.to_vec(),
        },
    };
    let token = jws::sign(key, TYP, claims)?;
    if token.len() > HEAD_RECORD_BYTES_MAX {
        return Err(HeadError::Bounds("root and timestamp"));
    }
    verify(token.as_bytes(), now)?;
    Ok(token)
}

/// Verifies a release head at `now`.
///
/// # Errors
/// [`HeadError`] naming the rule.
pub fn verify(token: &[u8], now: impl Into<KnownTime>) -> Result<ReleaseHead, HeadError> {
    let (claims, account) = jws::verify::<HeadData>(token, TYP, HEAD_RECORD_BYTES_MAX)?;
    claims.check_time(now, HEAD_LIFE_MAX)?;
    let data = claims.data;
    if data.root.len() > HEAD_ROOT_BYTES_MAX {
        return Err(HeadError::Bounds("root"));
    }
    if data.timestamp.len() > HEAD_TIMESTAMP_BYTES_MAX {
        return Err(HeadError::Bounds("timestamp"));
    }
    if !is_channel(&claims.aud) {
        return Err(HeadError::Bounds("aud"));
    }
    let mut root = [0; 32];
    let decoded = hex::decode_to_slice(&data.catalog_blake3, &mut root);
    if decoded.is_err() || hex::encode(root) != data.catalog_blake3 {
        return Err(HeadError::Bounds("catalog_blake3"));
    }
    if data.catalog_size == 0 || data.catalog_size > CATALOG_BYTES_MAX {
        return Err(HeadError::Bounds("catalog_size"));
    }
    let publisher_id: [u8; 32] = Sha256::digest(data.root.as_bytes()).into();
    if claims.sub != hex::encode(publisher_id) || claims.jti != data.seq.to_string() {
        return Err(HeadError::Claims);
    }
    let first = root_account(&data.root).ok_or(HeadError::Account)?;
    if account_change::follow(&first, &data.account_changes, &publisher_id)? != claims.iss {
        return Err(HeadError::Account);
    }
    Ok(ReleaseHead {
        publisher_id,
        channel: claims.aud,
        account,
        seq: data.seq,
        issued: claims.iat,
        expires: claims.exp,
        timestamp: data.timestamp.into_bytes(),
        catalog: Blob {
            root,
            size: data.catalog_size,
        },
    })
}

/// A channel's name is a safe file name: letters, digits, `.`, `_`, `-`, the first a letter or digit.
fn is_channel(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    text.len() <= CHANNEL_BYTES_MAX
        && text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.bytes().all(allowed)
}

/// The account that a root names. The root is trusted by its hash, so its bytes were chosen by the
/// publisher; only this one member is read.
fn root_account(root: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Document {
        signed: Signed,
    }
    #[derive(Deserialize)]
    struct Signed {
        #[serde(rename = "x-streembit-account")]
        account: String,
    }
    serde_json::from_str::<Document>(root)
        .ok()
        .map(|document| document.signed.account)
}
