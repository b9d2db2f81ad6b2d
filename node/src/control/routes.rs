//! What can be asked of a node.

use axum::extract::{Path, Request, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::{MethodRouter, delete, get, post};
use axum::{Json, Router};
use protocol::dht::key::DhtKey;
use protocol::dht::record::Record;
use serde_json::{Value, json};

use super::{Api, ApiError, people};

/// The same as a document, held equal to [`ROUTES`] by a test.
const OPENAPI: &str = include_str!("../../../docs/openapi.json");

/// What a handler gives.
pub(super) type Answer = Result<Json<Value>, ApiError>;

/// Method, path, handler.
type Route = (&'static str, &'static str, fn() -> MethodRouter<Api>);

/// All of them.
pub(super) const ROUTES: &[Route] = &[
    ("get", "/metrics", || get(metrics)),
    ("get", "/v1/openapi.json", || get(openapi)),
    ("get", "/v1/status", || get(status)),
    ("get", "/v1/peers", || get(peers)),
    ("get", "/v1/dht/{key}", || get(record)),
    ("post", "/v1/network/reload", || post(reload_network)),
    ("get", "/v1/account", || get(people::account)),
    ("post", "/v1/offers", || post(people::make_offer)),
    ("get", "/v1/contacts", || get(people::contacts)),
    ("post", "/v1/contacts", || post(people::ask)),
    ("get", "/v1/contacts/{contact}", || get(people::contact)),
    ("delete", "/v1/contacts/{contact}", || {
        delete(people::remove)
    }),
    ("post", "/v1/contacts/{contact}/accept", || {
        post(people::accept)
    }),
    ("post", "/v1/contacts/{contact}/deny", || post(people::deny)),
    ("post", "/v1/contacts/{contact}/block", || {
        post(people::block)
    }),
    ("get", "/v1/contacts/{contact}/code", || get(people::code)),
    ("post", "/v1/contacts/{contact}/verify", || {
        post(people::verify)
    }),
    ("get", "/v1/contacts/{contact}/messages", || {
        get(people::messages)
    }),
    ("post", "/v1/contacts/{contact}/messages", || {
        post(people::write)
    }),
    ("post", "/v1/contacts/{contact}/typing", || {
        post(people::typing)
    }),
    ("post", "/v1/contacts/{contact}/read", || post(people::read)),
    ("post", "/v1/contacts/{contact}/files", || {
        post(people::offer_file)
    }),
    ("post", "/v1/files/{id}/accept", || {
        post(people::accept_file)
    }),
    ("post", "/v1/files/{id}/deny", || post(people::deny_file)),
    ("get", "/v1/events", || get(people::events)),
];

pub(super) fn router(api: Api) -> Router {
    let mut router = Router::new();
    for (_, path, route) in ROUTES {
        router = router.route(path, route());
    }
    router.fallback(unknown).with_state(api)
}

async fn unknown(request: Request) -> ApiError {
    let message = format!("nothing at {} {}", request.method(), request.uri().path());
    ApiError::new(StatusCode::NOT_FOUND, message)
}

async fn openapi() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI)
}

async fn status(State(api): State<Api>) -> Answer {
    Ok(Json(json!(api.node.status().await?)))
}

async fn peers(State(api): State<Api>) -> Answer {
    Ok(Json(json!(api.node.peers().await?)))
}

async fn record(State(api): State<Api>, Path(key): Path<String>) -> Answer {
    let mut bytes = [0; 32];
    let decoded = hex::decode_to_slice(&key, &mut bytes).ok();
    let key = decoded.and_then(|()| DhtKey::from_slice(&bytes));
    let Some(key) = key else {
        return Err(ApiError::new(
            StatusCode::BAD_REQUEST,
            "key is not 64 hex digits",
        ));
    };
    let found = api.node.get(key).await?;
    let record = found.best.map(|(record, bytes)| {
        let token = String::from_utf8_lossy(&bytes).into_owned();
        json!({ "seq": record.seq(), "kind": kind(&record), "token": token })
    });
    Ok(Json(json!({ "key": key.to_string(), "record": record,
        "valid_answers": found.valid, "invalid_answers": found.invalid })))
}

/// Reads the files of the private network again.
async fn reload_network(State(api): State<Api>) -> Answer {
    let network = api.node.reload_network().await?;
    let network = network.map_err(|error| ApiError::new(StatusCode::CONFLICT, error))?;
    Ok(Json(json!({ "network": network })))
}

/// A kind as people write it: `typ` without what all of them begin with.
fn kind(record: &Record) -> &'static str {
    let typ = record.rule().typ;
    typ.strip_prefix("streembit-").unwrap_or(typ)
}

/// Prometheus text format 0.0.4.
async fn metrics(State(api): State<Api>) -> Result<impl IntoResponse, ApiError> {
    let status = api.node.status().await?;
    let gauges = [
        ("peers", "Connected peers", status.peers),
        ("known_peers", "Peers in the routing table", status.known),
        ("records", "Records stored for the network", status.records),
        (
            "provider_keys",
            "Keys with providers stored for the network",
            status.provider_keys,
        ),
        ("blobs", "Blobs served", status.blobs),
    ];
    let mut text = String::new();
    for (name, help, value) in gauges {
        text.push_str(&format!(
            "# HELP streembit_{name} {help}\n# TYPE streembit_{name} gauge\nstreembit_{name} {value}\n"
        ));
    }
    if let Some(messenger) = &api.messenger {
        let count = |messenger: &mut crate::messenger::Messenger| {
            let contacts = messenger.book().contacts();
            let online = contacts
                .iter()
                .filter(|contact| messenger.is_online(&contact.id));
            (contacts.len(), online.count())
        };
        let (contacts, online) = messenger.with(count).await?;
        for (name, help, value) in [
            ("contacts", "Contacts of the account", contacts),
            ("contacts_online", "Contacts with an open session", online),
        ] {
            text.push_str(&format!(
                "# HELP streembit_{name} {help}\n# TYPE streembit_{name} gauge\nstreembit_{name} {value}\n"
            ));
        }
    }
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_document_has_every_route_and_no_other() {
        let document: Value = serde_json::from_str(OPENAPI).unwrap();
        let mut documented = BTreeSet::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            for (method, operation) in methods.as_object().unwrap() {
                assert!(operation["summary"].is_string(), "{method} {path}");
                assert!(operation["responses"].is_object(), "{method} {path}");
                documented.insert((method.clone(), path.clone()));
            }
        }
        let routes = ROUTES
            .iter()
            .map(|(method, path, _)| (method.to_string(), path.to_string()));
        assert_eq!(documented, routes.collect());
    }
}
