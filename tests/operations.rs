//! docs/operations.md as a script: every command in it, in its order, in one folder. The tokens are
//! SoftHSM's.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use support::programs::{PASSCODE, folder, repository_root};

/// Where Debian has the library of SoftHSM 2.
const MODULE: &str = "/usr/lib/softhsm/libsofthsm2.so";

/// Commands and their exit codes.
fn commands(markdown: &str) -> Vec<(&str, i32)> {
    let blocks = markdown.split("```sh\n").skip(1);
    let blocks = blocks.filter_map(|rest| rest.split("```").next());
    let lines = blocks.flat_map(str::lines).filter(|line| !line.is_empty());
    lines
        .map(|line| match line.split_once("  # exit ") {
            Some((command, code)) => (command, code.trim().parse().unwrap()),
            None => (line, 0),
        })
        .collect()
}

fn is_there(program: &str) -> bool {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("command -v {program}")]);
    let status = command.stdout(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Whether a text has a word; digests, of which there are many, hold any four digits now and then.
fn is_word(text: &str, word: &str) -> bool {
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric());
    words.any(|it| it == word)
}

fn shell(line: &str, place: &Path) -> Command {
    let mut command = Command::new("sh");
    let path = std::env::var("PATH").unwrap_or_default();
    command
        .args(["-c", line])
        .current_dir(place)
        .env("PATH", format!("{}:{path}", folder().display()))
        .env("SOFTHSM2_CONF", place.join("softhsm2.conf"))
        .env("STREEMBIT_PKCS11_MODULE", MODULE)
        .env("STREEMBIT_PKCS11_PIN", "1234")
        .env("STREEMBIT_PASSCODE", PASSCODE)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null());
    command
}

#[test]
fn every_command_of_the_operations_guide_works() {
    let missing: Vec<&str> = ["softhsm2-util", "pkcs11-tool", "jq"]
        .into_iter()
        .filter(|program| !is_there(program))
        .collect();
    if !missing.is_empty() || !Path::new(MODULE).exists() {
        eprintln!("SKIPPED: docs/operations.md was not run: {missing:?} or {MODULE} is missing");
        return;
    }
    let place = tempfile::tempdir().unwrap();
    let tokens = place.path().join("tokens");
    fs::create_dir(&tokens).unwrap();
    let text = format!(
        "directories.tokendir = {}\nlog.level = ERROR\n",
        tokens.display()
    );
    fs::write(place.path().join("softhsm2.conf"), text).unwrap();
    let guide = fs::read_to_string(repository_root().join("docs/operations.md")).unwrap();
    let commands = commands(&guide);
    assert!(commands.len() > 50, "the guide has commands");
    for (line, code) in commands {
        let output = shell(line, place.path()).output().unwrap();
        let words = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{line}\n{words}");
        assert!(
            !words.contains(PASSCODE) && !is_word(&words, "1234"),
            "{line}: a secret"
        );
    }
    let root = fs::read_to_string(place.path().join("repository/metadata/6.root.json"));
    assert!(root.unwrap().contains("\"threshold\": 2"));
}
