//! The files of a private network, `networks/NAME` in the data folder: what is signed in `membership.json`, what is
//! this node's own in `access.json`. Commands and a running node change them under one lock.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use cli::durable::{self, Access as FileAccess, Lock, PathError};
use libp2p::Multiaddr;
use protocol::network::invitation::PresharedKey;
use protocol::network::{Membership, MembershipError, NetworkName};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

const FOLDER: &str = "networks";
const MEMBERSHIP: &str = "membership.json";
const ACCESS: &str = "access.json";
/// Bytes of either file, and of an exported one: a charter and a member list with what is beside them.
const FILE_BYTES_MAX: u64 = 512 * 1024;

/// How a node gets into a network.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// Addresses of members' nodes, ending in `/p2p/PEER_ID`.
    pub addresses: Vec<String>,
    /// The key that all members share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub psk: Option<PresharedKey>,
}

impl Access {
    /// The addresses that can be dialled.
    pub fn multiaddrs(&self) -> Vec<Multiaddr> {
        let addresses = self.addresses.iter();
        addresses.filter_map(|text| text.parse().ok()).collect()
    }
}

/// What one node gives to another by hand: no secret is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exported {
    /// The charter.
    pub charter: String,
    /// The member list.
    pub members: String,
}

/// Why files can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Not readable or not writable.
    #[error(transparent)]
    Path(#[from] PathError),
    /// Damaged.
    #[error("{path}: {source}")]
    Json {
        /// The file.
        path: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// Nothing is there.
    #[error("no network in {0}; fix: `streembit network join`, `create` or `import`")]
    Missing(String),
    /// Something is there already.
    #[error("a network is in {0} already; fix: `streembit network leave`, or another name")]
    Taken(String),
    /// Another process holds it.
    #[error("{0} is held by another process; fix: try again")]
    Locked(String),
    /// What is in it is refused.
    #[error(transparent)]
    Membership(#[from] MembershipError),
}

/// The folder of one network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    folder: PathBuf,
}

/// The networks in a data folder.
///
/// # Errors
/// [`PlaceError::Path`].
pub fn names(data_directory: &Path) -> Result<Vec<NetworkName>, PlaceError> {
    let folder = data_directory.join(FOLDER);
    let listed = match fs::read_dir(&folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listed => listed.map_err(|error| PathError::new(&folder, error))?,
    };
    let named = listed.flatten().filter_map(|entry| {
        let is_network = entry.path().join(MEMBERSHIP).exists();
        entry
            .file_name()
            .to_str()
            .filter(|_| is_network)?
            .parse()
            .ok()
    });
    let mut names: Vec<NetworkName> = named.collect();
    names.sort();
    Ok(names)
}

impl Place {
    /// The folder of a network.
    pub fn of(data_directory: &Path, name: &NetworkName) -> Self {
        Self {
            folder: data_directory.join(FOLDER).join(name.as_str()),
        }
    }

    /// Its path.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The network's name.
    pub fn name(&self) -> String {
        let name = self.folder.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// Whether a network is there.
    pub fn exists(&self) -> bool {
        self.folder.join(MEMBERSHIP).exists()
    }

    /// Makes it.
    ///
    /// # Errors
    /// [`PlaceError::Taken`] if one is there.
    pub fn create(&self, membership: &Membership, access: &Access) -> Result<(), PlaceError> {
        durable::create_folder(&self.folder)?;
        let _lock = self.lock()?;
        if self.exists() {
            return Err(PlaceError::Taken(self.folder.display().to_string()));
        }
        self.write(ACCESS, access)?;
        self.write(MEMBERSHIP, membership)
    }

    /// What is held of the network.
    ///
    /// # Errors
    /// [`PlaceError`].
    pub fn load(&self) -> Result<Membership, PlaceError> {
        let held = self.read(MEMBERSHIP)?;
        held.ok_or_else(|| PlaceError::Missing(self.folder.display().to_string()))
    }

    /// How this node gets in.
    ///
    /// # Errors
    /// [`PlaceError`].
    pub fn access(&self) -> Result<Access, PlaceError> {
        Ok(self.read(ACCESS)?.unwrap_or_default())
    }

    /// Replaces how this node gets in.
    ///
    /// # Errors
    /// [`PlaceError`].
    pub fn set_access(&self, access: &Access) -> Result<(), PlaceError> {
        let _lock = self.lock()?;
        self.write(ACCESS, access)
    }

    /// Changes what is held and stores it if it differs then.
    ///
    /// # Errors
    /// [`PlaceError`]; nothing has changed then.
    pub fn change<T>(
        &self,
        change: impl FnOnce(&mut Membership) -> Result<T, MembershipError>,
    ) -> Result<T, PlaceError> {
        if !self.exists() {
            return Err(PlaceError::Missing(self.folder.display().to_string()));
        }
        let _lock = self.lock()?;
        let stored = self.load()?;
        let mut held = stored.clone();
        let result = change(&mut held)?;
        if held != stored {
            self.write(MEMBERSHIP, &held)?;
        }
        Ok(result)
    }

    /// Removes it, with the records that were stored for its members.
    ///
    /// # Errors
    /// [`PlaceError`].
    pub fn remove(&self) -> Result<(), PlaceError> {
        let lock = self.lock()?;
        durable::remove(&self.folder.join(MEMBERSHIP))?;
        drop(lock);
        fs::remove_dir_all(&self.folder)
            .and_then(|()| durable::sync_folder_of(&self.folder))
            .map_err(|error| PathError::new(&self.folder, error).into())
    }

    /// Takes what another node exported; makes the network if none is there yet.
    ///
    /// # Errors
    /// [`PlaceError`].
    pub fn import(&self, file: &Path, now: u64) -> Result<(), PlaceError> {
        let exported = read_exported(file)?;
        if !self.exists() {
            let mut membership = Membership::of_charter(&exported.charter, now)?;
            membership.adopt(&exported.members, now)?;
            return self.create(&membership, &Access::default());
        }
        self.change(|held| {
            held.adopt(&exported.charter, now)?;
            // A file that is behind brings a list under an older charter.
            match held.adopt(&exported.members, now) {
                Err(MembershipError::OtherCharter) => Ok(()),
                result => result.map(drop),
            }
        })
    }

    fn lock(&self) -> Result<Lock, PlaceError> {
        let lock = Lock::acquire(&self.folder)?;
        lock.ok_or_else(|| PlaceError::Locked(self.folder.display().to_string()))
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, PlaceError> {
        let path = self.folder.join(name);
        let bytes = durable::read_if_there(&path, FILE_BYTES_MAX)?;
        bytes.map(|bytes| parse(&path, &bytes)).transpose()
    }

    fn write(&self, name: &str, value: &impl Serialize) -> Result<(), PlaceError> {
        let path = self.folder.join(name);
        let text = serde_json::to_string_pretty(value).map_err(|source| PlaceError::Json {
            path: path.display().to_string(),
            source,
        })?;
        Ok(durable::replace(&path, text.as_bytes(), FileAccess::Owner)?)
    }
}

/// Reads an exported file.
///
/// # Errors
/// [`PlaceError`].
pub fn read_exported(file: &Path) -> Result<Exported, PlaceError> {
    parse(file, &durable::read(file, FILE_BYTES_MAX)?)
}

fn parse<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T, PlaceError> {
    serde_json::from_slice(bytes).map_err(|source| PlaceError::Json {
        path: path.display().to_string(),
        source,
    })
}

#[cfg(test)]
mod tests;
