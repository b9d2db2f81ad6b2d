//! `streembit-audit diff`: what is different between two releases, both verified.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use cli::{CliError, Exit, Output};
use manifests::attestation::bundle::Bundle;
use manifests::attestation::provenance::Provenance;
use manifests::attestation::statement::Statement;
use manifests::evidence::names;
use manifests::evidence::pack::{EVIDENCE, RELEASE_KEY};
use serde_json::{Value, json};

use super::verify::{Args as VerifyArgs, look};
use crate::pack::Pack;
use crate::verify::Outcome;

/// Options of diff
#[derive(Clone, Debug, clap::Args)]
pub struct Args {
    /// The pack of the older release
    #[arg(value_name = "OLD")]
    pub old: PathBuf,
    /// The pack of the newer one
    #[arg(value_name = "NEW")]
    pub new: PathBuf,
    /// What is trusted
    #[arg(long, value_name = "DIR")]
    pub pin: PathBuf,
    /// Verify as of this time [default: now]
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
}

/// What is compared, by name.
type Facts = BTreeMap<String, String>;

/// Runs `diff`: 0 if both are verified, different or not.
///
/// # Errors
/// [`CliError`]; the worse end of both verifications is the program's.
pub fn run(args: &Args, output: Output) -> Result<Exit, CliError> {
    let verified = |pack: &PathBuf| {
        look(&VerifyArgs {
            pack: pack.clone(),
            images: Vec::new(),
            pin: args.pin.clone(),
            at: args.at.clone(),
            sarif: false,
        })
    };
    let ((old, before), (new, after)) = (verified(&args.old)?, verified(&args.new)?);
    for (path, outcome) in [(&args.old, &before), (&args.new, &after)] {
        if outcome.exit() != Exit::Done {
            let message = format!("{}: not verified, so nothing is compared", path.display());
            return Err(
                CliError::new(outcome.exit(), message).hint("streembit-audit verify says why")
            );
        }
    }
    let (old, new) = (facts(&old, &before), facts(&new, &after));
    let mut text = String::new();
    let mut changes: Vec<Value> = Vec::new();
    for name in old
        .keys()
        .chain(new.keys().filter(|name| !old.contains_key(*name)))
    {
        let (from, to) = (old.get(name), new.get(name));
        if from == to {
            continue;
        }
        changes.push(json!({ "what": name, "from": from, "to": to }));
        let shown = |side: Option<&String>| side.cloned().unwrap_or_else(|| "-".to_owned());
        // Writing to a string does not fail.
        let _ok = writeln!(text, "{name:<34} {} -> {}", shown(from), shown(to));
    }
    if changes.is_empty() {
        text.push_str("no difference");
    }
    output.result(&json!({ "changes": changes }), text)?;
    Ok(Exit::Done)
}

fn facts(pack: &Pack, outcome: &Outcome) -> Facts {
    let mut facts = Facts::new();
    let mut add = |name: &str, value: String| drop(facts.insert(name.to_owned(), value));
    if let Some(release) = &outcome.release {
        add("version", release.version.clone());
        add("release", release.release.to_string());
        add("security version", release.security_version.to_string());
        add("channel", release.channel.to_string());
        add("image bytes", release.image.size.to_string());
        add("image blake3", release.image.blake3.to_string());
        add("deltas", release.deltas.len().to_string());
        let hardware: Vec<&str> = release
            .hardware
            .iter()
            .map(manifests::name::Name::as_str)
            .collect();
        add("hardware", hardware.join(" "));
    }
    add("grade", outcome.grade.to_string());
    if let Some(key) = pack.file(RELEASE_KEY) {
        let key = keys::PublicKey::from_pem(&String::from_utf8_lossy(key));
        add(
            "statement key",
            key.map(|key| key.ssh_fingerprint()).unwrap_or_default(),
        );
    }
    if let Some(provenance) = provenance(pack) {
        add("builder", provenance.builder);
        for dependency in provenance.dependencies {
            let commit = dependency.git_commit.unwrap_or_default();
            add(&format!("source {}", dependency.uri), commit);
        }
    }
    facts.extend(components(pack));
    facts
}

/// Verified before, so it is only read here.
fn provenance(pack: &Pack) -> Option<Provenance> {
    let bundle = Bundle::parse(pack.file(&format!("{EVIDENCE}{}", names::PROVENANCE))?).ok()?;
    let statement = Statement::parse(&bundle.envelope()?.payload).ok()?;
    Provenance::from_json(&statement.predicate).ok()
}

/// Components by name, with their versions: CycloneDX's `components` or SPDX's `packages`.
fn components(pack: &Pack) -> Facts {
    let bytes = pack
        .file(&format!("{EVIDENCE}sbom.json"))
        .unwrap_or_default();
    let sbom: Value = serde_json::from_slice(bytes).unwrap_or_default();
    let lists = [("components", "version"), ("packages", "versionInfo")];
    let of = |(list, version): (&str, &str)| -> Vec<(String, String)> {
        let items = sbom.get(list).and_then(Value::as_array);
        let items = items.into_iter().flatten();
        let pair = |item: &Value| {
            let text = |name: &str| item.get(name).and_then(Value::as_str).map(str::to_owned);
            Some((
                format!("component {}", text("name")?),
                text(version).unwrap_or_default(),
            ))
        };
        items.filter_map(pair).collect()
    };
    lists.into_iter().flat_map(of).collect()
}
