//! The evidence pack: one tar file with all that it takes to verify a release without a network.
//!
//! ```text
//! pack.json                   which release
//! metadata/1.root.json …      the repository's metadata
//! evidence/…                  bundles, statements of others, the list of components
//! log/view                    the log's newest checkpoint, and how the log has grown to it
//! log/policy                  the publisher's own policy: a verifier uses its own
//! keys/release.pem            the key of images and statements, for other tools; the metadata names it
//! keys/trusted_root.json      the log's key, for sigstore's tools
//! ```

use std::collections::BTreeMap;

use crate::json::{self, Json, JsonError, wrong};

/// Which release.
pub const ABOUT: &str = "pack.json";
/// The metadata's folder.
pub const METADATA: &str = "metadata/";
/// The evidence's folder.
pub const EVIDENCE: &str = "evidence/";
/// The log's view.
pub const VIEW: &str = "log/view";
/// The publisher's policy.
pub const POLICY: &str = "log/policy";
/// The key of images and statements.
pub const RELEASE_KEY: &str = "keys/release.pem";
/// The log's key, for sigstore's tools.
pub const TRUSTED_ROOT: &str = "keys/trusted_root.json";
/// Bytes of one file of a pack: a list of components.
pub const FILE_BYTES_MAX: u64 = crate::limits::SBOM_BYTES_MAX;
/// Files of a pack: a root chain of 256, as many roles, evidence.
pub const FILES_MAX: usize = 1024;
/// Bytes of all files together.
pub const BYTES_MAX: u64 = 64 * 1024 * 1024;

const SCHEMA: &str = "streembit-pack/1";

/// Files of a pack by name.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Which release a pack is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The target's name.
    pub target: String,
    /// The product.
    pub product: String,
}

impl About {
    /// The file's text.
    pub fn encode(&self) -> Vec<u8> {
        json::encode_pretty(&Json::object([
            ("schema", SCHEMA.into()),
            ("product", self.product.as_str().into()),
            ("target", self.target.as_str().into()),
        ]))
    }

    /// Reads the file.
    ///
    /// # Errors
    /// [`JsonError`] naming the member.
    pub fn parse(bytes: &[u8]) -> Result<Self, JsonError> {
        let json = json::parse(bytes)?;
        if json.string("schema")? != SCHEMA {
            return Err(wrong("schema", "`streembit-pack/1`"));
        }
        Ok(Self {
            target: json.string("target")?.to_owned(),
            product: json.string("product")?.to_owned(),
        })
    }
}
