//! Asking witnesses for cosignatures, all of them at once: C2SP tlog-witness, and tlog-mirror for those that cosign
//! what they hold.

use std::time::Duration;

use node::visitor::Visitor;
use tlog::checkpoint::Checkpoint;
use tlog::note::{Line, Note, parse_lines};
use tlog::policy::Party;
use tlog::tree::Tree;
use tlog::vkey::VerifierKey;
use tlog::witness::AddCheckpoint;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::endpoint::{Endpoint, Request};
use super::{Log, LogError, uploads};

/// Requests to one witness: what it knows may have to be heard first, and another submitter may come between.
const TRIES: usize = 3;

/// A mirror that takes entries for longer than this counts as absent: the next time it goes on where it was.
const ASK_TIMEOUT: Duration = Duration::from_secs(600);

/// What became of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// What the policy calls the witness.
    pub name: String,
    /// Its cosignature, or why there is none.
    pub answer: Result<Line, String>,
}

/// A checkpoint, and whom it is shown.
struct Submission {
    log: Log,
    note: Note,
    tree: Checkpoint,
    witness: Party,
    endpoint: Endpoint,
}

/// Asks all witnesses that have an address for a cosignature of the newest signed checkpoint.
///
/// * `known`: the newest checkpoint before; who has cosigned that one knows it.
///
/// # Errors
/// [`LogError::Unsigned`]. That a witness doesn't answer is none.
pub async fn ask(
    log: &Log,
    witnesses: &[Party],
    known: Option<&Note>,
) -> Result<Vec<Asked>, LogError> {
    let note = log.signed()?.ok_or(LogError::Unsigned)?;
    let tree = log.parse(super::SIGNED, &note)?;
    let visitor = match witnesses.iter().any(Endpoint::is_node) {
        true => Visitor::start(Vec::new())
            .inspect_err(|error| tracing::warn!(%error, "no node"))
            .ok(),
        false => None,
    };
    let mut requests = JoinSet::new();
    for witness in witnesses.iter().filter(|witness| witness.url.is_some()) {
        let submission = Submission {
            log: log.clone(),
            note: note.clone(),
            tree: tree.clone(),
            witness: witness.clone(),
            endpoint: Endpoint::of(witness, visitor.as_ref()),
        };
        let old = known_size(known, &witness.key);
        requests.spawn(async move {
            let answer = timeout(ASK_TIMEOUT, submission.ask(old)).await;
            let answer = answer.unwrap_or_else(|_| Err("not done in time".to_owned()));
            let name = submission.witness.name;
            Asked { name, answer }
        });
    }
    Ok(requests.join_all().await)
}

/// What a witness has cosigned as far as is known here.
fn known_size(known: Option<&Note>, witness: &VerifierKey) -> u64 {
    let cosigned = known.filter(|note| note.signed_by(witness).is_some());
    let checkpoint = cosigned.and_then(|note| note.text().parse::<Checkpoint>().ok());
    checkpoint.map_or(0, |checkpoint| checkpoint.size)
}

impl Submission {
    async fn ask(&self, mut old: u64) -> Result<Line, String> {
        for _ in 0..TRIES {
            if old > self.tree.size {
                return Err(format!(
                    "it has cosigned {old} entries, here are {}: is this an old copy of the log?",
                    self.tree.size
                ));
            }
            let proof = Tree::new(&self.log.files(), self.tree.size).consistency(old);
            let request = AddCheckpoint {
                old_size: old,
                proof: proof.map_err(|error| error.to_string())?,
                checkpoint: self.note.clone(),
            };
            let body = request.to_string().into_bytes();
            let (status, body) = self.endpoint.send(Request::Checkpoint, body).await?;
            match status {
                200 => return self.take(&body).await,
                // The size that it knows; the same size is a fork.
                409 if body.trim() != old.to_string() => {
                    old = body
                        .trim()
                        .parse()
                        .map_err(|_| format!("409: {body:.100}"))?;
                }
                409 => return Err("it has cosigned another history of this log".to_owned()),
                status => return Err(format!("{status}: {:.100}", body.trim())),
            }
        }
        Err("it is asked by somebody else at the same time".to_owned())
    }

    /// The cosignature in an answer. A mirror gives its own once it has the entries.
    async fn take(&self, body: &str) -> Result<Line, String> {
        match self.cosignature(body) {
            Ok(line) => Ok(line),
            Err(none) => match uploads::upload(&self.log, &self.tree, &self.endpoint).await? {
                Some(body) => self.cosignature(&body),
                None => Err(none),
            },
        }
    }

    fn cosignature(&self, body: &str) -> Result<Line, String> {
        let lines = parse_lines(body).map_err(|error| error.to_string())?;
        let is_good = |line: &Line| {
            let mut alone = self.note.clone();
            alone.add(line.clone());
            // The note that was sent doesn't bear this witness's signature yet, or an older one.
            alone.signed_by(&self.witness.key) != self.note.signed_by(&self.witness.key)
        };
        let good = lines.into_iter().find(is_good);
        good.ok_or_else(|| "its answer holds no good cosignature of its key".to_owned())
    }
}
