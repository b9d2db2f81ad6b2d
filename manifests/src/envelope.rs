//! Signed documents and **the one verifier**.
//!
//! An [`Envelope`] is parsed but untrusted, and its content cannot be reached. Only
//! [`Envelope::verify`] gives a [`Verified`]. Thresholds count distinct public key bytes, not key
//! ids: one key under two ids counts once (threats M4).

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;

use keys::RoleKey;

use crate::header::{Header, HeaderError};
use crate::json::{self, Json, JsonError, wrong};
use crate::limits::{KEYS_MAX, SIGNATURE_BYTES_MAX, SIGNATURES_MAX};

/// A role's content that can stand in an envelope.
pub trait Metadata: Sized {
    /// The role's `_type`.
    const KIND: &'static str;
    /// Reads the content of `signed`.
    ///
    /// # Errors
    /// [`ParseError`] naming the member.
    fn from_signed(signed: &Json) -> Result<Self, ParseError>;
    /// Version and expiry.
    fn header(&self) -> &Header;
}

/// Why a document cannot be read. Nothing is said about trust.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not strict JSON, or a member is missing or malformed.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A common member is malformed.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// A key is malformed, or of a type or scheme that is not supported.
    #[error("key {id}: {reason}")]
    Key {
        /// The key's id, shortened.
        id: String,
        /// What is wrong with it.
        reason: String,
    },
    /// One key id signed twice.
    #[error("two signatures with the key id {0}")]
    DuplicateSignature(String),
    /// A name is not a flat name.
    #[error(transparent)]
    Name(#[from] crate::name::NameError),
}

/// Why a document is not trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// Fewer distinct keys of the role signed than its threshold asks for.
    #[error("{valid} of {threshold} required signatures are valid")]
    TooFewSignatures {
        /// Distinct keys whose signature is valid.
        valid: usize,
        /// The role's threshold.
        threshold: usize,
    },
}

/// The keys of a role and how many of them must sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    keys: BTreeMap<String, RoleKey>,
    threshold: usize,
}

impl Authority {
    /// Makes an authority of keys by their ids; `threshold` is 1 to [`KEYS_MAX`].
    ///
    /// # Errors
    /// [`JsonError::Type`] for another threshold (threats M3).
    pub fn new(keys: BTreeMap<String, RoleKey>, threshold: u64) -> Result<Self, JsonError> {
        match usize::try_from(threshold) {
            Ok(threshold) if (1..=KEYS_MAX).contains(&threshold) => Ok(Self { keys, threshold }),
            _ => Err(wrong("threshold", "between 1 and 128")),
        }
    }

    /// Reads `keyids` and `threshold` of a role; ids that `keys` does not hold never count.
    ///
    /// # Errors
    /// [`JsonError`] naming the member.
    pub fn parse(role: &Json, keys: &BTreeMap<String, RoleKey>) -> Result<Self, JsonError> {
        let mut chosen = BTreeMap::new();
        for id in role.items("keyids", KEYS_MAX)? {
            let id = id
                .as_str()
                .ok_or_else(|| wrong("keyids", "an array of strings"))?;
            if let Some(key) = keys.get(id) {
                chosen.insert(id.to_owned(), key.clone());
            }
        }
        Self::new(chosen, role.integer("threshold", 1)?)
    }

    /// How many distinct keys must sign.
    pub fn threshold(&self) -> usize {
        self.threshold
    }

    /// The distinct keys, by their bytes.
    pub fn distinct_keys(&self) -> BTreeSet<&RoleKey> {
        self.keys.values().collect()
    }

    /// The keys by their ids.
    pub fn keys(&self) -> &BTreeMap<String, RoleKey> {
        &self.keys
    }

    /// Encodes `keyids` and `threshold`.
    pub fn to_json(&self) -> Json {
        Json::Object(self.members())
    }

    /// `keyids` and `threshold`, for a role that has more members.
    pub(crate) fn members(&self) -> BTreeMap<String, Json> {
        let threshold = u64::try_from(self.threshold).unwrap_or(u64::MAX);
        BTreeMap::from([
            ("keyids".to_owned(), Json::strings(self.keys.keys())),
            ("threshold".to_owned(), Json::from(threshold)),
        ])
    }
}

/// Reads a `keys` object: key id to key. Ids are taken as written (TUF TAP 12): they are labels,
/// the key bytes count.
///
/// # Errors
/// [`ParseError`] for a malformed key or a type or scheme that is not supported (threats M6).
pub fn parse_keys(parent: &Json) -> Result<BTreeMap<String, RoleKey>, ParseError> {
    let mut keys = BTreeMap::new();
    for (id, key) in parent.members("keys", KEYS_MAX)? {
        let public = key.require("keyval")?.string("public")?;
        let parsed = RoleKey::from_tuf(key.string("keytype")?, key.string("scheme")?, public);
        let parsed = parsed.map_err(|error| ParseError::Key {
            id: id.chars().take(16).collect(),
            reason: error.to_string(),
        })?;
        keys.insert(id.clone(), parsed);
    }
    Ok(keys)
}

/// Encodes keys as a `keys` object.
pub fn keys_to_json<'a>(keys: impl IntoIterator<Item = (&'a String, &'a RoleKey)>) -> Json {
    let encode = |(id, key): (&String, &RoleKey)| {
        let tuf = key.to_tuf();
        let value = Json::object([
            ("keytype", Json::from(tuf.keytype.as_ref())),
            ("scheme", Json::from(tuf.scheme.as_ref())),
            (
                "keyval",
                Json::object([("public", Json::from(tuf.public.as_ref()))]),
            ),
        ]);
        (id.clone(), value)
    };
    Json::Object(keys.into_iter().map(encode).collect())
}

/// A parsed, untrusted document.
#[derive(Clone, Debug)]
pub struct Envelope<T> {
    content: T,
    canonical: Vec<u8>,
    signatures: BTreeMap<String, Vec<u8>>,
}

/// Content whose signatures were verified, with the keys that signed it.
#[derive(Clone, Debug)]
pub struct Verified<T> {
    content: T,
    canonical: Vec<u8>,
    signers: BTreeSet<RoleKey>,
}

impl<T: Metadata> Envelope<T> {
    /// Parses a document; the caller has bounded its length.
    ///
    /// # Errors
    /// [`ParseError`] for anything malformed. One empty or odd signature value is not: it just never
    /// counts, so that it can't spoil enough good ones (threats M2).
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let document = json::parse(bytes)?;
        let signed = document.require("signed")?;
        let content = T::from_signed(signed)?;
        let mut signatures = BTreeMap::new();
        for entry in document.items("signatures", SIGNATURES_MAX)? {
            let id = entry.string("keyid")?;
            let signature = hex::decode(entry.string("sig")?).unwrap_or_default();
            let bounded = signature.len() <= SIGNATURE_BYTES_MAX;
            let signature = if bounded { signature } else { Vec::new() };
            if signatures.insert(id.to_owned(), signature).is_some() {
                return Err(ParseError::DuplicateSignature(
                    id.chars().take(16).collect(),
                ));
            }
        }
        Ok(Self {
            content,
            canonical: json::canonical(signed),
            signatures,
        })
    }

    /// Verifies against the role's authority and releases the content.
    ///
    /// # Errors
    /// [`VerifyError::TooFewSignatures`]; nothing of the content is exposed then.
    pub fn verify(self, authority: &Authority) -> Result<Verified<T>, VerifyError> {
        let signers = self.signers(authority);
        if signers.len() < authority.threshold {
            let (valid, threshold) = (signers.len(), authority.threshold);
            return Err(VerifyError::TooFewSignatures { valid, threshold });
        }
        Ok(Verified {
            content: self.content,
            canonical: self.canonical,
            signers,
        })
    }

    /// The content if any key of `authority` signed it, under whatever id: for a file that this device
    /// verified before and stored, never for an offered one.
    pub(crate) fn signed_by_any(self, authority: &Authority) -> Option<Verified<T>> {
        let signed = |key: &&RoleKey| {
            let mut signatures = self.signatures.values();
            signatures.any(|bytes| key.verify(&self.canonical, bytes).is_ok())
        };
        let signers: BTreeSet<RoleKey> = authority.keys.values().filter(signed).cloned().collect();
        (!signers.is_empty()).then_some(Verified {
            content: self.content,
            canonical: self.canonical,
            signers,
        })
    }

    /// The content before it is verified: for a root, which names the keys that sign it, alone.
    pub(crate) fn unverified(&self) -> &T {
        &self.content
    }

    /// The distinct keys of `authority` with a valid signature.
    fn signers(&self, authority: &Authority) -> BTreeSet<RoleKey> {
        let valid = |id: &String, key: &RoleKey| {
            let signature = self.signatures.get(id);
            signature.is_some_and(|bytes| key.verify(&self.canonical, bytes).is_ok())
        };
        let by_id = authority.keys.iter();
        by_id
            .filter(|(id, key)| valid(id, key))
            .map(|(_, key)| key.clone())
            .collect()
    }
}

impl<T> Verified<T> {
    /// The keys whose signatures are valid.
    pub fn signers(&self) -> &BTreeSet<RoleKey> {
        &self.signers
    }

    pub(crate) fn with_signers(mut self, more: &BTreeSet<RoleKey>) -> Self {
        self.signers.extend(more.iter().cloned());
        self
    }

    /// The signed bytes in canonical form: equal bytes, equal meaning.
    pub fn canonical(&self) -> &[u8] {
        &self.canonical
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.content
    }
}

#[cfg(test)]
mod tests;
