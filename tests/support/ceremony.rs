//! A signer's own machine: it has keys and a memory of publishers, no repository and no network.

use std::path::{Path, PathBuf};

use clap::Parser as _;
use cli::program::Program as _;
use cli::{CliError, Exit};
use manifests::digest::Sha256;
use tempfile::TempDir;

/// A signer who has the publisher's id from a device's pin.
#[derive(Debug)]
pub struct Signer {
    folder: TempDir,
    publisher: String,
}

impl Signer {
    /// Takes the id of the publisher whose repository this is.
    pub fn new(repository: &Path) -> Self {
        let root = std::fs::read(repository.join("metadata/1.root.json")).unwrap();
        Self {
            folder: tempfile::tempdir().unwrap(),
            publisher: Sha256::of(&root).to_string(),
        }
    }

    /// The publisher's id.
    pub fn publisher(&self) -> &str {
        &self.publisher
    }

    /// A path on this machine.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Signs a file, naming the publisher.
    ///
    /// # Errors
    /// What `sign` would report.
    pub fn sign(&self, file: &str, key: &str) -> Result<Exit, CliError> {
        self.run(&["sign", file, "--key", key, "--publisher", &self.publisher])
    }

    /// Signs a file of a publisher that is known.
    ///
    /// # Errors
    /// As [`Signer::sign`].
    pub fn sign_known(&self, file: &str, key: &str) -> Result<Exit, CliError> {
        self.run(&["sign", file, "--key", key])
    }

    fn run(&self, args: &[&str]) -> Result<Exit, CliError> {
        let known = self.path("known");
        let start = ["publisher", "-q", "-C", "/nowhere"];
        let end = ["--known", known.to_str().unwrap()];
        publisher::args::Args::try_parse_from([&start[..], args, &end].concat())
            .unwrap()
            .run()
    }
}
