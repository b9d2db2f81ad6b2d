//! `streembit send`, `messages` and `files`: talking to contacts through the running node.

use std::path::PathBuf;

use cli::exit::Context as _;
use cli::{CliError, Exit, Output, human};
use hyper::Method;
use serde_json::{Value, json};

use super::DataDirectory;
use super::asking::{ask, word};
use super::contacts::Whom;
use crate::control::client::part;

/// A text for a contact
#[derive(Debug, clap::Args)]
pub struct Send {
    #[command(flatten)]
    whom: Whom,
    /// The text
    text: String,
}

/// What was said
#[derive(Debug, clap::Args)]
pub struct Messages {
    #[command(flatten)]
    whom: Whom,
    /// Show so many of the newest
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// Note that they were read, and tell the contact
    #[arg(long)]
    read: bool,
}

/// File commands
#[derive(Debug, clap::Subcommand)]
pub enum Files {
    /// Fetch a file that a contact offered
    Accept {
        /// Id of the message that offered it
        id: String,
        /// Where to write it; a free name in the folder for downloads otherwise
        #[arg(long, value_name = "FILE")]
        to: Option<PathBuf>,
        /// The running node
        #[command(flatten)]
        place: DataDirectory,
    },
    /// Refuse a file that a contact offered
    Deny {
        /// Id of the message that offered it
        id: String,
        /// The running node
        #[command(flatten)]
        place: DataDirectory,
    },
    /// Offer a file to a contact
    Send {
        /// For whom
        #[command(flatten)]
        whom: Whom,
        /// The file
        file: PathBuf,
    },
}

/// Runs `streembit send`.
///
/// # Errors
/// [`CliError`].
pub fn send(order: &Send, output: Output) -> Result<Exit, CliError> {
    let body = json!({ "text": order.text });
    let answer = post(&order.whom, "/messages", Some(&body))?;
    output.result(&answer, line(&answer, &order.whom.contact))?;
    Ok(Exit::Done)
}

/// Runs `streembit messages`.
///
/// # Errors
/// [`CliError`].
pub fn messages(order: &Messages, output: Output) -> Result<Exit, CliError> {
    let contact = part(&order.whom.contact);
    let path = format!("/v1/contacts/{contact}/messages?limit={}", order.limit);
    let answer = ask(&order.whom.place.data_directory, Method::GET, &path, None)?;
    let entries = answer.as_array().into_iter().flatten();
    let lines: Vec<String> = entries
        .map(|entry| line(entry, &order.whom.contact))
        .collect();
    output.result(&answer, lines.join("\n"))?;
    if order.read {
        post(&order.whom, "/read", None)?;
    }
    Ok(Exit::Done)
}

/// Runs `streembit files`.
///
/// # Errors
/// [`CliError`].
pub fn files(command: &Files, output: Output) -> Result<Exit, CliError> {
    let whole = |path: &PathBuf| std::path::absolute(path).context(Exit::Usage, path.display());
    let answer = match command {
        Files::Accept { id, to, place } => {
            let to = to.as_ref().map(whole).transpose()?;
            let body = json!({ "to": to });
            let path = format!("/v1/files/{}/accept", part(id));
            ask(&place.data_directory, Method::POST, &path, Some(&body))?
        }
        Files::Deny { id, place } => {
            let path = format!("/v1/files/{}/deny", part(id));
            ask(&place.data_directory, Method::POST, &path, None)?
        }
        Files::Send { whom, file } => {
            let body = json!({ "path": whole(file)? });
            post(whom, "/files", Some(&body))?
        }
    };
    output.result(&answer, line(&answer, ""))?;
    Ok(Exit::Done)
}

fn post(whom: &Whom, action: &str, body: Option<&Value>) -> Result<Value, CliError> {
    let path = format!("/v1/contacts/{}{action}", part(&whom.contact));
    ask(&whom.place.data_directory, Method::POST, &path, body)
}

/// A message on one line, or on as many as its text has.
pub(super) fn line(entry: &Value, contact: &str) -> String {
    let is_ours = word(entry, "direction") == "out";
    let who = if is_ours { "me" } else { contact };
    let body = entry.get("body");
    let file = body.and_then(|body| body.get("file-offer"));
    let said = match (body.and_then(|body| body.get("text")), file) {
        (Some(text), _) => word(text, "text"),
        (None, Some(file)) => {
            let size = file.get("size").and_then(Value::as_u64).unwrap_or_default();
            let (name, id) = (word(file, "name"), word(entry, "id"));
            format!("[file {name}, {}, {id}]", human::bytes(size))
        }
        (None, None) => String::new(),
    };
    let progress = if is_ours {
        format!(" ({})", word(entry, "progress"))
    } else {
        String::new()
    };
    format!("{who}: {said}{progress}")
}
