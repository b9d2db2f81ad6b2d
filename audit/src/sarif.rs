//! Findings as SARIF 2.1.0, for code scanning.

use serde_json::{Value, json};

use crate::finding::{Finding, Status};

/// One run with all findings that don't hold.
pub fn sarif(pack: &str, findings: &[Finding]) -> Value {
    let rules: Vec<Value> = findings
        .iter()
        .map(|finding| json!({ "id": finding.rule, "name": finding.rule }))
        .collect();
    let results: Vec<Value> = findings
        .iter()
        .filter(|finding| finding.status != Status::Ok)
        .map(|finding| result(pack, finding))
        .collect();
    let driver =
        json!({ "name": "streembit-audit", "version": env!("CARGO_PKG_VERSION"), "rules": rules });
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{ "tool": { "driver": driver }, "results": results }],
    })
}

fn result(pack: &str, finding: &Finding) -> Value {
    let level = match (finding.status, finding.exit) {
        (Status::Fail, _) => "error",
        (_, cli::Exit::Done) => "note",
        _ => "warning",
    };
    let fix = finding
        .fix
        .map(|fix| format!(" ({fix})"))
        .unwrap_or_default();
    let uri = finding
        .file
        .as_ref()
        .map_or_else(|| pack.to_owned(), |file| format!("{pack}!/{file}"));
    json!({
        "ruleId": finding.rule,
        "level": level,
        "message": { "text": format!("{}: {}{fix}", finding.status, finding.text) },
        "locations": [{ "physicalLocation": { "artifactLocation": { "uri": uri } } }],
    })
}
