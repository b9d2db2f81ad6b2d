//! `streembit send`, `messages`, `files` and `chat`: talking to contacts through the running node.

use std::io::IsTerminal as _;
use std::path::PathBuf;

use cli::exit::Context as _;
use cli::{CliError, Exit, Output, human};
use hyper::Method;
use serde_json::{Value, json};

use super::DataDirectory;
use super::asking::{ask, failed, wait_for, word};
use super::contacts::Whom;
use crate::control::client::{self, Events, part};

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
fn line(entry: &Value, contact: &str) -> String {
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

/// Runs `streembit chat`: what is typed goes to the contact, what comes is shown, until the end of the input.
///
/// # Errors
/// [`CliError`].
pub fn chat(whom: &Whom, output: Output) -> Result<Exit, CliError> {
    wait_for(converse(whom, output))?
}

async fn converse(whom: &Whom, output: Output) -> Result<Exit, CliError> {
    let folder = &whom.place.data_directory;
    let contact = part(&whom.contact);
    let path = |action: &str| format!("/v1/contacts/{contact}{action}");
    let about = client::ask(folder, (Method::GET, &path("")), None).await;
    let about = about.map_err(|error| failed(folder, error))?;
    let id = word(&about, "id");
    let mut events = Events::open(folder)
        .await
        .map_err(|error| failed(folder, error))?;
    let recent = client::ask(folder, (Method::GET, &path("/messages?limit=20")), None).await;
    for entry in recent
        .map_err(|error| failed(folder, error))?
        .as_array()
        .into_iter()
        .flatten()
    {
        output.result(entry, line(entry, &whom.contact))?;
    }
    if std::io::stdin().is_terminal() {
        output.note("type a line and Enter; end with Ctrl-D");
    }
    let mut lines = lines_of_input();
    loop {
        tokio::select! {
            line = lines.recv() => {
                let Some(text) = line else { return Ok(Exit::Done) };
                if text.trim().is_empty() {
                    continue;
                }
                let body = json!({ "text": text });
                let messages = path("/messages");
                let sent = client::ask(folder, (Method::POST, &messages), Some(&body)).await;
                sent.map_err(|error| failed(folder, error))?;
            }
            event = events.next() => {
                let Some(event) = event.context(Exit::Undecided, "events")? else {
                    return Err(CliError::new(Exit::Undecided, "the node has stopped"));
                };
                if show(&event, &id, (&whom.contact, output))? {
                    let read = path("/read");
                    let told = client::ask(folder, (Method::POST, &read), None).await;
                    told.map_err(|error| failed(folder, error))?;
                }
            }
        }
    }
}

/// Shows what has to do with a contact; says whether it is something new to read.
fn show(event: &Value, id: &str, (contact, output): (&str, Output)) -> Result<bool, CliError> {
    let kind = word(event, "event");
    if kind == "message" {
        let entry = event.get("entry").unwrap_or(&Value::Null);
        let is_new = word(entry, "direction") == "in" && word(entry, "progress") == "delivered";
        if word(entry, "contact") == id && (is_new || word(entry, "direction") == "out") {
            output.result(entry, line(entry, contact))?;
            return Ok(is_new);
        }
    } else if word(event, "contact") == id {
        let what = match kind.as_str() {
            "typing" => "is writing …".to_owned(),
            "online" if event.get("is_online") == Some(&Value::Bool(true)) => "is there".to_owned(),
            "online" => "is gone".to_owned(),
            _ => word(event, "change"),
        };
        output.note(format_args!("{contact} {what}"));
    }
    Ok(false)
}

/// Lines of standard input, read in a thread of their own.
fn lines_of_input() -> tokio::sync::mpsc::Receiver<String> {
    let (sender, lines) = tokio::sync::mpsc::channel(16);
    std::thread::spawn(move || {
        for line in std::io::stdin().lines().map_while(Result::ok) {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}
