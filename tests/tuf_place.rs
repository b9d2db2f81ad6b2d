//! `streembit-tuf` and the machine it runs on: killed and failing at every call that writes (threats S79,
//! S82), full disks, wrong clocks, slow sources, odd names. Needs `strace`, `unshare` and `faketime`, and
//! says so without.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use manifests::delegations::Delegation;
use manifests::json::Json;
use support::graph::{Graph, TOP, edge, paths, search};
use support::mirror::Tail;
use support::programs::text;
use support::repository::now;
use support::site::{Client, Named, Site, as_files, encode, files, refused};
use support::trace::{CALLS, CALLS_MAX, can, can_trace, through};

use crate::tuf_http::{FAR, PATH, Releases};

/// Files and folders that a download writes, below the client's.
const WRITTEN: &[&str] = &[
    "metadata",
    "metadata/root.json.tmp",
    "metadata/timestamp.json",
    "metadata/timestamp.json.tmp",
    "metadata/snapshot.json",
    "metadata/snapshot.json.tmp",
    "metadata/targets.json.tmp",
    "metadata/a.json.tmp",
    "targets",
    "targets/.d%2Ffile%20%C3%A9.part",
];

/// Runs `inner` and has its `number`th `call` end as `fault` says; whether there was such a call. Kills
/// come anywhere, errors where files are written.
fn with_fault(inner: &Command, (call, number): (&str, usize), fault: &str) -> (bool, Output) {
    let folder = inner.get_current_dir().unwrap();
    let log = folder.join("strace");
    let mut strace = Command::new("strace");
    strace
        .args(["-qq", "-f", "-o"])
        .arg(&log)
        .arg(format!("--trace={call}"));
    strace.arg(format!("--inject={call}:{fault}:when={number}"));
    if fault.starts_with("error") {
        for path in WRITTEN {
            strace.arg("-P").arg(folder.join(path));
        }
    }
    let strace: Vec<&str> = std::iter::once(strace.get_program())
        .chain(strace.get_args())
        .map(|arg| arg.to_str().unwrap())
        .collect();
    let output = through(&strace, inner).output().unwrap();
    let log = fs::read_to_string(log).unwrap();
    let happened = output.status.code().is_none() || log.contains("(INJECTED)");
    (happened, output)
}

/// What may be on a disk at any moment: files of one release or the other, whole, and leftovers that are
/// not taken for files.
fn assert_whole(client: &Client, (old, new): (&Named, &Named), history: &str) {
    let metadata = client.metadata();
    assert!(metadata.contains_key("root.json"), "{history}");
    for (name, bytes) in &metadata {
        let whole = [old, new]
            .iter()
            .any(|files| files.get(name) == Some(bytes));
        assert!(whole || name.ends_with(".json.tmp"), "{history}: {name}");
    }
    // What a rotation voids is gone before the root that rotates is there.
    if metadata["root.json"] == new["root.json"] {
        for voided in ["timestamp.json", "snapshot.json"] {
            assert!(
                metadata.get(voided) != old.get(voided),
                "{history}: {voided}"
            );
        }
    }
}

/// A command on a twin of `factory`, disturbed at every call; then an undisturbed one finishes.
fn at_every_call(fault: &str, command: impl Fn(&Client) -> Command) -> usize {
    let releases = Releases::new();
    let (site, factory) = releases.site();
    let twin = site.twin(&factory);
    releases.assert_finishes(&twin, "undisturbed");
    let (old, new) = (factory.metadata(), twin.metadata());
    let targets = [factory.targets(), twin.targets()];
    let mut faults = 0;
    for call in CALLS {
        for number in 1..=CALLS_MAX {
            let client = site.twin(&factory);
            let (happened, output) = with_fault(&command(&client), (call, number), fault);
            if !happened {
                assert!(output.status.success(), "{}", text(&output));
                break;
            }
            assert!(number < CALLS_MAX, "{call}: no end");
            faults += 1;
            let history = format!("{fault} at {call} {number}");
            assert!(
                !text(&output).contains("panicked"),
                "{history}: {}",
                text(&output)
            );
            assert_whole(&client, (&old, &new), &history);
            for (name, bytes) in client.targets() {
                let whole = targets.iter().any(|files| files.get(&name) == Some(&bytes));
                let part = name.starts_with('.') && output.status.code().is_none();
                assert!(whole || part, "{history}: {name}");
            }
            if output.status.success() {
                assert!(
                    client.metadata() == new,
                    "{history}: success without the files"
                );
            }
            releases.assert_finishes(&client, &history);
        }
    }
    faults
}

#[test]
fn download_killed_at_every_call_finishes_the_next_time_s79() {
    if can_trace() {
        let kills = at_every_call("signal=SIGKILL", |client| client.download(&[PATH]));
        assert!(kills >= 25, "only {kills} calls");
    }
}

#[test]
fn download_on_a_full_or_broken_disk_finishes_the_next_time_s82() {
    if can_trace() {
        let faults = at_every_call("error=ENOSPC", |client| client.download(&[PATH]));
        assert!(faults >= 20, "only {faults} calls");
    }
}

/// `init` over what another root has left: whatever remains, `init` again starts anew.
#[test]
fn init_killed_at_every_call_finishes_the_next_time_s79() {
    if !can_trace() {
        return;
    }
    let releases = Releases::new();
    let (site, factory) = releases.site();
    let root = releases.new.base.roots[0].encode();
    let mut kills = 0;
    for call in CALLS {
        for number in 1..=CALLS_MAX {
            let client = site.twin(&factory);
            let init = client.command(&["init", "../1.root.json"]);
            let (happened, _) = with_fault(&init, (call, number), "signal=SIGKILL");
            if !happened {
                break;
            }
            kills += 1;
            let history = format!("init killed at {call} {number}");
            assert!(client.metadata()["root.json"] == root, "{history}");
            client.succeed(client.command(&["init", "../1.root.json"]));
            releases.assert_finishes(&client, &history);
        }
    }
    assert!(kills >= 8, "only {kills} calls");
}

/// A small file system of its own, of several sizes: full in the middle of metadata or of the target.
#[test]
fn download_into_a_small_file_system_finishes_when_there_is_room_s82() {
    let mount = "mount -t tmpfs -o size=$1k none .";
    if !can(
        &["unshare", "-rm", "sh", "-c", "mount -t tmpfs none /mnt"],
        "full disks were",
    ) {
        return;
    }
    let releases = Releases::new();
    let (site, factory) = releases.site();
    let twin = site.twin(&factory);
    releases.assert_finishes(&twin, "undisturbed");
    let (old, new) = (factory.metadata(), twin.metadata());
    // What it holds at the end is copied out: the file system goes with the process.
    let script = format!(
        "p=$PWD; mkdir ../out-$1; mount --bind ../out-$1 /mnt && {mount} && cd \"$p\" && \
        cp -r ../from/. . && shift && \"$@\"; s=$?; cp -r . /mnt; exit $s"
    );
    for (size, fits) in [
        ("28", false),
        ("36", false),
        ("48", false),
        ("88", false),
        ("400", true),
    ] {
        let client = site.twin(&factory);
        let from = site.place().join("from");
        drop(fs::remove_dir_all(&from));
        fs::rename(&client.folder, &from).unwrap();
        fs::create_dir(&client.folder).unwrap();
        let outer = ["unshare", "-rm", "sh", "-c", &script, "sh", size];
        let output = through(&outer, &client.download(&[PATH])).output().unwrap();
        if !fits {
            let told = refused(&output);
            assert!(told.contains("No space left"), "{size}: {told}");
        } else {
            assert!(output.status.success(), "{}", text(&output));
        }
        fs::remove_dir(&client.folder).unwrap();
        fs::rename(site.place().join(format!("out-{size}")), &client.folder).unwrap();
        assert_whole(&client, (&old, &new), size);
        let parts: Vec<String> = client.targets().into_keys().collect();
        assert!(!parts.iter().any(|name| name.starts_with('.')), "{parts:?}");
        releases.assert_finishes(&client, size);
    }
}

fn at_time(time: &str, command: &Command) -> Command {
    through(&["faketime", "-f", time], command)
}

/// A clock that runs ahead finds everything expired; nothing is lost by it. One that lags finds nothing
/// wrong, which is why devices also look at how long nothing new came.
#[test]
fn wrong_clock_loses_nothing_m17_m18() {
    if !can(
        &["faketime", "-f", "2100-01-01 00:00:00", "true"],
        "wrong clocks were",
    ) {
        return;
    }
    let mut graph = Graph::new();
    graph.delegate(TOP, edge("a"));
    graph.publish("a", "file", b"content");
    graph.expire(FAR);
    for (year, file) in [
        ("2110", "a"),
        ("2120", TOP),
        ("2130", "snapshot"),
        ("2140", "timestamp"),
    ] {
        let expires = Json::from(format!("{year}-01-01T00:00:00Z").as_str());
        match file {
            "snapshot" => graph.base.snapshot.set(&["expires"], expires),
            "timestamp" => graph.base.timestamp.set(&["expires"], expires),
            role => graph.role(role).set(&["expires"], expires),
        }
    }
    let site = Site::new();
    site.publish(&graph, &[("file", b"content")]);
    let anew = site.client(&graph);
    let client = site.twin(&anew);
    client.succeed(client.download(&["file"]));
    let trusted = client.metadata();
    for (year, file) in [
        ("2110", "a.json"),
        ("2120", "targets.json"),
        ("2130", "snapshot.json"),
        ("2140", "timestamp.json"),
        ("2199", "root.json"),
    ] {
        let after = format!("{year}-01-02 00:00:00");
        let told = client.fail(at_time(&after, &client.download(&["file"])));
        assert!(told.contains(file) && told.contains("expired"), "{told}");
        assert!(client.metadata() == trusted, "{year}");
        let fresh = site.twin(&anew);
        fresh.fail(at_time(&after, &fresh.download(&["file"])));
        assert!(
            !fresh.metadata().contains_key(file) || file == "root.json",
            "{year}"
        );
        assert!(fresh.targets().is_empty(), "{year}");
    }
    for time in [
        "2109-12-30 00:00:00",
        "2001-01-01 00:00:00",
        "1970-01-02 00:00:00",
    ] {
        client.succeed(at_time(time, &client.download(&["file"])));
        assert!(client.metadata() == trusted, "{time}");
    }
    client.succeed(client.download(&["file"]));
}

/// A source that gives a byte at a time, or none, is left after a while, which follows from the most that
/// the file may have. The clock of the process runs 40 times as fast.
#[test]
fn slow_and_silent_sources_are_left_p51() {
    const FAST: &str = "+0 x40";
    if !can(&["faketime", "-f", FAST, "true"], "slow sources were") {
        return;
    }
    let mut graph = Graph::new();
    graph.delegate(TOP, edge("a"));
    let content = vec![b'x'; 20_000];
    graph.publish("a", "file", &content);
    graph.expire(FAR);
    let site = Site::new();
    site.publish(&graph, &[("file", &content)]);
    let new = site.client(&graph);
    for url in [
        "2.root",
        "timestamp",
        "1.snapshot",
        "1.targets",
        "1.a",
        "/blobs/",
    ] {
        for (tail, word) in [(Tail::Drip, "too slow"), (Tail::Silence, "")] {
            site.mirror.tamper(move |asked, answer| {
                if asked.path.contains(url) {
                    (answer.status, answer.claimed, answer.tail) = (200, None, tail);
                    answer.body.clear();
                }
            });
            // A machine that is busy looks slow for other files as well: then once more.
            let told = (0..10).find_map(|_| {
                let client = site.twin(&new);
                let told = client.fail(at_time(FAST, &client.download(&["file"])));
                assert!(client.targets().is_empty(), "{url}");
                (told.contains(url) && told.contains(word)).then_some(told)
            });
            assert!(told.is_some(), "{url} {tail:?}");
        }
    }
    site.mirror.be_honest();
    new.succeed(new.download(&["file"]));
}

/// Every file and folder below a folder, but for those below `but`.
fn listing(folder: &Path, but: &[&Path]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if but.contains(&path.as_path()) {
            continue;
        }
        names.insert(path.display().to_string());
        if path.is_dir() {
            names.extend(listing(&path, but));
        }
    }
    names
}

/// Names that mean something to a file system, a URL or a reader.
const ODD_NAMES: &[&str] = &[
    "/etc/x",
    "a/b",
    "a%2Fb",
    "a?b",
    "a#b",
    "a%b",
    "%",
    "%00",
    ".",
    "..",
    "...",
    ".lock",
    "-rf",
    "~",
    "é",
    "e\u{301}",
    "\u{202e}x\u{200b}",
    "a b",
    "a\\b",
    "a\nb",
    "a:b",
    "con",
    "root.json",
    "a.json",
    "A",
    "a",
];

/// Names of roles and targets are the publisher's choice: each is one file in its folder, and two never
/// share one.
#[test]
fn odd_names_stay_in_their_folders_m22() {
    let long = "x".repeat(250);
    let mut graph = Graph::new();
    let mut contents = Vec::new();
    for (index, name) in ODD_NAMES.iter().chain([&long.as_str()]).enumerate() {
        let content = format!("content {index}").into_bytes();
        graph.publish(TOP, name, &content);
        contents.push((*name, content));
    }
    for name in ODD_NAMES {
        let scope = paths(&["of roles"]);
        graph.delegate(
            TOP,
            Delegation {
                scope,
                ..edge(name)
            },
        );
    }
    graph.publish("a", "of roles", b"found");
    contents.push(("of roles", b"found".to_vec()));
    graph.expire(FAR);
    let site = Site::new();
    let targets: Vec<(&str, &[u8])> = contents.iter().map(|(name, it)| (*name, &it[..])).collect();
    site.publish(&graph, &targets);
    let client = site.client(&graph);
    let own = [
        client.folder.join("metadata"),
        client.folder.join("targets"),
    ];
    let own: Vec<&Path> = own.iter().map(AsRef::as_ref).collect();
    let before = listing(site.place(), &own);
    let names: Vec<&str> = contents.iter().map(|(name, _)| *name).collect();
    client.succeed(client.download(&names));
    assert_eq!(listing(site.place(), &own), before);
    let mut stored = graph.fresh_device();
    search(&mut stored, &graph.files(), &["of roles"], now());
    assert!(client.metadata() == as_files(&stored));
    assert_eq!(stored.roles.len(), ODD_NAMES.len());
    let found: BTreeSet<Vec<u8>> = client.targets().into_values().collect();
    let published: BTreeSet<Vec<u8>> = contents.iter().map(|(_, it)| it.clone()).collect();
    assert_eq!(found, published);
    assert_eq!(files(own[1])[&encode("a/b")], contents[1].1);
    client.succeed(client.command(&["refresh"]));
    assert!(client.metadata() == as_files(&stored));
}
