//! SIGKILL of the real publisher at every call that writes while entries are appended, integrated, signed and published:
//! nothing that was acknowledged is lost, and the log has one history (threats K73, K78). Needs `strace`, and says so without.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use support::logged::Publisher;
use support::programs::{command, json, run, text};
use support::trace::{CALLS, CALLS_MAX, can_trace, killed_at};
use tlog::checkpoint::Checkpoint;
use tlog::note::Note;
use tlog::tile::Bundle;

/// The entries of the published tree.
fn entries(publisher: &Publisher) -> Vec<Vec<u8>> {
    let shown = publisher.log("show");
    let size = shown["published"].as_u64().unwrap();
    let name = Bundle::of(0, size).unwrap();
    let bytes = fs::read(publisher.path("repository/log").join(name.to_string())).unwrap();
    let entries = name.decode(&bytes).unwrap();
    entries.into_iter().map(<[u8]>::to_vec).collect()
}

fn checkpoint(path: &Path) -> Option<Checkpoint> {
    let note = Note::parse(&fs::read(path).ok()?).unwrap();
    Some(note.text().parse().unwrap())
}

/// A step killed at every call: whatever others were shown of the log, the next run continues it.
fn at_every_call(words: &[&str], assert: impl Fn(&Publisher, &str)) {
    if !can_trace() {
        return;
    }
    let publisher = Publisher::empty();
    publisher.append(&["one", "two"]);
    publisher.log("update");
    publisher.append(&["three"]);
    fs::write(publisher.path("four.entry"), "four").unwrap();
    let mut kills = 0;
    for call in CALLS {
        for number in 1..=CALLS_MAX {
            let copy = publisher.twin();
            fs::copy(publisher.path("four.entry"), copy.path("four.entry")).unwrap();
            let mut program = command("streembit-publisher", copy.folder());
            program.arg("-q").args(words);
            if !killed_at(&program, call, number) {
                break;
            }
            kills += 1;
            let history = format!("{words:?} killed at {call} {number}");
            let places =
                ["signed", "checkpoint"].map(|name| copy.path("repository/log").join(name));
            let shown: Vec<Checkpoint> =
                places.iter().filter_map(|path| checkpoint(path)).collect();
            assert_eq!(
                copy.log("update")["published"].as_u64(),
                copy.log("show")["size"].as_u64()
            );
            let verified = run("streembit-publisher", &["log", "verify"], copy.folder());
            assert!(verified.status.success(), "{history}: {}", text(&verified));
            // What others saw is where the log comes from: a second history would have another root there.
            let view = fs::read(copy.path("repository/log/view")).unwrap();
            let view = manifests::evidence::log_view::LogView::parse(&view).unwrap();
            let newest: Checkpoint = view.checkpoint.text().parse().unwrap();
            for before in shown
                .iter()
                .filter(|before| view.prefixes.contains_key(&before.size))
            {
                assert_eq!(view.check(before, &newest), Ok(()), "{history}");
            }
            assert(&copy, &history);
        }
    }
    assert!(kills > 3, "{words:?} was killed {kills} times");
}

#[test]
fn append_killed_at_every_call_loses_nothing_that_was_acknowledged_k73() {
    at_every_call(&["log", "append", "four.entry"], |publisher, history| {
        let entries = entries(publisher);
        let kept: BTreeSet<&[u8]> = entries.iter().map(Vec::as_slice).collect();
        for entry in [&b"one"[..], b"two", b"three"] {
            assert!(kept.contains(entry), "{history}");
        }
        assert!(entries.len() <= 4, "{history}");
    });
}

#[test]
fn update_killed_at_every_call_forks_and_loses_nothing_k73() {
    at_every_call(&["log", "update"], |publisher, history| {
        assert_eq!(
            entries(publisher),
            [&b"one"[..], b"two", b"three"],
            "{history}"
        );
    });
}

/// A release that was cut off is made again, and the log says so once or twice, and never otherwise.
#[test]
fn evidence_survives_a_release_that_is_cut_off_k73() {
    if !can_trace() {
        return;
    }
    let publisher = Publisher::empty();
    fs::write(publisher.path("image"), "image").unwrap();
    let words = ["release", "image", "--version", "1.0.0", "--deltas", "0"];
    let mut kills = 0;
    for call in ["rename", "fsync"] {
        // Each third: a release makes many files.
        for number in (1..=CALLS_MAX).step_by(3) {
            let copy = publisher.twin();
            fs::copy(publisher.path("image"), copy.path("image")).unwrap();
            let mut program = command("streembit-publisher", copy.folder());
            program.arg("-q").args(words);
            if !killed_at(&program, call, number) {
                break;
            }
            kills += 1;
            let history = format!("killed at {call} {number}");
            let again = run("streembit-publisher", &words, copy.folder());
            let said = text(&again);
            let is_done = again.status.success() || said.contains("published already");
            assert!(is_done, "{history}: {said}");
            json("streembit-publisher", &["log", "update"], copy.folder());
            json("streembit-publisher", &["log", "verify"], copy.folder());
            json("streembit-publisher", &["verify"], copy.folder());
            copy.ok(&["evidence", "pack", "1.0.0", "-o", "x.pack"]);
            copy.ok(&["pin", "-o", "cam.pin"]);
            let verified = json(
                "streembit-audit",
                &["verify", "x.pack", "--pin", "cam.pin"],
                copy.folder(),
            );
            assert_eq!(verified["verdict"], "VERIFIED", "{history}: {verified:#}");
        }
    }
    assert!(kills > 5, "killed {kills} times");
}
