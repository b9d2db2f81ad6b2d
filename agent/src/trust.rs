//! The trusted metadata files, byte for byte as they were verified.

pub mod seen;

use std::path::{Path, PathBuf};

use cli::durable::{self, Access, PathError};
use cli::exit::Context as _;
use cli::{CliError, Exit};
use manifests::client::{Effect, Stored};
use manifests::limits;
use manifests::pin::Pin;

use seen::Seen;

/// The folder of trusted files.
#[derive(Clone, Debug)]
pub struct TrustStore {
    folder: PathBuf,
}

impl TrustStore {
    /// Names the folder in the data folder.
    pub fn new(data: &Path) -> Self {
        Self {
            folder: data.join("trusted"),
        }
    }

    /// What was last seen of the log.
    pub fn seen(&self) -> Seen {
        Seen::new(&self.folder)
    }

    /// Reads the pin that `init` stored.
    ///
    /// # Errors
    /// [`CliError`] with [`Exit::Usage`]: absent, writable by others, malformed. No pin never means
    /// "trust everybody" (threats M28).
    pub fn pin(&self) -> Result<Pin, CliError> {
        read_pin(&self.pin_path()).map_err(|error| error.hint("streembit-agent init --pin FILE"))
    }

    /// Whether there is a pin, readable or not.
    pub fn is_pinned(&self) -> bool {
        self.pin_path().exists()
    }

    fn pin_path(&self) -> PathBuf {
        self.folder.join("device.pin")
    }

    /// Stores a pin on a device that has none.
    ///
    /// # Errors
    /// [`CliError`] if the device has another one: trust is never replaced silently.
    pub fn store_pin(&self, pin: &Pin) -> Result<(), CliError> {
        durable::create_folder(&self.folder).context(Exit::No, "trusted files")?;
        let stored = durable::read_if_there(&self.pin_path(), limits::PIN_BYTES_MAX);
        match stored.context(Exit::No, "pin")? {
            Some(bytes) if bytes == pin.encode() => Ok(()),
            Some(_) => Err(CliError::new(
                Exit::Usage,
                format_args!("{} holds another pin", self.pin_path().display()),
            )
            .hint("to change whom the device trusts, start with a new data directory")),
            None => durable::replace(&self.pin_path(), &pin.encode(), Access::World)
                .context(Exit::No, "pin"),
        }
    }

    /// Reads what earlier runs trusted; on a new device the root of the pin.
    ///
    /// # Errors
    /// [`PathError`].
    pub fn load(&self, pin: &Pin) -> Result<Stored, PathError> {
        let read = |name: &str, limit| durable::read_if_there(&self.folder.join(name), limit);
        let role = read(&format!("{}.json", pin.product), limits::TARGETS_BYTES_MAX)?;
        Ok(Stored {
            root: read("root.json", limits::ROOT_BYTES_MAX)?.unwrap_or_else(|| pin.root.clone()),
            timestamp: read("timestamp.json", limits::TIMESTAMP_BYTES_MAX)?,
            snapshot: read("snapshot.json", limits::SNAPSHOT_BYTES_MAX)?,
            targets: read("targets.json", limits::TARGETS_BYTES_MAX)?,
            roles: role
                .map(|bytes| (pin.product.to_string(), bytes))
                .into_iter()
                .collect(),
        })
    }

    /// Carries out what the client wants stored, durably.
    ///
    /// # Errors
    /// [`PathError`]; the client must not go on then.
    pub fn apply(&self, effect: &Effect) -> Result<(), PathError> {
        match effect {
            Effect::Store(name, bytes) => {
                durable::replace(&self.folder.join(name), bytes, Access::World)
            }
            Effect::Delete(name) => durable::remove(&self.folder.join(name)),
        }
    }

    /// Keeps a validly signed file that contradicts the trusted one of its version, and that one, as
    /// `evidence/NAME.offered` and `evidence/NAME.trusted`. The first contradiction of a name stays: a
    /// source that offers more of them fills no disk.
    ///
    /// # Errors
    /// [`PathError`].
    pub fn keep_evidence(&self, name: &str, offered: &[u8]) -> Result<(), PathError> {
        let folder = self.folder.join("evidence");
        durable::create_folder(&folder)?;
        let kept = |end: &str| folder.join(format!("{name}.{end}"));
        if kept("offered").exists() {
            return Ok(());
        }
        // Consistent names carry a version that stored names don't.
        let stored = name.split_once('.').filter(|(version, _)| {
            !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit())
        });
        let stored = self.folder.join(stored.map_or(name, |(_, rest)| rest));
        let limit = limits::TARGETS_BYTES_MAX;
        if let Some(trusted) = durable::read_if_there(&stored, limit)? {
            durable::replace(&kept("trusted"), &trusted, Access::World)?;
        }
        durable::replace(&kept("offered"), offered, Access::World)
    }
}

/// Reads and verifies a pin file.
///
/// # Errors
/// [`CliError`] with [`Exit::Usage`] naming file and rule.
pub fn read_pin(path: &Path) -> Result<Pin, CliError> {
    durable::check_trustworthy(path).context(Exit::Usage, "device pin")?;
    let bytes = durable::read(path, limits::PIN_BYTES_MAX).context(Exit::Usage, "device pin")?;
    Pin::parse(&bytes).context(Exit::Usage, path.display())
}

#[cfg(test)]
mod tests;
