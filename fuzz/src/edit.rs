//! Damage done to valid input, as the fuzzer chooses.

use manifests::json::Json;
use manifests::limits::INTEGER_MAX;

use crate::choices::Choices;

/// Edits of one input: enough to combine, few enough to stay near what is valid.
const EDITS_MAX: usize = 8;
/// Bytes that one edit inserts or removes.
const EDIT_BYTES_MAX: usize = 64;

/// Damages bytes at a few places; says whether anything may have changed.
pub fn damage(bytes: &mut Vec<u8>, choices: &mut Choices<'_>) -> bool {
    let edits = choices.below(EDITS_MAX);
    for _ in 0..edits {
        let at = choices.below(bytes.len().saturating_add(1));
        let count = choices.below(EDIT_BYTES_MAX).min(bytes.len() - at);
        match choices.byte() % 6 {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..at + count)),
            2 => {
                let copy = bytes[at..at + count].to_vec();
                let to = choices.below(bytes.len().saturating_add(1));
                drop(bytes.splice(to..to, copy));
            }
            3 => drop(bytes.splice(at..at, choices.take(count.max(1)).iter().copied())),
            4 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << (choices.byte() % 8);
                }
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = choices.byte();
                }
            }
        }
    }
    edits > 0
}

/// Replaces or removes one value somewhere inside `json`.
pub fn damage_json(json: &mut Json, choices: &mut Choices<'_>) {
    match json {
        Json::Object(members) if !members.is_empty() => {
            let index = choices.below(members.len());
            let Some(key) = members.keys().nth(index).cloned() else {
                return;
            };
            match choices.byte() % 8 {
                0 => drop(members.remove(&key)),
                1 => drop(members.insert(text(choices), value(choices))),
                2 => drop(members.insert(key, value(choices))),
                3 => {
                    // The same value under another name: a second key id, a second target.
                    if let Some(copy) = members.get(&key).cloned() {
                        members.insert(text(choices), copy);
                    }
                }
                _ => {
                    if let Some(member) = members.get_mut(&key) {
                        damage_json(member, choices);
                    }
                }
            }
        }
        Json::Array(items) if !items.is_empty() => {
            let index = choices.below(items.len());
            match choices.byte() % 4 {
                0 => drop(items.remove(index)),
                1 => items.push(items[index].clone()),
                2 => items[index] = value(choices),
                _ => damage_json(&mut items[index], choices),
            }
        }
        _ => *json = value(choices),
    }
}

fn text(choices: &mut Choices<'_>) -> String {
    let count = choices.below(40);
    String::from_utf8_lossy(choices.take(count)).into_owned()
}

fn value(choices: &mut Choices<'_>) -> Json {
    match choices.byte() % 7 {
        0 => Json::Null,
        1 => Json::Bool(choices.byte() % 2 == 1),
        2 => Json::from(choices.number().min(INTEGER_MAX)),
        3 => Json::Integer(-i64::from(choices.byte())),
        4 => Json::Array(Vec::new()),
        5 => Json::object([]),
        _ => Json::String(text(choices)),
    }
}
