//! The log before verifiers, witnesses and submitters that others wrote: Go's packages for checksum databases, torchwood's
//! programs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use support::foreign;
use support::logged::{ORIGIN, Publisher, Witness};
use support::programs::{Running, repository_root, run, text};
use support::stated::Scene;
use tempfile::TempDir;

use crate::interop_provenance::{FORKY, Unpacked, accepts, refuses};

/// Go's packages for checksum databases.
fn go() -> Option<PathBuf> {
    let source = repository_root().join("tests/go/log.go");
    let changed = |path: &Path| fs::metadata(path).and_then(|there| there.modified()).ok();
    let works = |folder: &Path| changed(&folder.join("log")) >= changed(&source);
    let steps = |folder: &Path| {
        let mut build = Command::new("/usr/lib/go-1.19/bin/go");
        build
            .args(["build", "-o"])
            .arg(folder.join("log"))
            .arg(&source)
            .envs([
                ("GO111MODULE", "off"),
                ("GOPATH", "/usr/share/gocode"),
                ("GOFLAGS", ""),
            ])
            .env("GOCACHE", folder.join("cache"));
        foreign::runs(&mut build)
    };
    foreign::install("go-log", works, steps).then(|| foreign::installed().join("go-log/log"))
}

#[test]
fn go_verifies_quorum_inclusion_tiles_and_growth() {
    let Some(go) = go() else {
        eprintln!(
            "SKIPPED: no Go with golang.org/x/mod here (golang-1.19-go, golang-golang-x-mod-dev)"
        );
        return;
    };
    let (scene, unpacked) = (Scene::shared(), Unpacked::new("good.pack", "1.1.0"));
    let policy = scene.path("repository/log/policy");
    let ask = |words: &[&Path]| Command::new(&go).args(words).output().unwrap();
    let log = scene.path("repository/log");
    let entry = unpacked.entry("release.sigstore.json");
    let leaf = unpacked.path("leaf");
    fs::write(&leaf, &entry).unwrap();
    let proof = unpacked.evidence("release.tlog-proof");
    let word = Path::new;
    accepts(&ask(&[word("proof"), &policy, &proof, &leaf]));
    accepts(&ask(&[word("tiles"), &policy, &log]));
    // Negatives: another leaf, too few witnesses, a changed entry, another history.
    fs::write(unpacked.path("other leaf"), [&entry[..], b" "].concat()).unwrap();
    refuses(&ask(&[
        word("proof"),
        &policy,
        &proof,
        &unpacked.path("other leaf"),
    ]));
    let text = fs::read_to_string(&proof).unwrap();
    let lines = text.lines().filter(|line| !line.contains("w.example/2"));
    let alone: String = lines.map(|line| format!("{line}\n")).collect();
    fs::write(unpacked.path("alone"), alone).unwrap();
    refuses(&ask(&[
        word("proof"),
        &policy,
        &unpacked.path("alone"),
        &leaf,
    ]));
    let grown = scene.publisher.twin();
    let plain = format!("log {}\nquorum none\n", grown.key);
    fs::write(grown.path("repository/log/policy"), plain).unwrap();
    let before = unpacked.path("before");
    fs::copy(grown.path("repository/log/checkpoint"), &before).unwrap();
    grown.append(&["one", "two"]);
    grown.log("update");
    let (policy, log) = (
        grown.path("repository/log/policy"),
        grown.path("repository/log"),
    );
    accepts(&ask(&[word("growth"), &policy, &before, &log]));
    let fork = scene.publisher.twin();
    fs::copy(&policy, fork.path("repository/log/policy")).unwrap();
    fork.append(&["three"]);
    fork.log("update");
    refuses(&ask(&[
        word("growth"),
        &policy,
        &fork.path("repository/log/checkpoint"),
        &log,
    ]));
    let shown = grown.log("show");
    let bundle = log.join(format!("tile/entries/000.p/{}", shown["published"]));
    let mut bytes = fs::read(&bundle).unwrap();
    bytes[50] ^= 1;
    fs::write(&bundle, bytes).unwrap();
    refuses(&ask(&[word("tiles"), &policy, &log]));
}

/// A witness that others wrote cosigns our log, and refuses another history of it.
#[test]
fn litewitness_cosigns_our_log() {
    let Some(programs) = foreign::debian("forky", &FORKY, "litewitness") else {
        eprintln!("SKIPPED: no litewitness here (apt, Debian forky)");
        return;
    };
    let publisher = Publisher::empty();
    let witness = Litewitness::start(&programs, &publisher.key);
    publisher.set_policy(&[("lite", &witness.key, &witness.url)], "all");
    publisher.append(&["one", "two", "three"]);
    assert_eq!(publisher.log("update")["published"], 3);
    let fork = publisher.twin();
    publisher.append(&["four"]);
    assert_eq!(publisher.log("update")["published"], 4);
    fork.append(&["vier"]);
    let (exit, said) = fork.refused("update");
    assert!(exit == Some(7) && said.contains("422"), "{said}");
    // Nor further on; and an old copy of the log is a rollback.
    fork.append(&["fünf"]);
    let (exit, said) = fork.refused("update");
    assert!(exit == Some(7) && said.contains("422"), "{said}");
    let old = publisher.twin();
    publisher.append(&["six"]);
    assert_eq!(publisher.log("update")["published"], 5);
    fs::remove_file(old.path("repository/log/checkpoint")).unwrap();
    let (exit, said) = old.refused("witness");
    assert!(exit == Some(0) && said.contains("old copy"), "{said}");
}

/// A log that others wrote is cosigned by our witness, through a restart, and no other history of it.
#[test]
fn go_submits_a_log_to_our_witness() {
    let Some(go) = go() else {
        eprintln!(
            "SKIPPED: no Go with golang.org/x/mod here (golang-1.19-go, golang-golang-x-mod-dev)"
        );
        return;
    };
    let mut witness = Witness::new("w.example/1");
    let made = Command::new(&go).args(["key", ORIGIN]).output().unwrap();
    let keys = text(&made);
    let (private, public) = keys.trim().split_once('\n').unwrap();
    witness.watch(public);
    let policy = witness.path().join("go.policy");
    let lines = format!(
        "log {public}\nwitness w {}\ngroup q all w\nquorum q\n",
        witness.key
    );
    fs::write(&policy, lines).unwrap();
    let [mut url, _] = witness.start();
    let submit = |url: &str, word: &str, old: &str, size: &str| {
        let mut submit = Command::new(&go);
        submit.arg("submit").arg(&policy);
        submit.args([private, url, word, old, size]);
        submit.output().unwrap()
    };
    accepts(&submit(&url, "a", "0", "3"));
    accepts(&submit(&url, "a", "3", "700"));
    witness.stop();
    [url, _] = witness.start();
    for (word, old, size, status) in [
        ("a", "3", "900", "409 700"),
        ("b", "700", "700", "409 700"),
        ("b", "700", "900", "422 "),
    ] {
        let refused = submit(&url, word, old, size);
        refuses(&refused);
        assert!(text(&refused).contains(status), "{}", text(&refused));
    }
    accepts(&submit(&url, "a", "700", "900"));
}

/// An entry and its proof, as a spicy signature.
#[test]
fn torchwood_reads_our_proofs() {
    let Some(programs) = foreign::debian("forky", &FORKY, "spicy-torchwood") else {
        eprintln!("SKIPPED: no spicy-torchwood here (apt, Debian forky)");
        return;
    };
    let scene = Scene::shared();
    let folder = tempfile::tempdir().unwrap();
    let [entry, proof] = ["entry", "entry.spicy"].map(|name| folder.path().join(name));
    let publisher = scene.publisher.twin();
    let words = [
        "log",
        "prove",
        "2",
        "--as",
        "spicy",
        "-o",
        proof.to_str().unwrap(),
        "--entry",
        entry.to_str().unwrap(),
    ];
    publisher.ok(&words);
    let ask = |key: &str| {
        let mut ask = Command::new(programs.join("spicy-torchwood"));
        ask.args(["-verify", key]).arg(&entry).output().unwrap()
    };
    accepts(&ask(&publisher.key));
    // Negatives: another log's key, a changed entry, another place.
    refuses(&ask(&Publisher::empty().key));
    let good = fs::read(&entry).unwrap();
    fs::write(&entry, [&good[..], b" "].concat()).unwrap();
    refuses(&ask(&publisher.key));
    fs::write(&entry, &good).unwrap();
    let text = fs::read_to_string(&proof).unwrap();
    fs::write(&proof, text.replacen("index 2", "index 1", 1)).unwrap();
    refuses(&ask(&publisher.key));
}

/// A publisher that has written for Sigsum's tools what they need: `one` for its image `one.bin`, `other` for another
/// entry; cosigned by two of our witnesses.
fn exported_to_sigsum() -> Publisher {
    let publisher = Publisher::empty();
    let mut witnesses = ["w.example/1", "w.example/2"].map(Witness::new);
    let [one, two] = witnesses.each_mut().map(|witness| {
        witness.watch(&publisher.key);
        witness.start()[0].clone()
    });
    let [first, second] = &witnesses;
    publisher.set_policy(&[("a", &first.key, &one), ("b", &second.key, &two)], "all");
    fs::write(publisher.path("one.bin"), "firmware").unwrap();
    publisher.ok(&["release", "one.bin", "--version", "1.0.0"]);
    // It is a log of its own: witnesses cosign none that they haven't been told of.
    let export = ["log", "sigsum", "0", "--out", "one"];
    let (exit, said) = publisher.fails(&export);
    assert_eq!(exit, Some(7), "{said}");
    let (_, key) = said.split_once("streembit witness add-log ").unwrap();
    let key = key.split_whitespace().next().unwrap();
    for witness in &mut witnesses {
        witness.stop();
        witness.watch(key);
    }
    let [one, two] = witnesses
        .each_mut()
        .map(|witness| witness.start()[0].clone());
    let [first, second] = &witnesses;
    publisher.set_policy(&[("a", &first.key, &one), ("b", &second.key, &two)], "all");
    publisher.ok(&export);
    publisher.append(&["a later entry"]);
    publisher.log("update");
    publisher.ok(&["log", "sigsum", "1", "--out", "other"]);
    publisher.ok(&export);
    publisher
}

/// An image's entry, as Sigsum's tools have it.
#[test]
fn sigsum_verifies_our_exports() {
    let Some(programs) = foreign::debian("forky", &FORKY, "sigsum-verify") else {
        eprintln!("SKIPPED: no sigsum-verify here (apt, Debian forky)");
        return;
    };
    let publisher = exported_to_sigsum();
    let proof = publisher.path("one/proof");
    let ask = |image: &str| {
        let mut ask = Command::new(programs.join("sigsum-verify"));
        ask.arg("-k").arg(publisher.path("one/key.pub"));
        ask.arg("-p").arg(publisher.path("one/policy")).arg(&proof);
        ask.stdin(fs::File::open(publisher.path(image)).unwrap());
        ask.output().unwrap()
    };
    accepts(&ask("one.bin"));
    // Negatives: another file; another entry's proof, one witness of two, a changed way, place, signature and root.
    fs::write(publisher.path("other.bin"), "other firmware").unwrap();
    refuses(&ask("other.bin"));
    let text = fs::read_to_string(&proof).unwrap();
    let cosigned = text.lines().filter(|line| line.starts_with("cosignature="));
    assert_eq!(cosigned.count(), 2);
    let other = fs::read_to_string(publisher.path("other/proof")).unwrap();
    let place = other.find("leaf_index=").unwrap();
    let start = text.find("leaf_index=").unwrap();
    let cosignature = text.find("cosignature=").unwrap();
    let next = text[cosignature..].find('\n').unwrap() + cosignature + 1;
    let flip = |word: &str| {
        let at = text.find(word).unwrap() + word.len();
        let digit = u8::from(text.as_bytes()[at] == b'0');
        format!("{}{digit}{}", &text[..at], &text[at + 1..])
    };
    for bad in [
        format!("{}{}", &text[..start], &other[place..]),
        format!("{}{}", &text[..cosignature], &text[next..]),
        flip("node_hash="),
        flip("leaf_index="),
        flip("\nsignature="),
        flip("root_hash="),
    ] {
        fs::write(&proof, bad).unwrap();
        refuses(&ask("one.bin"));
    }
    fs::write(&proof, &text).unwrap();
    accepts(&ask("one.bin"));
}

/// The witness, its agent that holds the key, its folder.
struct Litewitness {
    key: String,
    url: String,
    _programs: [Running; 2],
    _folder: TempDir,
}

impl Litewitness {
    fn start(programs: &Path, log: &str) -> Self {
        const NAME: &str = "witness.test.example/w1";
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let ok = |program: &str, words: &[&str]| {
            let output = run(program, words, folder.path());
            assert!(
                output.status.success(),
                "{program} {words:?}: {}",
                text(&output)
            );
            String::from_utf8(output.stdout).unwrap()
        };
        ok(
            "/usr/bin/ssh-keygen",
            &["-q", "-t", "ed25519", "-N", "", "-f", "key"],
        );
        let mut agent = Running::start(
            "/usr/bin/ssh-agent",
            &["-D", "-a", "agent.sock"],
            folder.path(),
        );
        agent.wait_for("the agent's socket", || {
            folder.path().join("agent.sock").exists().then_some(())
        });
        let add = Command::new("ssh-add")
            .arg(at("key"))
            .env("SSH_AUTH_SOCK", at("agent.sock"))
            .output();
        accepts(&add.unwrap());
        let fingerprint = ok("/usr/bin/ssh-keygen", &["-lf", "key.pub"]);
        let fingerprint = fingerprint.split_whitespace().nth(1).unwrap().to_owned();
        let control = programs.join("witnessctl");
        let control = control.to_str().unwrap();
        ok(control, &["add-log", "-db", "lw.db", "-origin", ORIGIN]);
        ok(
            control,
            &["add-key", "-db", "lw.db", "-origin", ORIGIN, "-key", log],
        );
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let listen = format!("127.0.0.1:{port}");
        let program = programs.join("litewitness");
        let words = [
            "-db",
            "lw.db",
            "-key",
            &fingerprint,
            "-name",
            NAME,
            "-ssh-agent",
            "agent.sock",
            "-listen",
            &listen,
        ];
        let mut witness = Running::start(program.to_str().unwrap(), &words, folder.path());
        witness.wait_for("the witness", || std::net::TcpStream::connect(&listen).ok());
        Self {
            key: verifier_key(NAME, &fs::read_to_string(at("key.pub")).unwrap()),
            url: format!("http://{listen}"),
            _programs: [agent, witness],
            _folder: folder,
        }
    }
}

/// `NAME+ID+BASE64` of a witness, from its SSH public key.
fn verifier_key(name: &str, ssh: &str) -> String {
    let wire = ssh.split_whitespace().nth(1).unwrap();
    let wire = STANDARD.decode(wire).unwrap();
    let key = keys::PublicKey::from_ed25519(&wire[wire.len() - 32..]).unwrap();
    let key = tlog::vkey::VerifierKey::new(name, tlog::vkey::Scheme::Cosignature(key));
    key.unwrap().to_string()
}
