//! Differences about whom and what to trust: keys, thresholds, versions, what is stored.

use manifests::client::Reason;
use manifests::envelope::{ParseError, VerifyError};
use serde_json::Value;

use super::{Class, they_refuse, we_refuse};
use crate::tuf_differential::verdict::{Difference, Verdict};

pub(super) const CLASSES: &[Class] = &[
    Class {
        name: "keys are counted by their bytes",
        why: "a threshold of two asks for two keys: one key under two ids is one (python-tuf counts ids)",
        holds: |difference, verdict| {
            we_refuse(difference) && is_untrusted(verdict) && verdict.one_key_has_two_ids()
        },
    },
    Class {
        name: "white space in a signature",
        why: "a signature is hex digits and nothing else; python skips white space between them",
        holds: |difference, verdict| {
            we_refuse(difference) && is_untrusted(verdict) && verdict.refused_holds("\"sig\": \" ")
        },
    },
    Class {
        name: "a key of a type or scheme that we do not verify",
        why: "a document whose keys we can't all check is refused whole, also if no role uses that key",
        holds: |difference, verdict| {
            we_refuse(difference)
                && bad_key(verdict).is_some_and(|reason| reason.contains("unsupported"))
        },
    },
    Class {
        name: "a key that is malformed or weak",
        why: "one key, one text: no other spelling and no point of small order; python-tuf looks when the key \
              is to verify",
        holds: |difference, verdict| {
            let reasons = [
                "malformed key text",
                "weak public key",
                "not a valid public key point",
            ];
            we_refuse(difference)
                && bad_key(verdict).is_some_and(|reason| reasons.contains(&reason))
        },
    },
    Class {
        name: "a key id twice in one role",
        why: "it counts once, so it is harmless; python-tuf refuses the document",
        holds: |difference, verdict| {
            they_refuse(difference) && verdict.their_text().contains("Nonunique keyids")
        },
    },
    Class {
        name: "a stored snapshot that is not the one named",
        why: "length and hashes in the timestamp are checked on a stored snapshot too; python-tuf keeps it if \
              the version is right",
        holds: |difference, verdict| match difference {
            Difference::WeRefuse => {
                verdict.refused_role() == Some("snapshot") && verdict.they_kept("snapshot")
            }
            Difference::Stored(roles) => *roles == ["snapshot"] && verdict.they_kept("snapshot"),
            _ => false,
        },
    },
    Class {
        name: "the snapshot's own version goes back",
        why: "a device that lost its timestamp still knows its snapshot; python-tuf compares the timestamp's \
              word and the entries alone",
        holds: |difference, verdict| {
            let rollback = matches!(verdict.reason(), Some(Reason::Rollback { .. }));
            let lost = verdict.stored_before("timestamp").is_none();
            we_refuse(difference) && rollback && lost && verdict.refused_role() == Some("snapshot")
        },
    },
    Class {
        name: "two documents of one version",
        why: "a signer who contradicts himself is not followed: versions are there to tell documents apart",
        holds: |difference, verdict| {
            we_refuse(difference) && matches!(verdict.reason(), Some(Reason::Equivocation(_)))
        },
    },
    Class {
        name: "a stored document that is the one named, and expired",
        why: "it is what the snapshot names, so its expiry counts; python-tuf asks for another of the version",
        holds: |difference, verdict| {
            let Some(Reason::Expired { expires, .. }) = verdict.reason() else {
                return false;
            };
            let stored = verdict
                .refused_role()
                .and_then(|role| verdict.stored_before(role));
            let stored = String::from_utf8_lossy(stored.unwrap_or_default());
            we_refuse(difference) && stored.contains(&expires.to_string())
        },
    },
    Class {
        name: "other entries in a timestamp",
        why: "nobody may put them there, and they mean nothing: ignored, but part of what is signed; python-tuf \
              drops them before it checks the signature",
        holds: |difference, verdict| {
            let timestamp = verdict
                .case
                .files
                .get("timestamp.json")
                .map_or(&[][..], Vec::as_slice);
            let timestamp: Value = serde_json::from_slice(timestamp).unwrap_or_default();
            let more = timestamp["signed"]["meta"]
                .as_object()
                .is_some_and(|meta| meta.len() > 1);
            let text = "UnsignedMetadataError: timestamp was signed by";
            they_refuse(difference) && more && verdict.their_text().starts_with(text)
        },
    },
    Class {
        name: "other roles in a root",
        why: "ignored: the standard itself has had a fifth, `mirrors`; python-tuf wants its four",
        holds: |difference, verdict| {
            let texts = [
                "Role names must be the top-level",
                "object has no attribute 'pop'",
                "cannot be interpreted as an integer",
            ];
            let texts = texts.iter().any(|text| verdict.their_text().contains(text));
            they_refuse(difference)
                && texts
                && verdict.documents().any(|root| {
                    let roles = root["signed"]["roles"].as_object();
                    roles.is_some_and(|roles| roles.len() > 4)
                })
        },
    },
    Class {
        name: "rotated keys end the memory of versions",
        why: "TUF 5.3.11: with other keys for timestamp or snapshot, the stored ones are void",
        holds: |difference, verdict| {
            let texts = [
                "New snapshot is missing info",
                "New timestamp version",
                "New snapshot version",
                "Expected snapshot version",
            ];
            let texts = texts.iter().any(|text| verdict.their_text().contains(text));
            they_refuse(difference) && texts && verdict.rotates()
        },
    },
    Class {
        name: "brackets in path patterns",
        why: "a set for glob(7) and python-tuf, themselves for TUF 4.5, which names `*` and `?`: a pattern with \
              two meanings could hide a terminating role, so it is refused",
        holds: |difference, verdict| {
            let expected = Some(("paths", "patterns of `*` and `?` without `[`"));
            we_refuse(difference) && verdict.wrong_type() == expected
        },
    },
];

fn is_untrusted(verdict: &Verdict<'_>) -> bool {
    matches!(
        verdict.reason(),
        Some(Reason::Untrusted(VerifyError::TooFewSignatures { .. }))
    )
}

/// What we say of a key.
fn bad_key<'a>(verdict: &'a Verdict<'_>) -> Option<&'a str> {
    match verdict.reason()? {
        Reason::Malformed(ParseError::Key { reason, .. }) => Some(reason),
        _ => None,
    }
}
