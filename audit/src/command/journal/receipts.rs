//! A device's receipts: its signed word of what proved itself there, each with a line of the journal.

use std::collections::BTreeMap;
use std::path::Path;

use cli::exit::Context as _;
use cli::{CliError, Exit, durable};
use keys::PublicKey;
use manifests::attestation::dsse::{Envelope, IN_TOTO};
use manifests::attestation::statement::{INSTALL, Statement};
use manifests::json;
use serde::Serialize;

use super::Args;

/// The file in a data folder.
const RECEIPTS: &str = "receipts.jsonl";
/// Bytes of it.
const RECEIPTS_BYTES_MAX: u64 = 1 << 20;
/// Bytes of a public key in PEM.
const PEM_BYTES_MAX: u64 = 4096;

/// A receipt that fits.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Receipt {
    version: String,
    release: u64,
    time: String,
    sha256: String,
    /// Whether the key that was given has signed it; `null` without one.
    is_signed: Option<bool>,
    /// Whether the line of the journal that it names is there, and is that line.
    is_in_journal: bool,
}

/// Checks receipts against the hashes of the journal's lines.
pub(super) fn check(args: &Args, hashes: &BTreeMap<u64, String>) -> Result<Vec<Receipt>, CliError> {
    let path = match (&args.receipts, args.files.as_slice()) {
        (Some(path), _) => path.clone(),
        (None, [folder]) if folder.join(RECEIPTS).exists() => folder.join(RECEIPTS),
        _ => return Ok(Vec::new()),
    };
    let account = args.account.as_deref().map(account).transpose()?;
    let bytes = durable::read(&path, RECEIPTS_BYTES_MAX).context(Exit::Undecided, "receipts")?;
    let text = String::from_utf8(bytes).context(Exit::No, path.display())?;
    let lines = text.lines().enumerate();
    let receipts = lines.map(|(number, line)| {
        let broken = |why: &str| {
            CliError::new(
                Exit::No,
                format_args!("{}:{}: {why}", path.display(), number + 1),
            )
            .hint("it is not a receipt of this device, or the journal was written anew since")
        };
        let receipt = read(line, account.as_ref(), hashes);
        let receipt = receipt.ok_or_else(|| broken("no receipt of an installation"))?;
        if receipt.is_signed == Some(false) {
            return Err(broken("not signed by the account"));
        }
        let named = line_of(line).unwrap_or_default();
        if hashes
            .last_key_value()
            .is_some_and(|(last, _)| named > *last)
        {
            return Err(broken(
                "the journal ends before the line that the receipt names",
            ));
        }
        if !receipt.is_in_journal && hashes.contains_key(&named) {
            return Err(broken(
                "the journal has another line where the receipt was written",
            ));
        }
        Ok(receipt)
    });
    receipts.collect()
}

fn read(
    line: &str,
    account: Option<&PublicKey>,
    hashes: &BTreeMap<u64, String>,
) -> Option<Receipt> {
    let envelope = Envelope::from_json(&json::parse(line.as_bytes()).ok()?).ok()?;
    let statement = Statement::parse(&envelope.payload).ok()?;
    if envelope.payload_type != IN_TOTO || statement.predicate_type != INSTALL {
        return None;
    }
    let said = &statement.predicate;
    let seq = said.integer("journalSeq", 0).ok()?;
    let hash = said.string("journalSha256").ok()?;
    Some(Receipt {
        version: said.string("version").ok()?.to_owned(),
        release: said.integer("release", 0).ok()?,
        time: said.string("time").ok()?.to_owned(),
        sha256: statement.subjects.first()?.sha256.to_string(),
        is_signed: account.map(|account| envelope.verify(account).is_ok()),
        is_in_journal: hashes.get(&seq).is_some_and(|it| it == hash),
    })
}

/// The number of the journal's line that a receipt names.
fn line_of(line: &str) -> Option<u64> {
    let envelope = Envelope::from_json(&json::parse(line.as_bytes()).ok()?).ok()?;
    let statement = Statement::parse(&envelope.payload).ok()?;
    statement.predicate.integer("journalSeq", 0).ok()
}

fn account(given: &str) -> Result<PublicKey, CliError> {
    if Path::new(given).exists() {
        let bytes =
            durable::read(Path::new(given), PEM_BYTES_MAX).context(Exit::Key, "--account")?;
        return PublicKey::from_pem(&String::from_utf8_lossy(&bytes)).context(Exit::Key, given);
    }
    PublicKey::from_p256_hex(given).context(Exit::Key, format_args!("--account {given:?}"))
}

/// For people.
pub(super) fn words(receipts: &[Receipt]) -> String {
    if receipts.is_empty() {
        return "receipts    none".to_owned();
    }
    let line = |receipt: &Receipt| {
        let signed = match receipt.is_signed {
            Some(_) => "signed by the account",
            None => "signature not compared: --account KEY",
        };
        let journal = if receipt.is_in_journal {
            "in the journal"
        } else {
            "older than the journal here"
        };
        format!(
            "receipt     {} {} ({signed}, {journal})",
            receipt.time, receipt.version
        )
    };
    receipts.iter().map(line).collect::<Vec<_>>().join("\n")
}
