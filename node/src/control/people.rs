//! What can be asked of a messenger.

use std::path::PathBuf;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt as _;
use protocol::contacts::contact::{Contact, Relation};
use protocol::contacts::offer::Offer;
use protocol::messages::MessageId;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;

use super::routes::Answer;
use super::{Api, ApiError};
use crate::messenger::history::Entry;
use crate::messenger::{Messenger, MessengerError, MessengerHandle, files};
use crate::swarm::addresses::worth_telling;

/// How long an offer is good, unless it is said: a week.
const OFFER_LIFE_S: u64 = 7 * 24 * 3600;
/// Messages that are shown, unless it is said how many.
const MESSAGES_SHOWN: usize = 50;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OfferOrder {
    #[serde(default)]
    life_s: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AskOrder {
    offer: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Range {
    #[serde(default)]
    limit: Option<usize>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TextOrder {
    text: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileOrder {
    path: PathBuf,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileWish {
    #[serde(default)]
    to: Option<PathBuf>,
}

impl Api {
    fn messenger(&self) -> Result<&MessengerHandle, ApiError> {
        self.messenger.as_ref().ok_or_else(|| {
            let message = "no account runs here: start `streembit run` with one";
            ApiError::new(StatusCode::NOT_IMPLEMENTED, message)
        })
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Messenger) -> Result<T, MessengerError> + Send + 'static,
    ) -> Result<T, ApiError> {
        Ok(self.messenger()?.with(work).await??)
    }
}

/// A contact as it is shown.
fn shown(messenger: &Messenger, contact: &Contact) -> Value {
    json!({
        "id": contact.id, "name": contact.name, "account": contact.id.account_id(),
        "public_key": contact.key.to_hex(), "node_id": contact.node_id(),
        "relation": contact.relation, "verified": contact.is_verified,
        "online": messenger.is_online(&contact.id),
    })
}

fn message(entry: &Entry) -> Json<Value> {
    Json(json!(entry))
}

pub(super) async fn account(State(api): State<Api>) -> Answer {
    let work = |messenger: &mut Messenger| {
        let account = messenger.account();
        Ok(json!({
            "name": account.name, "account": account.node_id.account_id(),
            "node_id": account.node_id, "public_key": account.key.public().to_hex(),
            "agreement_key": account.agreement.public(),
        }))
    };
    Ok(Json(api.with(work).await?))
}

pub(super) async fn make_offer(State(api): State<Api>, Json(order): Json<OfferOrder>) -> Answer {
    let life = order.life_s.unwrap_or(OFFER_LIFE_S);
    let addresses = worth_telling(api.node.addresses().borrow().iter().map(String::as_str));
    let offer = api
        .with(move |messenger| messenger.make_offer(life, addresses))
        .await?;
    Ok(Json(json!({ "offer": offer.to_string(), "life_s": life })))
}

pub(super) async fn contacts(State(api): State<Api>) -> Answer {
    let work = |messenger: &mut Messenger| {
        let contacts = messenger.book().contacts().iter();
        Ok(contacts
            .map(|contact| shown(messenger, contact))
            .collect::<Vec<_>>())
    };
    Ok(Json(json!(api.with(work).await?)))
}

pub(super) async fn ask(State(api): State<Api>, Json(order): Json<AskOrder>) -> Answer {
    let offer: Offer = order
        .offer
        .parse()
        .map_err(|error| ApiError::new(StatusCode::BAD_REQUEST, error))?;
    let work = move |messenger: &mut Messenger| {
        let contact = messenger.ask(&offer)?;
        Ok(shown(messenger, &contact))
    };
    Ok(Json(api.with(work).await?))
}

pub(super) async fn contact(State(api): State<Api>, Path(name): Path<String>) -> Answer {
    let work = move |messenger: &mut Messenger| {
        let contact = messenger.contact(&name)?;
        Ok(shown(messenger, &contact))
    };
    Ok(Json(api.with(work).await?))
}

pub(super) async fn remove(State(api): State<Api>, Path(name): Path<String>) -> Answer {
    api.with(move |messenger| messenger.remove(&name)).await?;
    Ok(Json(json!({})))
}

pub(super) async fn accept(api: State<Api>, name: Path<String>) -> Answer {
    decide(api, name, Relation::Accepted).await
}

pub(super) async fn deny(api: State<Api>, name: Path<String>) -> Answer {
    decide(api, name, Relation::Denied).await
}

pub(super) async fn block(api: State<Api>, name: Path<String>) -> Answer {
    decide(api, name, Relation::Blocked).await
}

async fn decide(State(api): State<Api>, Path(name): Path<String>, relation: Relation) -> Answer {
    let work = move |messenger: &mut Messenger| {
        let contact = messenger.decide(&name, relation)?;
        Ok(shown(messenger, &contact))
    };
    Ok(Json(api.with(work).await?))
}

pub(super) async fn code(State(api): State<Api>, Path(name): Path<String>) -> Answer {
    let code = api.with(move |messenger| messenger.code(&name)).await?;
    Ok(Json(json!({ "code": code.to_string() })))
}

pub(super) async fn verify(State(api): State<Api>, Path(name): Path<String>) -> Answer {
    let work = move |messenger: &mut Messenger| {
        let contact = messenger.mark_verified(&name)?;
        Ok(shown(messenger, &contact))
    };
    Ok(Json(api.with(work).await?))
}

pub(super) async fn messages(
    State(api): State<Api>,
    Path(name): Path<String>,
    Query(range): Query<Range>,
) -> Answer {
    let limit = range.limit.unwrap_or(MESSAGES_SHOWN);
    let work = move |messenger: &mut Messenger| {
        let id = messenger.contact(&name)?.id;
        Ok(messenger.history().with(&id, limit)?)
    };
    Ok(Json(json!(api.with(work).await?)))
}

pub(super) async fn write(
    State(api): State<Api>,
    Path(name): Path<String>,
    Json(order): Json<TextOrder>,
) -> Answer {
    let entry = api
        .with(move |messenger| messenger.write_text(&name, order.text))
        .await?;
    Ok(message(&entry))
}

pub(super) async fn typing(State(api): State<Api>, Path(name): Path<String>) -> Answer {
    api.with(move |messenger| messenger.write_typing(&name))
        .await?;
    Ok(Json(json!({})))
}

pub(super) async fn read(State(api): State<Api>, Path(name): Path<String>) -> Answer {
    let count = api
        .with(move |messenger| messenger.mark_read(&name))
        .await?;
    Ok(Json(json!({ "read": count })))
}

pub(super) async fn offer_file(
    State(api): State<Api>,
    Path(name): Path<String>,
    Json(order): Json<FileOrder>,
) -> Answer {
    if order.path.is_relative() {
        let message = format!("{}: say the whole path", order.path.display());
        return Err(ApiError::new(StatusCode::BAD_REQUEST, message));
    }
    let path = order.path.clone();
    let described = tokio::task::spawn_blocking(move || files::describe(&path)).await;
    let described = described.map_err(|_| ApiError::from(crate::handle::Stopped))?;
    let offer = described.map_err(MessengerError::from)?;
    let work = move |messenger: &mut Messenger| messenger.offer_file(&name, offer, order.path);
    Ok(message(&api.with(work).await?))
}

pub(super) async fn accept_file(
    State(api): State<Api>,
    Path(id): Path<String>,
    wish: Option<Json<FileWish>>,
) -> Answer {
    let to = wish.unwrap_or_default().0.to;
    answer_file(api, &id, true, to).await
}

pub(super) async fn deny_file(State(api): State<Api>, Path(id): Path<String>) -> Answer {
    answer_file(api, &id, false, None).await
}

async fn answer_file(api: Api, id: &str, is_wanted: bool, to: Option<PathBuf>) -> Answer {
    let id: MessageId = id
        .parse()
        .map_err(|_| ApiError::new(StatusCode::BAD_REQUEST, "not the id of a message"))?;
    let work = move |messenger: &mut Messenger| messenger.answer_file(&id, is_wanted, to);
    Ok(message(&api.with(work).await?))
}

/// One JSON object a line, for as long as somebody listens.
pub(super) async fn events(State(api): State<Api>) -> Result<Response, ApiError> {
    let events = api.messenger()?.events();
    let lines = futures::stream::unfold(events, |mut events| async {
        loop {
            match events.recv().await {
                Ok(event) => {
                    let line = serde_json::to_string(&event).unwrap_or_default();
                    let line = Bytes::from(format!("{line}\n"));
                    return Some((Ok::<_, std::convert::Infallible>(line), events));
                }
                // Who is too slow reads the history.
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    });
    // A first line shows that listening has begun.
    let begin =
        futures::stream::once(async { Ok(Bytes::from_static(b"{\"event\":\"listening\"}\n")) });
    let body = Body::from_stream(begin.chain(lines));
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}
