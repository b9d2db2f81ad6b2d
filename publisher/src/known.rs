//! What a signer has seen of a publisher: of each role the newest document that was in force or that was
//! signed here. A file can then not hide what has changed since (threats K70, K77).

use std::path::{Path, PathBuf};

use cli::durable::{self, Access};
use cli::exit::Context as _;
use cli::{CliError, Exit};
use manifests::author::Draft;
use manifests::digest::Sha256;
use manifests::json;

use crate::staged::{Drafts, InForce, STAGED_BYTES_MAX, Staged};

/// The memory of one publisher.
#[derive(Debug)]
pub struct Known {
    path: PathBuf,
    /// The newest documents; none of a publisher that was never signed for.
    pub documents: Drafts,
}

impl Known {
    /// Reads what is known of a publisher.
    ///
    /// # Errors
    /// [`CliError`] naming the file.
    pub fn load(folder: &Path, publisher_id: &Sha256) -> Result<Self, CliError> {
        let path = folder.join(format!("{publisher_id}.json"));
        let bytes = durable::read_if_there(&path, STAGED_BYTES_MAX);
        let documents = match bytes.context(Exit::No, "known publisher")? {
            Some(bytes) => {
                let json = json::parse(&bytes).context(Exit::No, path.display())?;
                let read = Staged::from_json(&json).context(Exit::No, path.display())?;
                read.documents
            }
            None => Drafts::new(),
        };
        Ok(Self { path, documents })
    }

    /// Refuses a file in which less is in force than is known, or something else.
    ///
    /// # Errors
    /// [`CliError`]: [`Exit::Rollback`] or [`Exit::Equivocation`].
    pub fn check(&self, in_force: &InForce, staged: &Staged) -> Result<(), CliError> {
        let same = |one: &Draft, other: &Draft| one.message() == other.message();
        for (role, known) in &self.documents {
            let version = known.version().context(Exit::No, role)?;
            let Some(now) = in_force.documents.get(role) else {
                continue;
            };
            let offered = now.version().context(Exit::No, role)?;
            let again = staged.documents.get(role);
            if offered > version || same(now, known) || again.is_some_and(|it| same(it, known)) {
                continue;
            }
            let (exit, message) = if offered < version {
                let what = format!("{role} {offered} is in force in it, {version} is known here");
                (Exit::Rollback, what)
            } else {
                let what = format!("its {role} {version} is another than the one known here");
                (Exit::Equivocation, what)
            };
            return Err(CliError::new(exit, message).hint(format_args!(
                "ask why; if what was signed here was given up, remove {}",
                self.path.display()
            )));
        }
        Ok(())
    }

    /// What a change is shown against: what this signer saw last, whoever has changed it since; nothing at
    /// first. What another signer of this machine has signed already is shown against what is in force.
    pub fn base(&self, in_force: &InForce, staged: &Staged) -> Drafts {
        let mut base = self.documents.clone();
        for (role, draft) in &staged.documents {
            let signed = base.get(role).map(Draft::message);
            if signed.is_some_and(|signed| signed == draft.message()) {
                base.remove(role);
                let before = in_force.documents.get(role).cloned();
                base.extend(before.map(|before| (role.clone(), before)));
            }
        }
        base
    }

    /// Notes what is in force and what was signed.
    ///
    /// # Errors
    /// [`CliError`]; nothing is noted then.
    pub fn remember(
        mut self,
        in_force: &InForce,
        signed: impl Iterator<Item = (String, Draft)>,
    ) -> Result<(), CliError> {
        let in_force = in_force.documents.clone().into_iter();
        for (role, draft) in in_force.chain(signed) {
            let version = |draft: &Draft| draft.version().unwrap_or_default();
            let known = self.documents.get(&role).map_or(0, version);
            if version(&draft) >= known {
                self.documents.insert(role, draft);
            }
        }
        if let Some(folder) = self.path.parent() {
            durable::create_folder(folder).context(Exit::No, "known publishers")?;
        }
        let documents = Staged {
            documents: self.documents,
        };
        let bytes = json::encode_pretty(&documents.to_json());
        durable::replace(&self.path, &bytes, Access::Owner).context(Exit::No, "known publisher")
    }
}

/// Where publishers are remembered: below the state folder of the XDG Base Directory Specification.
///
/// # Errors
/// [`CliError`] with [`Exit::Usage`] where there is no home folder.
pub fn default_folder() -> Result<PathBuf, CliError> {
    let absolute = |name| {
        let path = std::env::var_os(name).map(PathBuf::from);
        path.filter(|path| path.is_absolute())
    };
    let (home, state) = (absolute("HOME"), absolute("XDG_STATE_HOME"));
    let state = state.or_else(|| Some(home?.join(".local/state")));
    let state = state.ok_or_else(|| {
        CliError::new(
            Exit::Usage,
            "there is no home folder to remember publishers in",
        )
        .hint("--known DIR")
    })?;
    Ok(state.join("streembit/publishers"))
}
