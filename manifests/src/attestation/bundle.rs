//! sigstore bundle v0.3 with a plain key: a signature over a file, or over a payload, and the proof that it was
//! logged.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keys::PublicKey;
use tlog::checkpoint::Checkpoint;
use tlog::hash::Hash;
use tlog::log_proof::{LogProof, NotLogged};
use tlog::note::Note;
use tlog::policy::{Accepted, Policy};

use super::dsse::{Envelope, base64_member};
use super::log_entry::{self, hashedrekord};
use crate::digest::Sha256;
use crate::json::{self, Json, JsonError, wrong};
use crate::limits::{BUNDLE_BYTES_MAX, LOG_ENTRY_BYTES_MAX, SIGNATURE_BYTES_MAX};

const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const FILE: &str = "messageSignature";
const ENVELOPE: &str = "dsseEnvelope";

/// What is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A file.
    File {
        /// SHA-256 of its bytes.
        sha256: Sha256,
        /// The signature over them, DER.
        signature: Vec<u8>,
    },
    /// A payload with its type.
    Envelope(Envelope),
}

impl Content {
    /// The member of a bundle that holds it: its name, and what is in it.
    pub fn to_member(&self) -> (&'static str, Json) {
        match self {
            Self::File { sha256, signature } => {
                let digest = Json::object([
                    ("algorithm", "SHA2_256".into()),
                    ("digest", base64(sha256.as_bytes())),
                ]);
                let signed = [("messageDigest", digest), ("signature", base64(signature))];
                (FILE, Json::object(signed))
            }
            Self::Envelope(envelope) => (ENVELOPE, envelope.to_json()),
        }
    }

    /// Reads whichever of the two members is there.
    ///
    /// # Errors
    /// [`JsonError`] naming the member.
    pub fn from_members(json: &Json) -> Result<Self, JsonError> {
        match (json.member(FILE), json.member(ENVELOPE)) {
            (Some(signed), None) => parse_file(signed),
            (None, Some(envelope)) => Ok(Self::Envelope(Envelope::from_json(envelope)?)),
            _ => Err(wrong(FILE, "there, or dsseEnvelope, and not both")),
        }
    }

    /// What the log holds of it; `None` for a key that logs take no signatures of.
    pub fn entry(&self, key: &PublicKey) -> Option<Vec<u8>> {
        match self {
            Self::File { sha256, signature } => hashedrekord(sha256, signature, key),
            Self::Envelope(envelope) => hashedrekord(&envelope.digest(), &envelope.signature, key),
        }
    }
}

/// A signature, and that it was logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bundle {
    /// What is signed.
    pub content: Content,
    /// The hint which key it is of: the SSH fingerprint.
    pub key_hint: String,
    /// The entry as it stands in the log.
    pub entry: Vec<u8>,
    /// That it stands there.
    pub proof: LogProof,
    /// `SHA-256(name ‖ 0x0A ‖ type ‖ key)` of the log.
    pub log_id: [u8; 32],
}

/// Why a bundle shows nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Not a bundle of this kind.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// Too long.
    #[error("a bundle has at most {BUNDLE_BYTES_MAX} bytes")]
    TooLong,
    /// It signs something else.
    #[error("the bundle is for a file with SHA-256 {0}")]
    OtherFile(Sha256),
    /// The key hasn't signed it.
    #[error("the signature does not verify under this key")]
    Signature,
    /// The log's entry is of another signature.
    #[error("the entry in the log is not of this signature and key")]
    Entry,
    /// It isn't in a log that counts.
    #[error(transparent)]
    NotLogged(#[from] NotLogged),
}

impl Bundle {
    /// The payload that is signed, if it isn't a file.
    pub const fn envelope(&self) -> Option<&Envelope> {
        match &self.content {
            Content::Envelope(envelope) => Some(envelope),
            Content::File { .. } => None,
        }
    }

    /// Whether a key has signed a file, and the log holds that.
    ///
    /// * `latest`: see [`Policy::accept`].
    ///
    /// # Errors
    /// [`BundleError`].
    pub fn verify_file(
        &self,
        file: &Sha256,
        key: &PublicKey,
        (policy, latest): (&Policy, u64),
    ) -> Result<Accepted, BundleError> {
        let Content::File { sha256, signature } = &self.content else {
            return Err(wrong(FILE, "there").into());
        };
        if sha256 != file {
            return Err(BundleError::OtherFile(*sha256));
        }
        let verified = key.verify_sha256(sha256.as_bytes(), signature);
        verified.map_err(|_| BundleError::Signature)?;
        self.verify_logged((sha256, signature), key, (policy, latest))
    }

    /// Whether a key has signed the payload, and the log holds that; the payload.
    ///
    /// # Errors
    /// [`BundleError`].
    pub fn verify_envelope(
        &self,
        key: &PublicKey,
        (policy, latest): (&Policy, u64),
    ) -> Result<(&Envelope, Accepted), BundleError> {
        let Content::Envelope(envelope) = &self.content else {
            return Err(wrong(ENVELOPE, "there").into());
        };
        envelope.verify(key)?;
        let signed = (&envelope.digest(), envelope.signature.as_slice());
        let accepted = self.verify_logged(signed, key, (policy, latest))?;
        Ok((envelope, accepted))
    }

    fn verify_logged(
        &self,
        (digest, signature): (&Sha256, &[u8]),
        key: &PublicKey,
        (policy, latest): (&Policy, u64),
    ) -> Result<Accepted, BundleError> {
        let expected = hashedrekord(digest, signature, key).ok_or(BundleError::Signature)?;
        if self.entry != expected {
            return Err(BundleError::Entry);
        }
        let leaf = Hash::of_leaf(&self.entry);
        let accepted = self.proof.verify(leaf, policy, latest)?;
        if accepted.log.long_id() != self.log_id {
            return Err(wrong("logId", "that of the log").into());
        }
        Ok(accepted)
    }

    /// The file's text.
    pub fn encode(&self) -> Vec<u8> {
        let hint = Json::object([("hint", self.key_hint.as_str().into())]);
        let material = Json::object([
            ("publicKey", hint),
            ("tlogEntries", Json::Array(vec![self.entry_json()])),
        ]);
        let content = self.content.to_member();
        let media_type = ("mediaType", MEDIA_TYPE.into());
        let bundle = Json::object([media_type, ("verificationMaterial", material), content]);
        json::encode_pretty(&bundle)
    }

    /// The entry as protobuf's JSON has it: numbers of 64 bits are strings.
    fn entry_json(&self) -> Json {
        let (kind, version) = log_entry::KIND;
        let checkpoint: Option<Checkpoint> = self.proof.checkpoint.text().parse().ok();
        let (size, root) = checkpoint.map_or((0, Vec::new()), |checkpoint| {
            (checkpoint.size, checkpoint.root.as_bytes().to_vec())
        });
        let hashes = self.proof.hashes.iter().map(|hash| base64(hash.as_bytes()));
        let note = self.proof.checkpoint.to_string();
        let proof = Json::object([
            ("logIndex", number(self.proof.index)),
            ("rootHash", base64(&root)),
            ("treeSize", number(size)),
            ("hashes", hashes.collect()),
            (
                "checkpoint",
                Json::object([("envelope", note.as_str().into())]),
            ),
        ]);
        Json::object([
            ("logIndex", number(self.proof.index)),
            ("logId", Json::object([("keyId", base64(&self.log_id))])),
            (
                "kindVersion",
                Json::object([("kind", kind.into()), ("version", version.into())]),
            ),
            ("inclusionProof", proof),
            ("canonicalizedBody", base64(&self.entry)),
        ])
    }

    /// Reads a bundle with a key's hint and one entry of a log.
    ///
    /// # Errors
    /// [`BundleError::Json`], [`BundleError::TooLong`].
    pub fn parse(bytes: &[u8]) -> Result<Self, BundleError> {
        if bytes.len() > BUNDLE_BYTES_MAX {
            return Err(BundleError::TooLong);
        }
        let json = json::parse(bytes)?;
        if json.string("mediaType")? != MEDIA_TYPE {
            return Err(wrong("mediaType", "that of a sigstore bundle v0.3").into());
        }
        let material = json.require("verificationMaterial")?;
        let key_hint = material.require("publicKey")?.string("hint")?.to_owned();
        let [entry] = material.items("tlogEntries", 1)? else {
            return Err(wrong("tlogEntries", "exactly one").into());
        };
        let content = Content::from_members(&json)?;
        // The hint of the envelope is that of the bundle, or the verifiers of sigstore refuse it.
        if let Content::Envelope(envelope) = &content
            && envelope.key_hint != key_hint
        {
            return Err(wrong("keyid", "the hint of the bundle").into());
        }
        let log_id = base64_member(entry.require("logId")?, "keyId", 32)?;
        Ok(Self {
            content,
            key_hint,
            proof: parse_proof(entry)?,
            entry: base64_member(entry, "canonicalizedBody", LOG_ENTRY_BYTES_MAX)?,
            log_id: log_id.try_into().map_err(|_| wrong("keyId", "32 bytes"))?,
        })
    }
}

fn parse_file(signed: &Json) -> Result<Content, JsonError> {
    let digest = signed.require("messageDigest")?;
    if digest.string("algorithm")? != "SHA2_256" {
        return Err(wrong("algorithm", "SHA2_256"));
    }
    let sha256 = base64_member(digest, "digest", 32)?;
    let sha256 = sha256.try_into().map_err(|_| wrong("digest", "32 bytes"))?;
    Ok(Content::File {
        sha256: Sha256::new(sha256),
        signature: base64_member(signed, "signature", SIGNATURE_BYTES_MAX)?,
    })
}

/// The proof of an entry; what it says twice must be the same.
fn parse_proof(entry: &Json) -> Result<LogProof, JsonError> {
    let proof = entry.require("inclusionProof")?;
    let index = parse_number(proof, "logIndex")?;
    if parse_number(entry, "logIndex")? != index {
        return Err(wrong("logIndex", "the same in entry and proof"));
    }
    let hashes = proof
        .items("hashes", tlog::limits::PROOF_HASHES_MAX)?
        .iter();
    let hashes = hashes.map(|hash| hash.as_str().and_then(|hash| hash.parse().ok()));
    let hashes = hashes.collect::<Option<Vec<Hash>>>();
    let note = proof.require("checkpoint")?.string("envelope")?;
    let checkpoint = Note::parse(note.as_bytes()).map_err(|_| wrong("envelope", "a note"))?;
    let said: Checkpoint = checkpoint
        .text()
        .parse()
        .map_err(|_| wrong("envelope", "a checkpoint"))?;
    if parse_number(proof, "treeSize")? != said.size
        || base64_member(proof, "rootHash", Hash::BYTES)? != said.root.as_bytes()
    {
        return Err(wrong("inclusionProof", "for the tree of its checkpoint"));
    }
    Ok(LogProof {
        extra: None,
        index,
        hashes: hashes.ok_or_else(|| wrong("hashes", "hashes in base64"))?,
        checkpoint,
    })
}

fn parse_number(json: &Json, name: &'static str) -> Result<u64, JsonError> {
    let text = json.string(name)?;
    let number: u64 = text
        .parse()
        .map_err(|_| wrong(name, "a number as a string"))?;
    if number.to_string() == text {
        Ok(number)
    } else {
        Err(wrong(name, "a number as a string"))
    }
}

fn number(number: u64) -> Json {
    number.to_string().as_str().into()
}

fn base64(bytes: &[u8]) -> Json {
    STANDARD.encode(bytes).as_str().into()
}

#[cfg(test)]
mod tests;
