//! All checks of one release: its metadata, its evidence, the log and the witnesses. Nothing is believed that the pin
//! doesn't lead to.

mod evidence;
mod log;
mod metadata;

use manifests::digest::Sha256;
use manifests::evidence::Expected;
use manifests::evidence::grade::Grade;
use manifests::instant::UtcTime;
use manifests::release::Release;
use tlog::checkpoint::Checkpoint;
use tlog::limits::CLOCK_SKEW_S;

use crate::finding::{Finding, exit_of};
use crate::pack::Pack;
use crate::pin::Trusted;

/// What is verified, against what, and when.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// The pack.
    pub pack: &'a Pack,
    /// What the auditor trusts.
    pub trusted: &'a Trusted,
    /// The time at which nothing may be expired.
    pub at: UtcTime,
    /// Images that are said to be the release, by name.
    pub images: &'a [(String, Sha256)],
}

/// What came of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// In the order of the checks.
    pub findings: Vec<Finding>,
    /// How much is known of the build.
    pub grade: Grade,
    /// The release, if the metadata names one.
    pub release: Option<Release>,
}

impl Outcome {
    /// How the program ends.
    pub fn exit(&self) -> cli::Exit {
        exit_of(&self.findings)
    }
}

/// Runs all checks; those that have nothing to stand on are left out.
pub fn verify(case: &Case<'_>) -> Outcome {
    let mut outcome = Outcome {
        findings: Vec::new(),
        grade: Grade::None,
        release: None,
    };
    let (findings, repository) = metadata::check(case);
    outcome.findings.extend(findings);
    let Some(repository) = repository else {
        return outcome;
    };
    let Ok(product) = repository.product(&case.trusted.pin.product) else {
        return outcome;
    };
    let (findings, target) = metadata::target(case, product);
    outcome.findings.extend(findings);
    let Some((target, release)) = target else {
        return outcome;
    };
    outcome.release = Some(release.clone());
    outcome
        .findings
        .extend(metadata::images(case, &target.sha256));
    let Some(policy) = &case.trusted.policy else {
        let text = "the pin trusts no log: what the pack says of one is not looked at";
        let finding = Finding::not_shown("log/policy", text);
        outcome
            .findings
            .push(finding.fix("streembit-publisher pin, or a file policy in --pin DIR"));
        return outcome;
    };
    let expected = Expected {
        product,
        image: &target.sha256,
        release,
        policy,
        latest: case.at.as_unix().saturating_add(CLOCK_SKEW_S),
    };
    let mut shown: Vec<Checkpoint> = Vec::new();
    outcome
        .findings
        .extend(evidence::image(case.pack, &expected, &mut shown));
    let (findings, said) = evidence::release(case.pack, &expected, &mut shown);
    outcome.findings.extend(findings);
    if let Some(said) = said {
        let (findings, grade) = evidence::build(case, &expected, &said, &mut shown);
        outcome.findings.extend(findings);
        outcome.grade = grade;
        outcome
            .findings
            .extend(evidence::sbom(case, &expected, &said, &mut shown));
    }
    outcome
        .findings
        .extend(log::check(case, (policy, expected.latest), &shown));
    outcome
}
