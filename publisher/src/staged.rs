//! The staged change: next versions of roles on their way to enough signatures, in `staged.json`.

use std::collections::BTreeMap;
use std::fmt;

use cli::durable::{self, Access};
use cli::exit::Context as _;
use cli::{CliError, Exit};
use manifests::author::Draft;
use manifests::client::Repository;
use manifests::envelope::{Authority, Metadata as _, ParseError};
use manifests::json::{self, Json, wrong};
use manifests::limits::{CATALOG_BYTES_MAX, TARGETS_BYTES_MAX};
use manifests::root::{Role, Root};
use manifests::targets::Targets;

use crate::edit;
use crate::repository::{Layout, OWN_CLOCK};

/// Bytes of the file: the roles of a repository, as in a catalog.
pub(crate) const STAGED_BYTES_MAX: u64 = CATALOG_BYTES_MAX;

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
    pub fn load(layout: &Layout, in_force: &InForce) -> Result<Self, CliError> {
        let mut staged = Self::read(layout)?;
        // What was published just before a cut is staged no more.
        let published = &in_force.documents;
        let documents = &mut staged.documents;
        documents.retain(|role, draft| published.get(role) != Some(draft));
        Ok(staged)
    }

    fn read(layout: &Layout) -> Result<Self, CliError> {
        let path = layout.staged();
        let bytes = durable::read_if_there(&path, STAGED_BYTES_MAX);
        let Some(bytes) = bytes.context(Exit::No, "staged change")? else {
            return Ok(Self::default());
        };
        let staged = json::parse(&bytes).map_err(ParseError::from);
        let staged = staged.and_then(|json| Self::from_json(&json));
        staged
            .context(Exit::No, path.display())
            .map_err(|error| error.hint("streembit-publisher stage --discard"))
    }

    /// Writes what is staged, all of it or nothing.
    ///
    /// # Errors
    /// [`CliError`]; what was staged before stays.
    pub fn save(&self, layout: &Layout) -> Result<(), CliError> {
        let bytes = json::encode_pretty(&self.to_json());
        if bytes.len() as u64 > STAGED_BYTES_MAX {
            let message = format!("the staged change would have {} bytes", bytes.len());
            return Err(CliError::new(Exit::No, message).hint("publish a part of it first"));
        }
        durable::replace(&layout.staged(), &bytes, Access::World)
            .context(Exit::No, "staged change")
            .map_err(|error| error.hint(durable::DISK_FIX))
    }

    /// Forgets what is staged, whatever it is.
    ///
    /// # Errors
    /// [`CliError`].
    pub fn discard(layout: &Layout) -> Result<(), CliError> {
        durable::remove(&layout.staged()).context(Exit::No, "staged change")
    }

    /// Reads `{ role: text of the envelope }`.
    ///
    /// # Errors
    /// [`ParseError`]; nothing is verified.
    pub fn from_json(json: &Json) -> Result<Self, ParseError> {
        let Json::Object(members) = json else {
            return Err(wrong("staged", "an object").into());
        };
        let mut documents = Drafts::new();
        for (role, text) in members {
            let text = text.as_str().ok_or_else(|| wrong(role, "a string"))?;
            documents.insert(role.clone(), Draft::parse(text.as_bytes())?);
        }
        Ok(Self { documents })
    }

    /// The same, written.
    pub fn to_json(&self) -> Json {
        let text = |draft: &Draft| Json::from(String::from_utf8_lossy(&draft.encode()).as_ref());
        let documents = self.documents.iter();
        Json::Object(
            documents
                .map(|(role, draft)| (role.clone(), text(draft)))
                .collect(),
        )
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
        let (root, targets) = (self.root(in_force)?, self.targets(in_force)?);
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
                    // What a key signs under one name must mean nothing under another.
                    Targets::from_signed(draft.signed()).context(Exit::No, role)?;
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

    /// Roles in force that are not staged and that what is staged leaves with too few signatures.
    ///
    /// # Errors
    /// [`CliError`] if a document is malformed.
    pub fn outgrown(&self, in_force: &InForce) -> Result<Vec<String>, CliError> {
        let (root, targets) = (self.root(in_force)?, self.targets(in_force)?);
        let unstaged = in_force.documents.iter();
        let unstaged = unstaged.filter(|(role, _)| !self.documents.contains_key(*role));
        let outgrown = unstaged.filter(|(role, draft)| {
            let authority = match role.as_str() {
                "root" => None,
                "targets" => Some(root.role(Role::Targets)),
                role => targets.delegations().authority(role),
            };
            authority.is_some_and(|it| draft.signers(it).len() < it.threshold())
        });
        Ok(outgrown.map(|(role, _)| role.clone()).collect())
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
