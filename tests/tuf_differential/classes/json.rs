//! Differences about what is well-formed: JSON, types of members, limits.

use manifests::client::Reason;
use manifests::envelope::ParseError;
use manifests::header::HeaderError;
use manifests::limits;
use serde_json::Value;

use super::{Class, they_refuse, we_refuse};
use crate::tuf_differential::verdict::Verdict;

pub(super) const CLASSES: &[Class] = &[
    Class {
        name: "a member twice in one object",
        why: "readers differ on which one counts; python takes the last",
        holds: |difference, verdict| we_refuse(difference) && says(verdict, &["duplicate key"]),
    },
    Class {
        name: "integers beyond 2^53 - 1",
        why: "not every reader keeps them exact (RFC 8259 section 6)",
        holds: |difference, verdict| we_refuse(difference) && says(verdict, &["integer beyond"]),
    },
    Class {
        name: "floats outside of what is signed",
        why: "canonical JSON has none; one reader for the whole file",
        holds: |difference, verdict| {
            we_refuse(difference) && says(verdict, &["floats and numbers beyond"])
        },
    },
    Class {
        name: "NaN and Infinity",
        why: "no JSON (RFC 8259 section 6); python reads them",
        holds: |difference, verdict| {
            let words = verdict.refused_holds("NaN") || verdict.refused_holds("Infinity");
            we_refuse(difference) && words && says(verdict, &["expected value", "invalid number"])
        },
    },
    Class {
        name: "lone surrogates outside of what is signed",
        why: "they are no text; python reads them",
        holds: |difference, verdict| {
            let words = ["hex escape", "surrogate"];
            we_refuse(difference) && verdict.refused_holds("\\ud800") && says(verdict, &words)
        },
    },
    Class {
        name: "nested deeper than 16",
        why: "metadata needs 7; no bytes of a stranger decide how deep we recurse",
        holds: |difference, verdict| we_refuse(difference) && says(verdict, &["nested too deep"]),
    },
    Class {
        name: "more than our limits",
        why: "every bound of `manifests/src/limits.rs` is far above what the largest repositories have",
        holds: |difference, verdict| we_refuse(difference) && beyond_a_limit(verdict),
    },
    Class {
        name: "files longer than our limits",
        why: "a stated length never raises the limit; python-tuf then reads as much as is stated",
        holds: |difference, verdict| {
            let Some(Reason::TooLong { limit }) = verdict.reason() else {
                return false;
            };
            let ours = [limits::SNAPSHOT_BYTES_MAX, limits::TARGETS_BYTES_MAX];
            we_refuse(difference) && ours.contains(limit)
        },
    },
    Class {
        name: "members of another type",
        why: "a version is an integer, a flag is a boolean, ids are a list; python takes what behaves alike",
        holds: |difference, verdict| we_refuse(difference) && of_another_type(verdict),
    },
    Class {
        name: "a stated length of 0",
        why: "no document is empty; python-tuf takes it for no statement until it checks",
        holds: |difference, verdict| {
            let expected = Some(("length", "an integer in range"));
            let zero = verdict.refused_has("length", |length| length.as_u64() == Some(0));
            we_refuse(difference) && zero && verdict.wrong_type() == expected
        },
    },
    Class {
        name: "a snapshot of other than `<role>.json` files",
        why: "they could be no role's; names are checked before they become paths",
        holds: |difference, verdict| {
            let expected = Some(("meta", "an object of `<role>.json` entries"));
            we_refuse(difference) && verdict.wrong_type() == expected
        },
    },
    Class {
        name: "delegated roles named like top-level roles in other case",
        why: "their files are the top-level roles' where file names have no case",
        holds: |difference, verdict| {
            let reserved = |name: &Value| {
                let roles = ["root", "timestamp", "snapshot", "targets"];
                let name = name.as_str().unwrap_or_default();
                !roles.contains(&name) && roles.contains(&name.to_lowercase().as_str())
            };
            let expected = Some(("name", "a name other than those of the top-level roles"));
            we_refuse(difference)
                && verdict.wrong_type() == expected
                && verdict.refused_has("name", reserved)
        },
    },
    Class {
        name: "bins without a name prefix",
        why: "a role's name has a character at least, and so has what bins are called by",
        holds: |difference, verdict| {
            let empty = verdict.refused_has("name_prefix", |name| name.as_str() == Some(""));
            let expected = Some(("name", "1 to 256 bytes"));
            we_refuse(difference) && empty && verdict.wrong_type() == expected
        },
    },
    Class {
        name: "spec_version",
        why: "`1` and numbers, any count of them, digits of ASCII alone; python-tuf wants two or three numbers, \
              of any script",
        holds: |difference, verdict| {
            let ours = match verdict.reason() {
                Some(Reason::Malformed(ParseError::Header(HeaderError::Spec(text)))) => {
                    !text.is_ascii()
                }
                _ => false,
            };
            we_refuse(difference) && ours
                || they_refuse(difference)
                    && verdict
                        .their_text()
                        .contains("Failed to parse spec_version 1")
        },
    },
    Class {
        name: "a malformed account in a root",
        why: "our own member `x-streembit-account` names a key: it is read wherever it stands",
        holds: |difference, verdict| {
            let name = verdict.wrong_type().map(|(name, _)| name);
            we_refuse(difference) && name == Some("x-streembit-account")
        },
    },
];

/// Whether our JSON reader says one of these.
fn says(verdict: &Verdict<'_>, texts: &[&str]) -> bool {
    let said = verdict.syntax().unwrap_or_default();
    texts.iter().any(|text| said.contains(text))
}

fn beyond_a_limit(verdict: &Verdict<'_>) -> bool {
    let Some((name, expected)) = verdict.wrong_type() else {
        return false;
    };
    let long: fn(&Value) -> bool = match (name, expected) {
        ("signatures", _) => |it| count(it) > limits::SIGNATURES_MAX,
        ("keys" | "keyids", _) => |it| count(it) > limits::KEYS_MAX,
        ("roles", "an array of allowed size") => |it| count(it) > limits::DELEGATIONS_MAX,
        ("paths", "an array of allowed size") => |it| count(it) > limits::PATHS_MAX,
        ("paths", _) => |it| {
            it.as_array()
                .into_iter()
                .flatten()
                .any(|path| text(path) > limits::PATH_BYTES_MAX)
        },
        ("hashes", _) => |it| count(it) > limits::HASHES_MAX,
        ("threshold", "between 1 and 128") => |it| it.as_u64().is_some_and(|it| it > 128),
        ("length", "at most 16 GiB") => {
            |it| it.as_u64().is_some_and(|it| it > limits::IMAGE_BYTES_MAX)
        }
        ("name", "1 to 256 bytes") => {
            return ["name", "name_prefix"]
                .iter()
                .any(|name| verdict.refused_has(name, is_long_name));
        }
        _ => return false,
    };
    verdict.refused_has(name, long)
}

fn is_long_name(name: &Value) -> bool {
    text(name) > limits::ROLE_BYTES_MAX
}

fn count(json: &Value) -> usize {
    json.as_array()
        .map(Vec::len)
        .or_else(|| Some(json.as_object()?.len()))
        .unwrap_or(0)
}

fn text(json: &Value) -> usize {
    json.as_str().map_or(0, str::len)
}

fn of_another_type(verdict: &Verdict<'_>) -> bool {
    let Some((name, _)) = verdict.wrong_type() else {
        return false;
    };
    let other: fn(&Value) -> bool = match name {
        "version" | "length" | "threshold" | "bit_length" => Value::is_boolean,
        "consistent_snapshot" | "terminating" => |it| !it.is_boolean(),
        "keyids" => |it| {
            !it.as_array()
                .is_some_and(|ids| ids.iter().all(Value::is_string))
        },
        "paths" | "path_hash_prefixes" => |it| !it.is_array(),
        "keyid" | "sig" => |it| !it.is_string(),
        "signatures" | "roles" => Value::is_object,
        _ => return false,
    };
    verdict.refused_has(name, other)
}
