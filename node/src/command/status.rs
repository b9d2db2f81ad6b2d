//! `streembit status` and `streembit peers`: what the running node says.

use std::path::Path;

use cli::{CliError, Exit, Output};
use hyper::Method;
use serde_json::Value;

use super::asking::ask;

/// Runs `streembit status`.
///
/// # Errors
/// [`CliError`] with [`Exit::Undecided`] if no node runs there.
pub fn status(folder: &Path, output: Output) -> Result<Exit, CliError> {
    let answer = ask(folder, Method::GET, "/v1/status", None)?;
    let mut text = String::new();
    for (name, value) in answer.as_object().into_iter().flatten() {
        let value = match value {
            Value::String(word) => word.clone(),
            Value::Array(items) => items
                .iter()
                .filter_map(Value::as_str)
                .collect::<Vec<_>>()
                .join(" "),
            other => other.to_string(),
        };
        text.push_str(&format!("{:<14} {value}\n", name.replace('_', " ")));
    }
    output.result(&answer, text)?;
    Ok(Exit::Done)
}

/// Runs `streembit peers`.
///
/// # Errors
/// As [`status`].
pub fn peers(folder: &Path, output: Output) -> Result<Exit, CliError> {
    let answer = ask(folder, Method::GET, "/v1/peers", None)?;
    let line = |peer: &Value| {
        let word = |name: &str| {
            peer.get(name)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        format!("{}  {}", word("peer_id"), word("address"))
    };
    let lines: Vec<String> = answer.as_array().into_iter().flatten().map(line).collect();
    let text = if lines.is_empty() {
        "no peers".to_owned()
    } else {
        lines.join("\n")
    };
    output.result(&answer, text)?;
    Ok(Exit::Done)
}
