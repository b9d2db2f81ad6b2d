//! Asking the running node on behalf of a command.

use std::future::Future;
use std::path::Path;

use cli::exit::Context as _;
use cli::{CliError, Exit};
use hyper::Method;
use serde_json::Value;

use crate::control::client::{self, AskError};

/// HTTP statuses that mean no, rather than that something is wrong.
const NO: [u16; 2] = [404, 409];

/// Asks the node that runs in `folder`.
///
/// # Errors
/// [`CliError`] with [`Exit::Undecided`] if none does, [`Exit::No`] or [`Exit::Usage`] if it refuses.
pub fn ask(
    folder: &Path,
    method: Method,
    path: &str,
    body: Option<&Value>,
) -> Result<Value, CliError> {
    wait_for(async {
        let answer = client::ask(folder, (method, path), body).await;
        answer.map_err(|error| failed(folder, error))
    })?
}

/// Runs something that waits, in this thread.
///
/// # Errors
/// [`CliError`] if the system has no room for that.
pub fn wait_for<T>(work: impl Future<Output = T>) -> Result<T, CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    Ok(runtime.context(Exit::No, "runtime")?.block_on(work))
}

/// What a command says if there is no answer.
pub fn failed(folder: &Path, error: AskError) -> CliError {
    match error {
        AskError::Io(error) => {
            let context = format!("no node answers in {}", folder.display());
            CliError::from_error(Exit::Undecided, context, &error)
                .hint("start one with `streembit run`, or name its --data-directory")
        }
        AskError::Refused { status, message } if NO.contains(&status) => {
            CliError::new(Exit::No, message)
        }
        AskError::Refused {
            status: 400,
            message,
        } => CliError::new(Exit::Usage, message),
        AskError::Refused { message, .. } => CliError::new(Exit::Undecided, message),
    }
}

/// A member of an object as text for people.
pub fn word(value: &Value, name: &str) -> String {
    match value.get(name) {
        Some(Value::String(word)) => word.clone(),
        Some(Value::Null) | None => String::new(),
        Some(other) => other.to_string(),
    }
}
