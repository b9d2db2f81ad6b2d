//! `streembit-publisher doctor`: what expires when, which key is where, what would break.

use std::path::Path;
use std::time::{Duration, SystemTime};

use cli::{CliError, Exit, Output, human};
use manifests::envelope::Metadata as _;
use manifests::header::Header;
use manifests::instant::UtcTime;
use serde_json::json;

use crate::command::keys::{places, roles};
use crate::edit;
use crate::repository::Layout;
use crate::settings::Settings;
use crate::staged::{InForce, Staged};

/// Runs `doctor`.
///
/// # Errors
/// [`CliError`] if the repository can't be read. Exit code 1 if something needs attention.
pub fn run(folder: &Path, output: Output) -> Result<Exit, CliError> {
    let (layout, settings) = (Layout::new(folder), Settings::load(folder)?);
    let in_force = InForce::load(&layout)?;
    let now = UtcTime::from_system(SystemTime::now());
    let mut findings = Vec::new();
    let (mut text, mut expiries) = (String::new(), Vec::new());
    for (role, expires, life) in expiry(&in_force, &settings)? {
        let left = Duration::from_secs(expires.as_unix().saturating_sub(now.as_unix()));
        let state = if left.is_zero() {
            findings.push(format!("{role} is expired: {}", remedy(&role)));
            "expired".to_owned()
        } else {
            if left < life / 2 {
                findings.push(format!(
                    "{role} is past half of its life: {}",
                    remedy(&role)
                ));
            }
            format!("in {}", human::duration(left))
        };
        text.push_str(&format!("expires     {role:<10} {expires} ({state})\n"));
        expiries.push(json!({ "role": role, "expires": expires.to_string(),
            "left_s": left.as_secs() }));
    }
    let (places, mut keys) = (places(&layout, &settings), Vec::new());
    for (role, authority) in roles(&in_force.repository) {
        let threshold = authority.threshold();
        let mut here = 0;
        text.push_str(&format!("keys        {role:<10} {threshold} needed:"));
        for key in authority.distinct_keys() {
            let uris = settings.keys_of(&role);
            let found = places
                .iter()
                .find(|(it, uri)| it == key && uris.contains(uri));
            let place = found.map_or("elsewhere", |(_, uri)| uri.as_str());
            here += usize::from(found.is_some());
            text.push_str(&format!(" {} {place}", edit::short_id(key)));
            keys.push(json!({ "role": role, "keyid": key.id(), "uri": place }));
        }
        text.push('\n');
        let online = matches!(role.as_str(), "snapshot" | "timestamp");
        let product = !matches!(role.as_str(), "root" | "targets") && !online;
        let listed = !settings.keys_of(&role).is_empty();
        if (online && here < threshold) || (product && listed && here == 0) {
            findings.push(format!(
                "{role} can't be signed here: its keys in publisher.toml are missing or not its own"
            ));
        }
        if role == "root" && authority.distinct_keys().len() == threshold {
            findings.push("one lost root key ends all rotations: root add-key".to_owned());
        }
        if role == "root" && threshold == 1 {
            findings.push("one stolen root key is the publisher: root set-threshold 2".to_owned());
        }
    }
    findings.extend(waiting(&layout, &settings, &in_force)?);
    for finding in &findings {
        text.push_str(&format!("attention   {finding}\n"));
    }
    let value = json!({ "expires": expiries, "keys": keys, "attention": findings });
    output.result(&value, text.trim_end())?;
    Ok(if findings.is_empty() {
        Exit::Done
    } else {
        Exit::No
    })
}

/// What keeps the next publication from being made.
fn waiting(
    layout: &Layout,
    settings: &Settings,
    in_force: &InForce,
) -> Result<Vec<String>, CliError> {
    let mut findings = Vec::new();
    if let Some(account) = in_force.repository.root.account()
        && settings.account_uri(&layout.folder, account).is_err()
    {
        findings.push("the account's key is not here: nothing can be published".to_owned());
    }
    let staged = Staged::load(layout, in_force)?;
    let lacks = staged.lacks(in_force)?;
    if lacks.is_empty() && !staged.documents.is_empty() {
        findings.push("what is staged has all its signatures: publish".to_owned());
    }
    for lack in lacks {
        findings.push(format!(
            "staged {} waits for {} more signatures by its {} keys",
            lack.role,
            lack.threshold - lack.valid,
            lack.keys
        ));
    }
    Ok(findings)
}

/// Role, expiry and how long such a document lives.
fn expiry(
    in_force: &InForce,
    settings: &Settings,
) -> Result<Vec<(String, UtcTime, Duration)>, CliError> {
    let lives = settings.lives()?;
    let repository = &in_force.repository;
    let top = [
        ("root", repository.root.header()),
        ("targets", repository.targets.header()),
        ("snapshot", repository.snapshot.header()),
        ("timestamp", repository.timestamp.header()),
    ];
    let products = repository.products.iter();
    let products = products.map(|(name, role)| (name.as_str(), role.header()));
    let roles = top.into_iter().chain(products);
    let row = |(role, header): (&str, &Header)| (role.to_owned(), header.expires, lives.of(role));
    Ok(roles.map(row).collect())
}

fn remedy(role: &str) -> &'static str {
    match role {
        "root" => "root expire \"in 1 year\", sign, publish",
        "snapshot" | "timestamp" => "refresh",
        "targets" => "role renew targets, sign, publish",
        _ => "release, or role renew, sign, publish",
    }
}
