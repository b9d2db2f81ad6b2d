//! Tests of the command line, run in this process.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use clap::CommandFactory as _;

use super::*;

fn run(words: &[&str]) -> Result<Exit, CliError> {
    let words = [&["streembit", "--json"][..], words].concat();
    Args::try_parse_from(words).unwrap().run()
}

fn account(action: &str, key: &Path) -> Result<Exit, CliError> {
    let key = key.to_str().unwrap();
    match action {
        "create" => run(&["account", "create", "alice", "--no-passcode", "--key", key]),
        _ => run(&["account", "show", "alice", "--key", key]),
    }
}

#[test]
fn command_line_is_sound() {
    Args::command().debug_assert();
}

#[test]
fn unknown_words_are_refused_l97() {
    for words in [
        &["status", "--nonsense"][..],
        &["nonsense"],
        &[],
        &["run", "--listen", "nowhere"],
        &["account", "create"],
    ] {
        let words = [&["streembit"][..], words].concat();
        let refused = Args::try_parse_from(&words);
        assert!(
            refused.is_err_and(|error| error.exit_code() == 2),
            "{words:?}"
        );
    }
}

#[test]
fn without_a_node_the_answer_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    let key = "00".repeat(32);
    for words in [&["status"][..], &["peers"], &["dht", "get", &key]] {
        let words = [words, &["--data-directory", place]].concat();
        let error = run(&words).unwrap_err();
        assert_eq!(error.exit as u8, 3, "{words:?}");
        assert!(error.message().contains(place), "{error}");
        assert!(error.fix().unwrap().contains("streembit run"), "{error}");
    }
}

#[test]
fn malformed_dht_keys_are_usage_errors() {
    for key in [
        "",
        "00",
        "zz",
        "account:00",
        "release:00",
        "release:00/stable",
    ] {
        let error = run(&["dht", "get", key]).unwrap_err();
        assert_eq!(error.exit as u8, 2, "{key}");
        assert!(error.fix().is_some());
    }
}

#[test]
fn account_is_created_once_and_shown_k75() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("account.key");
    assert_eq!(account("create", &path).unwrap(), Exit::Done);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    assert_eq!(account("show", &path).unwrap(), Exit::Done);
    let before = fs::read(&path).unwrap();
    let refused = account("create", &path).unwrap_err();
    assert_eq!(refused.exit, Exit::Key);
    assert!(refused.fix().unwrap().contains("never overwritten"));
    assert_eq!(fs::read(&path).unwrap(), before);
    let left: Vec<_> = fs::read_dir(folder.path()).unwrap().collect();
    assert_eq!(left.len(), 1, "no temporary files: {left:?}");
}

#[test]
fn key_that_others_can_read_is_refused_k75() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("account.key");
    account("create", &path).unwrap();
    for mode in [0o644, 0o640, 0o604, 0o660] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = account("show", &path).unwrap_err();
        assert_eq!(error.exit, Exit::Key);
        assert!(error.to_string().contains("chmod 600"), "{error}");
        let key = path.to_str().unwrap();
        let data = folder.path().to_str().unwrap();
        let error = run(&["run", "--key", key, "--data-directory", data]).unwrap_err();
        assert_eq!(error.exit, Exit::Key, "no node runs on it");
    }
}

#[test]
fn damaged_or_missing_keys_are_refused_k75() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("account.key");
    assert_eq!(account("show", &path).unwrap_err().exit, Exit::Key);
    account("create", &path).unwrap();
    let whole = fs::read(&path).unwrap();
    for length in [0, 1, whole.len() / 2, whole.len() - 40] {
        fs::write(&path, &whole[..length]).unwrap();
        assert_eq!(
            account("show", &path).unwrap_err().exit,
            Exit::Key,
            "{length}"
        );
    }
}

#[test]
fn configuration_is_read_strictly_l98() {
    let folder = tempfile::tempdir().unwrap();
    let (path, key) = (folder.path().join("node.toml"), folder.path().join("k"));
    account("create", &key).unwrap();
    for text in [
        "mdsn = true",
        "mdns = \"yes\"",
        "mdns = true\nmdns = false",
        "listen = [\"nowhere\"]",
        "listen = 7",
        "= = =",
        "[network]\nmdns = true",
    ] {
        fs::write(&path, text).unwrap();
        let words = ["run", "--key", key.to_str().unwrap(), "--config"];
        let error = run(&[&words[..], &[path.to_str().unwrap()]].concat()).unwrap_err();
        assert_eq!(error.exit, Exit::Usage, "{text}");
        assert!(error.to_string().contains("node.toml"), "{error}");
    }
}
