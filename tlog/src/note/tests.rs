//! Notes: who has signed, whatever else stands below.

use super::*;
use crate::example::Signer;

/// The example of Go's note package.
const NEUMANN: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const ANSWER: &str = "If you think cryptography is the answer to your problem,\n\
    then you don't know what your problem is.\n\n\
    \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

#[test]
fn a_note_of_gos_package_is_read_and_written() {
    let key: VerifierKey = NEUMANN.parse().unwrap();
    let note = Note::parse(ANSWER.as_bytes()).unwrap();
    assert_eq!(note.signed_by(&key), Some(Signed::Note));
    assert_eq!(note.to_string(), ANSWER);
    let changed = ANSWER.replacen("problem", "Problem", 1);
    let changed = Note::parse(changed.as_bytes()).unwrap();
    assert_eq!(changed.signed_by(&key), None);
}

fn cosigned() -> (Note, [Signer; 3]) {
    let signers = [
        Signer::log("log.example", 1),
        Signer::witness("w.example/1", 2),
        Signer::witness("w.example/2", 3),
    ];
    let mut note =
        Note::unsigned("log.example\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n").unwrap();
    for signer in &signers {
        signer.sign(&mut note, 1_795_330_100);
    }
    (note, signers)
}

#[test]
fn cosignatures_say_when_they_were_made() {
    let (note, [log, first, second]) = cosigned();
    let note = Note::parse(note.to_string().as_bytes()).unwrap();
    assert_eq!(note.signed_by(&log.key), Some(Signed::Note));
    for witness in [&first, &second] {
        assert_eq!(
            note.signed_by(&witness.key),
            Some(Signed::At(1_795_330_100))
        );
    }
    // A witness's key is no log's, and a log's no witness's.
    assert_eq!(note.signed_by(&Signer::log("w.example/1", 2).key), None);
    assert_eq!(note.signed_by(&Signer::witness("log.example", 1).key), None);
    assert_eq!(note.signed_by(&Signer::witness("w.example/1", 3).key), None);
}

#[test]
fn of_two_cosignatures_the_newer_counts() {
    let (mut note, [_, witness, _]) = cosigned();
    witness.sign(&mut note, 1_795_330_000);
    assert_eq!(
        note.signed_by(&witness.key),
        Some(Signed::At(1_795_330_100))
    );
    witness.sign(&mut note, 1_795_330_200);
    assert_eq!(
        note.signed_by(&witness.key),
        Some(Signed::At(1_795_330_200))
    );
    // The same line twice is one.
    let count = note.lines().len();
    witness.sign(&mut note, 1_795_330_200);
    assert_eq!(note.lines().len(), count);
}

/// Trap T10: whoever carries a note can't make it worthless by touching a line.
#[test]
fn a_broken_line_spoils_no_other_and_is_not_passed_on() {
    let (note, [log, first, second]) = cosigned();
    let whole = note.to_string();
    for (number, line) in whole.lines().enumerate().skip(4) {
        let (head, tail) = line.split_at(line.len() - 10);
        let turned = if tail.starts_with('A') { "B" } else { "A" };
        let broken = whole.replacen(line, &format!("{head}{turned}{}", &tail[1..]), 1);
        let broken = Note::parse(broken.as_bytes()).unwrap();
        let keys = [&log.key, &first.key, &second.key];
        for (other, key) in keys.iter().enumerate() {
            assert_eq!(
                broken.signed_by(key).is_some(),
                other + 4 != number,
                "{broken}"
            );
        }
        let mended = broken.reassembled(keys);
        assert_eq!((mended.lines().len(), mended.text()), (2, note.text()));
    }
    let strangers = Signer::witness("w.example/3", 9);
    let mut noisy = note.clone();
    strangers.sign(&mut noisy, 5);
    assert_eq!(noisy.reassembled([&log.key, &first.key, &second.key]), note);
}

#[test]
fn text_may_have_blank_lines_and_signatures_don_t_end_it() {
    let log = Signer::log("log.example", 1);
    let mut note = Note::unsigned("a\n\nb\n\u{2014} x eHh4eA==\n").unwrap();
    log.sign(&mut note, 0);
    let read = Note::parse(note.to_string().as_bytes()).unwrap();
    assert_eq!(read, note);
    assert_eq!(read.signed_by(&log.key), Some(Signed::Note));
}

#[test]
fn what_is_no_note_is_refused() {
    let line = ANSWER.lines().last().unwrap();
    let with = |line: &str| format!("text\n\n{line}\n");
    let many = format!(
        "text\n\n{}",
        format!("{line}\n").repeat(NOTE_SIGNATURES_MAX + 1)
    );
    let long = "x".repeat(NOTE_BYTES_MAX + 1);
    for (text, error) in [
        ("", NoteError::Shape),
        ("text\n", NoteError::Shape),
        ("text\n\n", NoteError::Shape),
        (&format!("text\n{line}\n"), NoteError::Shape),
        (&format!("text\n\n{line}"), NoteError::Shape),
        (&with("\u{2014} name"), NoteError::Line(1)),
        (&with("- name eHh4eA=="), NoteError::Line(1)),
        (&with("\u{2014} name eHh4eA"), NoteError::Line(1)),
        (&with("\u{2014} name eHg="), NoteError::Line(1)),
        (&with("\u{2014} name eHh4eA=="), NoteError::Line(1)),
        (&with("\u{2014} na+me eHh4eHg="), NoteError::Line(1)),
        (&with("\u{2014}  eHh4eHg="), NoteError::Line(1)),
        (&with(&format!("{line}\nx")), NoteError::Line(2)),
        ("te\u{1b}xt\n\n\u{2014} n eHh4eHg=\n", NoteError::Text),
        ("te\rxt\n\n\u{2014} n eHh4eHg=\n", NoteError::Text),
        (&many, NoteError::Signatures),
        (&long, NoteError::TooLong),
    ] {
        assert_eq!(Note::parse(text.as_bytes()), Err(error), "{text:.80}");
    }
    assert_eq!(Note::parse(b"\xff\n\n"), Err(NoteError::Text));
    assert_eq!(Note::unsigned("no line end"), Err(NoteError::Shape));
}
