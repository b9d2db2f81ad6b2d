//! What our client makes of a case.

use std::collections::BTreeMap;

use manifests::client::{Client, ClientError, Stored};
use manifests::digest::Sha256;
use manifests::json::{self, Json};

use super::case::Case;

/// The end of a run: which step was refused, what was found, and what the device then holds.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) refresh: Option<ClientError>,
    pub(super) search: Option<ClientError>,
    pub(super) found: serde_json::Value,
    pub(super) stored: Stored,
}

impl Run {
    /// The rule that was broken, if one was.
    pub(super) fn refusal(&self) -> Option<&ClientError> {
        self.refresh.as_ref().or(self.search.as_ref())
    }

    /// SHA-256 of every stored file by role.
    pub(super) fn digests(&self) -> BTreeMap<String, String> {
        let stored = &self.stored;
        let digest = |bytes: &Vec<u8>| Sha256::of(bytes).to_string();
        let top = [
            ("root", Some(&stored.root)),
            ("timestamp", stored.timestamp.as_ref()),
            ("snapshot", stored.snapshot.as_ref()),
            ("targets", stored.targets.as_ref()),
        ];
        let top = top
            .into_iter()
            .filter_map(|(role, bytes)| Some((role.to_owned(), digest(bytes?))));
        let roles = stored
            .roles
            .iter()
            .map(|(role, bytes)| (role.clone(), digest(bytes)));
        top.chain(roles).collect()
    }
}

/// Refreshes and searches as the device of the case.
pub(super) fn follow(case: &Case) -> Run {
    let mut run = Run {
        refresh: None,
        search: None,
        found: serde_json::Value::Null,
        stored: case.stored.clone(),
    };
    let mut client = match Client::start(case.stored.clone(), case.now) {
        Ok(client) => client,
        Err(error) => {
            run.refresh = Some(error);
            return run;
        }
    };
    run.refresh = fetch(&mut client, case, &mut run.stored).err();
    if run.refresh.is_some() {
        return run;
    }
    let searched = client.search(&case.path);
    run.search = searched
        .and_then(|()| fetch(&mut client, case, &mut run.stored))
        .err();
    if let (None, Some(found)) = (&run.search, client.found()) {
        let target = Json::object([
            ("length", Json::from(found.target.length)),
            ("hashes", found.target.hashes.to_json()),
            ("custom", found.target.custom.clone().unwrap_or(Json::Null)),
        ]);
        run.found = serde_json::from_slice(&json::encode(&target)).unwrap();
    }
    run
}

/// Gives the client what it asks for until it asks for nothing more.
fn fetch(client: &mut Client, case: &Case, stored: &mut Stored) -> Result<(), ClientError> {
    while let Some(request) = client.request() {
        let bytes = case.files.get(&request.name);
        for effect in client.respond(bytes.map(Vec::as_slice))? {
            stored.apply(&effect);
        }
    }
    client.outcome()
}
