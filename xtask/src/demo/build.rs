//! Building what the demo runs.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::process::Failure;

/// The executables of the demo.
#[derive(Clone, Debug)]
pub(super) struct Binaries {
    pub(super) node: PathBuf,
    pub(super) publisher: PathBuf,
    pub(super) agent: PathBuf,
    pub(super) hostile: PathBuf,
}

/// Builds the workspace's executables, with Cargo's own progress, and finds them.
pub(super) fn binaries(root: &Path) -> Result<Binaries, Failure> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "build",
            "--workspace",
            "--bins",
            "--message-format=json-render-diagnostics",
        ])
        .current_dir(root)
        .stderr(std::process::Stdio::inherit())
        .output()
        .map_err(|error| Failure::new("cargo build", error))?;
    if !output.status.success() {
        return Err(Failure::text("cargo build failed"));
    }
    let mut found: Vec<(String, PathBuf)> = Vec::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let Ok(message) = serde_json::from_str::<Value>(line) else {
            continue;
        };
        let executable = message.get("executable").and_then(Value::as_str);
        let name = message.pointer("/target/name").and_then(Value::as_str);
        if let (Some(name), Some(executable)) = (name, executable) {
            found.push((name.to_owned(), executable.into()));
        }
    }
    let find = |wanted: &str| {
        let path = found
            .iter()
            .find(|(name, _)| name == wanted)
            .map(|(_, path)| path.clone());
        path.ok_or_else(|| Failure::text(format!("cargo did not build {wanted}")))
    };
    Ok(Binaries {
        node: find("streembit")?,
        publisher: find("streembit-publisher")?,
        agent: find("streembit-agent")?,
        hostile: find("streembit-hostile")?,
    })
}
