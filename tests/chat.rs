//! `streembit chat` on a terminal: a line is edited in place, and the contact sees that somebody is writing.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::Write as _;
use std::process::{Child, Command, Stdio};

use support::person::Person;
use support::programs::{command, folder};

/// A program that runs, killed when dropped.
struct Running(Child);

impl Running {
    fn type_in(&mut self, keys: &str) {
        let stdin = self.0.stdin.as_mut().unwrap();
        stdin.write_all(keys.as_bytes()).unwrap();
        stdin.flush().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Chats with `contact`; what is shown goes to the file `screen` in the person's folder.
fn chat(person: &Person, contact: &str, is_on_a_terminal: bool) -> Running {
    let screen = File::create(person.path().join("screen")).unwrap();
    let mut chat = if is_on_a_terminal {
        let mut script = Command::new("script");
        let line = format!("{} chat {contact}", folder().join("streembit").display());
        script.args(["-q", "-e", "-f", "-c", &line, "/dev/null"]);
        script.current_dir(person.path()).env("TERM", "xterm");
        script
    } else {
        let mut chat = command("streembit", person.path());
        chat.args(["chat", contact]);
        chat
    };
    let errors = screen.try_clone().unwrap();
    chat.stdin(Stdio::piped()).stdout(screen).stderr(errors);
    Running(chat.spawn().unwrap())
}

/// Waits until a person's screen shows something.
fn until_shown(person: &mut Person, words: &str) -> String {
    let screen = person.path().join("screen");
    person.until(&["status"], |_| {
        let shown = fs::read(&screen).ok()?;
        let shown = String::from_utf8_lossy(&shown).into_owned();
        shown.contains(words).then_some(shown)
    })
}

#[test]
fn who_types_on_a_terminal_is_seen_to_write_and_what_comes_stands_above() {
    let gate = Person::start("gate", None);
    let mut alice = Person::start("alice", Some(&gate));
    let mut bob = Person::start("bob", Some(&gate));
    alice.meet(&mut bob);
    let on_terminal = RefCell::new(chat(&alice, "bob", true));
    until_shown(&mut alice, "Ctrl-D");
    let mut plain = chat(&bob, "alice", false);
    // Nothing is sent yet; it is heard only once both are there.
    let screen = bob.path().join("screen");
    bob.until(&["status"], |_| {
        on_terminal.borrow_mut().type_in("h");
        let shown = fs::read_to_string(&screen).ok()?;
        shown.contains("alice is writing").then_some(())
    });
    let mut on_terminal = on_terminal.into_inner();
    // Control-U takes the line away.
    on_terminal.type_in("\u{15}hello Bob\r");
    bob.until_text_is("alice", "hello Bob", "read");
    until_shown(&mut bob, "alice: hello Bob");
    plain.type_in("hello Alice\n");
    until_shown(&mut alice, "bob: hello Alice");
    alice.until_text_is("bob", "hello Alice", "read");
    on_terminal.type_in("\u{4}");
    assert_eq!(on_terminal.0.wait().unwrap().code(), Some(0));
    drop(plain.0.stdin.take());
    assert_eq!(plain.0.wait().unwrap().code(), Some(0));
}
