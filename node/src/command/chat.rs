//! `streembit chat`: what is typed goes to the contact, what comes is shown, until the end of the input.
//!
//! On a terminal a line is edited in place, what comes is shown above it, and the contact is told that somebody is
//! writing. Else lines are read as they come.

mod input;

use std::time::{Duration, Instant};

use cli::exit::Context as _;
use cli::{CliError, Exit, Output};
use hyper::Method;
use serde_json::{Value, json};

use super::asking::{failed, wait_for, word};
use super::contacts::Whom;
use super::talk::line;
use crate::control::client::{self, Events, part};
use input::{Screen, Typed};

/// Between two notices that somebody is writing: the other side forgets the last one after twice as long.
const TYPING_INTERVAL: Duration = Duration::from_secs(3);

/// Runs `streembit chat`.
///
/// # Errors
/// [`CliError`].
pub fn chat(whom: &Whom, output: Output) -> Result<Exit, CliError> {
    wait_for(converse(whom, output))?
}

/// One conversation.
struct Conversation<'a> {
    whom: &'a Whom,
    /// The contact's id.
    id: String,
    screen: Screen,
    /// When the contact was told that somebody is writing, and when we were.
    told: Option<Instant>,
    heard: Option<Instant>,
}

async fn converse(whom: &Whom, output: Output) -> Result<Exit, CliError> {
    let folder = &whom.place.data_directory;
    let (mut typed, screen) = input::open(output)?;
    let mut conversation = Conversation {
        whom,
        id: String::new(),
        screen,
        told: None,
        heard: None,
    };
    let about = conversation.ask(Method::GET, "", None).await?;
    conversation.id = word(&about, "id");
    let events = Events::open(folder).await;
    let mut events = events.map_err(|error| failed(folder, error))?;
    let recent = conversation
        .ask(Method::GET, "/messages?limit=20", None)
        .await?;
    for entry in recent.as_array().into_iter().flatten() {
        conversation
            .screen
            .show(entry, &line(entry, &whom.contact))?;
    }
    loop {
        tokio::select! {
            typed = typed.recv() => match typed {
                Some(typed) => conversation.on_typed(typed).await?,
                None => return Ok(Exit::Done),
            },
            event = events.next() => {
                let Some(event) = event.context(Exit::Undecided, "events")? else {
                    return Err(CliError::new(Exit::Undecided, "the node has stopped"));
                };
                if conversation.on_event(&event)? {
                    conversation.ask(Method::POST, "/read", None).await?;
                }
            }
        }
    }
}

impl Conversation<'_> {
    async fn ask(
        &self,
        method: Method,
        action: &str,
        body: Option<&Value>,
    ) -> Result<Value, CliError> {
        let folder = &self.whom.place.data_directory;
        let path = format!("/v1/contacts/{}{action}", part(&self.whom.contact));
        let answer = client::ask(folder, (method, &path), body).await;
        answer.map_err(|error| failed(folder, error))
    }

    async fn on_typed(&mut self, typed: Typed) -> Result<(), CliError> {
        match typed {
            Typed::Line(text) if text.trim().is_empty() => {}
            Typed::Line(text) => {
                self.told = None;
                let body = json!({ "text": text });
                self.ask(Method::POST, "/messages", Some(&body)).await?;
            }
            Typed::Part if is_over(self.told, TYPING_INTERVAL) => {
                self.told = Some(Instant::now());
                self.ask(Method::POST, "/typing", None).await?;
            }
            Typed::Part => {}
        }
        Ok(())
    }

    /// Shows what has to do with the contact; says whether it is something new to read.
    fn on_event(&mut self, event: &Value) -> Result<bool, CliError> {
        let contact = &self.whom.contact;
        let kind = word(event, "event");
        if kind == "message" {
            let entry = event.get("entry").unwrap_or(&Value::Null);
            let is_in = word(entry, "direction") == "in";
            let is_new = is_in && word(entry, "progress") == "delivered";
            if word(entry, "contact") == self.id && (is_new || !is_in) {
                self.heard = None;
                self.screen.show(entry, &line(entry, contact))?;
                return Ok(is_new);
            }
            return Ok(false);
        }
        if word(event, "contact") != self.id {
            return Ok(false);
        }
        let what = match kind.as_str() {
            "typing" if is_over(self.heard, 2 * TYPING_INTERVAL) => {
                self.heard = Some(Instant::now());
                "is writing …".to_owned()
            }
            "typing" => return Ok(false),
            "online" if event.get("is_online") == Some(&Value::Bool(true)) => "is there".to_owned(),
            "online" => "is gone".to_owned(),
            _ => word(event, "change"),
        };
        self.screen.note(&format!("{contact} {what}"))?;
        Ok(false)
    }
}

fn is_over(since: Option<Instant>, interval: Duration) -> bool {
    since.is_none_or(|since| since.elapsed() >= interval)
}
