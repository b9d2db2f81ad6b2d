//! The timestamp role: which snapshot is the newest (TUF 1.0.34 section 4.6).

use crate::envelope::{Metadata, ParseError};
use crate::file_meta::FileMeta;
use crate::header::Header;
use crate::json::Json;

/// Name of the one file a timestamp describes.
const SNAPSHOT_FILE: &str = "snapshot.json";

/// Timestamp metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timestamp {
    header: Header,
    snapshot: FileMeta,
}

impl Timestamp {
    /// Builds a timestamp for a snapshot.
    pub fn new(header: Header, snapshot: FileMeta) -> Self {
        Self { header, snapshot }
    }

    /// The snapshot it names.
    pub fn snapshot(&self) -> &FileMeta {
        &self.snapshot
    }

    /// Encodes the signed part.
    pub fn to_signed(&self) -> Json {
        let meta = Json::object([(SNAPSHOT_FILE, self.snapshot.to_json())]);
        let [kind, spec, version, expires] = self.header.members(Self::KIND);
        Json::object([kind, spec, version, expires, ("meta", meta)])
    }
}

impl Metadata for Timestamp {
    const KIND: &'static str = "timestamp";

    fn from_signed(signed: &Json) -> Result<Self, ParseError> {
        let header = Header::parse(signed, Self::KIND)?;
        let snapshot = FileMeta::parse(signed.require("meta")?.require(SNAPSHOT_FILE)?)?;
        Ok(Self { header, snapshot })
    }

    fn header(&self) -> &Header {
        &self.header
    }
}
