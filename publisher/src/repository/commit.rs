//! The commit: files become part of the repository together or not at all.

use std::fs;
use std::io;

use cli::durable::{self, Access, PathError};
use cli::exit::Context as _;
use cli::{CliError, Exit};

use super::{COMMITTING, Files, Layout, TIMESTAMP};

impl Layout {
    /// Makes files part of the repository, all or none: they are in force once they are together in
    /// `committing/`, whatever happens then; readers look there first.
    ///
    /// # Errors
    /// [`CliError`]; the repository is the old one then.
    pub fn commit(&self, files: &Files) -> Result<(), CliError> {
        let (gathering, committing) = (
            self.folder.join("committing.tmp"),
            self.folder.join(COMMITTING),
        );
        let disk = |error: CliError| error.hint(durable::DISK_FIX);
        if gathering.exists() {
            let removed = fs::remove_dir_all(&gathering);
            removed
                .context(Exit::No, gathering.display())
                .map_err(disk)?;
        }
        durable::create_folder(&gathering).context(Exit::No, "metadata")?;
        for (name, bytes) in files {
            durable::replace(&gathering.join(name), bytes, Access::World)
                .context(Exit::No, "metadata")
                .map_err(disk)?;
        }
        fs::rename(&gathering, &committing)
            .and_then(|()| durable::sync_folder_of(&committing))
            .map_err(|error| PathError::new(&committing, error))
            .context(Exit::No, "metadata")
            .map_err(disk)?;
        if let Err(error) = self.finish_commit() {
            tracing::warn!(%error, "in force, and to be finished by the next command");
        }
        Ok(())
    }

    /// Finishes a commit that was cut off.
    ///
    /// # Errors
    /// [`CliError`]; readers see the new repository all the same.
    pub fn finish_commit(&self) -> Result<(), CliError> {
        let committing = self.folder.join(COMMITTING);
        let finish = || {
            let entries = match fs::read_dir(&committing) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                entries => entries?,
            };
            let mut names = Vec::new();
            for entry in entries {
                names.push(entry?.file_name());
            }
            // Whoever copies the folder at this moment gets the timestamp last.
            names.sort_by_key(|name| name == TIMESTAMP);
            for name in names {
                let bytes = fs::read(committing.join(&name))?;
                let place = self.folder.join("metadata").join(&name);
                durable::replace(&place, &bytes, Access::World).map_err(io::Error::other)?;
            }
            fs::remove_dir_all(&committing)?;
            durable::sync_folder_of(&committing)
        };
        finish()
            .map_err(|error: io::Error| PathError::new(&committing, error))
            .context(Exit::No, "metadata")
            .map_err(|error| error.hint(durable::DISK_FIX))
    }
}
