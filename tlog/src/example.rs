//! Keys, notes and a log in memory, for tests.

use std::collections::BTreeMap;

use keys::{Algorithm, SigningKey};

use crate::checkpoint::Checkpoint;
use crate::edge::{Edge, Filled};
use crate::hash::Hash;
use crate::note::{self, Line, Note};
use crate::tile::Tile;
use crate::tree::{Tiles, Tree};
use crate::vkey::{Scheme, VerifierKey};

pub(crate) const ORIGIN: &str = "fwlog.acme.example";

/// A key that signs.
pub(crate) struct Signer {
    pub(crate) key: VerifierKey,
    signing: SigningKey,
}

impl Signer {
    pub(crate) fn log(name: &str, seed: u8) -> Self {
        Self::new(name, seed, Scheme::Note)
    }

    pub(crate) fn witness(name: &str, seed: u8) -> Self {
        Self::new(name, seed, Scheme::Cosignature)
    }

    fn new(name: &str, seed: u8, scheme: fn(keys::PublicKey) -> Scheme) -> Self {
        let signing = SigningKey::from_secret(Algorithm::Ed25519, &[seed; 32]).unwrap();
        let key = VerifierKey::new(name, scheme(signing.public())).unwrap();
        Self { key, signing }
    }

    pub(crate) fn sign(&self, note: &mut Note, time: u64) {
        let message = note::message(&self.key, note.text(), time).unwrap();
        let signature = self.signing.sign(&message);
        note.add(Line::new(&self.key, time, &signature));
    }
}

/// A log in memory.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) edge: Edge,
    files: BTreeMap<(u8, u64), Vec<Hash>>,
}

impl Log {
    /// Entries `0`, `1`, …, each its number as text.
    pub(crate) fn of(size: u64) -> Self {
        Self::with(size, |number| number.to_string())
    }

    pub(crate) fn with(size: u64, entry: impl Fn(u64) -> String) -> Self {
        let mut log = Self::default();
        for number in 0..size {
            let leaf = Hash::of_leaf(entry(number).as_bytes());
            let full = log.edge.append(leaf).unwrap();
            log.keep(full);
        }
        let partial = log.edge.partial();
        log.keep(partial);
        log
    }

    fn keep(&mut self, tiles: Vec<Filled>) {
        for (tile, hashes) in tiles {
            self.files.insert((tile.level(), tile.index()), hashes);
        }
    }

    pub(crate) fn tree(&self) -> Tree<'_, Self> {
        Tree::new(self, self.edge.size())
    }

    /// The checkpoint, signed by the log.
    pub(crate) fn note(&self, signer: &Signer) -> Note {
        let checkpoint = Checkpoint {
            origin: signer.key.name().to_owned(),
            size: self.edge.size(),
            root: self.edge.root(),
        };
        let mut note = Note::unsigned(&checkpoint.to_string()).unwrap();
        signer.sign(&mut note, 0);
        note
    }
}

impl Tiles for Log {
    type Error = std::convert::Infallible;

    fn tile(&self, tile: Tile) -> Result<Vec<Hash>, Self::Error> {
        let hashes = &self.files[&(tile.level(), tile.index())];
        Ok(hashes[..usize::from(tile.width())].to_vec())
    }
}
