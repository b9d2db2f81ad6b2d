//! The log: that it has only grown, who has cosigned it, and how long ago.

use cli::Exit;
use manifests::evidence::log_view::{Inconsistent, LogView};
use manifests::evidence::pack::VIEW;
use manifests::evidence::{LogError, check_log};
use manifests::instant::UtcTime;
use tlog::checkpoint::Checkpoint;
use tlog::policy::{Accepted, Policy, Refusal};

use super::Case;
use crate::finding::Finding;

/// * `shown`: the checkpoints of all proofs.
pub(super) fn check(case: &Case<'_>, counts: (&Policy, u64), shown: &[Checkpoint]) -> Vec<Finding> {
    let Some(bytes) = case.pack.file(VIEW) else {
        return vec![Finding::missing("log/checkpoint", "the pack does not hold it").of(VIEW)];
    };
    let view = match LogView::parse(bytes) {
        Ok(view) => view,
        Err(error) => return vec![Finding::fail("log/checkpoint", error, Exit::No).of(VIEW)],
    };
    let seen = case.trusted.seen.as_ref();
    let seen: Option<Checkpoint> = seen.and_then(|note| note.text().parse().ok());
    match check_log(&view, counts, seen.as_ref(), shown) {
        Ok(accepted) => accepted_findings(case, &accepted, seen.as_ref()),
        Err(error) => vec![refused(&error)],
    }
}

fn accepted_findings(
    case: &Case<'_>,
    accepted: &Accepted,
    seen: Option<&Checkpoint>,
) -> Vec<Finding> {
    let newest = &accepted.checkpoint;
    let since = match seen {
        Some(seen) if seen.origin == newest.origin => {
            format!(", begins with the {} seen before", seen.size)
        }
        _ => ", nothing was seen of it before".to_owned(),
    };
    let grown = format!(
        "{}, {} entries, holds all proofs{since}",
        newest.origin, newest.size
    );
    let cosigned = accepted.cosigned.iter();
    let cosigned: Vec<String> = cosigned
        .map(|(name, time)| format!("{name} {}", UtcTime::from_unix(*time)))
        .collect();
    let mut findings = vec![Finding::ok("log/consistency", grown)];
    let Some(time) = accepted.quorum_time else {
        findings.push(Finding::not_shown(
            "log/witnesses",
            "the policy asks for no witness",
        ));
        return findings;
    };
    findings.push(Finding::ok(
        "log/witnesses",
        format!("a quorum: {}", cosigned.join(", ")),
    ));
    let (age, most) = (
        case.at.as_unix().saturating_sub(time),
        case.trusted.pin.max_staleness.as_secs(),
    );
    let text = format!(
        "a quorum cosigned {} ago, {} allowed",
        words(age),
        words(most)
    );
    findings.push(if age <= most {
        Finding::ok("log/fresh", text)
    } else {
        Finding::fail("log/fresh", text, Exit::Stale)
            .fix("get a newer pack, or ask about the past: --at TIME")
    });
    findings
}

fn words(seconds: u64) -> String {
    match seconds {
        0..=7199 => format!("{} min", seconds / 60),
        7200..=172_799 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

fn refused(error: &LogError) -> Finding {
    let (rule, exit, fix) = match error {
        LogError::Refused(Refusal::Quorum(_)) => (
            "log/witnesses",
            Exit::Quorum,
            "get a pack that more witnesses have cosigned",
        ),
        LogError::Refused(_) | LogError::OtherLog(..) => (
            "log/checkpoint",
            Exit::No,
            "it is of another log than the policy's",
        ),
        LogError::Inconsistent(Inconsistent::Shrunk { .. }) => {
            ("log/consistency", Exit::Rollback, "get a newer pack")
        }
        LogError::Inconsistent(Inconsistent::Forked(..)) => (
            "log/consistency",
            Exit::Equivocation,
            "two histories: streembit-audit split OLD NEW writes the evidence",
        ),
        LogError::Inconsistent(Inconsistent::Unknown(_) | Inconsistent::Damaged(_)) => (
            "log/consistency",
            Exit::Undecided,
            "the pack is not whole: make it again",
        ),
    };
    Finding::fail(rule, error, exit).of(VIEW).fix(fix)
}
