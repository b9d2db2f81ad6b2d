//! The staged change: next versions of roles on their way to enough signatures, in `staged/<role>.json`.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::PathBuf;

use cli::durable::{self, Access, PathError};
use cli::exit::Context as _;
use cli::{CliError, Exit};
use manifests::author::Draft;
use manifests::client::Repository;
use manifests::envelope::{Authority, Metadata as _};
use manifests::limits::TARGETS_BYTES_MAX;
use manifests::root::{Role, Root};
use manifests::targets::Targets;

use crate::edit;
use crate::repository::{Layout, OWN_CLOCK};

/// Documents by role.
pub type Drafts = BTreeMap<String, Draft>;

/// What devices trust now.
#[derive(Debug)]
pub struct InForce {
    /// As verified.
    pub repository: Repository,
    /// Root, targets and the products' roles as they were published.
    pub documents: Drafts,
}

impl InForce {
    /// Verifies the repository and reads its documents.
    ///
    /// # Errors
    /// [`CliError`] naming file and rule.
    pub fn load(layout: &Layout) -> Result<Self, CliError> {
        let repository = layout.verify(OWN_CLOCK)?;
        Self::of(repository, |name| layout.read_file(name, TARGETS_BYTES_MAX))
    }

    /// Reads the documents of a verified repository.
    ///
    /// # Errors
    /// [`CliError`] of `read`; it can't be that a verified document is malformed.
    pub fn of(
        repository: Repository,
        read: impl Fn(&str) -> Result<Vec<u8>, CliError>,
    ) -> Result<Self, CliError> {
        let mut versions = vec![
            ("root", repository.root.header().version),
            ("targets", repository.targets.header().version),
        ];
        let products = repository.products.iter();
        versions.extend(products.map(|(name, role)| (name.as_str(), role.header().version)));
        let mut documents = Drafts::new();
        for (role, version) in versions {
            let name = format!("{version}.{role}.json");
            let draft = Draft::parse(&read(&name)?).context(Exit::No, name)?;
            documents.insert(role.to_owned(), draft);
        }
        Ok(Self {
            repository,
            documents,
        })
    }

    /// The version of a role that devices know, 0 if none. Snapshots never forget a role, so that one
    /// which is delegated again goes on where it was.
    pub fn version_of(&self, role: &str) -> u64 {
        match role {
            "root" => self.repository.root.header().version,
            role => self
                .repository
                .snapshot
                .role(role)
                .map_or(0, |meta| meta.version),
        }
    }
}

/// Who must sign a document, and why.
#[derive(Clone, Debug)]
pub struct Demand {
    /// The document.
    pub role: String,
    /// `present` or `new` keys; a root needs both.
    pub keys: &'static str,
    /// The keys and their threshold.
    pub authority: Authority,
}

/// What a demand still lacks.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Lack {
    /// The document.
    pub role: String,
    /// `present` or `new` keys.
    pub keys: &'static str,
    /// Valid signatures by distinct keys.
    pub valid: usize,
    /// How many must be.
    pub threshold: usize,
    /// Keys that could sign and have not, shortened ids.
    pub missing: Vec<String>,
}

impl fmt::Display for Lack {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (role, keys) = (&self.role, self.keys);
        let (valid, threshold, missing) = (self.valid, self.threshold, self.missing.join(" "));
        write!(
            formatter,
            "{role} has {valid} of {threshold} signatures by its {keys} keys, not yet signed: {missing}"
        )
    }
}

impl Lack {
    /// What to do next.
    pub fn summary(lacks: &[Self]) -> String {
        if lacks.is_empty() {
            return "complete    next: streembit-publisher publish".to_owned();
        }
        let lines = lacks.iter().map(|lack| format!("lacking     {lack}"));
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// The change as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Staged {
    /// The next version of each role that changes.
    pub documents: Drafts,
}

impl Staged {
    /// Reads what is staged.
    ///
    /// # Errors
    /// [`CliError`] naming the file.
    pub fn load(layout: &Layout) -> Result<Self, CliError> {
        let folder = layout.staged();
        let mut documents = Drafts::new();
        let entries = match fs::read_dir(&folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(Self::default());
            }
            entries => entries
                .map_err(|error| PathError::new(&folder, error))
                .context(Exit::No, "staged change")?,
        };
        for entry in entries {
            let path = entry.context(Exit::No, "staged change")?.path();
            let Some(role) = path
                .file_name()
                .and_then(|name| name.to_str()?.strip_suffix(".json"))
            else {
                continue;
            };
            let bytes =
                durable::read(&path, TARGETS_BYTES_MAX).context(Exit::No, "staged change")?;
            let draft = Draft::parse(&bytes).context(Exit::No, path.display())?;
            documents.insert(role.to_owned(), draft);
        }
        Ok(Self { documents })
    }

    /// Writes what is staged.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn save(&self, layout: &Layout) -> Result<(), CliError> {
        durable::create_folder(&layout.staged()).context(Exit::No, "staged change")?;
        for (role, draft) in &self.documents {
            durable::replace(&path(layout, role), &draft.encode(), Access::World)
                .context(Exit::No, "staged change")
                .map_err(|error| error.hint(durable::DISK_FIX))?;
        }
        Ok(())
    }

    /// Removes the staged documents of these roles.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn discard(&self, layout: &Layout) -> Result<(), CliError> {
        for role in self.documents.keys() {
            durable::remove(&path(layout, role)).context(Exit::No, "staged change")?;
        }
        Ok(())
    }

    /// The root that will be in force.
    ///
    /// # Errors
    /// [`CliError`] if the staged one is malformed.
    pub fn root(&self, in_force: &InForce) -> Result<Root, CliError> {
        match self.documents.get("root") {
            Some(draft) => Root::from_signed(draft.signed()).context(Exit::No, "staged root"),
            None => Ok((*in_force.repository.root).clone()),
        }
    }

    /// Who must sign what.
    ///
    /// # Errors
    /// [`CliError`] if a document is malformed, or does not follow the one in force.
    pub fn demands(&self, in_force: &InForce) -> Result<Vec<Demand>, CliError> {
        let root = self.root(in_force)?;
        let mut demands = Vec::new();
        let mut demand = |role: &str, keys, authority: &Authority| {
            let (role, authority) = (role.to_owned(), authority.clone());
            demands.push(Demand {
                role,
                keys,
                authority,
            });
        };
        for (role, draft) in &self.documents {
            check_order(role, draft, in_force)?;
            match role.as_str() {
                "root" => {
                    let present = in_force.repository.root.role(Role::Root);
                    demand(role, "present", present);
                    demand(role, "new", root.role(Role::Root));
                }
                "targets" => demand(role, "present", root.role(Role::Targets)),
                _ => {
                    let targets = self.targets(in_force)?;
                    let authority = targets.delegations().authority(role).cloned();
                    let authority = authority.ok_or_else(|| {
                        CliError::new(Exit::No, format_args!("nothing is delegated to {role}"))
                            .hint("streembit-publisher role add")
                    })?;
                    demand(role, "present", &authority);
                }
            }
        }
        Ok(demands)
    }

    fn targets(&self, in_force: &InForce) -> Result<Targets, CliError> {
        match self.documents.get("targets") {
            Some(draft) => Targets::from_signed(draft.signed()).context(Exit::No, "staged targets"),
            None => Ok((*in_force.repository.targets).clone()),
        }
    }

    /// What is lacking before it can be published.
    ///
    /// # Errors
    /// As [`Staged::demands`].
    pub fn lacks(&self, in_force: &InForce) -> Result<Vec<Lack>, CliError> {
        let mut lacks = Vec::new();
        for demand in self.demands(in_force)? {
            let Some(draft) = self.documents.get(&demand.role) else {
                continue;
            };
            let valid = draft.signers(&demand.authority);
            let threshold = demand.authority.threshold();
            if valid.len() < threshold {
                let keys = demand.authority.distinct_keys();
                let missing = keys.into_iter().filter(|key| !valid.contains(key));
                lacks.push(Lack {
                    role: demand.role.clone(),
                    keys: demand.keys,
                    valid: valid.len(),
                    threshold,
                    missing: missing.map(edit::short_id).collect(),
                });
            }
        }
        Ok(lacks)
    }

    /// Signs every document that `signer` may sign; returns the roles.
    ///
    /// # Errors
    /// [`CliError`] with [`Exit::Key`].
    pub fn sign(
        &mut self,
        demands: &[Demand],
        signer: &cli::signer::Signer,
    ) -> Result<Vec<String>, CliError> {
        let key = keys::RoleKey::from(signer.public().clone());
        let mut signed = Vec::new();
        for (role, draft) in &mut self.documents {
            let mut authorities = demands.iter().filter(|demand| demand.role == *role);
            if authorities.any(|demand| demand.authority.distinct_keys().contains(&key)) {
                let signature = signer.sign(&draft.message())?;
                draft.add(signer.public(), &signature);
                signed.push(role.clone());
            }
        }
        Ok(signed)
    }
}

/// A staged document is the successor of the one in force, or the change was overtaken.
fn check_order(role: &str, draft: &Draft, in_force: &InForce) -> Result<(), CliError> {
    let current = in_force.version_of(role);
    let staged = draft.version().context(Exit::No, role)?;
    if staged != current + 1 {
        let message = format!("staged {role} is version {staged}, in force is {current}");
        return Err(CliError::new(Exit::No, message)
            .hint("it was overtaken: streembit-publisher stage --discard, then stage it again"));
    }
    Ok(())
}

fn path(layout: &Layout, role: &str) -> PathBuf {
    layout.staged().join(format!("{role}.json"))
}
