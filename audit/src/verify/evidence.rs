//! Statements of publisher, builder and rebuilders, each signed and logged.

use std::collections::BTreeSet;

use cli::Exit;
use manifests::attestation::bundle::{Bundle, BundleError};
use manifests::attestation::dsse::Envelope;
use manifests::attestation::provenance::Provenance;
use manifests::attestation::release::ReleaseStatement;
use manifests::digest::Sha256;
use manifests::evidence::grade::Grade;
use manifests::evidence::pack::EVIDENCE;
use manifests::evidence::{EvidenceError, Expected, Logged, names};
use manifests::json;
use tlog::checkpoint::Checkpoint;
use tlog::log_proof::NotLogged;
use tlog::policy::Refusal;

use super::Case;
use crate::finding::Finding;
use crate::pack::Pack;

/// What the list of components is called in a pack.
const SBOM_FILE: &str = "sbom.json";
/// What names of statements begin with that are kept as they came.
const ATTACHED: &str = "attached-";

/// A bundle of the pack; the finding if there is none, or none that can be read.
fn bundle(pack: &Pack, file: &str, rule: &'static str) -> Result<Bundle, Finding> {
    let name = format!("{EVIDENCE}{file}");
    let Some(bytes) = pack.file(&name) else {
        return Err(Finding::missing(rule, "the pack does not hold it").of(name));
    };
    Bundle::parse(bytes).map_err(|error| refused(rule, &error.into()).of(name))
}

fn refused(rule: &'static str, error: &EvidenceError) -> Finding {
    let not_logged = match error {
        EvidenceError::Bundle(BundleError::NotLogged(not_logged)) => Some(not_logged),
        _ => None,
    };
    match not_logged {
        Some(NotLogged::Refused(Refusal::Quorum(_))) => {
            let finding = Finding::fail(rule, error, Exit::Quorum);
            finding.fix("get a pack that more witnesses have cosigned")
        }
        _ => Finding::fail(rule, error, Exit::No)
            .fix("don't trust it: the evidence is not the publisher's"),
    }
}

fn keep(shown: &mut Vec<Checkpoint>, logged: &Logged) -> u64 {
    shown.push(logged.accepted.checkpoint.clone());
    logged.index
}

/// The publisher's signature of the image.
pub(super) fn image(
    pack: &Pack,
    expected: &Expected<'_>,
    shown: &mut Vec<Checkpoint>,
) -> Vec<Finding> {
    let rule = "image/signature";
    let checked = bundle(pack, names::IMAGE, rule).and_then(|bundle| {
        let logged = expected.check_image(&bundle);
        logged.map_err(|error| refused(rule, &error).of(format_args!("{EVIDENCE}{}", names::IMAGE)))
    });
    vec![match checked {
        Ok(logged) => {
            let index = keep(shown, &logged);
            Finding::ok(
                rule,
                format!("the publisher has signed the image, log entry {index}"),
            )
        }
        Err(finding) => finding,
    }]
}

/// What the publisher says of the release.
pub(super) fn release(
    pack: &Pack,
    expected: &Expected<'_>,
    shown: &mut Vec<Checkpoint>,
) -> (Vec<Finding>, Option<ReleaseStatement>) {
    let rule = "release/statement";
    let checked = bundle(pack, names::RELEASE, rule).and_then(|bundle| {
        let said = expected.check_release(&bundle);
        said.map_err(|error| refused(rule, &error).of(format_args!("{EVIDENCE}{}", names::RELEASE)))
    });
    match checked {
        Ok((said, logged)) => {
            let index = keep(shown, &logged);
            let text = format!("the publisher says the same in the log, entry {index}");
            (vec![Finding::ok(rule, text)], Some(said))
        }
        Err(finding) => (vec![finding], None),
    }
}

/// Who says what the image was built from, and the grade that makes.
pub(super) fn build(
    case: &Case<'_>,
    expected: &Expected<'_>,
    said: &ReleaseStatement,
    shown: &mut Vec<Checkpoint>,
) -> (Vec<Finding>, Grade) {
    let (mut findings, mut grade, mut checked_provenance) = (Vec::new(), Grade::None, None);
    let demands = &case.trusted.pin.requirements;
    if said.provenance.is_none() {
        findings.push(Finding::not_shown(
            "build/provenance",
            "the release was published without",
        ));
    } else {
        let rule = "build/provenance";
        let checked = bundle(case.pack, names::PROVENANCE, rule).and_then(|bundle| {
            let checked = expected.check_provenance(&bundle, said);
            checked.map_err(|error| {
                refused(rule, &error).of(format_args!("{EVIDENCE}{}", names::PROVENANCE))
            })
        });
        match checked {
            Ok((provenance, logged)) => {
                grade = Grade::B1;
                let index = keep(shown, &logged);
                findings.push(Finding::ok(
                    rule,
                    format!("{}, log entry {index}", words(&provenance)),
                ));
                checked_provenance = Some(provenance);
            }
            Err(finding) => findings.push(finding),
        }
    }
    let (found, rebuilt) = rebuilds(case, expected, checked_provenance.as_ref());
    findings.push(found);
    if rebuilt > 0 && rebuilt >= demands.rebuilds {
        grade = Grade::B3;
    }
    findings.push(attached(case.pack));
    if grade < demands.grade {
        let text = format!("grade {grade}, the pin demands {}", demands.grade);
        findings.push(Finding::missing("build/grade", text));
    } else {
        findings.push(Finding::ok(
            "build/grade",
            format!("{grade}: {}", grade.meaning()),
        ));
    }
    (findings, grade)
}

fn words(provenance: &Provenance) -> String {
    let source = provenance.source();
    let source = source.map(|(uri, commit)| format!("{uri} at {commit:.12}"));
    let source = source.unwrap_or_else(|| "no commit is named".to_owned());
    let run = provenance.invocation.as_ref();
    let run = run.map(|run| format!(", run {run}")).unwrap_or_default();
    format!("{}: {source}{run}", provenance.builder)
}

/// Counts rebuilders by their keys. Without provenance there is nothing that they could confirm.
fn rebuilds(
    case: &Case<'_>,
    expected: &Expected<'_>,
    provenance: Option<&Provenance>,
) -> (Finding, u64) {
    let demands = &case.trusted.pin.requirements;
    let (mut keys, mut strangers) = (BTreeSet::new(), 0);
    for file in names::REBUILDS {
        let Some(bytes) = case.pack.file(&format!("{EVIDENCE}{file}")) else {
            continue;
        };
        let envelope = json::parse(bytes).and_then(|json| Envelope::from_json(&json));
        let key = envelope
            .ok()
            .zip(provenance)
            .and_then(|(envelope, provenance)| {
                let key = expected.check_rebuild(&envelope, &demands.rebuilders, provenance);
                key.ok()
            });
        match key {
            Some(key) => drop(keys.insert(key)),
            None => strangers += 1,
        }
    }
    let count = u64::try_from(keys.len()).unwrap_or(u64::MAX);
    let rule = "build/rebuilds";
    let text = format!(
        "{count} of the pin's {} rebuilders came to the same bytes, {} needed; {strangers} others are not counted",
        demands.rebuilders.len(),
        demands.rebuilds
    );
    let finding = if count < demands.rebuilds {
        Finding::missing(rule, text)
    } else if count == 0 {
        Finding::not_shown(rule, "no rebuilder that the pin names has built it again")
    } else {
        Finding::ok(rule, text)
    };
    (finding, count)
}

/// Statements of CI platforms: what they show takes the platform's own certificates, so they raise no grade here.
fn attached(pack: &Pack) -> Finding {
    let start = format!("{EVIDENCE}{ATTACHED}");
    let names: Vec<&str> = pack
        .files
        .keys()
        .filter_map(|name| name.strip_prefix(EVIDENCE))
        .collect();
    let count = names
        .iter()
        .filter(|name| name.starts_with(ATTACHED))
        .count();
    if count == 0 {
        return Finding::not_shown(
            "build/platform",
            "the CI platform's own statement is not attached",
        );
    }
    let text = format!("{count} statements are attached and count for nothing here ({start}…)");
    Finding::not_shown("build/platform", text)
        .fix("cosign verify-blob-attestation, or gh attestation verify")
}

/// The list of components.
pub(super) fn sbom(
    case: &Case<'_>,
    expected: &Expected<'_>,
    said: &ReleaseStatement,
    shown: &mut Vec<Checkpoint>,
) -> Vec<Finding> {
    let rule = "sbom";
    let Some(_) = said.sbom else {
        let text = "the release was published without a list of components";
        let is_demanded = case.trusted.pin.requirements.sbom;
        return vec![match is_demanded {
            true => Finding::missing(rule, text),
            false => Finding::not_shown(rule, text),
        }];
    };
    let name = format!("{EVIDENCE}{SBOM_FILE}");
    let Some(bytes) = case.pack.file(&name) else {
        return vec![Finding::missing(rule, "the pack does not hold it").of(name)];
    };
    let checked = bundle(case.pack, names::SBOM, rule).and_then(|bundle| {
        let checked = expected.check_sbom(&bundle, &Sha256::of(bytes), said);
        checked.map_err(|error| refused(rule, &error).of(&name))
    });
    vec![match checked {
        Ok(logged) => {
            let index = keep(shown, &logged);
            Finding::ok(
                rule,
                format!("the list of components is the publisher's, log entry {index}"),
            )
        }
        Err(finding) => finding,
    }]
}
