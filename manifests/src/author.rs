//! Encoding and signing of metadata, for publishers.

use keys::{PublicKey, RoleKey, SigningKey};

use crate::digest::Sha256;
use crate::envelope::{Authority, ParseError};
use crate::json::{self, Json, JsonError, canonical, encode_pretty, wrong};
use crate::limits::SIGNATURES_MAX;

/// A document on its way to enough signatures. Members that we don't know are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    signed: Json,
    /// Key id and signature in hex, in the order in which they came.
    signatures: Vec<(String, String)>,
}

impl Draft {
    /// Starts from the signed part, without signatures.
    pub fn new(signed: Json) -> Self {
        Self {
            signed,
            signatures: Vec::new(),
        }
    }

    /// Reads an envelope; nothing is verified.
    ///
    /// # Errors
    /// [`ParseError`] if it is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let document = json::parse(bytes)?;
        let mut draft = Self::new(document.require("signed")?.clone());
        for entry in document.items("signatures", SIGNATURES_MAX)? {
            let (id, signature) = (entry.string("keyid")?, entry.string("sig")?);
            if draft.signatures.iter().any(|(known, _)| known == id) {
                let id = id.chars().take(16).collect();
                return Err(ParseError::DuplicateSignature(id));
            }
            draft.put(id.to_owned(), signature.to_owned());
        }
        Ok(draft)
    }

    /// The signed part.
    pub fn signed(&self) -> &Json {
        &self.signed
    }

    /// Changes the signed part; signatures over the old one go.
    pub fn edit<T>(&mut self, edit: impl FnOnce(&mut Json) -> T) -> T {
        self.signatures.clear();
        edit(&mut self.signed)
    }

    /// The version.
    ///
    /// # Errors
    /// [`JsonError`] if there is none.
    pub fn version(&self) -> Result<u64, JsonError> {
        self.signed.integer("version", 1)
    }

    /// The bytes to be signed.
    pub fn message(&self) -> Vec<u8> {
        canonical(&self.signed)
    }

    /// SHA-256 of the bytes to be signed, for people to compare.
    pub fn digest(&self) -> Sha256 {
        Sha256::of(&self.message())
    }

    /// Adds a signature that `key` made over [`Draft::message`].
    pub fn add(&mut self, key: &PublicKey, signature: &[u8]) {
        self.put(key_id(key), hex::encode(signature));
    }

    /// A key signs once; the newest signature counts.
    fn put(&mut self, id: String, signature: String) {
        match self.signatures.iter_mut().find(|(known, _)| *known == id) {
            Some((_, known)) => *known = signature,
            None => self.signatures.push((id, signature)),
        }
    }

    /// Takes over the valid signatures by keys of `authorities` from another copy of the same signed part,
    /// and nothing else of it. Returns how many keys signed that had not.
    ///
    /// # Errors
    /// [`JsonError`] if the signed parts differ.
    pub fn merge(&mut self, other: &Self, authorities: &[&Authority]) -> Result<usize, JsonError> {
        let message = self.message();
        if message != other.message() {
            return Err(wrong("signed", "what is staged here"));
        }
        let before = self.signatures.len();
        for (id, signature) in &other.signatures {
            let Ok(bytes) = hex::decode(signature) else {
                continue;
            };
            let mut keys = authorities.iter().filter_map(|it| it.keys().get(id));
            if keys.any(|key| key.verify(&message, &bytes).is_ok()) {
                self.put(id.clone(), hex::encode(bytes));
            }
        }
        Ok(self.signatures.len().saturating_sub(before))
    }

    /// The distinct keys of `authority` whose signatures are valid.
    pub fn signers<'a>(&self, authority: &'a Authority) -> Vec<&'a RoleKey> {
        let message = self.message();
        let mut valid: Vec<&RoleKey> = authority
            .keys()
            .iter()
            .filter(|(id, key)| {
                let signature = self.signatures.iter().find(|(known, _)| known == *id);
                let bytes = signature.and_then(|(_, signature)| hex::decode(signature).ok());
                bytes.is_some_and(|bytes| key.verify(&message, &bytes).is_ok())
            })
            .map(|(_, key)| key)
            .collect();
        valid.sort();
        valid.dedup();
        valid
    }

    /// Encodes as an envelope that people can read.
    pub fn encode(&self) -> Vec<u8> {
        encode_pretty(&self.to_json())
    }

    /// Encodes as an envelope in one line, for documents that travel in records of the DHT.
    pub fn encode_compact(&self) -> Vec<u8> {
        json::encode(&self.to_json())
    }

    fn to_json(&self) -> Json {
        let entry = |(id, signature): &(String, String)| {
            Json::object([
                ("keyid", Json::from(id.as_str())),
                ("sig", Json::from(signature.as_str())),
            ])
        };
        Json::object([
            (
                "signatures",
                Json::Array(self.signatures.iter().map(entry).collect()),
            ),
            ("signed", self.signed.clone()),
        ])
    }
}

/// Signs the canonical form of `signed` with each key and returns the envelope's bytes.
///
/// Key ids are those of TUF 1.0.34 section 4.2: SHA-256 of the key's canonical form.
pub fn sign(signed: Json, signers: &[&SigningKey]) -> Vec<u8> {
    let mut draft = Draft::new(signed);
    let message = draft.message();
    for key in signers {
        let signature = hex::encode(key.sign(&message));
        draft.signatures.push((key_id(&key.public()), signature));
    }
    draft.encode()
}

/// The TUF key id of a key, 64 hex digits.
pub fn key_id(key: &PublicKey) -> String {
    key.to_tuf().id()
}

#[cfg(test)]
mod tests;
