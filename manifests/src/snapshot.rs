//! The snapshot role: versions of all targets roles at one moment (TUF 1.0.34 section 4.4).

use std::collections::BTreeMap;

use crate::envelope::{Metadata, ParseError};
use crate::file_meta::FileMeta;
use crate::header::Header;
use crate::json::{Json, wrong};
use crate::limits::SNAPSHOT_FILES_MAX;

/// Snapshot metadata: file name (`targets.json`, `<role>.json`) to what is said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    header: Header,
    files: BTreeMap<String, FileMeta>,
}

impl Snapshot {
    /// Builds a snapshot of files by name.
    pub fn new(header: Header, files: BTreeMap<String, FileMeta>) -> Self {
        Self { header, files }
    }

    /// What is said of the role `role`, without `.json`.
    pub fn role(&self, role: &str) -> Option<&FileMeta> {
        self.files.get(&format!("{role}.json"))
    }

    /// All files by name.
    pub fn files(&self) -> &BTreeMap<String, FileMeta> {
        &self.files
    }

    /// Encodes the signed part.
    pub fn to_signed(&self) -> Json {
        let files = self
            .files
            .iter()
            .map(|(name, meta)| (name.clone(), meta.to_json()))
            .collect();
        let [kind, spec, version, expires] = self.header.members(Self::KIND);
        Json::object([kind, spec, version, expires, ("meta", Json::Object(files))])
    }
}

impl Metadata for Snapshot {
    const KIND: &'static str = "snapshot";

    fn from_signed(signed: &Json) -> Result<Self, ParseError> {
        let header = Header::parse(signed, Self::KIND)?;
        let mut files = BTreeMap::new();
        for (name, meta) in signed.members("meta", SNAPSHOT_FILES_MAX)? {
            if !name.ends_with(".json") {
                return Err(wrong("meta", "an object of `<role>.json` entries").into());
            }
            files.insert(name.clone(), FileMeta::parse(meta)?);
        }
        Ok(Self { header, files })
    }

    fn header(&self) -> &Header {
        &self.header
    }
}
