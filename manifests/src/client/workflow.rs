//! The steps of the workflow, in the order of TUF 1.0.34 sections 5.3 to 5.6.

use std::collections::BTreeMap;

use super::delegated::Walk;
use super::rules::{
    SNAPSHOT_FILE, accept, at, bounded, check_equivocation, check_expiry, check_rollback,
    check_successor, check_version, remembered, reusable, role_meta, trusted,
};
use super::{Client, ClientError, Effect, Goal, Reason, Repository, Request, Step, Stored};
use crate::envelope::{Authority, Envelope, Metadata, Verified};
use crate::file_meta::FileMeta;
use crate::instant::UtcTime;
use crate::limits;
use crate::name::Name;
use crate::root::{Role, Root};
use crate::snapshot::Snapshot;
use crate::targets::Targets;
use crate::timestamp::Timestamp;

pub(super) const ROOT_FILE: &str = "root.json";
pub(super) const TIMESTAMP_FILE: &str = "timestamp.json";
pub(super) const TARGETS_FILE: &str = "targets.json";
pub(super) const TARGETS_ROLE: &str = "targets";

impl Client {
    /// Starts a run from stored files at one fixed time (TUF 5.1), which ends with the top-level targets.
    ///
    /// # Errors
    /// [`ClientError`] if the stored root is malformed or not signed by its own threshold.
    pub fn start(stored: Stored, now: UtcTime) -> Result<Self, ClientError> {
        let root = Envelope::<Root>::parse(&stored.root)
            .map_err(|error| at(ROOT_FILE, error))?
            .verify_self()
            .map_err(|error| at(ROOT_FILE, error))?;
        Ok(Self {
            goal: Goal::Refresh,
            now,
            step: Step::Root,
            rotations: 0,
            stored,
            root,
            timestamp: None,
            snapshot: None,
            targets: None,
            products: BTreeMap::new(),
            walk: Walk::default(),
            failure: None,
        })
    }

    /// Starts a run that ends with the role of `product`.
    ///
    /// # Errors
    /// As [`Client::start`].
    pub fn for_product(stored: Stored, product: Name, now: UtcTime) -> Result<Self, ClientError> {
        let mut client = Self::start(stored, now)?;
        client.goal = Goal::Product(product);
        Ok(client)
    }

    /// Starts a run that ends with the roles of all products, as a publisher reads its own repository.
    ///
    /// # Errors
    /// As [`Client::start`].
    pub fn for_all_products(stored: Stored, now: UtcTime) -> Result<Self, ClientError> {
        let mut client = Self::start(stored, now)?;
        client.goal = Goal::Products;
        Ok(client)
    }

    /// The file wanted next; `None` when the workflow is complete, or over because a rule was broken:
    /// [`Client::finish`] tells which.
    pub fn request(&self) -> Option<Request> {
        if self.failure.is_some() {
            return None;
        }
        let (name, length_max) = match &self.step {
            Step::Root => {
                let version = self.root.header().version.saturating_add(1);
                (format!("{version}.root.json"), limits::ROOT_BYTES_MAX)
            }
            Step::Timestamp => (TIMESTAMP_FILE.to_owned(), limits::TIMESTAMP_BYTES_MAX),
            Step::Snapshot => {
                let meta = self.timestamp.as_ref()?.snapshot();
                let length = bounded(meta, limits::SNAPSHOT_BYTES_MAX);
                (self.file_name(meta, "snapshot"), length)
            }
            Step::Targets => self.targets_request(TARGETS_ROLE)?,
            Step::Role(role, _) => self.targets_request(role)?,
            Step::Done => return None,
        };
        Some(Request {
            name,
            length_max,
            optional: self.step == Step::Root,
        })
    }

    fn targets_request(&self, role: &str) -> Option<(String, u64)> {
        let meta = self.snapshot.as_ref()?.role(role)?;
        let length = bounded(meta, limits::TARGETS_BYTES_MAX);
        Some((self.file_name(meta, role), length))
    }

    /// TUF 6.2: names carry versions where snapshots are consistent.
    fn file_name(&self, meta: &FileMeta, role: &str) -> String {
        if self.root.consistent_snapshot() {
            format!("{}.{role}.json", meta.version)
        } else {
            format!("{role}.json")
        }
    }

    /// Takes the requested file, `None` if the source says that it does not exist, and returns what
    /// to store.
    ///
    /// # Errors
    /// [`ClientError`] naming file and rule. The client is then at its end; effects that earlier
    /// calls returned stay valid. Where a stored file, reused below the one just taken, breaks a rule,
    /// the effects are returned first and [`Client::finish`] gives the error.
    pub fn respond(&mut self, bytes: Option<&[u8]>) -> Result<Vec<Effect>, ClientError> {
        let request = self.request().ok_or_else(|| at("-", Reason::Order))?;
        let outcome = self.take(&request, bytes);
        if let Err(error) = &outcome {
            self.failure = Some(error.clone());
        }
        outcome
    }

    fn take(
        &mut self,
        request: &Request,
        bytes: Option<&[u8]>,
    ) -> Result<Vec<Effect>, ClientError> {
        let Some(bytes) = bytes else {
            if request.optional {
                return self.finish_roots();
            }
            return Err(at(&request.name, Reason::Absent));
        };
        let limit = request.length_max;
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
            return Err(at(&request.name, Reason::TooLong { limit }));
        }
        let name = request.name.as_str();
        match self.step.clone() {
            Step::Root => self.accept_root(name, bytes),
            Step::Timestamp => self.accept_timestamp(name, bytes),
            Step::Snapshot => self.accept_snapshot(name, bytes),
            Step::Targets => self.accept_targets(name, bytes),
            Step::Role(role, delegator) => self.accept_delegated(name, bytes, &role, &delegator),
            Step::Done => Err(at(name, Reason::Order)),
        }
    }

    /// Whether the snapshot in force lists a delegated role.
    pub fn lists(&self, role: &str) -> bool {
        let snapshot = self.snapshot.as_ref();
        snapshot.is_some_and(|snapshot| snapshot.role(role).is_some())
    }

    /// Whether file names carry versions and digests, by the root in force (TUF 6.2).
    pub fn consistent_snapshot(&self) -> bool {
        self.root.consistent_snapshot()
    }

    /// The rule that ended the run, if one was broken.
    ///
    /// # Errors
    /// That rule; [`Reason::Order`] if files are still wanted.
    pub fn outcome(&self) -> Result<(), ClientError> {
        match &self.failure {
            Some(error) => Err(error.clone()),
            None if self.step == Step::Done => Ok(()),
            None => Err(at("-", Reason::Order)),
        }
    }

    /// Gives the verified repository of a run for products.
    ///
    /// # Errors
    /// The rule that ended the run; [`Reason::Order`] if files are still wanted.
    pub fn finish(self) -> Result<Repository, ClientError> {
        self.outcome()?;
        match (self.timestamp, self.snapshot, self.targets) {
            (Some(timestamp), Some(snapshot), Some(targets)) if self.goal != Goal::Refresh => {
                Ok(Repository {
                    root: self.root,
                    timestamp,
                    snapshot,
                    targets,
                    products: self.products,
                })
            }
            _ => Err(at("-", Reason::Order)),
        }
    }

    /// TUF 5.3.3 to 5.3.8: one version up, signed by the old and the new threshold.
    fn accept_root(&mut self, name: &str, bytes: &[u8]) -> Result<Vec<Effect>, ClientError> {
        if self.rotations >= limits::ROOT_ROTATIONS_MAX {
            return Err(at(name, Reason::TooManyRoots(limits::ROOT_ROTATIONS_MAX)));
        }
        let next = Envelope::<Root>::parse(bytes).map_err(|error| at(name, error))?;
        let next = next
            .verify_successor(&self.root)
            .map_err(|error| at(name, error))?;
        let expected = self.root.header().version.saturating_add(1);
        check_version(name, expected, next.header().version)?;
        let mut effects = Vec::new();
        let rotated =
            |role: Role| self.root.role(role).distinct_keys() != next.role(role).distinct_keys();
        // Before the root is stored: a cut in between repeats the rotation instead of missing it.
        if rotated(Role::Timestamp) || rotated(Role::Snapshot) {
            self.stored.timestamp = None;
            self.stored.snapshot = None;
            effects.push(Effect::Delete(TIMESTAMP_FILE.to_owned()));
            effects.push(Effect::Delete(SNAPSHOT_FILE.to_owned()));
        }
        effects.push(Effect::Store(ROOT_FILE.to_owned(), bytes.to_vec()));
        self.root = next;
        self.rotations = self.rotations.saturating_add(1);
        Ok(effects)
    }

    /// TUF 5.3.10: the last root must not be expired; roots on the way may be.
    fn finish_roots(&mut self) -> Result<Vec<Effect>, ClientError> {
        check_expiry(ROOT_FILE, &*self.root, self.now)?;
        self.step = Step::Timestamp;
        Ok(Vec::new())
    }

    /// TUF 5.4.
    fn accept_timestamp(&mut self, name: &str, bytes: &[u8]) -> Result<Vec<Effect>, ClientError> {
        let authority = self.root.role(Role::Timestamp);
        let offered: Verified<Timestamp> = accept(name, bytes, authority)?;
        let stored = remembered::<Timestamp>(self.stored.timestamp.as_deref(), authority);
        let version = offered.header().version;
        let known = stored
            .as_ref()
            .is_some_and(|old| old.header().version == version);
        if let Some(old) = &stored {
            check_rollback(name, old.header().version, version)?;
            if !known {
                let (old, new) = (old.snapshot().version, offered.snapshot().version);
                check_rollback(SNAPSHOT_FILE, old, new)?;
            }
        }
        let timestamp = match stored.filter(|_| known) {
            Some(old) => self.settle(name, &old, offered)?,
            None => offered,
        };
        check_expiry(name, &*timestamp, self.now)?;
        let mut effects = Vec::new();
        if !known {
            effects.push(Effect::Store(TIMESTAMP_FILE.to_owned(), bytes.to_vec()));
        }
        self.timestamp = Some(timestamp);
        self.step = Step::Snapshot;
        self.failure = self.reuse_snapshot().err();
        Ok(effects)
    }

    /// Two timestamps of one version: TUF 5.4.3 keeps the old one and finds nothing wrong. A device
    /// does not follow a source that contradicts itself (threats M12).
    fn settle(
        &self,
        name: &str,
        old: &Verified<Timestamp>,
        offered: Verified<Timestamp>,
    ) -> Result<Verified<Timestamp>, ClientError> {
        if self.goal != Goal::Refresh {
            check_equivocation(name, old, &offered)?;
        }
        let authority = self.root.role(Role::Timestamp);
        Ok(trusted(self.stored.timestamp.as_deref(), authority).unwrap_or(offered))
    }

    /// Takes the stored snapshot if it is the one the timestamp names.
    fn reuse_snapshot(&mut self) -> Result<(), ClientError> {
        let Some(timestamp) = &self.timestamp else {
            return Ok(());
        };
        let bytes = self.stored.snapshot.as_deref();
        let authority = self.root.role(Role::Snapshot);
        if let Some(snapshot) = reusable::<Snapshot>(bytes, authority, timestamp.snapshot()) {
            self.take_snapshot(snapshot)?;
            self.reuse_targets()?;
        }
        Ok(())
    }

    /// TUF 5.5.
    fn accept_snapshot(&mut self, name: &str, bytes: &[u8]) -> Result<Vec<Effect>, ClientError> {
        let timestamp = self
            .timestamp
            .as_ref()
            .ok_or_else(|| at(name, Reason::Order))?;
        let meta = timestamp.snapshot().clone();
        let authority = self.root.role(Role::Snapshot);
        meta.check(bytes).map_err(|error| at(name, error))?;
        let offered: Verified<Snapshot> = accept(name, bytes, authority)?;
        check_version(name, meta.version, offered.header().version)?;
        if let Some(trusted) = remembered::<Snapshot>(self.stored.snapshot.as_deref(), authority) {
            check_successor(name, &trusted, &offered)?;
            for (file, old) in trusted.files() {
                let new = offered.files().get(file);
                let new = new.ok_or_else(|| at(name, Reason::RoleDropped(file.clone())))?;
                check_rollback(file, old.version, new.version)?;
            }
        }
        self.take_snapshot(offered)?;
        self.failure = self.reuse_targets().err();
        Ok(vec![Effect::Store(
            SNAPSHOT_FILE.to_owned(),
            bytes.to_vec(),
        )])
    }

    fn take_snapshot(&mut self, snapshot: Verified<Snapshot>) -> Result<(), ClientError> {
        check_expiry(SNAPSHOT_FILE, &*snapshot, self.now)?;
        role_meta(&snapshot, TARGETS_ROLE)?;
        if let Goal::Product(name) = &self.goal {
            role_meta(&snapshot, name.as_str())?;
        }
        self.snapshot = Some(snapshot);
        self.step = Step::Targets;
        Ok(())
    }

    /// Takes the stored targets if they are those that the snapshot names.
    fn reuse_targets(&mut self) -> Result<(), ClientError> {
        let Some(snapshot) = &self.snapshot else {
            return Ok(());
        };
        let meta = role_meta(snapshot, TARGETS_ROLE)?;
        let authority = self.root.role(Role::Targets);
        if let Some(targets) = reusable(self.stored.targets.as_deref(), authority, meta) {
            self.take_targets(targets)?;
            self.after_targets()?;
        }
        Ok(())
    }

    /// TUF 5.6 for the top-level role.
    fn accept_targets(&mut self, name: &str, bytes: &[u8]) -> Result<Vec<Effect>, ClientError> {
        let authority = self.root.role(Role::Targets).clone();
        let stored = self.stored.targets.as_deref();
        let targets = self.accept_role(name, bytes, TARGETS_ROLE, (&authority, stored))?;
        self.take_targets(targets)?;
        self.failure = self.after_targets().err();
        Ok(vec![Effect::Store(TARGETS_FILE.to_owned(), bytes.to_vec())])
    }

    fn take_targets(&mut self, targets: Verified<Targets>) -> Result<(), ClientError> {
        check_expiry(TARGETS_FILE, &*targets, self.now)?;
        self.targets = Some(targets);
        Ok(())
    }

    /// Verifies a targets role against the snapshot and its authority.
    pub(super) fn accept_role(
        &self,
        name: &str,
        bytes: &[u8],
        role: &str,
        (authority, stored): (&Authority, Option<&[u8]>),
    ) -> Result<Verified<Targets>, ClientError> {
        let snapshot = self
            .snapshot
            .as_ref()
            .ok_or_else(|| at(name, Reason::Order))?;
        let meta = role_meta(snapshot, role)?;
        meta.check(bytes).map_err(|error| at(name, error))?;
        let offered = accept(name, bytes, authority)?;
        check_version(name, meta.version, Metadata::header(&*offered).version)?;
        if let Some(trusted) = trusted(stored, authority) {
            check_equivocation(name, &trusted, &offered)?;
        }
        Ok(offered)
    }
}
