//! Delegated roles: those of products, or those that a search for a path visits (TUF 5.6.7).

use std::collections::BTreeMap;

use super::rules::{at, check_expiry, reusable, role_meta};
use super::workflow::{TARGETS_FILE, TARGETS_ROLE};
use super::{Client, ClientError, Effect, Goal, Reason, Step};
use crate::delegations::Delegations;
use crate::envelope::{Authority, Verified};
use crate::limits::ROLES_VISITED_MAX;
use crate::product::Product;
use crate::targets::{Target, Targets};

/// A target and the role that publishes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The role.
    pub role: String,
    /// What it says.
    pub target: Target,
}

/// A search in pre-order, depth first. Every role is visited once, so cycles and diamonds end.
#[derive(Debug, Default)]
pub(super) struct Walk {
    path: String,
    /// Roles to visit and who delegates to them; the last comes first.
    open: Vec<(String, String)>,
    visited: BTreeMap<String, Verified<Targets>>,
    found: Option<Found>,
}

impl Client {
    /// Searches for the target `path`, once the top-level roles are there. The roles that are wanted come
    /// through [`Client::request`]; then [`Client::found`] tells.
    ///
    /// # Errors
    /// [`Reason::Order`] if files are still wanted; the rule that a stored role broke.
    pub fn search(&mut self, path: &str) -> Result<(), ClientError> {
        self.outcome()?;
        self.goal = Goal::Refresh;
        self.walk = Walk {
            path: path.to_owned(),
            ..Walk::default()
        };
        let targets = self.targets.clone();
        let targets = targets.ok_or_else(|| at(TARGETS_FILE, Reason::Order))?;
        self.visit(TARGETS_ROLE.to_owned(), targets);
        let gone_on = self.go_on();
        self.failure = gone_on.as_ref().err().cloned();
        gone_on
    }

    /// What the last search found.
    pub fn found(&self) -> Option<&Found> {
        self.walk.found.as_ref()
    }

    /// The top-level targets are there: what next?
    pub(super) fn after_targets(&mut self) -> Result<(), ClientError> {
        let targets = self.targets.as_ref();
        let targets = targets.ok_or_else(|| at(TARGETS_FILE, Reason::Order))?;
        match (&self.goal, targets.delegations()) {
            (Goal::Product(product), delegations)
                if delegations.role(product.as_str()).is_none() =>
            {
                return Err(at(TARGETS_FILE, Reason::NotDelegated(product.clone())));
            }
            (Goal::Products, Delegations::Succinct(_)) => {
                return Err(at(TARGETS_FILE, Reason::Bins));
            }
            _ => {}
        }
        self.next_product()
    }

    /// Takes stored roles of products until one has to be fetched or all are there.
    fn next_product(&mut self) -> Result<(), ClientError> {
        while let Some(role) = self.missing_product() {
            match self.reuse_role(&role, TARGETS_ROLE)? {
                Some(verified) => self.take_role(&format!("{role}.json"), role, verified)?,
                None => {
                    self.step = Step::Role(role, TARGETS_ROLE.to_owned());
                    return Ok(());
                }
            }
        }
        self.step = Step::Done;
        Ok(())
    }

    fn missing_product(&self) -> Option<String> {
        let missing = |role: &String| !self.products.contains_key(role);
        match (&self.goal, self.targets.as_ref()?.delegations()) {
            (Goal::Product(product), _) => Some(product.to_string()).filter(missing),
            (Goal::Products, Delegations::Roles(roles)) => {
                roles.iter().map(|role| role.name.clone()).find(missing)
            }
            _ => None,
        }
    }

    /// TUF 5.6 for a delegated role.
    pub(super) fn accept_delegated(
        &mut self,
        name: &str,
        bytes: &[u8],
        role: &str,
        delegator: &str,
    ) -> Result<Vec<Effect>, ClientError> {
        let authority = self.authority(role, delegator)?.clone();
        let stored = self.stored.roles.get(role).map(Vec::as_slice);
        let verified = self.accept_role(name, bytes, role, (&authority, stored))?;
        self.take_role(name, role.to_owned(), verified)?;
        self.stored.roles.insert(role.to_owned(), bytes.to_vec());
        let gone_on = match self.goal {
            Goal::Refresh => self.go_on(),
            Goal::Product(_) | Goal::Products => self.next_product(),
        };
        self.failure = gone_on.err();
        Ok(vec![Effect::Store(format!("{role}.json"), bytes.to_vec())])
    }

    fn take_role(
        &mut self,
        file: &str,
        role: String,
        verified: Verified<Targets>,
    ) -> Result<(), ClientError> {
        check_expiry(file, &*verified, self.now)?;
        if matches!(self.goal, Goal::Refresh) {
            self.visit(role, verified);
            return Ok(());
        }
        let targets = self.targets.as_ref();
        let delegation = targets.and_then(|targets| targets.delegations().role(&role));
        let delegation = delegation.ok_or_else(|| at(file, Reason::Order))?;
        let product = Product::of(&verified, delegation).map_err(|error| at(file, error))?;
        self.products.insert(role, product);
        Ok(())
    }

    /// Looks for the path in a role and opens the roles that it delegates the path to.
    fn visit(&mut self, role: String, verified: Verified<Targets>) {
        let walk = &mut self.walk;
        if let Some(target) = verified.targets().get(&walk.path) {
            let target = target.clone();
            walk.open.clear();
            walk.found = Some(Found { role, target });
            return;
        }
        let (children, terminating) = verified.delegations().roles_for(&walk.path);
        if terminating {
            walk.open.clear();
        }
        let children = children.into_iter().rev();
        walk.open
            .extend(children.map(|child| (child, role.clone())));
        walk.visited.insert(role, verified);
    }

    /// Visits roles until one has to be fetched or the search is over.
    fn go_on(&mut self) -> Result<(), ClientError> {
        while let Some((role, delegator)) = self.walk.open.pop() {
            if self.walk.visited.contains_key(&role) {
                continue;
            }
            if self.walk.visited.len() >= ROLES_VISITED_MAX {
                break;
            }
            match self.reuse_role(&role, &delegator)? {
                Some(verified) => self.take_role(&format!("{role}.json"), role, verified)?,
                None => {
                    self.step = Step::Role(role, delegator);
                    return Ok(());
                }
            }
        }
        self.step = Step::Done;
        Ok(())
    }

    /// The stored role, if it is the one that the snapshot names and its present delegator vouches for
    /// it.
    fn reuse_role(
        &self,
        role: &str,
        delegator: &str,
    ) -> Result<Option<Verified<Targets>>, ClientError> {
        let file = || format!("{role}.json");
        let snapshot = self.snapshot.as_ref();
        let snapshot = snapshot.ok_or_else(|| at(&file(), Reason::Order))?;
        let meta = role_meta(snapshot, role)?;
        let bytes = self.stored.roles.get(role).map(Vec::as_slice);
        Ok(reusable(bytes, self.authority(role, delegator)?, meta))
    }

    fn authority(&self, role: &str, delegator: &str) -> Result<&Authority, ClientError> {
        let targets = match delegator {
            TARGETS_ROLE => self.targets.as_ref(),
            _ => self.walk.visited.get(delegator),
        };
        let authority = targets.and_then(|targets| targets.delegations().authority(role));
        authority.ok_or_else(|| at(&format!("{delegator}.json"), Reason::Order))
    }
}
