//! The catalog: root chain, snapshot, targets and product roles of a repository in one blob, each
//! file byte for byte. Its address is in the signed release head; trust comes from the files alone.

use std::collections::BTreeMap;

use crate::json::{self, Json, JsonError, wrong};
use crate::limits::{CATALOG_BYTES_MAX, CATALOG_FILES_MAX};
use crate::name::{Name, NameError};

const SCHEMA: &str = "streembit-catalog/1";

/// Metadata files by name, such as `2.root.json`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    files: BTreeMap<Name, String>,
}

/// Why a catalog can't be read or made.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// Longer than [`CATALOG_BYTES_MAX`].
    #[error("catalog is longer than {CATALOG_BYTES_MAX} bytes")]
    TooLong,
    /// Malformed.
    #[error(transparent)]
    Json(#[from] JsonError),
    /// A file name is not flat.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A file is not UTF-8 text.
    #[error("{0} is not UTF-8 text")]
    Text(Name),
}

impl Catalog {
    /// Without files.
    pub const EMPTY: Self = Self {
        files: BTreeMap::new(),
    };

    /// Parses a catalog.
    ///
    /// # Errors
    /// [`CatalogError`] for anything malformed.
    pub fn parse(bytes: &[u8]) -> Result<Self, CatalogError> {
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > CATALOG_BYTES_MAX {
            return Err(CatalogError::TooLong);
        }
        let json = json::parse(bytes)?;
        if json.string("schema")? != SCHEMA {
            return Err(wrong("schema", "`streembit-catalog/1`").into());
        }
        let mut files = BTreeMap::new();
        for (name, text) in json.members("files", CATALOG_FILES_MAX)? {
            let text = text
                .as_str()
                .ok_or_else(|| wrong("files", "an object of texts"))?;
            files.insert(Name::parse(name)?, text.to_owned());
        }
        Ok(Self { files })
    }

    /// Adds a file.
    ///
    /// # Errors
    /// [`CatalogError::Text`] if it is not UTF-8.
    pub fn insert(&mut self, name: Name, bytes: &[u8]) -> Result<(), CatalogError> {
        match std::str::from_utf8(bytes) {
            Ok(text) => {
                self.files.insert(name, text.to_owned());
                Ok(())
            }
            Err(_) => Err(CatalogError::Text(name)),
        }
    }

    /// The bytes of a file.
    pub fn file(&self, name: &str) -> Option<&[u8]> {
        let name = Name::parse(name).ok()?;
        self.files.get(&name).map(String::as_bytes)
    }

    /// Encodes the catalog; equal files give equal bytes.
    pub fn encode(&self) -> Vec<u8> {
        let files = self.files.iter();
        let files = files.map(|(name, text)| (name.to_string(), Json::from(text.as_str())));
        json::encode(&Json::object([
            ("schema", Json::from(SCHEMA)),
            ("files", Json::Object(files.collect())),
        ]))
    }
}

#[cfg(test)]
mod tests;
