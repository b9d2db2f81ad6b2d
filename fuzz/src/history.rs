//! A TUF repository over four releases, signed once: what a mirror could have kept and answer with.

use std::collections::BTreeSet;

use manifests::client::Stored;
use manifests::json;

use crate::repository::{Draft, Files, Part, Repository, key_id};

/// Label of the timestamp key after its rotation.
const ROTATED: &str = "timestamp-b";

/// All that was ever published.
#[derive(Debug)]
pub struct History {
    /// The repository as it was published, oldest first; the last is what an honest source has.
    pub stages: Vec<Files>,
    /// A device fresh from the factory, then one that followed each stage.
    pub devices: Vec<Stored>,
    /// Versions that each device has trusted, in the order of [`Part::ALL`]; 0 for what it has not seen.
    pub versions: Vec<[u64; 5]>,
    /// Every file of every stage.
    pub files: Vec<Vec<u8>>,
    /// Canonical form of every document: only these were signed.
    pub signed: BTreeSet<Vec<u8>>,
    last: Repository,
}

impl History {
    /// References with length and hash, as ours are.
    pub fn hashed() -> Self {
        Self::of(Repository::new())
    }

    /// References by version alone: changed bytes get past the hash, to parser and signatures.
    pub fn unhashed() -> Self {
        Self::of(Repository::unhashed())
    }

    fn of(repository: Repository) -> Self {
        let mut history = Self {
            stages: Vec::new(),
            devices: vec![repository.fresh_device()],
            versions: vec![[1, 0, 0, 0, 0]],
            files: Vec::new(),
            signed: BTreeSet::new(),
            last: repository,
        };
        history.publish();
        history.last.release(Part::Product);
        history.publish();
        let id = key_id(ROTATED);
        let rotate = |root: &mut Draft| root.set_role("timestamp", &[(&id, ROTATED)], 1);
        history.last.next_root(rotate);
        history.last.timestamp.sign_with(&[ROTATED]);
        history.last.release(Part::Timestamp);
        history.publish();
        history.last.release(Part::Targets);
        history.publish();
        history
    }

    fn publish(&mut self) {
        let files = self.last.files();
        for bytes in files.values() {
            let document = json::parse(bytes);
            let signed = document
                .as_ref()
                .ok()
                .and_then(|file| file.member("signed"));
            self.signed.extend(signed.map(json::canonical));
            self.files.push(bytes.clone());
        }
        self.devices.push(self.last.updated_device());
        let versions = Part::ALL.map(|part| self.last.draft(part).version());
        self.versions.push(versions);
        self.stages.push(files);
    }

    /// The newest document that is asked for as `name`, unsigned, with the version asked for.
    pub fn draft(&self, name: &str) -> Draft {
        let is = |part: &&Part| name.ends_with(&format!("{}.json", part.role()));
        let part = Part::ALL.iter().find(is).unwrap_or(&Part::Product);
        let mut draft = self.last.draft(*part).clone();
        if let Some(version) = name
            .split('.')
            .next()
            .and_then(|text| text.parse::<u64>().ok())
        {
            draft.set(&["version"], version);
        }
        draft
    }
}
