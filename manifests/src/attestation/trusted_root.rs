//! `trusted_root.json`: the log's key as cosign and the sigstore libraries take it. They look at the log alone; what
//! witnesses say they don't read.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tlog::vkey::{Scheme, VerifierKey};

use crate::instant::UtcTime;
use crate::json::{self, Json};

const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.trustedroot+json;version=0.1";

/// The file for one log; `None` unless its key signs notes.
///
/// * `since`: from when on its signatures count.
pub fn trusted_root(log: &VerifierKey, since: UtcTime) -> Option<Vec<u8>> {
    let Scheme::Note(key) = log.scheme() else {
        return None;
    };
    let base64 = |bytes: &[u8]| Json::from(STANDARD.encode(bytes).as_str());
    let valid = Json::object([("start", since.to_string().as_str().into())]);
    let public = Json::object([
        ("rawBytes", base64(&key.to_spki_der())),
        ("keyDetails", "PKIX_ED25519".into()),
        ("validFor", valid),
    ]);
    let id = Json::object([("keyId", base64(&log.long_id()))]);
    let log = Json::object([
        ("baseUrl", format!("https://{}", log.name()).as_str().into()),
        ("hashAlgorithm", "SHA2_256".into()),
        ("publicKey", public),
        ("logId", id.clone()),
        ("checkpointKeyId", id),
    ]);
    let root = Json::object([
        ("mediaType", MEDIA_TYPE.into()),
        ("tlogs", Json::Array(vec![log])),
        ("certificateAuthorities", Json::Array(Vec::new())),
        ("ctlogs", Json::Array(Vec::new())),
        ("timestampAuthorities", Json::Array(Vec::new())),
    ]);
    Some(json::encode_pretty(&root))
}

#[cfg(test)]
mod tests;
