//! Tests of directory slots: hostile archives (threats A42 to A46, A48), cuts between the steps of a
//! replacement (S79, S81), disks that refuse or lie (S82, S83).

use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt as _;

use tar::EntryType;

use super::*;
use crate::sample::tree;

/// An entry as an attacker writes it: nothing of it is checked on the way into the archive.
struct Raw<'a> {
    name: &'a [u8],
    kind: EntryType,
    size: &'a [u8],
    mode: u32,
    link: &'a [u8],
    body: &'a [u8],
}

impl<'a> Raw<'a> {
    fn file(name: &'a [u8], body: &'a [u8]) -> Self {
        Self {
            name,
            kind: EntryType::Regular,
            size: b"",
            mode: 0o644,
            link: b"",
            body,
        }
    }

    fn link(name: &'a [u8], kind: EntryType, link: &'a [u8]) -> Self {
        Self {
            kind,
            link,
            ..Self::file(name, b"")
        }
    }

    fn encode(&self) -> Vec<u8> {
        let mut header = tar::Header::new_ustar();
        header.set_entry_type(self.kind);
        header.set_mode(self.mode);
        header.set_size(self.body.len() as u64);
        let old = header.as_old_mut();
        old.name[..self.name.len()].copy_from_slice(self.name);
        old.linkname[..self.link.len()].copy_from_slice(self.link);
        if !self.size.is_empty() {
            old.size = [0; 12];
            old.size[..self.size.len()].copy_from_slice(self.size);
        }
        header.set_cksum();
        let mut bytes = header.as_bytes().to_vec();
        bytes.extend_from_slice(self.body);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
        bytes
    }
}

fn archive(entries: &[Raw<'_>]) -> Vec<u8> {
    let mut bytes: Vec<u8> = entries.iter().flat_map(Raw::encode).collect();
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

/// A slot that holds a system, and a place for archives; `outside` is what must never change.
struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = Self { folder };
        fs::create_dir_all(place.path("slots/b/etc")).unwrap();
        fs::write(place.path("slots/b/etc/version"), b"old").unwrap();
        fs::write(place.path("slots/b/only-in-old"), b"old").unwrap();
        fs::create_dir(place.path("outside")).unwrap();
        fs::write(place.path("outside/passwd"), b"root").unwrap();
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn try_install(&self, bytes: &[u8]) -> Result<(), ArchiveError> {
        fs::write(self.path("image.tar"), bytes).unwrap();
        let slot = self.path("slots/b");
        install(&self.path("image.tar"), &slot, &mut |_| {
            ControlFlow::Continue(())
        })
    }

    /// Installs what must be refused: the slot keeps its content and nothing is left beside it.
    #[track_caller]
    fn assert_refused(&self, bytes: &[u8], rule: &str) {
        let (slots, outside) = (tree(&self.path("slots")), tree(&self.path("outside")));
        let error = self.try_install(bytes).unwrap_err();
        assert!(error.to_string().contains(rule), "{error}: not {rule:?}");
        assert_eq!(tree(&self.path("slots")), slots, "{error}");
        assert_eq!(tree(&self.path("outside")), outside, "{error}");
    }

    /// Installs a good archive and looks at every file of the slot.
    #[track_caller]
    fn assert_installs(&self) {
        self.try_install(&good()).unwrap();
        let expected = [
            ("bin", &b"directory"[..]),
            ("bin/run", b"#!/bin/sh\n"),
            ("empty", b""),
            ("sh", b"bin/run"),
            ("version", b"new"),
        ];
        let expected = expected.map(|(name, bytes)| (PathBuf::from(name), bytes.to_vec()));
        assert_eq!(tree(&self.path("slots/b")), expected.into());
        assert_eq!(fs::read_dir(self.path("slots")).unwrap().count(), 1);
    }
}

fn good() -> Vec<u8> {
    archive(&[
        Raw {
            kind: EntryType::Directory,
            mode: 0o755,
            ..Raw::file(b"bin/", b"")
        },
        Raw {
            mode: 0o755,
            ..Raw::file(b"bin/run", b"#!/bin/sh\n")
        },
        Raw::file(b"empty", b""),
        Raw::link(b"sh", EntryType::Symlink, b"bin/run"),
        Raw::file(b"version", b"new"),
    ])
}

#[test]
fn archive_replaces_the_whole_content_of_the_slot() {
    let place = Place::new();
    place.assert_installs();
    place.assert_installs();
    let mode = |name: &str| {
        let metadata = fs::metadata(place.path("slots/b").join(name)).unwrap();
        metadata.permissions().mode() & 0o7777
    };
    assert_eq!(mode("bin/run") & 0o100, 0o100);
    assert_eq!(mode("version") & 0o111, 0);
    fs::remove_dir_all(place.path("slots/b")).unwrap();
    place.assert_installs();
}

#[test]
fn refuses_names_that_leave_the_slot_a42() {
    let place = Place::new();
    for name in [
        &b"../outside/passwd"[..],
        b"..",
        b".",
        b"./",
        b"./../outside/passwd",
        b"a/../../outside/passwd",
        b"a/..",
        b"/etc/passwd",
        b"//etc/passwd",
        b"..\\outside\\passwd",
        b"a\\b",
        b"C:\\x",
    ] {
        let entries = [Raw::file(b"first", b"1"), Raw::file(name, b"evil")];
        place.assert_refused(&archive(&entries), "leaves the slot or has an odd name");
    }
    place.assert_refused(&archive(&[Raw::file(b"", b"evil")]), "archive");
    place.assert_installs();
}

#[test]
fn refuses_overlong_names_a46() {
    let place = Place::new();
    for length in [4097, 64 * 1024, 1 << 20] {
        let name = [vec![b'a'; length], vec![0]].concat();
        let long = Raw {
            kind: EntryType::GNULongName,
            ..Raw::file(b"././@LongLink", &name)
        };
        let bytes = archive(&[long, Raw::file(b"short", b"evil")]);
        place.assert_refused(&bytes, "");
    }
    place.assert_installs();
}

#[test]
fn refuses_file_through_a_symbolic_link_a43() {
    let place = Place::new();
    let outside = place.path("outside");
    let outside = outside.as_os_str().as_encoded_bytes();
    for target in [outside, b"../../outside", b"."] {
        let link = || Raw::link(b"door", EntryType::Symlink, target);
        for name in [&b"door/passwd"[..], b"door/new", b"door/deep/new"] {
            let bytes = archive(&[link(), Raw::file(name, b"evil")]);
            place.assert_refused(&bytes, "goes through a link");
        }
        let inner = Raw {
            kind: EntryType::Directory,
            ..Raw::file(b"door/sub/", b"")
        };
        place.assert_refused(&archive(&[link(), inner]), "goes through a link");
        let twice = archive(&[link(), Raw::file(b"door", b"evil")]);
        place.assert_refused(&twice, "comes twice");
    }
    place.assert_installs();
}

#[test]
fn refuses_hard_links_a43() {
    let place = Place::new();
    let target = place.path("outside/passwd");
    let entries = [
        Raw::file(b"first", b"1"),
        Raw::link(b"door", EntryType::Link, b"first"),
    ];
    place.assert_refused(&archive(&entries), "is neither file");
    let link = target.as_os_str().as_encoded_bytes();
    let entries = [Raw::link(b"door", EntryType::Link, link)];
    place.assert_refused(&archive(&entries), "is neither file");
    place.assert_installs();
}

#[test]
fn refuses_devices_and_other_odd_kinds_a44() {
    let place = Place::new();
    for kind in [
        EntryType::Char,
        EntryType::Block,
        EntryType::Fifo,
        EntryType::Continuous,
        EntryType::GNUSparse,
        EntryType::new(b'V'),
        EntryType::new(b'M'),
        EntryType::new(0xff),
    ] {
        let entries = [Raw::link(b"odd", kind, b"")];
        place.assert_refused(&archive(&entries), "");
    }
    place.assert_installs();
}

/// Setuid, setgid and sticky bits are dropped, as documented; so are owners.
#[test]
fn drops_setuid_bits_a44() {
    let place = Place::new();
    for mode in [0o6755, 0o4644, 0o7777, 0o2000] {
        let entry = Raw {
            mode,
            ..Raw::file(b"tool", b"x")
        };
        place.try_install(&archive(&[entry])).unwrap();
        let metadata = fs::metadata(place.path("slots/b/tool")).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o7022, 0, "{mode:o}");
    }
}

#[test]
fn refuses_entries_that_come_twice_a45() {
    let place = Place::new();
    for second in [&b"a"[..], b"./a", b"a/"] {
        let entries = [Raw::file(b"a", b"signed"), Raw::file(second, b"other")];
        place.assert_refused(&archive(&entries), "archive");
    }
    let folder = || Raw {
        kind: EntryType::Directory,
        ..Raw::file(b"d/", b"")
    };
    place.assert_refused(&archive(&[folder(), folder()]), "comes twice");
    let over = [folder(), Raw::file(b"d/x", b"1"), Raw::file(b"d//x", b"2")];
    place.assert_refused(&archive(&over), "comes twice");
    let over = [folder(), Raw::link(b"d", EntryType::Symlink, b"/")];
    place.assert_refused(&archive(&over), "comes twice");
    let under_a_file = [Raw::file(b"a", b"1"), Raw::file(b"a/b", b"2")];
    place.assert_refused(&archive(&under_a_file), "a/b");
    place.assert_installs();
}

#[test]
fn refuses_sizes_that_the_archive_does_not_hold_a46() {
    let place = Place::new();
    for size in [
        &b"77777777777"[..],
        b"00000010000",
        b"-0000000001",
        b"9999",
        b"xyz",
        &[
            0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
        ],
        &[0xff; 12],
    ] {
        let entry = Raw {
            size,
            ..Raw::file(b"bomb", b"body")
        };
        place.assert_refused(&archive(&[entry]), "");
    }
    place.assert_installs();
}

/// One entry more than the limit, generated: 50 MiB of headers.
#[test]
fn refuses_too_many_entries_a46() {
    let place = Place::new();
    let mut bytes = Vec::new();
    for number in 0..=ENTRIES_MAX {
        // Links cost no fsync.
        let name = format!("{number}");
        bytes.extend(Raw::link(name.as_bytes(), EntryType::Symlink, b"x").encode());
    }
    bytes.resize(bytes.len() + 1024, 0);
    let slots = tree(&place.path("slots"));
    let error = place.try_install(&bytes).unwrap_err();
    assert!(error.to_string().contains("one too many"), "{error}");
    assert_eq!(tree(&place.path("slots")), slots);
}

/// Whole entries without an end mark are an archive of fewer entries: the signed digest, not this,
/// tells them apart. Every other cut is refused here too.
#[test]
fn refuses_truncated_archive_at_every_cut_a46() {
    let place = Place::new();
    let bytes = good();
    let content = bytes.len() - 1024;
    for cut in (0..content).step_by(37).chain([511, 513, content - 1]) {
        if cut % 512 == 0 {
            continue;
        }
        place.assert_refused(&bytes[..cut], "");
    }
    place.assert_refused(&bytes[..1024], "");
    place.assert_installs();
}

#[test]
fn what_follows_the_end_of_the_archive_is_not_extracted_a48() {
    let place = Place::new();
    let mut bytes = good();
    bytes.extend(Raw::file(b"../../outside/passwd", b"evil").encode());
    bytes.extend(Raw::file(b"appended", b"evil").encode());
    place.try_install(&bytes).unwrap();
    assert!(!place.path("slots/b/appended").exists());
    assert_eq!(fs::read(place.path("outside/passwd")).unwrap(), b"root");
}

#[test]
fn refuses_bytes_that_are_no_archive_and_names_the_file() {
    let place = Place::new();
    place.assert_refused(&[b'x'; 4096], "image.tar");
    let error = install(&place.path("none.tar"), &place.path("slots/b"), &mut |_| {
        ControlFlow::Continue(())
    });
    assert!(error.unwrap_err().to_string().contains("none.tar"));
}

/// What a cut can leave at any step of a replacement. Between the two renames the slot is gone: it
/// can't start then, and the boot state forbids it, so the device runs on from the other one.
#[test]
fn next_run_finishes_after_a_cut_at_any_step_s79() {
    type Cut = fn(&Place);
    let cuts: [(&str, Cut, bool); 6] = [
        ("before the first byte", |_| {}, true),
        ("half extracted", half_new, true),
        ("fully extracted", whole_new, true),
        (
            "between the renames",
            |place| {
                whole_new(place);
                fs::rename(place.path("slots/b"), place.path("slots/b.old")).unwrap();
            },
            false,
        ),
        (
            "before the old is removed",
            |place| {
                fs::rename(place.path("slots/b"), place.path("slots/b.old")).unwrap();
                whole_new(place);
                fs::rename(place.path("slots/b.new"), place.path("slots/b")).unwrap();
            },
            true,
        ),
        (
            "old half removed",
            |place| {
                fs::rename(place.path("slots/b"), place.path("slots/b.old")).unwrap();
                fs::remove_file(place.path("slots/b.old/only-in-old")).unwrap();
                whole_new(place);
                fs::rename(place.path("slots/b.new"), place.path("slots/b")).unwrap();
            },
            true,
        ),
    ];
    for (step, cut, slot_is_there) in cuts {
        let place = Place::new();
        let old = tree(&place.path("slots/b"));
        cut(&place);
        assert_eq!(place.path("slots/b").exists(), slot_is_there, "{step}");
        if slot_is_there {
            let now = tree(&place.path("slots/b"));
            let new = now.get(Path::new("version")) == Some(&b"new".to_vec());
            assert!(now == old || new, "{step}: a mixture");
        }
        // A bad archive does not profit from what was left, and leaves nothing of it.
        place.try_install(b"bad").unwrap_err();
        assert!(!place.path("slots/b.new").exists(), "{step}");
        place.assert_installs();
    }
}

fn half_new(place: &Place) {
    fs::create_dir_all(place.path("slots/b.new/bin")).unwrap();
    fs::write(place.path("slots/b.new/bin/run"), b"#!/bi").unwrap();
    fs::write(place.path("slots/b.new/evil"), b"of another archive").unwrap();
}

fn whole_new(place: &Place) {
    fs::create_dir_all(place.path("slots/b.new")).unwrap();
    fs::write(place.path("slots/b.new/version"), b"new").unwrap();
}

#[test]
fn stopped_extraction_leaves_the_slot_s79() {
    for calls in 0..5 {
        let place = Place::new();
        let slots = tree(&place.path("slots"));
        fs::write(place.path("image.tar"), good()).unwrap();
        let mut left = calls;
        let mut report = |_| {
            left -= 1;
            if left < 0 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        };
        let stopped = install(
            &place.path("image.tar"),
            &place.path("slots/b"),
            &mut report,
        );
        assert!(matches!(stopped, Err(ArchiveError::Stopped)), "{calls}");
        assert_eq!(tree(&place.path("slots")), slots);
        place.assert_installs();
    }
}

#[test]
fn disk_that_refuses_leaves_the_slot_and_the_next_run_finishes_s82() {
    let place = Place::new();
    fs::write(place.path("image.tar"), good()).unwrap();
    // A file where the slot's folder should be makes every write fail, also for root.
    fs::write(place.path("no-folder"), b"").unwrap();
    let slot = place.path("no-folder/b");
    let refused = install(&place.path("image.tar"), &slot, &mut |_| {
        ControlFlow::Continue(())
    });
    assert!(refused.unwrap_err().to_string().contains("no-folder"));
    place.assert_installs();
}

/// The disk keeps something else than was written: found before the slot is replaced.
#[test]
fn read_back_finds_what_the_disk_changed_s83() {
    type Change = fn(&Path);
    let changes: [(&str, Change); 6] = [
        ("bin/run", |path| fs::write(path, b"#!/bin/sH\n").unwrap()),
        ("bin/run", |path| fs::write(path, b"#!/bin/sh").unwrap()),
        ("bin/run", |path| fs::write(path, b"#!/bin/sh\n\0").unwrap()),
        ("empty", |path| fs::write(path, b"x").unwrap()),
        ("version", |path| fs::remove_file(path).unwrap()),
        ("sh", |path| {
            fs::remove_file(path).unwrap();
            symlink("bin/other", path).unwrap();
        }),
    ];
    for (name, change) in changes {
        let place = Place::new();
        let root = place.path("extracted");
        fs::create_dir(&root).unwrap();
        fs::write(place.path("image.tar"), good()).unwrap();
        let archive = place.path("image.tar");
        let mut file = File::open(&archive).unwrap();
        extract((&mut file, &archive), &root, &mut |_| {
            ControlFlow::Continue(())
        })
        .unwrap();
        io::Seek::rewind(&mut file).unwrap();
        compare((&mut file, &archive), &root).unwrap();
        change(&root.join(name));
        io::Seek::rewind(&mut file).unwrap();
        let error = compare((&mut file, &archive), &root).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
    }
}
