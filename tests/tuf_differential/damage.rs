//! Damage to bytes that were signed: what a bad mirror, a bad disk or a lenient JSON writer makes.

use support::repository::Files;

use super::seeded::Seeded;

/// A name for the report, and the damage.
pub(super) type Damage = (&'static str, fn(&mut Vec<u8>, &mut Seeded));

/// Damage to one file. Some leave the meaning: such files are to be accepted.
pub(super) const DAMAGES: &[Damage] = &[
    ("bit", |bytes, choices| {
        let at = choices.below(bytes.len());
        bytes[at] ^= 1 << choices.below(8);
    }),
    ("byte", |bytes, choices| {
        let at = choices.below(bytes.len());
        bytes[at] = *b"0a\"{}[],:\\ \n".get(choices.below(12)).unwrap();
    }),
    ("removed", |bytes, choices| {
        let at = choices.below(bytes.len());
        let end = (at + 1 + choices.below(40)).min(bytes.len());
        bytes.drain(at..end);
    }),
    ("repeated", |bytes, choices| {
        let at = choices.below(bytes.len());
        let end = (at + 1 + choices.below(40)).min(bytes.len());
        let copy = bytes[at..end].to_vec();
        bytes.splice(at..at, copy);
    }),
    ("cut", |bytes, choices| {
        bytes.truncate(choices.below(bytes.len()))
    }),
    ("byte-order-mark", |bytes, _| {
        drop(bytes.splice(0..0, *b"\xef\xbb\xbf"))
    }),
    ("trailing", |bytes, choices| {
        bytes.extend_from_slice(choices.pick(&["x", "{}", "\0", "]", "null"]).as_bytes());
    }),
    ("white-space", |bytes, choices| {
        bytes.splice(0..0, vec![b' '; choices.below(9)]);
        bytes.extend_from_slice(b"\r\n\t ");
    }),
    ("one-line", |bytes, _| {
        let kept = String::from_utf8_lossy(bytes)
            .replace("\n", "")
            .replace("  ", "");
        *bytes = kept.into_bytes();
    }),
    ("escapes", |bytes, _| {
        swap(bytes, "\"version\"", "\"\\u0076ersion\"")
    }),
    ("padded", |bytes, choices| {
        let limit = [16, 64, 1024, 2048][choices.below(4)] * 1024;
        let length = limit + choices.below(2);
        bytes.resize(bytes.len().max(length), b'\n');
    }),
    ("duplicate-member", |bytes, choices| {
        let (from, to) = [
            ("\"version\": ", "\"version\": 7, \"version\": "),
            ("\"signed\": {", "\"signed\": {}, \"signed\": {"),
            ("\"_type\": ", "\"\\u005ftype\": 1, \"_type\": "),
            ("\"signatures\": ", "\"signatures\": 0, \"signatures\": "),
        ][choices.below(4)];
        swap(bytes, from, to);
    }),
    ("number", |bytes, choices| {
        let to = choices.pick(&[
            "2.0",
            "2e0",
            "-0",
            "02",
            "NaN",
            "1e400",
            "99999999999999999999",
            "0x2",
        ]);
        swap(bytes, "\"version\": 2", &format!("\"version\": {to}"));
    }),
    ("beside-signed", |bytes, choices| {
        let deep = format!("{}{}", "[".repeat(300), "]".repeat(300));
        let values = [
            "1",
            "null",
            "{\"a\": [true]}",
            "\"\\u00e9\"",
            "1.5",
            "-0",
            "1e3",
            "NaN",
            "-Infinity",
            "99999999999999999999",
            "9007199254740993",
            "\"\\ud800\"",
            "\"\\ud83d\\ude00\"",
            "[[[[[[[[[[[[[[]]]]]]]]]]]]]]",
            "[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]",
            &deep,
            "'x'",
            "\"\t\"",
        ];
        let member = format!("{{\"x-beside\": {}, ", choices.pick(&values));
        swap(bytes, "{", &member);
    }),
    ("signature-text", |bytes, choices| match choices.below(6) {
        0 => swap(bytes, "\"sig\": \"", "\"sig\": \" "),
        1 => swap(bytes, "\"sig\": \"", "\"sig\": \"0"),
        2 => swap(bytes, "\"sig\": \"", "\"sig\": \"00"),
        3 => swap(bytes, "\"sig\": \"", "\"sig\": \"zz"),
        4 => swap(bytes, "\"sig\": \"", "\"x\": 1, \"sig\": \""),
        _ => upper_case_signatures(bytes),
    }),
    ("signature-entry", |bytes, choices| {
        let entry = choices.pick(&[
            "{\"keyid\": \"x\", \"sig\": \"\"}",
            "{\"keyid\": \"x\", \"sig\": null}",
            "{\"keyid\": 1, \"sig\": \"00\"}",
            "{\"keyid\": \"x\"}",
            "{\"sig\": \"\"}",
            "null",
            "[]",
            "\"x\"",
            "{\"keyid\": \"x\", \"sig\": \"00\", \"method\": \"y\"}",
            "{\"keyid\": \"x\", \"sig\": \"\"}, {\"keyid\": \"x\", \"sig\": \"\"}",
        ]);
        swap(
            bytes,
            "\"signatures\": [",
            &format!("\"signatures\": [{entry}, "),
        );
    }),
];

/// Replaces `from` once, if it is there.
fn swap(bytes: &mut Vec<u8>, from: &str, to: &str) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        *bytes = text.replacen(from, to, 1).into_bytes();
    }
}

fn upper_case_signatures(bytes: &mut Vec<u8>) {
    let text = String::from_utf8_lossy(bytes).into_owned();
    let mut lines: Vec<String> = text.split('\n').map(str::to_owned).collect();
    for line in &mut lines {
        if let Some((member, value)) = line.split_once("\"sig\": ") {
            *line = format!("{member}\"sig\": {}", value.to_uppercase());
        }
    }
    *bytes = lines.join("\n").into_bytes();
}

/// Damage to what is offered as a whole; `other` is another release of the same repository.
pub(super) fn damage_files(files: &mut Files, other: &Files, choices: &mut Seeded) -> &'static str {
    let names: Vec<String> = files.keys().cloned().collect();
    let one = names[choices.below(names.len())].clone();
    let two = names[choices.below(names.len())].clone();
    match choices.below(5) {
        0 => {
            files.remove(&one);
            "file-dropped"
        }
        1 => {
            let copy = files[&two].clone();
            files.insert(one, copy);
            "file-as-another"
        }
        2 => {
            files.extend(other.get(&one).cloned().map(|bytes| (one, bytes)));
            "file-of-other-release"
        }
        3 => {
            for name in ["timestamp.json", "snapshot.json", "targets.json"] {
                if choices.percent(50) {
                    files.extend(
                        other
                            .get(name)
                            .cloned()
                            .map(|bytes| (name.to_owned(), bytes)),
                    );
                }
            }
            "files-of-other-release"
        }
        _ => {
            for (name, bytes) in other {
                files.entry(name.clone()).or_insert_with(|| bytes.clone());
            }
            "both-releases"
        }
    }
}
