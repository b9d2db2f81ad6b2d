//! One self-contained file with a staged change and what it changes, for signers on other machines.

use std::path::Path;

use cli::durable::{self, Access};
use cli::exit::Context as _;
use cli::{CliError, Exit};
use manifests::digest::Sha256;
use manifests::json::{self, Json};

use crate::change::Change;
use crate::repository::{OWN_CLOCK, TIMESTAMP, names_in_force, verify_with};
use crate::staged::{InForce, Staged};

/// Names the format.
const KIND: &str = "streembit-stage/1";
/// Bytes of a file: the metadata of a repository, as in a catalog.
const BYTES_MAX: u64 = manifests::limits::CATALOG_BYTES_MAX;
/// Files of the repository in force: its root chain and four roles.
const FILES_MAX: usize = manifests::limits::CATALOG_FILES_MAX;

/// A staged change on its way between machines.
#[derive(Debug)]
pub struct StageFile {
    /// SHA-256 of root version 1: whose change it is.
    pub publisher_id: Sha256,
    /// The metadata in force, by file name, byte for byte.
    files: Vec<(String, Vec<u8>)>,
    /// The change.
    pub staged: Staged,
}

impl StageFile {
    /// Takes the staged change of a repository.
    ///
    /// # Errors
    /// [`CliError`] naming the file.
    pub fn of(change: &Change) -> Result<Self, CliError> {
        let (layout, in_force) = (&change.layout, &change.in_force);
        let first = layout.first_root()?;
        let mut names = names_in_force(&in_force.repository);
        names.push(TIMESTAMP.to_owned());
        let mut files = Vec::new();
        for name in names {
            let bytes = layout.read_file(&name, BYTES_MAX)?;
            files.push((name, bytes));
        }
        Ok(Self {
            publisher_id: Sha256::of(&first),
            files,
            staged: change.staged.clone(),
        })
    }

    /// Verifies what is in force from the root chain in the file. Whether its first root is the right one
    /// is for the signer to compare: [`StageFile::publisher_id`].
    ///
    /// # Errors
    /// [`CliError`] naming file and rule.
    pub fn in_force(&self) -> Result<InForce, CliError> {
        let find = |name: &str| {
            let found = self.files.iter().find(|(found, _)| found == name);
            found.map(|(_, bytes)| bytes.clone())
        };
        let first = find("1.root.json").unwrap_or_default();
        let repository = verify_with(first, OWN_CLOCK, |request| Ok(find(&request.name)))?;
        InForce::of(repository, |name| Ok(find(name).unwrap_or_default()))
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`CliError`] naming file and member.
    pub fn load(path: &Path) -> Result<Self, CliError> {
        let bytes = durable::read(path, BYTES_MAX).context(Exit::Usage, "staged change")?;
        let parsed = Self::parse(&bytes);
        parsed.context(Exit::Usage, path.display())
    }

    fn parse(bytes: &[u8]) -> Result<Self, manifests::envelope::ParseError> {
        let document = json::parse(bytes)?;
        if document.string("type")? != KIND {
            return Err(json::wrong("type", KIND).into());
        }
        let publisher_id = Sha256::parse(document.string("publisher_id")?)
            .map_err(|_| json::wrong("publisher_id", "64 lower-case hex digits"))?;
        let mut files = Vec::new();
        for (name, text) in document.members("in_force", FILES_MAX)? {
            let text = text.as_str().ok_or_else(|| json::wrong(name, "a string"))?;
            files.push((name.clone(), text.as_bytes().to_vec()));
        }
        let first = files.iter().find(|(name, _)| name == "1.root.json");
        if first.is_none_or(|(_, bytes)| Sha256::of(bytes) != publisher_id) {
            return Err(json::wrong("publisher_id", "the digest of 1.root.json").into());
        }
        Ok(Self {
            publisher_id,
            files,
            staged: Staged::from_json(document.require("staged")?)?,
        })
    }

    /// Writes a file.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn save(&self, path: &Path) -> Result<(), CliError> {
        let text = |bytes: &[u8]| Json::from(String::from_utf8_lossy(bytes).as_ref());
        let files = self.files.iter();
        let in_force = files.map(|(name, bytes)| (name.clone(), text(bytes)));
        let document = Json::object([
            ("type", Json::from(KIND)),
            (
                "publisher_id",
                Json::from(self.publisher_id.to_string().as_str()),
            ),
            ("in_force", Json::Object(in_force.collect())),
            ("staged", self.staged.to_json()),
        ]);
        durable::replace(path, &json::encode_pretty(&document), Access::World)
            .context(Exit::No, "staged change")
    }
}
