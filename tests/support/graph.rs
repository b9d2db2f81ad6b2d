//! A TUF repository with any graph of delegated roles, and a device that searches it. Every draft can be
//! changed before it is signed, every file after.

use std::collections::{BTreeMap, BTreeSet};

use manifests::client::{Client, ClientError, Effect, Found, Reason, Request, Stored};
use manifests::delegations::{Delegation, Delegations, Scope, SuccinctRoles};
use manifests::digest::Sha256;
use manifests::file_meta::FileMeta;
use manifests::header::Header;
use manifests::instant::UtcTime;
use manifests::json::Json;
use manifests::targets::Targets;

use crate::repository::{Draft, EXPIRES, Files, Repository, authority};

/// A name that no delegation has: the top-level role.
pub const TOP: &str = "targets";

/// A repository; [`Graph::files`] signs it.
#[derive(Clone, Debug)]
pub struct Graph {
    /// Root chain, timestamp and snapshot; its targets and product are not used.
    pub base: Repository,
    /// The top-level targets and every delegated role, by name.
    pub roles: BTreeMap<String, Draft>,
    /// Delegated roles that the snapshot doesn't list.
    pub unlisted: BTreeSet<String>,
    /// Entries of the snapshot that differ from the file.
    pub listed: BTreeMap<String, FileMeta>,
}

impl Default for Graph {
    fn default() -> Self {
        Self::new()
    }
}

/// A delegation of every path without `/` to a role, whose only key has the role's name as its label.
pub fn edge(name: &str) -> Delegation {
    Delegation {
        name: name.to_owned(),
        authority: authority(&[name], 1),
        scope: Scope::Paths(vec!["*".to_owned()]),
        terminating: false,
    }
}

/// The scope of these patterns.
pub fn paths(patterns: &[&str]) -> Scope {
    Scope::Paths(patterns.iter().map(|it| (*it).to_owned()).collect())
}

impl Graph {
    /// Nothing published, nothing delegated; references with length and hash.
    pub fn new() -> Self {
        Self::over(Repository::new())
    }

    /// References by version alone, so that changed bytes reach the parser.
    pub fn unhashed() -> Self {
        Self::over(Repository::unhashed())
    }

    fn over(mut base: Repository) -> Self {
        base.snapshot.set(&["meta"], Json::object([]));
        let top = empty_role(&["p256-targets"]);
        Self {
            base,
            roles: BTreeMap::from([(TOP.to_owned(), top)]),
            unlisted: BTreeSet::new(),
            listed: BTreeMap::new(),
        }
    }

    /// A graph of `delegator → role` pairs, each an [`edge`].
    pub fn of(edges: &[(&str, &str)]) -> Self {
        let mut graph = Self::new();
        for (delegator, name) in edges {
            graph.delegate(delegator, edge(name));
        }
        graph
    }

    /// A role's draft.
    pub fn role(&mut self, name: &str) -> &mut Draft {
        self.roles.get_mut(name).unwrap()
    }

    /// Adds a delegation at the end, and an empty role if there is none of the name.
    pub fn delegate(&mut self, delegator: &str, delegation: Delegation) {
        self.roles
            .entry(delegation.name.clone())
            .or_insert_with(|| empty_role(&[delegation.name.as_str()]));
        let role = self.role(delegator);
        let Delegations::Roles(mut roles) = Delegations::parse(&role.signed).unwrap() else {
            panic!("{delegator} has bins");
        };
        roles.push(delegation);
        role.set(&["delegations"], Delegations::Roles(roles).to_json());
    }

    /// Replaces a delegation of the same name.
    pub fn redelegate(&mut self, delegator: &str, delegation: Delegation) {
        let role = self.role(delegator);
        let Delegations::Roles(mut roles) = Delegations::parse(&role.signed).unwrap() else {
            panic!("{delegator} has bins");
        };
        let same = roles.iter_mut().find(|it| it.name == delegation.name);
        *same.unwrap() = delegation;
        role.set(&["delegations"], Delegations::Roles(roles).to_json());
    }

    /// Delegates to bins of one key, labelled by the prefix, and makes these bins.
    pub fn delegate_bins(&mut self, delegator: &str, bit_length: u32, prefix: &str, made: &[&str]) {
        let bins = SuccinctRoles::new(authority(&[prefix], 1), bit_length, prefix).unwrap();
        let bins = Delegations::Succinct(bins);
        self.role(delegator).set(&["delegations"], bins.to_json());
        for name in made {
            self.roles.insert((*name).to_owned(), empty_role(&[prefix]));
        }
    }

    /// Has a role publish a file.
    pub fn publish(&mut self, role: &str, path: &str, content: &[u8]) {
        let hash = Sha256::of(content).to_string();
        self.publish_hashed(role, path, content.len(), &[("sha256", &hash)]);
    }

    /// Has a role publish a file under any hashes.
    pub fn publish_hashed(
        &mut self,
        role: &str,
        path: &str,
        length: usize,
        hashes: &[(&str, &str)],
    ) {
        let hashes = hashes.iter();
        let hashes = hashes.map(|(name, hash)| ((*name).to_owned(), Json::from(*hash)));
        let target = Json::object([
            ("length", Json::from(length as u64)),
            ("hashes", Json::Object(hashes.collect())),
        ]);
        self.role(role).set(&["targets", path], target);
    }

    /// Raises the versions of these roles, of snapshot and of timestamp.
    pub fn release(&mut self, names: &[&str]) {
        let roles = self.roles.iter_mut();
        let raised = roles.filter(|(name, _)| names.contains(&name.as_str()));
        let above = [&mut self.base.snapshot, &mut self.base.timestamp];
        for draft in raised.map(|(_, draft)| draft).chain(above) {
            let version = draft.version() + 1;
            draft.set(&["version"], version);
        }
    }

    /// Has everything expire at a time.
    pub fn expire(&mut self, time: &str) {
        let above = [&mut self.base.snapshot, &mut self.base.timestamp];
        let all = self.roles.values_mut().chain(above);
        for draft in all.chain(&mut self.base.roots) {
            draft.set(&["expires"], Json::from(time));
        }
    }

    /// Whether file names carry versions.
    pub fn is_consistent(&self) -> bool {
        let root = self.base.roots.last().unwrap();
        root.signed.member("consistent_snapshot") == Some(&Json::Bool(true))
    }

    /// The name under which clients ask for a role.
    pub fn file_name(&self, role: &str) -> String {
        match self.roles.get(role) {
            Some(draft) if self.is_consistent() => format!("{}.{role}.json", draft.version()),
            _ => format!("{role}.json"),
        }
    }

    /// Signs every document.
    pub fn files(&self) -> Files {
        let mut files = Files::new();
        let (mut snapshot, mut timestamp) =
            (self.base.snapshot.clone(), self.base.timestamp.clone());
        for (name, draft) in &self.roles {
            let bytes = draft.encode();
            if !self.unlisted.contains(name) {
                let meta = self.listed.get(name).cloned();
                let meta = meta.unwrap_or_else(|| self.reference(draft.version(), &bytes));
                snapshot.set(&["meta", &format!("{name}.json")], meta.to_json());
            }
            files.insert(self.file_name(name), bytes);
        }
        let bytes = snapshot.encode();
        let meta = self.reference(snapshot.version(), &bytes);
        timestamp.set(&["meta", "snapshot.json"], meta.to_json());
        let name = match self.is_consistent() {
            true => format!("{}.snapshot.json", snapshot.version()),
            false => "snapshot.json".to_owned(),
        };
        files.insert(name, bytes);
        files.insert("timestamp.json".to_owned(), timestamp.encode());
        for (index, root) in self.base.roots.iter().enumerate() {
            files.insert(format!("{}.root.json", index + 1), root.encode());
        }
        files
    }

    /// What the snapshot says of a file.
    pub fn reference(&self, version: u64, bytes: &[u8]) -> FileMeta {
        let meta = FileMeta::of(version, bytes);
        match self.base.hashes {
            true => meta,
            false => FileMeta {
                length: None,
                hashes: None,
                ..meta
            },
        }
    }

    /// A device fresh from the factory.
    pub fn fresh_device(&self) -> Stored {
        self.base.fresh_device()
    }
}

fn empty_role(labels: &[&str]) -> Draft {
    let header = Header {
        version: 1,
        expires: UtcTime::from_unix(EXPIRES),
    };
    let role = Targets::new(header, BTreeMap::new(), Delegations::default());
    let mut draft = Draft {
        signed: role.to_signed(),
        signers: Vec::new(),
    };
    draft.sign_with(labels);
    draft
}

/// What a run with searches did.
#[derive(Debug)]
pub struct Searched {
    /// What each search found, or the rule that ended the run.
    pub result: Result<Vec<Option<Found>>, ClientError>,
    /// What was stored, in order.
    pub effects: Vec<Effect>,
    /// What was asked for, in order.
    pub requests: Vec<Request>,
}

impl Searched {
    /// The names that were asked for.
    pub fn asked(&self) -> Vec<&str> {
        self.requests.iter().map(|it| it.name.as_str()).collect()
    }

    /// The names that were asked for after the top-level targets.
    pub fn roles_asked(&self) -> Vec<&str> {
        let mut asked = self.asked().into_iter();
        asked.by_ref().find(|name| name.ends_with("targets.json"));
        asked.collect()
    }

    /// The names that were stored or deleted.
    pub fn stored(&self) -> Vec<String> {
        let name = |effect: &Effect| match effect {
            Effect::Store(name, _) => name.clone(),
            Effect::Delete(name) => format!("-{name}"),
        };
        self.effects.iter().map(name).collect()
    }

    /// The role that the only search found the target in.
    pub fn found_in(&self) -> Option<&str> {
        let found = self.result.as_ref().unwrap();
        found[0].as_ref().map(|found| found.role.as_str())
    }

    /// Who broke which rule.
    pub fn error(&self) -> (&str, &Reason) {
        let error = self.result.as_ref().unwrap_err();
        (&error.file, &error.reason)
    }
}

/// Refreshes over `files` and searches for each path, as a device that holds `stored`; every effect is
/// applied to it.
pub fn search(stored: &mut Stored, files: &Files, paths: &[&str], now: UtcTime) -> Searched {
    let (mut effects, mut requests) = (Vec::new(), Vec::new());
    let mut answer = |client: &mut Client, stored: &mut Stored| -> Result<(), ClientError> {
        while let Some(request) = client.request() {
            requests.push(request.clone());
            let bytes = files.get(&request.name).map(Vec::as_slice);
            for effect in client.respond(bytes)? {
                stored.apply(&effect);
                effects.push(effect);
            }
        }
        client.outcome()
    };
    let mut run = || {
        let mut client = Client::start(stored.clone(), now)?;
        answer(&mut client, stored)?;
        let mut found = Vec::new();
        for path in paths {
            client.search(path)?;
            answer(&mut client, stored)?;
            found.push(client.found().cloned());
        }
        Ok(found)
    };
    let result = run();
    Searched {
        result,
        effects,
        requests,
    }
}
