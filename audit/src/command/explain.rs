//! `streembit-audit explain`: what each line of `verify` means, and who would have to collude to fake it.

use cli::{CliError, Exit, Output};
use serde_json::{Value, json};

use super::verify::{Args, look};

/// Rules: what is checked, and who could fake it.
const RULES: [(&str, &str, &str); 19] = [
    (
        "pack/product",
        "the pack is about the product that the pin names",
        "nobody: it is compared with the auditor's own file",
    ),
    (
        "metadata",
        "the signed metadata is in force at the time of the check, and fits together",
        "so many of each role's keys as are needed",
    ),
    (
        "root/chain",
        "the publisher's keys, from the pin's root to the newest, each signed by enough of those before",
        "so many of the root keys as are needed",
    ),
    (
        "role/target",
        "the product's role names this image as this release",
        "so many of the product's keys as are needed",
    ),
    (
        "role/channel",
        "the release is of the channel that the pin names",
        "so many of the product's keys as are needed",
    ),
    (
        "role/security-version",
        "the release is not below the security version that the pin asks for",
        "so many of the product's keys as are needed",
    ),
    (
        "image/hash",
        "the file at hand is that image",
        "nobody, short of breaking SHA-256",
    ),
    (
        "image/signature",
        "the publisher's statement key has signed the image, and the log holds that",
        "who has that key, in the open: it is in the log",
    ),
    (
        "release/statement",
        "the publisher says the same of the release in the log as in the metadata",
        "who has the statement key and the product's keys, in the open",
    ),
    (
        "build/provenance",
        "the publisher's own builder says what it built the image from (grade B1)",
        "the publisher alone: it is its own word",
    ),
    (
        "build/rebuilds",
        "independent rebuilders came to the same bytes (grade B3)",
        "all of those rebuilders together",
    ),
    (
        "build/platform",
        "what the CI platform says by itself; not counted here, verify it with its own tools (grade B2)",
        "the platform and its certificate authority",
    ),
    (
        "build/grade",
        "how much is known of the build; it is never raised",
        "see the lines above",
    ),
    (
        "sbom",
        "the list of components belongs to the release",
        "who has the statement key: the list is the publisher's word",
    ),
    (
        "log/policy",
        "whether the auditor trusts a log at all",
        "nobody: it is the auditor's own file",
    ),
    (
        "log/checkpoint",
        "the state of the log that all proofs lead to",
        "who has the log's key",
    ),
    (
        "log/consistency",
        "the log has only grown since the auditor last looked, and holds all proofs",
        "nobody, short of breaking SHA-256",
    ),
    (
        "log/witnesses",
        "enough of the pinned witnesses have seen one history of the log",
        "the publisher and so many witnesses that two quorums share no honest one",
    ),
    (
        "log/fresh",
        "witnesses have seen this state of late: nothing newer is held back",
        "as many witnesses as a quorum",
    ),
];

/// Runs `explain`.
///
/// # Errors
/// As `verify`.
pub fn run(args: &Args, output: Output) -> Result<Exit, CliError> {
    let (_, outcome) = look(args)?;
    let (mut text, mut lines) = (String::new(), Vec::<Value>::new());
    for finding in &outcome.findings {
        let rule = RULES.iter().find(|(rule, _, _)| *rule == finding.rule);
        let (_, means, fakers) = rule.copied().unwrap_or((finding.rule, "", ""));
        text.push_str(&format!(
            "{} {}\n    found   {}\n    means   {means}\n    faked by {fakers}\n",
            finding.rule, finding.status, finding.text
        ));
        lines.push(
            json!({ "rule": finding.rule, "status": finding.status, "found": finding.text,
            "means": means, "faked_by": fakers }),
        );
    }
    text.push_str(
        "\nNot shown by anything here: a fault in the sources that everybody builds alike, keys that were stolen \
         together with enough witnesses, a device that never hears of the release.",
    );
    output.result(
        &json!({ "lines": lines, "exit": outcome.exit() as u8 }),
        text,
    )?;
    Ok(outcome.exit())
}
