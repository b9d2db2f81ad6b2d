//! The whole client workflow against a hostile source. The input chooses the device, what of its
//! stored files is damaged, and with what each request is answered: a file of any release, a damaged
//! one, none, or one that the role's own keys signed although it is wrong.
#![no_main]

use std::collections::BTreeSet;
use std::sync::LazyLock;

use fuzz::choices::Choices;
use fuzz::edit;
use fuzz::history::History;
use fuzz::repository::{now, product, run};
use keys::RoleKey;
use libfuzzer_sys::fuzz_target;
use manifests::client::{Client, Effect, Repository, Request, Stored};
use manifests::envelope::{Authority, Metadata, Verified};
use manifests::limits::ROOT_ROTATIONS_MAX;
use manifests::root::Role;

static HISTORIES: LazyLock<[History; 2]> =
    LazyLock::new(|| [History::hashed(), History::unhashed()]);

/// Requests of one run: a root each, and one too many, then the other roles.
const REQUESTS_MAX: usize = ROOT_ROTATIONS_MAX as usize + 5;

/// A source, and whether it had keys of the repository.
struct Source<'a> {
    history: &'a History,
    choices: Choices<'a>,
    has_keys: bool,
    /// What the device has trusted, unless it lost some of it.
    trusted: [u64; 5],
}

fuzz_target!(|bytes: &[u8]| {
    let mut choices = Choices::new(bytes);
    let history = &HISTORIES[choices.below(2)];
    let chosen = choices.below(history.devices.len());
    let device = &history.devices[chosen];
    let mut stored = device.clone();
    damage_stored(&mut stored, &mut choices);
    let is_whole = stored == *device;
    let mut source = Source {
        history,
        choices,
        has_keys: false,
        trusted: if is_whole {
            history.versions[chosen]
        } else {
            [0; 5]
        },
    };
    let Ok(client) = Client::for_product(stored.clone(), product(), now()) else {
        return;
    };
    if let Some(repository) = follow(client, &mut source, &mut stored) {
        check(&repository, &source);
    }
    if !source.has_keys && stored != *device {
        // Whatever a source without keys did, an honest one brings the device up to date.
        let newest = history.stages.last().unwrap_or(&history.stages[0]);
        let result = run(&mut stored, newest, now()).result;
        assert!(result.is_ok(), "{:?}", result.err());
    }
});

/// Damages files that a device fetches again; its root is what it trusts.
fn damage_stored(stored: &mut Stored, choices: &mut Choices<'_>) {
    let which = choices.byte();
    let role = product().to_string();
    let mut product_role = stored.roles.remove(&role);
    let slots = [
        &mut stored.timestamp,
        &mut stored.snapshot,
        &mut stored.targets,
        &mut product_role,
    ];
    for (index, slot) in slots.into_iter().enumerate() {
        match (which >> (2 * index)) % 4 {
            1 => *slot = None,
            2 => drop(slot.as_mut().map(|bytes| edit::damage(bytes, choices))),
            _ => {}
        }
    }
    stored.roles.extend(product_role.map(|bytes| (role, bytes)));
}

/// Runs the workflow to its end and applies the effects; `None` if it was refused.
fn follow(mut client: Client, source: &mut Source<'_>, stored: &mut Stored) -> Option<Repository> {
    let mut requests = 0;
    while let Some(request) = client.request() {
        requests += 1;
        assert!(requests <= REQUESTS_MAX);
        let answer = source.answer(&request);
        match client.respond(answer.as_deref()) {
            Ok(effects) => {
                for effect in &effects {
                    if let Effect::Store(_, bytes) = effect {
                        assert_eq!(Some(bytes), answer.as_ref());
                        assert!(bytes.len() as u64 <= request.length_max);
                    }
                    stored.apply(effect);
                }
            }
            Err(error) => {
                assert_eq!(client.request(), None);
                assert_eq!(client.finish().err(), Some(error));
                return None;
            }
        }
    }
    client.finish().ok()
}

impl Source<'_> {
    fn answer(&mut self, request: &Request) -> Option<Vec<u8>> {
        let choices = &mut self.choices;
        let newest_first = self.history.stages.iter().rev();
        let skipped = choices.below(self.history.stages.len());
        let files = newest_first.skip(skipped);
        let honest = || {
            files
                .clone()
                .find_map(|files| files.get(&request.name))
                .cloned()
        };
        match choices.byte() % 8 {
            1 => None,
            2 => choices.one_of(&self.history.files).cloned(),
            3 | 4 => {
                let mut bytes = honest()?;
                edit::damage(&mut bytes, choices);
                Some(bytes)
            }
            5 => {
                self.has_keys = true;
                let mut draft = self.history.draft(&request.name);
                for _ in 0..=choices.byte() % 3 {
                    edit::damage_json(&mut draft.signed, choices);
                }
                Some(draft.encode())
            }
            // Also what an input that has ended means: a run to the end.
            _ => honest(),
        }
    }
}

/// What must hold of every repository that was accepted.
fn check(repository: &Repository, source: &Source<'_>) {
    let Repository {
        root,
        timestamp,
        snapshot,
        targets,
        products,
    } = repository;
    let role = &products[product().as_str()];
    assert_eq!(products.len(), 1);
    let Some(delegation) = targets.delegations().role(product().as_str()) else {
        panic!("no delegation");
    };
    let names = role.targets().keys();
    assert!(
        names
            .into_iter()
            .all(|name| delegation.matches(name.as_str()))
    );
    check_signers(root, root.role(Role::Root));
    check_signers(timestamp, root.role(Role::Timestamp));
    check_signers(snapshot, root.role(Role::Snapshot));
    check_signers(targets, root.role(Role::Targets));
    check_signer_keys(role.signers(), &delegation.authority);
    let headers = [
        Metadata::header(&**root),
        timestamp.header(),
        snapshot.header(),
        Metadata::header(&**targets),
        role.header(),
    ];
    assert!(headers.iter().all(|header| !header.is_expired(now())));
    if source.has_keys {
        return;
    }
    let trusted = source.trusted.iter();
    assert!(
        trusted
            .zip(headers)
            .all(|(trusted, header)| *trusted <= header.version)
    );
    let documents = [
        root.canonical(),
        timestamp.canonical(),
        snapshot.canonical(),
        targets.canonical(),
    ];
    let signed = &source.history.signed;
    assert!(documents.iter().all(|document| signed.contains(*document)));
}

/// Enough distinct keys of the role signed.
fn check_signers<T>(document: &Verified<T>, authority: &Authority) {
    check_signer_keys(document.signers(), authority);
}

fn check_signer_keys(signers: &BTreeSet<RoleKey>, authority: &Authority) {
    let keys = authority.distinct_keys();
    let signers = signers.iter().filter(|key| keys.contains(key));
    assert!(signers.count() >= authority.threshold());
}
