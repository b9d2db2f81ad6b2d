//! What the log shows, told to the network, and what the network says of the log.

use std::path::Path;

use cli::exit::Context as _;
use cli::{CliError, Exit};
use keys::SigningKey;
use node::NodeHandle;
use protocol::dht::key::DhtKey;
use protocol::dht::log_checkpoint::{self, Sightings, Subject};
use tlog::checkpoint::Checkpoint;

use crate::log::opened::OpenLog;
use crate::settings::Settings;

/// Tells the network what the log shows, so that devices can compare what they are shown.
///
/// Returns what is wrong with the log if others have seen of it what this folder doesn't have.
///
/// # Errors
/// [`CliError`].
pub(super) async fn announce(
    folder: &Path,
    (node, key): (&NodeHandle, &SigningKey),
    now: u64,
) -> Result<Option<CliError>, CliError> {
    let settings = Settings::load(folder)?;
    let Some(open) = OpenLog::open(folder, &settings)? else {
        return Ok(None);
    };
    let Some(note) = open.log.checkpoint()? else {
        return Ok(None);
    };
    let mut sightings = Sightings::default();
    for subject in Subject::all(&open.key, &open.policy) {
        let dht_key = DhtKey::log_checkpoint(&subject);
        let found = node.get(dht_key).await.context(Exit::No, "node")?;
        found.seen().for_each(|seen| sightings.add(seen));
        let Some(seen) = subject.seen(note.clone()) else {
            continue;
        };
        let token = log_checkpoint::sign(key, &subject, &seen, now).context(Exit::No, "log")?;
        let told = node.put(dht_key, token.into_bytes()).await;
        if let Err(error) = told.context(Exit::No, "node")? {
            tracing::debug!(error, "the network has seen more of the log");
        }
    }
    Ok(complaint(&open, &sightings)?)
}

/// Only this folder signs with the log's key: nobody can have seen more.
fn complaint(
    open: &OpenLog,
    sightings: &Sightings,
) -> Result<Option<CliError>, crate::log::LogError> {
    if sightings.split_view.is_some() {
        let message = "log: the network has evidence that it has two histories";
        let error = CliError::new(Exit::Equivocation, message);
        return Ok(Some(
            error.hint(format_args!("streembit dht get 'log:{}'", open.key)),
        ));
    }
    let signed = open.log.signed()?;
    let signed = signed.and_then(|note| note.text().parse::<Checkpoint>().ok());
    let size = signed.map_or(0, |checkpoint| checkpoint.size);
    let seen = sightings.checkpoints.iter();
    let most = seen.map(|(_, checkpoint)| checkpoint.size).max();
    let Some(more) = most.filter(|most| *most > size) else {
        return Ok(None);
    };
    let message = format!(
        "log: the network has seen {more} entries, and this folder has signed {size}: somebody else has the log's key, or this is an old copy"
    );
    Ok(Some(
        CliError::new(Exit::Equivocation, message).hint("docs/operations.md tells what to do"),
    ))
}
