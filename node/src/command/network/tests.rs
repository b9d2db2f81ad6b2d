//! What commands of networks refuse, and what they say to do then.

use std::path::Path;

use clap::Parser;

use super::*;

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    command: Command,
}

/// Runs a command in a folder with the keys `alice.key` and `bob.key`, and the data folder `data`.
fn try_run(folder: &Path, words: &[&str]) -> Result<Exit, CliError> {
    let data = folder.join("data").display().to_string();
    let words: Vec<String> = words
        .iter()
        .map(|word| match *word {
            "alice.key" | "bob.key" | "file" => folder.join(word).display().to_string(),
            other => other.to_owned(),
        })
        .collect();
    let words = words.iter().map(String::as_str);
    let all = ["network"].into_iter().chain(words);
    let line = Line::try_parse_from(all.chain(["--data-directory", &data])).unwrap();
    run(
        &line.command,
        Output {
            json: true,
            quiet: true,
        },
    )
}

/// Its exit code and all that it says.
fn refusal(folder: &Path, words: &[&str]) -> (u8, String) {
    let error = try_run(folder, words).unwrap_err();
    (
        error.exit as u8,
        format!("{error} {}", error.fix().unwrap_or_default()),
    )
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for name in ["alice.key", "bob.key"] {
        let path = folder.path().join(name);
        let unprotected = keyfile::NewKey::Unprotected;
        keyfile::create(&path, keys::Algorithm::P256, name, unprotected).unwrap();
    }
    folder
}

fn create(folder: &Path, name: &str) -> Result<Exit, CliError> {
    try_run(
        folder,
        &["create", name, "--name", "alice", "--key", "alice.key"],
    )
}

#[test]
fn network_that_is_meant_has_to_be_clear() {
    let folder = folder();
    let folder = folder.path();
    let (exit, text) = refusal(folder, &["members"]);
    assert!(exit == 2 && text.contains("network create"), "{text}");
    create(folder, "home").unwrap();
    try_run(folder, &["members"]).unwrap();
    assert_eq!(
        create(folder, "home").unwrap_err().exit as u8,
        2,
        "it is there"
    );
    create(folder, "work").unwrap();
    let (exit, text) = refusal(folder, &["members"]);
    assert!(exit == 2 && text.contains("home, work"), "{text}");
    try_run(folder, &["members", "--network", "work"]).unwrap();
    let (exit, text) = refusal(folder, &["members", "--network", "club"]);
    assert!(exit == 2 && text.contains("join"), "{text}");
    try_run(folder, &["leave", "--network", "work"]).unwrap();
    try_run(folder, &["members"]).unwrap();
}

#[test]
fn malformed_people_and_invitations_are_usage_errors() {
    let folder = folder();
    let folder = folder.path();
    create(folder, "home").unwrap();
    let key = "02".repeat(33);
    std::fs::write(folder.join("file"), "{}").unwrap();
    for member in ["bob", "a:b:c", "file", &format!("{key}:{key}:bob")] {
        let (exit, text) = refusal(folder, &["invite", member, "--key", "alice.key"]);
        assert!(
            exit == 2 && text.contains("account show --member"),
            "{text}"
        );
    }
    for invitation in ["https://example.com", "streembit:network/00?name=home"] {
        let (exit, text) = refusal(folder, &["join", invitation]);
        assert!(exit == 2 && text.contains("invitation"), "{text}");
    }
    let (exit, text) = refusal(folder, &["remove", "bob", "--key", "alice.key"]);
    assert!(exit == 1 && text.contains("network members"), "{text}");
    let (exit, text) = refusal(folder, &["renew", "--key", "bob.key"]);
    assert!(exit == 1 && text.contains("admin"), "{text}");
    try_run(folder, &["renew", "--key", "alice.key"]).unwrap();
}

#[test]
fn another_network_of_the_same_name_is_not_joined() {
    let (one, two) = (folder(), folder());
    create(one.path(), "home").unwrap();
    create(two.path(), "home").unwrap();
    let held = load(&Place::of(
        &one.path().join("data"),
        &"home".parse().unwrap(),
    ))
    .unwrap();
    let (id, founder) = (held.network(), held.founder().to_hex());
    let invitation = format!("streembit:network/{id}?name=home&founder={founder}");
    try_run(one.path(), &["join", &invitation]).unwrap();
    let (exit, text) = refusal(two.path(), &["join", &invitation]);
    assert!(exit == 1 && text.contains("leave"), "{text}");
    try_run(one.path(), &["export", "file"]).unwrap();
    let file = one.path().join("file").display().to_string();
    let (exit, text) = refusal(two.path(), &["import", &file]);
    assert!(exit == 1 && text.contains("another network"), "{text}");
}
