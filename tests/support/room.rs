//! What is left of this machine's memory and disk, for tests that take much of both.

use std::path::Path;
use std::process::Command;

/// Says loudly that a test is skipped, if there is less than it takes.
///
/// * `needed_kib`: of memory, and of disk at `folder`.
/// * `what`: didn't happen then.
pub fn is_short(needed_kib: [u64; 2], folder: &Path, what: &str) -> bool {
    let left = [
        column("free", &["-k"], 6),
        column("df", &["-Pk", folder.to_str().unwrap()], 3),
    ];
    let is_short = left
        .iter()
        .zip(needed_kib)
        .any(|(left, needed)| *left < needed);
    if is_short {
        eprintln!(
            "SKIPPED: {what}: KiB of memory and disk are {left:?}, and it takes {needed_kib:?}"
        );
    }
    is_short
}

/// What a command prints in the second line, by column.
fn column(program: &str, args: &[&str], place: usize) -> u64 {
    let output = Command::new(program).args(args).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().nth(1).unwrap();
    line.split_whitespace().nth(place).unwrap().parse().unwrap()
}
