//! Odd arguments and closed pipes: each command of each program ends with a documented exit code, and never with a
//! panic (threats L97).

use std::ffi::{OsStr, OsString};
use std::fs::OpenOptions;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::process::{Output, Stdio};

use support::programs::{command, run, text};

const PROGRAMS: [&str; 4] = [
    "streembit",
    "streembit-publisher",
    "streembit-agent",
    "streembit-audit",
];
/// Exit codes of all programs (DESIGN section 9).
const DOCUMENTED: [i32; 11] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 21, 40];
/// The longest argument that Linux passes on, without its end.
const ARGUMENT_BYTES_MAX: usize = 128 * 1024 - 1;

/// All commands of a program, as its help lists them.
fn commands(program: &str, above: &[String], folder: &Path) -> Vec<Vec<String>> {
    let mut words: Vec<&str> = above.iter().map(String::as_str).collect();
    words.push("--help");
    let help = run(program, &words, folder);
    assert_eq!(help.status.code(), Some(0), "{program} {words:?}");
    let help = String::from_utf8(help.stdout).unwrap();
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = listed
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next())
        .filter(|name| !name.is_empty() && *name != "help");
    let mut found = vec![above.to_vec()];
    for name in names {
        let below = [above, &[name.to_owned()]].concat();
        found.extend(commands(program, &below, folder));
    }
    found
}

fn assert_documented(program: &str, words: &[OsString], output: &Output) {
    let said = text(output);
    let shown: Vec<String> = words
        .iter()
        .map(|word| word.to_string_lossy().chars().take(40).collect())
        .collect();
    let code = output.status.code();
    assert!(
        code.is_some_and(|code| DOCUMENTED.contains(&code)),
        "{program} {shown:?}: {} {said}",
        output.status
    );
    assert!(!said.contains("panicked"), "{program} {shown:?}: {said}");
}

#[test]
fn odd_arguments_end_with_a_documented_exit_code_l97() {
    let long = "x".repeat(ARGUMENT_BYTES_MAX);
    let many = vec![OsString::from("y".repeat(4096)); 256];
    let odd: [Vec<OsString>; 7] = [
        vec![OsStr::from_bytes(b"\xff\xfe/\x80").to_owned()],
        vec![OsStr::from_bytes(b"--json=\xff").to_owned()],
        vec![long.into()],
        many,
        vec!["-".into()],
        vec!["--".into(), "--help".into(), String::new().into()],
        vec!["--no-such-option".into(), "\u{202e}\u{1b}[2J".into()],
    ];
    for program in PROGRAMS {
        let folder = tempfile::tempdir().unwrap();
        let all = commands(program, &[], folder.path());
        assert!(all.len() > 5, "{program} has {} commands", all.len());
        for words in &all {
            for odd in &odd {
                let words: Vec<OsString> = words
                    .iter()
                    .map(OsString::from)
                    .chain(odd.clone())
                    .collect();
                let output = command(program, folder.path())
                    .args(&words)
                    .output()
                    .unwrap();
                assert_documented(program, &words, &output);
                let escapes = [&b"\x1b[2J"[..], "\u{202e}".as_bytes()];
                let is_raw = |bytes: &[u8]| {
                    escapes
                        .iter()
                        .any(|escape| bytes.windows(escape.len()).any(|part| part == *escape))
                };
                assert!(
                    !is_raw(&output.stdout) && !is_raw(&output.stderr),
                    "{words:?}"
                );
            }
        }
    }
}

#[test]
fn closed_and_full_outputs_end_with_a_documented_exit_code_l97() {
    for program in PROGRAMS {
        let folder = tempfile::tempdir().unwrap();
        for mut words in commands(program, &[], folder.path()) {
            words.push("--help".to_owned());
            let words: Vec<OsString> = words.into_iter().map(OsString::from).collect();
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            let mut help = command(program, folder.path());
            let output = help.args(&words).stdout(writer).output().unwrap();
            assert_documented(program, &words, &output);
            assert_eq!(
                output.status.code(),
                Some(0),
                "whoever reads has read enough"
            );
        }
    }
    // What was asked for is done, or said not to be.
    let folder = tempfile::tempdir().unwrap();
    let full = || OpenOptions::new().write(true).open("/dev/full").unwrap();
    for (name, json) in [("anna", &[][..]), ("bruno", &["--json"])] {
        let mut create = command("streembit", folder.path());
        create.args(["account", "create", name]).args(json);
        let output = create.stdout(full()).stderr(full()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{name}: {}", text(&output));
    }
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut list = command("streembit", folder.path());
    let status = list
        .args(["account", "list", "--json"])
        .stdout(writer)
        .stderr(Stdio::null())
        .status();
    assert_eq!(status.unwrap().code(), Some(0));
}

#[test]
fn settings_of_a_repository_are_read_strictly_l98() {
    let folder = tempfile::tempdir().unwrap();
    let init = [
        "init",
        "--product",
        "cam",
        "--hardware",
        "h",
        "--no-passcode",
    ];
    assert!(
        run("streembit-publisher", &init, folder.path())
            .status
            .success()
    );
    let path = folder.path().join("repository/publisher.toml");
    let good = std::fs::read_to_string(&path).unwrap();
    assert!(
        run("streembit-publisher", &["doctor"], folder.path())
            .status
            .success()
    );
    for (from, to) in [
        ("channel =", "chanel = 7\nchannel ="),
        ("channel =", "channel = 7 #"),
        ("channel =", "channel = \"a\"\nchannel ="),
        ("channel =", "channel = \"../a\" #"),
        ("deltas =", "deltas = -1 #"),
        ("deltas =", "deltas = true #"),
        ("timestamp = \"7d\"", "timestamp = \"soon\""),
        ("timestamp = \"7d\"", "timestamp = \"99999999999y\""),
        ("[products.cam]", "[products.\"../cam\"]"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from} is in {good}");
        std::fs::write(&path, bad).unwrap();
        let output = run("streembit-publisher", &["doctor"], folder.path());
        let said = text(&output);
        assert_eq!(output.status.code(), Some(2), "{to}: {said}");
        assert!(said.contains("publisher.toml"), "{to}: {said}");
    }
}
