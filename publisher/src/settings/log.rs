//! `[log]`: the transparency log's name and keys, and whose word on builds is taken.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// The transparency log; its policy is `log/policy`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    /// The log's name: a host without a path, which cosign asks for.
    pub origin: String,
    /// Key URI of the Ed25519 key that signs checkpoints.
    pub key: String,
    /// Key URI of the P-256 key that signs images and what releases say of themselves.
    pub statements: String,
    /// Whose provenance counts, by builder ids.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub builders: BTreeMap<String, BuilderSettings>,
}

/// A builder: its key as a key URI or the file of a public key (`….pem`), and what it is believed of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum BuilderSettings {
    /// The key alone.
    Key(String),
    /// The key, and what provenance has to say to count.
    Expecting(ExpectingBuilder),
}

/// See [`manifests::statement_keys::Expectations`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ExpectingBuilder {
    /// Its key.
    pub key: String,
    /// The build type.
    pub build_type: Option<String>,
    /// The repository.
    pub source: Option<String>,
    /// Names of parameters.
    pub parameters: Option<BTreeSet<String>>,
}
