//! `streembit dht`: look records up through the running node.

use cli::{CliError, Exit, Output};
use hyper::Method;
use keys::NodeId;
use protocol::dht::key::DhtKey;

use super::DataDirectory;
use super::asking::{ask, word};

/// DHT commands
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Look a record up, verify every answer, print the newest
    Get {
        /// 64 hex digits, account:NODE_ID, release:PUBLISHER_ID/CHANNEL, 'log:VKEY' or 'log:VKEY WITNESS_VKEY'
        key: String,
        /// The running node
        #[command(flatten)]
        place: DataDirectory,
    },
}

/// Runs `streembit dht`.
///
/// # Errors
/// [`CliError`]: [`Exit::Undecided`] if no node runs, [`Exit::No`] if nothing valid is found.
pub fn run(command: &Command, output: Output) -> Result<Exit, CliError> {
    let Command::Get { key, place } = command;
    let key = parse_key(key)?;
    let path = format!("/v1/dht/{key}");
    let answer = ask(&place.data_directory, Method::GET, &path, None)?;
    let Some(record) = answer.get("record").filter(|record| !record.is_null()) else {
        return Err(
            CliError::new(Exit::No, format_args!("no valid record under {key}"))
                .hint("it may not be published, or no node that holds it is reachable"),
        );
    };
    let text = format!(
        "key      {key}\nkind     {}\nseq      {}\nanswers  {} valid, {} invalid\n{}",
        word(record, "kind"),
        word(record, "seq"),
        word(&answer, "valid_answers"),
        word(&answer, "invalid_answers"),
        word(record, "token"),
    );
    output.result(&answer, text)?;
    Ok(Exit::Done)
}

fn parse_key(text: &str) -> Result<DhtKey, CliError> {
    let usage = || {
        CliError::new(Exit::Usage, format_args!("{text:?} is no DHT key"))
            .hint("64 hex digits, account:NODE_ID, release:PUBLISHER_ID/CHANNEL, 'log:VKEY' or 'log:VKEY WITNESS_VKEY'")
    };
    let digest = |text: &str| {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes)
            .map(|()| bytes)
            .map_err(|_| usage())
    };
    if let Some(node_id) = text.strip_prefix("account:") {
        let node_id: NodeId = node_id.parse().map_err(|_| usage())?;
        return Ok(DhtKey::account(&node_id));
    }
    if let Some(head) = text.strip_prefix("release:") {
        let (publisher, channel) = head.split_once('/').ok_or_else(usage)?;
        return Ok(DhtKey::release_head(&digest(publisher)?, channel));
    }
    if let Some(log) = text.strip_prefix("log:") {
        return Ok(DhtKey::log_checkpoint(&log.parse().map_err(|_| usage())?));
    }
    DhtKey::from_slice(&digest(text)?).ok_or_else(usage)
}
