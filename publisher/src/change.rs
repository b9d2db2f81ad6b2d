//! A change in the making: the repository held for writing, what is in force, what is staged.

use std::path::Path;
use std::time::SystemTime;

use cli::durable::Lock;
use cli::{CliError, Exit, Output};
use keys::RoleKey;
use manifests::instant::UtcTime;
use manifests::json::Json;

use crate::edit;
use crate::preview::Preview;
use crate::repository::Layout;
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
    /// When the change is made.
    pub now: UtcTime,
    _lock: Lock,
}

impl Change {
    /// Opens the repository with what is staged.
    ///
    /// # Errors
    /// [`CliError`]: [`Exit::Retry`] if another writer has it; what is in force does not verify.
    pub fn open(folder: &Path) -> Result<Self, CliError> {
        let (layout, settings) = (Layout::new(folder), Settings::load(folder)?);
        let lock = layout.lock()?;
        Ok(Self {
            in_force: InForce::load(&layout, settings.product_name()?)?,
            staged: Staged::load(&layout)?,
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

    /// Opens the repository for a change of the product's role that is published by itself; what else
    /// is staged stays staged.
    ///
    /// # Errors
    /// [`CliError`] if a change of that role is staged already.
    pub fn open_product(folder: &Path) -> Result<Self, CliError> {
        let mut change = Self::open(folder)?;
        let product = change.in_force.product.as_str();
        if change.staged.documents.contains_key(product) {
            let message = format!("a change of {product} is staged already");
            return Err(CliError::new(Exit::No, message)
                .hint("streembit-publisher publish, or stage --discard"));
        }
        change.staged = Staged::default();
        Ok(change)
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
            let current = self.in_force.documents.get(role).ok_or_else(|| {
                CliError::new(Exit::Usage, format_args!("there is no role {role}"))
                    .hint("streembit-publisher keys list")
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
    pub fn save(&self) -> Result<(), CliError> {
        self.staged.demands(&self.in_force)?;
        self.staged.save(&self.layout)
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
        let uris = self.settings.keys.uris();
        for signer in settings::signers(&self.layout.folder, &uris, wanted)? {
            let roles = self.staged.sign(&demands, &signer)?;
            let roles = roles.join(" ");
            output.note(format_args!("signed      {roles} by {}", signer.uri()));
        }
        Ok(())
    }
}
