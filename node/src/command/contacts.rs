//! `streembit contacts`: whom the account of the running node knows.

use std::time::Duration;

use cli::{CliError, Exit, Output, human};
use hyper::Method;
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use serde_json::{Value, json};

use super::DataDirectory;
use super::asking::{ask, word};
use crate::control::client::part;

/// Contact commands
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Accept who asked to be a contact
    Accept(Whom),
    /// Ask who made an offer to be a contact
    Add {
        /// The offer: streembit:contact/KEY?name=NAME…
        offer: String,
        /// The running node
        #[command(flatten)]
        place: DataDirectory,
    },
    /// Hear nothing more of somebody
    Block(Whom),
    /// Show the code to compare with a contact by voice
    Code(Whom),
    /// Deny who asked, or take a request back
    Deny(Whom),
    /// List contacts, and who asks to be one
    List(DataDirectory),
    /// Make an offer: who is given it can become a contact, once
    Offer {
        /// How long it is good, such as 2h or 7d
        #[arg(long, value_name = "DURATION", default_value = "7d", value_parser = human::parse_duration)]
        life: Duration,
        /// Show it as QR code too
        #[arg(long)]
        qr: bool,
        /// The running node
        #[command(flatten)]
        place: DataDirectory,
    },
    /// Forget a contact and all that was said
    Remove(Whom),
    /// Note that codes were compared, and were the same
    Verify(Whom),
}

/// A contact of the running node
#[derive(Debug, clap::Args)]
pub struct Whom {
    /// Name, public key, node id or account id
    pub contact: String,
    /// The running node
    #[command(flatten)]
    pub place: DataDirectory,
}

impl Whom {
    fn ask(&self, method: Method, action: &str) -> Result<Value, CliError> {
        let path = format!("/v1/contacts/{}{action}", part(&self.contact));
        ask(&self.place.data_directory, method, &path, None)
    }
}

/// Runs `streembit contacts`.
///
/// # Errors
/// [`CliError`]: [`Exit::Undecided`] if no node runs, [`Exit::No`] if there is no such contact.
pub fn run(command: &Command, output: Output) -> Result<Exit, CliError> {
    let (answer, text) = match command {
        Command::Accept(whom) => changed(whom, "/accept")?,
        Command::Block(whom) => changed(whom, "/block")?,
        Command::Deny(whom) => changed(whom, "/deny")?,
        Command::Verify(whom) => changed(whom, "/verify")?,
        Command::Add { offer, place } => {
            let body = json!({ "offer": offer });
            let folder = &place.data_directory;
            let answer = ask(folder, Method::POST, "/v1/contacts", Some(&body))?;
            let text = line(&answer);
            (answer, text)
        }
        Command::Code(whom) => {
            let answer = whom.ask(Method::GET, "/code")?;
            let text = format!(
                "{}\n\nRead it to each other. If it is the same: streembit contacts verify {}",
                word(&answer, "code"),
                whom.contact
            );
            (answer, text)
        }
        Command::List(place) => list(place)?,
        Command::Offer { life, qr, place } => offer(*life, *qr, place)?,
        Command::Remove(whom) => {
            let answer = whom.ask(Method::DELETE, "")?;
            (answer, format!("{} is forgotten", whom.contact))
        }
    };
    output.result(&answer, text)?;
    Ok(Exit::Done)
}

fn changed(whom: &Whom, action: &str) -> Result<(Value, String), CliError> {
    let answer = whom.ask(Method::POST, action)?;
    let text = line(&answer);
    Ok((answer, text))
}

/// A contact on one line.
fn line(contact: &Value) -> String {
    let is = |name: &str| contact.get(name).and_then(Value::as_bool) == Some(true);
    let verified = if is("verified") { "  verified" } else { "" };
    let online = if is("online") { "  online" } else { "" };
    format!(
        "{}  {:<9}  {}{verified}{online}",
        word(contact, "account"),
        word(contact, "relation"),
        word(contact, "name"),
    )
}

fn list(place: &DataDirectory) -> Result<(Value, String), CliError> {
    let answer = ask(&place.data_directory, Method::GET, "/v1/contacts", None)?;
    let lines: Vec<String> = answer.as_array().into_iter().flatten().map(line).collect();
    let text = if lines.is_empty() {
        "no contacts; make an offer with `streembit contacts offer`".to_owned()
    } else {
        lines.join("\n")
    };
    Ok((answer, text))
}

fn offer(life: Duration, qr: bool, place: &DataDirectory) -> Result<(Value, String), CliError> {
    let body = json!({ "life_s": life.as_secs() });
    let answer = ask(
        &place.data_directory,
        Method::POST,
        "/v1/offers",
        Some(&body),
    )?;
    let uri = word(&answer, "offer");
    let mut text = uri.clone();
    if qr {
        let code = QrCode::new(uri.as_bytes())
            .map_err(|error| CliError::from_error(Exit::No, "the offer fits no QR code", &error))?;
        let image = code.render::<Dense1x2>().quiet_zone(true).build();
        text = format!("{image}\n{uri}");
    }
    Ok((answer, text))
}
