//! A change in the making: the repository held for writing, what is in force, what is staged.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::SystemTime;

use cli::durable::Lock;
use cli::exit::Context as _;
use cli::{CliError, Exit, Output};
use keys::RoleKey;
use manifests::author::Draft;
use manifests::delegations::Delegations;
use manifests::header::Header;
use manifests::instant::UtcTime;
use manifests::json::Json;
use manifests::limits::TARGETS_BYTES_MAX;
use manifests::name::Name;
use manifests::targets::Targets;

use crate::edit;
use crate::preview::Preview;
use crate::repository::{Layout, product_of};
use crate::settings::{self, Settings};
use crate::staged::{InForce, Lack, Staged};

/// A change, by the only writer.
#[derive(Debug)]
pub struct Change {
    /// The repository.
    pub layout: Layout,
    /// Its settings.
    pub settings: Settings,
    /// What devices trust now.
    pub in_force: InForce,
    /// What is staged.
    pub staged: Staged,
    /// What is staged beside it and not part of this change.
    aside: Staged,
    /// When the change is made.
    pub now: UtcTime,
    _lock: Lock,
}

impl Change {
    /// Opens the repository with what is staged.
    ///
    /// # Errors
    /// As [`Change::open_unstaged`]; what is staged is malformed.
    pub fn open(folder: &Path) -> Result<Self, CliError> {
        let mut change = Self::open_unstaged(folder)?;
        change.staged = Staged::load(&change.layout, &change.in_force)?;
        Ok(change)
    }

    /// Opens the repository for a change that is published by itself; what is staged stays staged.
    ///
    /// # Errors
    /// [`CliError`]: [`Exit::Retry`] if another writer has it; what is in force does not verify.
    pub fn open_unstaged(folder: &Path) -> Result<Self, CliError> {
        let (layout, settings) = (Layout::new(folder), Settings::load(folder)?);
        let lock = layout.lock()?;
        Ok(Self {
            in_force: InForce::load(&layout)?,
            staged: Staged::default(),
            aside: Staged::default(),
            now: UtcTime::from_system(SystemTime::now()),
            layout,
            settings,
            _lock: lock,
        })
    }

    /// Opens the repository where something is staged.
    ///
    /// # Errors
    /// [`CliError`] if nothing is.
    pub fn open_staged(folder: &Path) -> Result<Self, CliError> {
        let change = Self::open(folder)?;
        if change.staged.documents.is_empty() {
            return Err(CliError::new(Exit::No, "nothing is staged")
                .hint("root, role, keys, release and yank stage changes; refresh needs none"));
        }
        Ok(change)
    }

    /// Opens the repository for a change of a product's role that is published by itself; what else
    /// is staged stays staged. Returns the product: the named one, or the only one.
    ///
    /// # Errors
    /// [`CliError`] if there is no such product, or a change of its role is staged already.
    pub fn open_product(folder: &Path, named: Option<&Name>) -> Result<(Self, Name), CliError> {
        let mut change = Self::open(folder)?;
        let product = change
            .settings
            .product(named, &change.in_force.repository)?;
        change.check_unstaged(product.as_str())?;
        product_of(&change.in_force.repository, &product)?;
        change.aside = std::mem::take(&mut change.staged);
        Ok((change, product))
    }

    /// Refuses a change of a role where another is staged.
    ///
    /// # Errors
    /// [`CliError`] then.
    pub fn check_unstaged(&self, role: &str) -> Result<(), CliError> {
        if !self.staged.documents.contains_key(role) {
            return Ok(());
        }
        let message = format!("a change of {role} is staged already");
        Err(CliError::new(Exit::No, message)
            .hint("streembit-publisher publish, or stage --discard"))
    }

    /// Begins a role that nothing is published of.
    ///
    /// # Errors
    /// [`CliError`] if there is such a role.
    pub fn begin(&mut self, role: &str) -> Result<(), CliError> {
        self.check_unstaged(role)?;
        if self.in_force.documents.contains_key(role) {
            let message = format!("there is a role {role} already");
            return Err(CliError::new(Exit::Usage, message).hint("streembit-publisher keys list"));
        }
        let header = Header {
            version: self.in_force.version_of(role) + 1,
            expires: self.now.after(self.settings.lives()?.of(role)),
        };
        let empty = Targets::new(header, BTreeMap::new(), Delegations::default());
        let mut draft = Draft::new(empty.to_signed());
        if header.version > 1 {
            // Devices of a role that comes back remember its releases.
            let name = format!("{}.{role}.json", header.version - 1);
            let before = self.layout.read_file(&name, TARGETS_BYTES_MAX)?;
            let before = Draft::parse(&before).context(Exit::No, name)?;
            let newest = edit::newest(before.signed());
            draft.edit(|signed| edit::set_newest(signed, newest))?;
        }
        self.staged.documents.insert(role.to_owned(), draft);
        Ok(())
    }

    /// Changes the next version of a role, begun from the one in force if need be.
    ///
    /// # Errors
    /// [`CliError`] of `edit`, or if there is no such role. Nothing is written.
    pub fn edit(
        &mut self,
        role: &str,
        edit: impl FnOnce(&mut Json) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        if !self.staged.documents.contains_key(role) {
            let current = self
                .in_force
                .documents
                .get(role)
                .ok_or_else(|| match role {
                    "snapshot" | "timestamp" => CliError::new(
                        Exit::Usage,
                        format_args!("{role} is signed with every change"),
                    )
                    .hint("streembit-publisher refresh"),
                    _ => CliError::new(Exit::Usage, format_args!("there is no role {role}"))
                        .hint("streembit-publisher keys list"),
                })?;
            let mut draft = current.clone();
            let expires = self.now.after(self.settings.lives()?.of(role));
            draft.edit(|signed| edit::next_version(signed, expires))?;
            self.staged.documents.insert(role.to_owned(), draft);
        }
        match self.staged.documents.get_mut(role) {
            Some(draft) => draft.edit(edit),
            None => Ok(()),
        }
    }

    /// What signatures would change.
    pub fn preview(&self) -> Vec<Preview> {
        Preview::of(&self.in_force.documents, &self.staged.documents)
    }

    /// What is lacking before it can be published.
    ///
    /// # Errors
    /// [`CliError`] if a document is malformed, or does not follow the one in force.
    pub fn lacks(&self) -> Result<Vec<Lack>, CliError> {
        self.staged.lacks(&self.in_force)
    }

    /// Writes what is staged, unless it is something that could never be published.
    ///
    /// # Errors
    /// [`CliError`]; what was staged before stays.
    pub fn save(&mut self) -> Result<(), CliError> {
        self.renew_what_keys_ask_for()?;
        self.staged.demands(&self.in_force)?;
        let mut all = self.aside.clone();
        all.documents.extend(self.staged.documents.clone());
        all.save(&self.layout)
    }

    /// Stages the next version of every role that new keys or a new threshold leave without enough
    /// signatures: it has to be signed anew, or nothing could be published.
    fn renew_what_keys_ask_for(&mut self) -> Result<(), CliError> {
        for role in self.staged.outgrown(&self.in_force)? {
            self.edit(&role, |_| Ok(()))?;
        }
        Ok(())
    }

    /// What was published is staged no more.
    ///
    /// # Errors
    /// [`CliError`]; the next change finds out by itself then.
    pub fn unstage(&self) -> Result<(), CliError> {
        if self.staged.documents.is_empty() {
            return Ok(());
        }
        if self.aside.documents.is_empty() {
            Staged::discard(&self.layout)
        } else {
            self.aside.save(&self.layout)
        }
    }

    /// Signs with every key of the settings that may and can; keys that are elsewhere are passed over.
    ///
    /// # Errors
    /// [`CliError`] with [`Exit::Key`] if a key that is here can't be opened.
    pub fn sign_with_keys_here(&mut self, output: Output) -> Result<(), CliError> {
        let demands = self.staged.demands(&self.in_force)?;
        let wanted = |key: &RoleKey| {
            let mut demands = demands.iter();
            demands.any(|demand| demand.authority.distinct_keys().contains(key))
        };
        let uris = self.settings.uris();
        for signer in settings::signers(&self.layout.folder, &uris, wanted)? {
            let roles = self.staged.sign(&demands, &signer)?;
            let roles = roles.join(" ");
            output.note(format_args!("signed      {roles} by {}", signer.uri()));
        }
        Ok(())
    }
}
