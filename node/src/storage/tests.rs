//! Tests of the store on a hostile disk: leftovers, damage, two processes, kills, no room.
//!
//! Tests that need a process of their own start this binary again, naming themselves.

use std::env;
use std::ffi::OsString;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::FileExt as _;
use std::process::{Child, Command, Stdio};

use keys::{Algorithm, SigningKey};
use libp2p::kad::RecordKey;
use libp2p::kad::store::RecordStore;
use protocol::dht::key::DhtKey;
use protocol::identity::account;

use super::records::Records;
use super::*;

/// Set for a child: the folder to work in.
const CHILD: &str = "STREEMBIT_TEST_CHILD";

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn value(key: u64) -> Vec<u8> {
    let seed = blake3::hash(&key.to_be_bytes());
    seed.as_bytes().repeat(64)
}

fn put(storage: &Storage, keys: std::ops::Range<u64>) {
    let tree = storage.tree("records").unwrap();
    for key in keys {
        tree.insert(key.to_be_bytes(), value(key)).unwrap();
    }
    storage.sync().unwrap();
}

/// The rows that are there; each must be whole.
fn rows(storage: &Storage) -> Vec<u64> {
    let tree = storage.tree("records").unwrap();
    let row = |row: Result<(sled::IVec, sled::IVec), sled::Error>| {
        let (key, bytes) = row.unwrap();
        let key = u64::from_be_bytes(key.as_ref().try_into().unwrap());
        assert_eq!(bytes.as_ref(), value(key), "row {key}");
        key
    };
    tree.iter().map(row).collect()
}

fn account() -> (DhtKey, Vec<u8>) {
    let key = SigningKey::generate(Algorithm::P256, &mut cli::keyfile::os_rng());
    let name = "alice".parse().unwrap();
    let node_id = keys::node_id(&key.public(), &name).unwrap();
    let token = account::sign(&key, &name, 1, crate::clock::unix_now()).unwrap();
    (DhtKey::account(&node_id), token.into_bytes())
}

fn all(range: std::ops::Range<u64>) -> Vec<u64> {
    range.collect()
}

/// A store with `count` rows that was closed properly.
fn filled(count: u64) -> tempfile::TempDir {
    let place = folder();
    put(
        &Storage::open(&place.path().join("node")).unwrap(),
        0..count,
    );
    place
}

fn files(folder: &Path, prefix: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path())
        .collect()
}

/// Starts the test `name` of this binary in `folder`, after the shell commands in `before`.
fn start(name: &str, folder: &Path, before: &str) -> Child {
    Command::new("sh")
        .arg("-c")
        .arg(format!("{before} exec \"$0\" \"$@\""))
        .arg(env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "--test-threads=1"])
        .arg(format!("storage::tests::{name}"))
        .env(CHILD, folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .unwrap()
}

/// Tells the parent; libtest's own lines don't begin so.
fn tell(word: impl std::fmt::Display) {
    println!("\ntell {word}");
    io::stdout().flush().unwrap();
}

/// What a child tells until it ends.
fn heard(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines
        .map_while(Result::ok)
        .filter_map(|line| line.strip_prefix("tell ").map(str::to_owned))
}

fn child_folder() -> Option<PathBuf> {
    env::var_os(CHILD).map(|folder: OsString| PathBuf::from(folder))
}

#[test]
fn keeps_rows_across_a_restart() {
    let place = filled(500);
    let storage = Storage::open(&place.path().join("node")).unwrap();
    assert_eq!(rows(&storage), all(0..500));
}

#[test]
fn opens_with_a_half_written_snapshot_s85() {
    let place = filled(500);
    let store = place.path().join("node");
    let half = store.join("snap.0000000000FFFFFF.generating");
    fs::write(&half, b"half").unwrap();
    let storage = Storage::open(&store).unwrap();
    assert_eq!(rows(&storage), all(0..500));
    assert!(!half.exists());
}

#[test]
fn opens_without_its_snapshots_if_they_are_damaged_s85() {
    let damages: [fn(&Path); 3] = [
        |path| fs::write(path, b"").unwrap(),
        |path| fs::write(path, [0x55; 4096]).unwrap(),
        |path| {
            let length = fs::metadata(path).unwrap().len();
            let file = File::options().write(true).open(path).unwrap();
            file.set_len(length / 2).unwrap();
        },
    ];
    for (number, damage) in damages.into_iter().enumerate() {
        let place = filled(500);
        let store = place.path().join("node");
        drop(Storage::open(&store).unwrap()); // opening writes a snapshot
        let snapshots = files(&store, "snap.");
        assert!(!snapshots.is_empty(), "nothing to damage");
        snapshots.iter().for_each(|path| damage(path));
        let storage = Storage::open(&store).unwrap();
        assert_eq!(rows(&storage), all(0..500), "damage {number}");
        assert!(!place.path().join("node.corrupt").exists());
        let aside = files(&store.join("aside"), "snap.");
        assert_eq!(aside.len(), snapshots.len());
    }
}

/// Overwrites `length` bytes at `at`, a part of the file in thousandths.
fn overwrite(path: &Path, at: u64, length: usize) {
    let file = File::options().write(true).open(path).unwrap();
    let start = file.metadata().unwrap().len() * at / 1000;
    file.write_all_at(&vec![0xa5; length], start).unwrap();
}

fn damage_all_over(store: &Path) {
    for at in (3..1000).step_by(5) {
        overwrite(&store.join("db"), at, 64);
    }
}

/// What may have happened to a store, and whether nothing of it is usable then.
type Damage = (&'static str, fn(&Path));

const DAMAGES: [Damage; 10] = [
    ("log of noise", |store| {
        fs::write(store.join("db"), vec![0x5a; 2 << 20]).unwrap();
    }),
    ("log cut to nothing", |store| {
        fs::write(store.join("db"), b"").unwrap();
    }),
    ("log without its second half", |store| {
        let file = File::options().write(true).open(store.join("db")).unwrap();
        file.set_len(file.metadata().unwrap().len() / 2).unwrap();
    }),
    ("log damaged at its head", |store| {
        overwrite(&store.join("db"), 0, 64);
    }),
    ("log damaged in the middle", |store| {
        overwrite(&store.join("db"), 300, 9000);
    }),
    ("log damaged all over", damage_all_over),
    ("settings of noise", |store| {
        fs::write(store.join("conf"), [0x5a; 100]).unwrap();
    }),
    ("settings cut to nothing", |store| {
        fs::write(store.join("conf"), b"").unwrap();
    }),
    ("settings of another version", |store| {
        fs::write(store.join("conf"), b"version: 9.9\nsegment_size: 77\n0000").unwrap();
    }),
    ("snapshot damaged as well as the log", |store| {
        damage_all_over(store);
        for path in files(store, "snap.") {
            fs::write(path, [0x55; 4096]).unwrap();
        }
    }),
];

/// Whatever the damage: the store opens, what it still has is whole, and it works on.
#[test]
fn works_on_whatever_was_damaged_s85() {
    for (what, damage) in DAMAGES {
        let place = filled(1500);
        let store = place.path().join("node");
        damage(&store);
        let storage = Storage::open(&store).unwrap_or_else(|error| panic!("{what}: {error:?}"));
        let kept = rows(&storage);
        assert!(kept.len() <= 1500, "{what}");
        put(&storage, 2000..2100);
        drop(storage);
        let storage = Storage::open(&store).unwrap_or_else(|error| panic!("{what}: {error:?}"));
        assert_eq!(rows(&storage), [kept, all(2000..2100)].concat(), "{what}");
    }
}

#[test]
fn sets_a_hopeless_store_aside_s85() {
    let place = filled(1500);
    let store = place.path().join("node");
    fs::write(store.join("conf"), [0x5a; 100]).unwrap();
    let earlier = place.path().join("node.corrupt");
    fs::create_dir(&earlier).unwrap(); // of an earlier time, makes room
    fs::write(earlier.join("old"), b"").unwrap();
    let storage = Storage::open(&store).unwrap();
    assert!(rows(&storage).is_empty());
    assert!(earlier.join("db").exists() && !earlier.join("old").exists());
}

#[test]
fn second_process_is_refused_and_changes_nothing_s88() {
    if let Some(store) = child_folder() {
        match Storage::open(&store) {
            Err(StorageError::InUse(path)) => tell(format_args!("in use: {}", path.display())),
            other => tell(format_args!("{other:?}")),
        }
        return;
    }
    let place = filled(10);
    let store = place.path().join("node");
    let storage = Storage::open(&store).unwrap();
    // As if the first were writing a snapshot at this moment.
    let half = store.join("snap.0000000000FFFFFF.generating");
    fs::write(&half, b"half").unwrap();
    assert!(matches!(
        Storage::open(&store),
        Err(StorageError::InUse(path)) if path == store
    ));
    let mut child = start(
        "second_process_is_refused_and_changes_nothing_s88",
        &store,
        "",
    );
    let told: Vec<String> = heard(&mut child).collect();
    child.wait().unwrap();
    assert_eq!(told, [format!("in use: {}", store.display())]);
    assert!(half.exists(), "a store in use is not touched");
    put(&storage, 10..20);
    drop(storage);
    assert_eq!(rows(&Storage::open(&store).unwrap()), all(0..20));
}

/// In every round a child is killed after some acknowledged records; each of them must be there.
#[test]
fn synced_records_survive_a_kill_s79_s88() {
    const NAME: &str = "synced_records_survive_a_kill_s79_s88";
    if let Some(store) = child_folder() {
        let storage = Storage::open(&store).unwrap();
        let next = u64::try_from(rows(&storage).len()).unwrap();
        for key in next.. {
            put(&storage, key..key + 1);
            tell(key);
        }
    }
    let place = folder();
    let store = place.path().join("node");
    let mut acknowledged = 0;
    for round in 0..12 {
        let mut child = start(NAME, &store, "");
        let mut told = heard(&mut child);
        for _ in 0..(3 + 7 * round) {
            let key: u64 = told.next().expect("the child lives").parse().unwrap();
            acknowledged = key + 1;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        for key in told {
            acknowledged = key.parse::<u64>().unwrap() + 1;
        }
        // At once: the lock of a killed process is free.
        let kept = rows(&Storage::open(&store).unwrap());
        let kept_keys = all(0..u64::try_from(kept.len()).unwrap());
        assert_eq!(kept, kept_keys, "round {round}: a gap");
        assert!(kept.len() as u64 >= acknowledged, "round {round}: lost");
    }
    assert!(acknowledged > 12);
}

/// Writes until the disk refuses; returns how many rows were synced.
fn fill(storage: &Storage) -> u64 {
    let tree = storage.tree("filler").unwrap();
    for key in 0..100_000_u64 {
        let written = tree.insert(key.to_be_bytes(), value(key));
        let synced = written
            .map_err(|source| storage.error(source))
            .and_then(|_| storage.sync());
        if let Err(error) = synced {
            tell(format_args!("full: {error:?}"));
            return key;
        }
    }
    panic!("the disk never refused");
}

/// A file size limit stands for a full disk; it is lifted from outside, as a disk is cleared.
#[test]
fn full_disk_refuses_and_works_again_with_room_s82() {
    const NAME: &str = "full_disk_refuses_and_works_again_with_room_s82";
    if let Some(store) = child_folder() {
        let mut storage = Storage::open(&store).unwrap();
        let local = libp2p::PeerId::random();
        let mut records = Records::open(&storage, local).unwrap();
        let synced = fill(&storage);
        let (key, value) = account();
        assert!(records.offer(key.as_bytes(), &value, None).is_err());
        assert!(storage.sync().is_err());
        assert!(RecordStore::get(&records, &RecordKey::new(key.as_bytes())).is_none());
        drop(records.recover(&mut storage)); // no better while the disk is full, but no worse
        tell("waiting");
        let mut line = String::new();
        io::stdin().read_line(&mut line).unwrap();
        records.recover(&mut storage).unwrap();
        records.offer(key.as_bytes(), &value, None).unwrap();
        storage.sync().unwrap();
        let kept = RecordStore::get(&records, &RecordKey::new(key.as_bytes()));
        assert_eq!(kept.unwrap().value, value);
        let filler = storage.tree("filler").unwrap();
        for key in 0..synced {
            let row = filler.get(key.to_be_bytes()).unwrap();
            assert_eq!(
                row.unwrap().as_ref(),
                self::value(key),
                "row {key} of {synced}"
            );
        }
        tell(format_args!("works: {synced}"));
        return;
    }
    if Command::new("prlimit").arg("--version").output().is_err() {
        eprintln!("!!! NOT TESTED: full disk (S82): no prlimit on this machine");
        return;
    }
    let place = folder();
    let store = place.path().join("node");
    let mut child = start(NAME, &store, "trap '' XFSZ; ulimit -S -f 4096;");
    let mut stdin = child.stdin.take();
    let id = child.id().to_string();
    let mut told = Vec::new();
    for word in heard(&mut child) {
        if word == "waiting" {
            let lift = ["--pid", &id, "--fsize=unlimited"];
            assert!(
                Command::new("prlimit")
                    .args(lift)
                    .status()
                    .unwrap()
                    .success()
            );
            drop(stdin.take()); // it may go on
        }
        told.push(word);
    }
    assert!(child.wait().unwrap().success(), "{told:?}");
    assert!(told[0].starts_with("full: "), "{told:?}");
    assert!(told.last().unwrap().starts_with("works: "), "{told:?}");
}
