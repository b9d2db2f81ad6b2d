//! Tests of the journal: chain, tampering, torn writes, bounded size (threats S79, S80, S89).

use serde_json::json;

use super::*;

fn file(folder: &Path) -> PathBuf {
    folder.join("journal.jsonl")
}

/// A journal of `count` lines; returns its bytes.
fn written(folder: &Path, count: u64) -> Vec<u8> {
    let mut journal = Journal::open(folder).unwrap();
    for number in 0..count {
        journal.add("event", json!({ "number": number })).unwrap();
    }
    fs::read(file(folder)).unwrap()
}

#[test]
fn lines_are_numbered_and_chained_across_restarts() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..4 {
        let mut journal = Journal::open(folder.path()).unwrap();
        journal.add("one", json!({ "text": "a\nb" })).unwrap();
        journal.add("two", json!(null)).unwrap();
    }
    let entries = read(folder.path()).unwrap();
    let numbers: Vec<u64> = entries.iter().map(|entry| entry.seq).collect();
    assert_eq!(numbers, (1..=8).collect::<Vec<u64>>());
    assert_eq!(entries[0].prev, GENESIS);
    let text = fs::read_to_string(file(folder.path())).unwrap();
    assert_eq!(text.lines().count(), 8);
    for (line, next) in text.lines().zip(&entries[1..]) {
        assert_eq!(next.prev, Sha256::of(line.as_bytes()).to_string());
    }
}

#[test]
fn device_without_a_journal_has_an_empty_one() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(read(folder.path()).unwrap(), Vec::new());
    Journal::open(folder.path()).unwrap();
    assert_eq!(read(folder.path()).unwrap(), Vec::new());
}

/// The last line has no successor that vouches for it: what a chain alone can't show.
#[test]
fn finds_every_changed_byte_before_the_last_line() {
    let folder = tempfile::tempdir().unwrap();
    let good = written(folder.path(), 3);
    let last = good[..good.len() - 1]
        .iter()
        .rposition(|byte| *byte == b'\n')
        .unwrap();
    for position in 0..=last {
        for flip in [0x01, 0x20, 0x80] {
            let mut bytes = good.clone();
            bytes[position] ^= flip;
            fs::write(file(folder.path()), &bytes).unwrap();
            assert!(read(folder.path()).is_err(), "byte {position} ^ {flip}");
        }
    }
    fs::write(file(folder.path()), &good).unwrap();
    assert_eq!(read(folder.path()).unwrap().len(), 3);
}

#[test]
fn finds_deleted_swapped_and_repeated_lines() {
    let folder = tempfile::tempdir().unwrap();
    let good = String::from_utf8(written(folder.path(), 5)).unwrap();
    let lines: Vec<&str> = good.split_inclusive('\n').collect();
    for (order, broken) in [
        (&[1, 2, 3, 4][..], 1),
        (&[0, 2, 3, 4], 2),
        (&[0, 1, 2, 4], 4),
        (&[1, 0, 2, 3, 4], 1),
        (&[0, 1, 3, 2, 4], 3),
        (&[0, 1, 1, 2, 3, 4], 3),
        (&[4], 1),
    ] {
        let text: String = order.iter().map(|index| lines[*index]).collect();
        fs::write(file(folder.path()), text).unwrap();
        let found = read(folder.path());
        assert!(
            matches!(found, Err(ChainError::Broken(line)) if line == broken),
            "{order:?}: {found:?}"
        );
    }
    fs::write(file(folder.path()), "{}\n").unwrap();
    assert!(matches!(read(folder.path()), Err(ChainError::Line(1))));
}

#[test]
fn torn_last_line_is_cut_off_at_every_position_s80() {
    let folder = tempfile::tempdir().unwrap();
    let good = written(folder.path(), 3);
    for cut in 0..=good.len() {
        fs::write(file(folder.path()), &good[..cut]).unwrap();
        let whole = good[..cut].iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(read(folder.path()).unwrap().len(), whole, "cut at {cut}");
        let mut journal = Journal::open(folder.path()).unwrap();
        journal.add("after", json!({ "cut": cut })).unwrap();
        let entries = read(folder.path()).unwrap();
        assert_eq!(entries.len(), whole + 1, "cut at {cut}");
        assert_eq!(entries[whole].seq, whole as u64 + 1);
        assert!(fs::read(file(folder.path())).unwrap().ends_with(b"\n"));
    }
}

#[test]
fn torn_sector_of_zeros_is_cut_off_s80() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = written(folder.path(), 2);
    bytes.resize(bytes.len() + 512, 0);
    fs::write(file(folder.path()), &bytes).unwrap();
    let mut journal = Journal::open(folder.path()).unwrap();
    journal.add("after", json!(null)).unwrap();
    assert_eq!(read(folder.path()).unwrap().len(), 3);
}

#[test]
fn damaged_journal_is_set_aside_and_a_new_one_says_so_s85() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = written(folder.path(), 2);
    bytes.extend_from_slice(b"{\"seq\": 3}\n");
    fs::write(file(folder.path()), &bytes).unwrap();
    drop(Journal::open(folder.path()).unwrap());
    assert_eq!(
        fs::read(folder.path().join("journal.damaged.jsonl")).unwrap(),
        bytes
    );
    let entries = read(folder.path()).unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(
        (entries[0].seq, entries[0].event.as_str()),
        (1, "journal-restarted")
    );
}

#[test]
fn long_particulars_are_left_out_q96() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path()).unwrap();
    let why = "y".repeat(1 << 20);
    journal.add("refused", json!({ "why": why })).unwrap();
    let entries = read(folder.path()).unwrap();
    assert_eq!(entries[0].data["why"].as_str().unwrap().len(), 200);
    assert!(entries[0].data["omitted_bytes"].as_u64().unwrap() > 1 << 20);
}

#[test]
fn disk_is_bounded_and_the_chain_goes_on_when_a_file_is_full_s89() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = Journal::open(folder.path()).unwrap();
    let filler = "x".repeat(15 * 1024);
    for number in 0..280u64 {
        let data = json!({ "number": number, "filler": filler });
        journal.add("filled", data).unwrap();
        let sizes = [file(folder.path()), aside(&file(folder.path()))]
            .map(|path| fs::metadata(path).map_or(0, |metadata| metadata.len()));
        let most = JOURNAL_BYTES_MAX + 16 * 1024;
        assert!(sizes.iter().all(|size| *size <= most), "{sizes:?}");
        if number % 7 == 0 {
            journal = Journal::open(folder.path()).unwrap();
        }
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    let entries = read(folder.path()).unwrap();
    assert_eq!(entries.last().unwrap().seq, 280);
    assert!(entries[0].seq > 1, "the oldest are gone");
}

#[test]
fn cut_between_rename_and_new_file_keeps_the_chain_s79() {
    let folder = tempfile::tempdir().unwrap();
    written(folder.path(), 3);
    fs::rename(file(folder.path()), aside(&file(folder.path()))).unwrap();
    let mut journal = Journal::open(folder.path()).unwrap();
    journal.add("after", json!(null)).unwrap();
    let numbers: Vec<u64> = read(folder.path())
        .unwrap()
        .iter()
        .map(|entry| entry.seq)
        .collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
}

#[test]
fn finds_line_deleted_at_the_start_of_the_second_file() {
    let folder = tempfile::tempdir().unwrap();
    written(folder.path(), 2);
    fs::rename(file(folder.path()), aside(&file(folder.path()))).unwrap();
    let second = written(folder.path(), 3);
    assert_eq!(read(folder.path()).unwrap().len(), 5);
    let first_end = second.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    fs::write(file(folder.path()), &second[first_end..]).unwrap();
    assert!(matches!(read(folder.path()), Err(ChainError::Broken(3))));
}
