//! `streembit-tuf` as a process against web servers of every bad kind: it ends with exit code 1, keeps what
//! it trusted byte for byte, leaves no trace of what it refused, and the next run finishes.

use std::process::Child;

use support::graph::{Graph, TOP, edge, paths, search};
use support::mirror::{Answer, Asked, Mirror, Tail};
use support::programs::text;
use support::repository::{key_id, now};
use support::site::{Client, Site, as_files, blob, refused};

/// The target of these tests.
pub(crate) const PATH: &str = "d/file é";
/// A time at which no run of these tests takes place.
pub(crate) const FAR: &str = "2199-01-01T00:00:00Z";

/// Two releases of one repository; the second one rotates the timestamp's key.
pub(crate) struct Releases {
    /// The first.
    pub(crate) old: Graph,
    /// The second.
    pub(crate) new: Graph,
    /// What [`PATH`] is in each.
    pub(crate) content: [Vec<u8>; 2],
}

impl Releases {
    /// References by version alone, so that changed bytes reach the parser.
    pub(crate) fn new() -> Self {
        let content = [vec![b'1'; 5000], vec![b'2'; 70_000]];
        let mut old = Graph::unhashed();
        let mut role = edge("a");
        role.scope = paths(&["d/*"]);
        old.delegate(TOP, role);
        old.expire(FAR);
        let mut new = old.clone();
        new.base.next_root(|root| {
            root.set_role("timestamp", &[(&key_id("timestamp-b"), "timestamp-b")], 1);
        });
        new.base.timestamp.sign_with(&["timestamp-b"]);
        new.release(&[TOP, "a"]);
        for (graph, content) in [&mut old, &mut new].into_iter().zip(&content) {
            graph.publish("a", PATH, content);
        }
        Self { old, new, content }
    }

    /// A site with the second release, and a client that has followed the first.
    pub(crate) fn site(&self) -> (Site, Client) {
        let site = Site::new();
        site.publish(&self.old, &[(PATH, &self.content[0])]);
        let client = site.client(&self.old);
        client.succeed(client.download(&[PATH]));
        site.publish(&self.new, &[(PATH, &self.content[1])]);
        site.mirror.take_asked();
        (site, client)
    }

    /// Asserts that the client follows the second release to its end.
    pub(crate) fn assert_finishes(&self, client: &Client, history: &str) {
        client.succeed(client.download(&[PATH]));
        let mut stored = self.new.fresh_device();
        search(&mut stored, &self.new.files(), &[PATH], now());
        assert!(client.metadata() == as_files(&stored), "{history}");
        let targets = client.targets();
        assert!(targets["d%2Ffile%20%C3%A9"] == self.content[1], "{history}");
        assert_eq!(targets.len(), 1, "{history}: {:?}", targets.keys());
    }
}

#[test]
fn follows_a_repository_over_http_with_these_requests_m20() {
    let releases = Releases::new();
    let site = Site::new();
    site.publish(&releases.old, &[(PATH, &releases.content[0])]);
    let client = site.client(&releases.old);
    assert!(site.mirror.take_asked().is_empty(), "init asks nobody");
    client.succeed(client.command(&["refresh"]));
    let metadata = |names: &[&str]| -> Vec<String> {
        names
            .iter()
            .map(|name| format!("/metadata/{name}.json"))
            .collect()
    };
    let top = metadata(&["2.root", "timestamp", "1.snapshot", "1.targets"]);
    assert_eq!(site.mirror.take_asked(), top);
    client.succeed(client.command(&["refresh"]));
    assert_eq!(site.mirror.take_asked(), metadata(&["2.root", "timestamp"]));
    client.succeed(client.download(&[PATH, PATH]));
    let mut asked = metadata(&["2.root", "timestamp", "1.a"]);
    asked.push(blob(PATH, &releases.content[0]));
    assert_eq!(site.mirror.take_asked(), asked);
    site.publish(&releases.new, &[(PATH, &releases.content[1])]);
    client.succeed(client.download(&[PATH]));
    let mut asked = metadata(&[
        "2.root",
        "3.root",
        "timestamp",
        "2.snapshot",
        "2.targets",
        "2.a",
    ]);
    asked.push(blob(PATH, &releases.content[1]));
    assert_eq!(site.mirror.take_asked(), asked);
    releases.assert_finishes(&client, "twice");
    assert_eq!(site.mirror.take_asked(), metadata(&["3.root", "timestamp"]));
}

type Kind = (&'static str, fn(&Asked, &mut Answer));

/// Answers that are no file, whatever was asked for.
const BAD_ANSWERS: &[Kind] = &[
    ("endless without a length", |_, answer| {
        answer.claimed = None;
        answer.tail = Tail::Endless;
    }),
    ("endless with a huge length", |_, answer| {
        answer.claimed = Some(usize::MAX / 2);
        answer.tail = Tail::Endless;
    }),
    ("endless header", |_, answer| {
        answer.headers = format!("X: {}\r\n", "x".repeat(8 << 20))
    }),
    ("very many headers", |_, answer| {
        answer.headers = "X: y\r\n".repeat(1 << 20)
    }),
    ("chunks of no size", |_, answer| {
        answer.claimed = None;
        answer.headers = "Transfer-Encoding: chunked\r\n".to_owned();
        answer.body = b"ffffffffffffffffff\r\nx".to_vec();
    }),
    ("two lengths", |_, answer| {
        answer.headers = "Content-Length: 7\r\n".to_owned()
    }),
    ("cut in the middle", |_, answer| {
        answer.body.truncate(answer.body.len() / 2)
    }),
    ("cut at once", |_, answer| answer.body.clear()),
    ("one byte less than claimed", |_, answer| {
        answer.body.truncate(answer.body.len() - 1)
    }),
    ("500", |_, answer| answer.fail(500)),
    ("403", |_, answer| answer.fail(403)),
    ("204", |_, answer| answer.status = 204),
    ("206 that nobody asked for", |_, answer| answer.status = 206),
    ("300", |_, answer| answer.status = 300),
    ("an empty file", |_, answer| answer.set_body(Vec::new())),
    ("a page", |_, answer| {
        answer.set_body(b"<html>Log in</html>".to_vec())
    }),
    ("redirects in a circle", |asked, answer| {
        redirect(answer, &asked.path)
    }),
    ("redirect to a file", |_, answer| {
        redirect(answer, "file:///etc/passwd")
    }),
    ("redirect to nowhere", |_, answer| {
        redirect(answer, "http://[::")
    }),
    ("redirect to nobody", |_, answer| {
        redirect(answer, "http://127.0.0.1:1/")
    }),
];

fn redirect(answer: &mut Answer, to: &str) {
    answer.fail(302);
    answer.headers = format!("Location: {to}\r\n");
}

/// Files that are no metadata, made of good ones.
fn bad_json(good: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let good = String::from_utf8(good.to_vec()).unwrap();
    let at_version = |number: &str| {
        let (before, after) = good.split_once("\"version\": 2").unwrap();
        format!("{before}\"version\": {number}{after}").into_bytes()
    };
    let first =
        |member: &str| good.replacen("\"signed\": {", &format!("\"signed\": {{{member},"), 1);
    let mut bad = vec![
        ("two versions", first("\"version\": 2").into_bytes()),
        (
            "two of signed",
            good.replacen('{', "{\"signed\": {},", 1).into_bytes(),
        ),
        (
            "two in two spellings",
            first("\"versio\\u006e\": 3").into_bytes(),
        ),
        (
            "deep arrays",
            first(&format!("\"x\": {}", "[".repeat(5000))).into_bytes(),
        ),
        ("deep objects", "{\"x\":".repeat(2000).into_bytes()),
        ("lone surrogate", first("\"x\": \"\\ud800\"").into_bytes()),
        ("byte order mark", format!("\u{feff}{good}").into_bytes()),
        ("bytes after the end", format!("{good}x").into_bytes()),
        ("zero after the end", format!("{good}\0").into_bytes()),
        (
            "another document after the end",
            good.repeat(2).into_bytes(),
        ),
        ("half of it", good.as_bytes()[..good.len() / 2].to_vec()),
        ("null", b"null".to_vec()),
        (
            "50 MB of text",
            format!("{{\"x\": \"{}\"}}", "x".repeat(50 << 20)).into_bytes(),
        ),
        (
            "invalid UTF-8",
            [b"{\"x\": \"\xff\"}", good.as_bytes()].concat(),
        ),
    ];
    bad.extend(
        [
            "2.0",
            "1e400",
            "2e0",
            "-2",
            "18446744073709551618",
            "NaN",
            "02",
            "\"2\"",
        ]
        .map(|number| ("odd number", at_version(number))),
    );
    bad
}

/// Everything bad, for each file in turn; what was verified before it is stored, nothing else changes.
#[test]
fn refuses_bad_answers_and_bad_json_for_every_role_m13_m19_m23() {
    let releases = Releases::new();
    let (site, old) = releases.site();
    let files = releases.new.files();
    let mut before = releases.old.fresh_device();
    search(&mut before, &releases.old.files(), &[PATH], now());
    assert!(old.metadata() == as_files(&before));
    for name in [
        "2.root.json",
        "timestamp.json",
        "2.snapshot.json",
        "2.targets.json",
        "2.a.json",
    ] {
        let client = site.twin(&old);
        let mut expected = before.clone();
        if name != "2.root.json" {
            let mut without = files.clone();
            without.remove(name);
            search(&mut expected, &without, &[PATH], now())
                .result
                .unwrap_err();
        }
        let expected = as_files(&expected);
        let refuse = |what: &str| {
            client.fail(client.download(&[PATH]));
            assert!(client.metadata() == expected, "{name}: {what}");
            assert!(client.targets() == old.targets(), "{name}: {what}");
            let asked = site.mirror.take_asked();
            let hostile = asked.iter().any(|path| path.ends_with(name));
            assert!(hostile, "{name} was not asked for: {what}");
        };
        let url = format!("/metadata/{name}");
        for (what, answer_badly) in BAD_ANSWERS {
            let url = url.clone();
            site.mirror.tamper(move |asked, answer| {
                if asked.path == url {
                    answer_badly(asked, answer);
                }
            });
            refuse(what);
        }
        for (what, bytes) in bad_json(&files[name]) {
            let url = url.clone();
            site.mirror.tamper(move |asked, answer| {
                if asked.path == url {
                    answer.set_body(bytes.clone());
                }
            });
            refuse(what);
        }
        site.mirror.be_honest();
        releases.assert_finishes(&client, name);
    }
}

/// The target itself: no wrong file, no part of one, the old file untouched; then the next run finishes.
#[test]
fn refuses_bad_targets_and_leaves_nothing_m13_m19() {
    let releases = Releases::new();
    let (site, old) = releases.site();
    let (client, anew) = (site.twin(&old), site.client(&releases.old));
    let is_target = |asked: &Asked| asked.path.starts_with("/blobs/");
    let more: &[Kind] = &[
        ("404", |_, answer| answer.fail(404)),
        ("one bit", |_, answer| answer.body[69_999] ^= 1),
        ("one byte more", |_, answer| {
            answer.set_body([&answer.body[..], b"2"].concat())
        }),
        ("one byte less", |_, answer| {
            answer.set_body(answer.body[1..].to_vec())
        }),
        ("the right bytes and more", |_, answer| {
            answer.claimed = None;
            answer.tail = Tail::Endless;
        }),
    ];
    for (what, answer_badly) in BAD_ANSWERS.iter().chain(more) {
        site.mirror.tamper(move |asked, answer| {
            if is_target(asked) {
                answer_badly(asked, answer);
            }
        });
        client.fail(client.download(&[PATH]));
        assert!(
            client.targets() == old.targets(),
            "{what}: {:?}",
            client.targets().keys()
        );
        anew.fail(anew.download(&[PATH]));
        assert!(
            anew.targets().is_empty(),
            "{what}: {:?}",
            anew.targets().keys()
        );
    }
    site.mirror.be_honest();
    releases.assert_finishes(&client, "bad targets");
    releases.assert_finishes(&anew, "bad targets");
}

/// A file that is there already counts for what its bytes are: damaged, it is fetched again.
#[test]
fn damaged_target_is_fetched_again_m13() {
    let releases = Releases::new();
    let (site, client) = releases.site();
    releases.assert_finishes(&client, "the first time");
    let file = client.folder.join("targets").join("d%2Ffile%20%C3%A9");
    let good = std::fs::read(&file).unwrap();
    for bad in [
        &good[1..],
        b"",
        &[&good[..], b"2"].concat(),
        &[&good[1..], b"3"].concat(),
    ] {
        std::fs::write(&file, bad).unwrap();
        site.mirror.take_asked();
        releases.assert_finishes(&client, "damaged");
        assert_eq!(site.mirror.take_asked().last(), Some(&blob(PATH, &good)));
    }
}

/// Files may come from elsewhere by a redirect: what counts is what is signed.
#[test]
fn redirected_files_are_verified_like_others_m13() {
    let releases = Releases::new();
    let (site, old) = releases.site();
    let other = Mirror::start(&site.place().join("site"));
    let to = other.url();
    site.mirror
        .tamper(move |asked, answer| redirect(answer, &format!("{to}{}", asked.path)));
    let client = site.twin(&old);
    releases.assert_finishes(&client, "redirected");
    let client = site.twin(&old);
    other.tamper(|asked, answer| {
        if asked.path.starts_with("/blobs/") {
            answer.body[0] ^= 1;
        }
    });
    client.fail(client.download(&[PATH]));
    assert!(client.targets() == old.targets());
}

/// Bytes of memory that a client may take at most while it is fed without end; it takes about 20 MiB.
const MEMORY_KIB_MAX: u64 = 64 * 1024;

/// The most memory that a process took until it ended, in KiB, and what it printed.
fn peak_memory(mut child: Child) -> (u64, std::process::Output) {
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let status = std::fs::read_to_string(&status).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let figure = line.and_then(|line| line.split_whitespace().next());
        peak = figure.and_then(|it| it.parse().ok()).unwrap_or(peak);
        std::thread::yield_now();
    }
    (peak, child.wait_with_output().unwrap())
}

#[test]
fn endless_files_take_bounded_memory_m19() {
    let releases = Releases::new();
    let (site, old) = releases.site();
    for part in [
        "2.root",
        "timestamp",
        "2.snapshot",
        "2.targets",
        "2.a",
        "/blobs/",
    ] {
        let client = site.twin(&old);
        site.mirror.tamper(move |asked, answer| {
            if asked.path.contains(part) {
                answer.claimed = None;
                answer.tail = Tail::Endless;
            }
        });
        let (peak, output) = peak_memory(client.download(&[PATH]).spawn().unwrap());
        refused(&output);
        assert!(peak > 0 && peak < MEMORY_KIB_MAX, "{part}: {peak} KiB");
    }
}

/// A source that is in the middle of an answer is not gone: what runs meanwhile is told so.
#[test]
fn second_process_waits_for_nothing_and_changes_nothing_s88() {
    let releases = Releases::new();
    let (site, client) = releases.site();
    let (begun, wait_for_begin) = std::sync::mpsc::channel();
    let (go_on, wait_for_end) = std::sync::mpsc::channel();
    let wait_for_end = std::sync::Mutex::new(wait_for_end);
    site.mirror.tamper(move |asked, _| {
        if asked.path.starts_with("/blobs/") {
            begun.send(()).unwrap();
            wait_for_end.lock().unwrap().recv().unwrap();
        }
    });
    let first = client.download(&[PATH]).spawn().unwrap();
    wait_for_begin.recv().unwrap();
    let before = client.metadata();
    for args in [&["refresh"][..], &["init", "../1.root.json"]] {
        let told = client.fail(client.command(args));
        assert!(told.contains("in use by another process"), "{told}");
        assert!(client.metadata() == before);
    }
    go_on.send(()).unwrap();
    let first = first.wait_with_output().unwrap();
    assert!(first.status.success(), "{}", text(&first));
    releases.assert_finishes(&client, "two at once");
}
